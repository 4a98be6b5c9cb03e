//! The laws that `fit --law` names: each fitted by the same estimator to the same runs, told of in the same words, and
//! compared by AICc (least squares of log loss) and by how each forecasts runs that it did not see.

use super::estimates::{certificate, estimates};
use super::failure::{Failure, OrWork};
use super::text::{number, table};
use crate::fit::{
    Criteria, FitError, FitOptions, Fittable, FittedLaw, Forecast, Named, Search, chinchilla, criteria, fit, repeats, rolling_origin,
};
use crate::law::{Axis, Chinchilla, DataConstrained, Evidence, Gamma, Kaplan, PowerLaw, ThreeTerm, published};
use serde::Serialize;
use serde_json::{Value, json};
use std::str::FromStr;

/// A law by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LawName {
    Chinchilla,
    Gamma,
    Kaplan,
    Power(Axis, bool),
    DataConstrained,
    ThreeTerm,
    Isoflop,
    IsoflopAkima,
    Envelope,
}

/// Every name there is.
const NAMES: [(&str, LawName); 14] = [
    ("chinchilla", LawName::Chinchilla),
    ("gamma", LawName::Gamma),
    ("kaplan", LawName::Kaplan),
    ("power-n", LawName::Power(Axis::N, true)),
    ("power-d", LawName::Power(Axis::D, true)),
    ("power-c", LawName::Power(Axis::C, true)),
    ("power-n-no-floor", LawName::Power(Axis::N, false)),
    ("power-d-no-floor", LawName::Power(Axis::D, false)),
    ("power-c-no-floor", LawName::Power(Axis::C, false)),
    ("data-constrained", LawName::DataConstrained),
    ("three-term", LawName::ThreeTerm),
    ("isoflop", LawName::Isoflop),
    ("isoflop-akima", LawName::IsoflopAkima),
    ("envelope", LawName::Envelope),
];

impl FromStr for LawName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || NAMES.map(|(name, _)| name).join(", ");
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, law)| *law)
            .ok_or_else(|| format!("there is no law of this name; choose from {}", all()))
    }
}

impl LawName {
    /// Whether it is one of the analyses of budgets, which are no formula of L at a point.
    pub(super) fn is_of_budgets(self) -> bool {
        matches!(self, Self::Isoflop | Self::IsoflopAkima | Self::Envelope)
    }
}

/// A law that was fitted, or why it was not.
pub(super) struct Told {
    /// Its name.
    pub(super) name: String,
    /// What a person reads.
    pub(super) text: String,
    /// What a program reads; null where there is no fit.
    pub(super) json: Value,
    /// Its line in the comparison.
    row: Vec<String>,
    /// Whether it was fitted.
    pub(super) fitted: bool,
}

/// Fits the formulas among `names`. `base` is the law of unrepeated data that the data-constrained law rests on, by the
/// name under which it was published; without one it is fitted to the runs that see their data once.
pub(super) fn tell(names: &[LawName], evidence: &Evidence, options: &FitOptions, base: Option<&str>) -> Result<Vec<Told>, Failure> {
    let formulas = names.iter().filter(|name| !name.is_of_budgets());
    formulas
        .map(|name| match *name {
            LawName::Gamma => told(&Gamma::default(), &[("a", |law| law.frontier().params_exponent())], evidence, options),
            LawName::Kaplan => told(&Kaplan::default(), &[("a", Kaplan::params_exponent)], evidence, options),
            LawName::Power(axis, floor) => told(&PowerLaw::form(axis, floor), &[], evidence, options),
            LawName::ThreeTerm => told(&ThreeTerm::default(), &[], evidence, options),
            LawName::DataConstrained => match base_law(evidence, options, base) {
                Ok((law, words)) => told(&DataConstrained::on(law), &[], evidence, options).map(|told| told.resting_on(law, &words)),
                Err(error) => Ok(Told::refused("data-constrained", &error)),
            },
            _ => told(&Chinchilla::default(), &[("a", Chinchilla::params_exponent), ("b", Chinchilla::tokens_exponent)], evidence, options),
        })
        .collect()
}

/// Compute above which forecasts are scored: an eighth, a quarter and a half of the largest.
pub(super) fn cuts(evidence: &Evidence) -> Vec<f64> {
    let largest = evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    [8.0, 4.0, 2.0].map(|share| largest / share).into()
}

