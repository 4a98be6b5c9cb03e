//! What a design will be able to forecast, by simulation and before anything is trained: runs are drawn from a known law on it,
//! fitted, and asked for the optimum of larger budgets.

use crate::fit::{Estimate, Estimator, FitOptions, Quantity, Search, SelftestOptions, fit};
use crate::law::{Additive, ComputeCount, Design, Evidence, Law, simulate_with};
use rayon::prelude::*;
use serde::Serialize;

/// How the forecast of one quantity fared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForecastCoverage {
    /// C, FLOPs.
    pub compute: f64,
    /// `params`, `tokens` or `loss`.
    pub quantity: &'static str,
    /// What it is under the law that the runs were drawn from.
    pub truth: f64,
    /// Simulations with an estimate.
    pub simulations: usize,
    /// Mean of ln(estimate/truth).
    pub bias: f64,
    /// Standard deviation of the same.
    pub spread: f64,
    /// Part of the printed intervals that hold the truth.
    pub coverage: f64,
    /// Median of upper over lower end, less one.
    pub width: f64,
}

/// What is forecast of a budget, in the order of [`Quantity::optimum`].
const QUANTITIES: [&str; 3] = ["params", "tokens", "loss"];

/// Forecasts of each budget by fits of least squares of log loss to simulated runs, with the interval that `fit` prints;
/// `told` hears of each simulation that is done.
pub fn forecast_coverage(design: &Design, options: &SelftestOptions, computes: &[f64], told: &(dyn Fn() + Sync)) -> Vec<ForecastCoverage> {
    let fit_options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    let truth = Law::from(options.truth);
    let simulated = |simulation: usize| {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(simulation as u64);
        let evidence = Evidence::as_given(simulate_with(&truth, design, options.noise, options.tails, seed));
        let count = ComputeCount::of(&evidence.points);
        let fitted = fit(&Additive.into(), evidence, &fit_options).ok();
        told();
        Some(fitted?.intervals(&asked(computes, &count), options.level))
    };
    let found: Vec<Vec<Estimate>> = (0..options.simulations).into_par_iter().filter_map(simulated).collect();
    // Only the places of the runs matter here: C of each is what the design says.
    let count = ComputeCount::of(&simulate_with(&truth, design, options.noise, options.tails, options.seed));
    let row = |(at, quantity): (usize, &Quantity)| {
        let estimates = found.iter().map(|estimates| estimates[at]).collect();
        scored(computes[at / QUANTITIES.len()], QUANTITIES[at % QUANTITIES.len()], quantity.of(&truth), estimates)
    };
    asked(computes, &count).iter().enumerate().map(row).collect()
}

fn asked(computes: &[f64], count: &ComputeCount) -> Vec<Quantity> {
    computes.iter().flat_map(|&compute| Quantity::optimum(compute, count)).collect()
}

fn scored(compute: f64, quantity: &'static str, truth: f64, estimates: Vec<Estimate>) -> ForecastCoverage {
    let n = estimates.len() as f64;
    let off: Vec<f64> = estimates.iter().map(|one| (one.value / truth).ln()).collect();
    let bias = off.iter().sum::<f64>() / n;
    let mut widths: Vec<f64> = estimates.iter().map(|one| one.high() / one.low().max(0.0) - 1.0).collect();
    widths.sort_by(f64::total_cmp);
    ForecastCoverage {
        compute,
        quantity,
        truth,
        simulations: estimates.len(),
        bias,
        spread: (off.iter().map(|x| (x - bias).powi(2)).sum::<f64>() / (n - 1.0)).sqrt(),
        coverage: estimates.iter().filter(|one| one.holds(truth)).count() as f64 / n,
        width: widths.get(widths.len() / 2).copied().unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Noise};

    fn seen(sigma: f64) -> Vec<ForecastCoverage> {
        let options = SelftestOptions { simulations: 200, noise: Noise { run: sigma, cluster: 0.0 }, ..SelftestOptions::default() };
        forecast_coverage(&Design::isoflop(&[1e17, 4e17, 1.6e18], 6, 8.0), &options, &[1.6e19], &|| ())
    }

    #[test]
    fn intervals_of_a_forecast_cover_and_narrow_with_the_noise() {
        let (rough, fine) = (seen(0.004), seen(0.002));
        assert_eq!(rough.iter().map(|one| one.quantity).collect::<Vec<_>>(), ["params", "tokens", "loss"]);
        for (rough, fine) in rough.iter().zip(&fine) {
            // Of 200 draws at 95 %, fewer than 180 inside has probability 0.001.
            assert!(rough.coverage >= 0.90 && fine.coverage >= 0.90, "{rough:?} {fine:?}");
            assert!(fine.width < 0.75 * rough.width && fine.spread < 0.75 * rough.spread, "half the noise: {rough:?} {fine:?}");
            assert!(rough.bias.abs() < rough.spread, "{rough:?}");
        }
        let known = Chinchilla::default().optimal_params(1.6e19, &ComputeCount::Bilinear { k: 6.0 });
        assert!((fine[0].truth / known - 1.0).abs() < 1e-9);
    }
}
