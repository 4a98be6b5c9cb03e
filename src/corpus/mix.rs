//! Several texts as one corpus: each is prepared as it would be alone, so it has the same training and held-out side in every mixture.

use super::interleaving::Interleaving;
use super::prepare::{Prepared, prepare};
use super::{Cache, CorpusError, HeldOut};
use crate::spec::{MixSpec, windows_of_parts};
use sha2::{Digest, Sha256};

/// The parts of a mixture, in the order of their names.
pub(super) struct Mix {
    pub(super) parts: Vec<(String, Prepared)>,
    pub(super) sha256: String,
}

/// What a part of a corpus has, in windows of a context.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusPart {
    /// Name of the part, as in the grid.
    pub name: String,
    /// Tokens that can be trained on without seeing one twice.
    pub unique_tokens: u64,
    /// Held-out windows there are.
    pub held_out_windows: u64,
    /// Bytes of text per token, on the held-out text.
    pub bytes_per_token: f64,
}

impl Mix {
    /// Opens every part; refused where they are not read through one tokenizer.
    pub(super) fn open(spec: &MixSpec, cache: &Cache<'_>) -> Result<Self, CorpusError> {
        let open = |(name, text): (&str, _)| match prepare(&text, cache) {
            Ok(part) => Ok((name.to_owned(), part)),
            Err(error) => Err(of_part(name, error)),
        };
        let parts = spec.texts().map(open).collect::<Result<Vec<_>, _>>()?;
        let read = |part: &Prepared| (part.meta.vocabulary, part.meta.tokenizer.name.clone());
        for pair in parts.windows(2) {
            if read(&pair[0].1) != read(&pair[1].1) {
                let said = |(name, part): &(String, Prepared)| {
                    format!("{name} through {} (V = {})", part.meta.tokenizer.name, part.meta.vocabulary)
                };
                return Err(CorpusError::Tokenizers { first: said(&pair[0]), second: said(&pair[1]) });
            }
        }
        let mut digest = Sha256::new_with_prefix("scalelab mixture 1\n");
        parts.iter().for_each(|(name, part)| digest.update(format!("{name:?} {}\n", part.sha256())));
        Ok(Self { parts, sha256: format!("{:x}", digest.finalize()) })
    }

    /// What each part has.
    pub(super) fn of_parts(&self, context: usize) -> Vec<CorpusPart> {
        let one = |(name, part): &(String, Prepared)| CorpusPart {
            name: name.clone(),
            unique_tokens: part.train_windows(context) * context as u64,
            held_out_windows: part.held_out_windows(context),
            bytes_per_token: part.meta.tokenizer.bytes_per_token,
        };
        self.parts.iter().map(one).collect()
    }

    pub(super) fn fill_train_window(&self, order: &Interleaving, seed: u64, position: u64, bytes: &mut [u8], window: &mut [u32]) {
        let (part, index) = order.at(position);
        self.parts[part].1.fill_train_window(seed, index, bytes, window);
    }

    /// The held-out windows of every part, one part after the other.
    pub(super) fn held_out(&self, seed_eval: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        let mut tokens = Vec::with_capacity(windows * (context + 1));
        for ((name, part), range) in self.parts.iter().zip(windows_of_parts(windows, self.parts.len())) {
            tokens.extend(part.held_out(seed_eval, range.len(), context).map_err(|error| of_part(name, error))?.tokens);
        }
        Ok(HeldOut { tokens, windows, floor_nats: None })
    }
}

fn of_part(name: &str, error: CorpusError) -> CorpusError {
    match error {
        cache @ CorpusError::Cache { .. } => cache,
        other => CorpusError::Part { name: name.to_owned(), source: Box::new(other) },
    }
}
