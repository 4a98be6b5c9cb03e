//! A value or a list of values in a grid file: `2e-3` or `[1e-3, 2e-3]`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Tokens;

    #[derive(Deserialize)]
    struct Table {
        x: Axis<Tokens>,
    }

    #[test]
    fn one_value_and_a_list_are_both_an_axis() {
        let axis = |text: &str| toml::from_str::<Table>(text).map(|table| table.x.0.iter().map(|t| t.0).collect::<Vec<_>>());
        assert_eq!(axis("x = 4096"), Ok(vec![4096.0]));
        assert_eq!(axis("x = [\"1M\", 2e6, 3]"), Ok(vec![1e6, 2e6, 3.0]));
        assert!(axis("x = [\"one\"]").expect_err("no number").to_string().contains("`one` is not a number"));
    }
}
