//! Fine-tuning through the whole program: a base that keeps its weights, a task of pairs, and what is refused in words.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

#[cfg(feature = "train")]
use crate::support::succeed;
use crate::support::{refused, text};
use scalelab::spec::Random;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Words of eight letters and, of each, its letters in the alphabet one on.
fn write_task(path: &Path, count: usize) {
    let mut random = Random::new(9, "words of a task");
    let mut word = || (0..6).map(|_| b'a' + random.below(8) as u8).collect::<Vec<u8>>();
    let line = |word: Vec<u8>| {
        let next: String = word.iter().map(|letter| char::from(letter + 1)).collect();
        json!({ "in": String::from_utf8(word).expect("letters"), "out": next }).to_string() + "\n"
    };
    fs::write(path, (0..count).map(|_| line(word())).collect::<String>()).expect("written");
}

/// A folder with a base grid, a task and a grid that fine-tunes.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        write_task(&folder.path().join("task.jsonl"), 400);
        let place = Self { folder };
        place.write("base.toml", &place.base("keep_weights = true"));
        place.write("tune.toml", &place.tune("examples = [40, \"all\"]", "epochs = [1, 3]", ""));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        fs::write(self.path(name), content).expect("written");
        self.path(name)
    }

    fn base(&self, run: &str) -> String {
        format!(
            "name = \"base\"\nladder = {{ kind = \"list\", shapes = [\"1x8\", \"1x16\"] }}\n\
             corpus = {{ kind = \"zipf-facts\", a = 0.5, keys = 64 }}\nbudget = {{ tokens = [\"40k\"] }}\n\
             [model]\ncontext = 32\n[recipe]\nlearning_rate = 8e-3\nbatch_tokens = 512\n[eval]\nwindows = 40\n\
             [run]\ncheckpoint_every = \"0.02s\"\n{run}\n"
        )
    }

    fn tune(&self, corpus: &str, budget: &str, base: &str) -> String {
        format!(
            "name = \"tune\"\nstage = \"fine-tune\"\nbudget = {{ {budget} }}\n\
             [base]\nresults = {:?}\n{base}\n[corpus]\nkind = \"pairs\"\npath = {:?}\nprompt = \"in\"\nresponse = \"out\"\n{corpus}\n\
             [recipe]\nlearning_rate = 4e-3\nbatch_tokens = 256\nwarmup_tokens = 0\n[run]\ncheckpoint_every = \"0.02s\"\n",
            self.path("results/base"),
            self.path("task.jsonl")
        )
    }

    #[cfg(feature = "train")]
    fn sweep(&self, grid: &str, more: &[&str]) -> String {
        let (grid, results) = (self.path(grid), self.path("results"));
        succeed(&[&["sweep", text(&grid), "--results", text(&results), "--workers", "2"], more].concat())
    }
}

#[test]
fn a_grid_that_cannot_be_is_refused_in_words() {
    let place = Place::new();
    let refusal = |content: &str| refused(&["plan", text(&place.write("wrong.toml", content))]);
    let tune = place.tune("", "epochs = 1", "");
    let cases = [
        (tune.replace("stage = \"fine-tune\"\n", "ladder = { kind = \"list\", shapes = [\"1x8\"] }\n"), "stage = \"fine-tune\""),
        (tune.replace("budget = { epochs = 1 }", "budget = { flops = 1e12 }"), "epochs = [...] or tokens = [...]"),
        (tune.replace("budget = { epochs = 1 }", "budget = { tokens = 1e5, epochs = 2 }"), "one of them"),
        (format!("{tune}\n[model]\ncontext = 64\n"), "networks are those of [base]"),
        (format!("{tune}noise_scale_every = 2\n"), "run.noise_scale_every = 2"),
        (format!("{tune}[eval]\nevery = 200\n"), "eval.every = 200"),
        (tune.replace("batch_tokens = 256", "batch_tokens = { search = \"adaptive\", start = [256] }"), "recipe.batch_tokens = a search"),
        (place.tune("examples = 0", "epochs = 1", ""), "corpus.examples"),
        (place.tune("", "epochs = 1", "replay = 1.5"), "base.replay = 1.5"),
        (place.tune("", "epochs = 1", "runs = \"some\""), "\"all\", \"frontier\", or a list"),
        (place.tune("", "epochs = 1", "start = \"nothing\""), "`base` or `scratch`"),
        (place.tune("", "epochs = 1", "rus = \"all\""), "did you mean `runs`?"),
        (
            place.base("").replace("{ kind = \"zipf-facts\", a = 0.5, keys = 64 }", "{ kind = \"pairs\", path = \"x\" }"),
            "write stage = \"fine-tune\"",
        ),
        (tune, "train the base first, with keep_weights = true"),
    ];
    for (content, expected) in cases {
        let message = refusal(&content);
        assert!(message.contains(expected), "{expected} is not in: {message}\n{content}");
    }
}

