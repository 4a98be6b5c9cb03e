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
mod counted;
mod documents;
mod error;
mod held_out;
mod interleaving;
mod masks;
mod mix;
mod order;
mod pair_windows;
mod pairs;
mod prepare;
mod source;
mod statistics;
mod streams;
mod synthetic;
mod text;
mod windows;

#[cfg(all(test, feature = "train"))]
pub(crate) use batches::window_at;
pub use cache::{Cache, Preparing};
pub use counted::{NOT_COUNTED, counted, split_window};
pub use documents::Contents;
pub use error::CorpusError;
pub use held_out::HeldOut;
pub use interleaving::Interleaving;
pub use masks::Masks;
pub use mix::CorpusPart;
pub use order::Order;
pub use pair_windows::PairWindows;
pub use pairs::{PairCounts, Passed};
pub use statistics::Statistics;

use crate::spec::{CorpusSpec, TextSpec, Tokenizer};
use mix::Mix;
use pairs::Pairs;
use prepare::{Meta, Prepared};
use synthetic::ZipfFacts;

/// A corpus, opened and hashed.
pub struct Corpus {
    source: Source,
    sha256: String,
    /// What the base of pairs was trained on.
    base: Option<Box<Corpus>>,
}

enum Source {
    Text(Box<Prepared>),
    ZipfFacts(ZipfFacts),
    Mix(Box<Mix>),
    Pairs(Box<Pairs>),
}

impl Corpus {
    /// Opens and hashes a corpus; text that must be prepared (packed, without duplicates, through a tokenizer) is made once in the cache.
    pub fn open(spec: &CorpusSpec, cache: &Cache<'_>) -> Result<Self, CorpusError> {
        match spec {
            CorpusSpec::Text(text) | CorpusSpec::Bpe(text) => {
                let prepared = prepare::prepare(text, cache)?;
                let sha256 = prepared.sha256();
                Ok(Self::of(Source::Text(Box::new(prepared)), sha256))
            }
            CorpusSpec::ZipfFacts { a, keys, seed } => {
                let facts = ZipfFacts::new(*a, *keys, *seed)?;
                let sha256 = facts.sha256();
                Ok(Self::of(Source::ZipfFacts(facts), sha256))
            }
            CorpusSpec::Mix(mix) => {
                let mix = Mix::open(mix, cache)?;
                let sha256 = mix.sha256.clone();
                Ok(Self::of(Source::Mix(Box::new(mix)), sha256))
            }
            CorpusSpec::Pairs(_) => Err(CorpusError::NoBase),
        }
    }

    /// The same, where pairs are read as the text of a base is, which is opened with them.
    pub fn open_on(spec: &CorpusSpec, base: Option<&CorpusSpec>, cache: &Cache<'_>) -> Result<Self, CorpusError> {
        match (spec, base) {
            (CorpusSpec::Pairs(pairs), Some(base)) => {
                let tokenizer = base.text().and_then(|text| text.tokenizer.as_deref());
                let base = Self::open(base, cache)?;
                let pairs = Pairs::open(pairs, &base.tokenizer().name, tokenizer, cache)?;
                let sha256 = pairs.sha256.clone();
                Ok(Self { base: Some(Box::new(base)), ..Self::of(Source::Pairs(Box::new(pairs)), sha256) })
            }
            _ => Self::open(spec, cache),
        }
    }

    fn of(source: Source, sha256: String) -> Self {
        Self { source, sha256, base: None }
    }

    /// SHA-256 of what is read, hexadecimal: of the text without duplicates (that of the file where nothing was removed), or of
    /// its tokens and how they are divided; of a mixture that of its parts, whatever their shares.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of distinct token ids, V.
    pub fn vocabulary(&self) -> usize {
        if let Some(base) = &self.base {
            return base.vocabulary();
        }
        self.meta().map_or(256, |meta| meta.vocabulary)
    }

    /// How text became tokens; of a mixture that of its first part, see [`Corpus::parts`].
    pub fn tokenizer(&self) -> Tokenizer {
        if let Source::Pairs(pairs) = &self.source {
            return pairs.tokenizer.clone();
        }
        self.meta().map_or_else(Tokenizer::default, |meta| meta.tokenizer.clone())
    }

