//! Learning-rate schedules as pure functions: the multiplier of the peak learning rate at a step.
//! Nothing is stored between steps, so a resumed run cannot use another rate than an uninterrupted one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// √0.1: the middle rate of DeepSeek's multi-step schedule (2401.02954 §2.3).
const SQRT_TENTH: f64 = 0.316_227_766_016_837_94;

/// How the learning rate moves over a run. Fractions are of the whole run, warmup included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The peak rate throughout.
    Constant {},
    /// A straight line from the peak to `final_fraction` of it.
    Linear {
        /// Rate at the end over peak rate.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        final_fraction: f64,
    },
    /// Half a cosine from the peak to `final_fraction` of it (Loshchilov 1608.03983).
    Cosine {
        /// Rate at the end over peak rate.
        #[serde(default = "tenth")]
        #[schemars(range(min = 0.0, max = 1.0))]
        final_fraction: f64,
    },
    /// A geometric decay from the peak to `final_fraction` of it.
    Exponential {
        /// Rate at the end over peak rate.
        #[serde(default = "tenth")]
        #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0))]
        final_fraction: f64,
    },
    /// The rate is multiplied by `factor` after every `every` of the run.
    Step {
        /// Fraction of the run between two drops.
        #[serde(default = "third")]
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        every: f64,
        /// What each drop multiplies the rate by.
        #[serde(default = "half")]
        #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0))]
        factor: f64,
    },
    /// Full rate, then `factors[i]` of the peak from `milestones[i]` of the run on (DeepSeek: 0.8, 0.9 and √0.1, 0.1).
    MultiStep {
        /// Fractions of the run at which the rate drops, ascending.
        #[serde(default = "deepseek_milestones")]
        milestones: Vec<f64>,
        /// Fraction of the peak rate from each milestone on.
        #[serde(default = "deepseek_factors")]
        factors: Vec<f64>,
    },
    /// Warmup, stable rate, decay to zero over the last `decay_fraction` (Hu 2404.06395, Hägele 2405.18392).
    Wsd {
        /// Fraction of the run that decays.
        #[serde(default = "fifth")]
        #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0))]
        decay_fraction: f64,
        /// Form of the decay.
        #[serde(default)]
        shape: DecayShape,
    },
}

/// Form of a WSD cooldown over its progress p in 0..1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum DecayShape {
    /// 1 − √p (Hägele 2405.18392: the best of those tried).
    #[default]
    #[serde(rename = "1-sqrt")]
    OneMinusSqrt,
    /// 1 − p.
    #[serde(rename = "linear")]
    Linear,
}

fn tenth() -> f64 {
    0.1
}
fn fifth() -> f64 {
    0.2
}
fn third() -> f64 {
    1.0 / 3.0
}
fn half() -> f64 {
    0.5
}
fn deepseek_milestones() -> Vec<f64> {
    vec![0.8, 0.9]
}
fn deepseek_factors() -> Vec<f64> {
    vec![SQRT_TENTH, 0.1]
}

/// Why a schedule makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// A fraction outside its range.
    #[error("{field} = {found} must lie {allowed}")]
    OutOfRange {
        /// Name of the field.
        field: &'static str,
        /// Value that is out of range.
        found: f64,
        /// Where it may lie.
        allowed: &'static str,
    },
    /// Milestones and factors differ in number or order.
    #[error("milestones must ascend between 0 and 1 and have one factor each; found {milestones:?} and {factors:?}")]
    Milestones {
        /// Milestones as they were given, as fractions of the run.
        milestones: Vec<f64>,
        /// Factors as they were given, one a milestone.
        factors: Vec<f64>,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Wsd { decay_fraction: fifth(), shape: DecayShape::default() }
    }
}

impl Schedule {
    /// DeepSeek's multi-step schedule (2401.02954, section 2.3): √0.1 of the peak from 80 % of the run on, a tenth from 90 %.
    pub fn deepseek() -> Self {
        Self::MultiStep { milestones: deepseek_milestones(), factors: deepseek_factors() }
    }

