//! A certificate of runs: over compute through the minima of budgets, else over the one variable in which the runs differ.

use super::budgets::parabolas;
use super::prepare::{one_tokenizer, seen_once};
use super::{Curves, StudyError, StudyOptions, prepare};
use crate::fit::{Certificate, CertificateOptions, IsoflopProfile, Place, Places, certify, check_level, only_variable};
use crate::law::Axis;
use crate::spec::{RunRecord, RunStatus};
use serde::Serialize;

/// A certificate, and what it is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certified {
    /// What x is.
    pub variable: &'static str,
    /// Unit of the variable, in the plural.
    pub unit: &'static str,
    /// What the losses are of.
    pub of: Losses,
    /// What the class says.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// What a reader must know, in words.
    pub notes: Vec<String>,
}

/// What the losses of a certificate are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Losses {
    /// The minima of IsoFLOP profiles: L*(C).
    Minima,
    /// Runs that differ in one variable.
    Runs,
}

/// Losses at places with what they are about.
struct Measured {
    axis: Axis,
    of: Losses,
    places: Places,
    notes: Vec<String>,
}

/// The certificate of runs. `noise` is the share of the loss by which one run scatters, where it is known; without it the
/// profiles' own scatter counts, or the spread of runs at one place.
///
/// # Errors
/// Where the runs differ in N and in D and form no budgets, nothing tells their noise, or they cannot stand in one law.
pub fn certified(records: &[RunRecord], options: &StudyOptions, noise: Option<f64>) -> Result<Certified, StudyError> {
    check_level(options.level)?;
    one_tokenizer(records)?;
    let Measured { axis, of, places, notes } = match lone_losses(records) {
        Some((axis, losses)) => Measured { axis, of: Losses::Runs, places: Places::of_runs(&losses, noise)?, notes: options.notes.clone() },
        None => measured(records, options, noise)?,
    };
    let asked = CertificateOptions { level: options.level, ..CertificateOptions::default() };
    let (variable, unit) = match axis {
        Axis::N => ("N", "parameters"),
        Axis::D => ("D", "tokens"),
        Axis::C => ("C", "FLOPs"),
    };
    Ok(Certified { variable, unit, of, certificate: certify(places, &asked)?, notes })
}

/// (x, loss) of a table that has but one of params, tokens and FLOPs.
fn lone_losses(records: &[RunRecord]) -> Option<(Axis, Vec<(f64, f64)>)> {
    let of = |axis, pick: fn(&RunRecord) -> Option<f64>| {
        let losses: Vec<(f64, f64)> = records
            .iter()
            .filter(|record| record.status == RunStatus::Finished)
            .filter_map(|record| Some((pick(record)?, record.loss_nats?.0)))
            .collect();
        (!losses.is_empty()).then_some((axis, losses))
    };
    let found = [
        of(Axis::N, |record| record.params_total.map(|n| n.0)),
        of(Axis::D, |record| record.tokens.map(|d| d.0)),
        of(Axis::C, |record| record.flops_exact.map(|c| c.0)),
    ];
    let mut found = found.into_iter().flatten();
    found.next().filter(|_| found.next().is_none())
}

/// Losses at the minima of budgets, or over the one variable that is not constant.
fn measured(records: &[RunRecord], options: &StudyOptions, noise: Option<f64>) -> Result<Measured, StudyError> {
    let prepared = prepare(records, &Curves::default(), options)?;
    let (evidence, notes) = (seen_once(prepared.evidence), prepared.notes);
    let profiles = parabolas(&evidence, options);
    if let Some(Ok(found)) = &profiles {
        return Ok(Measured { axis: Axis::C, of: Losses::Minima, places: minima(&found.profiles, noise), notes });
    }
    let refusal = profiles.and_then(Result::err);
    let axis = only_variable(&evidence.points).ok_or(StudyError::SeveralVariables(refusal))?;
    let losses: Vec<(f64, f64)> = evidence.points.iter().map(|point| (axis.of(point), point.loss)).collect();
    Ok(Measured { axis, of: Losses::Runs, places: Places::of_runs(&losses, noise)?, notes })
}

/// The minima of profiles with their errors, by what their runs scatter or by a noise that is known.
pub(super) fn minima(profiles: &[IsoflopProfile], noise: Option<f64>) -> Places {
    let factor = |profile: &IsoflopProfile| noise.map_or(1.0, |noise| noise / profile.scatter);
    let place = |profile: &IsoflopProfile| {
        let se = profile.loss_se.unwrap_or(f64::INFINITY) * factor(profile);
        Place { x: profile.compute, runs: profile.points, loss: profile.loss, se }
    };
    let degrees = profiles.first().filter(|_| noise.is_none()).map_or(f64::INFINITY, |profile| profile.degrees);
    Places { places: profiles.iter().map(place).collect(), degrees }
}
