//! Where tokens come from: text read as bytes or through a tokenizer, or a source whose entropy is known.
//! What names a run is the content, never the path.

use super::mix::MixSpec;
use super::pairs::PairsSpec;
use super::text::TextSpec;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

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
    /// Several texts, each with a share of the training windows.
    Mix(MixSpec),
    /// Pairs of a prompt and its response, for fine-tuning.
    Pairs(Box<PairsSpec>),
}

impl CorpusSpec {
    /// A short name for tables: of the files, or the source's name with its settings.
    pub fn name(&self) -> String {
        match self {
            Self::Text(text) | Self::Bpe(text) => text.name(),
            Self::ZipfFacts { a, keys, seed } => format!("zipf-facts(a={a}, keys={keys}, seed={seed})"),
            Self::Mix(mix) => mix.name(),
            Self::Pairs(pairs) => TextSpec { path: pairs.path.clone(), ..TextSpec::of("") }.name(),
        }
    }

    /// The files, where it is text.
    pub fn text(&self) -> Option<&TextSpec> {
        match self {
            Self::Text(text) | Self::Bpe(text) => Some(text),
            Self::ZipfFacts { .. } | Self::Mix(_) | Self::Pairs(_) => None,
        }
    }

    /// The texts of a mixture.
    pub fn mix(&self) -> Option<&MixSpec> {
        match self {
            Self::Mix(mix) => Some(mix),
            Self::Text(_) | Self::Bpe(_) | Self::ZipfFacts { .. } | Self::Pairs(_) => None,
        }
    }

    /// The pairs, where it is such.
    pub fn pairs(&self) -> Option<&PairsSpec> {
        match self {
            Self::Pairs(pairs) => Some(pairs),
            Self::Text(_) | Self::Bpe(_) | Self::ZipfFacts { .. } | Self::Mix(_) => None,
        }
    }

    /// Every text that is read.
    pub fn texts(&self) -> Vec<TextSpec> {
        match self {
            Self::Mix(mix) => mix.texts().map(|(_, text)| text).collect(),
            other => other.text().cloned().into_iter().collect(),
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
