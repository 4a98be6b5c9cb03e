//! `scalelab forecast` and `scalelab verify`: written before, scored after.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{succeed, text};
use std::collections::HashMap;
use std::path::Path;

/// The committed worked example, forecast at three times its largest budget into a file.
fn forecast(said: &mut Transcript, file: &Path) -> serde_json::Value {
    said.succeed(&["forecast", "results/grid", "--compute", "9.6e12", "--refits", "100", "--out", text(file)]);
    serde_json::from_str(&std::fs::read_to_string(file).expect("written")).expect("JSON")
}

/// A table with a run of every network of the first budget, each `factor` times the loss that was forecast.
fn table(forecast: &serde_json::Value, file: &Path, factor: f64, started_at: &str) {
    let mut rows = csv::Reader::from_path("results/grid/runs.csv").expect("the worked example");
    let header = rows.headers().expect("a header").clone();
    let first: HashMap<String, String> = rows.deserialize().next().expect("a row").expect("readable");
    let mut out = csv::Writer::from_path(file).expect("made");
    out.write_record(&header).expect("written");
    for run in forecast["budgets"][0]["runs"].as_array().expect("runs") {
        let shape = run["shape"].as_str().expect("a shape");
        let (layers, width) = scalelab::spec::parse_layers_by_width(shape).expect("a shape");
        let derived = scalelab::spec::ModelShape::derived(layers, width);
        let own = [
            ("run_id", shape.to_owned()),
            ("layers", layers.to_string()),
            ("width", width.to_string()),
            ("heads", derived.heads.to_string()),
            ("kv_heads", derived.kv_heads.to_string()),
            ("ffn", derived.ffn.to_string()),
            ("tokens", run["tokens"].as_f64().expect("tokens").to_string()),
            ("loss_nats", (factor * run["loss"]["value"].as_f64().expect("a loss")).to_string()),
            ("started_at", started_at.to_owned()),
        ];
        let own: HashMap<&str, String> = own.into();
        out.write_record(header.iter().map(|name| own.get(name).unwrap_or(&first[name]).as_str())).expect("written");
    }
    out.flush().expect("flushed");
}

#[test]
fn a_forecast_is_sealed_and_scored_against_what_came() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (file, runs) = (folder.path().join("forecast.json"), folder.path().join("runs.csv"));
    let mut said = Transcript::default();
    let sealed = forecast(&mut said, &file);
    let budget = &sealed["budgets"][0];
    assert_eq!(sealed["law"]["coefficients"].as_object().expect("coefficients").len(), 5);
    assert_eq!(sealed["sha256"].as_str().expect("a seal").len(), 64);
    // Wider levels have wider intervals, and one run scatters more than the mean.
    let ends = |what: &serde_json::Value| -> Vec<f64> {
        let bands = what["intervals"].as_array().expect("bands");
        bands.iter().map(|band| band["high"].as_f64().expect("bounded") - band["low"].as_f64().expect("bounded")).collect()
    };
    for what in ["params", "tokens", "loss", "loss_of_a_run", "learning_rate"] {
        let widths = ends(&budget[what]);
        assert!(widths.len() == 3 && widths[0] < widths[1] && widths[1] < widths[2], "{what}: {widths:?}");
    }
    assert!(ends(&budget["loss"])[2] < ends(&budget["loss_of_a_run"])[2]);

    table(&sealed, &runs, 1.0, "2999-01-01T00:00:00Z");
    said.about("runs that came out as was said");
    said.succeed(&["verify", text(&file), text(&runs)]);
    let scores = folder.path().join("scores.json");
    let scored = |arguments: &[&str]| -> serde_json::Value {
        succeed(&[&["verify", text(&file), text(&runs), "--out", text(&scores)], arguments].concat());
        serde_json::from_str(&std::fs::read_to_string(&scores).expect("written")).expect("JSON")
    };
    let exact = scored(&[])["laws"][0].clone();
    assert!(exact["rms_nats"].as_f64().expect("an error") < 1e-9 && exact["coverage"][0]["held"] == 3, "{exact:#}");
    table(&sealed, &runs, 0.8, "1999-01-01T00:00:00Z");
    said.about("runs of 1999 with four fifths of the losses");
    said.succeed(&["verify", text(&file), text(&runs)]);
    said.check("forecast_sealed");
    let far = scored(&["--json"]);
    let law = &far["laws"][0];
    assert!(law["bias_nats"].as_f64().expect("a bias") > 0.1 && law["coverage"][2]["held"] == 0, "{law:#}");
    assert!(far["runs"][0]["compute_equivalent"].as_f64() > Some(0.1));
}

