//! The noise of one run, and what losses to expect with it.

use crate::fit::{Estimate, Fit, SeedNoise};
use crate::law::{Point, replicates};
use crate::spec::RunRecord;
use crate::study::Mixture;

/// What losses to expect at a place, nats per token.
pub(super) struct Losses {
    /// On average over runs.
    pub(super) mean: Estimate,
    /// Interval of the loss of one run.
    pub(super) one_run: Estimate,
    /// Where the noise of a run comes from, in words.
    pub(super) noise_source: String,
}

impl Losses {
    /// By the laws together.
    pub(super) fn together(mixture: &Mixture, place: &Point, level: f64) -> Self {
        let one_run = mixture.one_run(place);
        let noise_source = format!("runs lie {:.2} % about the laws", 100.0 * one_run.noise.sqrt());
        Self { mean: mixture.mean_loss(place).estimate(level), one_run: one_run.estimate(level), noise_source }
    }

    /// By one law, whose mean is given.
    pub(super) fn by_law(fit: &Fit, records: &[RunRecord], mean: Estimate) -> Self {
        let (sigma, noise_source) = run_noise(fit, records, mean.value);
        Self { mean, one_run: mean.of_new_run(sigma), noise_source }
    }
}

/// Standard deviation of ln L of one run: between seeds where cells were repeated, else the residuals of the law; and which.
pub fn run_noise(fit: &Fit, records: &[RunRecord], loss: f64) -> (f64, String) {
    match SeedNoise::of(&replicates(records), 0.95) {
        Some(noise) => (noise.at(loss), format!("seed noise of {} repeated runs", noise.runs)),
        None => (fit.residual_spread(), "residuals of the law: no run was repeated with another seed".to_owned()),
    }
}
