//! `scalelab compare`: laws of several tables side by side, in one unit of loss.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{succeed, text};
use scalelab::law::{Chinchilla, Design, Law, Noise, simulate};
use std::path::Path;

const FIRST: Chinchilla = Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.34, beta: 0.28 };

/// A table of runs from a law.
fn table(folder: &Path, name: &str, law: &Chinchilla) -> String {
    let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
    let points = simulate(&Law::from(*law), &design, Noise { run: 0.002, cluster: 0.0 }, 3);
    let mut csv = String::from("params,tokens,loss,flops\n");
    for point in points {
        csv += &format!("{},{},{},{}\n", point.n, point.d, point.loss, point.c);
    }
    let path = folder.join(format!("{name}.csv"));
    std::fs::write(&path, csv).expect("written");
    text(&path).to_owned()
}

fn compared(paths: &[&str]) -> serde_json::Value {
    let args =
        [&["compare"][..], paths, &["--json", "--refits", "200", "--estimator", "least-squares-log", "--compute", "1e20,1e22"]].concat();
    serde_json::from_str(&succeed(&args)).expect("JSON")
}

#[test]
fn laws_of_two_tables_are_told_apart_and_allocate_the_same_budget_by_their_own() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let other = Chinchilla { e: 1.9, a: 30.0, b: 3000.0, alpha: 0.2, beta: 0.4 };
    let [first, same, second] = [("first", FIRST), ("same", FIRST), ("second", other)].map(|(name, law)| table(folder.path(), name, &law));
    let equal = compared(&[&first, &same]);
    assert_eq!(equal["loss_unit"], "nats-per-token");
    let p_values = |found: &serde_json::Value| -> Vec<f64> {
        found["equality"].as_array().expect("tests").iter().map(|test| test["p_value"].as_f64().expect("a number")).collect()
    };
    assert!(p_values(&equal).iter().all(|p| *p > 0.01), "{:?}", p_values(&equal));
    let apart = compared(&[&first, &second]);
    assert!(p_values(&apart).iter().all(|p| *p < 1e-3), "{:?}", p_values(&apart));
    let optimum = |group: &str| apart["allocations"][1]["groups"][group]["params"]["value"].as_f64().expect("a number");
    let exact = |law: &Chinchilla| law.optimal_params(1e22, &scalelab::law::ComputeCount::Bilinear { k: 6.0 });
    assert!((optimum("first") / exact(&FIRST)).ln().abs() < 0.3 && (optimum("second") / exact(&other)).ln().abs() < 0.5, "{apart:#}");
    // Nothing is written beside a table unless a folder is named.
    let mut said = Transcript::default();
    said.succeed(&["compare", &first, &second, "--refits", "100"]);
    said.succeed(&["compare", &first, &second, "--refits", "100", "--details"]);
    said.check("compare");
    let beside = std::fs::read_dir(folder.path()).expect("listed").count();
    assert_eq!(beside, 3, "the three tables");
    let out = folder.path().join("out");
    succeed(&["compare", &first, &second, "--refits", "100", "--out", text(&out)]);
    assert!(out.join("comparison.png").exists() && out.join("comparison.json").exists());
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let first = table(folder.path(), "first", &FIRST);
    let mut said = Transcript::default();
    said.refused(&["compare", &first]);
    said.refused(&["compare", &first, &first]);
    said.refused(&["compare", &first, "no/such.csv"]);
    said.check("compare_refused");
}

/// The committed sweep with another tokenizer in the rows that are chosen, in a folder of its own.
fn retokenized(folder: &Path, name: &str, chosen: fn(usize) -> bool) -> String {
    let csv = std::fs::read_to_string("results/grid/runs.csv").expect("committed");
    let changed: Vec<String> = csv
        .lines()
        .enumerate()
        .map(|(at, line)| if chosen(at) { line.replacen(",bytes,1.0,", ",bpe-512-abc,2.0,", 1) } else { line.into() })
        .collect();
    let path = folder.join(name);
    std::fs::create_dir_all(&path).expect("made");
    std::fs::write(path.join("runs.csv"), changed.join("\n") + "\n").expect("written");
    text(&path).to_owned()
}

#[test]
fn runs_of_several_tokenizers_are_never_mixed_in_nats_and_are_compared_in_bits_per_byte() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mixed = retokenized(folder.path(), "mixed", |at| at % 2 == 0);
    let mut said = Transcript::default();
    for command in ["fit", "plot", "recommend"] {
        said.refused(&[command, &mixed]);
    }
    said.refused(&["compare", &mixed, "results/grid"]);
    said.check("compare_tokenizers");
    let other = retokenized(folder.path(), "other", |_| true);
    let found = compared(&["results/grid", &other]);
    assert_eq!((&found["loss_unit"], &found["tokens_unit"]), (&"bits-per-byte".into(), &"bytes of text".into()));
    let of = |group: usize, name: &str| found["groups"][group]["fitted"]["coefficients"][name]["value"].as_f64().expect("a number");
    // Two bytes a token: the same runs with half the loss per byte, the same exponents, on twice the bytes.
    assert!((of(1, "E") / of(0, "E") - 0.5).abs() < 1e-3, "{} {}", of(0, "E"), of(1, "E"));
    for exponent in ["alpha", "beta"] {
        assert!((of(1, exponent) / of(0, exponent) - 1.0).abs() < 1e-2, "{exponent}: {} {}", of(0, exponent), of(1, exponent));
    }
}