#[test]
fn a_forecast_is_neither_overwritten_nor_believed_when_it_was_changed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("forecast.json");
    let mut said = Transcript::default();
    forecast(&mut Transcript::default(), &file);
    said.refused(&["forecast", "results/grid", "--out", text(&file)]);
    let changed = std::fs::read_to_string(&file).expect("read").replacen("\"points\": ", "\"points\": 1", 1);
    std::fs::write(&file, changed).expect("written");
    said.about("with another number of points");
    said.refused(&["verify", text(&file), "results/grid"]);
    std::fs::write(&file, "loss,params\n1,2\n").expect("written");
    said.about("a table in its place");
    said.refused(&["verify", text(&file), "results/grid"]);
    said.refused(&["verify", "no-such.json", "results/grid"]);
    said.refused(&["forecast", "results/grid", "--level", "0.9", "--json"]);
    said.check("forecast_changed");
}

#[test]
fn runs_that_were_not_forecast_are_said_to_be_none() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("forecast.json");
    forecast(&mut Transcript::default(), &file);
    let mut said = Transcript::default();
    said.refused(&["verify", text(&file), "results/grid"]);
    said.check("forecast_of_others");
}

#[test]
fn runs_of_one_cell_are_compared_seed_by_seed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("schedules.csv");
    let mut rows = csv::Reader::from_path("results/grid/runs.csv").expect("the worked example");
    let header = rows.headers().expect("a header").clone();
    let first: HashMap<String, String> = rows.deserialize().next().expect("a row").expect("readable");
    let mut out = csv::Writer::from_path(&file).expect("made");
    out.write_record(&header).expect("written");
    for (seed, shared) in [(0, 0.0), (1, 0.1), (2, -0.05)] {
        for (schedule, effect) in [("cosine(to 0.1)", 0.02), ("wsd(0.2, 1-sqrt)", 0.0)] {
            let own: HashMap<&str, String> = [
                ("run_id", format!("{schedule} {seed}")),
                ("seed_data", seed.to_string()),
                ("schedule", schedule.to_owned()),
                ("loss_nats", (2.0 * f64::exp(shared + effect + 0.001 * f64::from(seed) * effect)).to_string()),
            ]
            .into();
            out.write_record(header.iter().map(|name| own.get(name).unwrap_or(&first[name]).as_str())).expect("written");
        }
    }
    out.flush().expect("flushed");
    let mut said = Transcript::default();
    said.succeed(&["fit", text(&file), "--by", "schedule"]);
    said.check("forecast_schedules");
}

#[test]
fn the_compute_that_an_alternative_wastes_is_read_off_the_frontier_of_compute_as_it_is_counted() {
    let args = ["recommend", "results/grid", "--law", "chinchilla", "--compute", "9.6e12", "--tokens-per-param", "20"];
    let more = ["--target-loss", "1.4", "--refits", "20", "--json"];
    let found: serde_json::Value = serde_json::from_str(&succeed(&[&args[..], &more].concat())).expect("JSON");
    let alternatives = found[0]["alternatives"].as_array().expect("a list");
    // With one k of C = k·N·D, taken where the network lies, these were 16.65, 27.59, 1.18 and 0.34.
    for (name, percent) in
        [("half the size", 20.13), ("twice the size", 22.93), ("20 tokens per parameter", 0.33), ("a loss of 1.4, least compute", 0.0)]
    {
        let one = alternatives.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {alternatives:?}"));
        let wasted = 100.0 * one["wasted"].as_f64().expect("a share");
        assert!((wasted - percent).abs() < 0.05, "{name}: {wasted}");
    }
}

