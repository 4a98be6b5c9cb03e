//! What is said of one loss: its centre and what makes it uncertain, part by part.

use crate::fit::{Estimate, Interval, t_quantile};

/// A predictive distribution of ln L: Student's t about a centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predictive {
    /// Centre of the loss, nats per token.
    pub value: f64,
    /// Variance of ln L of one run about the law; 0 for a mean over runs.
    pub noise: f64,
    /// Variance of ln L by the coefficients of the laws.
    pub statistics: f64,
    /// Variance of ln L between the laws.
    pub between: f64,
    /// Variance of ln L by how far the record says that forecasts go wrong at this distance.
    pub discrepancy: f64,
    /// Degrees of freedom of Student's t.
    pub degrees: f64,
}

impl Predictive {
    /// Variance of ln L.
    pub fn variance(&self) -> f64 {
        self.noise + self.statistics + self.between + self.discrepancy
    }

    /// The same as a number with an interval.
    pub fn estimate(&self, level: f64) -> Estimate {
        Estimate::new(self.value, self.value * self.variance().sqrt(), self.interval(level), level, Interval::Mixture)
    }

    /// The interval that holds the loss with a probability of `level`.
    pub fn interval(&self, level: f64) -> [f64; 2] {
        let reach = t_quantile(level, self.degrees) * self.variance().sqrt();
        [-reach, reach].map(|by| self.value * by.exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_students_t_about_the_sum_of_variances() {
        let one = Predictive { value: 2.0, noise: 4e-4, statistics: 3e-4, between: 1e-4, discrepancy: 1e-4, degrees: 9.0 };
        // t of 9 degrees at 97.5 %: 2.262157; √9e-4 = 0.03.
        let [low, high] = one.interval(0.95);
        assert!((high / 2.0 - (2.262_157 * 0.03f64).exp()).abs() < 1e-6 && (low * high - 4.0).abs() < 1e-12, "{low} {high}");
        assert!(one.interval(0.8)[1] < high);
    }
}