#[cfg(feature = "train")]
mod trained {
    use super::*;
    use crate::support::{reproducible, scalelab};
    use scalelab::results::SweepFolder;
    use scalelab::spec::{RunRecord, RunStatus};
    use std::collections::{BTreeMap, BTreeSet};
    use std::process::Stdio;
    use std::time::Duration;

    fn rows(place: &Place, sweep: &str) -> Vec<RunRecord> {
        reproducible(SweepFolder::at(place.path("results").join(sweep)).gathered_of_plan().expect("reads"))
    }

    #[test]
    fn weights_are_kept_on_request_said_where_they_lack_and_made_again() {
        let place = Place::new();
        let plain = place.write("plain.toml", &place.base(""));
        place.sweep("plain.toml", &[]);
        let results = place.path("results");
        let folder = SweepFolder::at(results.join("base"));
        assert!(folder.kept_weights().is_empty());
        let before = rows(&place, "base");
        let message = refused(&["sweep", text(&plain), "--results", text(&results), "--retry", "weights"]);
        assert!(message.contains("keep_weights = true below [run]"), "{message}");
        // A base without weights: the call that makes them is said, and it makes them.
        let lacks = refused(&["plan", text(&place.path("tune.toml"))]);
        assert!(lacks.contains("2 of 2 runs have no weights") && lacks.contains("scalelab sweep base --retry weights"), "{lacks}");
        let said = place.sweep("base.toml", &[]);
        assert!(said.contains("2 finished runs have no weights there") && said.contains("--retry weights"), "{said}");
        let said = place.sweep("base.toml", &["--retry", "weights"]);
        assert!(said.contains("weights of 2 runs") && !said.contains("--retry weights` trains"), "{said}");
        assert_eq!(folder.kept_weights().len(), 2);
        assert_eq!(rows(&place, "base"), before, "weights are no part of what a run is");

        let listed = succeed(&["cache", "--results", text(&results)]);
        assert!(listed.contains("in weights of 2 runs") && listed.contains("base/weights"), "{listed}");
        let json: serde_json::Value = serde_json::from_str(&succeed(&["cache", text(&folder.path), "--json"])).expect("JSON");
        assert_eq!(json["weights"][0]["files"], 2);
        fs::remove_file(&folder.kept_weights()[0].path).expect("removed");
        assert!(refused(&["plan", text(&place.path("tune.toml"))]).contains("1 of 2 runs has no weights"));
        let removed = succeed(&["cache", text(&folder.path), "--clear", "weights"]);
        assert!(removed.contains("removed 1 folder of weights"), "{removed}");
        assert!(folder.kept_weights().is_empty());
        assert!(refused(&["cache", "nothing-such"]).contains("no results folder"));
    }

