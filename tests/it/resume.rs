//! A sweep that is killed loses nothing that finished, and resumes to the same table.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test of the whole program owns folders and clocks, and says what it did"
)]

use crate::support::mock::{HashChain, burn, missing, plan};
use crate::support::snapshot::{Transcript, lines};
use crate::support::{grid, reproducible_part, run, scalelab, stderr, succeed, text};
use scalelab::results::SweepFolder;
use scalelab::spec::Random;
use scalelab::sweep::{LabOptions, OnFailure, run_plan};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Twelve runs of some tenths of a second.
const GRID: &str = r#"
    name = "resume"
    ladder = { kind = "list", shapes = ["1x8", "2x16"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["60k", "120k"] }
    [model]
    context = 64
    [recipe]
    learning_rate = [4e-3, 8e-3, 1.6e-2]
    batch_tokens = 1024
    [run]
    checkpoint_every = "0.02s"
"#;

/// How often to kill, from the environment: few in every commit's tests, many in .ci/long.
fn kills(variable: &str, usually: u64) -> u64 {
    std::env::var(variable).map_or(usually, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn mock_runs_killed_at_any_moment_end_as_if_nothing_had_happened() {
    const WORKERS: usize = 3;
    const EVERY: u64 = 20;
    // That a thread was killed is what is wanted here, and nothing to print.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload_as_str().is_some_and(|text| text.contains("scoped thread")) {
            usual(info);
        }
    }));
    let plan = plan(&GRID.replace("60k", "120k").replace("\"120k\"]", "\"240k\", \"480k\"]"));
    let options = LabOptions { workers: WORKERS, on_failure: OnFailure::KeepGoing };
    let never = AtomicBool::new(false);
    let execute = |place: &Path, moments: i64, steps: &AtomicU64| {
        let (folder, fuse) = (SweepFolder::at(place), AtomicI64::new(moments));
        let trainer = HashChain { folder: &folder, every: EVERY, fuse: &fuse, steps };
        let runs = missing(&plan, &folder);
        let killed =
            catch_unwind(AssertUnwindSafe(|| run_plan(&runs, &folder, &trainer, options, &never, &|_| burn(&fuse)).expect("writes")));
        let (done, damaged) = folder.done().expect("reads");
        assert!(damaged.is_empty());
        (killed.is_err(), plan.gathered(&done))
    };
    let places = tempfile::tempdir().expect("temporary folder");
    let steps = AtomicU64::new(0);
    let (killed, whole) = execute(&places.path().join("whole"), i64::MAX, &steps);
    let needed = steps.load(Ordering::SeqCst);
    assert_eq!((killed, whole.len()), (false, plan.runs.len()));
    let alone: u64 = plan.runs.iter().map(|run| run.spec.steps).sum();
    assert!(needed < alone * 7 / 10, "{needed} steps instead of {alone}: trunks are shared");

    let mut random = Random::new(7, "kills");
    let (mut wanted, mut round) = (kills("SCALELAB_MOCK_KILLS", 20), 0);
    while wanted > 0 {
        let place = places.path().join(format!("broken {round}"));
        let (steps, mut of_round) = (AtomicU64::new(0), 0);
        let table = loop {
            // As many moments as an eighth of the whole takes, on average; the last execution of a sweep has no end.
            let moments = if wanted == 0 { i64::MAX } else { random.below(needed / 4) as i64 };
            let (killed, table) = execute(&place, moments, &steps);
            if !killed {
                break table;
            }
            std::fs::create_dir_all(place.join("runs")).expect("made");
            std::fs::write(place.join(format!("runs/.torn.csv.{wanted}.partial")), "run_id,lay").expect("written");
            (wanted, of_round) = (wanted - 1, of_round + 1);
        };
        assert_eq!(table, whole);
        // A kill costs each worker what it did since its last state, and nothing else.
        let most = needed + of_round * WORKERS as u64 * (EVERY + 1);
        assert!(steps.load(Ordering::SeqCst) <= most, "{} steps after {of_round} kills, at most {most}", steps.load(Ordering::SeqCst));
        SweepFolder::at(&place).clear_partials();
        assert!(
            !std::fs::read_dir(place.join("runs")).expect("listed").any(|entry| entry
                .expect("listed")
                .file_name()
                .to_string_lossy()
                .starts_with('.'))
        );
        round += 1;
    }
}

/// Workers of a driver: children of any of its threads.
fn workers(driver: &Child) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", driver.id())).into_iter().flatten().filter_map(Result::ok);
    let listed: String = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect();
    listed.split_whitespace().map(str::to_owned).collect()
}

fn signal(name: &str, processes: &[String]) {
    // One that is gone already is no failure.
    let _ = Command::new("kill").arg(format!("-{name}")).args(processes).stderr(Stdio::null()).status().expect("kill is there");
}

