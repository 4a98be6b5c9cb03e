//! The noise of one run.

use crate::fit::{Fit, SeedNoise};
use crate::law::replicates;
use crate::spec::RunRecord;

/// Standard deviation of ln L of one run: between seeds where cells were repeated, else the residuals of the law; and which.
pub fn run_noise(fit: &Fit, records: &[RunRecord], loss: f64) -> (f64, String) {
    match SeedNoise::of(&replicates(records), 0.95) {
        Some(noise) => (noise.at(loss), format!("seed noise of {} repeated runs", noise.runs)),
        None => {
            let spare = fit.evidence.points.len().saturating_sub(fit.law.theta().len()).max(1) as f64;
            let squares: f64 = fit.residuals.iter().map(|r| r * r).sum();
            ((squares / spare).sqrt(), "residuals of the law: no run was repeated with another seed".to_owned())
        }
    }
}
