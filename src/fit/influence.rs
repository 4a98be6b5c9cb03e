//! How much rests on single runs: each is left out in turn, the law refitted from the minimum, and the change of a
//! quantity reported, largest first.

use super::bootstrap::best;
use super::objective::{Fittable, Objective};
use super::{FitError, FittedLaw};
use crate::law::{Evidence, Point};
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

/// Leave-one-out influence of every run on a quantity, largest change first.
pub fn influence<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence, what: impl Fn(&L) -> f64) -> Result<Vec<Influence>, FitError> {
    Ok(influence_on(&fitted.law, &without_each(fitted, evidence)?, evidence, what))
}

/// The law without each run in turn, in their order. Each refit searches the basins anew.
pub fn without_each<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence) -> Result<Vec<L>, FitError> {
    let sum = fitted.law.lay_out(&evidence.points);
    let start = [sum.to_phi(&fitted.law.theta())];
    let without = |left_out: usize| {
        let rest = sum.reweighted(|at| if at == left_out { 0.0 } else { evidence.points[at].weight });
        let end = best(&rest, fitted.estimator, &start).ok_or_else(|| FitError::NoMinimum { law: fitted.name.clone() })?;
        Ok(fitted.law.with_theta(&sum.to_theta(&end.phi)))
    };
    (0..evidence.points.len()).into_par_iter().map(without).collect()
}

/// What laws without each run say of a quantity, largest change first.
pub fn influence_on<L: Fittable>(whole: &L, without: &[L], evidence: &Evidence, what: impl Fn(&L) -> f64) -> Vec<Influence> {
    let before = what(whole);
    let one = |(law, point): (&L, &Point)| Influence { run: point.run.clone(), without: what(law), change: what(law) - before };
    let mut all: Vec<Influence> = without.iter().zip(&evidence.points).map(one).collect();
    all.sort_by(|left, right| right.change.abs().total_cmp(&left.change.abs()));
    all
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
