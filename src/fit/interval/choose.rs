//! The interval that is printed: of those that each estimator allows, the one that covers at its level in simulation
//! (LOG.md, "which interval covers"). Under least squares of log loss that is the profile likelihood where runs are
//! independent and the cluster-robust sandwich where they share trunks; other estimators have refits alone, to residuals
//! drawn anew where runs are few.

use super::bootstrap::clusters;
use super::{profiles, robust};
use crate::fit::estimate::t_quantile;
use crate::fit::{Estimate, Estimator, Fit, Interval, Quantity, Uncertainty};

impl Fit {
    /// What the fit says of a quantity, with the interval that covers at this level of confidence.
    pub fn interval(&self, quantity: &Quantity, level: f64) -> Estimate {
        self.intervals(std::slice::from_ref(quantity), level)[0]
    }

    /// The same of several quantities, in their order; of each by itself, whatever the others are.
    pub fn intervals(&self, quantities: &[Quantity], level: f64) -> Vec<Estimate> {
        let with_likelihood: Vec<bool> = quantities.iter().map(|one| self.has_likelihood(one.of(&self.law))).collect();
        let profiled = quantities.iter().zip(&with_likelihood).filter(|(_, has)| **has).map(|(one, _)| one.clone());
        let mut by_likelihood = self.by_likelihood(&profiled.collect::<Vec<_>>(), level).into_iter();
        let one = |(quantity, has): (&Quantity, bool)| {
            let found = if has { by_likelihood.next() } else { None };
            let found = found.unwrap_or_else(|| self.by_refits(quantity, level));
            found.widened_by(self.windows.iter().map(|law| quantity.of(law)).collect())
        };
        quantities.iter().zip(with_likelihood).map(one).collect()
    }

    /// Of each quantity in its order; none where runs of one cluster leave no sandwich.
    fn by_likelihood(&self, quantities: &[Quantity], level: f64) -> Vec<Estimate> {
        if quantities.is_empty() {
            return Vec::new();
        }
        if clusters(&self.evidence.points, self.resample).clustered {
            return robust(self, level, quantities)
                .map_or_else(|_| Vec::new(), |all| all.0.into_iter().map(|(_, one)| one.sandwich).collect());
        }
        profiles(self, level, quantities).map_or_else(|_| Vec::new(), |all| all.0.into_iter().map(|(_, one)| one.profile).collect())
    }

    /// Whether a quantity of this value has an interval without refits: a term that vanished has no place to move from.
    pub(crate) fn has_likelihood(&self, value: f64) -> bool {
        self.estimator == Estimator::LeastSquaresLog && value.is_finite() && value != 0.0
    }
}

impl Estimate {
    /// The same with an independent source of error, given by draws about the value: half-widths add in squares.
    pub(crate) fn widened_by(self, draws: Vec<f64>) -> Self {
        if draws.len() < 20 {
            return self;
        }
        let Some(Uncertainty { se: Some(se), low, high, level: Some(level), interval }) = self.uncertainty else { return self };
        let other = Self::from_draws(self.value, draws, level, Interval::Bootstrap);
        let below = self.value - (self.value - low).hypot((self.value - other.low()).max(0.0));
        // What cannot be below zero by either source of error is not so by both.
        let below = if low >= 0.0 && other.low() >= 0.0 { below.max(0.0) } else { below };
        let above = self.value + (high - self.value).hypot((other.high() - self.value).max(0.0));
        Self::new(self.value, other.se().map_or(se, |other| se.hypot(other)), [below, above], level, interval)
    }

    /// The same number above zero with the error of `other` beside its own, the two independent: half widths of logarithms add in
    /// squares (Zou & Donner 2008, Statistics in Medicine 27:1693).
    pub fn with_error_of(self, other: Self) -> Self {
        let (Some(one), Some(also)) = (self.uncertainty, other.uncertainty) else { return Self::exact(self.value) };
        let end = |side: f64, one: f64, also: f64| {
            let [near, far] = [one / self.value, also / other.value].map(|ratio| ratio.max(0.0).ln());
            self.value * (side * near.hypot(far)).exp()
        };
        let se = one.se.zip(also.se).map(|(own, its)| own.hypot(its * self.value / other.value));
        Self {
            value: self.value,
            uncertainty: Some(Uncertainty { se, low: end(-1.0, one.low, also.low), high: end(1.0, one.high, also.high), ..one }),
        }
    }

