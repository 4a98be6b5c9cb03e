//! What a fit returns: coefficients that never travel without interval, status, point count and
//! conventions. The field names are those of `fits/<law>.json` (ARCHITECTURE.md, section 6).

use serde::ser::{Serialize, SerializeMap, Serializer};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::fmt::{self, Display, Formatter};

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
    /// Spread of refits without each cluster of runs, or without each part of the curves, in turn.
    Jackknife,
    /// Linearisation at the estimate.
    Delta,
    /// Linearisation at the estimate with cluster-robust errors.
    Sandwich,
    /// Fieller's interval of a ratio: the place of a minimum.
    Fieller,
    /// χ² of a variance.
    ChiSquare,
    /// Several laws weighted by their record, with the variance between them and a discrepancy learnt from it.
    Mixture,
    /// Smallest and largest of what was observed; no coverage is claimed.
    Range,
}

impl Interval {
    /// Whether it is read off refits.
    pub(crate) fn is_of_refits(self) -> bool {
        matches!(self, Self::Bootstrap | Self::ClusterBootstrap | Self::ResidualBootstrap)
    }

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::ClusterBootstrap => "cluster-bootstrap",
            Self::ResidualBootstrap => "residual-bootstrap",
            Self::WildCluster => "wild-cluster",
            Self::Profile => "profile",
            Self::Jackknife => "jackknife",
            Self::Delta => "delta",
            Self::Sandwich => "sandwich",
            Self::Fieller => "fieller",
            Self::ChiSquare => "chi-square",
            Self::Mixture => "mixture",
            Self::Range => "range",
        }
    }
}

/// How far a number may be off. A side that the data do not bound is infinite (null in JSON).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertainty {
    /// Standard error; none of a range.
    pub se: Option<f64>,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Confidence level of the interval, for example 0.95; none of a range.
    pub level: Option<f64>,
    /// How the interval was made.
    pub interval: Interval,
}

/// A number with its uncertainty, where that is known: a published number, or one of too few refits, has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Point estimate.
    pub value: f64,
    /// How far it may be off.
    pub uncertainty: Option<Uncertainty>,
}

/// One object: value, se, low, high, level, interval; what is not known is null.
impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.uncertainty;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("value", &self.value)?;
        map.serialize_entry("se", &self.se())?;
        map.serialize_entry("low", &known.map(|one| one.low))?;
        map.serialize_entry("high", &known.map(|one| one.high))?;
        map.serialize_entry("level", &self.level())?;
        map.serialize_entry("interval", &known.map(|one| one.interval))?;
        map.end()
    }
}

