//! The schema of grid files says what the parser takes: each field that it names is read, and none that it does not name.
#![expect(clippy::disallowed_methods, reason = "reads sweeps and a page, and writes the page where asked to")]

use crate::support::json_schema::{faults, instances, places};
use crate::support::snapshot::{differences, writes};
use crate::support::succeed;
use scalelab::sweep::Grid;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Documents that are valid by the schema, such that each field and choice is in one. A decay by timescale is a rule in the length of
/// runs, which runs that share a trunk cannot follow: no field alone says so, hence no schema. Nor does one say which fields belong to a
/// stage of training or to an objective.
fn documents() -> Vec<Value> {
    let mut all = instances(&Grid::schema());
    for document in &mut all {
        of_one_stage(document);
        if document["recipe"]["adamw"]["weight_decay"].is_object() {
            document["recipe"]["trunk"] = json!("off");
        }
    }
    all
}

/// Makes a document that says anything of fine-tuning one that fine-tunes, and gives any other a ladder.
fn of_one_stage(document: &mut Value) {
    let of_pairs = document["corpus"]["kind"] == "pairs";
    let has_base = document.get("base").is_some();
    let epochs_alone = ["tokens", "flops", "tokens-per-param"].iter().all(|list| document["budget"].get(list).is_none());
    if !(of_pairs || has_base || epochs_alone || document["stage"] == "fine-tune") {
        if document.get("ladder").is_none() {
            document["ladder"] = json!({ "kind": "list", "shapes": ["2x16", "2x32"] });
        }
        if document.get("mask_ratio").is_some() || document.get("span_length").is_some() {
            document["objective"] = json!(["masked", "span"]);
        }
        return;
    }
    document["stage"] = json!("fine-tune");
    let fields = document.as_object_mut().expect("a table");
    for other in ["ladder", "model", "eval", "objective", "mask_ratio", "span_length"] {
        fields.remove(other);
    }
    if !has_base {
        document["base"] = json!({ "results": "results/quick" });
    }
    if !of_pairs {
        document["corpus"] = json!({ "kind": "pairs", "path": "pairs.jsonl" });
    }
    if !epochs_alone {
        document["budget"] = json!({ "epochs": [1, 4] });
    }
}

