//! A corpus of several texts: what the parts are, and which mixtures of them are trained on.

use super::text::TextSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Several texts, each with a share of the training windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixSpec {
    /// The texts by name: a table with a path and whatever else a text has; or a number, the share of the text corpora/NAME.txt.
    #[schemars(example = parts_example())]
    pub parts: BTreeMap<String, PartSpec>,
    /// Which mixtures are trained on, an axis: shares by name; "natural" (by unique tokens); "equal"; { simplex = k } for every
    /// mixture in steps of 1/k; { dirichlet = n, seed = 0, alpha = 1 } for n draws. By default the numbers in `parts`, or "natural".
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "SharesAxis")]
    pub shares: Vec<SharesSpec>,
    /// What the held-out losses of the parts count for in the loss of a run, by name. By default by unique tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [{ "sotu": 1 }]))]
    pub target: Option<BTreeMap<String, f64>>,
    /// How often a token of a part may be seen; a run that needs more is refused. A part's own limit counts where it is higher.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_epochs: f64,
}

/// A part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PartSpec {
    /// The text `corpora/NAME.txt`, with its share.
    Share(f64),
    /// A text, whose share stands in `shares`.
    Text(Box<TextSpec>),
}

/// Mixtures: one, or a rule for several.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "Written")]
pub enum SharesSpec {
    /// Shares in proportion to unique tokens.
    Natural,
    /// The same share for every part.
    Equal,
    /// Shares by name; what is not named has none.
    Of(BTreeMap<String, f64>),
    /// Every mixture in steps of 1/k.
    Simplex(f64),
    /// Seeded draws.
    Dirichlet {
        /// How many.
        draws: f64,
        /// Seed of the draws.
        seed: f64,
        /// Concentration of every part; 1 draws from all mixtures alike.
        alpha: f64,
    },
}

/// Keys of rules, which are no names of parts.
pub const RULES: [&str; 2] = ["simplex", "dirichlet"];

impl MixSpec {
    /// The texts by name, in the order in which parts stand everywhere.
    pub fn texts(&self) -> impl Iterator<Item = (&str, TextSpec)> {
        self.parts.iter().map(|(name, part)| match part {
            PartSpec::Share(_) => (name.as_str(), TextSpec::of(format!("corpora/{name}.txt"))),
            PartSpec::Text(text) => (name.as_str(), (**text).clone()),
        })
    }

    /// How often a token of each part may be seen.
    pub fn max_epochs(&self) -> impl Iterator<Item = f64> {
        self.parts.values().map(|part| match part {
            PartSpec::Share(_) => self.max_epochs,
            PartSpec::Text(text) => text.max_epochs.max(self.max_epochs),
        })
    }

    /// The names of the parts together.
    pub(super) fn name(&self) -> String {
        self.parts.keys().map(String::as_str).collect::<Vec<_>>().join("+")
    }
}

impl<'de> Deserialize<'de> for PartSpec {
    /// By hand, so that a misspelt field of a text is named.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PartSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { path = \"a.txt\" }, or a share such as 0.5 of the text corpora/NAME.txt")
            }

            fn visit_f64<E: Error>(self, share: f64) -> Result<PartSpec, E> {
                Ok(PartSpec::Share(share))
            }

            fn visit_i64<E: Error>(self, share: i64) -> Result<PartSpec, E> {
                Ok(PartSpec::Share(share as f64))
            }

            fn visit_u64<E: Error>(self, share: u64) -> Result<PartSpec, E> {
                Ok(PartSpec::Share(share as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PartSpec, A::Error> {
                TextSpec::deserialize(MapAccessDeserializer::new(map)).map(|text| PartSpec::Text(Box::new(text)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for PartSpec {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<TextSpec>();
        let share = json!({ "type": "number", "minimum": 0, "description": "Share of the text corpora/NAME.txt." });
        json_schema!({ "anyOf": [share, text] })
    }
}

/// Mixtures as a file has them.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected shares such as { english = 0.5, code = 0.5 }, \"natural\", \"equal\", { simplex = 4 } or { dirichlet = 16, seed = 0, alpha = 1 }"
)]
enum Written {
    Word(String),
    Numbers(BTreeMap<String, f64>),
}

impl From<SharesSpec> for Written {
    fn from(shares: SharesSpec) -> Self {
        let numbers = |all: &[(&str, f64)]| Self::Numbers(all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect());
        match shares {
            SharesSpec::Natural => Self::Word("natural".into()),
            SharesSpec::Equal => Self::Word("equal".into()),
            SharesSpec::Of(shares) => Self::Numbers(shares),
            SharesSpec::Simplex(steps) => numbers(&[("simplex", steps)]),
            SharesSpec::Dirichlet { draws, seed, alpha } => numbers(&[("dirichlet", draws), ("seed", seed), ("alpha", alpha)]),
        }
    }
}

impl TryFrom<Written> for SharesSpec {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut numbers = match written {
            Written::Word(word) if word == "natural" => return Ok(Self::Natural),
            Written::Word(word) if word == "equal" => return Ok(Self::Equal),
            Written::Word(word) => return Err(format!("corpus.shares = \"{word}\": must be \"natural\", \"equal\" or shares by name")),
            Written::Numbers(numbers) => numbers,
        };
        let Some(rule) = RULES.into_iter().find(|rule| numbers.contains_key(*rule)) else { return Ok(Self::Of(numbers)) };
        let amount = numbers.remove(rule).unwrap_or_default();
        let drawn = rule == "dirichlet";
        let mut setting = |name: &str, usual| if drawn { numbers.remove(name).unwrap_or(usual) } else { usual };
        let (seed, alpha) = (setting("seed", 0.0), setting("alpha", 1.0));
        match numbers.keys().next() {
            Some(other) => {
                let settings = if drawn { "seed and alpha" } else { "nothing" };
                Err(format!("corpus.shares: `{other}` does not belong to {rule}, beside which {settings} may stand"))
            }
            None if drawn => Ok(Self::Dirichlet { draws: amount, seed, alpha }),
            None => Ok(Self::Simplex(amount)),
        }
    }
}

/// One mixture or rule, or a list of them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected shares such as { english = 0.5, code = 0.5 }, \"natural\", \"equal\", { simplex = 4 } or { dirichlet = 16, seed = 0, alpha = 1 }, or a list of them"
)]
enum SharesAxis {
    One(Written),
    Many(Vec<Written>),
}

