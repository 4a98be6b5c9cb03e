//! Trunks and branches of the whole program: shared steps are made once, and nobody can tell from the results.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{grid, reproducible_part, succeed, text};
use std::path::Path;

/// Two shapes, two rates, four lengths, two schedules with a constant part and one without.
const GRID: &str = r#"
    name = "branch"
    ladder = { kind = "list", shapes = ["1x8", "2x16"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["20k", "40k", "80k"] }
    [model]
    context = 64
    [recipe]
    learning_rate = [4e-3, 8e-3]
    batch_tokens = 1024
    schedule = [{ kind = "wsd" }, { kind = "multi-step" }, { kind = "cosine" }]
    [eval]
    every = 9
    [run]
    noise_scale_every = 7
"#;

/// Every file of a folder of a sweep, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("listed"));
    let mut files: Vec<(String, Vec<u8>)> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("reads"))).collect();
    files.sort();
    files
}

#[test]
fn branched_runs_are_the_runs_trained_alone_bit_for_bit() {
    let (folder, grid) = grid(GRID);
    let [shared, alone] = ["shared", "alone"].map(|name| folder.path().join(name));
    succeed(&["sweep", text(&grid), "--results", text(&shared), "--workers", "2"]);
    std::fs::write(&grid, GRID.replace("[recipe]", "[recipe]\n trunk = \"off\"")).expect("written");
    succeed(&["sweep", text(&grid), "--results", text(&alone), "--workers", "2"]);
    let [shared, alone] = [shared, alone].map(|results| results.join("branch"));
    let rows = |sweep: &Path| reproducible_part(&sweep.join("runs.csv"));
    assert_eq!(rows(&shared).len(), 2 * 2 * 3 * 3);
    assert_eq!(rows(&shared), rows(&alone));
    for part in ["curves", "eval"] {
        assert!(files(&shared.join(part)) == files(&alone.join(part)), "{part} differ");
    }
    assert!(!shared.join("checkpoints").exists() && !alone.join("checkpoints").exists(), "no state outlives its use");
}

#[test]
fn runs_of_a_trunk_are_one_cluster_and_those_without_are_none() {
    let (folder, grid) = grid(GRID);
    succeed(&["sweep", text(&grid), "--results", text(folder.path()), "--workers", "2"]);
    let mut reader = csv::Reader::from_path(folder.path().join("branch/runs.csv")).expect("opens");
    let headers = reader.headers().expect("a header").clone();
    let column = |name: &str| headers.iter().position(|header| header == name).expect("a column");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let clusters: std::collections::BTreeSet<&str> = rows.iter().map(|row| &row[column("cluster")]).collect();
    assert_eq!(clusters.len(), 2 * 2 + 1, "a trunk for each shape and rate, and none for cosine: {clusters:?}");
    for row in &rows {
        assert_eq!(row[column("cluster")], row[column("trunk_id")]);
        assert_eq!(row[column("cluster")].is_empty(), row[column("schedule")].starts_with("cosine"));
    }
}

#[test]
fn four_doublings_save_37_per_cent_and_the_plan_says_so() {
    let doubling = GRID.replace("\"20k\", \"40k\", \"80k\"", "\"1M\", \"2M\", \"4M\", \"8M\"");
    let doubling = doubling.replace("[{ kind = \"wsd\" }, { kind = \"multi-step\" }, { kind = \"cosine\" }]", "{ kind = \"wsd\" }");
    let (_folder, path) = grid(&doubling);
    let json: serde_json::Value = serde_json::from_str(&succeed(&["plan", text(&path), "--json"])).expect("JSON");
    let saved = json["saved_fraction"].as_f64().expect("a number");
    assert!((saved - 0.37).abs() < 0.01, "{saved}");
    assert_eq!((json["trunks"].as_u64(), json["runs_on_trunks"].as_u64()), (Some(4), Some(16)));
    let mut said = Transcript::default();
    said.lines(&["trunks:"], &["plan", text(&path), "--details"]);
    said.check("branch_plan");
    std::fs::write(&path, doubling.replace("[recipe]", "[recipe]\n trunk = \"off\"")).expect("written");
    let json: serde_json::Value = serde_json::from_str(&succeed(&["plan", text(&path), "--json"])).expect("JSON");
    assert_eq!(json["saved_fraction"].as_f64(), Some(0.0));
}

#[test]
fn a_longer_run_added_later_shares_what_it_can_and_changes_nothing() {
    let (folder, path) = grid(GRID);
    let results = folder.path().join("results");
    std::fs::write(&path, GRID.replace("\"20k\", \"40k\", \"80k\"", "\"20k\"")).expect("written");
    succeed(&["sweep", text(&path), "--results", text(&results)]);
    let first = reproducible_part(&results.join("branch/runs.csv"));
    std::fs::write(&path, GRID.replace("\"20k\", \"40k\", \"80k\"", "\"20k\", \"40k\"")).expect("written");
    let mut said = Transcript::default();
    said.succeed(&["sweep", text(&path), "--results", text(&results)]);
    said.check("branch_longer_runs");
    let second = reproducible_part(&results.join("branch/runs.csv"));
    // Warmup is 5 % of the shortest run, which stayed the same.
    assert!(first.iter().all(|row| second.contains(row)));
}
