//! Files of text: which they are, and how they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

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
    pub(super) fn name(&self) -> String {
        let first = self.path.first().map_or("", String::as_str);
        let part = |text: &str| text.split(['.', '*', '?', '[']).next().unwrap_or_default().to_owned();
        let stems = first.rsplit(['/', '\\']).map(part);
        let name = stems.into_iter().find(|stem| !stem.is_empty()).unwrap_or_else(|| "text".into());
        if self.path.len() > 1 { format!("{name}+{}", self.path.len() - 1) } else { name }
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
pub(super) enum Paths {
    One(String),
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// A path as a list of one, or a list as it is.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Paths::deserialize(deserializer)? {
        Paths::One(path) => vec![path],
        Paths::Many(paths) => paths,
    })
}
