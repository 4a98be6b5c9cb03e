//! `scalelab schema`: the JSON schema of grid files for editors, and the same as tables for people.

use super::failure::Outcome;
use crate::sweep::Grid;
use clap::Args;
use serde_json::Value;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab schema > grid.schema.json\n  scalelab schema --markdown\n\nA grid that begins with the line `#:schema ./grid.schema.json` is completed and checked while it is written, by editors that know taplo (Even Better TOML)."
)]
pub(super) struct SchemaArgs {
    /// Print tables of every field instead
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &SchemaArgs) -> Outcome {
    let schema = Grid::schema();
    if args.markdown {
        print!("{}", reference(&schema));
    } else {
        println!("{schema:#}");
    }
    Ok(())
}

/// A table of each part of the file, those first that every file has.
fn reference(schema: &Value) -> String {
    let mut text = String::new();
    for (name, part) in fields(schema) {
        let mut rows = Vec::new();
        below("", part, &mut rows);
        if rows.is_empty() {
            rows.push(row(name, schema, part));
        }
        text += &format!("### {name}\n\n{}\n\n", meaning(part));
        text += "| key | value | default | meaning |\n|---|---|---|---|\n";
        text += &rows.concat();
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// The fields of a table: the required ones in their order, then the others.
fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = schema["properties"].as_object();
    let first = required.iter().filter_map(|name| all?.get_key_value(*name));
    let others = all.into_iter().flatten().filter(|(name, _)| !required.contains(&name.as_str()));
    first.chain(others).map(|(name, part)| (name.as_str(), part)).collect()
}

/// The forms in which something may be written: one, unless it says several, or several of several.
fn forms(schema: &Value) -> Vec<&Value> {
    let several = ["oneOf", "anyOf"].iter().find_map(|list| schema[*list].as_array());
    several.map_or_else(|| vec![schema], |several| several.iter().flat_map(forms).collect())
}

/// Rows of the fields below a table, and below tables in it, each with the path to it.
fn below(path: &str, schema: &Value, rows: &mut Vec<String>) {
    for form in forms(schema).into_iter().filter(|form| form["properties"].is_object()) {
        if let Some(kind) = form["properties"]["kind"]["const"].as_str() {
            rows.push(format!("| `{path}kind = \"{kind}\"` | | | **{}** |\n", cell(meaning(form))));
        }
        for (name, part) in fields(form).into_iter().filter(|(name, _)| *name != "kind") {
            rows.push(row(&format!("{path}{name}"), form, part));
            below(&format!("{path}{name}."), part, rows);
        }
    }
}

fn row(path: &str, table: &Value, part: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let required = table["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let default = match &part["default"] {
        Value::Null if required => "required".into(),
        Value::Null => String::new(),
        value => format!("`{}`", toml_text(value)),
    };
    format!("| `{path}` | {} | {default} | {} |\n", cell(&written(part)), cell(meaning(part)))
}

fn meaning(part: &Value) -> &str {
    part["description"].as_str().unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a field may hold, in words.
fn written(part: &Value) -> String {
    if let Some(values) = part["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    if !part["const"].is_null() {
        return format!("`{}`", part["const"]);
    }
    let mut words: Vec<String> = Vec::new();
    for form in forms(part) {
        let word = if std::ptr::eq(form, part) { of_type(form) } else { written(form) };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

fn of_type(form: &Value) -> String {
    let word = match form["type"].as_str() {
        Some("array") => "list",
        Some("object") => "table",
        Some("string") => "text",
        Some("boolean") => return "`true`, `false`".into(),
        Some("integer") => "whole number",
        _ => "number",
    };
    format!("{word}{}", range(form))
}

/// The range of a number, where it has one that is not plain.
fn range(form: &Value) -> String {
    let end = |key: &str, word: &str| form[key].as_f64().map(|end| format!(" {word} {end}"));
    let ends = [end("minimum", "from"), end("exclusiveMinimum", "above"), end("maximum", "up to"), end("exclusiveMaximum", "below")];
    ends.into_iter().flatten().collect()
}

/// A value as it is written in a grid file.
fn toml_text(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".into(),
        Value::Object(fields) => {
            let (kind, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| *name == "kind");
            let pairs = kind.into_iter().chain(others).map(|(name, value)| format!("{name} = {}", toml_text(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
