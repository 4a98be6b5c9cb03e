//! Tables of others as the whole program reads them: which rows are replicates, which are seen, what a column may be.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{refused, run, stderr, succeed, table, text};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

fn json_of(command: &str, path: &Path, more: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[&[command, text(path), "--refits", "20", "--json"], more].concat())).expect("JSON")
}

fn loss(n: f64, d: f64) -> f64 {
    1.7 + 400.0 / n.powf(0.34) + 400.0 / d.powf(0.28)
}

/// Sixteen cells, each with two seeds 0.1 % apart, under two words of a column that differ by 5 %.
fn crossed(column: &str, words: [&str; 2]) -> String {
    let mut csv = format!("params,tokens,loss,seed,{column}\n");
    for n in [1e7, 4e7, 1.6e8, 6.4e8] {
        for d in [3e8, 1e9, 3e9, 1e10] {
            for (word, factor) in words.iter().zip([1.0, 1.05]) {
                for (seed, noise) in [(0, 1.0), (1, 1.001)] {
                    writeln!(csv, "{n},{d},{},{seed},{word}", loss(n, d) * factor * noise).expect("memory");
                }
            }
        }
    }
    csv
}

#[test]
fn rows_that_differ_in_more_than_their_seeds_are_no_replicates() {
    // ln 1.001 over √2: 0.07 %. With both words as one cell it would be 2.8 %.
    for (column, words) in
        [("corpus", ["c4", "pile"]), ("dataset", ["c4", "pile"]), ("lr_schedule", ["cosine", "linear"]), ("variant", ["a", "b"])]
    {
        let (_folder, path) = table(&crossed(column, words));
        let output = succeed(&["fit", text(&path), "--refits", "20"]);
        assert!(output.contains("seed noise: 0.07 % of the loss") && output.contains("from 64 runs in 32 cells"), "{column}: {output}");
    }
    // Numbers may be outcomes: where a seed comes twice with another loss, nothing is said of its noise.
    let (_folder, path) = table(&crossed("beta_2", ["0.95", "0.99"]));
    let output = succeed(&["fit", text(&path), "--refits", "20"]);
    assert!(!output.contains("seed noise"), "{output}");
}

/// A table of five sizes and four lengths, with a column of compute.
fn runs() -> String {
    let mut csv = String::from("params,tokens,flops,loss\n");
    for n in [1e7, 3e7, 1e8, 3e8, 1e9] {
        for d in [3e8, 1e9, 3e9, 1e10] {
            writeln!(csv, "{n},{d},{},{}", 6.0 * n * d, loss(n, d)).expect("memory");
        }
    }
    csv
}

#[test]
fn rows_are_kept_by_what_their_columns_compare_with() {
    let (_folder, path) = table(&runs());
    let points = |filters: &[&str]| {
        let filters: Vec<&str> = filters.iter().flat_map(|filter| ["--where", filter]).collect();
        json_of("fit", &path, &filters)["laws"]["chinchilla"]["points"].as_u64()
    };
    assert_eq!(
        [points(&["params<1e9"]), points(&["params<=300M", "tokens>3e8"]), points(&["tokens!=3e8"])],
        [Some(16), Some(12), Some(15)]
    );
    let output = refused(&["fit", text(&path), "--where", "params<many"]);
    assert!(output.contains("`many` is not a number"), "{output}");
}

#[test]
fn larger_runs_are_hidden_from_every_command_that_is_asked_to() {
    let (folder, path) = table(&runs());
    let whole = json_of("fit", &path, &[]);
    let part = json_of("fit", &path, &["--max-compute", "1e19"]);
    let points = |document: &Value| document["laws"]["chinchilla"]["points"].as_u64();
    // Of twenty runs these have more: 3e8 on 1e10, 1e9 on 3e9 and 1e10.
    assert_eq!((points(&whole), points(&part)), (Some(20), Some(17)));
    let output = succeed(&["fit", text(&path), "--refits", "20", "--max-compute", "1e19"]);
    assert!(output.contains("left out: 3 (more compute than --max-compute 1.00e19)"), "{output}");
    let recommended = run(&["recommend", text(&path), "--refits", "20", "--max-compute", "1e19"]);
    assert!(recommended.status.success() && stderr(&recommended).contains("3 of 20 runs have more compute than --max-compute"));
    let page = folder.path().join("report.html");
    succeed(&["report", text(&path), "--refits", "20", "--max-compute", "1e19", "--out", text(&page)]);
    let page = std::fs::read_to_string(page).expect("written");
    assert!(page.contains("--max-compute 1e19") && page.contains("3 runs are left out of the fit"));
    let twin = folder.path().join("twin.csv");
    std::fs::write(&twin, runs()).expect("written");
    let compared = run(&["compare", text(&path), text(&twin), "--refits", "20", "--max-compute", "1e19", "--json"]);
    assert_eq!(stderr(&compared).matches("3 of 20 runs have more compute").count(), 2);
    let none = refused(&["fit", text(&path), "--max-compute", "1e9"]);
    assert!(none.contains("every run has more compute than --max-compute"), "{none}");
}

#[test]
fn a_constant_column_and_one_that_is_both_compute_and_budget_are_read() {
    let sizes: String =
        runs().lines().filter(|line| line.starts_with("1000000000,")).map(|line| line.replacen("1000000000,", "", 1) + "\n").collect();
    let (_folder, path) = table(&format!("tokens,flops,loss\n{sizes}"));
    let output = succeed(&["fit", text(&path), "--set", "params=1e9", "--law", "power-d", "--refits", "20"]);
    assert!(output.contains("4 runs"), "{output}");
    let output = refused(&["fit", text(&path), "--set", "tokens=1e9"]);
    assert!(output.contains("the file has the column `tokens` for tokens"), "{output}");
    let mut csv = String::from("params,C,loss\n");
    for c in [1e18, 4e18, 1.6e19, 6.4e19] {
        for shift in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let n = f64::sqrt(c / 120.0) * f64::exp2(shift);
            writeln!(csv, "{n},{c},{}", loss(n, c / (6.0 * n))).expect("memory");
        }
    }
    let (_folder, path) = table(&csv);
    let found = json_of("fit", &path, &["--columns", "flops=C,budget=C", "--law", "isoflop"]);
    assert!(found.to_string().contains("params"), "{found}");
    let output = succeed(&["fit", text(&path), "--columns", "flops=C,budget=C", "--refits", "20"]);
    assert!(output.contains("IsoFLOP") && !output.contains("no IsoFLOP fit"), "{output}");
}
