//! Why a corpus cannot be used: each variant names the file, what was found and what to do.

use std::path::PathBuf;

/// Why a corpus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The file cannot be read.
    #[error("the corpus {path} cannot be read: {source}")]
    Unreadable {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The path is a folder or something else that is no file.
    #[error("the corpus {path} is not a file; name one file of text, or a pattern such as {path}/*.txt")]
    NotAFile {
        /// Path of the file, as it was given.
        path: PathBuf,
    },
    /// A pattern that no pattern is.
    #[error("corpus.path = {pattern:?} is not a pattern: {problem}")]
    Pattern {
        /// The pattern, as it was given.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A pattern without a file.
    #[error("corpus.path = {pattern:?} matches no file")]
    NoMatch {
        /// The pattern, as it was given.
        pattern: String,
    },
    /// Not a whole gzip or zstd file.
    #[error("the corpus {path} is {format} and cannot be unpacked: {source}; is it whole?")]
    Compressed {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// A line that is no JSON object with text in the field.
    #[error("{path}, line {line}: {problem}")]
    JsonLine {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// Line of the file, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Bytes that are no UTF-8 where a tokenizer needs text.
    #[error(
        "{path} is not UTF-8 at byte {at} of its text; a tokenizer reads text alone: convert it, or use kind = \"text\", which reads any bytes"
    )]
    NotUtf8 {
        /// Path as given, or the paths together.
        path: String,
        /// From 0, after duplicates were removed.
        at: u64,
    },
    /// Too little text to train on and hold out from.
    #[error("the corpus {path} holds {bytes} bytes; at least {least} are needed, so that some blocks can be held out")]
    TooShort {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// Size of the file, bytes.
        bytes: u64,
        /// The least that is accepted.
        least: u64,
    },
    /// A setting of the synthetic source is out of range.
    #[error("corpus.{field} = {found} must be {allowed}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// What the file holds where something else was expected.
        found: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// Fewer held-out windows than asked for.
    #[error("{asked} held-out windows of {context} tokens were asked for, the corpus has {available}; lower eval.windows or use more text")]
    TooFewWindows {
        /// Windows asked for.
        asked: usize,
        /// Windows there are.
        available: u64,
        /// Tokens per window.
        context: usize,
    },
    /// The context does not fit a block.
    #[error("a context of {context} tokens is longer than a block of text ({block} bytes) can hold out; use at most {}", block - 1)]
    ContextTooLong {
        /// Tokens per window.
        context: usize,
        /// Bytes per block.
        block: usize,
    },
    /// Pairs that cannot be used.
    #[error("{}: {problem}", path.display())]
    Pairs {
        /// The files, as they were given.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Pairs are opened without the run that they fine-tune.
    #[error("corpus.kind = \"pairs\" is read as the text of a base is: it needs stage = \"fine-tune\" and [base] in the grid")]
    NoBase,
    /// A part of a mixture cannot be used.
    #[error("corpus.parts.{name}: {source}")]
    Part {
        /// Name of the part.
        name: String,
        /// Why not.
        source: Box<CorpusError>,
    },
    /// Two parts of a mixture are not read alike.
    #[error("corpus.parts are read by different tokenizers, {first} and {second}; give every part the same tokenizer and document_tokens")]
    Tokenizers {
        /// A part and how it is read, in words.
        first: String,
        /// The other part.
        second: String,
    },
    /// No tokenizer, or one that cannot serve.
    #[error("the tokenizer {path}: {problem}")]
    Tokenizer {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// What was made of the text cannot be kept.
    #[error("the prepared corpus cannot be kept in {path}: {source}; name a folder that can be written with XDG_CACHE_HOME")]
    Cache {
        /// Folder of the cache.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The vocabulary of a new tokenizer is out of range.
    #[error("a vocabulary of {found} must be from {least} (every byte, begin and end) to {most}")]
    VocabularySize {
        /// The number asked for.
        found: usize,
        /// Smallest that is allowed.
        least: usize,
        /// Largest that is allowed.
        most: usize,
    },
}