/// A document as the text of a grid file.
fn written(document: &Value) -> String {
    toml::to_string(document).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn parsed(document: &Value) -> Result<Grid, String> {
    Grid::parse(&written(document)).map_err(|error| error.to_string())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_sweep_of_the_repository_is_valid_by_the_schema() {
    let (schema, mut seen) = (Grid::schema(), 0);
    for path in fs::read_dir(root().join("sweeps")).expect("sweeps").map(|entry| entry.expect("an entry").path()) {
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&path).expect("is text");
            let document: Value = toml::from_str(&text).expect("is TOML");
            assert_eq!(faults(&schema, &document), Vec::<String>::new(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} sweeps");
}

#[test]
fn every_field_and_choice_that_the_schema_names_is_read() {
    let schema = Grid::schema();
    let all = documents();
    assert!(all.len() > 80, "{} documents", all.len());
    for document in &all {
        assert_eq!(faults(&schema, document), Vec::<String>::new(), "{document}");
        assert!(parsed(document).is_ok(), "the schema allows what the parser refuses:\n{}\n{:?}", written(document), parsed(document));
    }
}

/// Places of the tables whose fields have names of ours; parts of a mixture are named by whoever writes the grid.
fn closed(document: &Value) -> Vec<Vec<String>> {
    places(document).into_iter().filter(|place| place.last().is_none_or(|last| last != "parts")).collect()
}

/// A document with one more field in the table at a place.
fn with_field(document: &Value, place: &[String], name: &str) -> Value {
    let mut changed = document.clone();
    place.iter().fold(&mut changed, |at, key| &mut at[key])[name] = json!(1);
    changed
}

#[test]
fn a_field_that_the_schema_does_not_know_is_refused_by_the_parser_too() {
    /// Their fields are shapes, which the ladder names, and parts, which the corpus names.
    const BY_NAME: [&str; 2] = ["learning_rate_by_shape", "target"];
    let (schema, mut tables) = (Grid::schema(), 0);
    for document in documents() {
        for place in closed(&document) {
            let changed = with_field(&document, &place, "zzz");
            assert!(parsed(&changed).is_err(), "the parser takes zzz at {place:?}: {changed}");
            let refused = place.last().is_some_and(|last| BY_NAME.contains(&last.as_str())) || !faults(&schema, &changed).is_empty();
            assert!(refused, "the schema takes zzz at {place:?}: {changed}");
            tables += 1;
        }
    }
    assert!(tables > 300, "{tables} tables");
}

/// Names between backquotes after the word that begins a list of known fields.
fn known_to_the_parser(error: &str) -> Vec<String> {
    let list = error.split_once("expected").map_or("", |(_, list)| list.lines().next().unwrap_or_default());
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_parser_knows_no_field_that_the_schema_does_not_name() {
    /// Another way to write a field, which editors need not offer.
    const ALIAS: &str = "tokens_per_param";
    let (schema, mut compared) = (Grid::schema(), 0);
    let text = schema.to_string();
    for document in documents() {
        for place in closed(&document) {
            let error = parsed(&with_field(&document, &place, "zzz")).expect_err("refused");
            for name in known_to_the_parser(&error).iter().filter(|name| *name != ALIAS) {
                assert!(text.contains(&format!("\"{name}\":")), "the schema has no {name}, which the parser knows at {place:?}: {error}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared} names");
}

#[test]
fn values_of_another_kind_are_refused_by_both() {
    let schema = Grid::schema();
    let least = documents().into_iter().next().expect("a document");
    for section in ["model", "recipe", "seeds", "eval", "run"] {
        for name in schema["properties"][section]["properties"].as_object().expect("fields").keys() {
            let mut changed = least.clone();
            changed[section] = json!({ name: [[{ "zzz": 1 }]] });
            assert!(!faults(&schema, &changed).is_empty(), "by the schema: {changed}");
            assert!(parsed(&changed).is_err(), "by the parser: {changed}");
        }
    }
}

#[test]
fn every_field_says_what_it_means() {
    fn check(schema: &Value, place: &str) {
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            let told = part["description"].as_str().is_some_and(|text| !text.is_empty()) || name == "kind";
            assert!(told, "{place}.{name} has no description: {part}");
            check(part, &format!("{place}.{name}"));
        }
        ["oneOf", "anyOf"].iter().filter_map(|list| schema[*list].as_array()).flatten().for_each(|form| check(form, place));
    }
    check(&Grid::schema(), "");
}

/// What stands before and after the tables of the page.
const MARKS: [&str; 2] = ["<!-- made by `scalelab schema --markdown` -->\n\n", "\n<!-- end of what is made -->"];

#[test]
fn the_page_of_grid_files_has_the_tables_of_the_schema() {
    let path = root().join("docs/src/grid.md");
    let page = fs::read_to_string(&path).expect("a page");
    let (before, rest) = page.split_once(MARKS[0]).expect("the first mark");
    let (shown, after) = rest.split_once(MARKS[1]).expect("the second mark");
    let now = succeed(&["schema", "--markdown"]);
    if writes() {
        fs::write(&path, [before, MARKS[0], &now, MARKS[1], after].concat()).expect("written");
        return;
    }
    let differ = differences(shown, &now);
    assert!(differ.is_empty(), "docs/src/grid.md: {}\nSCALELAB_SNAPSHOTS=write makes it anew", differ.join("\n"));
}

#[test]
fn the_schema_is_printed_whole() {
    let printed: Value = serde_json::from_str(&succeed(&["schema"])).expect("JSON");
    assert_eq!(printed, Grid::schema());
    assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