    #[test]
    fn a_task_is_learnt_from_every_base_and_a_sweep_that_was_killed_ends_the_same() {
        let place = Place::new();
        place.sweep("base.toml", &[]);
        let grid = place.write(
            "tune.toml",
            &place.tune("examples = [40, \"all\"]", "epochs = [1, 3]", "start = [\"base\", \"scratch\"]\nreplay = [0, 0.2]"),
        );
        let plan = succeed(&["plan", text(&grid)]);
        let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            plan.contains("32 runs")
                && plan.contains("40, 364 of them from base, scratch, 0, 20 % text of the base")
                && plan.contains("epochs 3"),
            "{plan}"
        );
        assert!(succeed(&["plan", text(&grid), "--all"]).contains("1x16"));
        place.sweep("tune.toml", &[]);
        let whole = rows(&place, "tune");
        assert!(whole.len() == 32 && whole.iter().all(|row| row.status == RunStatus::Finished));
        for row in &whole {
            let from_base = row.start.as_deref() == Some("base");
            assert_eq!(
                (row.stage.as_deref(), row.base_run.is_some(), row.base_tokens.is_some()),
                (Some("fine-tuning"), from_base, from_base)
            );
            assert!(row.best_loss_nats <= row.loss_nats && row.best_epoch <= row.epochs.map(|epochs| epochs + 1e-9));
            assert!(row.base_loss_before.is_some() && row.base_loss_after.is_some() && row.examples.is_some());
        }
        let base = rows(&place, "base");
        for row in whole.iter().filter(|row| row.base_run.is_some()) {
            let own = base.iter().find(|base| Some(&base.run_id) == row.base_run.as_ref()).expect("a base");
            assert_eq!(row.base_loss_before, own.loss_nats, "before any step");
        }
        // Two epochs more on all pairs lower the loss.
        let of = |epochs: f64, examples: bool| {
            let found = whole.iter().find(|row| {
                (row.epochs.expect("counted") - epochs).abs() < 0.3
                    && (row.examples > Some(40)) == examples
                    && row.start.as_deref() == Some("base")
                    && row.replay == Some(0.0)
            });
            found.expect("planned").loss_nats.expect("finished").0
        };
        assert!(of(3.0, true) < of(1.0, true), "{} {}", of(3.0, true), of(1.0, true));

        let results = place.path("results");
        fs::remove_dir_all(results.join("tune")).expect("removed");
        for _ in 0..3 {
            let args = ["sweep", text(&grid), "--results", text(&results), "--workers", "2"];
            let mut driver = scalelab(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
            std::thread::sleep(Duration::from_millis(400));
            let _ = driver.kill();
            driver.wait().expect("ends");
        }
        for shard in ["1/2", "2/2"] {
            place.sweep("tune.toml", &["--shard", shard]);
        }
        place.sweep("tune.toml", &[]);
        assert_eq!(rows(&place, "tune"), whole);

        // Read, judged, packed and repaired like any other.
        let folder = results.join("tune");
        assert!(succeed(&["status", text(&folder)]).contains("32"));
        succeed(&["doctor", text(&folder)]);
        succeed(&["repair", text(&folder)]);
        succeed(&["pack", text(&folder)]);
        assert_eq!(rows(&place, "tune"), whole);
    }

    #[test]
    fn learning_rates_are_searched_for_every_number_of_pairs_and_start_alone() {
        let place = Place::new();
        place.sweep("base.toml", &[]);
        let grid = place.tune("examples = [40, \"all\"]", "epochs = 3", "start = [\"base\", \"scratch\"]\nrank = [0, 2]");
        place.write("tune.toml", &grid.replace("learning_rate = 4e-3", "learning_rate = { search = \"adaptive\", start = [2e-3, 4e-3] }"));
        place.sweep("tune.toml", &[]);
        let mut rates: BTreeMap<(String, u64, u64, Option<usize>), BTreeSet<String>> = BTreeMap::new();
        for row in rows(&place, "tune") {
            let family = (row.start.expect("told"), row.examples.expect("told"), row.rank.expect("told"), row.width);
            rates.entry(family).or_default().insert(row.learning_rate.expect("told").to_string());
        }
        let bases = rows(&place, "base").iter().map(|row| row.width).collect::<BTreeSet<_>>().len();
        assert_eq!(rates.len(), bases * 2 * 3, "all weights and rank 2 of bases, and all weights from scratch");
        assert!(rates.values().all(|tried| tried.len() >= 2), "{rates:?}");
        assert!(rates.values().any(|tried| tried.len() > 2), "a start whose best is at its edge goes on: {rates:?}");
        let whole = rows(&place, "tune");
        place.sweep("tune.toml", &[]);
        assert_eq!(rows(&place, "tune"), whole, "nothing is left to try");
    }

