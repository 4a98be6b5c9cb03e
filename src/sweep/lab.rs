//! The lab: workers over a queue, the longest run first. A run that fails is a record, not a crash;
//! what finished is on disk before the next run starts.

use super::planned::PlannedRun;
use super::queue::{Queue, Task};
use crate::results::{FolderError, SweepFolder};
use crate::spec::{Progress, RunRecord, RunSpec, RunStatus, TrainedRun};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Why a run yielded nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFailure {
    /// It cannot be executed; the sweep records this and continues.
    Failed(String),
    /// Its worker was lost; it resumes from its last checkpoint in another.
    Lost(String),
    /// It was asked to stop; nothing is recorded.
    Interrupted,
}

/// What a trainer tells of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A step was made.
    Moved(Progress),
    /// The state after this step is on disk, for runs that branch off there.
    BranchPoint(u64),
    /// Something that a person should know: a checkpoint that is damaged or cannot be written.
    Remark(String),
}

/// Whoever can execute one run.
pub trait Trainer: Sync {
    /// Executes a task on worker number `worker`, telling `observer` now and then; `Break` asks it to stop.
    fn train(&self, worker: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure>;
}

/// What an observer of the lab hears.
#[derive(Debug, Clone, PartialEq)]
pub enum LabEvent<'a> {
    /// A worker took a run.
    Started {
        /// Number of the worker, from 0.
        worker: usize,
        /// The run, and what of it is to be done.
        task: &'a Task<'a>,
    },
    /// A run moved on.
    Moved {
        /// Number of the worker.
        worker: usize,
        /// The planned run that the event is about.
        run: &'a PlannedRun,
        /// How far it is.
        progress: Progress,
    },
    /// Something that a person should know.
    Remark {
        /// The run it is about.
        run: &'a PlannedRun,
        /// What happened, for a person.
        text: &'a str,
    },
    /// A run ended and its row is on disk.
    Ended {
        /// Number of the worker.
        worker: usize,
        /// The planned run that the event is about.
        run: &'a PlannedRun,
        /// How it ended.
        record: &'a RunRecord,
    },
}

/// What happens when a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The others go on.
    KeepGoing,
    /// The sweep stops at the first run that fails.
    Stop,
}

/// How a lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabOptions {
    /// Workers at once.
    pub workers: usize,
    /// What happens when a run fails.
    pub on_failure: OnFailure,
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

/// Workers that a run may lose without getting any farther before it counts as failed: a run that kills whoever
/// trains it must not do so for ever.
const MOST_LOSSES: usize = 3;
/// Seconds between two looks at the signal to stop while nothing is ready.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
    let has_state = |run: &PlannedRun| {
        run.branch.as_ref().is_some_and(|branch| folder.states(&branch.trunk_id).iter().any(|state| state.step == branch.step))
    };
    let lab = Lab {
        folder,
        trainer,
        on_failure: options.on_failure,
        stop,
        observer,
        progress: Mutex::new(LabProgress { queue: Queue::new(runs, &has_state), summary: LabSummary::default(), trouble: None }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for worker in 0..options.workers.max(1) {
            let lab = &lab;
            scope.spawn(move || lab.work(worker));
        }
    });
    let LabProgress { mut summary, trouble, .. } = lab.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.not_run = runs.len() - summary.finished - summary.diverged - summary.failed;
    trouble.map_or(Ok(summary), Err)
}

struct Lab<'a> {
    folder: &'a SweepFolder,
    trainer: &'a dyn Trainer,
    on_failure: OnFailure,
    stop: &'a AtomicBool,
    observer: &'a (dyn Fn(LabEvent<'_>) + Sync),
    progress: Mutex<LabProgress<'a>>,
    /// Rung when a run may have become ready.
    changed: Condvar,
}

struct LabProgress<'a> {
    queue: Queue<'a>,
    summary: LabSummary,
    trouble: Option<FolderError>,
}

