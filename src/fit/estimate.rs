//! What a fit returns: coefficients that never travel without interval, status, point count and
//! conventions. The field names are those of `fits/<law>.json` (ARCHITECTURE.md, section 6).

use serde::ser::{Serialize, SerializeMap, Serializer};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interval {
    /// Quantiles of refits to resampled runs.
    Bootstrap,
    /// Quantiles of refits to resampled clusters.
    ClusterBootstrap,
    /// Quantiles of refits to resampled residuals.
    ResidualBootstrap,
    /// Wild cluster bootstrap of the t statistic.
    WildCluster,
    /// Profile likelihood under least squares of log loss.
    Profile,
    /// Linearisation at the estimate.
    Delta,
    /// Linearisation at the estimate with cluster-robust errors.
    Sandwich,
    /// Fieller's interval of a ratio: the place of a minimum.
    Fieller,
    /// χ² of a variance.
    ChiSquare,
    /// Smallest and largest of what was observed; no coverage is claimed.
    Range,
    /// None: a number that somebody published.
    Published,
}

impl Interval {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::ClusterBootstrap => "cluster-bootstrap",
            Self::ResidualBootstrap => "residual-bootstrap",
            Self::WildCluster => "wild-cluster",
            Self::Profile => "profile",
            Self::Delta => "delta",
            Self::Sandwich => "sandwich",
            Self::Fieller => "fieller",
            Self::ChiSquare => "chi-square",
            Self::Range => "range",
            Self::Published => "published",
        }
    }
}

/// A fitted number with its uncertainty. A side that the data do not bound is infinite (null in JSON).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// Best value.
    pub value: f64,
    /// Standard error.
    pub se: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Confidence level of the interval, for example 0.95.
    pub level: f64,
    /// How the interval was made.
    pub interval: Interval,
}

/// Estimates by name, in a fixed order; a JSON object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// The entry of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Estimate {
    /// Percentile interval and standard deviation of refitted values. A refit that is not a number counts as
    /// unbounded on both sides; with fewer than 20 refits there is no interval, and its ends are infinite.
    pub fn from_draws(value: f64, mut draws: Vec<f64>, level: f64, interval: Interval) -> Self {
        let unusable = draws.iter().filter(|draw| draw.is_nan()).count();
        draws.retain(|draw| !draw.is_nan());
        draws.extend(std::iter::repeat_n(f64::INFINITY, unusable.div_ceil(2)));
        draws.extend(std::iter::repeat_n(f64::NEG_INFINITY, unusable / 2));
        if draws.len() < 20 {
            return Self { value, se: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY, level, interval };
        }
        draws.sort_by(f64::total_cmp);
        let tail = 0.5 * (1.0 - level);
        let finite: Vec<f64> = draws.iter().copied().filter(|draw| draw.is_finite()).collect();
        Self { value, se: standard_deviation(&finite), low: quantile(&draws, tail), high: quantile(&draws, 1.0 - tail), level, interval }
    }

    /// In another unit.
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, se: self.se * factor, low: self.low * factor, high: self.high * factor, ..self }
    }

    /// exp of an estimate in logarithms.
    pub(crate) fn exp(ln_value: f64, ln_se: f64, quantile: f64, level: f64, interval: Interval) -> Self {
        let value = ln_value.exp();
        let width = if ln_se == 0.0 { 0.0 } else { quantile * ln_se };
        Self { value, se: value * ln_se, low: (ln_value - width).exp(), high: (ln_value + width).exp(), level, interval }
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Quantile of sorted values, linear between neighbours, at share·(n + 1) (type 6 of Hyndman & Fan 1996): of n refits and
/// the truth each is as likely to be the k-th, so that an interval of few refits holds what it says (Davison & Hinkley
/// 1997 §5.2.3). Beyond the outermost values it is those.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, (sorted.len() - 1) as f64);
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let weight = at - below as f64;
    let (low, high) = (sorted[below], sorted[above]);
    match (low.is_finite(), high.is_finite()) {
        (true, true) => low + weight * (high - low),
        // Between a number and an infinite neighbour nothing is known.
        (true, false) if weight > 0.0 => high,
        _ => low,
    }
}

/// Two-sided quantile of Student's t; infinite without degrees of freedom, the normal one with infinitely many.
pub(crate) fn t_quantile(level: f64, degrees: f64) -> f64 {
    if degrees <= 0.0 {
        return f64::INFINITY;
    }
    // Beyond a million degrees t is normal to six digits.
    StudentsT::new(0.0, 1.0, degrees.min(1e6)).map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 * (1.0 + level)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_draws_are_exact() {
        let draws: Vec<f64> = (0..=100).map(f64::from).collect();
        let estimate = Estimate::from_draws(50.0, draws, 0.9, Interval::Bootstrap);
        // The 5.1st smallest and largest of 101.
        assert!((estimate.low - 4.1).abs() < 1e-9 && (estimate.high - 95.9).abs() < 1e-9);
        assert!((estimate.se - (850.0f64 + 8.5).sqrt()).abs() < 1e-9, "variance of 0..=100 is (101² − 1)/12·101/100");
    }

    #[test]
    fn refits_without_a_value_widen_the_interval_on_both_sides() {
        let mut draws = vec![1.0; 80];
        draws.extend([f64::NAN; 20]);
        let estimate = Estimate::from_draws(1.0, draws, 0.95, Interval::Bootstrap);
        assert_eq!((estimate.low, estimate.high), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn a_quantile_beside_an_unbounded_value_is_unbounded() {
        let infinite = f64::INFINITY;
        let sorted = [-infinite, -infinite, 1.0, 2.0, infinite];
        // At the 1.5th, 2.4th, 3.5th and 4.2th of five.
        assert_eq!([0.25, 0.4, 3.5 / 6.0, 0.7].map(|share| quantile(&sorted, share)), [-infinite, -infinite, 1.5, infinite]);
    }

    #[test]
    fn unbounded_sides_are_null_in_json() {
        let estimate = Estimate::from_draws(1.5, vec![], 0.95, Interval::Profile);
        assert_eq!(
            serde_json::to_string(&estimate).expect("serializes"),
            r#"{"value":1.5,"se":null,"low":null,"high":null,"level":0.95,"interval":"profile"}"#
        );
    }
}