/// Starts a sweep in the background.
fn start(grid: &Path, results: &Path) -> Child {
    let args = ["sweep", text(grid), "--results", text(results), "--workers", "2"];
    scalelab(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// What `scalelab status` tells of the sweep in a folder of results.
fn status(results: &Path) -> serde_json::Value {
    serde_json::from_str(&succeed(&["status", text(&results.join("resume")), "--json"])).expect("JSON")
}

/// How many runs are so.
fn count(status: &serde_json::Value, wanted: &str) -> usize {
    status["runs"].as_array().expect("a list").iter().filter(|run| run["status"] == wanted).count()
}

/// Waits some time for the end of a process; true when it came.
fn ended(child: &mut Child, within: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < within {
        if child.try_wait().expect("can be waited for").is_some() {
            return true;
        }
        sleep(Duration::from_millis(5));
    }
    false
}

/// Waits until the first file below a folder is there.
fn await_file(folder: &Path) -> PathBuf {
    let start = Instant::now();
    loop {
        let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        if let Some(path) = below(folder)
            .flat_map(|owner| below(&owner).collect::<Vec<_>>())
            .find(|path| path.extension().is_some_and(|e| e == "safetensors"))
        {
            return path;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing came into {}", folder.display());
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn real_runs_killed_at_any_moment_end_as_if_nothing_had_happened() {
    let (folder, grid) = grid(GRID);
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    succeed(&["sweep", text(&grid), "--results", text(&whole), "--workers", "1"]);
    let runs = |results: &Path| reproducible_part(&results.join("resume/runs.csv"));
    let wanted = kills("SCALELAB_KILLS", 2);
    for kill in 0..wanted {
        let mut driver = start(&grid, &broken);
        let begun = Instant::now();
        while workers(&driver).is_empty() && !ended(&mut driver, Duration::from_millis(5)) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no worker was started");
        }
        let mut done = ended(&mut driver, Duration::from_millis(61 * (kill % 10)));
        // A worker, the driver, both: a driver outlives its workers, a worker its driver by a step.
        let workers = workers(&driver);
        match kill % 3 {
            _ if done => {}
            0 => {
                signal("KILL", &workers);
                done = ended(&mut driver, Duration::from_secs(120));
                assert!(done, "a driver goes on with other workers");
            }
            1 => driver.kill().expect("killed"),
            _ => {
                driver.kill().expect("killed");
                signal("KILL", &workers);
            }
        }
        driver.wait().expect("ended");
        if done {
            // It came to its end: once more from nothing.
            assert_eq!(runs(&whole), runs(&broken));
            std::fs::remove_dir_all(&broken).expect("removed");
        }
    }
    eprintln!("{wanted} kills");
    succeed(&["sweep", text(&grid), "--results", text(&broken), "--workers", "2"]);
    assert_eq!(count(&status(&broken), "finished"), 12);
    assert_eq!(runs(&whole).len(), 12);
    assert_eq!(runs(&whole), runs(&broken));
    assert!(!broken.join("resume/checkpoints").exists() && !broken.join("resume/running").exists());
}

#[test]
fn a_sweep_told_to_end_keeps_its_states_exits_75_and_goes_on_from_them() {
    let (folder, grid) = grid(&GRID.replace("120k", "500k").replace("0.02s", "1h"));
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    let mut driver = start(&grid, &broken);
    // The branch point of a shorter run: the longer ones are on their way.
    await_file(&broken.join("resume/checkpoints"));
    signal("TERM", &[driver.id().to_string()]);
    assert!(ended(&mut driver, Duration::from_secs(30)), "it ends soon");
    assert_eq!(driver.wait().expect("ended").code(), Some(75));
    assert!(count(&status(&broken), "interrupted") > 0, "{:#}", status(&broken));
    // A state that is cut short is named and passed over; so is one of zeros.
    let state = await_file(&broken.join("resume/checkpoints"));
    let bytes = std::fs::read(&state).expect("reads");
    std::fs::write(&state, &bytes[..bytes.len() / 2]).expect("written");
    let output = run(&["sweep", text(&grid), "--results", text(&broken), "--workers", "2"]);
    assert!(output.status.success() && stderr(&output).contains(text(&state)), "{}", stderr(&output));
    succeed(&["sweep", text(&grid), "--results", text(&whole), "--workers", "2"]);
    let runs = |results: &Path| reproducible_part(&results.join("resume/runs.csv"));
    assert_eq!(runs(&whole), runs(&broken));
}

#[test]
fn status_tells_what_runs_and_what_was_left_by_a_killed_driver() {
    let (folder, grid) = grid(&GRID.replace("120k", "20M"));
    let results = folder.path().join("results");
    let mut driver = start(&grid, &results);
    await_file(&results.join("resume/checkpoints"));
    sleep(Duration::from_millis(1200));
    let json = status(&results);
    let running: Vec<&serde_json::Value> =
        json["runs"].as_array().expect("a list").iter().filter(|run| run["status"] == "running").collect();
    assert_eq!(running.len(), 2, "{json:#}");
    assert!(
        running
            .iter()
            .all(|run| run["step"].as_u64().is_some_and(|step| step > 0)
                && run["tokens_per_second"].as_f64().is_some_and(|rate| rate > 100.0))
    );
    assert!(json["seconds_left"].as_f64().is_some_and(|seconds| seconds > 0.0));
    driver.kill().expect("killed");
    driver.wait().expect("ended");
    let told = succeed(&["status", text(&results.join("resume"))]);
    assert!(told.contains(&format!("process {} ", driver.id())), "{told}");
    let after = status(&results);
    assert_eq!(count(&after, "running"), 0, "{after:#}");
}

#[test]
fn two_shards_train_every_run_once_side_by_side_and_are_the_whole() {
    let (folder, grid) = grid(GRID);
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    succeed(&["sweep", text(&grid), "--results", text(&whole)]);
    let shard =
        |which: &'static str| scalelab(&["sweep", text(&grid), "--results", text(&parts), "--workers", "1", "--shard", which]).output();
    let [first, second] = std::thread::scope(|scope| {
        ["1/2", "2/2"].map(|which| scope.spawn(move || shard(which).expect("starts"))).map(|thread| thread.join().expect("ends"))
    });
    let mut said = Transcript::default();
    for (which, output) in [("1/2", &first), ("2/2", &second)] {
        assert!(output.status.success(), "{}", stderr(output));
        said.about(&format!("shard {which}, as far as it does not depend on who ends first"));
        said.text(&lines(&String::from_utf8_lossy(&output.stdout), &["sweep", "6 finished"]));
    }
    // Whoever ends last gathers all of it.
    let runs = |results: &Path| reproducible_part(&results.join("resume/runs.csv"));
    assert_eq!(runs(&whole), runs(&parts));
    said.succeed(&["sweep", text(&grid), "--results", text(&parts)]);
    said.check("resume_shards");
}

#[test]
fn a_finished_sweep_says_so_and_trains_nothing_again() {
    let (folder, grid) = grid(GRID);
    let results = folder.path().join("results");
    let sweep = ["sweep", text(&grid), "--results", text(&results)];
    succeed(&sweep);
    let read = || std::fs::read(results.join("resume/runs.csv")).expect("reads");
    let before = read();
    let mut said = Transcript::default();
    said.succeed(&sweep);
    said.check("resume_finished");
    assert_eq!(before, read());
}

#[test]
fn only_the_runs_that_a_changed_grid_adds_are_trained() {
    let (folder, grid) = grid(GRID);
    let results = folder.path().join("results");
    succeed(&["sweep", text(&grid), "--results", text(&results)]);
    let first = reproducible_part(&results.join("resume/runs.csv"));
    std::fs::write(&grid, GRID.replace("4e-3, 8e-3, 1.6e-2", "8e-3, 3.2e-2")).expect("written");
    let mut said = Transcript::default();
    said.succeed(&["sweep", text(&grid), "--results", text(&results)]);
    said.check("resume_changed_grid");
    let second = reproducible_part(&results.join("resume/runs.csv"));
    assert_eq!(second.len(), 16);
    assert!(first.iter().all(|row| second.contains(row)), "old rows stay as they were");
}

#[test]
fn a_damaged_run_file_is_named_and_its_run_trained_again() {
    let (folder, grid) = grid(GRID);
    let results = folder.path().join("results");
    let sweep = ["sweep", text(&grid), "--results", text(&results)];
    succeed(&sweep);
    let runs_csv = results.join("resume/runs.csv");
    let before = reproducible_part(&runs_csv);
    let victim = results.join("resume/runs").join(format!("{}.csv", before[3][0]));
    let whole = std::fs::read(&victim).expect("reads");
    for damage in [&whole[..whole.len() - 40], &[0u8; 512]] {
        std::fs::write(&victim, damage).expect("written");
        let output = run(&sweep);
        assert!(output.status.success() && stderr(&output).contains(text(&victim)), "{}", stderr(&output));
        assert_eq!(before, reproducible_part(&runs_csv));
    }
}

#[test]
fn a_second_driver_in_the_same_folder_is_told_who_holds_it() {
    let (folder, grid) = grid(&GRID.replace("120k", "20M"));
    let results = folder.path().join("results");
    let sweep = ["sweep", text(&grid), "--results", text(&results)];
    let mut first = scalelab(&sweep).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let lock = results.join("resume/.lock");
    let start = Instant::now();
    while !std::fs::read_to_string(&lock).is_ok_and(|text| !text.is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(30), "no lock was taken");
        sleep(Duration::from_millis(5));
    }
    let second = run(&sweep);
    first.kill().expect("killed");
    first.wait().expect("ended");
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains(&format!("process {}", first.id())), "{}", stderr(&second));
}
