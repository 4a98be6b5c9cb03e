//! How much rests on single runs: each is left out in turn, the law refitted from the minimum, and the change of a
//! quantity reported, largest first.

use super::bootstrap::best;
use super::objective::{Fittable, Objective};
use super::{FitError, FittedLaw};
use crate::law::Evidence;
use rayon::prelude::*;
use serde::Serialize;

/// What leaving out one run does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Influence {
    /// Name of the run.
    pub run: String,
    /// The quantity without it.
    pub without: f64,
    /// The quantity without it minus that with all runs.
    pub change: f64,
}

/// Leave-one-out influence of every run on a quantity, largest change first. Each refit searches the basins anew.
pub fn influence<L: Fittable>(
    fitted: &FittedLaw<L>,
    evidence: &Evidence,
    what: impl Fn(&L) -> f64 + Sync,
) -> Result<Vec<Influence>, FitError> {
    let sum = fitted.law.lay_out(&evidence.points);
    let start = [sum.to_phi(&fitted.law.theta())];
    let whole = what(&fitted.law);
    let without = |left_out: usize| {
        let rest = sum.reweighted(|at| if at == left_out { 0.0 } else { evidence.points[at].weight });
        let end = best(&rest, fitted.estimator, &start).ok_or_else(|| FitError::NoMinimum { law: fitted.name.clone() })?;
        let without = what(&fitted.law.with_theta(&sum.to_theta(&end.phi)));
        Ok(Influence { run: evidence.points[left_out].run.clone(), without, change: without - whole })
    };
    let mut all: Vec<Influence> = (0..evidence.points.len()).into_par_iter().map(without).collect::<Result<_, FitError>>()?;
    all.sort_by(|left, right| right.change.abs().total_cmp(&left.change.abs()));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Estimator, FitOptions, Search, chinchilla};
    use crate::law::{Chinchilla, Design, Noise, simulate};

    #[test]
    fn the_run_that_was_spoilt_is_the_most_influential() {
        let mut points =
            simulate(&Chinchilla::default(), &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.001, cluster: 0.0 }, 8);
        points[6].loss *= 1.05;
        let evidence = Evidence::as_given(points);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let fitted = chinchilla(&evidence, &options).expect("a fit");
        let all = influence(&fitted, &evidence, Chinchilla::params_exponent).expect("refits");
        assert_eq!(all[0].run, evidence.points[6].run);
        assert_eq!(all.len(), 21);
        let truth = Chinchilla::default().params_exponent();
        assert!((all[0].without - truth).abs() < (fitted.law.params_exponent() - truth).abs(), "{:?}", all[0]);
    }
}
