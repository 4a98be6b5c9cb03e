//! `scalelab fit`, `plot` and `recommend` on tables of others' runs: answers, refusals, and nothing written unasked.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::screens::small_design;
use crate::support::snapshot::Transcript;
use crate::support::{published, succeed, table, text};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Runs on an exact law, E 1.7, A 400, B 400, α 0.34, β 0.28, on a grid of sizes and tokens.
pub(crate) fn exact_runs() -> String {
    let mut csv = String::from("params,tokens,loss\n");
    for n in [1e7, 3e7, 1e8, 3e8, 1e9] {
        for d in [3e8f64, 1e9, 3e9, 1e10] {
            let loss = 1.7 + 400.0 / f64::powf(n, 0.34) + 400.0 / d.powf(0.28);
            writeln!(csv, "{n},{d},{loss}").expect("memory");
        }
    }
    csv
}

pub(crate) fn fit_json(path: &Path, more: &[&str]) -> Value {
    let args = [&["fit", text(path), "--json"], more].concat();
    serde_json::from_str(&succeed(&args)).expect("one JSON document")
}

pub(crate) fn coefficient(document: &Value, law: &str, name: &str) -> f64 {
    document["laws"][law]["coefficients"][name]["value"].as_f64().unwrap_or_else(|| panic!("{law}.{name} in {document}"))
}

#[test]
fn an_exact_table_of_three_columns_gives_back_its_law_and_a_recommendation() {
    let (folder, path) = table(&exact_runs());
    let document = fit_json(&path, &["--compute", "1e21,1e23", "--refits", "100"]);
    for (name, value) in [("E", 1.7), ("A", 400.0), ("B", 400.0), ("alpha", 0.34), ("beta", 0.28)] {
        let found = coefficient(&document, "chinchilla", name);
        assert!((found / value - 1.0).abs() < 1e-6, "{name}: {found}");
    }
    let law = &document["laws"]["chinchilla"];
    assert_eq!((law["status"].as_str(), law["points"].as_u64()), (Some("converged"), Some(20)));
    let recommendations = document["recommendations"].as_array().expect("a list");
    assert_eq!(recommendations.len(), 2);
    // Closed form (Hoffmann 2203.15556): N* = G (C/6)^(β/(α+β)), G = (αA/βB)^(1/(α+β)).
    let g = f64::powf(0.34 / 0.28, 1.0 / 0.62);
    let optimum = g * f64::powf(1e21 / 6.0, 0.28 / 0.62);
    let found = recommendations[0]["params"]["value"].as_f64().expect("a number");
    assert!((found / optimum - 1.0).abs() < 1e-5, "{found} {optimum}");
    assert!(recommendations[1]["extrapolation_factor"].as_f64().is_some_and(|factor| (factor / (1e23 / 6e19) - 1.0).abs() < 1e-6));
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is written beside a foreign table");
}

#[test]
fn fits_and_figures_are_written_where_asked() {
    let (folder, path) = table(&exact_runs());
    let out = folder.path().join("out");
    succeed(&["fit", text(&path), "--out", text(&out), "--refits", "50"]);
    let fit: Value = serde_json::from_slice(&std::fs::read(out.join("fits/chinchilla.json")).expect("written")).expect("JSON");
    assert_eq!(fit["law"], "chinchilla");
    let alpha = fit["coefficients"]["alpha"]["value"].as_f64().expect("a number");
    assert!((alpha / 0.34 - 1.0).abs() < 1e-6, "{alpha}");
    for figure in ["loss-by-tokens.png", "frontier.png", "observed-predicted.png"] {
        assert!(std::fs::read(out.join(figure)).expect(figure).starts_with(b"\x89PNG"), "{figure}");
    }
    succeed(&["plot", text(&path), "--out", text(&folder.path().join("figures"))]);
    let mut said = Transcript::default();
    said.refused(&["plot", text(&path)]);
    said.check("fit_plot_refused");
}

