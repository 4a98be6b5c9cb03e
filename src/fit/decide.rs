//! The interval that is printed: of those that each estimator allows, the one that covers at its level in simulation
//! (LOG.md, "which interval covers"). Under least squares of log loss that is the profile likelihood where runs are
//! independent and the cluster-robust sandwich where they share trunks; other estimators have refits alone, to residuals
//! drawn anew where runs are few.

use super::bootstrap::{best, groups};
use super::objective::{Fittable, Objective};
use super::profile::{Target, profiles};
use super::robust::robust;
use super::{Estimate, Estimator, FittedLaw, Interval};
use crate::law::Evidence;
use crate::spec::Random;
use rayon::prelude::*;

/// Estimates of quantities that are above zero, in their order.
pub fn decide<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence, targets: &[Target<L>]) -> Vec<Estimate> {
    let level = fitted.coefficients.0.first().map_or(0.95, |(_, estimate)| estimate.level);
    let by_likelihood = by_likelihood(fitted, evidence, level, targets);
    let one = |(at, target): (usize, &Target<L>)| {
        let found = by_likelihood.as_ref().map_or_else(|| fitted.derive(&target.of), |all| all[at]);
        found.widened_by(fitted.windows.iter().map(&target.of).collect())
    };
    targets.iter().enumerate().map(one).collect()
}

fn by_likelihood<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence, level: f64, targets: &[Target<L>]) -> Option<Vec<Estimate>> {
    if fitted.estimator != Estimator::LeastSquaresLog || targets.iter().any(|target| (target.of)(&fitted.law) <= 0.0) {
        return None;
    }
    let resample = fitted.resample;
    if groups(&evidence.points, resample).clustered {
        let all = robust(fitted, evidence, resample, level, targets).ok()?;
        return Some(all.0.into_iter().map(|(_, robust)| robust.sandwich).collect());
    }
    let all = profiles(fitted, evidence, resample, level, targets).ok()?;
    Some(all.0.into_iter().map(|(_, profile)| profile.profile).collect())
}

/// Laws refitted to the same runs as they would have been measured on other held-out windows (windows drawn anew, the
/// same for every run). `windows` are the losses of each run on each window, in the order of the points.
pub fn window_refits<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence, windows: &[Vec<f32>], draws: usize) -> Vec<L> {
    let Some(count) = windows.first().map(Vec::len).filter(|&count| count > 1) else { return Vec::new() };
    let laid = fitted.law.lay_out(&evidence.points);
    let start = [laid.to_phi(&fitted.law.theta())];
    let means: Vec<f64> = windows.iter().map(|losses| losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / count as f64).collect();
    let refit = |draw: usize| {
        let mut random = Random::new(fitted.seed, &format!("windows {draw}"));
        let drawn: Vec<usize> = (0..count).map(|_| random.below(count as u64) as usize).collect();
        let mean = |losses: &Vec<f32>| drawn.iter().map(|&window| f64::from(losses[window])).sum::<f64>() / count as f64;
        let ln_losses: Vec<f64> =
            evidence.points.iter().zip(windows).zip(&means).map(|((p, losses), all)| (p.loss * mean(losses) / all).ln()).collect();
        let end = best(&laid.with_ln_losses(&ln_losses), fitted.estimator, &start)?;
        Some(fitted.law.with_theta(&laid.to_theta(&end.phi)))
    };
    (0..draws).into_par_iter().filter_map(refit).collect()
}

impl Estimate {
    /// The same with an independent source of error, given by draws about the value: half-widths add in squares.
    pub(crate) fn widened_by(self, draws: Vec<f64>) -> Self {
        if draws.len() < 20 {
            return self;
        }
        let other = Self::from_draws(self.value, draws, self.level, Interval::Bootstrap);
        let low = self.value - (self.value - self.low).hypot((self.value - other.low).max(0.0));
        // What cannot be below zero by either source of error is not so by both.
        let low = if self.low >= 0.0 && other.low >= 0.0 { low.max(0.0) } else { low };
        let high = self.value + (self.high - self.value).hypot((other.high - self.value).max(0.0));
        Self { se: self.se.hypot(other.se), low, high, ..self }
    }

