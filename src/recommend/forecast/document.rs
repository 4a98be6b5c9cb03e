//! What a law says of runs that nobody has trained yet, in a form that can be held against what comes: values with
//! intervals at several levels, the hashes of data, law and code behind them, and a seal over the whole.

use super::ahead::{Ends, RunAhead, Together};
use crate::fit::Estimate;
use crate::recommend::{Allocation, Range};
use crate::spec::{FlopRule, LossUnit, SizeMeasure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// Levels at which intervals are forecast.
pub const LEVELS: [f64; 3] = [0.5, 0.8, 0.95];

/// A forecast, as it is written before the runs that it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Format of the document; 0 before there were any.
    #[serde(default)]
    pub format: u32,
    /// The runs that it rests on, as they were named.
    pub source: String,
    /// The runs that its learning rate and batch rest on, where those are others.
    pub recipe_sources: Vec<String>,
    /// What computed it.
    pub code: Code,
    /// SHA-256 of the fitted numbers.
    pub data_sha256: String,
    /// The law that the forecast uses, with its coefficients.
    pub law: ForecastLaw,
    /// Runs that the law was fitted to.
    pub points: usize,
    /// What those runs span.
    pub evidence: Range,
    /// σ of ln L of one run at the loss that is forecast of the first budget.
    pub run_noise: f64,
    /// Where that comes from, in words.
    pub noise_source: String,
    /// How the law forecast the larger of its own runs from the smaller.
    #[serde(default)]
    pub record: Option<Record>,
    /// What is forecast.
    pub budgets: Vec<BudgetForecast>,
    /// What other laws forecast of the same networks.
    #[serde(default)]
    pub others: Vec<OtherLaw>,
    /// The laws together that say what losses to expect; absent where one law speaks alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Together>,
    /// Every run that is forecast: those asked for, then the networks of each budget, or its optimum where runs have no shapes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunAhead>,
    /// What is to be known of the law that speaks, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// SHA-256 of this document with this field empty.
    pub sha256: String,
}

/// What computed a forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Version of scalelab.
    pub version: String,
    /// SHA-256 of the program.
    pub program_sha256: String,
}

/// How a law fitted to the smaller of its runs forecast the larger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Largest compute above over the largest below.
    pub distance: f64,
    /// Runs above.
    pub runs: usize,
    /// Mean of forecast − loss, nats per token.
    pub bias_nats: f64,
    /// Root mean square of the same.
    pub rms_nats: f64,
}

/// What another law says of the networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherLaw {
    /// Name of the law.
    pub name: String,
    /// Coefficients by name.
    pub coefficients: BTreeMap<String, f64>,
    /// How it forecast the larger of its own runs.
    pub record: Option<Record>,
    /// Loss of one run of each network: budgets in their order, networks in theirs.
    pub losses: Vec<Vec<Predicted>>,
}

/// The law of a forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastLaw {
    /// Name of the law.
    pub name: String,
    /// What was minimised.
    pub estimator: String,
    /// Coefficients by name.
    pub coefficients: BTreeMap<String, f64>,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted.
    pub flop_rule: FlopRule,
    /// What losses are counted in; nats where nothing is said.
    #[serde(default, skip_serializing_if = "is_nats")]
    pub loss_unit: LossUnit,
    /// SHA-256 of the coefficients, as bits in the order of their names.
    pub sha256: String,
}

/// The unit that goes without saying.
fn is_nats(unit: &LossUnit) -> bool {
    *unit == LossUnit::Nats
}

impl ForecastLaw {
    /// SHA-256 of coefficients: each name, and its value as little-endian bits.
    pub fn hash_of(coefficients: &BTreeMap<String, f64>) -> String {
        let mut hash = Sha256::new();
        for (name, value) in coefficients {
            hash.update(name.as_bytes());
            hash.update(value.to_le_bytes());
        }
        format!("{:x}", hash.finalize())
    }
}

/// What is forecast of a compute budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetForecast {
    /// C, FLOPs.
    pub compute: f64,
    /// C over the largest compute of the evidence.
    pub extrapolation_factor: f64,
    /// N*.
    pub params: Predicted,
    /// D*.
    pub tokens: Predicted,
    /// L* on average over runs, nats per token.
    pub loss: Predicted,
    /// L* of one run.
    pub loss_of_a_run: Predicted,
    /// Peak learning rate.
    pub learning_rate: Option<Predicted>,
    /// Learning rates within the near-optimal band.
    pub learning_rate_range: Option<[f64; 2]>,
    /// Batch, tokens.
    pub batch_tokens: Option<Predicted>,
    /// Batches within the near-optimal band.
    pub batch_range: Option<[f64; 2]>,
    /// N*, D* and L* by IsoFLOP parabolas, where the runs have budgets.
    pub isoflop: Option<[Predicted; 3]>,
    /// Networks that can be built, at and beside the optimum.
    pub runs: Vec<RunForecast>,
}

