//! `scalelab report` and `scalelab doctor` on whole folders: names that are markup, a thousand runs, and what is refused.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a test of the whole program owns folders, and says its times")]

use crate::support::snapshot::{Transcript, snapshot};
use crate::support::{succeed, text};
use scalelab::results::SweepFolder;
use scalelab::spec::{CurvePoint, Nats, Params, RunRecord, Tokens, TrainedRun};
use std::fs;
use std::time::Instant;

/// A run whose loss follows a law, with a healthy curve of 200 points.
fn trained(id: &str, layers: usize, width: usize, tokens: f64) -> TrainedRun {
    let n = 12.0 * (layers * width * width) as f64;
    let loss = |d: f64| 1.2 + 25.0 / n.powf(0.35) + 60.0 / d.powf(0.3);
    let steps = (tokens / 4096.0) as u64;
    let record = RunRecord {
        run_id: id.into(),
        layers: Some(layers),
        width: Some(width),
        heads: Some(width / 8),
        kv_heads: Some(width / 8),
        ffn: Some(width * 8 / 3 / 8 * 8),
        vocabulary: Some(256),
        context: Some(64),
        qk_norm: Some(true),
        tied_head: Some(false),
        params_total: Some(Params(n)),
        tokens: Some(Tokens(tokens)),
        batch_tokens: Some(Tokens(4096.0)),
        steps: Some(steps),
        learning_rate: Some(2e-3),
        loss_nats: Some(Nats(loss(tokens) * (1.0 + 0.002 * (n * 0.7 + tokens * 0.3).sin()))),
        ..RunRecord::default()
    };
    let point = |at: u64| {
        let step = (at * steps / 200).max(at);
        let seen = (step * 4096) as f64;
        let train_loss_nats = Some(loss(seen).min(5.5) + 0.01 * (at as f64 * 2.3).sin());
        CurvePoint { step, tokens: seen as u64, learning_rate: 2e-3, train_loss_nats, ..CurvePoint::default() }
    };
    TrainedRun { record, curve: (1..=200).map(point).collect(), window_losses: Vec::new() }
}

fn folder_of(runs: &[TrainedRun]) -> (tempfile::TempDir, SweepFolder) {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path().join("results/mock"));
    runs.iter().for_each(|run| folder.keep(run).expect("kept"));
    folder.write_runs(&runs.iter().map(|run| run.record.clone()).collect::<Vec<_>>()).expect("written");
    (place, folder)
}

#[test]
fn a_thousand_runs_are_one_page_of_less_than_ten_megabytes() {
    let runs: Vec<TrainedRun> = (0..1000)
        .map(|at: usize| trained(&format!("run-{at}"), 1 + at % 4, 16 + 8 * (at / 4 % 25), 1e6 * 1.6f64.powi((at / 100) as i32)))
        .collect();
    let (place, folder) = folder_of(&runs);
    let begun = Instant::now();
    let said = succeed(&["report", text(&folder.path)]);
    println!("a report of 1000 runs took {:.1} s: {said}", begun.elapsed().as_secs_f64());
    let page = fs::read_to_string(place.path().join("plots/mock/report.html")).expect("written");
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<svg").count(), 1000, "every run has its curve");
    // A smooth curve is no ailment: the sentence says that all are well.
    let sentence = page.split(['<', '>']).find(|text| text.contains(" loss curves ")).expect("a sentence on the curves");
    snapshot("report_health", &format!("{sentence}\n"));
}

#[test]
fn a_run_whose_name_is_markup_is_shown_as_text_in_every_form() {
    const EVIL: &str = "<script>alert(1)</script>";
    let mut csv = String::from("run_id,params,tokens,loss\n");
    for n in [1e7, 3e7, 1e8, 3e8] {
        for d in [3e8f64, 1e9, 3e9, 1e10] {
            let loss = 1.7 + 400.0 / f64::powf(n, 0.34) + 400.0 / d.powf(0.28);
            csv += &format!("{EVIL}{n}-{d},{n},{d},{loss}\n");
        }
    }
    let place = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| place.path().join(name);
    fs::write(path("runs.csv"), csv).expect("written");
    let (table, page, md, tex) = (path("runs.csv"), path("r.html"), path("r.md"), path("r.tex"));
    let args = ["report", text(&table), "--refits", "100", "--out", text(&page), "--markdown", text(&md), "--latex", text(&tex)];
    succeed(&args);
    let read = |path| fs::read_to_string(path).expect("written");
    let page = read(&page);
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"), "escaped");
    // Indented lines are code, which Markdown shows as it is.
    let md = read(&md);
    assert!(
        md.starts_with("# Scaling laws of runs")
            && md.lines().filter(|line| !line.starts_with("    ")).all(|line| !line.contains("<script>"))
    );
    assert!(read(&tex).contains("\\textless{}script\\textgreater{}"));
}

#[test]
fn a_report_and_a_diagnosis_without_what_they_need_are_refused_with_a_way_out() {
    let place = tempfile::tempdir().expect("temporary folder");
    let path = place.path().join("runs.csv");
    fs::write(&path, "params,tokens,loss\n1e7,1e9,3.0\n2e7,1e9,2.9\n").expect("written");
    let mut said = Transcript::default();
    said.refused(&["report", text(&path)]);
    said.refused(&["doctor", text(&path)]);
    said.refused(&["doctor", text(&place.path().join("nowhere"))]);
    said.check("report_refused");
}

#[test]
fn the_doctor_names_the_sick_run_and_the_json_says_the_same() {
    let mut sick = trained("sick", 2, 32, 4e6);
    sick.curve.iter_mut().for_each(|point| point.train_loss_nats = Some(5.545));
    let (_place, folder) = folder_of(&[trained("well", 2, 32, 4e6), sick]);
    let mut said = Transcript::default();
    said.succeed(&["doctor", text(&folder.path)]);
    said.succeed(&["doctor", text(&folder.path), "--details"]);
    said.check("report_doctor");
    let output: serde_json::Value = serde_json::from_str(&succeed(&["doctor", text(&folder.path), "--json"])).expect("JSON");
    let found: Vec<_> = output.as_array().expect("a list").iter().filter(|one| one["healthy"] == false).collect();
    assert_eq!((found.len(), found[0]["findings"][0]["ailment"].as_str()), (1, Some("never-falls")));
}

#[test]
fn a_report_is_repeated_with_the_law_and_the_choices_that_it_was_made_with() {
    let place = tempfile::tempdir().expect("temporary folder");
    let page = place.path().join("report.html");
    let choices = ["--where", "corpus=sotu", "--law", "kaplan,chinchilla", "--refits", "40", "--level", "0.8"];
    succeed(&[&["report", "results/grid", "--out", text(&page)], &choices[..]].concat());
    // As a browser reads it: the template escapes slashes too.
    let page = fs::read_to_string(page).expect("written").replace("&#x2f;", "/");
    let asked = |line: &str| choices.chunks(2).all(|two| line.contains(&two.join(" ")));
    let output = |command: &str| page.lines().any(|line| line.contains(command) && asked(line));
    assert!(output("scalelab fit results/grid") && output("scalelab report results/grid"));
}
