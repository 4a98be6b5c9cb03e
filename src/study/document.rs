//! A study as a document for programs.

use super::whole::OfBudgets;
use super::{LawReport, Study};
use crate::fit::{Estimate, FORMAT, FittedLaw, Interpolator, IsoflopFit, Named};
use crate::law::Chinchilla;
use crate::spec::Nats;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Everything as one document; `recommendations` and `protocol` are what was made of it.
///
/// # Errors
/// Where a number cannot be written, which no number of ours can.
pub fn document(study: &Study, recommendations: &impl Serialize) -> serde_json::Result<Value> {
    let laws: Map<String, Value> = law_documents(study)?.into_iter().collect();
    Ok(json!({
        "format": FORMAT,
        "points": study.evidence.points.len(),
        "loss_unit": study.options.loss_unit,
        "reading": study.options.reading,
        "notes": study.notes,
        "memoriser": study.memoriser.map(|theory| json!({ "alpha": theory.alpha, "beta": theory.beta, "a": theory.growth() })),
        "lone_budget": study.lone_budget,
        "laws": laws,
        "robust": study.robust,
        "seed_noise": study.noise,
        "hyperparameters": study.hyperparameters,
        "scrutiny": study.scrutiny,
        "recommendations": recommendations,
    }))
}

/// Name and document of every law that was fitted, the one that speaks first.
///
/// # Errors
/// As of [`document`].
pub fn law_documents(study: &Study) -> serde_json::Result<Vec<(String, Value)>> {
    let mut laws = Vec::new();
    for report in &study.laws {
        if let Ok(fitted) = &report.fitted {
            laws.push((report.name.to_owned(), law_document(report, fitted)?));
        }
    }
    if let Some(fitted) = &study.isoflop {
        laws.push(("isoflop".to_owned(), isoflop_document(fitted, study.best_law(), study.bytes_per_token)?));
    }
    for (name, found) in &study.of_budgets {
        match found {
            Ok(OfBudgets::Profiles(fitted)) => laws.push(((*name).to_owned(), isoflop_document(fitted, None, study.bytes_per_token)?)),
            Ok(OfBudgets::Envelope(fitted)) => laws.push(((*name).to_owned(), serde_json::to_value(fitted)?)),
            Err(_) => {}
        }
    }
    Ok(laws)
}

fn law_document(report: &LawReport, fitted: &FittedLaw) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(fitted)?;
    value["criteria"] = serde_json::to_value(&report.criteria)?;
    value["rolling_origin"] = serde_json::to_value(&report.rolling_origin)?;
    if let Some(base) = &report.base {
        value["base"] = serde_json::to_value(base)?;
    }
    Ok(value)
}

/// What every entry has beside what is its own; profiles are minimised budget by budget and have no one objective. `surface` is
/// the law that takes away what parabolas err by, where it has additive optima.
///
/// # Errors
/// As of [`document`].
pub fn isoflop_document(fitted: &IsoflopFit, surface: Option<&FittedLaw>, bytes_per_token: Option<f64>) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(fitted)?;
    let loss_of_compute = fitted.loss_of_compute(fitted.params.level).ok();
    let law: Option<Chinchilla> = surface.and_then(|fitted| fitted.law.additive());
    let shared = json!({
        "format": FORMAT,
        "estimator": { "name": "least-squares" },
        "method": fitted.interpolator,
        "objective": Value::Null,
        "derived": {},
        "loss_of_compute_bits_per_byte": loss_of_compute.as_ref().zip(bytes_per_token).map(|(law, bytes)| in_bits_per_byte(law, bytes)),
        "loss_of_compute": loss_of_compute,
        "data_sha256": surface.map(|fitted| &fitted.data_sha256),
        "corrected": law.filter(|_| fitted.interpolator == Interpolator::Parabola).map(|law| fitted.corrected(&law)),
    });
    if let (Some(value), Value::Object(shared)) = (value.as_object_mut(), shared) {
        shared.into_iter().for_each(|(key, entry)| _ = value.entry(key).or_insert(entry));
    }
    Ok(value)
}

/// Coefficients of a law of compute with losses in bits per byte: E and A over ln 2 and the bytes of a token.
pub fn in_bits_per_byte(fitted: &FittedLaw, bytes_per_token: f64) -> Named<Estimate> {
    let factor = Nats(1.0).to_bits_per_byte(bytes_per_token).0;
    let one = |(name, estimate): (&str, &Estimate)| (name.to_owned(), if name == "alpha" { *estimate } else { estimate.times(factor) });
    Named(fitted.coefficients.iter().map(one).collect())
}