/// What is forecast of a network at a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunForecast {
    /// Why it is here: optimum, half the size, twice the size, as asked.
    pub role: String,
    /// Layers x width.
    pub shape: String,
    /// Parameters N, as the forecast counts them.
    pub params: f64,
    /// Training tokens D.
    pub tokens: f64,
    /// Loss on average over runs, nats per token.
    pub loss: Predicted,
    /// Loss of one run.
    pub loss_of_a_run: Predicted,
}

/// A number with an interval at each level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Point forecast.
    pub value: f64,
    /// Intervals, narrow to wide.
    pub intervals: Vec<Band>,
}

/// An interval; an end that is not bounded is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Nominal level of the interval, such as 0.95.
    pub level: f64,
    /// Lower end of the interval; none where it is unbounded.
    pub low: Option<f64>,
    /// Upper end of the interval; none where it is unbounded.
    pub high: Option<f64>,
}

impl Band {
    /// Whether a value lies inside.
    pub fn holds(&self, value: f64) -> bool {
        self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }

    /// The same in another unit.
    fn times(self, factor: f64) -> Self {
        Self { low: self.low.map(|end| end * factor), high: self.high.map(|end| end * factor), ..self }
    }
}

impl Predicted {
    /// From the same number estimated at several levels; `None` without any. What has no level (a range of what was seen) is no
    /// interval.
    pub fn of(estimates: &[Estimate]) -> Option<Self> {
        let end = |value: f64| value.is_finite().then_some(value);
        let band = |one: &Estimate| Some(Band { level: one.level()?, low: end(one.low()), high: end(one.high()) });
        Some(Self { value: estimates.first()?.value, intervals: estimates.iter().filter_map(band).collect() })
    }

    /// The same in another unit.
    pub fn times(&self, factor: f64) -> Self {
        Self { value: self.value * factor, intervals: self.intervals.iter().map(|band| band.times(factor)).collect() }
    }
}

impl From<&Ends> for Predicted {
    fn from(one: &Ends) -> Self {
        Self { value: one.value, intervals: vec![Band { level: one.level, low: one.low, high: one.high }] }
    }
}

impl BudgetForecast {
    /// From allocations of one budget at several levels, and the networks that are forecast for it. `None` without any.
    pub fn of(allocations: &[Allocation], isoflop: Option<[Predicted; 3]>, runs: Vec<RunForecast>) -> Option<Self> {
        let first = allocations.first()?;
        let at =
            |pick: fn(&Allocation) -> Option<Estimate>| Predicted::of(&allocations.iter().map(pick).collect::<Option<Vec<Estimate>>>()?);
        let recipe = first.recipe.as_ref();
        Some(Self {
            compute: first.compute,
            extrapolation_factor: first.extrapolation_factor,
            params: at(|one| Some(one.params))?,
            tokens: at(|one| Some(one.tokens))?,
            loss: at(|one| Some(one.loss))?,
            loss_of_a_run: at(|one| Some(one.loss_of_a_run))?,
            learning_rate: at(|one| one.learning_rate),
            learning_rate_range: recipe.and_then(|recipe| recipe.learning_rate_range),
            batch_tokens: at(|one| one.batch_tokens),
            batch_range: recipe.and_then(|recipe| recipe.batch_range),
            isoflop,
            runs,
        })
    }
}

/// Why a forecast cannot be held against anything.
#[derive(Debug, Error)]
pub enum ForecastError {
    /// It is not a forecast.
    #[error("is no forecast of `scalelab forecast`: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Its seal is broken.
    #[error("was changed after it was made: its text has the SHA-256 {found}, it says {said}")]
    Broken {
        /// The hash of the text.
        found: String,
        /// The hash in it.
        said: String,
    },
}

impl Forecast {
    /// Who says what losses to expect: a law, or `auto`, the laws together.
    pub fn speaks(&self) -> &str {
        if self.mixture.is_some() { "auto" } else { &self.law.name }
    }

    /// How who speaks forecast the larger of its runs, where one law does.
    pub fn own_record(&self) -> Option<&Record> {
        self.record.as_ref().filter(|_| self.mixture.is_none())
    }

    /// The document, sealed: its last field is the hash of the rest.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string_pretty(&Self { sha256: String::new(), ..self.clone() })? + "\n";
        Ok(sealed(&text))
    }

    /// Reads a document and checks its seal.
    pub fn from_text(text: &str) -> Result<Self, ForecastError> {
        let read: Self = serde_json::from_str(text)?;
        is_sealed(text, &read.sha256).map(|()| read)
    }
}

/// A document with the hash of the rest in its last field.
pub(super) fn sealed(text: &str) -> String {
    text.replacen(OPEN, &closed(&hash(text)), 1)
}

