//! How far a sweep has come, by what its files say at one moment: which runs ended, which are at work, what is left.

use super::machine::{host, is_alive};
use super::names::grid_text;
use crate::results::{FolderContents, Heartbeat, RunningRun, SweepFolder};
use crate::spec::{RunRecord, RunStatus};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Seconds without a heartbeat after which a driver on another machine counts as gone.
const SILENCE: u64 = 30;

/// How far a sweep has come.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) folder: SweepFolder,
    /// What the files of the plan and of its runs say.
    pub(super) contents: FolderContents,
    /// The latest step of every run that left a state.
    pub(super) states: HashMap<String, u64>,
    /// Drivers that are at work now.
    pub(super) alive: Vec<Heartbeat>,
    /// Drivers that stopped without signing off.
    pub(super) gone: Vec<Heartbeat>,
    /// The moment, seconds since 1970.
    pub(super) now: u64,
}

/// What a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum RunState {
    Finished,
    Diverged,
    Failed,
    Running,
    /// It left a state to resume from.
    Interrupted,
    Planned,
}

impl RunState {
    pub(super) const ALL: [Self; 6] = [Self::Finished, Self::Diverged, Self::Failed, Self::Running, Self::Interrupted, Self::Planned];
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Planned => "planned",
        })
    }
}

impl Progress {
    /// What the files say at a moment, beside what was read of the plan and its runs.
    pub(super) fn of(folder: &SweepFolder, contents: FolderContents, now: u64) -> Self {
        let (alive, gone) = folder.pulses().into_iter().partition(|pulse| is_working(pulse, now));
        Self { folder: folder.clone(), contents, states: folder.latest_states(), alive, gone, now }
    }

    /// Rows of the plan.
    pub(super) fn plan(&self) -> &[RunRecord] {
        self.contents.plan.as_ref().map_or(&[], |plan| plan)
    }

    /// Every run of the plan with what it is.
    pub(super) fn runs(&self) -> Vec<(&RunRecord, RunState)> {
        let running: HashSet<&str> = self.running().map(|(_, run)| run.run_id.as_str()).collect();
        let state = |run: &RunRecord| match self.contents.done.get(&run.run_id).map(|done| done.status) {
            Some(RunStatus::Finished) => RunState::Finished,
            Some(RunStatus::Diverged) => RunState::Diverged,
            Some(RunStatus::Failed) => RunState::Failed,
            Some(RunStatus::Planned) | None if running.contains(run.run_id.as_str()) => RunState::Running,
            Some(RunStatus::Planned) | None if self.states.contains_key(&run.run_id) => RunState::Interrupted,
            Some(RunStatus::Planned) | None => RunState::Planned,
        };
        self.plan().iter().map(|run| (run, state(run))).collect()
    }

    /// Runs that a worker is at, with who tells it.
    pub(super) fn running(&self) -> impl Iterator<Item = (&Heartbeat, &RunningRun)> {
        self.alive.iter().flat_map(|pulse| pulse.running.iter().map(move |run| (pulse, run)))
    }

    /// What a driver tells of a run.
    pub(super) fn told_of(&self, run_id: &str) -> Option<(&Heartbeat, &RunningRun)> {
        self.running().find(|(_, run)| run.run_id == run_id)
    }

    /// Runs of the plan that ended, the last first.
    pub(super) fn ended(&self) -> Vec<&RunRecord> {
        let mut ended: Vec<&RunRecord> = self.plan().iter().filter_map(|run| self.contents.done.get(&run.run_id)).collect();
        ended.sort_by_cached_key(|record| (Reverse(self.ended_at(record)), record.run_id.clone()));
        ended
    }

    /// When a run ended, seconds since 1970: by its row, which counts time before an interruption twice, or by its file, which a
    /// copy makes young.
    fn ended_at(&self, record: &RunRecord) -> Option<u64> {
        let written = self.contents.written_at.get(&record.run_id).copied();
        let begun = record.started_at.as_deref().and_then(|text| humantime::parse_rfc3339(text).ok());
        let begun = begun.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs());
        let by_row = begun.zip(record.wall_seconds).map(|(begun, seconds)| begun + seconds.max(0.0) as u64);
        [written, by_row].into_iter().flatten().min()
    }

    /// Seconds of all workers that went into runs that ended.
    pub(super) fn worker_seconds(&self) -> f64 {
        self.contents.done.values().filter_map(|record| record.wall_seconds).fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Seconds until the last driver at work is through; none where nobody works.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let left = |pulse: &Heartbeat| pulse.seconds_left - self.now.saturating_sub(pulse.written_at) as f64;
        self.alive.iter().map(left).max_by(f64::total_cmp).map(|seconds| seconds.max(0.0))
    }

    /// Seconds since the first of the drivers at work began, where they tell it.
    pub(super) fn elapsed(&self) -> Option<u64> {
        self.alive.iter().filter_map(|pulse| pulse.started_at).min().map(|start| self.now.saturating_sub(start))
    }

    /// The command that trains what is left; none where the grid's file is not known.
    pub(super) fn sweep_command(&self) -> Option<String> {
        let name = self.plan().first()?.sweep.as_deref()?;
        let (results, own) = (self.folder.path.parent()?, self.folder.path.file_name()?);
        if own != name || grid_text(Path::new(name)).is_err() {
            return None;
        }
        let elsewhere = if results == Path::new("results") { String::new() } else { format!(" --results {}", results.display()) };
        Some(format!("scalelab sweep {name}{elsewhere}"))
    }

    /// The same, or how to find it.
    pub(super) fn sweep_words(&self, flags: &str) -> String {
        match self.sweep_command() {
            Some(command) => format!("{command}{flags}"),
            None => format!("the same `scalelab sweep GRID`{flags} again"),
        }
    }
}

/// Whether a driver is at work: its process, where it is on this machine, else its last heartbeat.
fn is_working(pulse: &Heartbeat, now: u64) -> bool {
    let here = host().is_some_and(|name| name == pulse.host);
    let recent = now.saturating_sub(pulse.written_at) < SILENCE;
    if here { is_alive(pulse.process).unwrap_or(recent) } else { recent }
}