    /// Whether its numbers make sense.
    pub fn check(&self) -> Result<(), ScheduleError> {
        let within =
            |field, found: f64, ok: bool, allowed| if ok { Ok(()) } else { Err(ScheduleError::OutOfRange { field, found, allowed }) };
        match self {
            Self::Constant {} => Ok(()),
            Self::Linear { final_fraction: f } | Self::Cosine { final_fraction: f } => {
                within("final_fraction", *f, (0.0..=1.0).contains(f), "from 0 to 1")
            }
            Self::Exponential { final_fraction: f } => within("final_fraction", *f, *f > 0.0 && *f <= 1.0, "above 0 and up to 1"),
            Self::Step { every, factor } => {
                within("every", *every, *every > 0.0 && *every < 1.0, "between 0 and 1")?;
                within("factor", *factor, *factor > 0.0 && *factor <= 1.0, "above 0 and up to 1")
            }
            Self::MultiStep { milestones, factors } => {
                let ascend = milestones.windows(2).all(|pair| pair[0] < pair[1]) && milestones.iter().all(|&m| m > 0.0 && m < 1.0);
                let sound = ascend && milestones.len() == factors.len() && factors.iter().all(|&f| f > 0.0 && f <= 1.0);
                if sound { Ok(()) } else { Err(ScheduleError::Milestones { milestones: milestones.clone(), factors: factors.clone() }) }
            }
            Self::Wsd { decay_fraction: f, .. } => within("decay_fraction", *f, *f > 0.0 && *f <= 1.0, "above 0 and up to 1"),
        }
    }

    /// Learning rate at `step` (from 0) of `total` over the peak rate. The first `warmup` steps rise
    /// linearly, (step + 1)/warmup, whatever the schedule says of them.
    pub fn multiplier(&self, step: u64, total: u64, warmup: u64) -> f64 {
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let run = step as f64 / total as f64;
        // Progress after warmup, 0 at its end and 1 at the (never reached) end of the run.
        let progress = (step - warmup) as f64 / (total.saturating_sub(warmup)).max(1) as f64;
        match self {
            Self::Constant {} => 1.0,
            Self::Linear { final_fraction: f } => 1.0 - (1.0 - f) * progress,
            Self::Cosine { final_fraction: f } => f + (1.0 - f) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Self::Exponential { final_fraction: f } => f.powf(progress),
            Self::Step { every, factor } => factor.powf((run / every).floor()),
            Self::MultiStep { milestones, factors } => {
                let passed = milestones.iter().filter(|&&milestone| step >= at_fraction(milestone, total)).count();
                if passed == 0 { 1.0 } else { factors[passed - 1] }
            }
            Self::Wsd { decay_fraction, shape } => {
                let start = at_fraction(1.0 - decay_fraction, total);
                if step < start {
                    return 1.0;
                }
                let p = (step - start) as f64 / (total - start) as f64;
                match shape {
                    DecayShape::OneMinusSqrt => 1.0 - p.sqrt(),
                    DecayShape::Linear => 1.0 - p,
                }
            }
        }
    }

    /// The step from which a run of `total` steps leaves its constant-rate part, for schedules that
    /// have one (constant never leaves it). Runs that differ only in their total share all before.
    pub fn stable_until(&self, total: u64) -> Option<u64> {
        match self {
            Self::Constant {} => Some(total),
            Self::Wsd { decay_fraction, .. } => Some(at_fraction(1.0 - decay_fraction, total)),
            Self::MultiStep { milestones, .. } => milestones.first().map(|&first| at_fraction(first, total)),
            Self::Linear { .. } | Self::Cosine { .. } | Self::Exponential { .. } | Self::Step { .. } => None,
        }
    }

    /// As it is displayed, with four decimals where a number has more: for tables and legends.
    pub fn label(&self) -> String {
        let rounded = |piece: &str| match piece.parse::<f64>() {
            Ok(number) if piece.len() > 6 => format!("{number:.4}"),
            _ => piece.to_owned(),
        };
        let is_edge = |c: char| "(), ".contains(c);
        let text = self.to_string();
        let pieces = text.split_inclusive(is_edge).map(|piece| {
            let word = piece.trim_end_matches(is_edge);
            rounded(word) + &piece[word.len()..]
        });
        pieces.collect()
    }

