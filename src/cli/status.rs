//! `scalelab status`: what of a sweep is done, what runs right now, and why the rest is not done. Reads files alone, so
//! it works beside a running sweep and in a folder that cannot be written.

use super::failure::{Failure, Outcome};
use super::folders::Folders;
use super::machine::{host, is_alive};
use super::names::results_of;
use super::pulse::now;
use super::text::{duration, table};
use crate::doctor::Overfitting;
use crate::results::{DamagedRun, Heartbeat, RunningRun, SweepFolder, newest_sweep};
use crate::spec::{RunRecord, RunStatus};
use crate::study::Curves;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example:\n  scalelab status results/grid")]
pub(super) struct StatusArgs {
    /// Results folder of a sweep, or its name [default: the newest]
    folder: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Folders")]
    folders: Folders,
}

/// Seconds without a heartbeat after which a driver on another machine counts as gone.
const SILENCE: u64 = 30;
/// Overfitting runs that are listed at most.
const MOST_TOLD: usize = 5;
/// Rows of runs that are listed at most.
const MOST_ROWS: usize = 50;

pub(super) fn run(args: &StatusArgs) -> Outcome {
    let folder = match &args.folder {
        Some(path) => SweepFolder::at(results_of(path, &args.folders.results)),
        None => newest_sweep(&args.folders.results)?,
    };
    let nothing = || Failure::Input(anyhow!("{} has no plan.csv: it is no results folder of a sweep", folder.path.display()));
    let plan = folder.plan()?.ok_or_else(nothing)?;
    let (done, damaged) = folder.done()?;
    if let Some(lost) = folder.lost_rows()? {
        eprintln!("damaged: {lost}");
    }
    let (alive, gone): (Vec<Heartbeat>, Vec<Heartbeat>) = folder.pulses().into_iter().partition(is_working);
    let mut finished: Vec<RunRecord> = done.values().cloned().collect();
    finished.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    let (kept, mut curves) = (folder.curves(), Curves::default());
    for record in finished.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0)) {
        if let Some(curve) = kept.of(record)? {
            curves.training.insert(record.run_id.clone(), curve);
        }
    }
    let overfitting = curves.overfitting(&finished);
    let status = Status { folder, plan, done, damaged, overfitting, alive, gone };
    if args.json {
        println!("{:#}", status.as_json());
    } else {
        print!("{}", status.as_text());
    }
    Ok(())
}

/// Everything that the files of a folder say.
struct Status {
    folder: SweepFolder,
    plan: Vec<RunRecord>,
    done: HashMap<String, RunRecord>,
    damaged: Vec<DamagedRun>,
    /// Runs that memorise repeated data.
    overfitting: Vec<(String, Overfitting)>,
    alive: Vec<Heartbeat>,
    /// Drivers that stopped without signing off.
    gone: Vec<Heartbeat>,
}

/// Whether a driver is at work: its process, where it is on this machine, else its last heartbeat.
fn is_working(pulse: &Heartbeat) -> bool {
    let here = host().is_some_and(|name| name == pulse.host);
    let recent = now().saturating_sub(pulse.written_at) < SILENCE;
    if here { is_alive(pulse.process).unwrap_or(recent) } else { recent }
}

