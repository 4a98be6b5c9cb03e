//! Filling gaps through the whole program: plans, sweeps that are cut short or divided, their fits and groups, and what is refused in words.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{refused, text};
use std::fs;
use std::path::Path;

const GRID: &str = "name = \"gaps\"\nobjective = [\"causal\", \"masked\"]\nmask_ratio = [0.25, \"uniform\"]\n\
    ladder = { kind = \"list\", shapes = [\"1x8\", \"1x16\"] }\ncorpus = { kind = \"zipf-facts\", a = 0.5, keys = 64 }\n\
    budget = { tokens = [\"20k\", \"40k\"] }\n[model]\ncontext = 32\n[recipe]\nlearning_rate = 8e-3\nbatch_tokens = 512\n\
    [eval]\nwindows = 40\n[run]\ncheckpoint_every = \"0.02s\"\n";

fn write(folder: &Path, content: &str) -> String {
    let path = folder.join("gaps.toml");
    fs::write(&path, content).expect("written");
    text(&path).to_owned()
}

#[test]
fn a_grid_that_makes_no_gaps_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cases = [
        (GRID.replace("\"masked\"]", "\"maskd\"]"), "did you mean `masked`?"),
        (GRID.replace("[0.25, \"uniform\"]", "0"), "mask_ratio = 0: must be a part of a window above 0 and up to 1"),
        (GRID.replace("[0.25, \"uniform\"]", "1.5"), "mask_ratio = 1.5"),
        (GRID.replace("[0.25, \"uniform\"]", "\"some\""), "or \"uniform\""),
        (GRID.replace("[\"causal\", \"masked\"]", "\"causal\""), "write objective = \"masked\" for it"),
        (format!("span_length = 3\n{GRID}"), "write objective = \"span\" for it"),
        (format!("span_length = 0\n{}", GRID.replace("\"masked\"", "\"span\"")), "span_length = 0"),
        (
            format!("stage = \"fine-tune\"\n{GRID}")
                .replace("ladder = { kind = \"list\", shapes = [\"1x8\", \"1x16\"] }", "base = { results = \"x\" }")
                .replace("[model]\ncontext = 32\n", ""),
            "objective = \"masked\"",
        ),
    ];
    for (content, expected) in cases {
        let message = refused(&["plan", &write(folder.path(), &content)]);
        assert!(message.contains(expected), "{expected} is not in: {message}\n{content}");
    }
}

#[cfg(feature = "train")]
mod trained {
    use super::*;
    use crate::support::{reproducible, scalelab, succeed};
    use scalelab::results::SweepFolder;
    use scalelab::spec::{RunRecord, RunStatus};
    use std::process::Stdio;
    use std::time::Duration;

    fn rows(results: &Path) -> Vec<RunRecord> {
        reproducible(SweepFolder::at(results.join("gaps")).gathered_of_plan().expect("reads"))
    }

    fn sweep(grid: &str, results: &Path, more: &[&str]) -> String {
        succeed(&[&["sweep", grid, "--results", text(results), "--workers", "2"], more].concat())
    }

    #[test]
    fn causal_and_masked_runs_are_planned_trained_and_compared_on_one_scale() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (grid, results) = (write(folder.path(), GRID), folder.path().join("results"));
        let plan = succeed(&["plan", &grid]);
        assert!(plan.contains("12 runs") && plan.contains("causal, masked 0.25, masked uniform"), "{plan}");
        let details = succeed(&["plan", &grid, "--details"]);
        assert!(details.contains("objective: causal, masked 0.25, masked uniform"), "{details}");
        sweep(&grid, &results, &[]);
        let rows = rows(&results);
        assert_eq!(rows.len(), 12);
        for row in &rows {
            assert_eq!(row.status, RunStatus::Finished);
            let fills = row.objective.is_some();
            assert_eq!((row.vocabulary, row.masked_loss_nats.is_some()), (Some(if fills { 257 } else { 256 }), fills));
            assert_eq!((row.mask_ratio.is_some(), row.masks_se_nats.is_some(), row.span_length), (fills, fills, None));
            assert!(row.loss_nats.expect("finished").0 > row.floor_nats.expect("a source") - 4.0 * row.loss_se_nats.expect("windows"));
        }
        let path = results.join("gaps");
        assert!(succeed(&["status", text(&path)]).contains("12"));
        let doctor = scalelab(&["doctor", text(&path)]).output().expect("starts");
        assert!(doctor.status.code().is_some_and(|code| code == 0 || code == 3), "{doctor:?}");
        let fit = scalelab(&["fit", text(&path), "--details"]).output().expect("starts");
        let said = String::from_utf8_lossy(&fit.stdout).into_owned() + &String::from_utf8_lossy(&fit.stderr);
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains("bounds (ELBO)"), "{said}");
        let groups = scalelab(&["fit", text(&path), "--by", "objective"]).output().expect("starts");
        let said = String::from_utf8_lossy(&groups.stdout).into_owned() + &String::from_utf8_lossy(&groups.stderr);
        assert!(said.contains("causal") && said.contains("masked"), "{said}");
    }

    #[test]
    fn shards_and_a_sweep_that_was_killed_end_as_if_nothing_had_happened() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let grid = write(folder.path(), GRID);
        let [whole, parts, killed] = ["whole", "parts", "killed"].map(|name| folder.path().join(name));
        sweep(&grid, &whole, &[]);
        for shard in ["1/2", "2/2"] {
            sweep(&grid, &parts, &["--shard", shard]);
        }
        for wait in [300, 600] {
            let mut driver = scalelab(&["sweep", &grid, "--results", text(&killed), "--workers", "2"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("starts");
            std::thread::sleep(Duration::from_millis(wait));
            let _ = driver.kill();
            driver.wait().expect("ends");
        }
        sweep(&grid, &killed, &[]);
        let of = |results: &Path| {
            let mut rows = rows(results);
            rows.sort_by(|a, b| a.run_id.cmp(&b.run_id));
            rows
        };
        assert_eq!(of(&parts), of(&whole), "two shards");
        assert_eq!(of(&killed), of(&whole), "killed and gone on with");
    }

    #[test]
    fn a_base_that_fills_gaps_is_refused_before_anything_is_planned() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let masked =
            GRID.replace("[\"causal\", \"masked\"]", "\"masked\"").replace("[\"20k\", \"40k\"]", "\"10k\"") + "keep_weights = true\n";
        sweep(&write(folder.path(), &masked), &folder.path().join("results"), &[]);
        let pairs = folder.path().join("pairs.jsonl");
        fs::write(&pairs, "{\"prompt\": \"a\", \"response\": \"b\"}\n".repeat(30)).expect("written");
        let grid = format!(
            "name = \"tune\"\nstage = \"fine-tune\"\nbudget = {{ epochs = 1 }}\n[base]\nresults = {:?}\n[corpus]\nkind = \"pairs\"\npath = {pairs:?}\n",
            folder.path().join("results/gaps")
        );
        let message = refused(&["plan", &write(folder.path(), &grid)]);
        assert!(message.contains("fills gaps") && message.contains("name causal runs"), "{message}");
    }
}
