//! What of a table `scalelab fit` fits: groups of its rows, columns of other names, curves, several recipes a cell, held-out windows.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::fit_cli::{coefficient, exact_runs, fit_json};
use crate::support::snapshot::Transcript;
use crate::support::{table, text};
use scalelab::results::SweepFolder;
use scalelab::spec::{Nats, RunRecord, RunStatus, SizeMeasure, TrainedRun};
use std::fmt::Write;

#[test]
fn groups_are_compared_and_share_exponents() {
    let mut csv = String::from("params,tokens,loss,dataset\n");
    for (at, line) in exact_runs().lines().skip(1).enumerate() {
        let wobble = |k: usize| 1.0 + 0.002 * ((at * k % 13) as f64 / 6.0 - 1.0);
        let (place, loss) = line.rsplit_once(',').expect("three fields");
        let loss: f64 = loss.parse().expect("a number");
        writeln!(csv, "{place},{},web\n{place},{},books", loss * wobble(5), (loss + 0.3) * wobble(7)).expect("memory");
    }
    let (folder, path) = table(&csv);
    let mut said = Transcript::default();
    said.succeed(&["fit", text(&path), "--by", "dataset", "--refits", "60"]);
    said.succeed(&["fit", text(&path), "--by", "dataset", "--refits", "60", "--details"]);
    said.refused(&["fit", text(&path), "--by", "nosuch"]);
    said.check("fit_groups");
    let document = fit_json(&path, &["--by", "dataset", "--refits", "60"]);
    let alpha = &document["shared"]["coefficients"]["alpha"];
    assert!(alpha["low"].as_f64() < Some(0.34) && alpha["high"].as_f64() > Some(0.34), "{alpha}");
    assert_eq!(document["groups"].as_array().map(Vec::len), Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is written beside a foreign table");
}

#[test]
fn a_map_of_columns_may_stand_in_a_file() {
    let (folder, path) = table(&exact_runs().replace("params,tokens,loss", "size,seen,nll"));
    let map = folder.path().join("map.toml");
    std::fs::write(&map, "params = \"size\"\ntokens = \"seen\"\nloss = \"nll\"\n").expect("written");
    let document = fit_json(&path, &["--columns", text(&map), "--refits", "20"]);
    assert!((coefficient(&document, "chinchilla", "alpha") / 0.34 - 1.0).abs() < 1e-6);
    std::fs::write(&map, "params: size").expect("written");
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path), "--columns", text(&map)]);
    said.check("fit_map_refused");
}

#[test]
fn loss_curves_are_fitted_by_their_ends_and_seen_whole_by_the_envelope() {
    let law = |n: f64, d: f64| 1.7 + 400.0 / n.powf(0.34) + 400.0 / d.powf(0.28);
    let mut csv = String::from("run,params,tokens,loss\n");
    for (at, n) in [1e7, 2e7, 4e7, 8e7, 1.6e8, 3.2e8, 6.4e8].into_iter().enumerate() {
        // Curves end at different tokens, so that N and D can be told apart.
        for seed in 0..2 {
            let end = 30 + 7 * ((at + 3 * seed) % 5);
            for step in 1..=end {
                let d = 5e7 * 1.15f64.powi(step as i32);
                writeln!(csv, "run {at}-{seed},{n},{d},{}", law(n, d)).expect("memory");
            }
        }
    }
    let (_folder, path) = table(&csv);
    let document = fit_json(&path, &["--refits", "30"]);
    assert_eq!(document["laws"]["chinchilla"]["points"].as_u64(), Some(14), "runs, not checkpoints");
    assert!((coefficient(&document, "chinchilla", "alpha") / 0.34 - 1.0).abs() < 1e-6);
    let mut said = Transcript::default();
    said.part("", &["fit", text(&path), "--details", "--refits", "30"]);
    said.part("", &["fit", text(&path), "--details", "--checkpoints", "--refits", "30"]);
    said.check("fit_curves");
    let whole = fit_json(&path, &["--checkpoints", "--refits", "30"]);
    // A tenth of 5e7 · 1.15^end lies 17 steps before its end.
    assert_eq!(whole["laws"]["chinchilla"]["points"].as_u64(), Some(14 * 17), "{}", whole["notes"]);
    assert_eq!(whole["laws"]["chinchilla"]["diagnostics"]["clusters"].as_u64(), Some(14));
    assert!((coefficient(&whole, "chinchilla", "beta") / 0.28 - 1.0).abs() < 1e-6);
    let late = fit_json(&path, &["--checkpoints=0.5", "--refits", "30"]);
    assert!(late["laws"]["chinchilla"]["points"].as_u64() < Some(14 * 6), "{}", late["notes"]);
    let envelope = fit_json(&path, &["--law", "envelope", "--refits", "30"]);
    assert_eq!(envelope["laws"]["envelope"]["curves"].as_u64(), Some(14));
    // Sizes a factor two apart make N*(C) a stair.
    assert!((coefficient(&envelope, "envelope", "a") - 0.28 / 0.62).abs() < 0.05, "{}", envelope["laws"]);
}

#[test]
fn checkpoints_of_a_table_without_curves_and_a_share_that_is_none_are_refused() {
    let (_folder, path) = table(&exact_runs());
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path), "--checkpoints"]);
    said.refused(&["fit", text(&path), "--checkpoints=2"]);
    said.check("fit_checkpoints_refused");
}

