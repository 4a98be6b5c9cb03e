//! A whole sweep by a trainer that trains nothing: what is said of it before and after it is packed, and what a grown grid adds.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::mock::{missing, plan};
use crate::support::snapshot::Transcript;
use crate::support::{succeed, text};
use scalelab::results::SweepFolder;
use scalelab::spec::{CurvePoint, Nats, RunRecord, RunStatus, Tokens, TrainedRun};
use scalelab::sweep::{LabOptions, News, OnFailure, Plan, RunFailure, Task, Trainer, run_plan};
use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const GRID: &str = r#"
    name = "packed"
    ladder = { kind = "list", shapes = ["1x16", "2x32", "2x64", "3x96"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["1M", "3M", "9M", "27M"] }
    [model]
    context = 64
    [recipe]
    learning_rate = 4e-3
    batch_tokens = 4096
"#;

/// A trainer whose runs follow a law; it counts them.
struct Lawful(AtomicU64);

impl Trainer for Lawful {
    fn train(&self, _: usize, task: &Task<'_>, _: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
        let spec = &task.run.spec;
        let planned = RunRecord::planned(spec);
        let n = planned.params_total.expect("counted").0;
        let loss = |tokens: f64| 1.2 + 25.0 / n.powf(0.35) + 60.0 / tokens.powf(0.3);
        let trained = self.0.fetch_add(1, Ordering::SeqCst);
        // A wobble by the run's own numbers, so that it does not depend on the order of runs.
        let wobble = 1.0 + 0.002 * (n * 0.7 + spec.tokens().0 * 0.3).sin();
        let point = |at: u64| {
            let step = (at * spec.steps / 100).max(at);
            let seen = (step * 4096) as f64;
            let train_loss_nats = Some(loss(seen).min(5.5) + 0.01 * (at as f64 * 2.3).sin());
            CurvePoint { step, tokens: seen as u64, learning_rate: spec.learning_rate(step), train_loss_nats, ..CurvePoint::default() }
        };
        let record = RunRecord {
            status: RunStatus::Finished,
            loss_nats: Some(Nats(loss(spec.tokens().0) * wobble)),
            eval_tokens: Some(Tokens((spec.eval_windows * spec.shape.context as u64) as f64)),
            host: Some(format!("call {trained}")),
            ..planned
        };
        Ok(TrainedRun { record, curve: (1..=100).map(point).collect(), window_losses: vec![2.0, 3.0] })
    }
}

/// Trains what is missing, as `scalelab sweep` does; how many runs that were.
fn sweep(folder: &SweepFolder, plan: &Plan) -> u64 {
    let trainer = Lawful(AtomicU64::new(0));
    let options = LabOptions { workers: 2, on_failure: OnFailure::KeepGoing };
    folder.write_plan(&plan.records()).expect("written");
    run_plan(&missing(plan, folder), folder, &trainer, options, &AtomicBool::new(false), &|_| ()).expect("writes");
    folder.write_runs(&plan.gathered(&folder.done().expect("reads").0)).expect("written");
    trainer.0.into_inner()
}

/// All that the program says of a folder.
fn told(folder: &SweepFolder) -> Vec<String> {
    let path = text(&folder.path);
    let ask = |args: &[&str]| succeed(&[&[args[0], path], &args[1..]].concat());
    vec![
        ask(&["fit", "--refits", "50", "--json"]),
        ask(&["fit", "--law", "envelope", "--refits", "50", "--json"]),
        ask(&["doctor", "--json"]),
        ask(&["report", "--refits", "50", "--json"]),
        ask(&["status", "--json"]),
        fs::read_to_string(folder.runs_csv()).expect("a table"),
    ]
}

fn loose_files(folder: &SweepFolder) -> usize {
    ["runs", "curves"].iter().map(|part| fs::read_dir(folder.path.join(part)).map_or(0, Iterator::count)).sum()
}

#[test]
fn a_sweep_says_the_same_when_it_is_packed_and_goes_on_from_there() {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path().join("results/packed"));
    let small = plan(GRID);
    assert_eq!((sweep(&folder, &small), loose_files(&folder)), (16, 32));
    let before = told(&folder);
    let mut said = Transcript::default();
    said.succeed(&["pack", text(&folder.path)]);
    said.check("pack");
    assert_eq!(loose_files(&folder), 0);
    assert_eq!(told(&folder), before);
    assert_eq!((sweep(&folder, &small), loose_files(&folder)), (0, 0), "all its runs are done");
    assert_eq!(fs::read_to_string(folder.runs_csv()).expect("a table"), before[5]);

    let large = plan(&GRID.replace("\"27M\"", "\"27M\", \"81M\""));
    assert_eq!((sweep(&folder, &large), loose_files(&folder)), (4, 8), "the new runs alone are trained");
    let grown = told(&folder);
    assert_ne!(grown, before);
    succeed(&["pack", text(&folder.path)]);
    assert_eq!((sweep(&folder, &large), loose_files(&folder)), (0, 0));
    assert_eq!(told(&folder), grown);
    // Trained and packed at once, it is the same to the byte but for who trained what.
    let at_once = SweepFolder::at(place.path().join("at once/packed"));
    sweep(&at_once, &large);
    succeed(&["pack", text(&at_once.path)]);
    let archive = |folder: &SweepFolder| fs::read(folder.path.join("curves.csv.gz")).expect("reads");
    assert_eq!(archive(&at_once), archive(&folder));
}

#[test]
fn what_is_not_to_be_packed_is_refused_as_bad_input() {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path().join("packed"));
    let mut said = Transcript::default();
    let pack = ["pack", text(&folder.path)];
    said.about("no such folder");
    said.refused(&pack);
    fs::create_dir_all(&folder.path).expect("made");
    said.about("an empty one");
    said.refused(&pack);
    fs::write(folder.runs_csv(), "params,tokens,loss\n1e6,2e7,3\n").expect("written");
    said.about("one of others");
    said.refused(&pack);
    assert_eq!(fs::read_dir(&folder.path).expect("listed").count(), 1, "not even a lock is left in a folder of others");
    fs::remove_file(folder.runs_csv()).expect("removed");
    sweep(&folder, &plan(GRID));
    folder.checkpoint("a run", 5, b"state").expect("written");
    said.about("a run that did not end");
    said.refused(&pack);
    said.check("pack_refused");
    assert_eq!(loose_files(&folder), 32);
}