    /// The fraction of the run that decays, where a schedule names one.
    pub fn decay_fraction(&self) -> Option<f64> {
        match self {
            Self::Wsd { decay_fraction, .. } => Some(*decay_fraction),
            Self::MultiStep { milestones, .. } => milestones.first().map(|first| 1.0 - first),
            _ => None,
        }
    }
}

/// The step nearest to a fraction of the run. Rounded, so that 0.8 of 10 steps is step 8 although
/// 1 − 0.2 is a little more than 0.8 in binary.
fn at_fraction(fraction: f64, total: u64) -> u64 {
    ((fraction * total as f64).round() as u64).min(total)
}

impl fmt::Display for Schedule {
    /// One word with its settings, as in the `schedule` column: `wsd(0.2, 1-sqrt)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant {} => f.write_str("constant"),
            Self::Linear { final_fraction } => write!(f, "linear(to {final_fraction})"),
            Self::Cosine { final_fraction } => write!(f, "cosine(to {final_fraction})"),
            Self::Exponential { final_fraction } => write!(f, "exponential(to {final_fraction})"),
            Self::Step { every, factor } => write!(f, "step(every {every}, by {factor})"),
            Self::MultiStep { milestones, factors } => {
                let steps: Vec<String> = milestones.iter().zip(factors).map(|(m, x)| format!("{x} from {m}")).collect();
                write!(f, "multi-step({})", steps.join(", "))
            }
            Self::Wsd { decay_fraction, shape } => {
                let shape = match shape {
                    DecayShape::OneMinusSqrt => "1-sqrt",
                    DecayShape::Linear => "linear",
                };
                write!(f, "wsd({decay_fraction}, {shape})")
            }
        }
    }
}

/// A text that names no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no schedule, such as constant, wsd(0.2, 1-sqrt) or multi-step(0.316 from 0.8, 0.1 from 0.9)")]
pub struct ScheduleName(String);

