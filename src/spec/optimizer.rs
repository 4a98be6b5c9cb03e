//! AdamW as a run uses it, the rules that set its numbers from batch and length, and what differs between
//! the groups of parameters: learning rates that fall with width (Everett 2407.05872, Yang 2203.03466) and decay.

use super::Tokens;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// AdamW settings (Loshchilov 1711.05101); the decay is multiplied by the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, per unit of learning rate; see [`OptimizerGroups`] for where it acts.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 }
    }
}

/// How β₂ is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beta2 {
    /// The same for every run.
    Fixed(f64),
    /// The mean of squared gradients halves every so many tokens, whatever the batch: β₂ = 2^(−batch / half-life)
    /// (Marek 2507.07101).
    HalfLife(Tokens),
}

/// How weight decay is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WeightDecay {
    /// The same for every run.
    Fixed(f64),
    /// Weights are a running mean of updates over this fraction of the run: λ = 1 / (fraction · η · steps)
    /// (Wang & Aitchison 2405.13698).
    Timescale(f64),
}

/// AdamW settings of a grid, some of them rules.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamWRule {
    /// As in [`AdamW`].
    pub beta1: f64,
    /// A number, or a rule that depends on the run.
    pub beta2: Beta2,
    /// As in [`AdamW`].
    pub eps: f64,
    /// A number, or a rule that depends on the run.
    pub weight_decay: WeightDecay,
}

impl Default for AdamWRule {
    fn default() -> Self {
        let AdamW { beta1, beta2, eps, weight_decay } = AdamW::default();
        Self { beta1, beta2: Beta2::Fixed(beta2), eps, weight_decay: WeightDecay::Fixed(weight_decay) }
    }
}

impl AdamWRule {
    /// The settings of one run. What a rule gives is rounded to five digits (β₂ in 1 − β₂), so that the names
    /// of runs do not hang on the last bit of a power function.
    pub fn resolve(&self, learning_rate: f64, batch_tokens: u64, steps: u64) -> AdamW {
        let beta2 = match self.beta2 {
            Beta2::Fixed(beta2) => beta2,
            Beta2::HalfLife(Tokens(half_life)) => {
                1.0 - five_digits(-(-(batch_tokens as f64) / half_life * std::f64::consts::LN_2).exp_m1())
            }
        };
        let weight_decay = match self.weight_decay {
            WeightDecay::Fixed(decay) => decay,
            WeightDecay::Timescale(fraction) => five_digits(1.0 / (fraction * learning_rate * steps as f64)),
        };
        AdamW { beta1: self.beta1, beta2, eps: self.eps, weight_decay }
    }

    /// Whether a setting depends on how long a run is, so that runs of several lengths share no steps.
    pub fn depends_on_length(&self) -> bool {
        matches!(self.weight_decay, WeightDecay::Timescale(_))
    }
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().expect("a number written is a number read")
}

/// What a parameter is to the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamGroup {
    /// Token embedding (the output matrix too, where the head is tied).
    Embedding,
    /// Query, key, value, output, gate, up, down.
    Matrix,
    /// Output matrix of its own.
    Head,
    /// Gain of an RMSNorm.
    Norm,
}

/// What a group multiplies the run's settings by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupFactors {
    /// Times the learning rate.
    pub rate: f64,
    /// Times the weight decay (which acts per unit of the group's own rate).
    pub decay: f64,
}

/// The factors of every group. As they come: one rate for all, decay on matrices and head alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerGroups {
    /// Width at which matrices and head learn at the peak rate; at width d their rate is multiplied by base/d.
    /// None: at every width.
    pub base_width: Option<u64>,
    /// Of the token embedding.
    pub embedding: GroupFactors,
    /// Of the matrices of the blocks.
    pub matrix: GroupFactors,
    /// Of the output matrix.
    pub head: GroupFactors,
    /// Factors of the gains of norms.
    pub norm: GroupFactors,
}

impl Default for OptimizerGroups {
    fn default() -> Self {
        let (plain, decaying) = (GroupFactors { rate: 1.0, decay: 0.0 }, GroupFactors { rate: 1.0, decay: 1.0 });
        Self { base_width: None, embedding: plain, matrix: decaying, head: decaying, norm: plain }
    }
}

impl OptimizerGroups {
    /// The factors of a group in a network of some width.
    pub fn of(&self, group: ParamGroup, width: usize) -> GroupFactors {
        let narrowed = |factors: GroupFactors| match self.base_width {
            Some(base) => GroupFactors { rate: factors.rate * base as f64 / width as f64, ..factors },
            None => factors,
        };
        match group {
            ParamGroup::Embedding => self.embedding,
            ParamGroup::Norm => self.norm,
            ParamGroup::Matrix => narrowed(self.matrix),
            ParamGroup::Head => narrowed(self.head),
        }
    }
}

impl fmt::Display for OptimizerGroups {
    /// Only what differs from the default: `base_width 64 embedding 2 0`; empty for the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        let mut text = self.base_width.map_or_else(String::new, |base| format!("base_width {base}"));
        let groups = [
            ("embedding", self.embedding, default.embedding),
            ("matrix", self.matrix, default.matrix),
            ("head", self.head, default.head),
            ("norm", self.norm, default.norm),
        ];
        for (name, found, _) in groups.into_iter().filter(|(_, found, usual)| found != usual) {
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}{name} {:?} {:?}", found.rate, found.decay)?;
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_life_in_tokens_sets_beta2_by_the_batch() {
        let rule = AdamWRule { beta2: Beta2::HalfLife(Tokens(81_920.0)), ..AdamWRule::default() };
        // 4096 / 81,920 = 1/20 of a half-life: 2^-0.05 = 0.965936.
        assert!((rule.resolve(1e-3, 4096, 100).beta2 - 0.965_936).abs() < 1e-6);
        assert!((rule.resolve(1e-3, 81_920, 100).beta2 - 0.5).abs() < 1e-12);
        assert_eq!(AdamWRule::default().resolve(1e-3, 4096, 100), AdamW::default());
        assert!(!rule.depends_on_length());
    }

    #[test]
    fn a_timescale_keeps_rate_times_decay_times_steps() {
        let rule = AdamWRule { weight_decay: WeightDecay::Timescale(0.5), ..AdamWRule::default() };
        // 1 / (0.5 · 2e-3 · 1000) = 1.
        assert_eq!(rule.resolve(2e-3, 4096, 1000).weight_decay, 1.0);
        assert_eq!(rule.resolve(4e-3, 4096, 1000).weight_decay, 0.5);
        assert!(rule.depends_on_length());
    }

    #[test]
    fn matrices_and_head_learn_slower_in_wider_networks_and_nothing_else_does() {
        let groups = OptimizerGroups { base_width: Some(64), ..OptimizerGroups::default() };
        let rates = |width| {
            [ParamGroup::Embedding, ParamGroup::Matrix, ParamGroup::Head, ParamGroup::Norm].map(|group| groups.of(group, width).rate)
        };
        assert_eq!(rates(64), [1.0; 4]);
        assert_eq!(rates(256), [1.0, 0.25, 0.25, 1.0]);
        assert_eq!(rates(32), [1.0, 2.0, 2.0, 1.0]);
        assert_eq!(groups.to_string(), "base_width 64");
        assert_eq!(OptimizerGroups::default().to_string(), "");
        let other = OptimizerGroups { embedding: GroupFactors { rate: 2.0, decay: 0.0 }, ..groups };
        assert_eq!(other.to_string(), "base_width 64 embedding 2.0 0.0");
    }
}
