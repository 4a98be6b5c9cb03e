//! What `scalelab status` says of a sweep at work: on a screen, in detail, as JSON.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders and clocks")]

use crate::support::mock::plan;
use crate::support::{refused, succeed, text};
use scalelab::results::{Claim, Heartbeat, RunningRun, SweepFolder};
use scalelab::spec::{Nats, RunRecord, RunStatus, TrainedRun};
use std::time::SystemTime;

/// 180 runs.
const GRID: &str = r#"
    name = "crowded"
    ladder = { kind = "list", shapes = ["1x16", "2x32", "2x64", "3x96", "4x128"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["1M", "3M", "9M", "27M"] }
    [model]
    context = 64
    [recipe]
    learning_rate = [2e-3, 4e-3, 8e-3]
    batch_tokens = 4096
    [seeds]
    init = [0, 1, 2]
"#;

/// A folder in the middle of its sweep: sixty runs finished, ten diverged, ten failed, twelve at work.
fn crowded(folder: &SweepFolder) -> Vec<RunRecord> {
    let planned = plan(GRID).records();
    folder.write_plan(&planned).expect("written");
    for (at, run) in planned.iter().enumerate().take(80) {
        let (status, loss_nats, diagnosis) = match at {
            0..60 => (RunStatus::Finished, Some(Nats(3.0 - 0.01 * at as f64)), None),
            60..70 => (RunStatus::Diverged, None, None),
            _ => (RunStatus::Failed, None, Some(format!("its worker was killed by signal {}", at % 3))),
        };
        let record = RunRecord { status, loss_nats, diagnosis, wall_seconds: Some(10.0), ..run.clone() };
        folder.keep(&TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() }).expect("kept");
    }
    folder.checkpoint(&planned[100].run_id, 20, b"state").expect("kept");
    let running = |(worker, run): (usize, &RunRecord)| RunningRun {
        worker,
        run_id: run.run_id.clone(),
        step: 120,
        steps: run.steps.expect("planned"),
        tokens_per_second: Some(88_123.0),
        train_loss_nats: (worker > 0).then_some(2.5),
        train_losses: Vec::new(),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let beat = |process: u32, written_at: u64, running: Vec<RunningRun>| Heartbeat {
        host: "another machine".into(),
        process,
        written_at,
        started_at: Some(now - 1000),
        seconds_left: 600.0,
        running,
    };
    folder.write_pulse(Claim::Whole, &beat(17, now, planned[80..92].iter().enumerate().map(running).collect())).expect("written");
    let shard = "2/3".parse().map(Claim::Shard).expect("a shard");
    folder.write_pulse(shard, &beat(18, now - 100, Vec::new())).expect("written");
    planned
}

#[test]
fn a_crowded_sweep_is_told_on_a_screen_with_what_runs_what_failed_and_what_to_do() {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path().join("crowded"));
    let planned = crowded(&folder);
    let told = succeed(&["status", text(&folder.path)]);
    let path = text(&folder.path);
    // The folder of a test has a long name of its own, which no screen can break.
    let widest = told.lines().filter(|line| !line.contains(path)).map(|line| line.chars().count()).max();
    assert!(told.lines().count() <= 30 && widest <= Some(80), "{widest:?}\n{told}");
    for part in [
        "80 of 180 runs ended",
        "60 finished, 10 diverged, 10 failed, 12 running, 1 interrupted, 87 planned",
        "min",
        "train loss 2.500",
        "88k tokens/s",
        "more at work",
        "diverged: ",
        "process 18 on another machine stopped responding",
        "left    ",
        "of 4x128",
        "scalelab watch ",
        "--retry failed",
        "--details",
    ] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
    let detailed = succeed(&["status", text(&folder.path), "--details"]);
    let open = planned.iter().skip(60);
    assert!(open.clone().count() == 120 && open.clone().all(|run| detailed.contains(&run.run_id)), "{detailed}");
    assert!(detailed.contains("signal 2") && detailed.contains("will resume from step 20"), "{detailed}");
    let json: serde_json::Value = serde_json::from_str(&succeed(&["status", text(&folder.path), "--json"])).expect("JSON");
    let runs = json["runs"].as_array().expect("a list");
    let count = |wanted: &str| runs.iter().filter(|run| run["status"] == wanted).count();
    assert_eq!((runs.len(), count("running"), count("interrupted")), (180, 12, 1));
    assert_eq!((runs[80]["train_loss_nats"].as_f64(), runs[81]["train_loss_nats"].as_f64()), (None, Some(2.5)));
    assert!(json["elapsed_seconds"].as_u64().is_some_and(|seconds| (1000..1100).contains(&seconds)));
}

#[test]
fn a_screen_that_is_drawn_again_is_refused_where_there_is_no_terminal() {
    for args in [&["watch", "quick"][..], &["status", "quick", "--watch"]] {
        let said = refused(args);
        assert!(said.contains("`scalelab status quick`"), "{said}");
    }
}
