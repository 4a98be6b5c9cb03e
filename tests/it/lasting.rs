//! Nothing lost: folders, tables and sealed forecasts that version 0.1 wrote are read as they were, and what is written about them
//! still says all that it said. `tests/fixtures/v0.1` is what that version wrote; it is never written anew.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{succeed, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const FIXTURE: &str = "tests/fixtures/v0.1";

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE).join(file)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).expect("JSON")
}

/// The sweep of the fixture in a folder of its own, with or without some of its files.
fn sweep(without: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let copy = folder.path().join("results").join("sweep");
    for below in ["", "runs", "curves"] {
        fs::create_dir_all(copy.join(below)).expect("made");
        for entry in fs::read_dir(fixture("sweep").join(below)).expect("the fixture").map(|entry| entry.expect("listed")) {
            let name = entry.file_name().into_string().expect("text");
            if entry.path().is_file() && !without.contains(&name.as_str()) {
                fs::copy(entry.path(), copy.join(below).join(name)).expect("copied");
            }
        }
    }
    (folder, copy)
}

/// Fields of the old document that the new one lacks. Of a list of documents the first stands for all.
fn lost(old: &Value, new: &Value, at: &str) -> Vec<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let one = |(name, value): (&String, &Value)| match new.get(name) {
                Some(now) => lost(value, now, &format!("{at}.{name}")),
                None => vec![format!("{at}.{name}")],
            };
            old.iter().flat_map(one).collect()
        }
        (Value::Array(old), Value::Array(new)) => match (old.first(), new.first()) {
            (Some(old), Some(new)) => lost(old, new, &format!("{at}[0]")),
            // What was doubted once may be no more.
            (Some(_), None) if at.ends_with(".warnings") => Vec::new(),
            (Some(_), None) => vec![format!("{at}[0]")],
            _ => Vec::new(),
        },
        (Value::Object(_) | Value::Array(_), _) => vec![at.to_owned()],
        _ => Vec::new(),
    }
}

/// Whether two numbers, or an estimate's values, are one but for the order of sums.
fn same(old: &Value, new: &Value) -> bool {
    let value = |json: &Value| json.get("value").unwrap_or(json).as_f64();
    let (Some(old), Some(new)) = (value(old), value(new)) else { return old == new };
    (old - new).abs() <= 1e-6 * old.abs()
}

#[test]
fn a_results_folder_is_fitted_as_it_was_and_every_field_is_still_written() {
    let (folder, sweep) = sweep(&[]);
    succeed(&["fit", text(&sweep), "--plots", text(folder.path())]);
    for file in ["fits/chinchilla.json", "fits/isoflop.json", "recommendation.json"] {
        let (old, new) = (json(&fixture("sweep").join(file)), json(&sweep.join(file)));
        assert_eq!(lost(&old, &new, file), Vec::<String>::new());
        for name in ["data_sha256", "points", "status", "objective"] {
            assert!(same(&old[name], &new[name]), "{file}: {name} was {} and is {}", old[name], new[name]);
        }
        for (name, estimate) in old["coefficients"].as_object().into_iter().flatten() {
            let now = &new["coefficients"][name];
            assert!(same(estimate, now), "{file}: {name} was {estimate} and is {now}");
        }
    }
    let advice = |path: &Path| json(path).as_array().expect("budgets").clone();
    let (old, new) = (advice(&fixture("sweep/recommendation.json")), advice(&sweep.join("recommendation.json")));
    // Version 0.1 advised by the additive law alone.
    let alone: Value = serde_json::from_str(&succeed(&["recommend", text(&sweep), "--law", "chinchilla", "--json"])).expect("JSON");
    assert_eq!(old.len(), new.len());
    for (at, (old, new)) in old.iter().zip(&new).enumerate() {
        assert!(same(&old["compute"], &new["compute"]), "{} and {}", old["compute"], new["compute"]);
        for name in ["params", "tokens", "learning_rate", "batch_tokens", "loss"] {
            assert!(same(&old[name], &alone[at][name]), "{name} was {} and is {}", old[name], alone[at][name]);
        }
    }
}

#[test]
fn a_folder_without_its_plan_is_read_as_its_table_is() {
    let fitted = |path: &Path| -> Value { serde_json::from_str(&succeed(&["fit", text(path), "--json"])).expect("JSON") };
    let (_kept, whole) = sweep(&[]);
    let (_also_kept, planless) = sweep(&["plan.csv"]);
    let (_table_kept, table) = sweep(&["plan.csv"]);
    let whole = fitted(&whole);
    for other in [fitted(&planless), fitted(&table.join("runs.csv"))] {
        let [old, new] = [&whole, &other].map(|document| &document["laws"]["chinchilla"]["coefficients"]);
        for (name, estimate) in old.as_object().expect("a fit") {
            assert!(same(estimate, &new[name]), "{name} is {estimate} and {}", new[name]);
        }
    }
}

#[test]
fn a_run_and_its_curve_are_diagnosed_without_the_gathered_table() {
    let (_kept, sweep) = sweep(&["runs.csv", "plan.csv"]);
    let found: Value = serde_json::from_str(&succeed(&["doctor", text(&sweep), "--json"])).expect("JSON");
    assert_eq!((found.as_array().map(Vec::len), &found[0]["healthy"]), (Some(1), &Value::Bool(true)), "{found:#}");
}

#[test]
fn a_sealed_forecast_is_believed_and_scored_as_it_was() {
    let scored = succeed(&["verify", text(&fixture("forecast.json")), text(&fixture("after")), "--json"]);
    let scored: Value = serde_json::from_str(&scored).expect("JSON");
    let run = &scored["runs"][0];
    assert_eq!(run["run"], "2x128-d27m-lr0.0016-b1792-s0.0-3e28ec17e7");
    assert!(
        same(&run["forecast"], &Value::from(1.194_221_095_258_957_6)) && same(&run["error_nats"], &Value::from(0.181_607_085_546)),
        "{run:#}"
    );
    assert_eq!((&run["after_forecast"], run["forecast"]["intervals"].as_array().map(Vec::len)), (&Value::Bool(true), Some(3)));
    assert_eq!(scored["laws"][0]["name"], "chinchilla");
}

#[test]
fn a_field_that_is_gone_is_seen() {
    let old = serde_json::json!({ "a": 1, "b": { "c": [ { "d": 2, "e": 3 } ] } });
    let new = serde_json::json!({ "a": 1, "b": { "c": [ { "d": 2 } ] }, "f": 4 });
    assert_eq!(lost(&old, &new, "x"), ["x.b.c[0].e"]);
    assert_eq!(lost(&old, &old, "x"), Vec::<String>::new());
    assert!(same(&serde_json::json!({ "value": 1.0 }), &1.0.into()) && !same(&1.0.into(), &1.1.into()));
}
