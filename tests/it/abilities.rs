//! Scores of tasks in tables of others: which are read, what larger networks are forecast to score, sealed and held against what came.
#![expect(clippy::disallowed_methods, reason = "reads a published table and writes a changed forecast")]

use crate::support;
use serde_json::Value;
use std::fmt::Write;

/// (params, tokens) of the runs of 1.3 B weights at 5 and 10 times 20 tokens a weight.
const PLACES: [&str; 2] = ["1279395840,127955632128", "1279395840,255895535616"];

/// The last accuracies of the runs at a place, by task.
fn came(path: &std::path::Path, place: &str) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(path).expect("readable");
    let header: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    let at = |name: &str| header.iter().position(|one| *one == name).expect("a column");
    let last: Vec<&str> = text
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .find(|row| format!("{},{}", row[at("params")], row[at("tokens")]) == place)
        .expect("the end of the run");
    let scored = header.iter().zip(&last).filter_map(|(name, cell)| Some((name.strip_suffix("_accuracy")?, cell)));
    scored.map(|(name, cell)| (name.to_owned(), cell.parse().expect("a number"))).collect()
}

#[test]
fn scores_of_the_largest_published_networks_lie_in_the_intervals_of_the_smaller() {
    let Some(path) = support::published("olmo_ladder.csv") else { return };
    let file = support::text(&path);
    let mut args = vec!["forecast", file, "--where", "params<1e9", "--task", "all", "--json", "--level", "0.9"];
    PLACES.iter().for_each(|place| args.extend(["--at", place]));
    let document: Value = serde_json::from_str(&support::succeed(&args)).expect("JSON");
    let tasks = document["tasks"].as_array().expect("tasks");
    assert_eq!(tasks.len(), 10);
    let lawful: Vec<&Value> = tasks.iter().filter(|task| task["no_law"].is_null()).collect();
    assert!(lawful.len() >= 7, "no law for {} of 10 tasks", 10 - lawful.len());
    let (mut widths, mut inside) = (Vec::new(), 0);
    for (number, place) in PLACES.iter().enumerate() {
        let came = came(&path, place);
        for task in &lawful {
            let ahead = &task["ahead"][number];
            let [low, high] = ["low", "high"].map(|end| ahead[end].as_f64().expect("a number"));
            let (_, accuracy) = came.iter().find(|(name, _)| task["name"] == name.as_str()).expect("scored");
            inside += usize::from(low <= *accuracy && *accuracy <= high);
            widths.push(100.0 * (high - low));
        }
    }
    widths.sort_by(f64::total_cmp);
    let median = widths[widths.len() / 2];
    assert!(10 * inside >= 8 * widths.len(), "{inside} of {} inside", widths.len());
    assert!(median <= 12.0, "median width {median:.1} points");
}

/// A table of runs of four sizes and four lengths; the accuracy of `asked` is smooth in its bits per byte, that of `guessed` is chance.
fn scored(largest: usize) -> String {
    let mut text = "params,tokens,asked/bpb,asked/acc,acc_guessed\n".to_owned();
    for size in [1e8, 2e8, 4e8, 8e8, 1.6e9].iter().take(largest) {
        for ratio in [10.0, 20.0, 40.0, 80.0] {
            let tokens = ratio * size;
            let loss = 0.5 + 60.0 * f64::powf(*size, -0.3) + 90.0 * tokens.powf(-0.3);
            let accuracy = 25.0 + 65.0 / (1.0 + (9.0 * (loss - 0.85)).exp());
            let guess = 25.0 + 0.3 * ((ratio / 10.0 + size / 1e8) % 3.0 - 1.0);
            writeln!(text, "{size},{tokens},{loss:.5},{accuracy:.3},{guess:.2}").expect("written");
        }
    }
    text
}

#[test]
fn a_forecast_of_tasks_is_sealed_and_scored() {
    let (folder, small) = support::table(&scored(4));
    let (_other, all) = support::table(&scored(5));
    let sealed = folder.path().join("tasks.json");
    let place = ["--at", "1.6e9,6.4e10", "--at", "1.6e9,1.28e11", "--chance", "0.25", "--out", support::text(&sealed)];
    let said = support::succeed(&[&["forecast", support::text(&small), "--task", "all"], &place[..]].concat());
    assert!(said.contains("guessed: no law: "), "{said}");
    assert!(said.lines().filter(|line| !line.starts_with("forecast: ")).all(|line| line.chars().count() <= 80), "{said}");
    let again = support::refused(&[&["forecast", support::text(&small), "--task", "all"], &place[..]].concat());
    assert!(again.contains("is there already"), "{again}");
    let scores = support::succeed(&["verify", support::text(&sealed), support::text(&all)]);
    assert!(scores.contains("2 of 2 accuracies came inside"), "{scores}");
    let text = std::fs::read_to_string(&sealed).expect("there").replacen("\"chance\": 0.25", "\"chance\": 0.26", 1);
    std::fs::write(&sealed, text).expect("written");
    assert!(support::refused(&["verify", support::text(&sealed), support::text(&all)]).contains("was changed after it was made"));
}

#[test]
fn what_is_no_task_is_said_with_what_to_type() {
    let (_folder, path) = support::table(&scored(4));
    let file = support::text(&path);
    let unknown = support::refused(&["forecast", file, "--task", "aksed", "--at", "1e9,1e10"]);
    assert!(unknown.contains("its tasks are asked, guessed; or all"), "{unknown}");
    let chance = support::refused(&["forecast", file, "--task", "asked", "--at", "1e9,1e10"]);
    assert!(chance.contains("give --chance 0.25"), "{chance}");
    let chance = support::refused(&["forecast", file, "--task", "asked", "--at", "1e9,1e10", "--chance", "25"]);
    assert!(chance.contains("a share from 0 to below 1"), "{chance}");
    let (_folder, path) = support::table("params,tokens,loss\n1e6,1e8,3\n2e6,1e8,2.9\n");
    assert!(support::refused(&["forecast", support::text(&path), "--task", "a", "--at", "1e9,1e10"]).contains("no column is of a task"));
}