/// Eighty columns and thirty lines, whatever the runs are.
#[test]
fn the_answer_stands_on_one_screen() {
    let rows = noisy_runs();
    let lines: Vec<&str> = rows.lines().collect();
    let few = [0, 1, 4, 6, 11, 13, 17, 20].map(|at| lines[at]).join("\n");
    let is_of_two = |line: &str| line.starts_with("params") || line.starts_with("10000000,") || line.starts_with("1000000000,");
    let two_sizes = lines.iter().filter(|line| is_of_two(line)).copied().collect::<Vec<_>>().join("\n");
    let mut said = Transcript::default();
    for (what, table_of) in [("twenty runs", &rows), ("seven of them", &few), ("of two sizes", &two_sizes)] {
        let (_folder, path) = table(table_of);
        said.about(what);
        let answer = said.succeed(&["fit", text(&path), "--refits", "60"]);
        let widest = answer.lines().map(|line| line.chars().count()).max();
        assert!(answer.lines().count() <= 30 && widest <= Some(80), "{answer}");
    }
    said.check("fit_summary");
}

#[test]
fn a_recommendation_says_how_far_it_reaches() {
    let (_folder, path) = table(&noisy_runs());
    let mut said = Transcript::default();
    said.succeed(&["recommend", text(&path), "--compute", "1e25", "--refits", "50"]);
    said.succeed(&["recommend", text(&path), "--details", "--compute", "1e25", "--refits", "50"]);
    said.refused(&["recommend", text(&path), "--compute=-5"]);
    said.check("fit_recommend_far");
}

/// The same with noise of 0.4 % at most.
fn noisy_runs() -> String {
    let noisy = |i: usize, loss: f64| loss * (1.0 + 0.004 * ((i * 37 % 19) as f64 / 9.0 - 1.0));
    let mut csv = String::from("params,tokens,loss\n");
    for (i, line) in exact_runs().lines().skip(1).enumerate() {
        let (place, loss) = line.rsplit_once(',').expect("three fields");
        writeln!(csv, "{place},{}", noisy(i, loss.parse().expect("a number"))).expect("memory");
    }
    csv
}

#[test]
fn a_table_is_never_written_over_and_a_spoilt_one_is_refused_where_it_is_spoilt() {
    let (_folder, path) = table(&noisy_runs());
    let before = std::fs::read(&path).expect("read");
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path), "--starts", text(&path)]);
    said.refused(&["report", text(&path), "--out", text(&path)]);
    assert_eq!(std::fs::read(&path).expect("read"), before);
    let spoilt = noisy_runs().replacen("\n30000000", "\n\"30000000", 1);
    let (_folder, path) = table(&spoilt);
    said.about("a quote in line 6 that is not closed");
    said.refused(&["fit", text(&path)]);
    let (_folder, path) = table(&exact_runs());
    said.about("a table without fault");
    said.refused(&["fit", text(&path), "--delta", "1e-300"]);
    said.refused(&["fit", text(&path), "--level", "0.999999"]);
    said.check("fit_spoilt_tables");
}

#[test]
fn few_runs_copies_and_odd_losses_are_said_to_be_what_they_are() {
    let lines: Vec<String> = noisy_runs().lines().map(str::to_owned).collect();
    let mut said = Transcript::default();
    let mut remarks = |what: &str, rows: &[String]| {
        let (_folder, path) = table(&(lines[0].clone() + "\n" + &rows.join("\n") + "\n"));
        said.about(what);
        said.lines(&["note:", "warning:"], &["fit", text(&path), "--details", "--refits", "60"]);
    };
    let few: Vec<String> = [1, 4, 6, 11, 13, 17, 20].map(|at| lines[at].clone()).into();
    remarks("seven runs", &few);
    let copies: Vec<String> = lines[1..].iter().chain(&lines[1..4]).cloned().collect();
    remarks("three rows twice", &copies);
    let two_sizes: Vec<String> =
        lines[1..].iter().filter(|line| line.starts_with("10000000,") || line.starts_with("1000000000,")).cloned().collect();
    remarks("two sizes", &two_sizes);
    let mut odd = lines[1..].to_vec();
    odd[3] = "10000000,10000000000,\"3,200\"".into();
    remarks("a loss of 3,200", &odd);
    said.check("fit_odd_tables");
}

