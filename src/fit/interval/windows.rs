//! The noise of held-out windows, which all runs of a sweep share: laws refitted to what the same runs would have lost on
//! other windows.

use super::bootstrap::Refitter;
use crate::fit::Fit;
use crate::law::Law;
use crate::spec::Random;
use rayon::prelude::*;

/// Draws of held-out windows.
const DRAWS: usize = 200;

impl Fit {
    /// The same with the noise of held-out windows in every interval. `windows` are the losses of each run on each window, in
    /// the order of the points.
    pub fn with_windows(mut self, windows: &[Vec<f32>]) -> Self {
        self.windows = window_refits(&self, windows, DRAWS);
        self
    }

    /// The same without it: for runs that are measured on the same windows, whose noise is then no error.
    pub fn without_windows(mut self) -> Self {
        self.windows.clear();
        self
    }
}

/// Laws refitted to the same runs as they would have been measured on other held-out windows (windows drawn anew, the
/// same for every run). `windows` are the losses of each run on each window, in the order of the points.
fn window_refits(fit: &Fit, windows: &[Vec<f32>], draws: usize) -> Vec<Law> {
    let Some(count) = windows.first().map(Vec::len).filter(|&count| count > 1) else { return Vec::new() };
    let (laid, points) = (&fit.objective_at, &fit.evidence.points);
    let start = [laid.to_phi(fit.law.theta())];
    let refitter = Refitter::of(laid, fit.estimator, &start);
    let means: Vec<f64> = windows.iter().map(|losses| losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / count as f64).collect();
    let refit = |draw: usize| {
        let mut random = Random::new(fit.seed, &format!("windows {draw}"));
        let drawn: Vec<usize> = (0..count).map(|_| random.below(count as u64) as usize).collect();
        let mean = |losses: &Vec<f32>| drawn.iter().map(|&window| f64::from(losses[window])).sum::<f64>() / count as f64;
        let ln_losses: Vec<f64> =
            points.iter().zip(windows).zip(&means).map(|((p, losses), all)| (p.loss * mean(losses) / all).ln()).collect();
        let end = refitter.best(&laid.with_ln_losses(&ln_losses))?;
        Some(fit.law.with_theta(&laid.to_theta(&end.phi)))
    };
    (0..draws).into_par_iter().filter_map(refit).collect()
}
