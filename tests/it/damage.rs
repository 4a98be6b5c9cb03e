//! Files of a results folder that a disk or a copy damaged: every command that reads one names it and how it is made again, none panics,
//! and `scalelab repair` makes again what can be.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::mock::plan;
use crate::support::snapshot::Transcript;
use crate::support::{run, stderr, succeed, text};
use scalelab::results::SweepFolder;
use scalelab::spec::{CurvePoint, Nats, RunRecord, RunStatus, Tokens, TrainedRun};
use scalelab::sweep::PlannedRun;
use std::fs;
use std::path::{Path, PathBuf};

const GRID: &str = r#"
    name = "mock"
    ladder = { kind = "list", shapes = ["1x16", "2x32", "2x64"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["1M", "3M", "9M"] }
    [model]
    context = 64
    [recipe]
    learning_rate = 4e-3
    batch_tokens = 4096
    [eval]
    windows = 16
"#;

/// What a run of a law leaves.
fn trained(run: &PlannedRun) -> TrainedRun {
    let planned = RunRecord::planned(&run.spec);
    let (n, d) = (planned.params_total.expect("counted").0, run.spec.tokens().0);
    let wobble = 1.0 + 0.002 * (n * 0.7 + d * 0.3).sin();
    // A number that f32 holds, so that the mean over windows is the loss to the bit.
    let loss = ((1.2 + 25.0 / n.powf(0.35) + 60.0 / d.powf(0.3)) * wobble) as f32;
    let point = |at: u64| {
        let step = (at * run.spec.steps / 40).max(at);
        let train_loss_nats = Some(f64::from(loss) + 3.0 / at as f64);
        let val_loss_nats = (at == 40).then_some(f64::from(loss));
        CurvePoint { step, tokens: step * 4096, learning_rate: 4e-3, train_loss_nats, val_loss_nats, ..CurvePoint::default() }
    };
    let record = RunRecord {
        status: RunStatus::Finished,
        loss_nats: Some(Nats(f64::from(loss))),
        eval_tokens: Some(Tokens((16 * 64) as f64)),
        ..planned
    };
    TrainedRun { record, curve: (1..=40).map(point).collect(), window_losses: vec![loss; 16] }
}

/// A whole sweep in a folder of its own.
fn sweep() -> (tempfile::TempDir, SweepFolder) {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path().join("results/mock"));
    let plan = plan(GRID);
    let runs: Vec<TrainedRun> = plan.runs.iter().map(trained).collect();
    runs.iter().for_each(|run| folder.keep(run).expect("kept"));
    folder.write_plan(&plan.records()).expect("written");
    folder.write_runs(&runs.into_iter().map(|run| run.record).collect::<Vec<_>>()).expect("written");
    (place, folder)
}

/// The file of a folder, or the first in one of its folders.
fn file(folder: &SweepFolder, name: &str) -> PathBuf {
    let path = folder.path.join(name);
    if !path.is_dir() {
        return path;
    }
    let mut below: Vec<PathBuf> = fs::read_dir(&path).expect("listed").map(|entry| entry.expect("listed").path()).collect();
    below.sort();
    below.remove(0)
}

/// What a disk makes of a file.
fn damaged(whole: &[u8], how: &str) -> Vec<u8> {
    let ends: Vec<usize> = (1..=whole.len()).filter(|at| whole[at - 1] == b'\n').collect();
    match how {
        "cut off" => whole[..whole.len() * 3 / 5].to_vec(),
        "cut at the end of a line" => whole[..ends.get(ends.len().saturating_sub(1) / 2).copied().unwrap_or(whole.len() / 8 * 4)].to_vec(),
        "zeroed" => vec![0; whole.len()],
        "zeroed from the middle" => [&whole[..whole.len() / 2], &vec![0; whole.len() - whole.len() / 2]].concat(),
        "without its last byte" => whole[..whole.len() - 1].to_vec(),
        _ => Vec::new(),
    }
}

const WAYS: [&str; 6] = ["cut off", "cut at the end of a line", "zeroed", "zeroed from the middle", "without its last byte", "emptied"];

