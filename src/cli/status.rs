//! `scalelab status`: what of a sweep is done, and why the rest is not.

use super::Folders;
use super::failure::{Failure, Outcome};
use super::sweep::as_failure;
use super::text::{duration, table};
use crate::results::{SweepFolder, newest_sweep};
use crate::spec::{RunRecord, RunStatus};
use anyhow::anyhow;
use clap::Args;
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example:\n  scalelab status results/grid")]
pub(super) struct StatusArgs {
    /// Results folder of a sweep [default: the newest]
    folder: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Outcome {
    let folder = match &args.folder {
        Some(path) => SweepFolder::at(path),
        None => newest_sweep(&args.folders.results).map_err(as_failure)?,
    };
    let nothing = || Failure::Input(anyhow!("{} has no plan.csv: it is no results folder of a sweep", folder.path.display()));
    let plan = folder.plan().map_err(as_failure)?.ok_or_else(nothing)?;
    let (done, damaged) = folder.done().map_err(as_failure)?;
    let now = |record: &RunRecord| done.get(&record.run_id).map_or(RunStatus::Planned, |record| record.status);
    let counts: HashMap<RunStatus, usize> = plan.iter().fold(HashMap::new(), |mut counts, record| {
        *counts.entry(now(record)).or_default() += 1;
        counts
    });
    let count = |status| counts.get(&status).copied().unwrap_or(0);
    let seconds: f64 = done.values().filter_map(|record| record.wall_seconds).sum();
    if args.json {
        let runs: Vec<_> = plan.iter().map(|record| serde_json::json!({ "run_id": record.run_id, "status": now(record) })).collect();
        println!("{:#}", serde_json::json!({ "folder": folder.path, "runs": runs, "worker_seconds": seconds }));
        return Ok(());
    }
    println!(
        "{}: {} planned, {} finished, {} diverged, {} failed, {} to do; {} of worker time so far",
        folder.path.display(),
        plan.len(),
        count(RunStatus::Finished),
        count(RunStatus::Diverged),
        count(RunStatus::Failed),
        count(RunStatus::Planned),
        duration(seconds),
    );
    let rows: Vec<Vec<String>> = plan
        .iter()
        .filter(|record| now(record) != RunStatus::Finished)
        .map(|record| {
            let reason = done.get(&record.run_id).and_then(|record| record.diagnosis.clone());
            vec![record.run_id.clone(), now(record).to_string(), reason.unwrap_or_default()]
        })
        .collect();
    if !rows.is_empty() {
        print!("{}", table(&["run", "status", "reason"], &rows));
    }
    for (path, error) in &damaged {
        println!("damaged: {}: {error}", path.display());
    }
    Ok(())
}