#[test]
fn what_is_drawn_anew_for_intervals_is_what_is_asked_for() {
    let (_folder, path) = table(&noisy_runs());
    let interval = |more: &[&str]| {
        let document = fit_json(&path, &[&["--refits", "60"], more].concat());
        let alpha = &document["laws"]["chinchilla"]["coefficients"]["alpha"];
        (alpha["interval"].as_str().expect("named").to_owned(), alpha["se"].as_f64().expect("finite"))
    };
    // Twenty runs are few under Huber's function.
    let (by_default, residuals, runs) = (interval(&[]), interval(&["--resample", "residuals"]), interval(&["--resample", "runs"]));
    assert_eq!((by_default.0.as_str(), runs.0.as_str()), ("residual-bootstrap", "bootstrap"));
    assert_eq!(by_default, residuals);
    assert!(runs.1 > 0.0 && (runs.1 - residuals.1).abs() > 1e-9, "{runs:?} {residuals:?}");
    assert_eq!(interval(&["--resample", "clusters"]).0, "bootstrap", "no clusters: each run is one");
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path), "--resample", "rows"]);
    said.check("fit_resample_refused");
}

#[test]
fn every_start_is_kept_with_its_end_and_reason_where_asked() {
    let (folder, path) = table(&noisy_runs());
    let starts = folder.path().join("starts.csv");
    let mut said = Transcript::default();
    said.lines(&["starts:"], &["fit", text(&path), "--details", "--refits", "20", "--starts", text(&starts)]);
    said.check("fit_starts");
    let mut reader = csv::Reader::from_path(&starts).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name} in {header:?}"));
    let (objective, reason, alpha) = (column("objective"), column("reason"), column("start_alpha"));
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!((rows.len(), rows[4499][alpha].parse::<f64>().ok()), (4500, Some(2.0)));
    let lowest = rows.iter().map(|row| row[objective].parse::<f64>().expect("a number")).fold(f64::INFINITY, f64::min);
    let document = fit_json(&path, &["--refits", "20"]);
    let fitted = document["laws"]["chinchilla"]["objective"].as_f64().expect("a number");
    assert!((lowest / fitted - 1.0).abs() < 1e-6, "{lowest} {fitted}");
    assert!(rows.iter().all(|row| row[reason].starts_with("L-BFGS: ") && row[reason].contains("; ")));
}

#[test]
fn a_fit_is_scrutinised_by_influence_forecast_and_likelihood() {
    let (_folder, path) = table(&noisy_runs());
    let mut said = Transcript::default();
    let args = ["fit", text(&path), "--details", "--estimator", "least-squares-log", "--refits", "50"];
    let whole = said.part("scrutiny", &args);
    said.lines(&["L-BFGS without polish", "relative gradient"], &args);
    assert!(!whole.contains("AICc"), "of one law it says nothing: {whole}");
    assert!(!whole.contains("sandwich") && !whole.contains("delta"), "one interval of each number: {whole}");
    let document = fit_json(&path, &["--estimator", "least-squares-log", "--refits", "50"]);
    let alpha = &document["scrutiny"]["profiles"]["alpha"]["profile"];
    let (low, high) = (alpha["low"].as_f64().expect("bounded"), alpha["high"].as_f64().expect("bounded"));
    assert!(low < 0.34 && 0.34 < high, "the truth is inside: {alpha}");
    let basins = document["laws"]["chinchilla"]["diagnostics"]["basins"].as_array().expect("a list");
    assert!(basins[0]["forecast"].as_f64().is_some_and(|loss| loss > 1.7 && loss < 3.0), "{basins:?}");
    let alone = document["laws"]["chinchilla"]["diagnostics"]["lbfgs_alone_objective"].as_f64().expect("smooth");
    let objective = document["laws"]["chinchilla"]["objective"].as_f64().expect("a number");
    assert!((alone / objective - 1.0).abs() < 1e-6, "{alone} {objective}");
    for on in ["influence_on_a", "influence_on_params", "influence_on_floor"] {
        assert_eq!(document["scrutiny"][on].as_array().expect("a list").len(), 20, "{on}");
    }
    let estimators = document["scrutiny"]["estimators"].as_array().expect("a list");
    assert_eq!(estimators.len(), 4, "{estimators:?}");
    assert_eq!(
        estimators[1]["exponent"], document["laws"]["chinchilla"]["derived"]["a"]["value"],
        "the second is the one that was asked for"
    );
    said.refused(&["fit", text(&path), "--conventions"]);
    said.check("fit_scrutiny");
}