/// A table of runs of the additive law with noise, four budgets of five sizes.
fn others(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("runs.csv");
    let mut rows = String::from("params,tokens,loss\n");
    for (budget, compute) in [1e18f64, 4e18, 1.6e19, 6.4e19].into_iter().enumerate() {
        for size in 0..5 {
            let n = (compute / 120.0).sqrt() * 2f64.powi(size - 2);
            let d = compute / (6.0 * n);
            let noise = 1.0 + 0.002 * (7.0 * f64::from(size) + 3.0 * budget as f64).sin();
            let loss = (1.7 + 400.0 / n.powf(0.34) + 410.0 / d.powf(0.28)) * noise;
            rows += &format!("{n},{d},{loss}\n");
        }
    }
    std::fs::write(&file, rows).expect("written");
    file
}

fn json_of(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&succeed(&[args, &["--refits", "50", "--json"]].concat())).expect("JSON")
}

#[test]
fn runs_are_forecast_where_they_are_asked_for_with_what_makes_them_uncertain() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = others(folder.path());
    let said = json_of(&["forecast", text(&file), "--at", "1e9,2e10", "--at", "2G,4e10"]);
    let runs = said["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    for run in runs {
        let number = |path: [&str; 2]| run[path[0]][path[1]].as_f64().expect("a number");
        assert!(number(["one_run", "low"]) < number(["one_run", "value"]) && number(["one_run", "value"]) < number(["one_run", "high"]));
        assert!(number(["loss", "high"]) < number(["one_run", "high"]) && number(["one_run", "level"]) == 0.95, "{run:#}");
        let parts = &run["variance_of_ln"];
        for part in ["noise", "statistics", "between_laws", "discrepancy"] {
            assert!(parts[part].as_f64().is_some_and(|value| value >= 0.0), "{part}: {parts}");
        }
    }
    assert_eq!(runs[1]["tokens"], 4e10);
    let weights = said["mixture"]["weights"].as_array().expect("weights");
    assert!((weights.iter().map(|one| one[1].as_f64().expect("a weight")).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(!said["mixture"]["origins"].as_array().expect("origins").is_empty());
    let alone = json_of(&["forecast", text(&file), "--at", "1e9,2e10", "--law", "gamma"]);
    assert!(alone["mixture"].is_null() && alone["law"]["name"] == "gamma" && alone["runs"][0]["variance_of_ln"].is_null());
    let mut said = Transcript::default();
    for at in ["7e9", "7e9,-3", "x,1e9"] {
        said.refused(&["forecast", text(&file), "--at", at]);
    }
    said.check("forecast_at_refused");
}

#[test]
fn hidden_runs_are_forecast_and_scored_and_so_is_another_table() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = others(folder.path());
    let said = json_of(&["forecast", text(&file), "--max-compute", "2e19"]);
    assert_eq!(said["points"], 15);
    let runs = said["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 5);
    let held = |run: &serde_json::Value| {
        let end = |name: &str| run["one_run"][name].as_f64().expect("bounded");
        (end("low")..=end("high")).contains(&run["found"].as_f64().expect("known"))
    };
    assert!(runs.iter().all(held), "{runs:#?}");
    let mut said = Transcript::default();
    said.succeed(&["forecast", text(&file), "--max-compute", "2e19", "--refits", "50"]);
    let apart = folder.path().join("held.csv");
    std::fs::write(&apart, "params,tokens,loss\n1e9,2e10,2.4\n").expect("written");
    let scored = json_of(&["forecast", text(&file), "--runs", text(&apart)]);
    assert!(scored["runs"][0]["found"] == 2.4 && scored["points"] == 20);
    said.refused(&["forecast", text(&file), "--runs", text(&file)]);
    said.refused(&["forecast", text(&file), "--max-compute", "1e30"]);
    said.check("forecast_hidden");
}

#[test]
fn a_forecast_of_single_runs_takes_the_place_of_no_sealed_one_and_hides_what_is_no_best_recipe() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for file in ["runs.csv", "plan.csv"] {
        std::fs::copy(format!("results/grid/{file}"), folder.path().join(file)).expect("copied");
    }
    let output = succeed(&["forecast", text(folder.path()), "--max-compute", "1.7e12", "--refits", "50"]);
    // Of the runs at 3.2e12 FLOPs each cell's best recipe, as a study takes them.
    let asked = output.lines().filter(|line| line.ends_with("inside") || line.ends_with("OUTSIDE")).count();
    let all: usize = csv::Reader::from_path("results/grid/runs.csv").expect("the worked example").records().count();
    assert!(asked > 0 && asked < all / 4, "{output}");
    assert!(!folder.path().join("forecast.json").exists());
}

