//! `scalelab sweep`: train what is missing of a grid, keep every result, gather the table.

use super::Folders;
use super::display::Display;
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::load::{Loaded, load};
use super::process::ProcessTrainer;
use crate::results::{FolderError, SweepFolder};
use crate::spec::{RunRecord, RunStatus};
use crate::sweep::{Change, LabOptions, LabSummary, Plan, PlannedRun, changes, run_plan};
use anyhow::anyhow;
use clap::Args;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab sweep sweeps/quick.toml --fit\n  scalelab sweep sweeps/grid.toml --fetch --workers 2\n\nA killed or interrupted sweep goes on where it was with the same command."
)]
pub(super) struct SweepArgs {
    /// Grid file
    grid: PathBuf,
    /// Worker processes [default: run.workers of the grid, or one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    workers: Option<u64>,
    /// Device to train on
    #[arg(long, default_value = "cpu")]
    device: String,
    #[command(flatten)]
    folders: Folders,
    /// Make a missing corpus first, with corpora/get.sh
    #[arg(long)]
    fetch: bool,
    /// Train these again: failed, diverged, or the name of a run
    #[arg(long, value_name = "WHICH")]
    retry: Vec<String>,
    /// Stop at the first run that fails, instead of going on with the others
    #[arg(long)]
    fail_fast: bool,
    /// Fit the laws and draw the figures when the sweep is complete, as `scalelab fit` does
    #[arg(long)]
    fit: bool,
}

/// Values of a changed field that are spelt out.
const VALUES_SHOWN: usize = 8;

pub(super) fn run(args: &SweepArgs) -> Outcome {
    check_device(&args.device)?;
    let loaded = load(&args.grid, args.fetch, args.workers)?;
    let retry = retries(&args.retry, &loaded.plan)?;
    let folder = SweepFolder::at(args.folders.results.join(&loaded.grid.name));
    let lock = folder.lock().map_err(as_failure)?;
    let (mut done, damaged) = folder.done().map_err(as_failure)?;
    for (path, error) in &damaged {
        eprintln!("damaged, its run is trained again: {}: {error}", path.display());
    }
    loaded.plan.check_against(&done).or_input()?;
    done.retain(|id, record| !retry.iter().any(|again| again.names(id, record)));
    let planned = loaded.plan.records();
    // A plan that cannot be read any more has nothing to compare with; it is written anew.
    let earlier = folder.plan().ok().flatten().unwrap_or_default();
    folder.write_plan(&planned).map_err(as_failure)?;
    say_what_changed(&loaded, &done);
    if !earlier.is_empty() {
        print!("{}", changes_as_text(&changes(&earlier, &planned)));
    }

    let missing: Vec<&PlannedRun> = loaded.plan.runs.iter().filter(|run| !done.contains_key(&run.id)).collect();
    let summary = if missing.is_empty() { LabSummary::default() } else { train_missing(args, &loaded, &folder, &missing)? };
    let (done, _) = folder.done().map_err(as_failure)?;
    folder.write_runs(&loaded.plan.gathered(&done)).map_err(as_failure)?;
    drop(lock);
    let failed = report(&loaded.plan, &done, &folder);
    if summary.not_run > 0 {
        let left = summary.not_run;
        return Err(Failure::Interrupted(format!(
            "interrupted with {left} runs left; what finished is kept, and the same command goes on"
        )));
    }
    if args.fit {
        println!();
        super::fit::run(&super::fit::FitArgs::of_sweep(&folder, &args.folders))?;
    } else {
        println!("next: scalelab fit {}", folder.path.display());
    }
    if failed > 0 {
        return Err(Failure::Work(anyhow!("{failed} runs failed")));
    }
    Ok(())
}

/// Workers to use: as asked, as the grid says, or one a core.
pub(super) fn worker_count(asked: Option<u64>, grid: Option<usize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map(|n| n as usize).or(grid).unwrap_or_else(cores)
}

fn check_device(device: &str) -> Outcome {
    #[cfg(feature = "train")]
    return device.parse::<crate::train::TrainDevice>().map(|_| ()).or_input();
    #[cfg(not(feature = "train"))]
    return Err(Failure::Input(anyhow!(
        "this build cannot train (on {device} or anything else): it lacks the feature `train`; build without --no-default-features"
    )));
}

