//! `scalelab doctor`: diagnoses of the runs of a sweep, from their curves.

use super::failure::{Failure, OrWork, Outcome};
use super::source::SourceArgs;
use super::text::table;
use crate::doctor::{FEWEST_POINTS, Finding, diagnose_all};
use crate::results::SweepFolder;
use crate::spec::{CurvePoint, RunRecord};
use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab doctor results/grid\n  scalelab doctor results/grid --where learning_rate=0.032\n  scalelab doctor curves.csv --json\n\n`scalelab explain ailment` lists what can ail a run."
)]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// A run with what was found.
#[derive(Serialize)]
struct Diagnosed {
    run: String,
    /// Points of its curve.
    points: usize,
    healthy: Option<bool>,
    findings: Vec<Finding>,
}

pub(super) fn run(args: &DoctorArgs) -> Outcome {
    let source = args.source.read()?;
    let kept = source.folder.as_ref().map(SweepFolder::curves);
    let mut curves = Vec::new();
    for record in &source.records {
        curves.push(match &kept {
            Some(kept) => kept.of(record)?.unwrap_or_default(),
            None => of_trajectory(&source, &record.run_id),
        });
    }
    let found = diagnose_all(&source.records, &curves);
    let diagnosed: Vec<Diagnosed> =
        source.records.iter().zip(&curves).zip(found).map(|((record, curve), findings)| Diagnosed::of(record, curve, findings)).collect();
    if diagnosed.iter().all(|run| run.healthy.is_none()) {
        return Err(Failure::Input(anyhow!(
            "{}: no run has a curve of {FEWEST_POINTS} losses or more; a results folder keeps them in curves/ or curves.csv.gz, a CSV of curves names its runs in a column `run`",
            source.path.display()
        )));
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&diagnosed).or_work()?);
    } else {
        print!("{}", render(&diagnosed));
    }
    Ok(())
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
fn of_trajectory(source: &super::source::Source, run: &str) -> Vec<CurvePoint> {
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

/// Findings by ailment, each with its runs, evidence, cause and change.
fn render(diagnosed: &[Diagnosed]) -> String {
    let count = |state: Option<bool>| diagnosed.iter().filter(|run| run.healthy == state).count();
    let mut text = format!("{} runs: {} healthy, {} sick", diagnosed.len(), count(Some(true)), count(Some(false)));
    let unknown = count(None);
    text += &if unknown > 0 { format!(", {unknown} without a curve of {FEWEST_POINTS} losses\n") } else { "\n".into() };
    let mut by_ailment: BTreeMap<_, Vec<(&Diagnosed, &Finding)>> = BTreeMap::new();
    for run in diagnosed {
        for finding in &run.findings {
            by_ailment.entry((finding.ailment, !finding.fault)).or_default().push((run, finding));
        }
    }
    for ((ailment, remark), found) in by_ailment {
        let (first, kind) = (found[0].1, if remark { " (a remark)" } else { "" });
        text += &format!(
            "\n{ailment}{kind}: {} of {} runs\n  likely cause: {}\n  what to change: {}\n",
            found.len(),
            diagnosed.len(),
            first.cause,
            first.change
        );
        let row = |(run, finding): &(&Diagnosed, &Finding)| {
            vec![run.run.clone(), finding.step.map_or("—".into(), |step| step.to_string()), finding.evidence.clone()]
        };
        text += &left_aligned(&found.iter().map(row).collect::<Vec<_>>());
    }
    text
}

/// Run, step and evidence; evidence reads from the left, so it stands outside the aligned columns.
fn left_aligned(rows: &[Vec<String>]) -> String {
    let heads: Vec<Vec<String>> = rows.iter().map(|row| row[..2].to_vec()).collect();
    let aligned = table(&["run", "step"], &heads);
    let mut lines = aligned.lines();
    let mut text = format!("{}  evidence\n", lines.next().unwrap_or_default());
    lines.zip(rows).for_each(|(line, row)| text += &format!("{line}  {}\n", row[2]));
    text
}