/// Checks that a document is the one that was sealed.
pub(super) fn is_sealed(text: &str, said: &str) -> Result<(), ForecastError> {
    let found = hash(&text.replacen(&closed(said), OPEN, 1));
    if found == said { Ok(()) } else { Err(ForecastError::Broken { found, said: said.to_owned() }) }
}

/// The last field before it is filled; two spaces of indentation tell it from the hash of the law.
const OPEN: &str = "\n  \"sha256\": \"\"";

fn closed(seal: &str) -> String {
    format!("\n  \"sha256\": \"{seal}\"")
}

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
pub(in crate::recommend) mod tests {
    use super::*;
    use crate::fit::{FORMAT, Interval};

    pub(in crate::recommend) fn predicted(value: f64, half: f64) -> Predicted {
        let estimate = |&level: &f64| {
            let width = half * level;
            Estimate::new(value, half, [value - width, value + width], level, Interval::Profile)
        };
        Predicted::of(&LEVELS.iter().map(estimate).collect::<Vec<_>>()).expect("levels")
    }

    pub(in crate::recommend) fn example() -> Forecast {
        let coefficients: BTreeMap<String, f64> =
            [("E", 0.9), ("A", 18.0), ("B", 3800.0), ("alpha", 0.36), ("beta", 0.66)].map(|(name, x)| (name.to_owned(), x)).into();
        Forecast {
            made_at: "2026-01-02T03:04:05Z".into(),
            source: "results/x".into(),
            recipe_sources: Vec::new(),
            format: FORMAT,
            code: Code { version: "1".into(), program_sha256: "0".into() },
            data_sha256: "1".into(),
            law: ForecastLaw {
                name: "chinchilla".into(),
                estimator: "least-squares-log".into(),
                sha256: ForecastLaw::hash_of(&coefficients),
                coefficients,
                size_measure: SizeMeasure::Matmul,
                flop_rule: FlopRule::Exact,
                loss_unit: LossUnit::Nats,
            },
            points: 10,
            evidence: Range { params: [1e4, 1e5], tokens: [1e5, 1e6], compute: [1e11, 1e12] },
            run_noise: 0.005,
            noise_source: "seeds".into(),
            record: Some(Record { distance: 2.0, runs: 3, bias_nats: 0.01, rms_nats: 0.02 }),
            others: Vec::new(),
            mixture: None,
            runs: Vec::new(),
            warnings: Vec::new(),
            budgets: vec![BudgetForecast {
                compute: 3e12,
                extrapolation_factor: 3.0,
                params: predicted(1e5, 1e4),
                tokens: predicted(4e6, 1e5),
                loss: predicted(1.3, 0.01),
                loss_of_a_run: predicted(1.3, 0.02),
                learning_rate: Some(predicted(2e-3, 1e-3)),
                learning_rate_range: Some([1e-3, 4e-3]),
                batch_tokens: None,
                batch_range: None,
                isoflop: None,
                runs: Vec::new(),
            }],
            sha256: String::new(),
        }
    }

    #[test]
    fn a_sealed_forecast_comes_back_as_it_was_and_a_changed_one_does_not() {
        let text = example().to_text().expect("text");
        let read = Forecast::from_text(&text).expect("whole");
        assert_eq!(Forecast { sha256: String::new(), ..read.clone() }, example());
        assert_eq!(read.sha256.len(), 64);
        assert_eq!(read.to_text().expect("text"), text, "sealed again it is the same");
        let changed = text.replacen("1.3,", "1.31,", 1);
        assert!(changed != text && matches!(Forecast::from_text(&changed), Err(ForecastError::Broken { .. })));
        assert!(matches!(Forecast::from_text("{}"), Err(ForecastError::Unreadable(_))));
    }

    #[test]
    fn an_open_end_holds_everything_on_its_side() {
        let band = Band { level: 0.95, low: None, high: Some(2.0) };
        assert!(band.holds(-1e9) && band.holds(2.0) && !band.holds(2.1));
        let open = Estimate::new(1.0, 0.5, [f64::NEG_INFINITY, 2.0], 0.95, Interval::Delta);
        assert_eq!(Predicted::of(&[open]).expect("one").intervals, [band]);
        assert_eq!(Predicted::of(&[]), None);
        let range = Estimate::range(1.0, [0.0, 2.0]);
        assert_eq!(Predicted::of(&[range]).map(|one| one.intervals), Some(Vec::new()), "a range claims no coverage");
    }

    #[test]
    fn the_hash_of_a_law_is_that_of_its_bits() {
        let of = |x: f64| ForecastLaw::hash_of(&[("E".to_owned(), x)].into());
        assert_eq!(of(1.5), of(1.5));
        assert_ne!(of(1.5), of(1.5 + f64::EPSILON));
        // The letter E and 1.5 as eight little-endian bytes.
        let mut known = b"E".to_vec();
        known.extend(1.5f64.to_le_bytes());
        assert_eq!(of(1.5), format!("{:x}", Sha256::digest(&known)));
    }
}
