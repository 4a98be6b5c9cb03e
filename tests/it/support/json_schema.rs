//! As much of JSON Schema as the schema of grid files says, and a document of every field that it names.

use serde_json::{Map, Value, json};

/// What of a document a schema does not allow, each with its place; nothing where it is valid.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let mut fault = |what: String| found.push(format!("{place}: {what}"));
    if schema["type"].as_str().is_some_and(|kind| !is_of(kind, value)) {
        fault(format!("{value} is no {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        fault(format!("{value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        fault(format!("{value} is none of {}", schema["enum"]));
    }
    if value.as_f64().is_some_and(|number| !is_in_range(schema, number)) {
        fault(format!("{value} is out of range"));
    }
    if let Some(values) = value.as_array() {
        if (values.len() as u64) < schema["minItems"].as_u64().unwrap_or(0) {
            fault("too few values".into());
        }
        values.iter().enumerate().for_each(|(at, one)| check(&schema["items"], one, &format!("{place}[{at}]"), found));
    }
    check_fields(schema, value, place, found);
    check_forms(schema, value, place, found);
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the schema has a type that this check does not know: {other}"),
    }
}

fn is_in_range(schema: &Value, number: f64) -> bool {
    let end = |key: &str| schema[key].as_f64();
    end("minimum").is_none_or(|end| number >= end)
        && end("exclusiveMinimum").is_none_or(|end| number > end)
        && end("maximum").is_none_or(|end| number <= end)
        && end("exclusiveMaximum").is_none_or(|end| number < end)
}

fn check_fields(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    for (name, one) in fields {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(known), _) => check(known, one, &place, found),
            (None, Some(Value::Bool(false))) => found.push(format!("{place} is unknown")),
            (None, Some(others)) => check(others, one, &place, found),
            (None, None) => {}
        }
    }
}

fn check_forms(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (list, only_one) in [("oneOf", true), ("anyOf", false)] {
        let Some(forms) = schema[list].as_array() else { continue };
        let failed: Vec<Vec<String>> = forms.iter().map(|form| faults(form, value)).filter(|faults| !faults.is_empty()).collect();
        let fitting = forms.len() - failed.len();
        if fitting == 0 || only_one && fitting > 1 {
            found.push(format!("{place}: {fitting} of {} forms of {list} fit {value}: {failed:?}", forms.len()));
        }
    }
}

/// Values that a schema says are valid, such that every field and every choice below it is in one of them: its defaults and
/// examples, and of a table the least of it with each of its fields.
pub(crate) fn instances(schema: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = schema.get("default").into_iter().cloned().collect();
    all.extend(schema["examples"].as_array().into_iter().flatten().cloned());
    all.extend(schema.get("const").cloned());
    all.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    for form in ["oneOf", "anyOf"].iter().filter_map(|list| schema[*list].as_array()).flatten() {
        all.extend(instances(form));
    }
    if schema["properties"].is_object() {
        all.extend(tables(schema));
    }
    if schema["type"] == "boolean" {
        all.extend([true, false].map(Value::from));
    }
    all
}

/// The least of a table with each of its fields in turn, in every way that these may be written.
fn tables(schema: &Value) -> Vec<Value> {
    let least = least(schema);
    let mut all = vec![Value::Object(least.clone())];
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        all.extend(ways(part).into_iter().map(|way| {
            let mut table = least.clone();
            table.insert(name.clone(), way);
            Value::Object(table)
        }));
    }
    all
}

/// The same of a field; where it has neither default nor example, as the start of a search, which may be of anything, a number that
/// is a learning rate as well as a batch.
fn ways(part: &Value) -> Vec<Value> {
    let ways = instances(part);
    if ways.is_empty() { vec![json!(512)] } else { ways }
}

/// The required fields of a table.
fn least(schema: &Value) -> Map<String, Value> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.map(|name| (name.to_owned(), ways(&schema["properties"][name]).swap_remove(0))).collect()
}

/// Places of tables in a document, deepest last: the keys that lead to each.
pub(crate) fn places(value: &Value) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for (name, below) in value.as_object().into_iter().flatten().filter(|(_, below)| below.is_object()) {
        all.extend(places(below).into_iter().map(|path| [vec![name.clone()], path].concat()));
    }
    all
}

#[test]
fn what_a_schema_forbids_is_found_and_nothing_else() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer", "minimum": 1 },
            "x": { "anyOf": [{ "const": "auto" }, { "type": "number", "exclusiveMaximum": 1 }] },
            "list": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        },
        "required": ["n"],
        "additionalProperties": false,
    });
    for fine in [json!({ "n": 1 }), json!({ "n": 2, "x": "auto", "list": ["a"] }), json!({ "n": 2, "x": 0.5 })] {
        assert_eq!(faults(&schema, &fine), Vec::<String>::new());
    }
    for bad in [
        json!({}),
        json!({ "n": 0 }),
        json!({ "n": 1.5 }),
        json!({ "n": 1, "x": 1 }),
        json!({ "n": 1, "x": "none" }),
        json!({ "n": 1, "list": [] }),
        json!({ "n": 1, "list": [1] }),
        json!({ "n": 1, "z": 1 }),
    ] {
        assert_eq!(faults(&schema, &bad).len(), 1, "{bad}");
    }
    assert_eq!(places(&json!({ "a": { "b": {} }, "c": 1 })), [vec![], vec!["a".to_owned()], vec!["a".into(), "b".into()]]);
}
