//! Which runs tell where a minimum lies. A surface is steeper on one side than on the other (towards high learning rates
//! loss climbs to divergence), so that runs far above the best pull the minimum of a low-order polynomial to the flat side:
//! the window is as narrow as the noise of a run lets it be, and terms of third order join where runs ask for them.

use super::robust::{KnownNoise, RobustFit};
use crate::law::RecipeTrials;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// Runs within this much of the best, in ln L, tell the surface; the first that suffices is taken, and narrowed.
const REACHES: [f64; 5] = [0.03, 0.06, 0.12, 0.25, f64::INFINITY];
/// Standard deviations of a run that the window spans where runs suffice. On simulated surfaces of six shapes, noise 0.1 and
/// 0.3 % (LOG.md), eight lose least: fewer leave too few runs, more let the far side pull.
const DEVIATIONS: f64 = 8.0;
/// The narrowest window: twice DeepSeek's near-optimal band.
const NARROWEST: f64 = 0.005;
/// Rounds of narrowing; each divides the window at least by this.
const ROUNDS: usize = 6;
const NARROWING: f64 = 1.25;
/// Level at which terms of third order are shown.
const SHOWN: f64 = 0.05;

/// Indices of the trials within `reach` of the best, in ln L.
pub(super) fn within(cell: &RecipeTrials, ln_best: f64, reach: f64) -> Vec<usize> {
    let near = |loss: Option<f64>| loss.is_some_and(|loss| loss.ln() - ln_best <= reach);
    (0..cell.trials.len()).filter(|&at| near(cell.trials[at].loss)).collect()
}

/// A fit of the runs in a window, as narrowing sees it.
pub(super) trait Windowed: Sized {
    /// Standard deviation of a run about it, in ln L.
    fn spread(&self) -> f64;
    /// Runs for each coefficient.
    fn runs_each(&self) -> f64;
}

/// Runs for each coefficient from which one run by itself bends little, and from which a term that may be needless costs little.
const ENOUGH: f64 = 2.0;
const AMPLE: f64 = 3.0;

/// Whether terms of third order are taken: where runs are ample and were `widely` tried, since leaving out a lean that is there errs by
/// more than looking for one that is not; where runs are fewer, only one that is shown.
pub(super) fn leans<F: Windowed>(fit: &F, widely: bool, plain: &RobustFit, richer: &RobustFit) -> bool {
    (widely && fit.runs_each() >= AMPLE) || (fit.runs_each() >= ENOUGH && shown(plain, richer))
}

/// The fit in the narrowest window that noise allows: first the nearest that suffices, then as many deviations as are needed.
pub(super) fn narrowed<F: Windowed>(noise: Option<KnownNoise>, fit: impl Fn(f64) -> Option<F>) -> Option<(F, f64)> {
    let (mut reach, mut found) = REACHES.into_iter().find_map(|reach| Some((reach, fit(reach)?)))?;
    for _ in 0..ROUNDS {
        let spread = noise.map_or_else(|| found.spread(), |noise| noise.sigma);
        let next = (DEVIATIONS * spread).max(NARROWEST);
        if next * NARROWING > reach {
            break;
        }
        let Some(narrower) = fit(next).filter(|found| found.runs_each() >= ENOUGH) else { break };
        (reach, found) = (next, narrower);
    }
    Some((found, reach))
}

/// Whether a fit with more terms is better than one without by more than chance (F test).
fn shown(plain: &RobustFit, richer: &RobustFit) -> bool {
    let terms = (richer.beta.len() - plain.beta.len()) as f64;
    let f = (plain.residual - richer.residual) / (terms * richer.s2);
    f.is_finite() && FisherSnedecor::new(terms, richer.degrees.clamp(1.0, 1e6)).is_ok_and(|law| 1.0 - law.cdf(f) < SHOWN)
}