/// Calls of a command that reads a folder.
fn call(command: &str, folder: &Path) -> Vec<String> {
    let rest: &[&str] = match command {
        "fit" | "forecast" => &["--json", "--refits", "0"],
        "recommend" => &["--json", "--refits", "0", "--compute", "1e14"],
        "report" => &["--refits", "0", "--json"],
        _ => &[],
    };
    [&[command, text(folder)], rest].concat().into_iter().map(str::to_owned).collect()
}

/// What a command says of a folder, where it found the damage: it names the file and the remedy.
fn told(command: &str, folder: &SweepFolder, spoilt: &Path, remedy: &str) -> String {
    let args = call(command, &folder.path);
    let output = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let said = format!("{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
    assert!(matches!(output.status.code(), Some(0..=2)) && !said.contains("panicked"), "{args:?}: {said}");
    let name = spoilt.file_name().expect("a name").to_string_lossy().into_owned();
    let line = said.lines().find(|line| line.contains(&name) && !line.contains("\"excluded\""));
    assert!(line.is_some(), "{args:?} does not name {name}: {said}");
    assert!(said.contains(remedy), "{args:?} does not say {remedy}: {said}");
    line.unwrap_or_default().to_owned()
}

/// Damages a file in every way and asks every command that reads it.
fn ask_all(folder: &SweepFolder, name: &str, commands: &[&str], remedy: &str, ways: &[&str]) {
    let path = file(folder, name);
    let whole = fs::read(&path).expect("reads");
    for way in ways {
        fs::write(&path, damaged(&whole, way)).expect("written");
        for command in commands {
            told(command, folder, &path, remedy);
        }
    }
    fs::write(&path, whole).expect("written");
}

#[test]
fn a_damaged_file_is_named_with_its_remedy_by_every_command_that_reads_it() {
    let (_place, folder) = sweep();
    ask_all(&folder, "curves", &["doctor"], "scalelab repair", &WAYS);
    ask_all(&folder, "curves", &["plot", "report", "pack"], "scalelab repair", &["cut at the end of a line"]);
    ask_all(&folder, "eval", &["fit"], "scalelab repair", &WAYS);
    ask_all(&folder, "eval", &["recommend", "forecast"], "scalelab repair", &["zeroed"]);
    ask_all(&folder, "runs", &["status", "doctor"], "scalelab repair", &WAYS);
    ask_all(&folder, "runs", &["fit"], "scalelab repair", &["cut off"]);
    let unseen = "cut at the end of a line";
    let plan_ways: Vec<&str> = WAYS.into_iter().filter(|way| *way != unseen).collect();
    ask_all(&folder, "plan.csv", &["status", "doctor"], "scalelab sweep", &plan_ways);
    ask_all(&folder, "plan.csv", &["fit", "plot"], "scalelab sweep", &["zeroed"]);
    // A table cut there is whole by itself; the runs' own files say the rest, so nothing is lost.
    let table_ways: Vec<&str> = plan_ways.iter().copied().filter(|way| *way != "emptied").collect();
    ask_all(&folder, "runs.csv", &["doctor"], "scalelab repair", &table_ways);
    ask_all(&folder, "runs.csv", &["fit", "report"], "scalelab repair", &["zeroed"]);
}

#[test]
fn a_plan_or_a_table_that_was_cut_at_the_end_of_a_line_changes_no_answer_unsaid() {
    let (_place, folder) = sweep();
    let fitted = || succeed(&["fit", text(&folder.path), "--refits", "0", "--json"]);
    let before = fitted();
    let cut = |name: &str| {
        let path = file(&folder, name);
        let whole = fs::read(&path).expect("reads");
        fs::write(&path, damaged(&whole, "cut at the end of a line")).expect("written");
        move || fs::write(&path, whole).expect("written")
    };
    let mend = cut("runs.csv");
    assert_eq!(fitted(), before);
    mend();
    let mend = cut("plan.csv");
    let output = run(&["fit", text(&folder.path), "--refits", "0", "--json"]);
    let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("plan.csv does not name them") || output.status.code() == Some(2), "{said}");
    mend();
    assert_eq!(fitted(), before);
}