#[test]
fn a_design_is_judged_by_simulation_before_it_is_trained() {
    let (_folder, path) = table(&exact_runs());
    let mut said = Transcript::default();
    // What was simulated and what the tables show; the numbers are those of the JSON.
    let headings = ["runs:", "ln L scatters", "estimator, interval", "of 100 intervals", "together:", "alone:", "loss of one run", "N*"];
    let (_small, eight) = small_design();
    said.lines(&headings, &["selftest", &eight, "--simulations", "10", "--refits", "10", "--details"]);
    let rows: Value =
        serde_json::from_str(&succeed(&["selftest", text(&path), "--simulations", "20", "--refits", "10", "--json"])).expect("JSON");
    let [exponent, truths] = ["exponent", "truths"].map(|part| rows[part].as_array().expect("a list"));
    assert!(exponent.iter().all(|row| row["coverage"].as_f64().is_some_and(|c| c > 0.7)), "{rows}");
    assert!(truths.len() == 24 && truths.iter().all(|row| row["one_run"]["alone"]["coverage"].is_number()), "{rows}");
    said.refused(&["selftest", text(&path), "--truth", "1,2,3"]);
    said.check("fit_selftest");
}

#[test]
fn the_same_table_gives_the_same_bytes_whatever_the_number_of_threads() {
    let (_folder, path) = table(&exact_runs().replace("2.", "2.0"));
    let run = |threads: &str| {
        let output = crate::support::scalelab(&["fit", text(&path), "--json", "--refits", "60"]).env("RAYON_NUM_THREADS", threads).output();
        output.expect("starts").stdout
    };
    let one = run("1");
    assert!(!one.is_empty());
    assert_eq!(one, run("3"));
}