impl<'a> Lab<'a> {
    /// A panic of one worker must not hide the results of the others.
    fn lock(&self) -> MutexGuard<'_, LabProgress<'a>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn work(&self, worker: usize) {
        while let Some(task) = self.next() {
            let outcome = self.execute(worker, &task);
            let mut progress = self.lock();
            match outcome {
                Ok(Some(status)) => {
                    progress.summary.count(status);
                    if self.on_failure == OnFailure::Stop && status == RunStatus::Failed {
                        self.stop.store(true, Ordering::SeqCst);
                    }
                    self.clear_up(&mut progress.queue, task.run, status);
                }
                Ok(None) => {}
                Err(error) => {
                    progress.trouble.get_or_insert(error);
                    self.stop.store(true, Ordering::SeqCst);
                }
            }
            progress.queue.over(&task);
            drop(progress);
            self.changed.notify_all();
        }
    }

    /// The next run that is ready; waits while one may become so.
    fn next(&self) -> Option<Task<'a>> {
        let mut progress = self.lock();
        while !self.stopped() {
            match progress.queue.pop() {
                None if progress.queue.waits() => {
                    progress = self.changed.wait_timeout(progress, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
                }
                task => return task,
            }
        }
        None
    }

    fn execute(&self, worker: usize, task: &Task<'a>) -> Result<Option<RunStatus>, FolderError> {
        let run = task.run;
        (self.observer)(LabEvent::Started { worker, task });
        let (mut farthest, mut losses) = (0, 0);
        let relay = |farthest: &mut u64, news: News| {
            match news {
                News::Moved(progress) => {
                    *farthest = progress.step.max(*farthest);
                    (self.observer)(LabEvent::Moved { worker, run, progress });
                }
                News::Remark(text) => (self.observer)(LabEvent::Remark { run, text: &text }),
                News::BranchPoint(step) => {
                    self.lock().queue.state_kept(run, step);
                    self.changed.notify_all();
                }
            }
            if self.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let trained = loop {
            let before = farthest;
            match self.trainer.train(worker, task, &mut |news| relay(&mut farthest, news)) {
                Ok(trained) => break trained,
                Err(RunFailure::Interrupted) => return Ok(None),
                Err(RunFailure::Failed(reason)) => break failed(&run.spec, reason),
                Err(RunFailure::Lost(_)) if self.stopped() => return Ok(None),
                Err(RunFailure::Lost(reason)) => {
                    losses = if farthest > before { 1 } else { losses + 1 };
                    if losses == MOST_LOSSES {
                        break failed(&run.spec, format!("{reason} ({losses} workers were lost)"));
                    }
                    let text = format!("{reason}; the run resumes in another worker from its last checkpoint");
                    (self.observer)(LabEvent::Remark { run, text: &text });
                }
            }
        };
        self.keep(&trained)?;
        (self.observer)(LabEvent::Ended { worker, run, record: &trained.record });
        Ok(Some(trained.record.status))
    }

    /// Keeps a result. Where there is no room for it, the run's own states give way: they are of no more use.
    fn keep(&self, trained: &TrainedRun) -> Result<(), FolderError> {
        self.folder.keep(trained).or_else(|_| {
            self.folder.drop_states(&trained.record.run_id);
            self.folder.keep(trained)
        })
    }

    /// Removes the states that no run needs any more. A failed run keeps its own, for when it is tried again.
    fn clear_up(&self, queue: &mut Queue<'a>, run: &'a PlannedRun, status: RunStatus) {
        if status == RunStatus::Failed {
            return;
        }
        self.folder.drop_states(&run.id);
        if let Some(branch) = run.branch.as_ref().filter(|_| queue.was_last_of_its_branch_point(run)) {
            self.folder.drop_branch_point(&branch.trunk_id, branch.step);
        }
    }
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
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::super::plan::Plan;
    use super::*;
    use crate::spec::Nats;

    /// Answers from a formula; fails or diverges where told to.
    struct Formula {
        fail: fn(&RunSpec) -> bool,
    }

    impl Trainer for Formula {
        fn train(&self, _: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
            let spec = &task.run.spec;
            if observer(News::Moved(Progress { step: 1, steps: spec.steps, train_loss_nats: None })).is_break() {
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

    fn run(plan: &Plan, workers: usize, on_failure: OnFailure, fail: fn(&RunSpec) -> bool, stop: &AtomicBool) -> (LabSummary, usize) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let summary = run_plan(&runs, &folder, &Formula { fail }, LabOptions { workers, on_failure }, stop, &|_| ()).expect("writes");
        (summary, folder.done().expect("reads").0.len())
    }

    #[test]
    fn every_run_is_executed_once_whatever_the_number_of_workers() {
        let plan = plan(SMALL);
        for workers in [1, 2, 7] {
            let (summary, kept) = run(&plan, workers, OnFailure::KeepGoing, |_| false, &AtomicBool::new(false));
            assert_eq!((summary, kept), (LabSummary { finished: 4, ..LabSummary::default() }, 4));
        }
    }

    #[test]
    fn a_failed_run_is_recorded_and_the_others_go_on_unless_told_otherwise() {
        let plan = plan(SMALL);
        let small = |spec: &RunSpec| spec.shape.width == 16;
        let (summary, kept) = run(&plan, 1, OnFailure::KeepGoing, small, &AtomicBool::new(false));
        assert_eq!((summary.finished, summary.failed, kept), (2, 2, 4));
        let (summary, kept) = run(&plan, 1, OnFailure::Stop, |_| true, &AtomicBool::new(false));
        assert_eq!((summary.failed, summary.not_run, kept), (1, 3, 1));
    }

    #[test]
    fn a_stopped_lab_records_nothing_of_what_did_not_end() {
        let (summary, kept) = run(&plan(SMALL), 2, OnFailure::KeepGoing, |_| false, &AtomicBool::new(true));
        assert_eq!((summary.not_run, kept), (4, 0));
    }

    /// Loses its worker at the same step some times, or farther on every time.
    struct Losing {
        times: std::sync::atomic::AtomicU64,
        farther: u64,
    }

    impl Trainer for Losing {
        fn train(&self, _: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
            let spec = &task.run.spec;
            let left = self.times.load(Ordering::SeqCst);
            let _ = observer(News::Moved(Progress { step: 100 - left * self.farther, steps: spec.steps, train_loss_nats: None }));
            if left > 0 {
                self.times.fetch_sub(1, Ordering::SeqCst);
                return Err(RunFailure::Lost("its worker was killed by signal 9".into()));
            }
            Ok(failed(spec, String::new())).map(|run| TrainedRun { record: RunRecord { status: RunStatus::Finished, ..run.record }, ..run })
        }
    }

    #[test]
    fn a_lost_worker_is_replaced_unless_a_run_loses_one_after_another_at_the_same_place() {
        let plan = plan(&SMALL.replace("\"100k\", \"200k\"", "\"100k\"").replace(", \"2x32\"", ""));
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        for (times, farther, status) in [(2, 0, RunStatus::Finished), (3, 0, RunStatus::Failed), (9, 1, RunStatus::Finished)] {
            let place = tempfile::tempdir().expect("temporary folder");
            let folder = SweepFolder::at(place.path());
            let trainer = Losing { times: times.into(), farther };
            let options = LabOptions { workers: 1, on_failure: OnFailure::KeepGoing };
            let remarks = Mutex::new(0);
            let count = |event: LabEvent<'_>| {
                if let LabEvent::Remark { text, .. } = event {
                    assert!(text.contains("signal 9") && text.contains("resumes in another"), "{text}");
                    *remarks.lock().expect("counts") += 1;
                }
            };
            run_plan(&runs, &folder, &trainer, options, &AtomicBool::new(false), &count).expect("writes");
            let record = folder.done().expect("reads").0.remove(&runs[0].id).expect("recorded");
            assert_eq!(record.status, status, "{times} losses");
            let said = record.diagnosis.unwrap_or_default();
            assert_eq!(said.contains("3 workers were lost"), status == RunStatus::Failed, "{said}");
            assert_eq!(*remarks.lock().expect("counts"), times.min(if status == RunStatus::Failed { 2 } else { times }));
        }
    }
}