    /// Interval of one new run where this is the mean: the noise of a run, `sigma` of ln L, added in squares.
    pub fn of_new_run(self, sigma: f64) -> Self {
        let reach = super::estimate::t_quantile(self.level, f64::INFINITY) * sigma;
        let ln = |end: f64| (end / self.value).ln().abs();
        let (low, high) = (self.value * (-ln(self.low).hypot(reach)).exp(), self.value * ln(self.high).hypot(reach).exp());
        Self { se: self.se.hypot(self.value * sigma), low, high, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, chinchilla};
    use crate::law::{Chinchilla, Design, Noise, simulate};

    fn fitted(estimator: Estimator) -> (FittedLaw<Chinchilla>, Evidence) {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default(), &design, Noise { run: 0.003, cluster: 0.0 }, 4));
        let options = FitOptions { estimator, search: Search::VarproOnly, refits: 60, ..FitOptions::default() };
        (chinchilla(&evidence, &options).expect("a fit"), evidence)
    }

    #[test]
    fn the_printed_interval_is_that_which_covers() {
        let kind = |fitted: &FittedLaw<Chinchilla>| fitted.derived.get("a").expect("derived").interval;
        let (independent, evidence) = fitted(Estimator::LeastSquaresLog);
        assert_eq!(kind(&independent), Interval::Profile);
        assert_eq!(independent.coefficients.get("E").expect("fitted").interval, Interval::Profile);
        assert_eq!(kind(&fitted(Estimator::default()).0), Interval::ResidualBootstrap);
        let trunked = evidence.points.iter().cloned().enumerate().map(|(at, mut p)| {
            p.cluster = Some(format!("{}", at % 6));
            p
        });
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 20, ..FitOptions::default() };
        assert_eq!(kind(&chinchilla(&evidence.with_points(trunked.collect()), &options).expect("a fit")), Interval::Sandwich);
    }

    #[test]
    fn windows_common_to_all_runs_widen_the_floor_and_not_the_exponent() {
        let (mut fitted, evidence) = fitted(Estimator::LeastSquaresLog);
        // Windows differ by 20 %, the same for every run: 100 of them know a mean to 2 %.
        let mut random = Random::new(1, "difficulty");
        let difficulty: Vec<f64> = (0..100).map(|_| 1.0 + 0.2 * random.normal()).collect();
        let windows: Vec<Vec<f32>> =
            evidence.points.iter().map(|p| difficulty.iter().map(|factor| (p.loss * factor) as f32).collect()).collect();
        let targets = || -> [Target<Chinchilla>; 2] {
            [Target { name: "E".into(), of: Box::new(|law| law.e) }, Target { name: "a".into(), of: Box::new(Chinchilla::params_exponent) }]
        };
        let before = decide(&fitted, &evidence, &targets());
        fitted.windows = window_refits(&fitted, &evidence, &windows, 200);
        let after = decide(&fitted, &evidence, &targets());
        let own = (after[0].se.powi(2) - before[0].se.powi(2)).sqrt() / fitted.law.e;
        assert!((own / 0.02 - 1.0).abs() < 0.25, "{own}: losses all move together, so E moves by 2 %");
        assert!(after[1].se / before[1].se < 1.01, "{before:?} {after:?}");
    }

    #[test]
    fn a_new_run_scatters_more_than_the_mean() {
        let mean = Estimate { value: 2.0, se: 0.01, low: 1.98, high: 2.02, level: 0.95, interval: Interval::Profile };
        let run = mean.of_new_run(0.01);
        // Half-widths in ln: 0.01 (as low and high stand) and 1.96·0.01.
        let expected = 2.0 * (2.02f64 / 2.0).ln().hypot(0.019_599_64).exp();
        assert!((run.high - expected).abs() < 1e-5 && run.low < mean.low, "{run:?}");
    }
}