    #[test]
    fn bases_that_are_not_what_they_were_are_refused_in_words() {
        let place = Place::new();
        place.sweep("base.toml", &[]);
        let plan = |content: String| refused(&["plan", text(&place.write("other.toml", &content))]);
        let base = rows(&place, "base");
        let id = &base[0].run_id;
        assert!(plan(place.tune("", "epochs = 1", "runs = [\"nobody\"]")).contains("no run nobody finished in"));
        let misspelt = plan(place.tune("", "epochs = 1", &format!("runs = [\"{}x\"]", id)));
        assert!(misspelt.contains(&format!("did you mean {id}?")), "{misspelt}");
        assert!(
            succeed(&["plan", text(&place.write("one.toml", &place.tune("", "epochs = 1", &format!("runs = [\"{id}\"]"))))])
                .contains("1 run")
        );
        assert!(succeed(&["plan", text(&place.write("one.toml", &place.tune("", "epochs = 1", "runs = \"frontier\"")))]).contains("run"));
        let batch = plan(place.tune("", "epochs = 1", "").replace("batch_tokens = 256", "batch_tokens = 100"));
        assert!(batch.contains("a multiple of 32, the context of the base"), "{batch}");
        let many = plan(place.tune("examples = 5000", "epochs = 1", ""));
        assert!(many.contains("corpus.examples = 5000") && many.contains("pairs can be trained on"), "{many}");

        let weights = |run: &str| place.path("results/base/weights").join(format!("{run}.safetensors"));
        let (mine, other) = (weights(id), weights(&base[1].run_id));
        let whole = fs::read(&mine).expect("reads");
        fs::copy(&other, &mine).expect("copied");
        assert!(plan(place.tune("", "epochs = 1", "")).contains("has weights of another run in its file"));
        fs::write(&mine, &whole[..40]).expect("cut");
        assert!(plan(place.tune("", "epochs = 1", "")).contains("it was cut off"));
        // A number that changed is seen by the worker, whatever the header says.
        let mut changed = whole.clone();
        *changed.last_mut().expect("a byte") ^= 1;
        fs::write(&mine, &changed).expect("changed");
        let results = place.path("results");
        let output = crate::support::run(&["sweep", text(&place.path("tune.toml")), "--results", text(&results), "--workers", "2"]);
        assert_eq!(output.status.code(), Some(1));
        let failed = rows(&place, "tune").into_iter().find(|row| row.status == RunStatus::Failed).expect("failed");
        assert!(
            failed.diagnosis.as_ref().is_some_and(|why| why.contains("cannot be used") && why.contains("checksum")),
            "{:?}",
            failed.diagnosis
        );
        fs::write(&mine, &whole).expect("restored");
        place.sweep("tune.toml", &["--retry", "failed"]);
        assert!(rows(&place, "tune").iter().all(|row| row.status == RunStatus::Finished));
    }

    #[test]
    fn pairs_that_are_left_out_are_counted_with_their_line() {
        let place = Place::new();
        place.sweep("base.toml", &[]);
        let mut lines = fs::read_to_string(place.path("task.jsonl")).expect("reads");
        lines += &format!("{}\n{}\n", json!({ "in": "x", "out": "" }), json!({ "in": "x".repeat(90), "out": "y" }));
        fs::write(place.path("task.jsonl"), lines).expect("written");
        let plan = succeed(&["plan", text(&place.path("tune.toml"))]);
        let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plan.contains("1 pair without a response is left out, first") && plan.contains("task.jsonl, line 401"), "{plan}");
        assert!(plan.contains("1 pair longer than a window of 33 tokens is left out, first line 402"), "{plan}");
        fs::write(place.path("task.jsonl"), "").expect("written");
        assert!(refused(&["plan", text(&place.path("tune.toml"))]).contains("the file is empty"));
    }
}
