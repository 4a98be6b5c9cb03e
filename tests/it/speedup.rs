//! `scalelab compare --speedup`: what a change is worth in compute, from tables, from groups of one, and from two losses.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{succeed, text};
use scalelab::law::{Chinchilla, Design, Law, Noise, simulate};
use serde_json::Value;
use std::path::Path;

const BASE: Chinchilla = Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.34, beta: 0.28 };
const WORTH: f64 = 1.4;
const BUDGETS: &str = "1e17,1e18,1e19,1e20,1e21";

/// The law whose losses are those of the base at `WORTH` times the compute: √WORTH more of N and of D.
fn better() -> Chinchilla {
    let root = WORTH.sqrt();
    Chinchilla { a: BASE.a * root.powf(-BASE.alpha), b: BASE.b * root.powf(-BASE.beta), ..BASE }
}

/// Rows of runs from a law on five budgets; the last column names them.
fn rows(law: &Chinchilla, name: &str, seed: u64) -> String {
    let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20, 1e21], 7, 8.0);
    let points = simulate(&Law::from(*law), &design, Noise { run: 0.001, cluster: 0.0 }, seed);
    points.iter().map(|point| format!("{},{},{},{},{name}\n", point.n, point.d, point.loss, point.c)).collect()
}

fn table(folder: &Path, name: &str, rows: &str) -> String {
    let path = folder.join(format!("{name}.csv"));
    std::fs::write(&path, format!("params,tokens,loss,flops,optimizer\n{rows}")).expect("written");
    text(&path).to_owned()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[&["compare", "--speedup", "--json", "--refits", "200"], args].concat())).expect("JSON")
}

fn holds(estimate: &Value, truth: f64, within: f64) -> bool {
    let of = |name: &str| estimate[name].as_f64().expect("a number");
    of("low") < truth && truth < of("high") && (of("value") / truth - 1.0).abs() < within
}

#[test]
fn a_change_of_known_worth_is_found_along_minima_along_laws_and_between_groups() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let both = [rows(&BASE, "adam", 1), rows(&better(), "muon", 2)];
    let [before, after] = [table(folder.path(), "before", &both[0]), table(folder.path(), "after", &both[1])];
    let found = json(&[&before, &after, "--budgets", BUDGETS, "--compute", "1e19", "--target-loss", "2.5"]);
    let worth = &found["groups"][0]["worth"];
    assert_eq!((&found["baseline"], &found["groups"][0]["group"]), (&"before".into(), &"after".into()));
    assert_eq!((&worth["frontier"], &worth["budgets"], &worth["floor"]), (&"minima".into(), &[5, 5].into(), &"shared".into()));
    assert!(holds(&worth["constant"], WORTH, 0.05), "{worth:#}");
    assert!(worth["at"].as_array().is_some_and(|at| at.len() == 2 && at.iter().all(|at| holds(&at["speedup"], WORTH, 0.05))), "{worth:#}");
    let trend = &worth["trend"];
    assert!(trend["low"].as_f64() < Some(0.0) && trend["high"].as_f64() > Some(0.0), "{trend}");
    let floor = |at: usize| worth["floors"][at]["floor"].as_f64().expect("a floor");
    assert!(floor(0) < 1.7 && 1.7 < floor(2), "{worth:#}");
    // From the other side it costs what it saved.
    let back = json(&[&after, &before, "--budgets", BUDGETS, "--floor", "1.7"]);
    assert!(holds(&back["groups"][0]["worth"]["constant"], 1.0 / WORTH, 0.05), "{back:#}");
    let laws = json(&[&before, &after, "--compute", "1e19", "--estimator", "least-squares-log"]);
    let worth = &laws["groups"][0]["worth"];
    assert!(worth["frontier"] == "laws" && holds(&worth["at"][0]["speedup"], WORTH, 0.1), "{worth:#}");
    let one = table(folder.path(), "both", &both.concat());
    let by = json(&[&one, "--by", "optimizer", "--baseline", "muon", "--budgets", BUDGETS, "--floor", "free"]);
    assert_eq!((&by["baseline"], &by["groups"][0]["group"]), (&"muon".into(), &"adam".into()));
    assert!(
        by["groups"][0]["worth"]["at"].as_array().is_some_and(|at| at.iter().all(|at| holds(&at["speedup"], 1.0 / WORTH, 0.1))),
        "{by:#}"
    );
    let mut said = Transcript::default();
    said.succeed(&["compare", "--speedup", &before, &after, "--budgets", BUDGETS]);
    said.check("speedup");
}

#[test]
fn two_losses_are_worth_a_range_over_the_floors_that_may_be_true() {
    let losses = ["compare", "--speedup", "--losses", "2.975,2.958"];
    let mut said = Transcript::default();
    said.succeed(&[&losses[..], &["--floor", "1.6,0.578", "--alpha", "0.0912,0.0584"]].concat());
    said.succeed(&[&losses[..], &["--floor", "1.6", "--alpha", "0.0912"]].concat());
    said.check("speedup_losses");
    let json: Value =
        serde_json::from_str(&succeed(&[&losses[..], &["--floor", "1.6", "--alpha", "0.0912", "--json"]].concat())).expect("JSON");
    assert!(json["floors"][0]["speedup"].as_f64().is_some_and(|times| (times - 1.1462).abs() < 1e-4), "{json}");
}

#[test]
fn what_tells_no_speedup_is_refused_with_what_to_do() {
    let mut said = Transcript::default();
    let losses: [&[&str]; 5] = [
        &["2.9", "--floor", "1", "--alpha", "0.1"],
        &["2.9,2.8", "--floor", "1,2", "--alpha", "0.1"],
        &["2.9,2.8", "--floor", "shared", "--alpha", "0.1"],
        &["2.9,2.8", "--floor", "2.85", "--alpha", "0.1"],
        &["2.9,2.8"],
    ];
    for more in losses {
        said.refused(&[&["compare", "--speedup", "--losses"], more].concat());
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let [before, after] = ["before", "after"].map(|name| table(folder.path(), name, &rows(&BASE, "adam", 1)));
    let runs: [&[&str]; 7] = [
        &[&before, "--by", "optimizer"],
        &[&before, &after, "--by", "optimizer"],
        &[&before, &after, "--baseline", "none"],
        &[&before, &after, "--floor", "1.6"],
        &[&before, &after, "--floor", "x"],
        &[&before, &after, "--floor", "9", "--budgets", BUDGETS],
        &[&before],
    ];
    for more in runs {
        said.refused(&[&["compare", "--speedup"], more].concat());
    }
    said.check("speedup_refused");
}
