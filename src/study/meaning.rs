//! Whether a fitted law means anything: some runs fix no law, and then its optimum is nobody's advice.

use crate::fit::FittedLaw;
use crate::law::Kind;

/// Runs that lie farther than this about their law, root mean square of ln L, follow another.
const FARTHEST: f64 = 0.15;
/// An exponent whose interval spans a larger factor than this is not known: losses may fall with the third power or hardly.
const WIDEST: f64 = 30.0;

/// Why a law means nothing, in words; `None` where it may mean something.
pub(super) fn means_nothing(fitted: &FittedLaw) -> Option<String> {
    let d = &fitted.diagnostics;
    // Where all fail there were too few runs to draw from, which is said elsewhere.
    if 2 * d.failed_refits > d.refits && d.failed_refits < d.refits {
        return Some(format!("{} of {} refits to resampled runs ended nowhere", d.failed_refits, d.refits));
    }
    if d.residual_rms > FARTHEST {
        return Some(format!("the runs lie {:.0} % about it (rms), which is no law", 100.0 * d.residual_rms));
    }
    let kinds = fitted.law.coefficients().iter();
    let exponents = kinds.zip(&fitted.coefficients.0).filter(|(one, _)| matches!(one.kind, Kind::Exponent { .. }));
    let mut known = exponents.filter_map(|(_, (name, value))| value.uncertainty.map(|known| (name, value, known)));
    known.find(|(_, _, known)| is_open(known.low, known.high)).map(|(name, value, _)| format!("these runs do not fix {name} = {value}"))
}

/// Whether an exponent between these ends may be nearly anything. An end that was not found is told as such beside the number.
fn is_open(low: f64, high: f64) -> bool {
    high.is_finite() && high > WIDEST * low.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Estimator, FitOptions, fit};
    use crate::law::{Chinchilla, Evidence, Law, Point};

    /// Runs of an additive law on a grid of sizes and tokens, losses times `noise(i)`.
    fn fitted(sizes: &[f64], tokens: &[f64], noise: impl Fn(usize) -> f64) -> FittedLaw {
        let law = Law::from(Chinchilla { e: 1.7, a: 400.0, b: 410.0, alpha: 0.34, beta: 0.28 });
        let places = sizes.iter().flat_map(|n| tokens.iter().map(move |d| Point::new(*n, *d, 0.0)));
        let points = places.enumerate().map(|(i, place)| Point { loss: law.loss(&place) * noise(i), ..place }).collect();
        let options = FitOptions { refits: 60, estimator: Estimator::LeastSquaresLog, ..FitOptions::default() };
        fit(&law, Evidence::as_given(points), &options).expect("fits").at(0.95).expect("a level")
    }

    #[test]
    fn a_law_that_its_runs_fix_means_something_and_others_are_called_what_they_are() {
        let wave = |size: f64| move |i: usize| (size * ((i * 37 % 19) as f64 / 9.0 - 1.0)).exp();
        let (sizes, tokens) = ([1e7, 3e7, 1e8, 3e8], [1e9, 3e9, 1e10, 3e10]);
        assert_eq!(means_nothing(&fitted(&sizes, &tokens, wave(0.003))), None);
        let far = means_nothing(&fitted(&sizes, &tokens, wave(0.5))).expect("far");
        assert!(far.contains("% about it") || far.contains("do not fix"), "{far}");
        assert_eq!(
            [(0.15, 70.0), (0.2, 0.5), (-0.1, 0.4), (0.1, f64::INFINITY)].map(|(low, high)| is_open(low, high)),
            [true, false, true, false]
        );
    }
}
