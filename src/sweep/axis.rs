//! A value or a list of values in a grid file: `2e-3` or `[1e-3, 2e-3]`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The values of one axis; a single value is an axis of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis<T>(pub(super) Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Axis<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match toml::Value::deserialize(deserializer)? {
            toml::Value::Array(values) => values,
            one => vec![one],
        };
        // The message alone: the place is added by whoever reads the file.
        let typed = |value: toml::Value| T::deserialize(value).map_err(|error| de::Error::custom(error.message()));
        values.into_iter().map(typed).collect::<Result<_, _>>().map(Axis)
    }
}

impl<T: Serialize> Serialize for Axis<T> {
    /// As it is shortest to write.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            values => values.serialize(serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Axis<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("AxisOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": forms::<T>(generator) })
    }
}

/// The ways to write one value of an axis, and a list of values.
fn forms<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Value> {
    let one = generator.subschema_for::<T>().to_value();
    let list = json!({ "type": "array", "items": one, "minItems": 1 });
    let mut forms = match one.get("anyOf").and_then(Value::as_array) {
        Some(forms) => forms.clone(),
        None => vec![one],
    };
    forms.push(list);
    forms
}

/// An axis that may be searched: values as of [`Axis`], or `{ search = "adaptive", start = [1e-3, 2e-3, 4e-3] }`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Searched<T> {
    /// The values, or where the search starts.
    pub(super) values: Vec<T>,
    /// Whether further values follow from results.
    pub(super) adaptive: bool,
}

impl<T: Serialize + Clone> Serialize for Searched<T> {
    /// The values alone; a search is nobody's default.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Axis(self.values.clone()).serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Searched<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("SearchedOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut forms = forms::<T>(generator);
        let start = json!({ "description": "Where the search starts.", "anyOf": forms });
        forms.push(json!({
            "type": "object",
            "description": "Further values follow from results.",
            "properties": { "search": { "const": "adaptive", "description": "How further values are chosen." }, "start": start },
            "required": ["search", "start"],
            "additionalProperties": false,
        }));
        json_schema!({ "anyOf": forms })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchFile {
    search: String,
    start: toml::Value,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Searched<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let message = |error: toml::de::Error| de::Error::custom(error.message());
        let adaptive = value.is_table();
        let values = if adaptive {
            let SearchFile { search, start } = SearchFile::deserialize(value).map_err(message)?;
            if search != "adaptive" {
                return Err(de::Error::custom(format!("search = \"{search}\": must be \"adaptive\"")));
            }
            start
        } else {
            value
        };
        let Axis(values) = Axis::deserialize(values).map_err(message)?;
        Ok(Self { values, adaptive })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Tokens;

    #[derive(Deserialize)]
    struct Table {
        x: Axis<Tokens>,
    }

    #[derive(Deserialize)]
    struct SearchedTable {
        x: Searched<f64>,
    }

    #[test]
    fn a_search_names_where_it_starts() {
        let read = |text: &str| toml::from_str::<SearchedTable>(text).map(|table| (table.x.values, table.x.adaptive));
        assert_eq!(read("x = { search = \"adaptive\", start = [1e-3, 2e-3] }"), Ok((vec![1e-3, 2e-3], true)));
        assert_eq!(read("x = [1e-3]"), Ok((vec![1e-3], false)));
        assert!(read("x = { search = \"random\", start = 1 }").expect_err("unknown").to_string().contains("must be \"adaptive\""));
        assert!(read("x = { search = \"adaptive\" }").expect_err("no start").to_string().contains("start"));
    }

    #[test]
    fn one_value_and_a_list_are_both_an_axis() {
        let axis = |text: &str| toml::from_str::<Table>(text).map(|table| table.x.0.iter().map(|t| t.0).collect::<Vec<_>>());
        assert_eq!(axis("x = 4096"), Ok(vec![4096.0]));
        assert_eq!(axis("x = [\"1M\", 2e6, 3]"), Ok(vec![1e6, 2e6, 3.0]));
        assert!(axis("x = [\"one\"]").expect_err("no number").to_string().contains("`one` is not a number"));
    }
}