fn train_missing(args: &SweepArgs, loaded: &Loaded, folder: &SweepFolder, missing: &[&PlannedRun]) -> Result<LabSummary, Failure> {
    let workers = loaded.workers.min(missing.len());
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(75);
        }
        eprintln!("stopping; interrupt again to stop at once");
    })
    .or_work()?;
    let display = Display::new(missing, workers);
    let trainer = ProcessTrainer::new(&args.device, workers);
    let options = LabOptions { workers, fail_fast: args.fail_fast };
    let outcome = run_plan(missing, folder, &trainer, options, &stop, &|event| display.show(&event));
    display.finish();
    outcome.map_err(as_failure)
}

/// What is trained again.
enum Retry {
    Status(RunStatus),
    Run(String),
}

impl Retry {
    fn names(&self, id: &str, record: &RunRecord) -> bool {
        match self {
            Self::Status(status) => record.status == *status,
            Self::Run(run) => run == id,
        }
    }
}

/// Reads every `--retry`; a name that no run of the plan has is refused.
fn retries(asked: &[String], plan: &Plan) -> Result<Vec<Retry>, Failure> {
    let read = |which: &String| match which.as_str() {
        "failed" => Ok(Retry::Status(RunStatus::Failed)),
        "diverged" => Ok(Retry::Status(RunStatus::Diverged)),
        id if plan.runs.iter().any(|run| run.id == id) => Ok(Retry::Run(id.to_owned())),
        other => Err(Failure::Input(anyhow!(
            "--retry {other}: say failed, diverged, or the name of a run of the plan (`scalelab status` lists them)"
        ))),
    };
    asked.iter().map(read).collect()
}

fn say_what_changed(loaded: &Loaded, done: &HashMap<String, RunRecord>) {
    let planned = loaded.plan.runs.len();
    let kept = loaded.plan.runs.iter().filter(|run| done.contains_key(&run.id)).count();
    let strangers = done.len() - kept;
    if kept == planned {
        println!("sweep {}: all {planned} runs are done", loaded.grid.name);
    } else if !done.is_empty() {
        println!("sweep {}: {planned} runs, {kept} done, {} to train", loaded.grid.name, planned - kept);
    }
    if strangers > 0 {
        println!("{strangers} runs of an earlier grid are not in this plan; their rows stay, last in runs.csv, and fits leave them out");
    }
}

/// A line for every field in which the grid differs from the one planned in this folder before.
fn changes_as_text(changes: &[Change]) -> String {
    let values = |values: &[String]| {
        let shown = values.iter().take(VALUES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = values.len().saturating_sub(VALUES_SHOWN);
        if more == 0 { shown } else { format!("{shown} and {more} more") }
    };
    let line = |Change { field, gone, new }: &Change| match (gone.is_empty(), new.is_empty()) {
        (true, _) => format!("  {field}: {} added\n", values(new)),
        (_, true) => format!("  {field}: {} gone\n", values(gone)),
        _ => format!("  {field}: {} instead of {}\n", values(new), values(gone)),
    };
    let lines: String = changes.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("the grid changed since this folder was planned:\n{lines}") }
}

/// Says what came of the plan; the number of failed runs.
fn report(plan: &Plan, done: &HashMap<String, RunRecord>, folder: &SweepFolder) -> usize {
    let count = |status| plan.runs.iter().filter(|run| done.get(&run.id).is_some_and(|record| record.status == status)).count();
    let (finished, diverged, failed) = (count(RunStatus::Finished), count(RunStatus::Diverged), count(RunStatus::Failed));
    println!("{finished} finished, {diverged} diverged, {failed} failed of {} planned: {}", plan.runs.len(), folder.runs_csv().display());
    if failed > 0 {
        println!("failed runs are trained again with --retry failed; `scalelab status {}` gives the reasons", folder.path.display());
    }
    failed
}

pub(super) fn as_failure(error: FolderError) -> Failure {
    match error {
        FolderError::Io { .. } | FolderError::Locked { .. } => Failure::Work(error.into()),
        FolderError::Table(_) | FolderError::NoSweep { .. } => Failure::Input(error.into()),
    }
}
