//! An adaptive search through the front door: it settles, it goes on where it was, and its laws and recommendation follow.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{grid, reproducible_part, succeed, text};
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

/// How many families were settled, and of how many, after each round that a call made.
fn rounds(output: &str) -> Vec<[usize; 2]> {
    let of_round = |line: &str| {
        let numbers: Vec<usize> = line.strip_prefix("search: ")?.split(' ').filter_map(|word| word.parse().ok()).collect();
        Some([numbers[0], numbers[1]])
    };
    output.lines().filter_map(of_round).collect()
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
    let made = rounds(&succeed(&call));
    assert!(made.len() >= 3 && made.last() == Some(&[6, 6]), "{made:?}");
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
    assert_eq!(rounds(&succeed(&call)), Vec::<[usize; 2]>::new(), "a third call has nothing to do");
    assert_eq!(reproducible_part(&sweep.join("runs.csv")), whole);

    // Shards own whole chains: together they make the same table.
    let sharded = folder.path().join("sharded");
    for shard in ["1/2", "2/2"] {
        succeed(&["sweep", text(&path), "--results", text(&sharded), "--shard", shard]);
    }
    succeed(&["sweep", text(&path), "--results", text(&sharded)]);
    assert_eq!(reproducible_part(&sharded.join("searched/runs.csv")), whole);

    succeed(&["fit", text(&sweep)]);
    let cells = fs::read_to_string(sweep.join("cells.csv")).expect("written");
    assert_eq!(cells.lines().count(), 7, "a header and six cells");
    let laws = fs::read(sweep.join("fits/hyperparameters.json")).expect("written");
    let laws: serde_json::Value = serde_json::from_slice(&laws).expect("JSON");
    assert!(laws["laws"].as_array().is_some_and(|own| !own.is_empty()), "{laws:#}");
    // Beside them those of others, as they were published.
    assert!(laws["others"].as_array().expect("a list").iter().any(|other| other["name"] == "deepseek"), "{laws:#}");
}

#[test]
fn a_plan_of_a_search_says_what_may_follow_and_a_bad_one_is_refused() {
    let (_folder, path) = grid(SEARCHED);
    let mut said = Transcript::default();
    said.lines(&["adaptive search:"], &["plan", text(&path), "--details"]);
    said.lines(&["search"], &["plan", text(&path)]);
    let (_folder, path) = grid(&SEARCHED.replace("adaptive", "random"));
    said.about("search = \"random\"");
    said.refused(&["plan", text(&path)]);
    said.check("search_plan");
}

#[test]
fn published_laws_recommend_without_runs() {
    let mut said = Transcript::default();
    said.succeed(&["recommend", "--published", "deepseek", "--compute", "1e20", "--hardware", "h100x8", "--price", "2.5"]);
    said.succeed(&["recommend", "--published", "hoffmann", "--compute", "1e21", "--tokens-per-param", "20", "--markdown"]);
    let json = succeed(&["recommend", "--published", "besiroglu", "--recipe", "step-law", "--compute", "1e21", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("one document");
    assert!(json[0]["params"]["value"].as_f64().expect("a number") > 1e9 && json[0]["params"]["low"].is_null());
    said.refused(&["recommend", "--published", "nobody", "--compute", "1e21"]);
    said.refused(&["recommend", "--published", "hoffmann", "--compute", "1e21", "--hardware", "abacus"]);
    said.check("search_published");
}
