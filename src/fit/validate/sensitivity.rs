//! What hangs on choices that are none of the data's: the estimator, and how N and C are counted.

use super::rolling::{Forecast, rolling_origin};
use crate::fit::{Estimate, Estimator, FitError, FitOptions, FitStatus, Quantity, Search, fit};
use crate::law::{ComputeCount, Evidence, Law};
use crate::spec::{FlopRule, RunRecord, SizeMeasure};
use rayon::prelude::*;
use serde::Serialize;

/// What one estimator makes of the same runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByEstimator {
    /// What was minimised.
    pub estimator: Estimator,
    /// How the fit ended.
    pub status: FitStatus,
    /// a, the exponent of N*(C).
    pub exponent: f64,
    /// E, nats per token, where the law has one.
    pub floor: Option<f64>,
    /// The forecast from the earliest cut that can be fitted.
    pub forecast: Option<Forecast>,
}

/// Fits the same runs by every estimator, and asks each for the runs above the earliest of the cuts: an exponent that hangs
/// on what was minimised is no finding. Huber's δ is that of the options, where they have one.
pub fn by_estimator(form: &Law, evidence: &Evidence, options: &FitOptions, cuts: &[f64]) -> Vec<ByEstimator> {
    let (count, largest) = (ComputeCount::of(&evidence.points), evidence.largest_compute());
    let delta = match options.estimator {
        Estimator::HuberLog { delta } => Some(delta),
        _ => None,
    };
    let one = |estimator: Estimator| {
        let estimator = delta.map_or(estimator, |delta| estimator.with_delta(delta));
        let options = FitOptions { estimator, search: Search::VarproOnly, refits: 0, ..*options };
        let fitted = fit(form, evidence, &options).ok()?;
        Some(ByEstimator {
            estimator,
            status: fitted.status,
            exponent: fitted.law.params_exponent(largest, &count),
            floor: fitted.law.floor(),
            forecast: cuts.iter().find_map(|&cut| rolling_origin(form, evidence, &options, &[cut]).pop()),
        })
    };
    Estimator::ALL.into_par_iter().filter_map(one).collect()
}

/// The exponent a under one convention of counting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Convention {
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted. It does not change the fit of L(N, D), only what a budget buys.
    pub flop_rule: FlopRule,
    /// a, the exponent of N*(C), or why there is none.
    pub exponent: Result<Estimate, String>,
}

/// Fits the same runs under every size measure and FLOP rule that can be counted from their shapes.
pub fn conventions(form: &Law, records: &[RunRecord], options: &FitOptions, level: f64) -> Vec<Convention> {
    let mut all = Vec::new();
    for size_measure in SizeMeasure::COUNTED {
        // L(N, D) does not depend on how C is counted: one fit serves all rules of a measure.
        let fitted = fit(form, Evidence::of(records, size_measure, FlopRule::Exact), options);
        all.extend(FlopRule::COUNTED.map(|flop_rule| {
            let evidence = Evidence::of(records, size_measure, flop_rule);
            let (count, largest) = (ComputeCount::of(&evidence.points), evidence.largest_compute());
            let asked = Quantity::params_exponent(largest, &count);
            let exponent = fitted.as_ref().map(|fit| fit.by_refits(&asked, level)).map_err(FitError::to_string);
            Convention { size_measure, flop_rule, exponent }
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Additive, Chinchilla, Design, Noise, Point, simulate};

    #[test]
    fn estimators_agree_without_noise_and_not_about_an_outlier() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let mut points = simulate(&Chinchilla::default().into(), &design, Noise::default(), 0);
        let exponents = |points: &[Point]| -> Vec<f64> {
            let all = by_estimator(&Additive.into(), &Evidence::as_given(points.to_vec()), &FitOptions::default(), &[1e18]);
            assert!(all.iter().all(|one| one.forecast.as_ref().expect("a forecast").runs == [14, 14]));
            all.iter().map(|one| one.exponent).collect()
        };
        let truth = Chinchilla::default().params_exponent();
        assert!(exponents(&points).iter().all(|a| (a - truth).abs() < 1e-6));
        points[0].loss *= 1.1;
        let [huber, squares, linear, absolute] = exponents(&points)[..] else { panic!("four estimators") };
        assert!((huber - truth).abs() < 1e-3 && (absolute - truth).abs() < 1e-6, "{huber} {absolute}");
        assert!((squares - truth).abs() > 5e-3 && (linear - truth).abs() > 5e-3, "{squares} {linear}");
    }
}
