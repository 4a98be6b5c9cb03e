//! What the doctor looked at and what it found: sources, runs with their curves, findings.

use super::failure::Failure;
use super::names::results_of;
use super::source::{Source, SourceArgs, is_sweep};
use super::text::plural;
use crate::doctor::{Ailment, FEWEST_POINTS, Finding, diagnose_all};
use crate::spec::{CurvePoint, RunRecord};
use anyhow::anyhow;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was looked at and found; runs, curves and findings in one order.
pub(super) struct Examined {
    pub(super) sources: Vec<Source>,
    pub(super) records: Vec<RunRecord>,
    pub(super) curves: Vec<Vec<CurvePoint>>,
    pub(super) diagnosed: Vec<Diagnosed>,
}

/// A run with what was found.
#[derive(Serialize)]
pub(super) struct Diagnosed {
    pub(super) run: String,
    /// Points of its curve.
    pub(super) points: usize,
    pub(super) healthy: Option<bool>,
    pub(super) findings: Vec<Finding>,
}

impl Examined {
    /// Reads runs and diagnoses them; refused where none has a curve.
    pub(super) fn of(args: &SourceArgs) -> Result<Self, Failure> {
        let sources = sources(args)?;
        let (mut records, mut curves) = (Vec::new(), Vec::new());
        for source in &sources {
            for (record, curve) in source.records.iter().zip(source.whole_curves()?) {
                curves.push(if curve.is_empty() && source.folder.is_none() { of_trajectory(source, &record.run_id) } else { curve });
                records.push(record.clone());
            }
        }
        let found = diagnose_all(&records, &curves);
        let diagnosed: Vec<Diagnosed> =
            records.iter().zip(&curves).zip(found).map(|((record, curve), findings)| Diagnosed::of(record, curve, findings)).collect();
        if diagnosed.iter().all(|run| run.healthy.is_none()) {
            return Err(Failure::Input(anyhow!(
                "{}: no run has a curve of {FEWEST_POINTS} losses or more; a results folder keeps them in curves/ or curves.csv.gz, a table of curves has a column `step` and names its runs, where there are several, in a column `run`",
                place(&sources)
            )));
        }
        Ok(Self { sources, records, curves, diagnosed })
    }

    /// Where runs lie, in words.
    pub(super) fn place(&self) -> String {
        place(&self.sources)
    }
}

/// Every sweep that is named, and all else as one table.
fn sources(args: &SourceArgs) -> Result<Vec<Source>, Failure> {
    if args.paths.len() < 2 {
        return Ok(vec![args.read_curves()?]);
    }
    let named = args.paths.iter().map(|path| results_of(path, &args.folders.results));
    let (sweeps, others): (Vec<PathBuf>, Vec<PathBuf>) = named.partition(|path| is_sweep(path));
    let parts = sweeps.into_iter().map(|path| vec![path]).chain((!others.is_empty()).then_some(others));
    parts.map(|paths| args.of_paths(paths).read_curves()).collect()
}

/// Where runs lie, in words.
fn place(sources: &[Source]) -> String {
    match sources {
        [] => String::new(),
        [only] => only.path.display().to_string() + &only.choices,
        [first, others @ ..] => format!("{} and {}", first.path.display(), plural(others.len(), "other", "others")),
    }
}

impl Diagnosed {
    fn of(record: &RunRecord, curve: &[CurvePoint], findings: Vec<Finding>) -> Self {
        let points = curve.iter().filter(|point| point.train_loss_nats.is_some()).count();
        let sick = findings.iter().any(|finding| finding.fault);
        let healthy = (sick || points >= FEWEST_POINTS).then_some(!sick);
        Self { run: record.run_id.clone(), points, healthy, findings }
    }
}

/// The curve of a run of a foreign table: its losses alone.
fn of_trajectory(source: &Source, run: &str) -> Vec<CurvePoint> {
    let Some(trajectory) = source.trajectories.iter().find(|one| one.run == run) else {
        return Vec::new();
    };
    let tokens = || trajectory.points.iter().map(|point| point.1);
    // Steps as long as the shortest way from one row to the next, so that rows set apart evenly in ln D are not taken for even ones.
    let length = tokens().skip(1).zip(tokens()).map(|(after, before)| after - before).fold(f64::INFINITY, f64::min);
    let point = |&(_, tokens, loss): &(f64, f64, f64)| CurvePoint {
        step: (tokens / length).round() as u64,
        tokens: tokens as u64,
        train_loss_nats: Some(loss),
        ..CurvePoint::default()
    };
    trajectory.points.iter().map(point).collect()
}

/// How many runs are healthy, a line.
pub(super) fn counts(diagnosed: &[Diagnosed]) -> String {
    let count = |state: Option<bool>| diagnosed.iter().filter(|run| run.healthy == state).count();
    let text = format!("{}: {} healthy, {} sick", plural(diagnosed.len(), "run", "runs"), count(Some(true)), count(Some(false)));
    let unknown = count(None);
    text + &if unknown > 0 { format!(", {unknown} without a curve of {FEWEST_POINTS} losses") } else { String::new() }
}

/// What ails runs, faults before remarks and the gravest first, each with its runs.
pub(super) type ByAilment<'a> = BTreeMap<(bool, Ailment), Vec<(&'a Diagnosed, &'a Finding)>>;

pub(super) fn by_ailment(diagnosed: &[Diagnosed]) -> ByAilment<'_> {
    let mut all = ByAilment::new();
    for run in diagnosed {
        for finding in &run.findings {
            all.entry((!finding.fault, finding.ailment)).or_default().push((run, finding));
        }
    }
    all
}
