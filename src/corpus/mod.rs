//! What is read: streams of tokens. A [`Corpus`] has a training side, whose batches are a pure
//! function of (data seed, step), and a held-out side, whose windows are fixed for a sweep.
#![expect(clippy::disallowed_methods, reason = "this room reads the text that models are trained on")]

mod batches;
#[cfg(feature = "train")]
mod bpe;
#[cfg(not(feature = "train"))]
#[path = "no_bpe.rs"]
mod bpe;
mod cache;
mod documents;
mod error;
mod held_out;
mod interleaving;
mod mix;
mod prepare;
mod source;
mod statistics;
mod streams;
mod synthetic;
mod text;
mod windows;

pub use batches::Order;
pub use cache::{Cache, Preparing};
pub use documents::Contents;
pub use error::CorpusError;
pub use held_out::HeldOut;
pub use interleaving::Interleaving;
pub use mix::CorpusPart;
pub use statistics::Statistics;

use crate::spec::{CorpusSpec, TextSpec, Tokenizer};
use mix::Mix;
use prepare::{Meta, Prepared};
use synthetic::ZipfFacts;

/// A corpus, opened and hashed.
pub struct Corpus {
    source: Source,
    sha256: String,
}

enum Source {
    Text(Box<Prepared>),
    ZipfFacts(ZipfFacts),
    Mix(Box<Mix>),
}

impl Corpus {
    /// Opens and hashes a corpus; text that must be prepared (packed, without duplicates, through a tokenizer) is made once in the cache.
    pub fn open(spec: &CorpusSpec, cache: &Cache<'_>) -> Result<Self, CorpusError> {
        match spec {
            CorpusSpec::Text(text) | CorpusSpec::Bpe(text) => {
                let prepared = prepare::prepare(text, cache)?;
                let sha256 = prepared.sha256();
                Ok(Self { source: Source::Text(Box::new(prepared)), sha256 })
            }
            CorpusSpec::ZipfFacts { a, keys, seed } => {
                let facts = ZipfFacts::new(*a, *keys, *seed)?;
                let sha256 = facts.sha256();
                Ok(Self { source: Source::ZipfFacts(facts), sha256 })
            }
            CorpusSpec::Mix(mix) => {
                let mix = Mix::open(mix, cache)?;
                let sha256 = mix.sha256.clone();
                Ok(Self { source: Source::Mix(Box::new(mix)), sha256 })
            }
        }
    }

    /// SHA-256 of what is read, hexadecimal: of the text without duplicates (that of the file where nothing was removed), or of
    /// its tokens and how they are divided; of a mixture that of its parts, whatever their shares.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of distinct token ids, V.
    pub fn vocabulary(&self) -> usize {
        self.meta().map_or(256, |meta| meta.vocabulary)
    }

    /// How text became tokens; of a mixture that of its first part, see [`Corpus::parts`].
    pub fn tokenizer(&self) -> Tokenizer {
        self.meta().map_or_else(Tokenizer::default, |meta| meta.tokenizer.clone())
    }

    fn meta(&self) -> Option<&Meta> {
        match &self.source {
            Source::Text(prepared) => Some(&prepared.meta),
            Source::Mix(mix) => mix.parts.first().map(|(_, part)| &part.meta),
            Source::ZipfFacts(_) => None,
        }
    }

    /// What each part of a mixture has, in the order of their names; nothing of any other corpus.
    pub fn parts(&self, context: usize) -> Vec<CorpusPart> {
        match &self.source {
            Source::Mix(mix) => mix.of_parts(context),
            Source::Text(_) | Source::ZipfFacts(_) => Vec::new(),
        }
    }

    /// Tokens that can be trained on without seeing one twice, in windows of `context`; `None` when there is no end of them.
    pub fn unique_tokens(&self, context: usize) -> Option<u64> {
        let windows = match &self.source {
            Source::Text(prepared) => prepared.train_windows(context),
            Source::Mix(mix) => mix.parts.iter().map(|(_, part)| part.train_windows(context)).sum(),
            Source::ZipfFacts(_) => return None,
        };
        Some(windows * context as u64)
    }

    /// Held-out windows there are, of a mixture as many of each part; `None` when there is no end of them.
    pub fn held_out_windows(&self, context: usize) -> Option<u64> {
        match &self.source {
            Source::Text(prepared) => Some(prepared.held_out_windows(context)),
            Source::Mix(mix) => {
                let fewest = mix.parts.iter().map(|(_, part)| part.held_out_windows(context)).min();
                Some(fewest.unwrap_or(0) * mix.parts.len() as u64)
            }
            Source::ZipfFacts(_) => None,
        }
    }

    /// Entropy rate of the source in nats per token, where it is known.
    pub fn entropy_nats(&self) -> Option<f64> {
        match &self.source {
            Source::Text(_) | Source::Mix(_) => None,
            Source::ZipfFacts(facts) => Some(facts.entropy_nats()),
        }
    }

    /// Fills one step's inputs and targets, [sequences, context] row-major: a pure function of
    /// (order, step), so that every run of a data seed sees the same prefix and a resumed run the same batches.
    pub fn fill_batch(&self, order: Order<'_>, step: u64, sequences: usize, context: usize, inputs: &mut [u32], targets: &mut [u32]) {
        assert_eq!((inputs.len(), targets.len()), (sequences * context, sequences * context), "room for one batch");
        let (mut bytes, mut window) = (vec![0u8; context + 1], vec![0u32; context + 1]);
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        for (row, (input, target)) in rows.enumerate() {
            let position = order.position(step * sequences as u64 + row as u64, context);
            self.fill_window(order, position, &mut bytes, &mut window);
            input.copy_from_slice(&window[..context]);
            target.copy_from_slice(&window[1..]);
        }
    }

    /// The training window at a position of the shuffled stream; `bytes` is room to work in.
    fn fill_window(&self, order: Order<'_>, position: u64, bytes: &mut [u8], window: &mut [u32]) {
        match &self.source {
            Source::Text(prepared) => prepared.fill_train_window(order.seed, position, bytes, window),
            Source::Mix(mix) => {
                let interleaving = order.interleaving.expect("runs on a mixture have an order of its parts");
                mix.fill_train_window(interleaving, order.seed, position, bytes, window);
            }
            Source::ZipfFacts(facts) => {
                facts.fill_train_window(order.seed, position, bytes);
                window.iter_mut().zip(bytes.iter()).for_each(|(slot, byte)| *slot = u32::from(*byte));
            }
        }
    }

    /// The held-out windows of an evaluation seed; of a mixture those of its parts one after the other, divided as by
    /// [`windows_of_parts`](crate::spec::windows_of_parts). They share no text with the training side.
    pub fn held_out(&self, seed_eval: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        match &self.source {
            Source::Text(prepared) => prepared.held_out(seed_eval, windows, context),
            Source::Mix(mix) => mix.held_out(seed_eval, windows, context),
            Source::ZipfFacts(facts) => Ok(facts.held_out(seed_eval, windows, context)),
        }
    }
}

/// The text of a corpus without duplicates, in numbers.
pub fn inspect(spec: &TextSpec, cache: &Cache<'_>) -> Result<(Contents, Statistics), CorpusError> {
    prepare::inspect(spec, cache)
}

/// Trains a byte-level tokenizer on the training side of a text; its `tokenizer.json`.
pub fn train_tokenizer(spec: &TextSpec, vocabulary: usize, cache: &Cache<'_>) -> Result<Vec<u8>, CorpusError> {
    prepare::train_tokenizer(spec, vocabulary, cache)
}