    /// This number less another that is independent of it: half widths add in squares (Zou & Donner 2008, as above). Where either has
    /// no interval the difference has none.
    pub fn less(self, other: Self) -> Self {
        let value = self.value - other.value;
        let (Some(one), Some(also)) = (self.uncertainty, other.uncertainty) else { return Self::exact(value) };
        let below = (self.value - one.low).hypot(also.high - other.value);
        let above = (one.high - self.value).hypot(other.value - also.low);
        let se = one.se.zip(also.se).map(|(own, its)| own.hypot(its));
        Self { value, uncertainty: Some(Uncertainty { se, low: value - below, high: value + above, ..one }) }
    }

    /// Interval of one new run where this is the mean: the noise of a run, `sigma` of ln L, added in squares.
    pub fn of_new_run(self, sigma: f64) -> Self {
        self.widened_in_logarithms(sigma, f64::INFINITY)
    }

    /// The same number above zero with an error of its logarithm beside its own, of standard deviation `sigma` known to so many degrees
    /// of freedom: half widths of logarithms add in squares.
    pub fn widened_in_logarithms(self, sigma: f64, degrees: f64) -> Self {
        let Some(Uncertainty { se: Some(se), low, high, level: Some(level), interval }) = self.uncertainty else { return self };
        let reach = t_quantile(level, degrees) * sigma;
        let widened = |end: f64, side: f64| {
            let bounded = end > 0.0 && end.is_finite();
            if bounded { self.value * (side * (end / self.value).ln().hypot(reach)).exp() } else { end }
        };
        let ends = [widened(low, -1.0), widened(high, 1.0)];
        Self::new(self.value, se.hypot(self.value * sigma), ends, level, interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Chinchilla, ComputeCount, Design, Evidence, Noise, simulate};
    use crate::spec::Random;

    const SIX_ND: ComputeCount = ComputeCount::Bilinear { k: 6.0 };

    fn fitted(estimator: Estimator) -> Fit {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.003, cluster: 0.0 }, 4));
        let options = FitOptions { estimator, search: Search::VarproOnly, refits: 60, ..FitOptions::default() };
        fit(&Additive.into(), evidence, &options).expect("a fit")
    }

    #[test]
    fn the_printed_interval_is_that_which_covers() {
        let kind = |fit: &Fit| fit.interval(&Quantity::params_exponent(1e20, &SIX_ND), 0.95).method();
        let independent = fitted(Estimator::LeastSquaresLog);
        assert_eq!(kind(&independent), Interval::Profile.name());
        assert_eq!(independent.interval(&Quantity::coefficient(&independent.law, 0), 0.95).method(), "profile");
        assert_eq!(kind(&fitted(Estimator::default())), Interval::ResidualBootstrap.name());
        let trunked = independent.evidence.points.iter().cloned().enumerate().map(|(at, mut p)| {
            p.cluster = Some(format!("{}", at % 6));
            p
        });
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 20, ..FitOptions::default() };
        let evidence = independent.evidence.with_points(trunked.collect());
        assert_eq!(kind(&fit(&Additive.into(), evidence, &options).expect("a fit")), Interval::Sandwich.name());
    }

    #[test]
    fn a_quantity_that_cannot_be_profiled_leaves_the_others_to_their_profiles() {
        let fit = fitted(Estimator::LeastSquaresLog);
        let exponent = Quantity::params_exponent(1e20, &SIX_ND);
        let alone = fit.interval(&exponent, 0.95);
        let asked = [Quantity::new("nowhere", |_| f64::NAN), exponent, Quantity::new("vanished", |_| 0.0)];
        let found = fit.intervals(&asked, 0.95);
        assert_eq!(found[1], alone);
        assert_eq!([found[0].method(), found[2].method()], ["bootstrap", "bootstrap"]);
    }

    #[test]
    fn a_higher_level_is_a_wider_interval_of_the_same_fit() {
        for estimator in [Estimator::LeastSquaresLog, Estimator::default()] {
            let fit = fitted(estimator);
            let [half, most] = [0.5, 0.95].map(|level| fit.interval(&Quantity::loss(1e21, &SIX_ND), level));
            assert_eq!(half.value, most.value);
            assert!(most.low() < half.low() && half.low() < half.value && half.high() < most.high(), "{half:?} {most:?}");
        }
    }

    #[test]
    fn windows_common_to_all_runs_widen_the_floor_and_not_the_exponent() {
        let fit = fitted(Estimator::LeastSquaresLog);
        // Windows differ by 20 %, the same for every run: 100 of them know a mean to 2 %.
        let mut random = Random::new(1, "difficulty");
        let difficulty: Vec<f64> = (0..100).map(|_| 1.0 + 0.2 * random.normal()).collect();
        let windows: Vec<Vec<f32>> =
            fit.evidence.points.iter().map(|p| difficulty.iter().map(|factor| (p.loss * factor) as f32).collect()).collect();
        let asked = [Quantity::coefficient(&fit.law, 0), Quantity::params_exponent(1e20, &SIX_ND)];
        let before = fit.intervals(&asked, 0.95);
        let after = fit.with_windows(&windows).intervals(&asked, 0.95);
        let se = |one: &Estimate| one.se().expect("known");
        let own = (se(&after[0]).powi(2) - se(&before[0]).powi(2)).sqrt() / before[0].value;
        assert!((own / 0.02 - 1.0).abs() < 0.25, "{own}: losses all move together, so E moves by 2 %");
        assert!(se(&after[1]) / se(&before[1]) < 1.01, "{before:?} {after:?}");
    }

    #[test]
    fn independent_errors_add_in_squares_of_logarithms() {
        let one = Estimate::new(2.0, 0.3, [1.0, 8.0], 0.95, Interval::Profile);
        let other = Estimate::new(4.0, 0.8, [2.0, 4.0], 0.95, Interval::Profile);
        let both = one.with_error_of(other);
        // ln 2 and ln 2 below; ln 4 and nothing above; 0.3 and 2·0.8/4.
        assert!((both.low() - 2.0 * (-(2f64.sqrt()) * 2f64.ln()).exp()).abs() < 1e-12 && (both.high() - 8.0).abs() < 1e-12, "{both:?}");
        assert!((both.se().expect("known") - 0.5).abs() < 1e-12 && both.value == 2.0);
        let open = one.with_error_of(Estimate::new(4.0, 1.0, [0.0, f64::INFINITY], 0.95, Interval::Profile));
        assert_eq!((open.low(), open.high()), (0.0, f64::INFINITY));
        assert_eq!(one.with_error_of(Estimate::exact(4.0)), Estimate::exact(2.0));
    }

    #[test]
    fn a_new_run_scatters_more_than_the_mean() {
        let mean = Estimate::new(2.0, 0.01, [1.98, 2.02], 0.95, Interval::Profile);
        let run = mean.of_new_run(0.01);
        // Half-widths in ln: 0.01 (as low and high stand) and 1.96·0.01.
        let expected = 2.0 * (2.02f64 / 2.0).ln().hypot(0.019_599_64).exp();
        assert!((run.high() - expected).abs() < 1e-5 && run.low() < mean.low(), "{run:?}");
    }

    #[test]
    fn what_nothing_bounds_is_not_bounded_for_one_run_either() {
        let open = Estimate::new(2.0, 0.1, [f64::NEG_INFINITY, f64::INFINITY], 0.95, Interval::Profile).of_new_run(0.01);
        assert_eq!((open.low(), open.high()), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(Estimate::exact(2.0).of_new_run(0.01), Estimate::exact(2.0));
    }
}
