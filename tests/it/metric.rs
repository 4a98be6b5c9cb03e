//! Metrics in place of losses: laws of error rates, from accuracies too, which say so wherever a loss is named.

use crate::support;
use scalelab::law::Chinchilla;
use serde_json::Value;

const LAW: Chinchilla = Chinchilla { e: 0.21, a: 8.0, b: 60.0, alpha: 0.23, beta: 0.28 };

/// A table of runs with a metric of the law.
fn table(column: &str, of: impl Fn(f64) -> f64) -> String {
    let sizes = [1e7, 3e7, 1e8, 3e8, 1e9];
    let rows = sizes.iter().flat_map(|&n| [1e9, 5e9, 2.5e10, 1.25e11].map(|d| format!("{n},{d},{}\n", of(LAW.at(n, d)))));
    format!("params,tokens,{column}\n{}", rows.collect::<String>())
}

fn fitted(text: &str, more: &[&str]) -> String {
    let (_folder, path) = support::table(text);
    let how = ["--estimator", "least-squares-log", "--refits", "0"];
    support::succeed(&[&["fit", support::text(&path)], &how[..], more].concat())
}

#[test]
fn accuracies_and_error_rates_are_one_law_which_says_its_unit() {
    let accuracy = table("accuracy", |error| 1.0 - error);
    let asked = ["--columns", "loss=accuracy", "--metric", "accuracy"];
    let floor = |said: &str| {
        let document: Value = serde_json::from_str(said).expect("JSON");
        assert_eq!(document["loss_unit"], "error-rate");
        document["laws"]["chinchilla"]["coefficients"]["E"]["value"].as_f64().expect("a number")
    };
    let json = [&asked[..], &["--json"]].concat();
    assert!((floor(&fitted(&accuracy, &json)) - LAW.e).abs() < 1e-6);
    let per_cent = table("accuracy", |error| 100.0 - 100.0 * error);
    let asked_per_cent = ["--columns", "loss=accuracy*0.01", "--metric", "accuracy", "--json"];
    assert!((floor(&fitted(&per_cent, &asked_per_cent)) - LAW.e).abs() < 1e-6);
    let errors = ["--columns", "loss=wrong", "--metric", "error-rate", "--json"];
    assert!((floor(&fitted(&table("wrong", |error| error), &errors)) - LAW.e).abs() < 1e-6);
    let said = fitted(&accuracy, &asked);
    assert!(said.contains("losses in error rate") && said.contains("1 - accuracy, the error rate, is read as the loss"), "{said}");
    assert!(!said.contains("nats"), "{said}");
    let other = fitted(&table("perplexity", |error| 10.0 * error), &["--columns", "loss=perplexity", "--metric", "other"]);
    assert!(other.contains("losses in the table's metric"), "{other}");
}

#[test]
fn what_cannot_be_a_metric_is_refused_in_words() {
    let refused = |text: &str, more: &[&str]| {
        let (_folder, path) = support::table(text);
        support::refused(&[&["fit", support::text(&path)], more].concat())
    };
    let per_cent = refused(&table("loss", |error| 100.0 - 100.0 * error), &["--metric", "accuracy"]);
    assert!(per_cent.contains("loss is below 0") && per_cent.contains("--columns loss=NAME*0.01"), "{per_cent}");
    let relative = refused(&table("loss", |error| error - 5.0), &["--estimator", "least-squares"]);
    assert!(relative.contains("laws take logarithms of losses, which must be above 0, by any estimator"), "{relative}");
    let unknown = refused("params,tokens,loss\n", &["--metric", "bleu"]);
    assert!(unknown.contains("choose error-rate, accuracy"), "{unknown}");
    let own = support::refused(&["fit", "results/grid", "--metric", "accuracy"]);
    assert!(own.contains("whose losses are in nats per token; leave it out"), "{own}");
}
