//! The laws of a study for a person: what speaks, what it rests on, and the laws side by side.

use super::estimates::{certificate, estimates};
use super::text::{as_compute, number, table};
use crate::fit::FittedLaw;
use crate::spec::LossUnit;
use crate::study::{Base, LawReport};

/// A law with its coefficients, or why it was not fitted.
pub(super) fn law_text(report: &LawReport) -> String {
    match &report.fitted {
        Ok(fitted) => fitted_text(fitted) + &report.base.as_ref().map_or(String::new(), base_text),
        Err(error) => format!("\n{} is not fitted: {error}\n", report.name),
    }
}

fn fitted_text(fitted: &FittedLaw) -> String {
    let head = format!("\n{}, {}; {}, {}\n", fitted.law.text(), fitted.evidence.loss_unit, fitted.estimator, fitted.status);
    head + &estimates(fitted) + &certificate(fitted)
}

fn base_text(base: &Base) -> String {
    let law = &base.law;
    format!(
        "  base law, held: E {} A {} B {} alpha {} beta {} ({})\n",
        number(law.e),
        number(law.a),
        number(law.b),
        number(law.alpha),
        number(law.beta),
        base.source
    )
}

/// The laws side by side.
pub(super) fn side_by_side(laws: &[LawReport]) -> String {
    let unit = laws.iter().find_map(|law| law.fitted.as_ref().ok()).map_or(LossUnit::Nats, |fitted| fitted.evidence.loss_unit);
    let rms = format!("forecast rms, {}", unit.short());
    let header = ["law", "", "coefficients", "objective", "rms", "AICc", &rms, "compute-equivalent error"];
    String::from(
        "\nthe laws side by side (AICc under least-squares-log; forecasts from the runs up to the earliest cut that can be fitted)\n",
    ) + &table(&header, &laws.iter().map(row).collect::<Vec<_>>())
}

fn row(report: &LawReport) -> Vec<String> {
    let Ok(fitted) = &report.fitted else {
        return [report.name, "not fitted"].into_iter().chain(["—"; 6]).map(str::to_owned).collect();
    };
    let furthest = report.rolling_origin.first();
    vec![
        report.name.to_owned(),
        fitted.status.to_string(),
        fitted.law.theta().len().to_string(),
        format!("{:.4e}", fitted.objective),
        format!("{:.2} %", 100.0 * fitted.diagnostics.residual_rms),
        report.criteria.as_ref().map_or("—".into(), |criteria| format!("{:.2}", criteria.aicc)),
        furthest.map_or("—".into(), |forecast| format!("{:.4}", forecast.rms_nats)),
        furthest.map_or("—".into(), |forecast| match (forecast.compute_equivalent, forecast.below_floor) {
            (Some(part), _) => as_compute(part),
            (None, 0) => "—".into(),
            (None, below) => format!("{below} of {} below its floor", forecast.runs[1]),
        }),
    ]
}