#[test]
fn tables_that_cannot_be_fitted_are_refused_by_line_column_or_reason() {
    let mut said = Transcript::default();
    for content in [
        "",
        "params,tokens\n1,2\n",
        "params,tokens,loss\n1e6,2e7,three\n",
        "params,tokens,loss\n1e6,2e7,NaN\n",
        "params,tokens,loss\n0,2e7,3\n",
        "params,tokens,loss\n1e6,-2e7,3\n",
        "params,tokens,loss\n1e6,2e7,3\n",
    ] {
        let (folder, path) = table(content);
        said.about(if content.is_empty() { "an empty file" } else { content });
        said.refused(&["fit", text(&path)]);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is written");
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    said.about("no table");
    said.refused(&["fit", "no/such.csv"]);
    said.refused(&["fit", text(folder.path())]);
    said.refused(&["fit", "--results", text(folder.path())]);
    said.check("fit_refused");
}

#[test]
fn a_map_of_columns_must_name_what_is_there() {
    let (_folder, path) = table("size,tokens,loss\n1e6,2e7,3\n");
    let mut said = Transcript::default();
    for columns in ["params=nosuch", "sizes=size", "params=tokens,tokens=tokens"] {
        said.refused(&["fit", text(&path), "--columns", columns]);
    }
    said.check("fit_columns_refused");
}

#[test]
fn losses_that_do_not_fall_get_no_advice() {
    let mut csv = String::from("params,tokens,loss\n");
    for n in [1e6, 2e6, 4e6, 8e6] {
        for d in [1e7, 2e7, 4e7] {
            writeln!(csv, "{n},{d},{}", 2.0 + 1e-8 * n).expect("memory");
        }
    }
    let (_folder, path) = table(&csv);
    let document = fit_json(&path, &["--refits", "40"]);
    assert_eq!(document["recommendations"].as_array().map(Vec::len), Some(0), "{document}");
    let mut said = Transcript::default();
    said.part("", &["fit", text(&path), "--details", "--refits", "40"]);
    said.refused(&["recommend", text(&path), "--compute", "1e20"]);
    said.check("fit_no_fall");
}

#[test]
fn one_ratio_of_tokens_to_weights_is_said_to_be_not_identifiable_and_offers_the_law_of_compute() {
    let mut csv = String::from("params,tokens,loss\n");
    for i in 0..12 {
        let n = 1e7 * f64::from(1 << i);
        writeln!(csv, "{n},{},{}", 20.0 * n, 1.7 + 3000.0 / (120.0 * n * n).powf(0.2)).expect("memory");
    }
    let (_folder, path) = table(&csv);
    let mut said = Transcript::default();
    said.lines(&["note:", "L("], &["fit", text(&path), "--details", "--refits", "50"]);
    said.check("fit_one_ratio");
    let document = fit_json(&path, &["--refits", "50"]);
    assert!(document["laws"]["chinchilla"].is_null());
    assert_eq!(document["notes"].as_array().map(Vec::len), Some(1), "{}", document["notes"]);
}

#[test]
fn the_published_optimum_of_240_runs_is_reached_by_both_methods() {
    let Some(path) = published("chinchilla_epoch.csv") else { return };
    let document = fit_json(&path, &["--where", "used_in_published_fit=1", "--refits", "40"]);
    let law = &document["laws"]["chinchilla"];
    assert_eq!(law["points"], 240);
    let diagnostics = &law["diagnostics"];
    for objective in [&law["objective"], &diagnostics["varpro_objective"], &diagnostics["lbfgs_objective"]] {
        let objective = objective.as_f64().expect("a number");
        // 1.018274018e-3 in the published table: six digits of it, by either method.
        assert!((objective / 1.018_274_018e-3 - 1.0).abs() < 5e-7, "{objective:e}");
    }
    assert!((coefficient(&document, "chinchilla", "alpha") - 0.347310).abs() < 5e-6);
}

#[test]
fn laws_are_fitted_by_name_and_compared() {
    let (_folder, path) = table(&exact_runs());
    let mut said = Transcript::default();
    let (_noisy, noisy) = table(&noisy_runs());
    let laws = ["--law", "chinchilla,gamma,kaplan,envelope", "--estimator", "least-squares-log", "--refits", "40"];
    let args = [&["fit", text(&noisy), "--details"], &laws[..]].concat();
    said.part("the laws side by side", &args);
    said.part("envelope of", &args);
    let document = fit_json(&path, &["--law", "gamma,kaplan", "--refits", "40"]);
    assert!((coefficient(&document, "gamma", "gamma") - 1.0).abs() < 1e-5, "{document}");
    assert!(document["laws"]["kaplan"]["rolling_origin"].is_array());
    for law in ["chincilla", "three-term", "data-constrained"] {
        said.refused(&["fit", text(&path), "--law", law]);
    }
    said.check("fit_laws");
}

#[test]
fn one_size_is_enough_for_the_law_of_data_alone() {
    let mut csv = String::from("params,tokens,loss\n");
    for i in 0..8 {
        let d = 1e8 * 2f64.powi(i);
        writeln!(csv, "1e7,{d},{}", 1.9 + 300.0 / d.powf(0.27)).expect("memory");
    }
    let (_folder, path) = table(&csv);
    let mut said = Transcript::default();
    said.succeed(&["fit", text(&path), "--refits", "40"]);
    said.refused(&["fit", text(&path), "--law", "chinchilla"]);
    said.check("fit_one_size");
    let document = fit_json(&path, &["--law", "power-d", "--refits", "40"]);
    assert!((coefficient(&document, "power-d", "alpha") / 0.27 - 1.0).abs() < 1e-6, "{document}");
}
