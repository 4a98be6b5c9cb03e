//! Criteria that compare laws fitted by least squares of log loss to the same runs: AICc (Hurvich & Tsai 1989), BIC, and
//! the F test of lack of fit against replicates (Draper & Smith 1998 §2.1). n counts independent groups of runs.

use crate::fit::interval::clusters;
use crate::fit::{Estimator, Fit, FitError, Resample};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};
use std::collections::BTreeMap;

/// How a law compares with others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criteria {
    /// n·ln(RSS/n) + 2q + 2q(q+1)/(n−q−1), q coefficients and the noise; infinite where n ≤ q + 1.
    pub aicc: f64,
    /// n·ln(RSS/n) + q·ln n.
    pub bic: f64,
    /// Test against replicates; absent without any.
    pub lack_of_fit: Option<LackOfFit>,
}

/// F = [SS_lack/(m − p)]/[SS_pure/(n − m)] for m distinct places, squares weighted as in the fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LackOfFit {
    /// F.
    pub f: f64,
    /// Degrees of freedom above and below.
    pub degrees: [usize; 2],
    /// Probability of so large an F if the law held.
    pub p_value: f64,
    /// √(SS_pure/(n − m)): standard deviation of ln L between replicates of weight 1.
    pub replicate_sd: f64,
}

/// Criteria of a law fitted by least squares of log loss.
///
/// # Errors
/// Other estimators have no likelihood.
pub fn criteria(fit: &Fit) -> Result<Criteria, FitError> {
    if fit.estimator != Estimator::LeastSquaresLog {
        return Err(FitError::NoLikelihood(fit.estimator.name()));
    }
    let independent = clusters(&fit.evidence.points, Resample::Auto).count as f64;
    let mean_square = fit.objective / fit.evidence.points.len() as f64;
    let q = fit.law.theta().len() as f64 + 1.0;
    let deviance = independent * mean_square.ln();
    let spare = independent - q - 1.0;
    let aicc = if spare > 0.0 { deviance + 2.0 * q + 2.0 * q * (q + 1.0) / spare } else { f64::INFINITY };
    Ok(Criteria { aicc, bic: deviance + q * independent.ln(), lack_of_fit: lack_of_fit(fit) })
}

fn lack_of_fit(fit: &Fit) -> Option<LackOfFit> {
    // (residual, weight).
    let mut cells: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
    for (point, residual) in fit.evidence.points.iter().zip(&fit.residuals) {
        cells.entry((point.n.to_bits(), point.d.to_bits())).or_default().push((*residual, point.weight));
    }
    let (n, m, p) = (fit.evidence.points.len(), cells.len(), fit.law.theta().len());
    if n <= m || m <= p {
        return None;
    }
    let spread = |cell: &Vec<(f64, f64)>| {
        let weight: f64 = cell.iter().map(|(_, weight)| weight).sum();
        let mean = cell.iter().map(|(r, weight)| weight * r).sum::<f64>() / weight;
        cell.iter().map(|(r, weight)| weight * (r - mean).powi(2)).sum::<f64>()
    };
    let pure: f64 = cells.values().map(spread).sum();
    let all: f64 = cells.values().flatten().map(|(r, weight)| weight * r * r).sum();
    let degrees = [m - p, n - m];
    let f = ((all - pure) / degrees[0] as f64) / (pure / degrees[1] as f64);
    let p_value = FisherSnedecor::new(degrees[0] as f64, degrees[1] as f64).map_or(f64::NAN, |law| 1.0 - law.cdf(f));
    Some(LackOfFit { f, degrees, p_value, replicate_sd: (pure / degrees[1] as f64).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Axis, Chinchilla, Design, Evidence, Law, Noise, PowerLaw, simulate};

    fn options() -> FitOptions {
        FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() }
    }

    fn evidence() -> Evidence {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let draw = |seed| simulate(&Chinchilla::default().into(), &design, Noise { run: 0.004, cluster: 0.0 }, seed);
        Evidence::as_given(draw(1).into_iter().chain(draw(2)).collect())
    }

    #[test]
    fn a_true_law_of_runs_of_uneven_noise_is_refused_as_often_as_was_agreed() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let truth = Law::from(Chinchilla::default());
        let refused = |seed: u64| {
            // The smallest budget is five times as noisy as the others, and weighs a twenty-fifth.
            let draw = |seed: u64| {
                let quiet = simulate(&truth, &design, Noise { run: 0.004, cluster: 0.0 }, seed);
                let loud = simulate(&truth, &design, Noise { run: 0.02, cluster: 0.0 }, seed);
                let one = |(quiet, loud): (crate::law::Point, crate::law::Point)| {
                    if quiet.c < 2e17 { crate::law::Point { weight: 0.04, ..loud } } else { quiet }
                };
                quiet.into_iter().zip(loud).map(one).collect::<Vec<_>>()
            };
            let evidence = Evidence::as_given(draw(2 * seed).into_iter().chain(draw(2 * seed + 1)).collect());
            let found = criteria(&fit(&truth, evidence, &options()).expect("a fit")).expect("criteria");
            found.lack_of_fit.expect("replicates").p_value < 0.05
        };
        let share = (0..300).filter(|&seed| refused(seed)).count() as f64 / 300.0;
        // 5 % known to 1.3 points.
        assert!((0.01..0.09).contains(&share), "{share}");
    }

    #[test]
    fn the_true_law_shows_no_lack_of_fit_and_a_law_of_compute_alone_does() {
        let evidence = evidence();
        let of = |form: Law| criteria(&fit(&form, &evidence, &options()).expect("a fit")).expect("criteria");
        let (whole, alone) = (of(Additive.into()), of(PowerLaw { axis: Axis::C, floor: true }.into()));
        let (whole_f, alone_f) = (whole.lack_of_fit.expect("replicates"), alone.lack_of_fit.expect("replicates"));
        assert!(whole_f.p_value > 0.01 && alone_f.p_value < 1e-6, "{whole_f:?} {alone_f:?}");
        assert_eq!(whole_f.degrees, [16, 21]);
        // 21 degrees of freedom know a standard deviation to 15 %.
        assert!((whole_f.replicate_sd / 0.004 - 1.0).abs() < 0.5);
        assert!(whole.aicc < alone.aicc && whole.bic < alone.bic);
    }
}
