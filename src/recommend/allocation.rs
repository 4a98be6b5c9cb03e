//! What is recommended for a budget, as a value.

use super::recipe::TrainingRecipe;
use crate::fit::Estimate;
use crate::law::Point;
use crate::spec::{FlopRule, LossUnit, ModelShape, SizeMeasure, short};
use serde::{Deserialize, Serialize};

/// What to train for a budget. Counts are under the fit's size measure and FLOP rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Allocation {
    /// Format of the document.
    pub format: u32,
    /// C, the budget in FLOPs.
    pub compute: f64,
    /// N*, parameters.
    pub params: Estimate,
    /// D*, tokens.
    pub tokens: Estimate,
    /// D*/N*.
    pub tokens_per_param: Estimate,
    /// M* of the network that can be built: non-embedding FLOPs per token (DeepSeek 2401.02954 eq. 2).
    pub model_scale: Option<f64>,
    /// Mean predicted loss there, nats per token.
    pub loss: Estimate,
    /// Loss of one run there: its own noise is added to the uncertainty of the mean.
    pub loss_of_a_run: Estimate,
    /// The mean in bits per byte, where bytes per token are known.
    pub bits_per_byte: Option<Estimate>,
    /// Loss of one run in bits per byte, likewise.
    pub bits_per_byte_of_a_run: Option<Estimate>,
    /// Where the noise of one run comes from, in words.
    pub noise_source: String,
    /// Which laws say what losses to expect, with their record, in words; absent where one law speaks alone.
    pub loss_source: Option<String>,
    /// Which of them say where the optimum lies, likewise.
    pub size_source: Option<String>,
    /// Peak learning rate; absent where no run carries one.
    pub learning_rate: Option<Estimate>,
    /// Batch, tokens; absent where no run carries one.
    pub batch_tokens: Option<Estimate>,
    /// Nearest network that can be built, as layers x width; absent where the runs have no shapes.
    pub shape: Option<String>,
    /// Optimizer steps of that network at that batch.
    pub steps: Option<u64>,
    /// That network in numbers.
    pub realised: Option<Realised>,
    /// The whole recipe, where runs carry one.
    pub recipe: Option<TrainingRecipe>,
    /// Share of the budget that is wasted if the law is off.
    pub waste: Option<Waste>,
    /// Budget over the largest compute of the evidence; above 1 the answer is an extrapolation.
    pub extrapolation_factor: f64,
    /// What the evidence spans.
    pub evidence: Range,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted.
    pub flop_rule: FlopRule,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// What a reader must know, in words.
    pub warnings: Vec<String>,
    /// Where the learning rate and the batch come from, in words.
    pub hyperparameter_source: Option<String>,
}

impl Allocation {
    /// How far the budget and its optimum lie outside what was run, in words; empty inside.
    pub fn beyond(&self) -> Vec<String> {
        let mut words = Vec::new();
        let factor = self.extrapolation_factor;
        let [least, most] = self.evidence.compute;
        if factor > 1.0 {
            words.push(format!(
                "{:.2e} FLOPs is {}x the largest run ({most:.2e}): an extrapolation{}",
                self.compute,
                if factor < 1e3 { short(factor) } else { format!("{factor:.0}") },
                if self.loss_source.is_some() { "" } else { ", with an interval that assumes the law holds there" }
            ));
        } else if self.compute < least {
            words.push(format!("{:.2e} FLOPs is below the smallest run ({least:.2e}): an extrapolation downwards", self.compute));
        }
        let outside = |what: &str, value: f64, range: [f64; 2]| {
            let beyond = value < range[0] || value > range[1];
            let [low, high] = range.map(short);
            beyond.then(|| format!("the optimum of {} {what} lies outside the {low} to {high} of the runs", short(value)))
        };
        words.extend(outside("parameters", self.params.value, self.evidence.params));
        words.extend(outside("tokens", self.tokens.value, self.evidence.tokens));
        words
    }
}

/// A network that can be built, trained for the rest of the budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Realised {
    /// Layers, width, heads and feed-forward width.
    pub shape: ModelShape,
    /// Its size under the fit's measure.
    pub params: f64,
    /// Tokens that the budget leaves, whole steps.
    pub tokens: f64,
    /// Predicted loss, nats per token.
    pub loss: f64,
    /// Predicted loss above that of the unrounded optimum, nats per token; below zero where this network needs fewer
    /// FLOPs per token than networks of its size among the runs.
    pub rounding_loss: f64,
}

/// Smallest and largest of what was run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest and largest N, parameters.
    pub params: [f64; 2],
    /// Fewest and most tokens D.
    pub tokens: [f64; 2],
    /// Least and most compute C, FLOPs.
    pub compute: [f64; 2],
}

impl Range {
    /// The ranges that these points span.
    pub fn of(points: &[Point]) -> Self {
        let span = |pick: fn(&Point) -> f64| {
            let values = points.iter().map(pick);
            [values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max)]
        };
        Self { params: span(|p| p.n), tokens: span(|p| p.d), compute: span(|p| p.c) }
    }
}

/// Share of the budget that the recommended allocation would waste if the optimum lay elsewhere in its interval, or another refit of
/// the one law that speaks were the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waste {
    /// One time in two it is less.
    pub median: f64,
    /// Eight times in ten.
    pub at_80: f64,
    /// Nineteen times in twenty.
    pub at_95: f64,
    /// Refits behind it; absent where it is by the interval of N*.
    pub refits: Option<usize>,
}
