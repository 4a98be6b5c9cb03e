//! Where tokens come from: text read as bytes or through a tokenizer, or a source whose entropy is known.
//! What names a run is the content, never the path.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(transform = tokenizer_with_bpe_alone)]
pub enum CorpusSpec {
    /// Text read as bytes.
    Text(TextSpec),
    /// Text read through a byte-pair tokenizer, whose file `tokenizer` names.
    Bpe(TextSpec),
    /// Records of Zipf-distributed keys with a fixed random fact each: an exactly known entropy.
    ZipfFacts {
        /// Keys k in 0.. have probability ∝ (k+1)^-(1+a).
        #[schemars(example = 0.5)]
        a: f64,
        /// Number of keys, at most 64³.
        #[schemars(example = 4096)]
        keys: u64,
        /// Seed of the facts and of the stream.
        #[serde(default)]
        seed: u64,
    },
}

/// Files of text, and how they are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextSpec {
    /// Paths or patterns such as `docs/**/*.md`, relative to the folder in which scalelab runs. Plain, gzip or zstd; each
    /// file is a document, each line of a `.jsonl` file is one.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "Paths", example = &"corpora/sotu.txt")]
    pub path: Vec<String>,
    /// The member of a JSON line that holds the text.
    #[serde(default = "text")]
    pub field: String,
    /// Text that stands between two documents of one file, such as a blank line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"\n\n")]
    pub separator: Option<String>,
    /// Whether documents and long lines that occurred before are removed.
    #[serde(default = "yes")]
    pub deduplicate: bool,
    /// A `tokenizer.json`, where text is read through one; `scalelab corpus train-tokenizer` makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"corpora/sotu-1024.json")]
    pub tokenizer: Option<String>,
    /// Whether a token marks the beginning and the end of each document; by default so with a tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_tokens: Option<bool>,
    /// How often a token may be seen; a run that needs more is refused.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_epochs: f64,
}

impl TextSpec {
    /// One file with every setting at its default.
    pub fn of(path: impl Into<String>) -> Self {
        let path = vec![path.into()];
        Self { path, field: text(), separator: None, deduplicate: true, tokenizer: None, document_tokens: None, max_epochs: 1.0 }
    }

    /// A short name: the stem of the first file, or the folder of a pattern, and how many more are listed.
    fn name(&self) -> String {
        let first = self.path.first().map_or("", String::as_str);
        let part = |text: &str| text.split(['.', '*', '?', '[']).next().unwrap_or_default().to_owned();
        let stems = first.rsplit(['/', '\\']).map(part);
        let name = stems.into_iter().find(|stem| !stem.is_empty()).unwrap_or_else(|| "text".into());
        if self.path.len() > 1 { format!("{name}+{}", self.path.len() - 1) } else { name }
    }
}

impl CorpusSpec {
    /// A short name for tables: of the files, or the source's name with its settings.
    pub fn name(&self) -> String {
        match self {
            Self::Text(text) | Self::Bpe(text) => text.name(),
            Self::ZipfFacts { a, keys, seed } => format!("zipf-facts(a={a}, keys={keys}, seed={seed})"),
        }
    }

    /// The files, where it is text.
    pub fn text(&self) -> Option<&TextSpec> {
        match self {
            Self::Text(text) | Self::Bpe(text) => Some(text),
            Self::ZipfFacts { .. } => None,
        }
    }
}

/// How text became tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokenizer {
    /// `bytes`, or a name that holds the vocabulary and a hash of the tokenizer. Losses in nats per token can be compared
    /// where it is the same.
    pub name: String,
    /// Bytes of text per token, on the held-out text.
    pub bytes_per_token: f64,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self { name: "bytes".into(), bytes_per_token: 1.0 }
    }
}

fn text() -> String {
    "text".into()
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

/// A path, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
enum Paths {
    One(String),
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// In the schema: a tokenizer is named where text is read through one, and nowhere else.
fn tokenizer_with_bpe_alone(schema: &mut Schema) {
    let kinds = schema.get_mut("oneOf").and_then(|kinds| kinds.as_array_mut());
    for kind in kinds.into_iter().flatten() {
        match kind["properties"]["kind"]["const"].as_str() {
            Some("text") => drop(kind["properties"].as_object_mut().and_then(|all| all.remove("tokenizer"))),
            Some("bpe") => kind["required"].as_array_mut().into_iter().for_each(|all| all.push("tokenizer".into())),
            _ => {}
        }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Paths::deserialize(deserializer)? {
        Paths::One(path) => vec![path],
        Paths::Many(paths) => paths,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_list_of_paths_are_read_and_written_back() {
        let one: CorpusSpec = serde_json::from_str(r#"{ "kind": "text", "path": "a/sotu.txt" }"#).expect("reads");
        assert_eq!(one, CorpusSpec::Text(TextSpec::of("a/sotu.txt")));
        let many: CorpusSpec =
            serde_json::from_str(r#"{ "kind": "bpe", "path": ["a.jsonl", "b/*.md"], "tokenizer": "t.json" }"#).expect("reads");
        assert_eq!(many.text().expect("text").path, ["a.jsonl", "b/*.md"]);
        let again = serde_json::to_string(&many).expect("writes");
        assert_eq!(serde_json::from_str::<CorpusSpec>(&again).expect("reads"), many);
        assert!(serde_json::from_str::<CorpusSpec>(r#"{ "kind": "text", "path": 3 }"#).is_err());
        assert!(serde_json::from_str::<CorpusSpec>(r#"{ "kind": "text", "path": "a", "paths": "b" }"#).is_err());
    }

    #[test]
    fn a_corpus_is_named_after_its_file_or_folder() {
        let name = |paths: &[&str]| {
            let path = paths.iter().map(ToString::to_string).collect();
            CorpusSpec::Text(TextSpec { path, ..TextSpec::of("") }).name()
        };
        assert_eq!(name(&["corpora/sotu.txt"]), "sotu");
        assert_eq!(name(&["web/part-0.jsonl.gz"]), "part-0");
        assert_eq!(name(&["docs/*.md", "b.txt"]), "docs+1");
        assert_eq!(name(&["*"]), "text");
    }
}