/// Value and interval, with as many digits as the standard error has a say in.
impl Display for Estimate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [value, _, interval] = self.render();
        if self.uncertainty.is_some() { write!(f, "{value} {interval}") } else { f.write_str(&value) }
    }
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
    /// With a standard error and an interval [low, high].
    pub fn new(value: f64, se: f64, [low, high]: [f64; 2], level: f64, interval: Interval) -> Self {
        Self { value, uncertainty: Some(Uncertainty { se: Some(se), low, high, level: Some(level), interval }) }
    }

    /// A number of which nobody says how far it may be off, as published ones are.
    pub fn exact(value: f64) -> Self {
        Self { value, uncertainty: None }
    }

    /// With the smallest and largest of what was observed; no coverage is claimed.
    pub fn range(value: f64, [low, high]: [f64; 2]) -> Self {
        Self { value, uncertainty: Some(Uncertainty { se: None, low, high, level: None, interval: Interval::Range }) }
    }

    /// Standard error.
    pub fn se(&self) -> Option<f64> {
        self.uncertainty?.se
    }

    /// Lower end of the interval; −∞ where nothing bounds it.
    pub fn low(&self) -> f64 {
        self.uncertainty.map_or(f64::NEG_INFINITY, |one| one.low)
    }

    /// Upper end of the interval; ∞ where nothing bounds it.
    pub fn high(&self) -> f64 {
        self.uncertainty.map_or(f64::INFINITY, |one| one.high)
    }

    /// Confidence level of the interval.
    pub fn level(&self) -> Option<f64> {
        self.uncertainty?.level
    }

    /// How the interval was made, as in files.
    pub fn method(&self) -> &'static str {
        self.uncertainty.map_or("none", |one| one.interval.name())
    }

    /// Whether a value lies in the interval.
    pub fn holds(&self, value: f64) -> bool {
        self.low() <= value && value <= self.high()
    }

    /// Percentile interval and standard deviation of refitted values. A refit that is not a number counts as
    /// unbounded on both sides; with fewer than 20 refits there is no interval.
    pub fn from_draws(value: f64, mut draws: Vec<f64>, level: f64, interval: Interval) -> Self {
        let unusable = draws.iter().filter(|draw| draw.is_nan()).count();
        draws.retain(|draw| !draw.is_nan());
        draws.extend(std::iter::repeat_n(f64::INFINITY, unusable.div_ceil(2)));
        draws.extend(std::iter::repeat_n(f64::NEG_INFINITY, unusable / 2));
        if draws.len() < 20 {
            return Self::exact(value);
        }
        draws.sort_by(f64::total_cmp);
        let tail = 0.5 * (1.0 - level);
        let finite: Vec<f64> = draws.iter().copied().filter(|draw| draw.is_finite()).collect();
        Self::new(value, standard_deviation(&finite), [quantile(&draws, tail), quantile(&draws, 1.0 - tail)], level, interval)
    }

    /// The same in another unit: value, error and ends times a factor.
    pub fn times(self, factor: f64) -> Self {
        let scaled =
            |one: Uncertainty| Uncertainty { se: one.se.map(|se| se * factor), low: one.low * factor, high: one.high * factor, ..one };
        Self { value: self.value * factor, uncertainty: self.uncertainty.map(scaled) }
    }

    /// exp of an estimate in logarithms.
    pub(crate) fn exp(ln_value: f64, ln_se: f64, quantile: f64, level: f64, interval: Interval) -> Self {
        let width = if ln_se == 0.0 { 0.0 } else { quantile * ln_se };
        let value = ln_value.exp();
        Self::new(value, value * ln_se, [-width, width].map(|by| (ln_value + by).exp()), level, interval)
    }

    /// Value, standard error and interval as text. The last digit of value and ends is the second of the standard error; a
    /// dash stands for what is not known.
    pub fn render(&self) -> [String; 3] {
        let scale = self.se().or_else(|| self.uncertainty.map(|one| 0.25 * (one.high - one.low)));
        let place = scale.filter(|scale| scale.is_finite() && *scale > 0.0).map(|scale| magnitude(scale) - 1);
        // What is known better than seven digits is not told to more, and what is known worse to two.
        let place = place.unwrap_or(magnitude(self.value) - 3).max(magnitude(self.value) - 6);
        let end = |value: f64| if value.is_finite() { to_place(value, place) } else { "unbounded".into() };
        let interval = self.uncertainty.map_or("—".into(), |one| format!("[{}, {}]", end(one.low), end(one.high)));
        let se = self.se().filter(|se| se.is_finite()).map_or("—".into(), |se| to_place(se, magnitude(se) - 1));
        [to_place(self.value, place), se, interval]
    }
}

/// Power of ten of the first digit.
fn magnitude(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() { 0 } else { value.abs().log10().floor() as i32 }
}

