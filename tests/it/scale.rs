//! A hundred thousand runs: a plan in seconds, a driver that costs next to nothing a run, status and gathering that do not
//! make anybody wait. Every commit's tests take a fiftieth of them; .ci/long takes all.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test of the whole program owns folders and clocks, and says what it measured"
)]

use crate::support::large::grid;
use crate::support::mock::plan;
use crate::support::{succeed, text};
use scalelab::results::{Claim, SweepFolder};
use scalelab::spec::{Nats, RunRecord, RunStatus, TrainedRun};
use scalelab::sweep::{LabOptions, News, OnFailure, PlannedRun, RunFailure, Task, Trainer, run_plan};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Answers at once.
struct Immediate;

impl Trainer for Immediate {
    fn train(&self, _: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
        for &step in &task.branch_points {
            let _ = observer(News::BranchPoint(step));
        }
        let record = RunRecord { status: RunStatus::Finished, loss_nats: Some(Nats(2.5)), ..RunRecord::planned(&task.run.spec) };
        Ok(TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() })
    }
}

/// CPU seconds of this process, all threads.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("reads");
    let after_name = stat.rsplit(')').next().expect("has a name");
    let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).map(|text| text.parse().expect("a number")).collect();
    // A tick is 1/100 s on every Linux.
    (ticks[0] + ticks[1]) / 100.0
}

/// How many times as long as on a quiet machine anything may take: no measure of speed (that is what is printed), but work that
/// grows with the square of the runs takes longer.
const SLOWER: f64 = 20.0;

#[test]
fn a_hundred_thousand_runs_are_planned_driven_gathered_and_told_in_seconds() {
    let wanted: usize = std::env::var("SCALELAB_RUNS").map_or(2000, |text| text.parse().expect("SCALELAB_RUNS is a number"));
    // Memory, where there is some to keep files in: what a disk takes to flush is not what is measured.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("temporary folder");
    let folder = SweepFolder::at(place.path());
    let begin = Instant::now();
    let plan = plan(&grid(wanted));
    let (runs, expanding) = (plan.runs.len(), begin.elapsed().as_secs_f64());
    assert_eq!(runs, wanted.div_ceil(1000) * 1000);

    let _lock = folder.lock(Claim::Whole, "this test").expect("free");
    folder.write_plan(&plan.records()).expect("written");
    let all: Vec<&PlannedRun> = plan.runs.iter().collect();
    let before = cpu_seconds();
    let options = LabOptions { workers: 2, on_failure: OnFailure::KeepGoing };
    let summary = run_plan(&all, &folder, &Immediate, options, &AtomicBool::new(false), &|_| ()).expect("writes");
    let driving = (cpu_seconds() - before) / runs as f64;
    assert_eq!(summary.finished, runs);

    let begin = Instant::now();
    let (done, damaged) = folder.done().expect("reads");
    folder.write_runs(&plan.gathered(&done)).expect("written");
    let gathering = begin.elapsed().as_secs_f64();
    assert_eq!((done.len(), damaged.len()), (runs, 0));

    let begin = Instant::now();
    let said = succeed(&["status", text(place.path())]);
    let telling = begin.elapsed().as_secs_f64();
    assert!(said.contains(&format!("{runs} finished")), "{said}");

    eprintln!(
        "{runs} runs: plan {expanding:.2} s, driver {:.3} ms of CPU a run, gather {gathering:.2} s, status {telling:.2} s",
        1e3 * driving
    );
    let share = runs as f64 / 1e5;
    assert!(expanding < SLOWER * (0.2 + 3.0 * share), "{expanding} s to plan");
    assert!(driving < SLOWER * 0.5e-3, "{driving} s of CPU a run");
    assert!(gathering < SLOWER * (0.2 + 15.0 * share), "{gathering} s to gather");
    assert!(telling < SLOWER * (0.5 + 15.0 * share), "{telling} s to tell");
}