impl JsonSchema for SharesAxis {
    fn schema_name() -> Cow<'static, str> {
        "Shares".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let shares = json!({
            "type": "object", "additionalProperties": { "type": "number", "minimum": 0 },
            "description": "Shares by name of the part, or a rule: { simplex = k }, { dirichlet = n, seed = 0, alpha = 1 }.",
        });
        let one = json!({ "anyOf": [{ "enum": ["natural", "equal"] }, shares] });
        json_schema!({ "anyOf": [{ "enum": ["natural", "equal"] }, shares, { "type": "array", "minItems": 1, "items": one }] })
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SharesSpec>, D::Error> {
    let all = match SharesAxis::deserialize(deserializer)? {
        SharesAxis::One(one) => vec![one],
        SharesAxis::Many(all) if all.is_empty() => {
            return Err(D::Error::custom("corpus.shares is an empty list; leave it out for the default"));
        }
        SharesAxis::Many(all) => all,
    };
    all.into_iter().map(|written| SharesSpec::try_from(written).map_err(D::Error::custom)).collect()
}

fn parts_example() -> serde_json::Value {
    json!({ "sotu": 0.5, "rust-src": 0.5 })
}

fn one() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::super::CorpusSpec;
    use super::*;

    fn read(shares: &str) -> Result<MixSpec, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{ "parts": {{ "a": {{ "path": "x/a.txt", "max_epochs": 4 }}, "b": 0.5 }}, "shares": {shares} }}"#
        ))
    }

    #[test]
    fn parts_are_texts_or_shares_and_come_back_as_they_were() {
        let mix = read(r#"["natural", "equal", { "a": 1 }, { "simplex": 4 }, { "dirichlet": 8, "alpha": 0.5 }]"#).expect("reads");
        assert_eq!(
            mix.texts().map(|(name, text)| (name, text.path[0].clone())).collect::<Vec<_>>(),
            [("a", "x/a.txt".to_owned()), ("b", "corpora/b.txt".to_owned())]
        );
        assert_eq!(mix.max_epochs().collect::<Vec<_>>(), [4.0, 1.0]);
        assert_eq!(mix.shares[4], SharesSpec::Dirichlet { draws: 8.0, seed: 0.0, alpha: 0.5 });
        let corpus = CorpusSpec::Mix(mix);
        let again = serde_json::to_string(&corpus).expect("writes");
        assert_eq!(serde_json::from_str::<CorpusSpec>(&again).expect("reads"), corpus);
        assert_eq!((corpus.name().as_str(), corpus.text()), ("a+b", None));
    }

    #[test]
    fn what_no_mixture_is_says_what_one_would_be() {
        let refused = |shares: &str| read(shares).expect_err("refused").to_string();
        assert!(refused(r#""naturally""#).contains("must be \"natural\", \"equal\""));
        assert!(refused(r#"{ "simplex": 4, "seed": 1 }"#).contains("`seed` does not belong to simplex"));
        assert!(refused("3").contains("expected shares such as"));
        assert!(refused("[]").contains("empty list"));
        let of_part =
            |part: &str| serde_json::from_str::<MixSpec>(&format!(r#"{{ "parts": {{ "a": {part} }} }}"#)).expect_err("refused").to_string();
        assert!(of_part(r#"{ "path": "a", "seperator": "x" }"#).contains("unknown field `seperator`"));
        assert!(of_part("true").contains("a table such as"), "{}", of_part("true"));
    }
}
