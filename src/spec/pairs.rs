//! Pairs of a prompt and its response: which files they stand in, and how a line becomes tokens.

use super::text::{Paths, one_or_many};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Pairs of a prompt and its response, of which the responses are learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairsSpec {
    /// Paths or patterns of JSONL files, an object a line; plain, gzip or zstd.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "Paths", example = &"corpora/key-value.jsonl")]
    pub path: Vec<String>,
    /// The member of a line that holds the prompt.
    #[serde(default = "prompt")]
    pub prompt: String,
    /// The member of a line that holds the response.
    #[serde(default = "response")]
    pub response: String,
    /// The prompt as a text with members of the line in braces, in place of `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Translate: {en}")]
    pub template: Option<String>,
    /// Text between a prompt and its response; it counts as the prompt's.
    #[serde(default = "line_end")]
    pub separator: String,
    /// Text after a response, by which the network learns to end; it counts as the response's.
    #[serde(default = "line_end")]
    pub end: String,
    /// Files of pairs that no run trains on. By default a tenth of the pairs, by a hash of each.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Paths", extend("examples" = ["corpora/test.jsonl"]))]
    pub held_out: Vec<String>,
    /// Whether several pairs stand in one window, as many as fit; else each has its own.
    #[serde(default = "yes")]
    pub packed: bool,
    /// Whether losses count prompts as well.
    #[serde(default)]
    pub count_prompts: bool,
    /// How many of the pairs are trained on, an axis: a number, or "all". Fewer are the first of one seeded order, so that each set holds
    /// the smaller ones.
    #[serde(default, deserialize_with = "examples", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "ExamplesAxis")]
    pub examples: Vec<Examples>,
}

/// A number of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of pairs, or \"all\"")]
pub enum Examples {
    /// So many.
    Number(#[schemars(range(min = 1, max = 1_000_000_000_000_u64))] u64),
    /// All that there are.
    Word(AllExamples),
}

/// The word for all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllExamples {
    /// All that there are.
    All,
}

impl Examples {
    /// All that there are.
    pub const ALL: Self = Self::Word(AllExamples::All);

    /// The number, where there are so many.
    pub fn of(self, there_are: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Word(AllExamples::All) => there_are,
        }
    }
}

impl PairsSpec {
    /// One file with every setting at its default.
    pub fn of(path: impl Into<String>) -> Self {
        Self {
            path: vec![path.into()],
            prompt: prompt(),
            response: response(),
            template: None,
            separator: line_end(),
            end: line_end(),
            held_out: Vec::new(),
            packed: true,
            count_prompts: false,
            examples: Vec::new(),
        }
    }

    /// Whether something that no loss counts stands before every response, so that responses in one window can be told apart.
    pub fn keeps_responses_apart(&self) -> bool {
        !self.count_prompts && !self.separator.is_empty()
    }

    /// Which numbers of pairs are trained on.
    pub fn examples(&self) -> Vec<Examples> {
        if self.examples.is_empty() { vec![Examples::ALL] } else { self.examples.clone() }
    }
}

fn prompt() -> String {
    "prompt".into()
}

fn response() -> String {
    "response".into()
}

fn line_end() -> String {
    "\n".into()
}

fn yes() -> bool {
    true
}

/// A number of pairs, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of pairs, \"all\", or a list of them")]
enum ExamplesAxis {
    One(Examples),
    Many(#[schemars(length(min = 1))] Vec<Examples>),
}

fn examples<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Examples>, D::Error> {
    Ok(match ExamplesAxis::deserialize(deserializer)? {
        ExamplesAxis::One(one) => vec![one],
        ExamplesAxis::Many(all) => all,
    })
}

#[cfg(test)]
mod tests {
    use super::super::CorpusSpec;
    use super::*;

    fn read(more: &str) -> Result<PairsSpec, String> {
        let text = format!(r#"{{ "kind": "pairs", "path": "a.jsonl"{more} }}"#);
        match serde_json::from_str::<CorpusSpec>(&text).map_err(|error| error.to_string())? {
            CorpusSpec::Pairs(pairs) => Ok(*pairs),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn pairs_are_read_and_written_back() {
        assert_eq!(read(""), Ok(PairsSpec::of("a.jsonl")));
        let pairs = read(r#", "examples": [10, "all"], "template": "{en} =", "held_out": ["b.jsonl"], "packed": false"#).expect("reads");
        assert_eq!(pairs.examples, [Examples::Number(10), Examples::ALL]);
        assert_eq!(pairs.examples.iter().map(|some| some.of(70)).collect::<Vec<_>>(), [10, 70]);
        let corpus = CorpusSpec::Pairs(Box::new(pairs));
        let again = serde_json::to_string(&corpus).expect("writes");
        assert_eq!(serde_json::from_str::<CorpusSpec>(&again).expect("reads"), corpus);
        assert_eq!(corpus.name(), "a");
    }

    #[test]
    fn what_no_pairs_are_is_refused() {
        assert!(read(r#", "examples": "some""#).expect_err("a word").contains("a number of pairs, \"all\""));
        assert!(read(r#", "examples": -3"#).is_err());
        assert!(read(r#", "promt": "en""#).expect_err("misspelt").contains("unknown field `promt`"));
    }
}
