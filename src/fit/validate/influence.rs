//! How much rests on single runs: each is left out in turn, the law refitted from the minimum, and the change of a
//! quantity reported, largest first.

use crate::fit::interval::lowest;
use crate::fit::{Fit, FitError, Quantity};
use crate::law::{Law, Point};
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
///
/// # Errors
/// Where a refit finds no minimum.
pub fn influence(fit: &Fit, quantity: &Quantity) -> Result<Vec<Influence>, FitError> {
    Ok(influence_on(fit, &without_each(fit)?, quantity))
}

/// The law without each run in turn, in their order. Each refit searches from the basins of the fit: one run among many moves a
/// minimum, or makes another of those found the lowest.
///
/// # Errors
/// Where a refit finds no minimum.
pub fn without_each(fit: &Fit) -> Result<Vec<Law>, FitError> {
    let (objective, points) = (&fit.objective_at, &fit.evidence.points);
    let without = |left_out: usize| {
        let rest = objective.reweighted(|at| if at == left_out { 0.0 } else { points[at].weight });
        let end = lowest(&rest, fit.estimator, fit.basins.iter().cloned())
            .ok_or_else(|| FitError::NoMinimum { law: fit.law.name().to_owned() })?;
        Ok(fit.law.with_theta(&objective.to_theta(&end.phi)))
    };
    (0..points.len()).into_par_iter().map(without).collect()
}

/// What laws without each run say of a quantity, largest change first.
pub fn influence_on(fit: &Fit, without: &[Law], quantity: &Quantity) -> Vec<Influence> {
    let before = quantity.of(&fit.law);
    let one = |(law, point): (&Law, &Point)| {
        let without = quantity.of(law);
        Influence { run: point.run.clone(), without, change: without - before }
    };
    let mut all: Vec<Influence> = without.iter().zip(&fit.evidence.points).map(one).collect();
    // Without one of these runs there was no such quantity: last, since nothing can be said of its change.
    let size = |one: &Influence| if one.change.is_nan() { f64::NEG_INFINITY } else { one.change.abs() };
    all.sort_by(|left, right| size(right).total_cmp(&size(left)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Estimator, FitOptions, Search, fit};
    use crate::law::{Additive, Chinchilla, ComputeCount, Design, Evidence, Noise, simulate};

    #[test]
    fn the_run_that_was_spoilt_is_the_most_influential() {
        let mut points =
            simulate(&Chinchilla::default().into(), &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.001, cluster: 0.0 }, 8);
        points[6].loss *= 1.05;
        let evidence = Evidence::as_given(points);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let fitted = fit(&Additive.into(), &evidence, &options).expect("a fit");
        let a = Quantity::params_exponent(1e19, &ComputeCount::Bilinear { k: 6.0 });
        let all = influence(&fitted, &a).expect("refits");
        assert_eq!(all[0].run, evidence.points[6].run);
        assert_eq!(all.len(), 21);
        let truth = Chinchilla::default().params_exponent();
        assert!((all[0].without - truth).abs() < (a.of(&fitted.law) - truth).abs(), "{:?}", all[0]);
    }
}
