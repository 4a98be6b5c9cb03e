//! The JSON schema of a grid file: what stands in for fields that are read by hand, and the whole made plain enough for an editor.
//! Each type here only says what a field may hold; the file that reads the field says so, too, and a test holds one to the other.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;

/// Declares a type of which nothing but its schema is used.
macro_rules! written_as {
    ($($(#[$doc:meta])* $name:ident: $schema:tt;)+) => {$(
        $(#[$doc])*
        pub(super) enum $name {}

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

written_as! {
    /// A number above zero.
    Positive: { "type": "number", "exclusiveMinimum": 0 };
    /// A count from 1, or "auto".
    CountOrAuto: { "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1 }] };
    /// Held-out windows, or "auto".
    Windows: { "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 1_000_000 }] };
    /// A share of the training windows.
    Replay: { "type": "number", "minimum": 0, "maximum": 0.9 };
    /// A rank, 0 for all weights.
    Rank: { "type": "integer", "minimum": 0, "maximum": 1_000_000 };
    /// A part of a window, or another of each.
    MaskRatio: { "anyOf": [{ "const": "uniform" }, { "type": "number", "exclusiveMinimum": 0, "maximum": 1 }] };
    /// A mean number of tokens.
    SpanLength: { "type": "integer", "minimum": 1, "maximum": 1_000_000 };
    /// A number of heads, or "same".
    KvHeads: { "anyOf": [{ "const": "same" }, { "type": "integer", "minimum": 1 }] };
    /// Which shapes are trained at a compute budget.
    Choosing: { "enum": ["nearest", "all"] };
    /// Whether steps are shared.
    Trunk: { "enum": ["auto", "off"] };
    /// Tokens, or a share of the shortest run.
    Warmup: { "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }] };
}

/// The schema of a file, whole in one piece, without what TOML cannot say.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    schema["title"] = "Grid file of scalelab".into();
    plain(&mut schema);
    schema
}

/// Takes out null, which TOML does not have, and formats of numbers, which no editor knows; one line a description.
fn plain(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(plain),
        Value::Object(fields) => {
            fields.retain(|name, value| name != "format" && !(name == "default" && value.is_null()));
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            for list in ["type", "anyOf", "enum"] {
                without_null(fields, list);
            }
            fields.values_mut().for_each(plain);
        }
        _ => {}
    }
}

/// Of `["string", "null"]` and its like what is left without null; a list of one form is that form.
fn without_null(fields: &mut serde_json::Map<String, Value>, list: &str) {
    let Some(Value::Array(forms)) = fields.get_mut(list) else { return };
    forms.retain(|form| !form.is_null() && form != "null" && form["type"] != "null");
    let [only] = forms.as_slice() else { return };
    let only = only.clone();
    match (list, only) {
        ("type", only) => drop(fields.insert("type".into(), only)),
        ("anyOf", Value::Object(only)) => {
            fields.remove("anyOf");
            for (name, value) in only {
                fields.entry(name).or_insert(value);
            }
        }
        _ => {}
    }
}
