//! `scalelab status`: what of a sweep is done, what runs right now, and why the rest is not done. Reads files alone, so
//! it works beside a running sweep and in a folder that cannot be written.

use super::expected::ExpectedEnds;
use super::failure::{Failure, Outcome};
use super::folders::Folders;
use super::names::results_of;
use super::progress::{Progress, RunState};
use super::pulse::now;
use super::status_text::{detailed, screen};
use super::watch;
use crate::doctor::Overfitting;
use crate::results::{FolderReader, SweepFolder, liveliest_sweep};
use crate::spec::RunRecord;
use crate::study::Curves;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Examples:\n  scalelab status results/grid\n  scalelab status quick --watch\n  scalelab status --details")]
pub(super) struct StatusArgs {
    /// Results folder of a sweep, or its name [default: the newest]
    folder: Option<PathBuf>,
    /// Show it live, until q is pressed, as `scalelab watch` does
    #[arg(long, conflicts_with_all = ["json", "details"])]
    watch: bool,
    /// List every run that is not finished, and all that is damaged
    #[arg(long, conflicts_with = "json")]
    details: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Folders")]
    folders: Folders,
}

pub(super) fn run(args: &StatusArgs) -> Outcome {
    if args.watch {
        return watch::show(args.folder.as_deref(), &args.folders.results);
    }
    let folder = match &args.folder {
        Some(path) => SweepFolder::at(results_of(path, &args.folders.results)),
        None => liveliest_sweep(&args.folders.results)?,
    };
    let contents = FolderReader::of(folder.clone()).look()?;
    if contents.plan.is_none() {
        return Err(Failure::Input(anyhow!("{} has no plan.csv: it is no results folder of a sweep", folder.path.display())));
    }
    if let Some(lost) = folder.lost_rows()? {
        eprintln!("damaged: {lost}");
    }
    let progress = Progress::of(&folder, contents, now());
    let overfitting = overfitting(&progress)?;
    let expected = expected(&progress);
    if args.json {
        println!("{:#}", as_json(&progress, &overfitting, &expected));
    } else if args.details {
        print!("{}", detailed(&progress, &overfitting));
    } else {
        print!("{}", screen(&progress, &overfitting, &expected));
    }
    Ok(())
}

/// What the runs at work will end at. A curve that cannot be read says nothing here; `scalelab doctor` names it.
fn expected(progress: &Progress) -> ExpectedEnds {
    if progress.alive.is_empty() {
        return ExpectedEnds::default();
    }
    let ended: Vec<RunRecord> = progress.contents.done.values().cloned().collect();
    let kept = progress.folder.curves();
    let curves: Vec<_> = ended.iter().map(|record| kept.of(record).ok().flatten().unwrap_or_default()).collect();
    ExpectedEnds::of(progress, &ended, &curves, |told| told.train_losses.clone())
}

/// Runs that memorise repeated data.
fn overfitting(progress: &Progress) -> Result<Vec<(String, Overfitting)>, Failure> {
    let mut finished: Vec<RunRecord> = progress.contents.done.values().cloned().collect();
    finished.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    let (kept, mut curves) = (progress.folder.curves(), Curves::default());
    for record in finished.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0)) {
        if let Some(curve) = kept.of(record)? {
            curves.training.insert(record.run_id.clone(), curve);
        }
    }
    Ok(curves.overfitting(&finished))
}

fn as_json(progress: &Progress, overfitting: &[(String, Overfitting)], expected: &ExpectedEnds) -> serde_json::Value {
    let run = |(record, state): &(&RunRecord, RunState)| {
        let running = progress.told_of(&record.run_id).filter(|_| *state == RunState::Running).map(|(_, run)| run);
        json!({
            "run_id": record.run_id,
            "status": state.to_string(),
            "reason": progress.contents.done.get(&record.run_id).and_then(|done| done.diagnosis.as_ref()),
            "worker": running.map(|run| run.worker),
            "step": running.map(|run| run.step),
            "steps": record.steps,
            "tokens_per_second": running.and_then(|run| run.tokens_per_second),
            "train_loss_nats": running.and_then(|run| run.train_loss_nats),
            "expected_final_loss_nats": expected.get(&record.run_id),
        })
    };
    let damaged: Vec<_> = progress.contents.damaged.iter().map(|(path, problem)| json!({ "file": path, "problem": problem })).collect();
    json!({
        "folder": progress.folder.path,
        "runs": progress.runs().iter().map(run).collect::<Vec<_>>(),
        "damaged": damaged,
        "overfitting": overfitting.iter().map(|(run, found)| json!({ "run_id": run, "found": found })).collect::<Vec<_>>(),
        "worker_seconds": progress.worker_seconds(),
        "elapsed_seconds": progress.elapsed(),
        "seconds_left": progress.seconds_left(),
    })
}
