//! What came of a forecast, as a document.

use super::forecast::Predicted;
use crate::fit::{Estimate, OffTheLaw};
use crate::spec::{LossUnit, NEAR_OPTIMAL};
use serde::Serialize;

/// What came of a forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Format of the document.
    pub format: u32,
    /// What losses and errors are counted in.
    pub loss_unit: LossUnit,
    /// Runs that it spoke of, in its order.
    pub runs: Vec<ScoredRun>,
    /// How the law of the forecast fared, and then the others.
    pub laws: Vec<ScoredLaw>,
    /// What came at each budget.
    pub budgets: Vec<ScoredBudget>,
    /// Runs that are not in it, with the reason.
    pub passed_over: Vec<(String, String)>,
}

/// One run beside what was forecast of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredRun {
    /// Identifier of the run.
    pub run: String,
    /// What the forecast called it.
    pub role: String,
    /// Layers x width.
    pub shape: String,
    /// C of its budget.
    pub compute: f64,
    /// C over the largest of the evidence.
    pub extrapolation_factor: f64,
    /// N, counted as in the forecast.
    pub params: f64,
    /// D that it saw.
    pub tokens: f64,
    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// Batch, tokens.
    pub batch_tokens: Option<f64>,
    /// Loss that was forecast of one run, shifted by the law to the tokens that it saw.
    pub forecast: Predicted,
    /// Loss that came, nats per token.
    pub loss_nats: f64,
    /// Forecast − loss.
    pub error_nats: f64,
    /// The error as compute, by the law of the forecast: 0.1 means that the run did as well as was forecast of 1.1 times its compute,
    /// N and D each by √1.1; −0.1 as well as of 0.9 times.
    pub compute_equivalent: Option<f64>,
    /// Why there is no such compute, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_the_law: Option<OffTheLaw>,
    /// What other laws forecast of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_law: Vec<SaidByLaw>,
    /// Whether it began after the forecast was made; absent where the table does not say.
    pub after_forecast: Option<bool>,
}

/// What one of several laws forecast of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SaidByLaw {
    /// Name of the law.
    pub name: String,
    /// Loss of one run.
    pub forecast: Predicted,
}

/// How a law fared over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredLaw {
    /// Name of the quantity.
    pub name: String,
    /// Mean of forecast − loss, nats per token.
    pub bias_nats: f64,
    /// Root mean square of the same.
    pub rms_nats: f64,
    /// How often intervals of one run held.
    pub coverage: Vec<Held>,
    /// Mean score of the widest intervals, width + 2/α · miss at a level of 1 − α, in % of the loss (Gneiting & Raftery 2007,
    /// equation 43); absent where an interval has an open end.
    pub interval_score_percent: Option<f64>,
    /// The errors as compute, by the law of the forecast: the mean of ln m over the runs, as a part (see [`ScoredRun`]). Absent where
    /// no compute makes the law say one of the losses.
    pub compute_equivalent: Option<f64>,
    /// Runs whose loss lies below all that the law can say, at whatever compute.
    pub below_floor: usize,
    /// Root mean square error of its forecasts of the larger of its own runs, nats per token.
    pub own_rms_nats: Option<f64>,
}

/// How often intervals of a level held the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Held {
    /// Confidence level of the interval.
    pub level: f64,
    /// Runs inside their interval.
    pub held: usize,
    /// Runs whose interval was checked.
    pub of: usize,
}

impl Held {
    /// How many runs would be inside if intervals held at their level.
    pub fn expected(&self) -> f64 {
        self.level * self.of as f64
    }

    /// How likely so few runs or fewer are inside where intervals hold at their level and runs err independently.
    pub fn chance(&self) -> f64 {
        // Terms of the binomial distribution, each from the one before.
        let miss = 1.0 - self.level;
        let mut term = miss.powi(self.of as i32);
        let mut sum = 0.0;
        for held in 0..=self.held.min(self.of) {
            sum += term;
            term *= (self.of - held) as f64 / (held + 1) as f64 * self.level / miss;
        }
        sum.min(1.0)
    }
}

/// A budget: the optimum forecast for it beside the best run trained there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredBudget {
    /// C, FLOPs.
    pub compute: f64,
    /// L* that was forecast, on average over runs, nats per token.
    pub loss: Predicted,
    /// The same by IsoFLOP parabolas.
    pub loss_by_isoflop: Option<Predicted>,
    /// Lowest loss of the networks that were trained, each a mean over its runs.
    pub loss_found: f64,
    /// N* that was forecast.
    pub params: Predicted,
    /// The same by IsoFLOP parabolas.
    pub params_by_isoflop: Option<Predicted>,
    /// N at the minimum of a parabola through the sizes that were trained; absent below three sizes, or without a minimum.
    pub params_found: Option<Estimate>,
    /// Mean loss at the network nearest to the forecast's optimum, above the lowest of the networks, as a part: what trusting the
    /// forecast cost.
    pub regret: Option<f64>,
    /// Learning rate and batch of the forecast against others that were tried on the same network.
    pub recipe: Option<ScoredRecipe>,
}

/// Learning rate and batch against others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredRecipe {
    /// Recipes tried on the network.
    pub tried: usize,
    /// Learning rate and batch nearest to the forecast.
    pub nearest: [f64; 2],
    /// Learning rate and batch of the best run.
    pub best: [f64; 2],
    /// Loss of the nearest above the best, as a part of the loss.
    pub excess: f64,
    /// Two noises of a difference of runs, as a part of the loss: less than this is not told from none.
    pub noise: f64,
}

impl ScoredRecipe {
    /// One word for how the recipe did.
    pub fn verdict(&self) -> &'static str {
        match self.excess {
            excess if excess <= NEAR_OPTIMAL => "near-optimal: within 0.25 % of the best",
            excess if excess <= self.noise => "not told from the best: within the noise of runs",
            _ => "not near-optimal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_few_inside_are_as_likely_as_the_binomial_distribution_says() {
        let chance = |held, of| Held { level: 0.95, held, of }.chance();
        for (held, of, exact) in [(3, 3, 1.0), (2, 3, 1.0 - 0.857_375), (1, 3, 0.007_25), (0, 2, 0.0025), (1, 2, 0.0975)] {
            assert!((chance(held, of) - exact).abs() < 1e-9, "{held} of {of}: {}", chance(held, of));
        }
        assert!((Held { level: 0.95, held: 1, of: 3 }.expected() - 2.85).abs() < 1e-12);
    }
}