impl FromStr for Schedule {
    type Err = ScheduleName;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, ScheduleName> {
        let error = || ScheduleName(text.to_owned());
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| error());
        let (name, inside) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(error)?),
            None => (text, ""),
        };
        let to = |text: &str| text.strip_prefix("to ").ok_or_else(error).and_then(number);
        match name {
            "constant" => Ok(Self::Constant {}),
            "linear" => Ok(Self::Linear { final_fraction: to(inside)? }),
            "cosine" => Ok(Self::Cosine { final_fraction: to(inside)? }),
            "exponential" => Ok(Self::Exponential { final_fraction: to(inside)? }),
            "step" => {
                let (every, factor) = inside.strip_prefix("every ").and_then(|rest| rest.split_once(", by ")).ok_or_else(error)?;
                Ok(Self::Step { every: number(every)?, factor: number(factor)? })
            }
            "multi-step" => {
                let pair =
                    |one: &str| one.split_once(" from ").ok_or_else(error).and_then(|(factor, at)| Ok((number(at)?, number(factor)?)));
                let (milestones, factors) = inside.split(',').map(pair).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
                Ok(Self::MultiStep { milestones, factors })
            }
            "wsd" => {
                let (fraction, shape) = inside.split_once(',').ok_or_else(error)?;
                let shape = match shape.trim() {
                    "1-sqrt" => DecayShape::OneMinusSqrt,
                    "linear" => DecayShape::Linear,
                    _ => return Err(error()),
                };
                Ok(Self::Wsd { decay_fraction: number(fraction)?, shape })
            }
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_back_from_its_name() {
        for schedule in [
            Schedule::Constant {},
            Schedule::Linear { final_fraction: 0.1 },
            Schedule::Cosine { final_fraction: 0.1 },
            Schedule::Exponential { final_fraction: 0.01 },
            Schedule::Step { every: 0.25, factor: 0.5 },
            Schedule::MultiStep { milestones: deepseek_milestones(), factors: deepseek_factors() },
            Schedule::default(),
        ] {
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
        for bad in ["", "wsd", "wsd(0.2)", "multi-step(0.8)", "cosine(0.1)", "wsd(0.2, square", "sawtooth(1)"] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    fn rates(schedule: &Schedule, total: u64, warmup: u64) -> Vec<f64> {
        (0..total).map(|step| schedule.multiplier(step, total, warmup)).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12, "{found:?} is not {expected:?}");
    }

    #[test]
    fn ten_steps_of_every_schedule_match_numbers_worked_by_hand() {
        close(&rates(&Schedule::Constant {}, 4, 2), &[0.5, 1.0, 1.0, 1.0]);
        close(&rates(&Schedule::Linear { final_fraction: 0.0 }, 4, 0), &[1.0, 0.75, 0.5, 0.25]);
        close(&rates(&Schedule::Cosine { final_fraction: 0.0 }, 4, 0), &[1.0, 0.5 + 0.125f64.sqrt(), 0.5, 0.5 - 0.125f64.sqrt()]);
        close(&rates(&Schedule::Cosine { final_fraction: 0.1 }, 4, 2), &[0.5, 1.0, 1.0, 0.55]);
        close(&rates(&Schedule::Exponential { final_fraction: 0.0625 }, 4, 0), &[1.0, 0.5, 0.25, 0.125]);
        close(&rates(&Schedule::Step { every: 0.5, factor: 0.1 }, 4, 0), &[1.0, 1.0, 0.1, 0.1]);
        let deepseek = Schedule::MultiStep { milestones: deepseek_milestones(), factors: deepseek_factors() };
        close(&rates(&deepseek, 10, 0), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1f64.sqrt(), 0.1]);
        close(&rates(&Schedule::default(), 10, 1), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0 - 0.5f64.sqrt()]);
        let linear = Schedule::Wsd { decay_fraction: 0.4, shape: DecayShape::Linear };
        close(&rates(&linear, 10, 0), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]);
    }

    #[test]
    fn the_stable_part_of_a_longer_run_begins_with_that_of_a_shorter_one() {
        for schedule in [Schedule::default(), Schedule::MultiStep { milestones: deepseek_milestones(), factors: deepseek_factors() }] {
            let until = schedule.stable_until(50).expect("has a stable part");
            assert_eq!(until, 40);
            for step in 0..until {
                assert_eq!(schedule.multiplier(step, 50, 5), schedule.multiplier(step, 100, 5));
            }
            assert_ne!(schedule.multiplier(until + 1, 50, 5), schedule.multiplier(until + 1, 100, 5));
        }
        assert_eq!(Schedule::Cosine { final_fraction: 0.1 }.stable_until(50), None);
    }

    #[test]
    fn nonsense_is_refused_with_the_field_and_its_range() {
        let error = Schedule::Wsd { decay_fraction: 1.5, shape: DecayShape::Linear }.check().expect_err("too long");
        assert_eq!(error.to_string(), "decay_fraction = 1.5 must lie above 0 and up to 1");
        assert!(Schedule::MultiStep { milestones: vec![0.9, 0.8], factors: vec![0.3, 0.1] }.check().is_err());
        assert!(Schedule::MultiStep { milestones: vec![0.8], factors: vec![0.3, 0.1] }.check().is_err());
        assert!(Schedule::Exponential { final_fraction: 0.0 }.check().is_err());
        assert!(Schedule::Cosine { final_fraction: f64::NAN }.check().is_err());
        assert!(Schedule::default().check().is_ok());
    }

    #[test]
    fn a_label_is_the_display_with_short_numbers() {
        let multi_step = Schedule::MultiStep { milestones: vec![0.8, 0.9], factors: vec![0.1f64.sqrt(), 0.1] };
        assert_eq!(multi_step.label(), "multi-step(0.3162 from 0.8, 0.1 from 0.9)");
        assert_eq!(Schedule::default().label(), Schedule::default().to_string());
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error = toml::from_str::<Schedule>("kind = \"cosine\"\nfinal_fractoin = 0.1").expect_err("misspelt");
        assert!(error.to_string().contains("unknown field `final_fractoin`, expected `final_fraction`"), "{error}");
    }
}