#[test]
fn a_forecast_of_single_runs_is_scored_by_any_table_and_by_what_was_hidden_from_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (file, table) = (folder.path().join("forecast.json"), others(folder.path()));
    succeed(&["forecast", text(&table), "--at", "1e9,2e10", "--at", "2e9,4e10", "--refits", "50", "--out", text(&file)]);
    let sealed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("written")).expect("JSON");
    let loss = |at: usize| sealed["runs"][at]["one_run"]["value"].as_f64().expect("a loss");
    let held = folder.path().join("held.csv");
    // One as was said and one 3 % above, in columns of other names; the third nobody spoke of.
    let rows = format!("N,D,final\n1e9,2e10,{}\n2e9,4e10,{}\n5e9,4e10,2.1\n", loss(0), 1.03 * loss(1));
    std::fs::write(&held, rows).expect("written");
    let args = ["verify", text(&file), text(&held), "--columns", "loss=final"];
    let found: serde_json::Value = serde_json::from_str(&succeed(&[&args[..], &["--json"]].concat())).expect("JSON");
    let runs = found["runs"].as_array().expect("runs");
    assert_eq!((runs.len(), found["passed_over"].as_array().map(Vec::len)), (2, Some(1)), "{found:#}");
    let part = |at: usize| runs[at]["compute_equivalent"].as_f64().expect("a factor");
    // A loss above the forecast is that of less compute.
    assert!(part(0).abs() < 1e-9 && part(1) < -0.05, "{} {}", part(0), part(1));
    let laws = found["laws"].as_array().expect("laws");
    let names: Vec<&str> = laws.iter().filter_map(|law| law["name"].as_str()).collect();
    assert_eq!(names, ["auto", "chinchilla", "gamma", "kaplan"]);
    assert!((laws[0]["bias_nats"].as_f64().expect("a bias") + 0.015 * loss(1)).abs() < 1e-9);
    let ends = |at: usize, end: &str| sealed["runs"][at]["one_run"][end].as_f64().expect("bounded");
    let width = |at: usize, loss: f64| {
        let miss = (loss - ends(at, "high")).max(0.0);
        100.0 * (ends(at, "high") - ends(at, "low") + 40.0 * miss) / loss
    };
    let score = 0.5 * (width(0, loss(0)) + width(1, 1.03 * loss(1)));
    assert!((laws[0]["interval_score_percent"].as_f64().expect("bounded") - score).abs() < 1e-6, "{score} in {:#}", laws[0]);
    let mut said = Transcript::default();
    said.succeed(&args);
    said.succeed(&[&args[..], &["--details"]].concat());
    said.refused(&["verify", text(&file)]);
    // What was hidden needs no other table.
    let hidden = folder.path().join("hidden.json");
    succeed(&["forecast", text(&table), "--max-compute", "2e19", "--refits", "50", "--out", text(&hidden)]);
    said.succeed(&["verify", text(&hidden)]);
    said.check("forecast_scored");
}