impl Status {
    /// What a run is: an end, or running, or interrupted with a state to go on from, or planned.
    fn word(&self, record: &RunRecord) -> &'static str {
        match self.done.get(&record.run_id).map(|record| record.status) {
            Some(RunStatus::Finished) => "finished",
            Some(RunStatus::Diverged) => "diverged",
            Some(RunStatus::Failed) => "failed",
            Some(RunStatus::Planned) | None if self.running(&record.run_id).is_some() => "running",
            Some(RunStatus::Planned) | None if !self.folder.states(&record.run_id).is_empty() => "interrupted",
            Some(RunStatus::Planned) | None => "planned",
        }
    }

    fn running(&self, run_id: &str) -> Option<(&Heartbeat, &RunningRun)> {
        let of = |pulse: &'_ Heartbeat| pulse.running.iter().position(|run| run.run_id == run_id);
        self.alive.iter().find_map(|pulse| of(pulse).map(|at| (pulse, &pulse.running[at])))
    }

    /// What is known beside the word.
    fn detail(&self, record: &RunRecord) -> String {
        if let Some((pulse, run)) = self.running(&record.run_id) {
            let rate = run.tokens_per_second.map_or(String::new(), |rate| format!(", {:.1}k tokens/s", rate / 1e3));
            return format!(
                "worker {} of process {} on {}: step {} of {}{rate}",
                run.worker, pulse.process, pulse.host, run.step, run.steps
            );
        }
        if let Some(done) = self.done.get(&record.run_id) {
            return done.diagnosis.clone().unwrap_or_default();
        }
        let state = self.folder.states(&record.run_id).first().map(|state| state.step);
        state.map_or(String::new(), |step| format!("will resume from step {step} of {}", record.steps.unwrap_or(0)))
    }

    fn worker_seconds(&self) -> f64 {
        self.done.values().filter_map(|record| record.wall_seconds).sum()
    }

    /// Seconds until the last driver at work is through; none where nobody works.
    fn seconds_left(&self) -> Option<f64> {
        self.alive.iter().map(|pulse| pulse.seconds_left).max_by(f64::total_cmp)
    }

    fn words(&self) -> Vec<(&RunRecord, &'static str)> {
        self.plan.iter().map(|record| (record, self.word(record))).collect()
    }

    fn as_json(&self) -> serde_json::Value {
        let run = |(record, word): &(&RunRecord, &str)| {
            let running = self.running(&record.run_id).map(|(_, run)| run);
            json!({
                "run_id": record.run_id,
                "status": word,
                "reason": self.done.get(&record.run_id).and_then(|done| done.diagnosis.as_ref()),
                "worker": running.map(|run| run.worker),
                "step": running.map(|run| run.step),
                "steps": record.steps,
                "tokens_per_second": running.and_then(|run| run.tokens_per_second),
            })
        };
        let damaged: Vec<_> = self.damaged.iter().map(|(path, error)| json!({ "file": path, "problem": error.to_string() })).collect();
        json!({
            "folder": self.folder.path,
            "runs": self.words().iter().map(run).collect::<Vec<_>>(),
            "damaged": damaged,
            "overfitting": self.overfitting.iter().map(|(run, found)| json!({ "run_id": run, "found": found })).collect::<Vec<_>>(),
            "worker_seconds": self.worker_seconds(),
            "seconds_left": self.seconds_left(),
        })
    }

    fn as_text(&self) -> String {
        let words = self.words();
        let count = |wanted: &str| words.iter().filter(|(_, word)| *word == wanted).count();
        let counted = |wanted: &str| Some((count(wanted), wanted)).filter(|(n, _)| *n > 0).map(|(n, word)| format!(", {n} {word}"));
        let others: String = ["running", "interrupted"].into_iter().filter_map(counted).collect();
        let mut text = format!(
            "{}: {} runs: {} finished, {} diverged, {} failed{others}, {} planned; {} of worker time so far\n",
            self.folder.path.display(),
            words.len(),
            count("finished"),
            count("diverged"),
            count("failed"),
            count("planned"),
            duration(self.worker_seconds()),
        );
        if let Some(seconds) = self.seconds_left() {
            text += &format!("about {} left\n", duration(seconds));
        }
        let open: Vec<&(&RunRecord, &str)> = words.iter().filter(|(_, word)| *word != "finished").collect();
        let row = |(record, word): &&(&RunRecord, &str)| vec![record.run_id.clone(), (*word).to_owned(), self.detail(record)];
        let rows: Vec<Vec<String>> = open.iter().take(MOST_ROWS).map(row).collect();
        if !rows.is_empty() {
            text += &table(&["run", "status", ""], &rows);
        }
        if open.len() > MOST_ROWS {
            text += &format!("  … and {} more; --json lists all\n", open.len() - MOST_ROWS);
        }
        for (run, found) in self.overfitting.iter().take(MOST_TOLD) {
            text += &format!("{run} {found}\n");
        }
        if self.overfitting.len() > MOST_TOLD {
            text += &format!("and {} more runs overfit; --json lists all\n", self.overfitting.len() - MOST_TOLD);
        }
        for pulse in &self.gone {
            let silence = duration(now().saturating_sub(pulse.written_at) as f64);
            text += &format!(
                "the driver that was process {} on {} stopped responding (last heartbeat {silence} ago); run the same sweep command again to resume\n",
                pulse.process, pulse.host
            );
        }
        for (path, error) in &self.damaged {
            text += &format!("damaged, its run counts as not done: {}: {error}\n", path.display());
        }
        if !self.damaged.is_empty() {
            text += &format!(
                "`scalelab repair {}` mends what can be mended; the next sweep trains the rest again\n",
                self.folder.path.display()
            );
        }
        text
    }
}