    fn meta(&self) -> Option<&Meta> {
        match &self.source {
            Source::Text(prepared) => Some(&prepared.meta),
            Source::Mix(mix) => mix.parts.first().map(|(_, part)| &part.meta),
            Source::ZipfFacts(_) | Source::Pairs(_) => None,
        }
    }

    /// What each part of a mixture has, in the order of their names; nothing of any other corpus.
    pub fn parts(&self, context: usize) -> Vec<CorpusPart> {
        match &self.source {
            Source::Mix(mix) => mix.of_parts(context),
            Source::Text(_) | Source::ZipfFacts(_) | Source::Pairs(_) => Vec::new(),
        }
    }

    /// Tokens that can be trained on without seeing one twice, in windows of `context`; `None` when there is no end of them.
    pub fn unique_tokens(&self, context: usize) -> Option<u64> {
        let windows = match &self.source {
            Source::Text(prepared) => prepared.train_windows(context),
            Source::Mix(mix) => mix.parts.iter().map(|(_, part)| part.train_windows(context)).sum(),
            Source::Pairs(pairs) => PairWindows::of_some(pairs, u64::MAX, context).windows(),
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
            Source::Pairs(pairs) => Some(pairs.held_out_windows(context)),
            Source::ZipfFacts(_) => None,
        }
    }

    /// Entropy rate of the source in nats per token, where it is known.
    pub fn entropy_nats(&self) -> Option<f64> {
        match &self.source {
            Source::Text(_) | Source::Mix(_) | Source::Pairs(_) => None,
            Source::ZipfFacts(facts) => Some(facts.entropy_nats()),
        }
    }

    /// What files of pairs hold for windows of a context; nothing of any other corpus.
    pub fn pair_counts(&self, context: usize) -> Option<PairCounts> {
        self.pairs().map(|pairs| pairs.counts(context))
    }

    /// The windows of the first so many of its pairs; none of any other corpus.
    pub fn pair_windows(&self, examples: u64, context: usize) -> Option<PairWindows> {
        self.pairs().map(|pairs| PairWindows::of_some(pairs, examples, context))
    }

    /// What the base of its pairs was trained on; nothing of any other corpus.
    pub fn base(&self) -> Option<&Self> {
        self.base.as_deref()
    }

    fn pairs(&self) -> Option<&Pairs> {
        match &self.source {
            Source::Pairs(pairs) => Some(pairs),
            Source::Text(_) | Source::ZipfFacts(_) | Source::Mix(_) => None,
        }
    }

    /// Fills one step's inputs and targets, [sequences, context] row-major: a pure function of
    /// (order, step), so that every run of a data seed sees the same prefix and a resumed run the same batches.
    /// A target that no loss counts is [`NOT_COUNTED`].
    pub fn fill_batch(&self, order: Order<'_>, step: u64, sequences: usize, context: usize, inputs: &mut [u32], targets: &mut [u32]) {
        assert_eq!((inputs.len(), targets.len()), (sequences * context, sequences * context), "room for one batch");
        let (mut bytes, mut window) = (vec![0u8; context + 1], vec![0u32; context + 1]);
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        for (row, (input, target)) in rows.enumerate() {
            let position = order.position(step * sequences as u64 + row as u64, context);
            self.fill_window(order, position, &mut bytes, &mut window);
            split_window(&window, input, target);
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
            Source::Pairs(pairs) => {
                let windows = order.pairs.expect("runs on pairs have windows of them");
                match order.interleaving.map_or((0, position), |interleaving| interleaving.at(position)) {
                    (0, position) => pairs.fill_train_window(windows, order.seed, position, window),
                    (_, position) => {
                        let base = self.base.as_ref().expect("pairs are opened on a base");
                        base.fill_window(Order { seed: order.seed, ..Order::default() }, position, bytes, window);
                    }
                }
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
            Source::Pairs(pairs) => pairs.held_out(seed_eval, windows, context),
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
