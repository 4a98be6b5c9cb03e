//! A sweep that is killed loses nothing that finished, and resumes to the same table.
#![cfg(feature = "train")]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test of the whole program owns folders and clocks, and says what it did"
)]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{grid, reproducible_part, run, scalelab, stderr, succeed, text};

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
"#;

/// Kills the driver with SIGKILL after some time, or lets it finish; true when it was killed.
fn sweep_and_kill(grid: &Path, results: &Path, after: Duration) -> bool {
    let mut child = scalelab(&["sweep", text(grid), "--results", text(results), "--workers", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let start = Instant::now();
    while start.elapsed() < after {
        if child.try_wait().expect("can be waited for").is_some() {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    true
}

#[test]
fn a_killed_sweep_resumes_to_the_table_of_an_uninterrupted_one() {
    let (folder, grid) = grid(GRID);
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    succeed(&["sweep", text(&grid), "--results", text(&whole), "--workers", "1"]);
    let runs = |results: &Path| reproducible_part(&results.join("resume/runs.csv"));
    let wanted = std::env::var("SCALELAB_KILLS").map_or(4, |text| text.parse().expect("SCALELAB_KILLS is a number"));
    let mut kills = 0;
    while kills < wanted {
        if !sweep_and_kill(&grid, &broken, Duration::from_millis(100 + 37 * (kills % 16))) {
            assert!(kills > 0, "the sweep ended before it could be killed");
            // It came to its end between two kills: once more from nothing.
            assert_eq!(runs(&whole), runs(&broken));
            std::fs::remove_dir_all(&broken).expect("removed");
        }
        kills += 1;
    }
    eprintln!("{kills} kills");
    succeed(&["sweep", text(&grid), "--results", text(&broken), "--workers", "2"]);
    assert_eq!(runs(&whole).len(), 12);
    assert_eq!(runs(&whole), runs(&broken));
}

#[test]
fn a_finished_sweep_says_so_and_trains_nothing_again() {
    let (folder, grid) = grid(GRID);
    let results = folder.path().join("results");
    let sweep = ["sweep", text(&grid), "--results", text(&results)];
    succeed(&sweep);
    let read = || std::fs::read(results.join("resume/runs.csv")).expect("reads");
    let before = read();
    assert!(succeed(&sweep).contains("all 12 runs are done"));
    assert_eq!(before, read());
}

#[test]
fn only_the_runs_that_a_changed_grid_adds_are_trained() {
    let (folder, grid) = grid(GRID);
    let results = folder.path().join("results");
    succeed(&["sweep", text(&grid), "--results", text(&results)]);
    let first = reproducible_part(&results.join("resume/runs.csv"));
    std::fs::write(&grid, GRID.replace("4e-3, 8e-3, 1.6e-2", "8e-3, 3.2e-2")).expect("written");
    let said = succeed(&["sweep", text(&grid), "--results", text(&results)]);
    assert!(said.contains("8 runs, 4 done, 4 to train"), "{said}");
    assert!(said.contains("8 runs of an earlier grid are not in this plan"), "{said}");
    assert!(said.contains("learning_rate: 0.032 instead of 0.004, 0.016"), "{said}");
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
