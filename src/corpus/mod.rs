//! What is read: streams of tokens. A [`Corpus`] has a training side, whose batches are a pure
//! function of (data seed, step), and a held-out side, whose windows are fixed for a sweep.
#![expect(clippy::disallowed_methods, reason = "this room reads the text that models are trained on")]

mod batches;
mod synthetic;
mod text;

use crate::spec::CorpusSpec;
use std::path::PathBuf;
use synthetic::ZipfFacts;
use text::Text;

/// Why a corpus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The file cannot be read.
    #[error("the corpus {path} cannot be read: {source}")]
    Unreadable {
        /// Path as given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The path is a folder or something else that is no file.
    #[error("the corpus {path} is not a file; name one file of text")]
    NotAFile {
        /// Path as given.
        path: PathBuf,
    },
    /// Too little text to train on and hold out from.
    #[error("the corpus {path} holds {bytes} bytes; at least {least} are needed, so that some blocks can be held out")]
    TooShort {
        /// Path as given.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The least that is accepted.
        least: u64,
    },
    /// A setting of the synthetic source is out of range.
    #[error("corpus.{field} = {found} must be {allowed}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// What it holds.
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
}

/// A source of tokens, opened and hashed.
#[derive(Debug)]
pub struct Corpus {
    source: Source,
    sha256: String,
}

#[derive(Debug)]
enum Source {
    Text(Text),
    ZipfFacts(ZipfFacts),
}

/// The windows that final losses are measured on, the same for every run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Token ids, [windows, context + 1] row-major; position i + 1 is the target of position i.
    pub tokens: Vec<u32>,
    /// Windows.
    pub windows: usize,
    /// Lowest possible mean loss of each window, nats per token, where the source is known exactly:
    /// the mean of −ln p(token | the source's past) over exactly the scored tokens.
    pub floor_nats: Option<Vec<f32>>,
}

impl Corpus {
    /// Opens and hashes a corpus.
    pub fn open(spec: &CorpusSpec) -> Result<Self, CorpusError> {
        match spec {
            CorpusSpec::Text { path, .. } => {
                let text = Text::open(path.as_ref())?;
                let sha256 = text.sha256();
                Ok(Self { source: Source::Text(text), sha256 })
            }
            CorpusSpec::ZipfFacts { a, keys, seed } => {
                let facts = ZipfFacts::new(*a, *keys, *seed)?;
                let sha256 = facts.sha256();
                Ok(Self { source: Source::ZipfFacts(facts), sha256 })
            }
        }
    }

    /// SHA-256 of the content, hexadecimal; of a text, that of its file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Distinct token ids.
    pub fn vocabulary(&self) -> usize {
        256
    }

    /// Tokens that can be trained on without seeing one twice, in windows of `context`; `None` when there is no end of them.
    pub fn unique_tokens(&self, context: usize) -> Option<u64> {
        match &self.source {
            Source::Text(text) => Some(text.train_windows(context) * context as u64),
            Source::ZipfFacts(_) => None,
        }
    }

    /// Held-out windows there are; `None` when there is no end of them.
    pub fn held_out_windows(&self, context: usize) -> Option<u64> {
        match &self.source {
            Source::Text(text) => Some(text.held_out_windows(context)),
            Source::ZipfFacts(_) => None,
        }
    }

    /// Entropy rate of the source in nats per token, where it is known.
    pub fn entropy_nats(&self) -> Option<f64> {
        match &self.source {
            Source::Text(_) => None,
            Source::ZipfFacts(facts) => Some(facts.entropy_nats()),
        }
    }

    /// Fills one step's inputs and targets, [sequences, context] row-major: a pure function of
    /// (data seed, step), so that every run of a data seed sees the same prefix and a resumed run the same batches.
    pub fn fill_batch(&self, seed_data: u64, step: u64, sequences: usize, context: usize, inputs: &mut [u32], targets: &mut [u32]) {
        assert_eq!((inputs.len(), targets.len()), (sequences * context, sequences * context), "room for one batch");
        let mut window = vec![0u8; context + 1];
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        for (row, (input, target)) in rows.enumerate() {
            let sequence = step * sequences as u64 + row as u64;
            match &self.source {
                Source::Text(text) => text.fill_train_window(seed_data, sequence, &mut window),
                Source::ZipfFacts(facts) => facts.fill_train_window(seed_data, sequence, &mut window),
            }
            input.iter_mut().zip(&window).for_each(|(slot, &byte)| *slot = u32::from(byte));
            target.iter_mut().zip(&window[1..]).for_each(|(slot, &byte)| *slot = u32::from(byte));
        }
    }

    /// The held-out windows of an evaluation seed. They share no text with the training side.
    pub fn held_out(&self, seed_eval: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        match &self.source {
            Source::Text(text) => text.held_out(seed_eval, windows, context),
            Source::ZipfFacts(facts) => Ok(facts.held_out(seed_eval, windows, context)),
        }
    }
}

/// Hexadecimal text of a digest.
fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
