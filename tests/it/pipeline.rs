//! The whole pipeline on a source of known entropy: no run may beat what cannot be beaten.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

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
    std::fs::write(sweep.join("runs.csv"), first_two.join("\n")).expect("written");
    let plots = folder.path().join("pictures");
    let said = succeed(&["plot", text(&sweep), "--out", text(&plots)]);
    assert!(said.contains("loss-curves.png") && plots.join("loss-by-tokens.png").exists(), "{said}");
    // Four runs, not the one row of the stale table.
    assert!(crate::support::refused(&["fit", text(&sweep)]).contains("there are 4 points"));
}
