//! What is forecast of single runs, and the laws together that say so, as they stand in the document.

use crate::fit::Estimate;
use crate::law::Point;
use crate::study::{Mixture, Predictive};
use serde::{Deserialize, Serialize};

/// What is forecast of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunAhead {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Parameters N, as the forecast counts them.
    pub params: f64,
    /// Training tokens D.
    pub tokens: f64,
    /// C, FLOPs.
    pub compute: f64,
    /// C over the largest compute of the evidence.
    pub extrapolation_factor: f64,
    /// Loss on average over runs, nats per token.
    pub loss: Ends,
    /// Loss of one run.
    pub one_run: Ends,
    /// What makes the loss of one run uncertain; absent where one law speaks alone.
    pub variance_of_ln: Option<Parts>,
    /// What each of the laws alone says of one run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_law: Vec<LawAhead>,
    /// Its loss, where it is known and was not looked at.
    pub found: Option<f64>,
}

/// What one law says of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LawAhead {
    /// Name of the law.
    pub name: String,
    /// Loss of one run.
    pub one_run: Ends,
}

impl LawAhead {
    /// What each law of a mixture says of a run at a place.
    pub(super) fn all(mixture: &Mixture, place: &Point, level: f64) -> Vec<Self> {
        let one = |(name, said): (&str, Predictive)| Self { name: name.to_owned(), one_run: Ends::of(&said.estimate(level), level) };
        mixture.one_run_by_law(place).into_iter().map(one).collect()
    }
}

/// A number with an interval; an end that is not bounded is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Point forecast.
    pub value: f64,
    /// Lower end of the interval; none where it is unbounded.
    pub low: Option<f64>,
    /// Upper end of the interval; none where it is unbounded.
    pub high: Option<f64>,
    /// Level of the interval.
    pub level: f64,
}

impl Ends {
    pub(super) fn of(one: &Estimate, level: f64) -> Self {
        let end = |value: f64| value.is_finite().then_some(value);
        Self { value: one.value, low: end(one.low()), high: end(one.high()), level }
    }

    /// Whether a value lies inside.
    pub fn holds(&self, value: f64) -> bool {
        self.value.is_finite() && self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }
}

/// Variance of ln L of one run, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// Of one run about the laws.
    pub noise: f64,
    /// By the coefficients of the laws.
    pub statistics: f64,
    /// Between the laws.
    pub between_laws: f64,
    /// By how far the record says that forecasts go wrong at this distance.
    pub discrepancy: f64,
    /// Degrees of freedom of Student's t.
    pub degrees: f64,
}

impl Parts {
    pub(super) fn of(one: &Predictive) -> Self {
        let Predictive { noise, statistics, between, discrepancy, degrees, .. } = *one;
        Self { noise, statistics, between_laws: between, discrepancy, degrees }
    }
}

/// The laws together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// Each law's name with its weight.
    pub weights: Vec<(String, f64)>,
    /// Their record, nearest cut first.
    pub origins: Vec<OriginTold>,
    /// Standard deviation of ln of compute by which forecasts go wrong, for each factor e of distance.
    pub discrepancy: f64,
    /// All of it in one line.
    pub told: String,
    /// Which laws say where optima lie, likewise; absent in documents of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optima_told: Option<String>,
    /// What the record does not reach.
    pub cautions: Vec<String>,
}

/// How laws fitted to the smaller of the runs forecast the larger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OriginTold {
    /// Largest compute that the laws saw, FLOPs.
    pub largest: f64,
    /// Runs below and above.
    pub runs: [usize; 2],
    /// Mean factor of compute of the runs above.
    pub factor: f64,
    /// Mean of forecast − found of ln L by the weighted laws.
    pub mean_error: f64,
    /// Root mean square error of ln L of each law, in the order of the weights.
    pub rms: Vec<f64>,
    /// The same of the frontier, where there is one below the cut.
    pub rms_of_frontier: Option<f64>,
}

impl Together {
    /// What a mixture is made of; `furthest` is the largest factor of compute that is forecast.
    pub fn of(mixture: &Mixture, furthest: f64) -> Self {
        let origin = |one: &crate::study::Origin| OriginTold {
            largest: one.largest,
            runs: one.runs,
            factor: one.ln_factor.exp(),
            mean_error: mixture.error_at(one).0,
            rms: one.errors.iter().map(|errors| errors.square.sqrt()).collect(),
            rms_of_frontier: mixture.frontier_rms(one),
        };
        Self {
            weights: mixture.weights().into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect(),
            origins: mixture.origins.iter().map(origin).collect(),
            discrepancy: mixture.drift.per_e,
            told: mixture.describe(),
            optima_told: Some(mixture.optima_text()),
            cautions: mixture.caution(furthest).into_iter().collect(),
        }
    }
}
