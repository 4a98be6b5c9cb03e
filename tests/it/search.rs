//! An adaptive search through the front door: it settles, it goes on where it was, and its laws and recommendation follow.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{grid, refused, reproducible_part, succeed, text};
use std::fs;
use std::path::Path;

const SEARCHED: &str = r#"
    name = "searched"
    ladder = { kind = "list", shapes = ["2x8", "2x16", "2x24"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { kind = "tokens", tokens = ["20k", "40k"] }
    [model]
    context = 64
    [recipe]
    learning_rate = { search = "adaptive", start = [4e-3, 8e-3, 1.6e-2] }
    batch_tokens = 512
    [seeds]
    corners = 2
    [eval]
    windows = 64
"#;

/// How many rounds a call made, and how many families it settled, by what it said.
fn rounds(said: &str) -> usize {
    said.lines().filter(|line| line.starts_with("search: ")).count()
}

fn row_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("runs")).expect("reads").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn a_search_settles_every_family_and_goes_on_to_the_same_table_where_it_was_cut() {
    let (folder, path) = grid(SEARCHED);
    let results = folder.path().join("results");
    let call = ["sweep", text(&path), "--results", text(&results)];
    let said = succeed(&call);
    assert!(rounds(&said) >= 3 && said.contains("6 of 6 families settled"), "{said}");
    let sweep = results.join("searched");
    let whole = reproducible_part(&sweep.join("runs.csv"));
    assert!(
        (6 * 3 + 4..=6 * 9 + 4).contains(&whole.len()),
        "three to nine recipes a family and a replicate at each corner: {}",
        whole.len()
    );
    assert_eq!(fs::read_to_string(sweep.join("plan.csv")).expect("reads").lines().count(), whole.len() + 1, "each round is in plan.csv");

    // Lost with every run that followed from it: the search comes to the same decisions again.
    let files = row_files(&sweep);
    files.iter().step_by(2).for_each(|file| fs::remove_file(file).expect("removed"));
    fs::remove_file(sweep.join("runs.csv")).expect("removed");
    succeed(&call);
    assert_eq!(reproducible_part(&sweep.join("runs.csv")), whole);
    assert!(succeed(&call).contains("runs are done"), "a third call has nothing to do");

    // Shards own whole chains: together they make the same table.
    let sharded = folder.path().join("sharded");
    for shard in ["1/2", "2/2"] {
        succeed(&["sweep", text(&path), "--results", text(&sharded), "--shard", shard]);
    }
    succeed(&["sweep", text(&path), "--results", text(&sharded)]);
    assert_eq!(reproducible_part(&sharded.join("searched/runs.csv")), whole);

    let said = succeed(&["fit", text(&sweep)]);
    assert!(said.contains("laws of learning rate and batch") && said.contains("(published)"), "{said}");
    let cells = fs::read_to_string(sweep.join("cells.csv")).expect("written");
    assert_eq!(cells.lines().count(), 7, "a header and six cells");
    assert!(sweep.join("fits/hyperparameters.json").exists());
}

#[test]
fn a_plan_of_a_search_says_what_may_follow_and_a_bad_one_is_refused() {
    let (_folder, path) = grid(SEARCHED);
    let said = succeed(&["plan", text(&path)]);
    assert!(said.contains("adaptive search: 6 families") && said.contains("18 to 30 runs in all"), "{said}");
    let (_folder, path) = grid(&SEARCHED.replace("adaptive", "random"));
    assert!(refused(&["plan", text(&path)]).contains("must be \"adaptive\""));
}

#[test]
fn published_laws_recommend_without_runs() {
    let said = succeed(&["recommend", "--published", "deepseek", "--compute", "1e20", "--hardware", "h100x8", "--price", "2.5"]);
    assert!(said.contains("9.86e-4") && said.contains("multi-step") && said.contains("device hours"), "{said}");
    let said = succeed(&["recommend", "--published", "hoffmann", "--compute", "1e21", "--tokens-per-param", "20", "--markdown"]);
    assert!(said.starts_with("## what to train") && said.contains("| 20 tokens per parameter |"), "{said}");
    let json = succeed(&["recommend", "--published", "besiroglu", "--recipe", "step-law", "--compute", "1e21", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("one document");
    assert!(json[0]["params"]["value"].as_f64().expect("a number") > 1e9 && json[0]["params"]["low"].is_null());
    assert!(refused(&["recommend", "--published", "nobody", "--compute", "1e21"]).contains("hoffmann"));
    assert!(refused(&["recommend", "--published", "hoffmann", "--compute", "1e21", "--hardware", "abacus"]).contains("known devices"));
}