#[test]
fn a_run_below_all_that_the_law_can_say_is_said_to_be() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (file, table) = (folder.path().join("forecast.json"), others(folder.path()));
    succeed(&["forecast", text(&table), "--at", "1e9,2e10", "--refits", "50", "--out", text(&file)]);
    let held = folder.path().join("held.csv");
    std::fs::write(&held, "params,tokens,loss\n1e9,2e10,0.5\n").expect("written");
    let mut said = Transcript::default();
    said.succeed(&["verify", text(&file), text(&held)]);
    said.check("forecast_below_floor");
    let found: serde_json::Value = serde_json::from_str(&succeed(&["verify", text(&file), text(&held), "--json"])).expect("JSON");
    assert!(found["runs"][0]["compute_equivalent"].is_null() && found["runs"][0]["off_the_law"] == "below-floor", "{found:#}");
    assert!(found["laws"][0]["below_floor"] == 1 && found["laws"][0]["compute_equivalent"].is_null());
}

#[test]
fn the_sweep_that_would_test_a_forecast_is_written_and_read_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str| folder.path().join(name);
    let run = |file: &Path, compute: &str, grid: &Path, more: &[&str], ends: &mut dyn FnMut(&[&str]) -> String| {
        let common = ["forecast", "results/grid", "--refits", "50", "--out", text(file), "--compute", compute, "--grid", text(grid)];
        ends(&common.iter().chain(more).copied().collect::<Vec<_>>());
    };
    let mut said = Transcript::default();
    let (file, grid) = (at("forecast.json"), at("next.toml"));
    run(&file, "9.6e12", &grid, &[], &mut |args| said.lines(&["grid:"], args));
    let sealed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("written")).expect("JSON");
    let grid = scalelab::sweep::Grid::parse(&std::fs::read_to_string(&grid).expect("written")).expect("a grid");
    let mut shapes: Vec<String> = grid.shapes.iter().map(ToString::to_string).collect();
    let runs = sealed["budgets"][0]["runs"].as_array().expect("runs");
    let mut forecast: Vec<&str> = runs.iter().map(|run| run["shape"].as_str().expect("a shape")).collect();
    shapes.sort_unstable();
    forecast.sort_unstable();
    assert_eq!(shapes, forecast);
    assert_eq!((grid.name.as_str(), grid.shapes[0].context), ("next", 128), "named by its file, the context that of the runs");
    // Several budgets are several files, none of which is written over; a grid that is not there is asked for.
    let several = at("two.toml");
    run(&at("two.json"), "9.6e12,3.2e13", &several, &[], &mut succeed);
    assert!(at("two-1.toml").exists() && at("two-2.toml").exists() && !several.exists());
    run(&at("three.json"), "9.6e12,3.2e13", &several, &[], &mut |args| said.refused(args));
    run(&at("four.json"), "9.6e12", &at("x.toml"), &["--like", "sweeps/none.toml"], &mut |args| said.refused(args));
    said.check("forecast_grids");
    // Budgets are counted as the law counts them, whatever the grid of the runs did.
    let by_six = at("six.toml");
    run(&at("six.json"), "9.6e12", &by_six, &["--flop-rule", "6nd"], &mut succeed);
    let read = std::fs::read_to_string(&by_six).expect("written");
    assert!(read.contains("rule = \"6nd\"") && !std::fs::read_to_string("sweeps/grid.toml").expect("a grid").contains("\"6nd\""), "{read}");
}

#[test]
fn networks_of_a_budget_are_refused_where_no_budget_is_asked_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = others(folder.path());
    let mut said = Transcript::default();
    for beside in [["--at", "1e9,2e10"], ["--max-compute", "2e19"]] {
        said.refused(&[&["forecast", text(&file), "--shapes", "3x96"][..], &beside].concat());
    }
    said.check("forecast_shapes_refused");
}