#[test]
fn what_a_packed_folder_lost_is_missed_and_only_a_copy_brings_it_back() {
    let (_place, folder) = sweep();
    succeed(&["pack", text(&folder.path)]);
    ask_all(&folder, "runs.csv", &["doctor"], "put back the file", &WAYS);
    ask_all(&folder, "runs.csv", &["fit", "status", "pack"], "put back the file", &["cut at the end of a line"]);
    ask_all(&folder, "curves.csv.gz", &["doctor"], "put back the file", &["cut off", "zeroed", "emptied", "without its last byte"]);
    fs::write(folder.runs_csv(), "run_id,lay").expect("written");
    let output = run(&["repair", text(&folder.path)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("stays as it is"), "{said}");
    assert_eq!(fs::read_to_string(folder.runs_csv()).expect("reads"), "run_id,lay");
}

#[test]
fn a_damaged_forecast_is_refused_with_what_to_do() {
    let (_place, folder) = sweep();
    succeed(&["forecast", text(&folder.path), "--refits", "0"]);
    let sealed = folder.path.join("forecast.json");
    let whole = fs::read(&sealed).expect("reads");
    for way in ["cut off", "zeroed", "emptied", "without its last byte"] {
        fs::write(&sealed, damaged(&whole, way)).expect("written");
        let output = run(&["verify", text(&sealed), text(&folder.path)]);
        let said = stderr(&output);
        // The line break at its end is no part of what is sealed.
        let as_it_was = way == "without its last byte" && !said.contains("is no forecast");
        assert!(output.status.code() == Some(2) && (as_it_was || said.contains("put back a copy")), "{way}: {said}");
    }
}

#[test]
fn repair_makes_again_what_stands_elsewhere_and_sets_the_rest_aside() {
    let (_place, folder) = sweep();
    let fitted = || succeed(&["fit", text(&folder.path), "--refits", "0", "--json"]);
    let (before, table) = (fitted(), fs::read(folder.runs_csv()).expect("reads"));
    let mut said = Transcript::default();
    said.about("a whole folder");
    said.succeed(&["repair", text(&folder.path)]);
    let [own, curve, windows] = ["runs", "curves", "eval"].map(|part| file(&folder, part));
    for path in [&own, &curve, &windows] {
        let whole = fs::read(path).expect("reads");
        fs::write(path, damaged(&whole, "cut off")).expect("written");
    }
    said.about("a run's row, curve and window losses cut off");
    said.succeed(&["repair", text(&folder.path), "--dry-run"]);
    assert!(curve.exists(), "a dry run moves nothing");
    said.succeed(&["repair", text(&folder.path)]);
    assert!(!curve.exists() && folder.path.join("damaged/curves").is_dir());
    fs::write(folder.runs_csv(), [0; 100]).expect("written");
    said.about("runs.csv zeroed");
    said.succeed(&["repair", text(&folder.path)]);
    assert_eq!(fs::read(folder.runs_csv()).expect("reads"), table);
    said.about("once more");
    said.succeed(&["repair", text(&folder.path)]);
    said.about("plan.csv zeroed");
    fs::write(folder.path.join("plan.csv"), [0; 100]).expect("written");
    let output = run(&["repair", text(&folder.path)]);
    assert_eq!(output.status.code(), Some(1));
    said.answer(&["repair", text(&folder.path)], &(String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)));
    folder.write_plan(&plan(GRID).records()).expect("written");
    said.about("no sweep");
    said.refused(&["repair", "src"]);
    said.check("damage_repair");
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON")["laws"]["chinchilla"]["coefficients"].clone();
    assert_eq!(value(&fitted())["E"]["value"], value(&before)["E"]["value"]);
}

#[test]
fn sweeps_of_one_name_in_two_results_folders_share_no_figure() {
    let (place, folder) = sweep();
    let others = ["results-a", "results-b"].map(|results| place.path().join(results));
    for results in &others {
        let copy = SweepFolder::at(results.join("mock"));
        fs::create_dir_all(&copy.path).expect("made");
        for name in ["plan.csv", "runs.csv"] {
            fs::copy(folder.path.join(name), copy.path.join(name)).expect("copied");
        }
        succeed(&["report", text(&copy.path), "--refits", "0"]);
    }
    succeed(&["report", text(&folder.path), "--refits", "0"]);
    for plots in ["plots", "plots-results-a", "plots-results-b"] {
        assert!(place.path().join(plots).join("mock/report.html").exists(), "{plots}");
    }
}
