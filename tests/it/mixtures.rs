//! Mixtures of texts through the whole program: planned, trained, killed, read back, and asked for the best.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]
#![expect(clippy::print_stdout, reason = "shows how often intervals cover")]

use crate::support::{refused, succeed, table, text};
use scalelab::fit::{Estimate, Estimator};
use scalelab::law::{AdditiveMixture, Law, Point};
use scalelab::recommend::{MixRequest, PartAdvice, mix};
use scalelab::results::SweepFolder;
use scalelab::spec::{FlopRule, Nats, Params, PartRecord, Random, RunRecord, RunStatus, SizeMeasure, Tokens, simplex_grid};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// A text of words over an alphabet, drawn with a skewed choice, so that texts differ and can be learnt.
fn write_text(path: &Path, letters: &[u8], blocks: usize) {
    let mut random = Random::new(u64::from(letters[0]), "text of a test");
    let words: Vec<Vec<u8>> =
        (0..200).map(|_| (0..2 + random.below(6)).map(|_| letters[random.below(letters.len() as u64) as usize]).collect()).collect();
    let mut bytes = Vec::new();
    while bytes.len() < blocks * 4096 {
        let at = (random.uniform() * random.uniform() * words.len() as f64) as usize;
        bytes.extend_from_slice(&words[at]);
        bytes.push(b' ');
    }
    fs::write(path, bytes).expect("written");
}

/// A folder with a large text, a small one and a grid on both.
fn mixed(shares: &str, more: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    write_text(&folder.path().join("web.txt"), b"abcdefghijklmnop", 300);
    write_text(&folder.path().join("code.txt"), b"ABCDEFG(){};", 70);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let grid = format!(
        "name = \"mixed\"\nladder = {{ kind = \"list\", shapes = [\"1x8\"] }}\nbudget = {{ tokens = [\"60k\", \"120k\"] }}\n\
         [corpus]\nkind = \"mix\"\nshares = {shares}\n{more}\n[corpus.parts.web]\npath = {:?}\ndeduplicate = false\n\
         [corpus.parts.code]\npath = {:?}\ndeduplicate = false\n\
         [model]\ncontext = 64\n[recipe]\nlearning_rate = 8e-3\nbatch_tokens = 1024\n[eval]\nwindows = 101\n[run]\ncheckpoint_every = \"0.02s\"\n",
        path("web.txt"),
        path("code.txt")
    );
    let file = folder.path().join("grid.toml");
    fs::write(&file, grid).expect("written");
    (folder, file)
}

#[test]
fn a_plan_says_what_is_mixed_and_refuses_a_part_that_would_be_seen_too_often() {
    let (_folder, grid) = mixed("[\"natural\", { simplex = 4 }]", "max_epochs = 2");
    let plan = succeed(&["plan", text(&grid), "--all"]);
    assert!(plan.contains("12 runs on code+web") && plan.contains("6 mixtures; most often seen: code, 0.4"), "{plan}");
    let (_folder, grid) = mixed("{ code = 1 }", "");
    fs::write(&grid, fs::read_to_string(&grid).expect("text").replace("\"120k\"", "\"400k\"")).expect("written");
    let message = refused(&["plan", text(&grid)]);
    assert!(message.contains("a share of 1 for code is 1.46 epochs") && message.contains("raise corpus.max_epochs"), "{message}");
    let (folder, grid) = mixed("\"equal\"", "");
    fs::write(folder.path().join("code.txt"), "short").expect("written");
    assert!(refused(&["plan", text(&grid)]).contains("corpus.parts.code: the corpus"));
}

#[cfg(feature = "train")]
mod trained {
    use super::*;
    use crate::support::{reproducible, scalelab};
    use std::process::Stdio;
    use std::time::Duration;

    fn records(results: &Path) -> Vec<RunRecord> {
        let rows = SweepFolder::at(results.join("mixed")).gathered_of_plan().expect("reads");
        assert!(!rows.is_empty() && rows.iter().all(|row| row.status == RunStatus::Finished));
        rows
    }

