//! The noise of one run, and what losses to expect with it.

use super::Known;
use crate::fit::{Estimate, Fit, SeedNoise};
use crate::law::{Point, replicates};
use crate::spec::RunRecord;

/// What losses to expect at a place, nats per token.
pub(super) struct Losses {
    /// On average over runs.
    pub(super) mean: Estimate,
    /// Of one run.
    pub(super) one_run: Estimate,
    /// Where the noise of a run comes from, in words.
    pub(super) noise_source: String,
}

impl Losses {
    /// By the laws together, else `by_law`, the law's own mean.
    pub(super) fn at(fit: &Fit, known: &Known<'_>, place: &Point, by_law: Estimate, level: f64) -> Self {
        if let Some(mixture) = known.mixture {
            let one_run = mixture.one_run(place);
            let noise_source = format!("runs lie {:.2} % about the laws", 100.0 * one_run.noise.sqrt());
            return Self { mean: mixture.mean_loss(place).estimate(level), one_run: one_run.estimate(level), noise_source };
        }
        let (sigma, noise_source) = run_noise(fit, known.records, by_law.value);
        Self { mean: by_law, one_run: by_law.of_new_run(sigma), noise_source }
    }
}

/// Standard deviation of ln L of one run: between seeds where cells were repeated, else the residuals of the law; and which.
pub fn run_noise(fit: &Fit, records: &[RunRecord], loss: f64) -> (f64, String) {
    match SeedNoise::of(&replicates(records), 0.95) {
        Some(noise) => (noise.at(loss), format!("seed noise of {} repeated runs", noise.runs)),
        None => (fit.residual_spread(), "residuals of the law: no run was repeated with another seed".to_owned()),
    }
}