/// Quantities that follow from a law, with their names.
type Derived<L> = (&'static str, fn(&L) -> f64);

fn told<L: Fittable + Serialize>(form: &L, derived: &[Derived<L>], evidence: &Evidence, options: &FitOptions) -> Result<Told, Failure> {
    let mut fitted = match fit(form, evidence, options) {
        Ok(fitted) => fitted,
        Err(error) => return Ok(Told::refused(&form.name(), &error)),
    };
    fitted.derived = Named(derived.iter().map(|(name, of)| ((*name).to_owned(), fitted.derive(of))).collect());
    let criteria = criteria(&fitted, evidence).ok();
    let forecasts = rolling_origin(form, evidence, &FitOptions { search: Search::VarproOnly, ..*options }, &cuts(evidence));
    let mut json = serde_json::to_value(&fitted).or_work()?;
    if let Some(json) = json.as_object_mut() {
        json.insert("formula".into(), form.formula().into());
        json.insert("criteria".into(), serde_json::to_value(&criteria).or_work()?);
        json.insert("rolling_origin".into(), serde_json::to_value(&forecasts).or_work()?);
    }
    let text = format!("\n{}, nats per token; {}, {}\n", form.formula(), fitted.estimator, fitted.status);
    let text = text + &estimates(&fitted) + &certificate(&fitted);
    Ok(Told { name: fitted.name.clone(), text, json, row: row(&fitted, criteria.as_ref(), &forecasts), fitted: true })
}

fn row<L: Fittable>(fitted: &FittedLaw<L>, criteria: Option<&Criteria>, forecasts: &[Forecast]) -> Vec<String> {
    let mut row = vec![
        fitted.name.clone(),
        fitted.status.to_string(),
        fitted.coefficients.0.len().to_string(),
        format!("{:.4e}", fitted.objective),
        format!("{:.2} %", 100.0 * fitted.diagnostics.residual_rms),
        criteria.map_or("—".into(), |criteria| format!("{:.2}", criteria.aicc)),
    ];
    let furthest = forecasts.first();
    row.push(furthest.map_or("—".into(), |forecast| format!("{:.4}", forecast.rms_nats)));
    row.push(furthest.and_then(|forecast| forecast.compute_equivalent).map_or("—".into(), |part| format!("{:+.0} %", 100.0 * part)));
    row
}

/// The law of unrepeated data and where it comes from.
fn base_law(evidence: &Evidence, options: &FitOptions, base: Option<&str>) -> Result<(Chinchilla, String), FitError> {
    let (repeated, once): (Vec<_>, Vec<_>) = evidence.points.iter().cloned().partition(repeats);
    if repeated.is_empty() {
        return Err(FitError::NoRepetition);
    }
    if let Some(law) = base.and_then(published) {
        return Ok((law.law, law.source.to_owned()));
    }
    let runs = once.len();
    let fitted = chinchilla(&evidence.with_points(once), &FitOptions { refits: 0, ..*options })?;
    Ok((fitted.law, format!("fitted to the {runs} runs that see their data once; its own uncertainty is not in these intervals")))
}

impl Told {
    /// A fit that has no line in a comparison of formulas.
    pub(super) fn new(name: &str, text: String, json: Value) -> Self {
        Self { name: name.to_owned(), text, json, row: Vec::new(), fitted: true }
    }

    /// A law that was not fitted.
    pub(super) fn refused(name: &str, error: &FitError) -> Self {
        let row = vec![name.to_owned(), "not fitted".into()].into_iter().chain(vec!["—".to_owned(); 6]).collect();
        Self { name: name.to_owned(), text: format!("\n{name} is not fitted: {error}\n"), json: Value::Null, row, fitted: false }
    }

    fn resting_on(mut self, base: Chinchilla, words: &str) -> Self {
        let Chinchilla { e, a, b, alpha, beta } = base;
        self.text += &format!(
            "  base law, held: E {} A {} B {} alpha {} beta {} ({words})\n",
            number(e),
            number(a),
            number(b),
            number(alpha),
            number(beta)
        );
        if let Some(json) = self.json.as_object_mut() {
            json.insert("base".into(), json!({ "E": e, "A": a, "B": b, "alpha": alpha, "beta": beta, "source": words }));
        }
        self
    }
}

/// The laws side by side.
pub(super) fn comparison(laws: &[Told]) -> String {
    let header = ["law", "", "coefficients", "objective", "rms", "AICc", "forecast rms, nats", "as compute"];
    let rows: Vec<Vec<String>> = laws.iter().map(|law| law.row.clone()).collect();
    String::from(
        "\nthe laws side by side (AICc under least-squares-log; forecasts from the runs up to the earliest cut that can be fitted)\n",
    ) + &table(&header, &rows)
}
