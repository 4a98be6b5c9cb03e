//! The laws that were named: each fitted by the same estimator to the same runs, with criteria and forecasts of runs that it
//! did not see, so that they can stand side by side.

use super::prepare::seen_once;
use super::{Curves, StudyOptions};
use crate::fit::{Criteria, Fit, FitError, FitOptions, FittedLaw, Forecast, Search, criteria, fit, repeats, rolling_origin};
use crate::law::{Additive, AnyFormula, Chinchilla, DataConstrained, Evidence, Formula, Law, Variable, published};
use serde::Serialize;
use std::sync::Arc;

/// A law that was named, fitted or refused.
#[derive(Debug)]
pub struct LawReport {
    /// Name of the law, as `--law` takes it.
    pub name: &'static str,
    /// The fit, or why there is none.
    pub fitted: Result<FittedLaw, FitError>,
    /// How it compares with others (least squares of log loss alone).
    pub criteria: Option<Criteria>,
    /// Fits below a compute, scored above it.
    pub rolling_origin: Vec<Forecast>,
    /// The law of unrepeated data that it rests on.
    pub base: Option<Base>,
}

impl LawReport {
    /// Whether repeated runs refuse the law: lack of fit at the level of 5 %.
    pub fn is_refused(&self) -> bool {
        let test = self.criteria.as_ref().and_then(|criteria| criteria.lack_of_fit.as_ref());
        test.is_some_and(|test| test.p_value < 0.05)
    }
}

/// A law of unrepeated data that is held, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Base {
    /// Coefficients by name.
    #[serde(flatten)]
    pub law: Coefficients,
    /// Where the base law comes from, for a person.
    pub source: String,
}

/// Coefficients of the additive law under their names in files.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Coefficients {
    /// Floor E, nats per token.
    #[serde(rename = "E")]
    pub e: f64,
    /// A.
    #[serde(rename = "A")]
    pub a: f64,
    /// B.
    #[serde(rename = "B")]
    pub b: f64,
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
}

impl From<Chinchilla> for Coefficients {
    fn from(Chinchilla { e, a, b, alpha, beta }: Chinchilla) -> Self {
        Self { e, a, b, alpha, beta }
    }
}

/// Fits a formula to runs. Laws of repeated data see those that repeat; of all others each sees its data once, where own runs
/// say how often they did.
pub(super) fn report(
    formula: &Arc<dyn AnyFormula>,
    all: &Arc<Evidence>,
    once: &Arc<Evidence>,
    curves: &Curves,
    options: &StudyOptions,
) -> LawReport {
    let of_repeats = formula.variables().contains(&Variable::Unique);
    let evidence = if of_repeats { all } else { once };
    let fit_options = fit_options_for(options, evidence);
    let refused = |error| LawReport { name: formula.name(), fitted: Err(error), criteria: None, rolling_origin: Vec::new(), base: None };
    let (form, base) = match form(formula, evidence, &fit_options, options.base.as_deref()) {
        Ok(form) => form,
        Err(error) => return refused(error),
    };
    let fitted = match fit(&form, evidence.clone(), &fit_options).and_then(|fit| with_windows(fit, curves).at(options.level)) {
        Ok(fitted) => fitted,
        Err(error) => return refused(error),
    };
    LawReport {
        name: formula.name(),
        criteria: criteria(&fitted).ok(),
        // Beside other laws alone; of the law that speaks scrutiny tells more.
        rolling_origin: if options.laws.is_empty() { Vec::new() } else { forecasts(&form, evidence, fit_options) },
        fitted: Ok(fitted),
        base,
    }
}

/// The fit of a law of N and D with what all runs share through the held-out windows, where that is known.
fn with_windows(fit: Fit, curves: &Curves) -> Fit {
    match curves.windows_of(&fit.evidence.points) {
        Some(windows) if fit.law.may_advise() => fit.with_windows(&windows),
        _ => fit,
    }
}

fn forecasts(form: &Law, evidence: &Evidence, options: FitOptions) -> Vec<Forecast> {
    rolling_origin(form, evidence, &FitOptions { search: Search::VarproOnly, ..options }, &cuts(evidence))
}

/// The choices of a fit for evidence that may be very large.
pub(super) fn fit_options_for(options: &StudyOptions, evidence: &Evidence) -> FitOptions {
    let plain = options.fit_options();
    let large = options.checkpoints.is_some() && evidence.points.len() > super::MANY;
    if large { FitOptions { search: Search::VarproOnly, refits: 0, ..plain } } else { plain }
}

/// A form to be fitted, with what it rests on.
fn form(
    formula: &Arc<dyn AnyFormula>,
    evidence: &Evidence,
    options: &FitOptions,
    base: Option<&str>,
) -> Result<(Law, Option<Base>), FitError> {
    // By what it is: another law of unique tokens is fitted as it stands.
    if formula.name() == Formula::name(&DataConstrained { base: Chinchilla::default() }) {
        let (law, source) = base_law(evidence, options, base)?;
        return Ok((DataConstrained { base: law }.into(), Some(Base { law: law.into(), source })));
    }
    let formula = formula.over(&evidence.points).unwrap_or_else(|| formula.clone());
    Ok((Law::unfitted(formula), None))
}

/// The law of unrepeated data and where it comes from.
fn base_law(evidence: &Evidence, options: &FitOptions, base: Option<&str>) -> Result<(Chinchilla, String), FitError> {
    if !evidence.points.iter().any(repeats) {
        return Err(FitError::NoRepetition);
    }
    if let Some(law) = base.and_then(published) {
        return Ok((law.law, law.source.to_owned()));
    }
    let once: Vec<_> = evidence.points.iter().filter(|point| !repeats(point)).cloned().collect();
    let runs = once.len();
    let fitted = fit(&Additive.into(), evidence.with_points(once), &FitOptions { refits: 0, ..*options })?;
    let words = format!("fitted to the {runs} runs that see their data once; its own uncertainty is not in these intervals");
    Ok((Chinchilla::from_coefficients(fitted.law.theta()), words))
}

/// Computes below which laws are fitted and above which they are scored: an eighth, a quarter and half of the largest.
pub fn cuts(evidence: &Evidence) -> Vec<f64> {
    [8.0, 4.0, 2.0].map(|share| evidence.largest_compute() / share).into()
}

/// Evidence for laws of data seen once.
pub(super) fn once(all: &Arc<Evidence>, own: bool) -> Arc<Evidence> {
    if own { Arc::new(seen_once(Evidence::clone(all))) } else { all.clone() }
}
