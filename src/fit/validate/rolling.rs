//! Forecasts that can be scored: a law is fitted to the runs below a compute and asked for those above it
//! (rolling-origin validation).

use crate::fit::{FitOptions, fit};
use crate::law::{Evidence, Law, Point};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How a law fitted below a compute forecasts the runs above it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Largest compute that the fit saw, FLOPs.
    pub cut: f64,
    /// Runs below and above.
    pub runs: [usize; 2],
    /// Largest compute above over the cut.
    pub distance: f64,
    /// Mean of prediction − loss over the runs above, nats per token.
    pub bias_nats: f64,
    /// Root mean square of prediction − loss over the runs above, nats per token.
    pub rms_nats: f64,
    /// The same bias as compute: the mean over the runs above of ln m, m the factor on compute (N and D each by √m) with
    /// which the law would predict the loss found, as a part: 0.5 means that a run did as well as the law says of one and a
    /// half times its compute. Absent where no factor makes the law predict a loss that was found.
    pub compute_equivalent: Option<f64>,
    /// Runs above whose loss lies below all that the law can predict, at whatever compute.
    pub below_floor: usize,
}

/// Why no factor on compute makes a law predict a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffTheLaw {
    /// It lies below all that the law can predict: below E.
    BelowFloor,
    /// It lies above what the law says of next to no compute.
    AboveAll,
}

/// Fits below each cut and forecasts all runs above it; cuts that leave too few runs for a fit are passed over, and of several
/// between the same runs the first speaks.
pub fn rolling_origin(form: &Law, evidence: &Evidence, options: &FitOptions, cuts: &[f64]) -> Vec<Forecast> {
    let forecast = |&cut: &f64| {
        let (below, above): (Vec<_>, Vec<_>) = evidence.points.iter().cloned().partition(|p| p.c <= cut * (1.0 + 1e-9));
        let runs = [below.len(), above.len()];
        let fitted = fit(form, evidence.with_points(below), &FitOptions { refits: 0, ..*options }).ok()?;
        let errors: Vec<f64> = above.iter().map(|p| fitted.law.loss(p) - p.loss).collect();
        let n = errors.len() as f64;
        let factors: Vec<Result<f64, OffTheLaw>> = above.iter().map(|p| ln_compute_factor(&fitted.law, p)).collect();
        let furthest = above.iter().map(|p| p.c).fold(0.0, f64::max);
        (n > 0.0).then(|| Forecast {
            cut,
            runs,
            distance: furthest / cut,
            bias_nats: errors.iter().sum::<f64>() / n,
            rms_nats: (errors.iter().map(|e| e * e).sum::<f64>() / n).sqrt(),
            compute_equivalent: factors.iter().copied().sum::<Result<f64, _>>().ok().map(|ln_factors| (ln_factors / n).exp_m1()),
            below_floor: factors.iter().filter(|factor| **factor == Err(OffTheLaw::BelowFloor)).count(),
        })
    };
    let below = |cut: &f64| evidence.points.iter().filter(|p| p.c <= cut * (1.0 + 1e-9)).count();
    let mut seen = HashSet::new();
    // Of two cuts the lower one's runs are among the other's, so as many runs are the same runs.
    let distinct: Vec<&f64> = cuts.iter().filter(|cut| seen.insert(below(cut))).collect();
    distinct.into_par_iter().filter_map(forecast).collect()
}

/// Largest ln of a factor on compute that is looked for: ten orders of magnitude.
const FURTHEST: f64 = 23.0;

/// ln m for which the law predicts the loss of a run at √m times its N and D.
///
/// # Errors
/// Where no factor does, on which side of the law the loss lies.
pub fn ln_compute_factor(law: &Law, found: &Point) -> Result<f64, OffTheLaw> {
    let predicted = |ln_factor: f64| {
        let (root, factor) = ((0.5 * ln_factor).exp(), ln_factor.exp());
        let steps = found.steps.map(|steps| steps * root);
        law.loss(&Point { n: root * found.n, d: root * found.d, c: factor * found.c, steps, ..found.clone() })
    };
    let (mut low, mut high) = (-FURTHEST, FURTHEST);
    if predicted(high).is_nan() || predicted(high) >= found.loss {
        return Err(OffTheLaw::BelowFloor);
    }
    if predicted(low).is_nan() || predicted(low) <= found.loss {
        return Err(OffTheLaw::AboveAll);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if predicted(middle) > found.loss { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Search;
    use crate::law::{Additive, Chinchilla, Design, Noise, simulate};

    #[test]
    fn a_true_law_forecasts_within_its_noise_and_worse_with_distance_is_seen() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.002, cluster: 0.0 }, 2));
        let options = FitOptions { search: Search::VarproOnly, ..FitOptions::default() };
        let all = rolling_origin(&Additive.into(), &evidence, &options, &[1e16, 1e18, 1e19, 1e20]);
        // Nothing lies below the first cut, nothing above the last.
        assert_eq!(all.iter().map(|one| one.runs).collect::<Vec<_>>(), [[14, 14], [21, 7]]);
        // Ten noises: 0.002 of a loss near 2.5, and the error of a fit to 14 runs a factor 100 below.
        assert!(all.iter().all(|one| one.rms_nats < 0.05), "{all:?}");
        assert!((all[0].distance - 100.0).abs() < 1e-6);
    }

    #[test]
    fn cuts_between_the_same_runs_are_one_forecast() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.002, cluster: 0.0 }, 2));
        let options = FitOptions { search: Search::VarproOnly, ..FitOptions::default() };
        // An eighth, a quarter and half of the largest all lie between the last two budgets.
        let all = rolling_origin(&Additive.into(), &evidence, &options, &[1e19 / 8.0, 1e19 / 4.0, 1e19 / 2.0]);
        assert_eq!(all.iter().map(|one| one.runs).collect::<Vec<_>>(), [[14, 7]]);
        assert!((all[0].distance - 8.0).abs() < 1e-6, "{all:?}");
    }

    #[test]
    fn an_error_of_a_forecast_is_a_factor_on_compute() {
        let law = Law::from(Chinchilla::default());
        let found = Point { loss: law.at(3e9, 3e10), ..Point::new(1e9, 1e10, 0.0) };
        assert!((ln_compute_factor(&law, &found).expect("above E") - 9f64.ln()).abs() < 1e-9);
        assert_eq!(ln_compute_factor(&law, &Point { loss: 1.0, ..found.clone() }), Err(OffTheLaw::BelowFloor));
        assert_eq!(ln_compute_factor(&law, &Point { loss: 1e9, ..found }), Err(OffTheLaw::AboveAll));
    }

    #[test]
    fn runs_below_the_floor_of_the_law_are_counted() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let mut points = simulate(&Chinchilla::default().into(), &design, Noise { run: 0.002, cluster: 0.0 }, 2);
        let largest = points.iter_mut().filter(|point| point.c > 5e18);
        largest.take(3).for_each(|point| point.loss = 1.0);
        let options = FitOptions { search: Search::VarproOnly, ..FitOptions::default() };
        let all = rolling_origin(&Additive.into(), &Evidence::as_given(points), &options, &[1e18]);
        assert_eq!((all[0].below_floor, all[0].compute_equivalent), (3, None), "{all:?}");
    }
}
