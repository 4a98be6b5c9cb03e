//! What a run at work will end at, asked of every run of our sweeps as if it were at work and all others had ended.
#![expect(clippy::print_stdout, reason = "shows how many losses the intervals held")]

use scalelab::doctor::Collapse;
use scalelab::results::SweepFolder;
use scalelab::spec::{CurvePoint, RunRecord, RunStatus};
use std::path::Path;

/// Sweeps of one schedule and at least two dozen runs.
const SWEEPS: [&str; 7] = ["grid", "study", "hyperparameters", "entropy", "english", "chinese", "code"];

fn ended(sweep: &str) -> (Vec<RunRecord>, Vec<Vec<CurvePoint>>) {
    let folder = SweepFolder::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(sweep));
    let curves = folder.curves();
    let records = folder.gathered().expect("rows").into_iter().filter(|record| record.status == RunStatus::Finished);
    records.map(|record| (record.clone(), curves.of(&record).expect("readable").unwrap_or_default())).unzip()
}

/// Of a run, told every fifth of the losses that it kept until a share of its steps: whether its end lies in the interval.
fn held(at: usize, share: f64, records: &[RunRecord], curves: &[Vec<CurvePoint>]) -> Option<bool> {
    let others = |from: usize| from != at;
    let (rows, lines): (Vec<RunRecord>, Vec<&[CurvePoint]>) =
        (0..records.len()).filter(|from| others(*from)).map(|from| (records[from].clone(), curves[from].as_slice())).unzip();
    let last = share * records[at].steps? as f64;
    let before = curves[at].iter().filter(|point| point.step as f64 <= last);
    let told: Vec<(u64, f64)> = before.filter_map(|point| Some((point.step, point.train_loss_nats?))).collect();
    let told: Vec<(u64, f64)> = told.into_iter().rev().step_by(5).collect::<Vec<_>>().into_iter().rev().collect();
    let interval = Collapse::of(&rows, &lines).final_loss(&records[at], &told, 0.95)?.uncertainty?;
    Some((interval.low..=interval.high).contains(&records[at].loss_nats?.0))
}

#[test]
fn intervals_of_final_losses_hold_the_ends_of_runs_that_they_did_not_see() {
    let (mut all_asked, mut all_held) = (0, 0);
    for sweep in SWEEPS {
        let (records, curves) = ended(sweep);
        let mut said = format!("{sweep:<16}");
        for share in [0.3, 0.6, 0.9] {
            // Every third run: each asks all others.
            let answers: Vec<bool> = (0..records.len()).step_by(3).filter_map(|at| held(at, share, &records, &curves)).collect();
            let inside = answers.iter().filter(|held| **held).count();
            said += &format!("  at {share}: {inside} of {}", answers.len());
            (all_asked, all_held) = (all_asked + answers.len(), all_held + inside);
        }
        println!("{said}");
    }
    assert!(all_asked >= 400, "{all_asked}");
    // Of more than 400 answers, the three of one run together: 95 % to within 2 points.
    let share = all_held as f64 / all_asked as f64;
    assert!((0.91..=0.99).contains(&share), "{all_held} of {all_asked}");
}