#[test]
fn several_rates_and_batches_a_cell_are_tuned_and_an_edge_is_told() {
    let mut csv = String::from("lr,bs,ffnh,numh,numl,loss,D,N\n");
    for n in [1e8, 2e8, 4e8, 8e8] {
        for d in [2e9f64, 8e9, 3.2e10] {
            let best = 1.7 + 400.0 / f64::powf(n, 0.34) + 400.0 / d.powf(0.28);
            for (rate, worse) in [(5e-4, 0.03), (1e-3, 0.0), (2e-3, 0.02)] {
                for (batch, off) in [(64, 0.01), (128, 0.0)] {
                    // In the smallest cell the highest rate is the best.
                    let worse: f64 = if n == 1e8 && d == 2e9 { 0.02 - worse } else { worse };
                    writeln!(csv, "{rate},{batch},1,1,1,{},{d},{n}", best + worse + off).expect("memory");
                }
            }
        }
    }
    let (_folder, path) = table(&csv);
    let document = fit_json(&path, &["--refits", "20"]);
    assert_eq!(document["laws"]["chinchilla"]["points"].as_u64(), Some(12), "a point a cell");
    assert_eq!(document["notes"].as_array().map(Vec::len), Some(3), "{}", document["notes"]);
    let mut said = Transcript::default();
    said.part("", &["fit", text(&path), "--details", "--refits", "20"]);
    said.check("fit_recipes");
}

#[test]
fn losses_of_compute_are_told_in_bits_per_byte_where_bytes_of_a_token_are_known() {
    let mut csv = String::from("params,tokens,flops,budget,loss,bytes_per_token\n");
    for c in [1e18f64, 3e18, 1e19, 3e19, 1e20] {
        for i in -3..=3 {
            let n = (c / 120.0).sqrt() * 1.6f64.powi(i);
            let d = c / (6.0 * n);
            writeln!(csv, "{n},{d},{c},{c},{},4", 1.7 + 400.0 / n.powf(0.34) + 400.0 / d.powf(0.28)).expect("memory");
        }
    }
    let (_folder, path) = table(&csv);
    let document = fit_json(&path, &["--refits", "20"]);
    let isoflop = &document["laws"]["isoflop"];
    let nats = isoflop["loss_of_compute"]["coefficients"]["E"]["value"].as_f64().expect("nats");
    let bits = isoflop["loss_of_compute_bits_per_byte"]["E"]["value"].as_f64().expect("bits");
    assert!((bits / (nats / (4.0 * std::f64::consts::LN_2)) - 1.0).abs() < 1e-12);
    let mut said = Transcript::default();
    said.lines(&["L* =", "in bits per byte"], &["fit", text(&path), "--details", "--refits", "20"]);
    said.check("fit_bits");
}

#[test]
fn the_noise_of_the_held_out_windows_widens_the_interval_of_the_floor() {
    let plan = crate::support::mock::plan(
        r#"
        name = "windows"
        ladder = { kind = "list", shapes = ["1x8", "2x16", "2x32", "2x64", "3x96"] }
        corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
        budget = { tokens = ["2M", "4M", "8M", "16M"] }
        [recipe]
        schedule = { kind = "cosine" }
        "#,
    );
    let home = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(home.path().join("windows"));
    // 64 windows that differ by 20 % in difficulty, the same for every run.
    let difficulty: Vec<f64> = (0..64).map(|window| 1.0 + 0.2 * f64::from(window * 37 % 64 - 32) / 32.0).collect();
    let mean = difficulty.iter().sum::<f64>() / 64.0;
    for (at, run) in plan.runs.iter().enumerate() {
        let mut record = RunRecord::planned(&run.spec);
        let n = SizeMeasure::Matmul.of(&run.spec.shape).expect("counted").0;
        let noise = 1.0 + 0.001 * (at as f64 * 2.4).sin();
        let loss = noise * (1.0 + 20.0 / n.powf(0.4) + 900.0 / run.spec.tokens().0.powf(0.5));
        (record.status, record.loss_nats) = (RunStatus::Finished, Some(Nats(loss)));
        let window_losses = difficulty.iter().map(|factor| (loss * factor / mean) as f32).collect();
        folder.keep(&TrainedRun { record, curve: Vec::new(), window_losses }).expect("kept");
    }
    let mut said = Transcript::default();
    let mut width = |what: &str| {
        let document = fit_json(&folder.path, &["--refits", "40"]);
        said.about(what);
        said.text(&format!("{:#}", document["notes"]));
        let floor = &document["laws"]["chinchilla"]["coefficients"]["E"];
        floor["high"].as_f64().expect("a number") - floor["low"].as_f64().expect("a number")
    };
    let with = width("notes of a fit to runs with eval/");
    std::fs::remove_dir_all(folder.path.join("eval")).expect("there");
    let without = width("without it");
    said.check("fit_windows");
    // Windows of 11.7 % spread, 64 of them: 1.5 % of E = 1 each way, times 1.96.
    let own = (with.powi(2) - without.powi(2)).sqrt();
    assert!(with > 1.2 * without && (0.03..0.12).contains(&own), "{with} {without} {own}");
}
