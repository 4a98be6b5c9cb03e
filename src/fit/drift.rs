//! How far forecasts of a kind go wrong beyond what noise and coefficients explain: an error that grows with the logarithm of compute,
//! expected before any record and learnt from one.

use serde::Serialize;

/// An error of the logarithm of what is forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift {
    /// Its standard deviation for each factor e of compute.
    pub per_e: f64,
    /// Degrees of freedom of Student's t of what follows from it.
    pub degrees: f64,
}

impl Drift {
    /// Rolling origins: the largest compute over these is where runs are cut.
    pub(crate) const CUTS: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];
    /// Cuts that what is expected before any record is worth.
    pub(crate) const WORTH: f64 = 8.0;

    /// From the squares of the error per factor e that were found at some cuts; what was expected is worth `worth` cuts.
    pub fn learnt(expected: f64, worth: f64, found: &[f64]) -> Self {
        // Cuts share runs: each beyond the first counts half.
        let count = if found.is_empty() { 0.0 } else { 0.5 * (found.len() as f64 + 1.0) };
        let mean = crate::spec::sample::mean(found.iter().copied()).unwrap_or(0.0);
        let variance = (worth * expected.powi(2) + count * mean) / (worth + count);
        Self { per_e: variance.sqrt(), degrees: worth + count }
    }

    /// The square of a mean error beyond what sampling explains, of variance `sampling`, for each factor e of compute.
    pub(crate) fn square_per_e(mean_error: f64, sampling: f64, ln_factor: f64) -> f64 {
        ((mean_error * mean_error - sampling) / (ln_factor * ln_factor)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_three_cuts_weighs_as_two_beside_the_eight_of_what_was_expected() {
        assert_eq!(Drift::learnt(0.05, 8.0, &[]), Drift { per_e: 0.05, degrees: 8.0 });
        let found = Drift::learnt(0.05, 8.0, &[0.01, 0.04, 0.04]);
        assert!((found.per_e.powi(2) - (8.0 * 0.0025 + 2.0 * 0.03) / 10.0).abs() < 1e-15 && found.degrees == 10.0);
    }
}
