//! The lab: workers over a queue, the longest run first. A run that fails is a record, not a crash;
//! what finished is on disk before the next run starts.

use super::plan::PlannedRun;
use crate::results::{FolderError, SweepFolder};
use crate::spec::{Progress, RunRecord, RunSpec, RunStatus, TrainedRun};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Why a run yielded nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFailure {
    /// Its worker died or refused; the sweep records this and goes on.
    Failed(String),
    /// It was asked to stop; nothing is recorded.
    Interrupted,
}

/// Whoever can execute one run.
pub trait Trainer: Sync {
    /// Executes `spec` on worker number `worker`, telling `observer` now and then; `Break` asks it to stop.
    fn train(
        &self,
        worker: usize,
        spec: &RunSpec,
        observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<TrainedRun, RunFailure>;
}

/// What an observer of the lab hears.
#[derive(Debug, Clone, PartialEq)]
pub enum LabEvent<'a> {
    /// A worker took a run.
    Started {
        /// Number of the worker, from 0.
        worker: usize,
        /// The run.
        run: &'a PlannedRun,
    },
    /// A run moved on.
    Moved {
        /// Number of the worker.
        worker: usize,
        /// The run.
        run: &'a PlannedRun,
        /// How far it is.
        progress: Progress,
    },
    /// A run ended and its row is on disk.
    Ended {
        /// Number of the worker.
        worker: usize,
        /// The run.
        run: &'a PlannedRun,
        /// Its row.
        record: &'a RunRecord,
    },
}

/// How a lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabOptions {
    /// Workers at once.
    pub workers: usize,
    /// Whether the first failed run stops the sweep.
    pub fail_fast: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabSummary {
    /// Runs that finished.
    pub finished: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Runs that were not started, or were asked to stop.
    pub not_run: usize,
}

/// Runs `runs` and keeps each result in `folder`. `stop` may be set at any time from outside.
/// An error means that a result could not be written; the sweep stops, what was kept stays.
pub fn run_plan(
    runs: &[&PlannedRun],
    folder: &SweepFolder,
    trainer: &dyn Trainer,
    options: LabOptions,
    stop: &AtomicBool,
    observer: &(dyn Fn(LabEvent<'_>) + Sync),
) -> Result<LabSummary, FolderError> {
    let mut longest_first = runs.to_vec();
    longest_first.sort_by(|a, b| a.predicted_seconds.total_cmp(&b.predicted_seconds));
    let queue = Mutex::new(longest_first);
    let summary = Mutex::new(LabSummary::default());
    let trouble = Mutex::new(None);
    thread::scope(|scope| {
        for worker in 0..options.workers.max(1) {
            let (queue, summary, trouble) = (&queue, &summary, &trouble);
            scope.spawn(move || {
                loop {
                    let next = lock(queue).pop();
                    let Some(run) = next else { break };
                    if stop.load(Ordering::SeqCst) {
                        lock(summary).not_run += 1;
                        continue;
                    }
                    match execute(worker, run, folder, trainer, stop, observer) {
                        Ok(Some(status)) => {
                            lock(summary).count(status);
                            if options.fail_fast && status == RunStatus::Failed {
                                stop.store(true, Ordering::SeqCst);
                            }
                        }
                        Ok(None) => lock(summary).not_run += 1,
                        Err(error) => {
                            lock(trouble).get_or_insert(error);
                            stop.store(true, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    match trouble.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(*lock(&summary)),
    }
}

/// A panic of one worker must not hide the results of the others.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn execute(
    worker: usize,
    run: &PlannedRun,
    folder: &SweepFolder,
    trainer: &dyn Trainer,
    stop: &AtomicBool,
    observer: &(dyn Fn(LabEvent<'_>) + Sync),
) -> Result<Option<RunStatus>, FolderError> {
    observer(LabEvent::Started { worker, run });
    let mut relay = |progress: &Progress| {
        observer(LabEvent::Moved { worker, run, progress: *progress });
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let trained = match trainer.train(worker, &run.spec, &mut relay) {
        Ok(trained) => trained,
        Err(RunFailure::Interrupted) => return Ok(None),
        Err(RunFailure::Failed(reason)) => failed(&run.spec, reason),
    };
    folder.keep(&trained)?;
    observer(LabEvent::Ended { worker, run, record: &trained.record });
    Ok(Some(trained.record.status))
}

fn failed(spec: &RunSpec, reason: String) -> TrainedRun {
    let record = RunRecord { status: RunStatus::Failed, diagnosis: Some(reason), ..RunRecord::planned(spec) };
    TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() }
}

impl LabSummary {
    fn count(&mut self, status: RunStatus) {
        match status {
            RunStatus::Finished => self.finished += 1,
            RunStatus::Diverged => self.diverged += 1,
            RunStatus::Failed | RunStatus::Planned => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::tests::SMALL;
    use super::super::plan::{Plan, tests::plan};
    use super::*;
    use crate::spec::Nats;

    /// Answers from a formula; fails or diverges where told to.
    struct Formula {
        fail: fn(&RunSpec) -> bool,
    }

    impl Trainer for Formula {
        fn train(
            &self,
            _: usize,
            spec: &RunSpec,
            observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
        ) -> Result<TrainedRun, RunFailure> {
            if observer(&Progress { step: 1, steps: spec.steps, train_loss_nats: None }).is_break() {
                return Err(RunFailure::Interrupted);
            }
            if (self.fail)(spec) {
                return Err(RunFailure::Failed("told to".into()));
            }
            let mut record = RunRecord::planned(spec);
            record.status = RunStatus::Finished;
            record.loss_nats = Some(Nats(1.0 + 1.0 / spec.tokens().0.sqrt()));
            Ok(TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() })
        }
    }

    fn run(plan: &Plan, workers: usize, fail_fast: bool, fail: fn(&RunSpec) -> bool, stop: &AtomicBool) -> (LabSummary, usize) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let summary = run_plan(&runs, &folder, &Formula { fail }, LabOptions { workers, fail_fast }, stop, &|_| ()).expect("writes");
        (summary, folder.done().expect("reads").0.len())
    }

    #[test]
    fn every_run_is_executed_once_whatever_the_number_of_workers() {
        let plan = plan(SMALL);
        for workers in [1, 2, 7] {
            let (summary, kept) = run(&plan, workers, false, |_| false, &AtomicBool::new(false));
            assert_eq!((summary, kept), (LabSummary { finished: 4, ..LabSummary::default() }, 4));
        }
    }

    #[test]
    fn a_failed_run_is_recorded_and_the_others_go_on_unless_told_otherwise() {
        let plan = plan(SMALL);
        let small = |spec: &RunSpec| spec.shape.width == 16;
        let (summary, kept) = run(&plan, 1, false, small, &AtomicBool::new(false));
        assert_eq!((summary.finished, summary.failed, kept), (2, 2, 4));
        let (summary, kept) = run(&plan, 1, true, |_| true, &AtomicBool::new(false));
        assert_eq!((summary.failed, summary.not_run, kept), (1, 3, 1));
    }

    #[test]
    fn a_stopped_lab_records_nothing_of_what_did_not_end() {
        let (summary, kept) = run(&plan(SMALL), 2, false, |_| false, &AtomicBool::new(true));
        assert_eq!((summary.not_run, kept), (4, 0));
    }
}
