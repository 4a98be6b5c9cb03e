//! The whole pipeline on a source of known entropy: no run may beat what cannot be beaten.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::{Transcript, lines};
use crate::support::{succeed, text};
use scalelab::corpus::{Cache, Corpus};
use scalelab::spec::CorpusSpec;

#[test]
fn a_sweep_on_a_known_source_stays_above_its_floor_and_learns() {
    let folder = tempfile::tempdir().expect("temporary folder");
    succeed(&["sweep", "sweeps/smoke.toml", "--results", text(folder.path())]);
    let sweep = folder.path().join("smoke");
    let mut reader = csv::Reader::from_path(sweep.join("runs.csv")).expect("opens");
    let headers = reader.headers().expect("a header").clone();
    let corpus = Corpus::open(&CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 }, &Cache::quiet("")).expect("opens");
    let mut losses = Vec::new();
    for row in reader.records() {
        let row = row.expect("a row");
        let cell = |name: &str| &row[headers.iter().position(|header| header == name).expect("a column")];
        let number = |name: &str| cell(name).parse::<f64>().unwrap_or_else(|_| panic!("{name}: {}", cell(name)));
        assert_eq!(cell("status"), "finished");
        let bytes = std::fs::read(sweep.join(format!("eval/{}.f32", cell("run_id")))).expect("window losses");
        let windows: Vec<f64> = bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().expect("four bytes")))).collect();
        let floors = corpus.held_out(0, windows.len(), 64).expect("windows").floor_nats.expect("a known source");
        let excess: Vec<f64> = windows.iter().zip(&floors).map(|(loss, floor)| loss - f64::from(*floor)).collect();
        let n = excess.len() as f64;
        let mean = excess.iter().sum::<f64>() / n;
        let standard_error = (excess.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        assert!(mean > -3.0 * standard_error, "{} is {mean} ± {standard_error} below its floor", cell("run_id"));
        assert!((number("loss_nats") - windows.iter().sum::<f64>() / n).abs() < 1e-6);
        assert!((number("floor_nats") - floors.iter().map(|&f| f64::from(f)).sum::<f64>() / n).abs() < 1e-6);
        assert!((number("entropy_nats") - corpus.entropy_nats().expect("known")).abs() < 1e-12);
        losses.push((number("tokens"), number("loss_nats")));
    }
    assert_eq!(losses.len(), 4);
    let uniform = 256f64.ln();
    assert!(losses.iter().all(|(_, loss)| *loss < 0.8 * uniform), "{losses:?}");
    let mean_at = |longer: bool| losses.iter().filter(|(d, _)| (*d > 50_000.0) == longer).map(|(_, loss)| loss).sum::<f64>() / 2.0;
    assert!(mean_at(true) < mean_at(false) - 0.3, "twice the tokens learn more: {losses:?}");
}

#[test]
fn a_sweep_too_small_for_a_law_is_plotted_and_a_stale_table_is_not_believed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    succeed(&["sweep", "sweeps/smoke.toml", "--results", text(folder.path())]);
    let sweep = folder.path().join("smoke");
    let table = std::fs::read_to_string(sweep.join("runs.csv")).expect("reads");
    let first_two: Vec<&str> = table.lines().take(2).collect();
    std::fs::write(sweep.join("runs.csv"), first_two.join("\n") + "\n").expect("written");
    let plots = folder.path().join("pictures");
    succeed(&["plot", text(&sweep), "--out", text(&plots)]);
    assert!(plots.join("loss-curves.png").exists() && plots.join("loss-by-tokens.png").exists());
    // Four runs, not the one row of the stale table.
    let mut said = Transcript::default();
    said.refused(&["fit", text(&sweep)]);
    said.check("pipeline_too_small");
}

#[test]
fn a_packed_sweep_says_the_same_and_only_what_a_grown_grid_adds_is_trained() {
    let (folder, grid) = crate::support::grid(&std::fs::read_to_string("sweeps/smoke.toml").expect("reads"));
    let (results, sweep) = (folder.path().join("results"), folder.path().join("results/smoke"));
    let call = ["sweep", text(&grid), "--results", text(&results)];
    succeed(&call);
    let output = || (std::fs::read(sweep.join("runs.csv")).expect("a table"), succeed(&["doctor", text(&sweep), "--json"]));
    let before = output();
    let mut said = Transcript::default();
    said.succeed(&["pack", text(&sweep)]);
    assert!(!sweep.join("runs").exists() && !sweep.join("curves").exists() && sweep.join("eval").exists());
    assert_eq!(output(), before);
    said.succeed(&call);
    assert!(!sweep.join("runs").exists(), "a run was trained again");
    assert_eq!(output(), before);
    // Two results of one run: the only copy of the others is not to be removed.
    let mut reader = csv::Reader::from_reader(&before.0[..]);
    let header = reader.headers().expect("a header").clone();
    let row = reader.records().next().expect("a row").expect("reads");
    let other = header.iter().zip(&row).map(|(column, cell)| if column == "loss_nats" { "1.5" } else { cell });
    let own = sweep.join(format!("runs/{}.csv", &row[0]));
    std::fs::create_dir_all(sweep.join("runs")).expect("made");
    let mut writer = csv::Writer::from_path(&own).expect("opens");
    writer.write_record(&header).and_then(|()| writer.write_record(other)).expect("written");
    drop(writer);
    // Who computed each and its loss depend on the machine; what to do about it does not.
    let error = crate::support::refused(&call);
    assert!(error.contains("says loss 1.5000 "), "{error}");
    said.about("a run that has two results");
    said.answer(&call, &lines(&error, &["error:", "remove"]));
    std::fs::remove_file(&own).expect("removed");

    std::fs::write(&grid, std::fs::read_to_string(&grid).expect("reads").replace("\"64k\"", "\"64k\", \"96k\"")).expect("written");
    said.about("with 96k tokens in the grid");
    said.succeed(&call);
    assert_eq!(std::fs::read_dir(sweep.join("runs")).expect("listed").count(), 2);
    let grown = output();
    said.succeed(&["pack", text(&sweep)]);
    assert_eq!(output(), grown);
    said.check("pipeline_packed");
}
