//! `scalelab fit --certificate`: on tables of one variable, on budgets, and what it refuses.

use crate::support::snapshot::Transcript;
use crate::support::{succeed, table, text};
use serde_json::Value;
use std::path::Path;

/// Losses of 1.7 + 1.5·(x/1e6)^(−0.3), three runs a place that differ by ±0.1 %, under any header.
fn power(header: &str, row: impl Fn(f64, f64) -> String) -> String {
    let places = (0..6).map(|i| 1e6 * 4f64.powi(i));
    let losses = places.flat_map(|x| [-1e-3, 0.0, 1e-3].map(|off| (x, (1.7 + 1.5 * (x / 1e6).powf(-0.3)) * (1.0 + off))));
    format!("{header}\n{}\n", losses.map(|(x, loss)| row(x, loss)).collect::<Vec<_>>().join("\n"))
}

fn json(path: &Path, more: &[&str]) -> Value {
    let args = [&["fit", text(path), "--certificate", "--json"], more].concat();
    serde_json::from_str(&succeed(&args)).expect("JSON")
}

#[test]
fn a_table_of_one_variable_is_enough_and_its_range_holds_the_truth() {
    let two = |x: f64, loss: f64| format!("{x},{loss}");
    let tables = [
        ("N", power("params,loss", two)),
        ("D", power("tokens,loss", two)),
        ("C", power("flops,loss", two)),
        ("N", power("params,tokens,loss", |x, loss| format!("{x},1e9,{loss}"))),
        ("D", power("params,tokens,loss", |x, loss| format!("1e9,{x},{loss}"))),
    ];
    let far = 1.7 + 1.5 * (4f64.powi(5) * 30.0).powf(-0.3);
    for (variable, content) in tables {
        let (_folder, path) = table(&content);
        let found = json(&path, &[]);
        assert_eq!((&found["variable"], &found["verdict"]), (&variable.into(), &"holds".into()), "{found:#}");
        let range = &found["ranges"][2];
        let end = |name: &str| range[name].as_f64().expect("a number");
        assert!(range["multiple"] == 30.0 && end("low") < far && far < end("high") && end("high") - end("low") < 0.2, "{range}");
    }
    // Where N and D move together only C is left.
    let (_folder, path) = table(&power("params,tokens,loss", |x, loss| format!("{x},{},{loss}", 20.0 * x)));
    assert_eq!(json(&path, &[])["variable"], "C");
}

#[test]
fn it_speaks_of_rejection_and_of_abstention_and_says_what_would_help() {
    let mut said = Transcript::default();
    let (_folder, rising) = table("params,loss\n1e6,3.2\n1e7,2.6\n1e8,2.9\n1e9,2.85\n");
    said.about("a loss that rises");
    said.succeed(&["fit", text(&rising), "--certificate", "--noise", "0.3%"]);
    said.refused(&["fit", text(&rising), "--certificate"]);
    said.refused(&["fit", text(&rising), "--certificate", "--noise", "3"]);
    said.refused(&["fit", text(&rising), "--noise", "0.3%"]);
    let (_folder, one) = table("params,loss\n1e6,3.0\n");
    said.about("one run");
    said.succeed(&["fit", text(&one), "--certificate", "--noise", "0.3%"]);
    let (_folder, steep) = table("params,loss\n1e6,1\n1e7,0.01\n");
    said.about("two runs, the larger with a hundredth of the loss");
    said.succeed(&["fit", text(&steep), "--certificate", "--noise", "1%"]);
    let (_folder, surface) = table("params,tokens,loss\n1e6,1e8,4\n1e6,1e9,3.5\n1e7,1e8,3.6\n1e7,1e9,3.1\n1e8,3e8,2.9\n");
    said.about("runs that vary in N and in D");
    said.refused(&["fit", text(&surface), "--certificate"]);
    let (_folder, without_tokens) = table(&power("params,loss", |x, loss| format!("{x},{loss}")));
    said.about("no column for tokens, and no certificate asked for");
    said.refused(&["recommend", text(&without_tokens)]);
    said.check("certificate");
}

#[test]
fn budgets_are_certified_through_their_minima() {
    let found = json(Path::new("results/grid"), &[]);
    assert_eq!((&found["variable"], &found["of"]), (&"C".into(), &"minima".into()));
    let profiles = found["places"].as_array().expect("a list");
    assert!(profiles.len() == 6 && (profiles[0]["loss"].as_f64().expect("a loss") - 1.8508).abs() < 1e-3, "{found:#}");
    assert_eq!(found["verdict"], "holds");
    let wide = json(Path::new("results/grid"), &["--noise", "3%"]);
    let width =
        |found: &Value| found["ranges"][0]["high"].as_f64().expect("a number") - found["ranges"][0]["low"].as_f64().expect("a number");
    assert!(width(&wide) > width(&found), "more noise, a wider range");
}