/// A number to the digit of 10^place, or to two digits where that is more; with an exponent where it is large or small.
fn to_place(value: f64, place: i32) -> String {
    if !value.is_finite() {
        return "—".into();
    }
    let first = magnitude(value);
    let place = if value == 0.0 { place.max(-6) } else { place.clamp(first - 6, first - 1) };
    if value != 0.0 && !(-3..5).contains(&first) {
        return format!("{value:.*e}", (first - place) as usize);
    }
    let unit = 10f64.powi(place.max(0));
    format!("{:.*}", (-place).max(0) as usize, if place > 0 { (value / unit).round() * unit } else { value })
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
        assert!((estimate.low() - 4.1).abs() < 1e-9 && (estimate.high() - 95.9).abs() < 1e-9);
        assert!((estimate.se().expect("known") - (850.0f64 + 8.5).sqrt()).abs() < 1e-9, "variance of 0..=100 is (101² − 1)/12·101/100");
    }

    #[test]
    fn refits_without_a_value_widen_the_interval_on_both_sides() {
        let mut draws = vec![1.0; 80];
        draws.extend([f64::NAN; 20]);
        let estimate = Estimate::from_draws(1.0, draws, 0.95, Interval::Bootstrap);
        assert_eq!((estimate.low(), estimate.high()), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn a_quantile_beside_an_unbounded_value_is_unbounded() {
        let infinite = f64::INFINITY;
        let sorted = [-infinite, -infinite, 1.0, 2.0, infinite];
        // At the 1.5th, 2.4th, 3.5th and 4.2th of five.
        assert_eq!([0.25, 0.4, 3.5 / 6.0, 0.7].map(|share| quantile(&sorted, share)), [-infinite, -infinite, 1.5, infinite]);
    }

    #[test]
    fn what_is_not_known_is_null_in_json() {
        let json = |estimate: Estimate| serde_json::to_string(&estimate).expect("serializes");
        let open = Estimate::new(1.5, 0.25, [f64::NEG_INFINITY, 2.0], 0.95, Interval::Profile);
        assert_eq!(json(open), r#"{"value":1.5,"se":0.25,"low":null,"high":2.0,"level":0.95,"interval":"profile"}"#);
        let few = Estimate::from_draws(1.5, vec![1.0; 19], 0.95, Interval::Bootstrap);
        assert_eq!(json(few), r#"{"value":1.5,"se":null,"low":null,"high":null,"level":null,"interval":null}"#);
        assert_eq!(
            json(Estimate::range(2.0, [1.0, 3.0])),
            r#"{"value":2.0,"se":null,"low":1.0,"high":3.0,"level":null,"interval":"range"}"#
        );
    }

    #[test]
    fn digits_follow_the_standard_error() {
        let render = |value, se, ends| Estimate::new(value, se, ends, 0.95, Interval::Profile).to_string();
        assert_eq!(render(0.348_217, 0.021_34, [0.305_1, 0.390_9]), "0.348 [0.305, 0.391]");
        assert_eq!(render(1.692_73, 0.000_241, [1.692_2, 1.693_3]), "1.69273 [1.69220, 1.69330]");
        assert_eq!(render(10_350.8, 7481.4, [-4312.7, 25_014.1]), "10400 [-4300, 25000]");
        assert_eq!(render(2.085_43e6, 4.6e5, [1.2e6, f64::INFINITY]), "2.09e6 [1.20e6, unbounded]");
        assert_eq!(render(3.2, 740.0, [0.0, 1500.0]), "3.2 [0, 1500]", "a value worse known than it is large still has two digits");
        assert_eq!(render(3e-54, 2e-54, [1e-54, 1e100]), "3.0e-54 [1.0e-54, 1.000000e100]", "no number has a hundred digits");
        assert_eq!(render(3e-54, 2e-54, [0.0, 2.0]), "3.0e-54 [0.000000, 2.000000]");
        assert_eq!(Estimate::exact(406.4).to_string(), "406.4");
        assert_eq!(Estimate::new(0.5, f64::NAN, [0.4, 0.6], 0.95, Interval::Delta).render()[1], "—");
        assert_eq!(Estimate::new(10_350.8, 7481.4, [0.0, 1.0], 0.95, Interval::Delta).render()[1], "7500");
    }
}