    #[test]
    fn runs_record_the_shares_epochs_and_losses_of_their_parts_and_survive_a_kill() {
        let (folder, grid) = mixed("[{ web = 1 }, \"equal\", { code = 0.75, web = 0.25 }]", "max_epochs = 4");
        let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
        succeed(&["sweep", text(&grid), "--results", text(&whole), "--workers", "2"]);
        let rows = records(&whole);
        assert_eq!(rows.len(), 6);
        for row in &rows {
            let names: Vec<&str> = row.parts.iter().map(|part| part.name.as_str()).collect();
            assert_eq!(names, ["code", "web"]);
            let weighted: f64 = row.parts.iter().map(|part| part.weight.expect("a weight") * part.loss_nats.expect("a loss").0).sum();
            let loss = row.loss_nats.expect("a loss").0;
            assert!((weighted - loss).abs() <= 1e-12 * loss, "{weighted} {loss}");
            let tokens = row.tokens.expect("tokens").0;
            for part in &row.parts {
                let unique = part.unique_tokens.expect("known");
                let seen = part.epochs.expect("counted") * unique;
                assert!((seen - part.share * tokens).abs() < 64.0, "{} saw {seen} of {tokens} tokens, to within a window", part.name);
            }
        }
        // What a run never sees it does not learn.
        let code = |row: &RunRecord| row.parts[0].loss_nats.expect("a loss").0;
        let longest: Vec<&RunRecord> = rows.iter().filter(|row| row.steps == rows.iter().map(|row| row.steps).max().flatten()).collect();
        assert!(
            code(longest[0]) > code(longest[1]) + 0.2 && code(longest[1]) > code(longest[2]),
            "{:?}",
            longest.iter().map(|row| code(row)).collect::<Vec<_>>()
        );
        // Runs of one mixture share their trunk; those of another have their own.
        let trunks: std::collections::BTreeSet<_> = rows.iter().map(|row| row.trunk_id.clone()).collect();
        assert_eq!(trunks.len(), 3);

        for _ in 0..2 {
            let args = ["sweep", text(&grid), "--results", text(&broken), "--workers", "2"];
            let mut driver = scalelab(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
            std::thread::sleep(Duration::from_millis(600));
            let _ = driver.kill();
            driver.wait().expect("ends");
        }
        succeed(&["sweep", text(&grid), "--results", text(&broken), "--workers", "1"]);
        assert_eq!(reproducible(records(&broken)), reproducible(rows.clone()));

        // Read, judged and packed like any other.
        let folder = whole.join("mixed");
        assert!(succeed(&["status", text(&folder)]).contains("6"));
        succeed(&["doctor", text(&folder)]);
        succeed(&["pack", text(&folder)]);
        assert_eq!(records(&whole), rows);
        assert!(succeed(&["status", text(&folder)]).contains("mix"));
    }
}

/// Runs of a law over sizes, lengths and mixtures of three parts, with noise of a relative size.
fn simulated(law: &Law, noise: f64) -> String {
    let mut random = Random::new(3, "runs of a test");
    let mut rows = "params,tokens,loss,share_a,share_b,share_c\n".to_owned();
    for n in [1e6, 3e6, 1e7] {
        for d in [2e7, 1e8, 5e8] {
            for shares in simplex_grid(3, 5) {
                let point = point(n, d, &shares.iter().map(|share| f64::from(*share) / 5.0).collect::<Vec<_>>());
                let loss = law.loss(&point) * (noise * random.normal()).exp();
                let shares: Vec<String> = point.covariates.iter().map(|(_, share)| share.to_string()).collect();
                writeln!(rows, "{n},{d},{loss},{}", shares.join(",")).expect("memory");
            }
        }
    }
    rows
}

fn point(n: f64, d: f64, shares: &[f64]) -> Point {
    let covariates = ["share_a", "share_b", "share_c"].iter().zip(shares).map(|(name, share)| ((*name).to_owned(), *share)).collect();
    Point { covariates, ..Point::new(n, d, 1.0) }
}

/// A law whose best mixture is known by the condition of a minimum: C_i·γ_i·h_i^(γ_i − 1) is the same for every part. With γ = 1/2 of
/// all, h_i is in proportion to C_i².
fn truth() -> Law {
    let form = AdditiveMixture::of(&[point(1.0, 1.0, &[0.2, 0.3, 0.5]), point(1.0, 1.0, &[0.3, 0.5, 0.2])]).expect("shares");
    Law::of(form, [1.0, 300.0, 400.0, 0.4, 0.35, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5])
}

#[test]
fn the_best_mixture_of_a_known_law_is_found_and_stands_in_the_set() {
    let (_folder, path) = table(&simulated(&truth(), 2e-3));
    let answer = succeed(&["mix", text(&path), "--refits", "10", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let parts = answer["mix"]["parts"].as_array().expect("parts");
    for (part, share) in parts.iter().zip([4.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0]) {
        let [low, high] = [0, 1].map(|end| part["range"][end].as_f64().expect("a number"));
        assert!(low <= share + 0.011 && share - 0.011 <= high, "{} from {low} to {high}, {share}", part["name"]);
        assert!((part["best"].as_f64().expect("a number") - share).abs() < 0.1, "{part}");
    }
    assert!(answer["mix"]["gain"]["value"].as_f64().expect("a number") > 0.0);
    let shown = succeed(&["mix", text(&path), "--refits", "10"]);
    assert!(shown.lines().count() <= 30 && shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(shown.starts_with("a 0."), "the answer first: {shown}");
}

/// Runs of two parts at six mixtures, three sizes and three lengths.
fn runs_of(law: &Law, noise: f64, seed: u64) -> Vec<RunRecord> {
    let mut random = Random::new(seed, "runs of a study of coverage");
    let mut runs = Vec::new();
    for (n, d) in [1e6, 3e6, 1e7].into_iter().flat_map(|n| [2e7, 1e8, 5e8].map(|d| (n, d))) {
        for share in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
            let loss = law.loss(&point(n, d, &[share, 1.0 - share])) * (noise * random.normal()).exp();
            let part = |name: &str, share| PartRecord { name: name.into(), share, ..PartRecord::default() };
            runs.push(RunRecord {
                run_id: runs.len().to_string(),
                status: RunStatus::Finished,
                params_total: Some(Params(n)),
                tokens: Some(Tokens(d)),
                loss_nats: Some(Nats(loss)),
                parts: vec![part("a", share), part("b", 1.0 - share)],
                ..RunRecord::default()
            });
        }
    }
    runs
}

/// How often, of simulations of a law, what `mix` prints holds: the loss of its best mixture, the gain over the natural one, and that the
/// best mixture of all stands in the set. 50 simulations know a coverage of 95 % to three points; `SCALELAB_SIMULATIONS=2000` (`.ci/long`)
/// to half a point.
#[test]
fn intervals_of_losses_and_gains_cover_and_the_best_mixture_stands_in_the_set() {
    let simulations = std::env::var("SCALELAB_SIMULATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(50u64);
    let form = AdditiveMixture::of(&[point(1.0, 1.0, &[0.2, 0.8]), point(1.0, 1.0, &[0.3, 0.7])]).expect("shares");
    let truth = Law::of(form, [1.0, 300.0, 400.0, 0.4, 0.35, 2.0, 1.0, 0.5, 0.5]);
    let request = MixRequest {
        compute: None,
        target: None,
        max_epochs: 4.0,
        law: Some("mixture-additive".into()),
        size_measure: SizeMeasure::AsGiven,
        flop_rule: FlopRule::AsGiven,
        estimator: Estimator::LeastSquaresLog,
        refits: 100,
        level: 0.95,
        seed: 0,
    };
    let mut held = [0u64; 3];
    for seed in 0..simulations {
        let advice = mix(&runs_of(&truth, 5e-3, seed), &request).expect("an answer");
        let at = |shares: &[f64]| truth.loss(&point(advice.params, advice.tokens, shares));
        let of = |what: &dyn Fn(&PartAdvice) -> f64| advice.parts.iter().map(what).collect::<Vec<f64>>();
        let (best, natural) = (of(&|part| part.best), of(&|part| part.natural));
        let covers = |estimate: &Estimate, true_value: f64| {
            estimate.uncertainty.is_some_and(|interval| (interval.low..=interval.high).contains(&true_value))
        };
        // With γ = 1/2 of both, shares are in proportion to C².
        let in_set = advice.set.iter().any(|shares| (shares[0] - 0.8).abs() < 0.006);
        let found = [covers(&advice.loss, at(&best)), covers(&advice.gain, at(&natural) - at(&best)), in_set];
        held.iter_mut().zip(found).for_each(|(held, found)| *held += u64::from(found));
    }
    let shares = held.map(|held| held as f64 / simulations as f64);
    println!(
        "of {simulations} simulations the loss was covered in {:.3}, the gain in {:.3}, the best in the set in {:.3}",
        shares[0], shares[1], shares[2]
    );
    let error = 3.0 * (0.95 * 0.05 / simulations as f64).sqrt();
    for share in shares {
        assert!(share > 0.93 - error, "{shares:?}");
    }
    assert!(shares[0] < 0.97 + error && shares[1] < 0.97 + error, "{shares:?}");
}

/// results/mixtures-4x was trained after results/mixtures had forecast it, at four times the compute.
#[test]
fn the_gain_of_the_best_of_three_texts_was_forecast_at_four_times_the_compute() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let target = ["--target", "sotu=1,rust-src=1,chinese-poetry=1", "--compute", "5e12", "--refits", "100", "--json"];
    let answer = succeed(&[&["mix", text(&results.join("mixtures"))], &target[..]].concat());
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let runs = SweepFolder::at(results.join("mixtures-4x")).gathered_of_plan().expect("reads");
    let best: Vec<f64> =
        answer["mix"]["parts"].as_array().expect("parts").iter().map(|part| part["best"].as_f64().expect("a share")).collect();
    let is_best = |run: &&RunRecord| run.parts.iter().zip(&best).all(|(part, share)| (part.share - share).abs() < 0.06);
    let mean = |of: Vec<&RunRecord>| {
        assert_eq!(of.len(), 2, "two seeds");
        of.iter().filter_map(|run| run.loss_nats).map(|loss| loss.0).sum::<f64>() / 2.0
    };
    let (best, natural): (Vec<&RunRecord>, Vec<&RunRecord>) = runs.iter().partition(is_best);
    let gained = mean(natural) - mean(best);
    let [low, high] = ["low", "high"].map(|end| answer["mix"]["gain"][end].as_f64().expect("an interval"));
    assert!(low < gained && gained < high, "{gained} in {low} to {high}");
    assert!(low > 0.0, "there is something to win");
}

#[test]
fn what_cannot_be_answered_is_refused_with_what_to_type() {
    let (_folder, path) = table(&simulated(&truth(), 0.0));
    assert!(refused(&["mix", text(&path), "--target", "a=1"]).contains("one loss each"));
    assert!(refused(&["mix", text(&path), "--target", "a"]).contains("PART=WEIGHT"));
    assert!(refused(&["mix", text(&path), "--law", "kaplan"]).contains("mixture-additive"));
    let (_folder, plain) = table("params,tokens,loss\n1e6,1e8,3\n2e6,1e8,2.9\n");
    assert!(refused(&["mix", text(&plain)]).contains("share_NAME"));
}
