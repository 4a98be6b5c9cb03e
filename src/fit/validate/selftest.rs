//! Bias and coverage by simulation: runs are drawn from a known law on a design, fitted, and every interval is asked
//! whether it holds the truth. An interval that does not cover at its level is not to be trusted, whatever its name.

use crate::fit::interval::{clusters, drawing};
use crate::fit::{Estimate, Estimator, Fit, FitOptions, Quantity, Resample, Search, fit, profiles, robust};
use crate::law::{Additive, Chinchilla, ComputeCount, Design, Evidence, Law, Noise, Sharing, Tails, simulate_with};
use rayon::prelude::*;
use serde::Serialize;

/// What is simulated, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct SelftestOptions {
    /// The law that the runs are drawn from.
    pub truth: Chinchilla,
    /// Standard deviations of ln L.
    pub noise: Noise,
    /// How the noise of runs is distributed.
    pub tails: Tails,
    /// Simulated data sets.
    pub simulations: usize,
    /// Refits of each for intervals of resampled runs (or clusters) and residuals; 0 leaves these out.
    pub refits: usize,
    /// Estimators whose refits are judged. Least squares of log loss is also judged by the intervals of its likelihood.
    pub estimators: Vec<Estimator>,
    /// What these draw anew: clusters (runs where there are none), or residuals.
    pub resamples: Vec<Resample>,
    /// Confidence level of the intervals.
    pub level: f64,
    /// Seed of the simulated noise.
    pub seed: u64,
}

impl Default for SelftestOptions {
    fn default() -> Self {
        let estimators = vec![Estimator::LeastSquaresLog, Estimator::default(), Estimator::AbsoluteLog, Estimator::LeastSquares];
        Self {
            truth: Chinchilla::default(),
            noise: Noise { run: 0.005, ..Noise::default() },
            tails: Tails::Normal,
            simulations: 200,
            refits: 0,
            estimators,
            resamples: vec![Resample::Clusters, Resample::Residuals],
            level: 0.95,
            seed: 0,
        }
    }
}

/// How one interval of a = β/(α+β) fared on a design.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// Name of the design: which N and D.
    pub design: String,
    /// Name of the estimator.
    pub estimator: &'static str,
    /// How the interval was made.
    pub interval: &'static str,
    /// Simulations with an estimate.
    pub simulations: usize,
    /// Mean of a minus the truth.
    pub bias: f64,
    /// Standard deviation of a over the simulations.
    pub spread: f64,
    /// Part of the intervals that hold the truth.
    pub coverage: f64,
    /// Median width of the intervals.
    pub width: f64,
    /// Part of the intervals without an end.
    pub unbounded: f64,
}

/// The three designs whose coverage is published with every release.
pub fn named_designs() -> [Design; 3] {
    let sizes = |count: i32| -> Vec<f64> { (0..count).map(|i| 1e7 * 3f64.powi(i)).collect() };
    let tokens = |count: i32| -> Vec<f64> { (0..count).map(|i| 2e8 * 4f64.powi(i)).collect() };
    [
        Design::isoflop(&[1e17, 3.16e17, 1e18, 3.16e18, 1e19], 6, 8.0),
        Design::grid(&sizes(6), &tokens(5), Sharing::Independent),
        Design::grid(&sizes(5), &tokens(4), Sharing::Trunked),
    ]
}

/// Simulates a design and reports every interval of a; `told` hears of each simulation that is done.
pub fn selftest(design: &Design, options: &SelftestOptions, told: &(dyn Fn() + Sync)) -> Vec<Coverage> {
    let found: Vec<Vec<Found>> = (0..options.simulations)
        .into_par_iter()
        .filter_map(|simulation| {
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(simulation as u64);
            let points = simulate_with(&Law::from(options.truth), design, options.noise, options.tails, seed);
            let found = intervals(&Evidence::as_given(points), options);
            told();
            found
        })
        .collect();
    let kinds = found.first().map_or(0, Vec::len);
    (0..kinds).map(|kind| coverage(design, options, found.iter().map(|estimates| estimates[kind]).collect())).collect()
}

/// An interval of a under an estimator.
type Found = (Estimator, Estimate);

/// Intervals of a for one set of runs; always the same kinds in the same order.
fn intervals(evidence: &Evidence, options: &SelftestOptions) -> Option<Vec<Found>> {
    let mut all = Vec::new();
    if options.estimators.contains(&Estimator::LeastSquaresLog) {
        all.extend(by_likelihood(evidence, options)?.map(|interval| (Estimator::LeastSquaresLog, interval)));
    }
    if options.refits > 0 {
        for &estimator in &options.estimators {
            let by_refits = options.resamples.iter().map(|&resample| refitted(evidence, options, estimator, resample));
            all.extend(by_refits.map(|interval| (estimator, interval)));
        }
    }
    Some(all)
}

/// Profile, delta method, wild cluster bootstrap and sandwich.
fn by_likelihood(evidence: &Evidence, options: &SelftestOptions) -> Option<[Estimate; 4]> {
    let fit_options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    let by_cluster = fit(&Additive.into(), evidence, &fit_options).ok()?;
    let by_run = Fit { resample: Resample::Runs, ..by_cluster.clone() };
    let profile = profiles(&by_run, options.level, &[exponent()]).ok()?;
    let clustered = robust(&by_cluster, options.level, &[exponent()]).ok()?;
    let (profile, clustered) = (profile.get("a")?.clone(), *clustered.get("a")?);
    Some([profile.profile, profile.delta, clustered.wild, clustered.sandwich])
}

/// a, which does not depend on the compute for this law.
fn exponent() -> Quantity {
    Quantity::params_exponent(1.0, &ComputeCount::Bilinear { k: 6.0 })
}

/// The interval of refits.
fn refitted(evidence: &Evidence, options: &SelftestOptions, estimator: Estimator, resample: Resample) -> Estimate {
    let fit_options = FitOptions { estimator, search: Search::VarproOnly, refits: options.refits, resample, seed: options.seed };
    // Where no fit is possible nothing is bounded.
    let unbounded = [f64::NEG_INFINITY, f64::INFINITY];
    let interval = drawing(&clusters(&evidence.points, resample), estimator, resample);
    let unknown = |_| Estimate::new(f64::NAN, f64::NAN, unbounded, options.level, interval);
    // The draws themselves: what the fit prints may be an interval of its likelihood.
    fit(&Additive.into(), evidence, &fit_options).map_or_else(unknown, |fit| fit.by_refits(&exponent(), options.level))
}

fn coverage(design: &Design, options: &SelftestOptions, found: Vec<Found>) -> Coverage {
    let estimator = found[0].0;
    let estimates: Vec<Estimate> = found.into_iter().map(|(_, estimate)| estimate).collect();
    let truth = options.truth.params_exponent();
    let n = estimates.len() as f64;
    let mean = estimates.iter().map(|one| one.value).sum::<f64>() / n;
    let variance = estimates.iter().map(|one| (one.value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let part = |count: usize| count as f64 / n;
    let mut widths: Vec<f64> = estimates.iter().map(|one| one.high() - one.low()).collect();
    widths.sort_by(f64::total_cmp);
    Coverage {
        design: design.name.clone(),
        estimator: estimator.name(),
        interval: estimates[0].method(),
        simulations: estimates.len(),
        bias: mean - truth,
        spread: variance.sqrt(),
        coverage: part(estimates.iter().filter(|one| one.holds(truth)).count()),
        width: widths[widths.len() / 2],
        unbounded: part(estimates.iter().filter(|one| !one.high().is_finite() || one.low() <= 0.0).count()),
    }
}
