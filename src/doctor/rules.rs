//! The rules, one function an ailment, each with its thresholds and their reasons. Shares are of the steps of the run, or of a
//! loss; noise is the standard deviation of one loss of the curve.

use super::features::CurveFeatures;
use super::stuck::stuck;
use super::{Ailment, Finding};
use crate::spec::Start;
use crate::spec::sample::median;

type Rule = fn(&CurveFeatures<'_>) -> Option<Finding>;

/// Rules after which no other matters, in order.
pub(super) const ENDING: [Rule; 2] = [diverges, never_falls];

/// The others; several may hold.
pub(super) const OTHERS: [Rule; 10] = [
    dead_gradients,
    overfits,
    warmup_too_short,
    warmup_too_long,
    stuck,
    clips_most_steps,
    spikes_and_recovers,
    oscillates,
    underfits,
    plateaus_then_falls,
];

/// A loss that ends 8 % above its lowest level: batch order alone moves medians of ten losses by 1 to 3 %.
const ROSE_BY: f64 = 0.08;
/// A rise must also exceed what noise does to a median of ten losses, 0.4 σ, five times over.
const ROSE_BY_NOISE: f64 = 2.0;

fn diverges(features: &CurveFeatures<'_>) -> Option<Finding> {
    let tenths =
        (1..10).filter_map(|tenth| Some((f64::from(tenth) / 10.0, features.level(f64::from(tenth - 1) / 10.0, f64::from(tenth) / 10.0)?)));
    let (at, lowest) = tenths.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let rose = features.end - lowest;
    let above_start = features.has_its_start() && features.end > features.start * (1.0 + ROSE_BY);
    if !above_start && (rose < ROSE_BY * lowest || rose < ROSE_BY_NOISE * features.noise) {
        return None;
    }
    let evidence = format!(
        "the last tenth lies at {:.3}, {:.1} % above the {lowest:.3} reached before; noise of a loss {:.3}",
        features.end,
        100.0 * rose / lowest,
        features.noise
    );
    Some(Finding::new(Ailment::Diverges, Some(at * features.steps), evidence))
}

/// Least fall of a run that learns anything, as a share of its first loss: fresh weights know nothing, and even the frequencies
/// of tokens take off a tenth or more of ln V.
const LEAST_FALL: f64 = 0.03;

fn never_falls(features: &CurveFeatures<'_>) -> Option<Finding> {
    let fell = (features.start - features.end) / features.start;
    // Weights that were trained before may know their task at once.
    let knows_nothing = features.record.stage.is_none();
    let flat = knows_nothing && features.has_its_start() && fell < LEAST_FALL && !features.is_at_floor();
    flat.then(|| {
        let evidence = format!(
            "from {:.4} to {:.4}, {:.2} % in {:.0} steps (a run that learns falls by more than {:.0} %)",
            features.start,
            features.end,
            100.0 * fell,
            features.steps,
            100.0 * LEAST_FALL
        );
        Finding::new(Ailment::NeverFalls, None, evidence)
    })
}

/// A gradient below a hundredth of its first norm: healthy ones stay within a factor of ten.
const DEAD_SHARE: f64 = 0.01;
/// With a loss that falls by less than this over the second half.
const STANDS_STILL: f64 = 0.01;

fn dead_gradients(features: &CurveFeatures<'_>) -> Option<Finding> {
    let first = median(features.gradients.iter().take(5).map(|point| point.1))?;
    let last = median(features.gradients.iter().filter(|point| point.0 > 0.75 * features.steps).map(|point| point.1))?;
    let still = features.level(0.4, 0.6)? < features.end * (1.0 + STANDS_STILL) && !features.is_at_floor();
    let dead = still && last < DEAD_SHARE * first;
    dead.then(|| {
        let evidence = format!("norm of the gradient from {first:.2e} to {last:.2e}, while the loss stands at {:.3}", features.end);
        Finding::new(Ailment::DeadGradients, Some(0.75 * features.steps), evidence)
    })
}

/// Held-out loss above training loss by more than this share: text split at random differs by 1 to 2 %.
const GAP: f64 = 0.04;
/// And by so many standard errors of the held-out loss.
const GAP_ERRORS: f64 = 4.0;
/// A held-out loss that ends this far above its lowest.
const HELD_OUT_ROSE: f64 = 0.02;

fn overfits(features: &CurveFeatures<'_>) -> Option<Finding> {
    let once = features.record.epochs.is_some_and(|epochs| epochs <= 1.0);
    held_out_rose(features).or_else(|| gap(features)).filter(|_| !once)
}

fn gap(features: &CurveFeatures<'_>) -> Option<Finding> {
    // Losses of training are those of the base's text, too, where some is seen again.
    if features.record.replay.is_some_and(|replay| replay > 0.0) {
        return None;
    }
    let epochs = features.record.epochs?;
    let (held_out, trained) = (features.record.loss_nats?.0, features.record.train_loss_nats?.0);
    let (gap, error) = (held_out - trained, features.record.loss_se_nats.unwrap_or(0.0));
    (gap > GAP * trained && gap > GAP_ERRORS * error).then(|| {
        let evidence = format!(
            "held-out loss {held_out:.3}, training loss {trained:.3} over the last 5 % of the steps: a gap of {gap:.3} ({:.0} standard errors) after {epochs:.1} passes over the text",
            gap / error.max(1e-12)
        );
        Finding::new(Ailment::Overfits, None, evidence)
    })
}

fn held_out_rose(features: &CurveFeatures<'_>) -> Option<Finding> {
    let held_out: Vec<(u64, f64)> = features.curve.iter().filter_map(|point| Some((point.step, point.val_loss_nats?))).collect();
    let &(_, last) = held_out.last().filter(|_| held_out.len() >= 3)?;
    let &(step, lowest) = held_out.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let trains_on = features.smooth_at(step as f64)? > features.end;
    (last > lowest * (1.0 + HELD_OUT_ROSE) && trains_on).then(|| {
        let evidence =
            format!("the held-out loss is lowest at step {step} ({lowest:.3}) and ends at {last:.3}, while the training loss falls on");
        Finding::new(Ailment::Overfits, Some(step as f64), evidence)
    })
}

/// The part of a run in which a bad warmup shows: four times a usual one.
const EARLY: f64 = 0.2;
/// First losses that rise above that of fresh weights by this share: a healthy first step never does.
const EARLY_RISE: f64 = 0.05;
/// Growth of the gradient over its norm before any step; healthy runs of 5 to 400 thousand parameters stay below 3.5.
const EARLY_GRADIENT: f64 = 5.0;

fn warmup_too_short(features: &CurveFeatures<'_>) -> Option<Finding> {
    let early = |points: &[(f64, f64)]| {
        let highest = points.iter().copied().filter(|point| point.0 <= EARLY * features.steps).max_by(|a, b| a.1.total_cmp(&b.1));
        highest.unwrap_or((0.0, 0.0))
    };
    let (loss_step, highest) = early(&features.losses);
    let (gradient_step, largest) = early(&features.gradients);
    let first = features.gradients.first().map_or(f64::INFINITY, |point| point.1);
    if !features.has_its_start() {
        return None;
    }
    let peak = features.peak().map_or(String::new(), |(step, rate)| format!("; the rate reaches its peak of {rate:.1e} at step {step:.0}"));
    if highest > features.start * (1.0 + EARLY_RISE) {
        let evidence = format!("the loss jumps from {:.2} to {highest:.2}{peak}", features.start);
        return Some(Finding::new(Ailment::WarmupTooShort, Some(loss_step), evidence));
    }
    (largest > EARLY_GRADIENT * first).then(|| {
        let evidence = format!("the norm of the gradient jumps from {first:.2} to {largest:.2}, {:.0}-fold{peak}", largest / first);
        Finding::new(Ailment::WarmupTooShort, Some(gradient_step), evidence)
    })
}

/// Warmups are 1 to 10 % of a run; two fifths leave too few steps at the peak.
const LATEST_PEAK: f64 = 0.4;

fn warmup_too_long(features: &CurveFeatures<'_>) -> Option<Finding> {
    let (step, rate) = features.peak()?;
    (step > LATEST_PEAK * features.steps).then(|| {
        let evidence = format!("the learning rate reaches its peak of {rate:.1e} at step {step:.0} of {:.0}", features.steps);
        Finding::new(Ailment::WarmupTooLong, Some(step), evidence)
    })
}

/// "Most": half of them. Healthy runs are cut at up to a quarter of their steps, nearly all of them early.
const MOST: f64 = 0.5;
/// AdamW divides by the size of gradients, so a cut by less than this factor changes little, and is a remark: runs at a quarter
/// of the best rate whose median norm is 1.0 to 1.2 times the limit end 4 % above to 0.4 % below the law of the tuned ones.
/// Networks whose weights decay away stand at 1.7, clips planted a hundredfold too low at 43 and more.
const DEEP_CUT: f64 = 1.4;

fn clips_most_steps(features: &CurveFeatures<'_>) -> Option<Finding> {
    let share = features.record.clip_fraction?;
    let norm = median(features.gradients.iter().map(|point| point.1));
    (share > MOST).then(|| {
        let limit = features.record.grad_clip.map_or(String::new(), |limit| format!("; grad_clip is {limit}"));
        let shallow = norm.zip(features.record.grad_clip).is_some_and(|(norm, limit)| norm < DEEP_CUT * limit);
        let norm = norm.map_or(String::new(), |norm| format!(", median norm {norm:.2}"));
        let found = Finding::new(Ailment::ClipsMostSteps, None, format!("{:.0} % of the steps are clipped{limit}{norm}", 100.0 * share));
        if shallow { found.into_remark() } else { found }
    })
}

/// A loss so many σ above its smoothed neighbours: among 200 normal ones the largest is expected at 3.
const SPIKE: f64 = 6.0;
/// And by this share of the loss, where there is next to no noise.
const SPIKE_SHARE: f64 = 0.04;
/// A single loss must stand out further: clean English has tables and lists at 8.
const LONE_SPIKE: f64 = 15.0;
/// A gradient so many times the median of the run after its first part; healthy ones stay below 3.
const GRADIENT_SPIKE: f64 = 8.0;

fn spikes_and_recovers(features: &CurveFeatures<'_>) -> Option<Finding> {
    let late = |step: f64| step > EARLY * features.steps;
    let height = |at: usize| features.losses[at].1 - features.smooth[at].1;
    let is_spike = |at: &usize| height(*at) > SPIKE * features.noise && height(*at) > SPIKE_SHARE * features.smooth[*at].1;
    let spikes: Vec<usize> = (0..features.losses.len()).filter(|&at| late(features.losses[at].0)).filter(is_spike).collect();
    let highest = spikes.iter().copied().max_by(|&a, &b| height(a).total_cmp(&height(b)));
    if let Some(highest) = highest.filter(|&at| spikes.len() > 1 || height(at) > LONE_SPIKE * features.noise) {
        let (step, loss) = features.losses[highest];
        let evidence = format!(
            "{} of the losses stand out; at step {step:.0} {loss:.3}, {:.1} noises above its neighbours, and back to {:.3}",
            spikes.len(),
            height(highest) / features.noise.max(1e-12),
            features.end
        );
        return Some(Finding::new(Ailment::SpikesAndRecovers, Some(step), evidence));
    }
    let usual = median(features.gradients.iter().filter(|point| late(point.0)).map(|point| point.1))?;
    let gradients = features.gradients.iter().filter(|point| late(point.0) && point.1 > GRADIENT_SPIKE * usual);
    let &(step, norm) = gradients.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let evidence = format!("the norm of the gradient is {norm:.2} at step {step:.0}, {:.0} times its median of {usual:.2}", norm / usual);
    Some(Finding::new(Ailment::SpikesAndRecovers, Some(step), evidence))
}

/// Blocks of points whose medians are compared.
const BLOCK: usize = 5;
/// A block above the lowest before it by so many σ; the median of five has 0.6 σ, and the lowest of twenty lies two of these
/// below their middle, so pure noise reaches 2.4 σ.
const WAVE: f64 = 3.5;
/// And by this share of the loss: text at the same noise wanders by 2 %.
const WAVE_SHARE: f64 = 0.03;
/// Waves that make an oscillation; one can be a spike.
const WAVES: usize = 2;

fn oscillates(features: &CurveFeatures<'_>) -> Option<Finding> {
    let late: Vec<(f64, f64)> = features.losses.iter().copied().filter(|point| point.0 > EARLY * features.steps).collect();
    let (mut lowest, mut waves, mut last) = (f64::INFINITY, 0, None);
    let mut up = false;
    for block in late.chunks_exact(BLOCK) {
        let level = median(block.iter().map(|point| point.1))?;
        let high = level > lowest + WAVE * features.noise && level > lowest * (1.0 + WAVE_SHARE);
        if high && !up {
            (waves, last) = (waves + 1, Some((block[0].0, level, lowest)));
        }
        up = high;
        lowest = lowest.min(level);
    }
    let (step, high, low) = last.filter(|_| waves >= WAVES)?;
    let evidence = format!(
        "{waves} times the level rises again; by step {step:.0} from {low:.3} to {high:.3}, {:.1} noises",
        (high - low) / features.noise.max(1e-12)
    );
    Some(Finding::new(Ailment::Oscillates, Some(step), evidence))
}

/// Half of the whole fall is over within an eighth of a healthy run; at more than this share the run was too slow, or too short.
const LATE_HALF: f64 = 0.22;

fn underfits(features: &CurveFeatures<'_>) -> Option<Finding> {
    // From trained weights there is no first fall that half of all could be over with.
    if features.record.start.as_deref() == Some(Start::Base.name()) {
        return None;
    }
    let half = 0.5 * (features.start + features.end);
    let &(step, _) = features.smooth.iter().find(|point| point.1 <= half)?;
    let falls_on = features.level(0.7, 0.8)? > features.end + 0.5 * features.noise;
    let late = features.has_its_start() && step > LATE_HALF * features.steps && falls_on;
    late.then(|| {
        let evidence = format!(
            "half of the fall from {:.2} to {:.2} came only by step {step:.0} of {:.0}, and the loss still falls at the end",
            features.start, features.end, features.steps
        );
        Finding::new(Ailment::Underfits, Some(step), evidence)
    })
}

/// On a plateau the loss falls by less than this over a doubling of steps …
const PLATEAU: f64 = 0.015;
/// … and by more than this over the next doubling; a power law falls alike over both.
const FALL_AFTER: f64 = 0.1;

fn plateaus_then_falls(features: &CurveFeatures<'_>) -> Option<Finding> {
    let (peak_step, peak) = features.peak()?;
    let stable = |step: f64| features.rate_at(step).is_some_and(|rate| rate > 0.9 * peak);
    let begins = features.smooth.iter().filter(|point| point.0 >= peak_step.max(0.03 * features.steps) && 4.0 * point.0 <= features.steps);
    let found = begins.filter(|point| stable(4.0 * point.0)).find_map(|&(step, level)| {
        let (middle, after) = (features.smooth_at(2.0 * step)?, features.smooth_at(4.0 * step)?);
        (middle > level * (1.0 - PLATEAU) && after < middle * (1.0 - FALL_AFTER)).then_some((step, level, after))
    });
    let (step, level, after) = found?;
    let evidence =
        format!("the loss stands at {level:.3} from step {step:.0} to {:.0} and falls to {after:.3} by step {:.0}", 2.0 * step, 4.0 * step);
    Some(Finding::new(Ailment::PlateausThenFalls, Some(step), evidence))
}

#[cfg(test)]
mod tests {
    use super::super::diagnose;
    use super::*;
    use crate::spec::{CurvePoint, Nats, Random, RunRecord};

    /// A curve of 200 steps with a noise of 0.03, its loss given by the share of the run that is over.
    fn curve(loss: impl Fn(f64) -> f64) -> Vec<CurvePoint> {
        let mut random = Random::new(1, "curve");
        let point = |step: u64| CurvePoint {
            step,
            tokens: 100 * step,
            learning_rate: 1e-3 * (step as f64 / 10.0).min(1.0),
            train_loss_nats: Some(loss(step as f64 / 200.0) + 0.1 * (random.uniform() - 0.5)),
            grad_norm: Some(0.5),
            ..CurvePoint::default()
        };
        (1..=200).map(point).collect()
    }

    /// From 5.5 along a power of steps to 2.
    fn healthy(share: f64) -> f64 {
        1.0 + 4.5 * (1.0 + 300.0 * share).powf(-0.26)
    }

    fn of(record: &RunRecord, curve: &[CurvePoint]) -> Vec<Ailment> {
        diagnose(curve, record).iter().map(|finding| finding.ailment).collect()
    }

    fn found(loss: impl Fn(f64) -> f64) -> Vec<Ailment> {
        of(&RunRecord::default(), &curve(loss))
    }

    #[test]
    fn a_curve_along_a_power_of_steps_is_healthy() {
        assert_eq!(found(healthy), []);
    }

    #[test]
    fn shapes_of_the_loss_are_told_apart() {
        assert_eq!(found(|_| 5.5), [Ailment::NeverFalls]);
        assert_eq!(found(|t| if t < 0.6 { healthy(t) } else { 3.5 }), [Ailment::Diverges]);
        assert_eq!(found(|t| if t < 0.1 { healthy(t) } else { healthy(0.1) }), [Ailment::Stuck]);
        assert_eq!(found(|t| if (t - 0.6).abs() < 1e-9 { 4.0 } else { healthy(t) }), [Ailment::SpikesAndRecovers]);
        assert_eq!(found(|t| healthy(t) + if t > 0.2 { 0.25 * (t * 40.0).sin() } else { 0.0 })[0], Ailment::Oscillates);
        assert_eq!(found(|t| 5.5 - 2.5 * t), [Ailment::Underfits]);
        let tuned = RunRecord { start: Some(Start::Base.name().into()), ..RunRecord::default() };
        assert_eq!(of(&tuned, &curve(|t| 5.5 - 2.5 * t)), [], "trained weights have no first fall");
        assert_eq!(found(|t| if (0.02..0.05).contains(&t) { 9.0 } else { healthy(t) })[0], Ailment::WarmupTooShort);
        let steps = |t: f64| if t < 0.06 { healthy(4.0 * t) } else { healthy(0.24) * if t < 0.16 { 1.0 } else { (t / 0.16).powf(-0.25) } };
        assert_eq!(found(steps), [Ailment::PlateausThenFalls]);
    }

    #[test]
    fn what_the_row_and_the_other_columns_say_is_read() {
        let late: Vec<CurvePoint> =
            curve(healthy).into_iter().map(|point| CurvePoint { learning_rate: point.step as f64, ..point }).collect();
        assert_eq!(of(&RunRecord::default(), &late), [Ailment::WarmupTooLong]);
        let clipped = RunRecord { clip_fraction: Some(0.9), ..RunRecord::default() };
        assert_eq!(of(&clipped, &curve(healthy)), [Ailment::ClipsMostSteps]);
        let limited = |limit: f64| RunRecord { grad_clip: Some(limit), ..clipped.clone() };
        // The norm is 0.5 throughout.
        for (limit, fault) in [(0.4, false), (0.1, true)] {
            assert_eq!(diagnose(&curve(healthy), &limited(limit))[0].fault, fault, "cut to {limit}");
        }
        let learnt = RunRecord { loss_nats: Some(Nats(2.4)), train_loss_nats: Some(Nats(2.0)), epochs: Some(12.0), ..RunRecord::default() };
        assert_eq!(of(&learnt, &curve(healthy)), [Ailment::Overfits]);
        let once = RunRecord { epochs: Some(0.5), ..learnt };
        assert_eq!(of(&once, &curve(healthy)), [], "text seen once cannot be memorised");
        let dead = curve(|t| if t < 0.3 { healthy(t) } else { healthy(0.3) })
            .into_iter()
            .map(|point| CurvePoint { grad_norm: Some(if point.step < 60 { 0.5 } else { 1e-4 }), ..point });
        assert_eq!(of(&RunRecord::default(), &dead.collect::<Vec<_>>())[0], Ailment::DeadGradients);
        let rising = curve(healthy).into_iter().map(|point| CurvePoint {
            val_loss_nats: (point.step % 20 == 0).then(|| 2.5 + (point.step as f64 / 200.0 - 0.5).powi(2)),
            ..point
        });
        assert_eq!(of(&RunRecord::default(), &rising.collect::<Vec<_>>()), [Ailment::Overfits]);
    }

    #[test]
    fn a_loss_at_a_known_floor_is_not_stuck() {
        let flat = curve(|t| if t < 0.1 { healthy(t) } else { healthy(0.1) });
        let learnt = RunRecord { floor_nats: Some(healthy(0.1) - 0.1), ..RunRecord::default() };
        assert_eq!(of(&learnt, &flat), []);
    }
}
