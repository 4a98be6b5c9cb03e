//! What a run on a mixture knows of its parts: whose windows it sees, how often, and what they lose.

use super::TrainError;
use crate::corpus::{Corpus, CorpusPart, Interleaving};
use crate::spec::{Nats, PartRecord, RunRecord, RunSpec, Tokens, WHOLE, losses_of_parts};

/// The parts of a run's data.
pub(super) struct Parts {
    of_corpus: Vec<CorpusPart>,
    /// Tokens that the run sees of each.
    seen: Vec<u64>,
}

/// The order of the parts of a run, where its data are a mixture.
pub(super) fn interleaving(spec: &RunSpec) -> Option<Interleaving> {
    Interleaving::of(&spec.mixture, spec.seeds.data)
}

/// Whether the parts of the run are those of the corpus, and their shares a whole.
pub(super) fn check(spec: &RunSpec, corpus: &Corpus) -> Result<(), TrainError> {
    let of_corpus: Vec<String> = corpus.parts(spec.shape.context).into_iter().map(|part| part.name).collect();
    let of_run: Vec<&String> = spec.mixture.iter().map(|part| &part.name).collect();
    let whole =
        |of: fn(&crate::spec::MixedPart) -> u32| spec.mixture.iter().map(|part| u64::from(of(part))).sum::<u64>() == u64::from(WHOLE);
    if of_corpus.iter().collect::<Vec<_>>() != of_run || !(of_run.is_empty() || whole(|part| part.share) && whole(|part| part.weight)) {
        let run = of_run.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(TrainError::Mixture { run, corpus: of_corpus.join(", ") });
    }
    Ok(())
}

impl Parts {
    /// Those of a run; none where its data are no mixture.
    pub(super) fn of(spec: &RunSpec, corpus: &Corpus) -> Option<Self> {
        let (windows, context) = (spec.steps * spec.batch_sequences() as u64, spec.shape.context);
        let seen = interleaving(spec)?.counts(windows).into_iter().map(|count| count * context as u64).collect();
        Some(Self { of_corpus: corpus.parts(context), seen })
    }

    /// Tokens that a run sees until it has seen the most repeated part once: what an epoch of it is, where overfitting shows first.
    pub(super) fn tokens_to_repetition(&self, spec: &RunSpec) -> Option<u64> {
        let until = self.of_corpus.iter().zip(&spec.mixture).filter(|(_, part)| part.share > 0);
        until.map(|(has, part)| (u128::from(has.unique_tokens) * u128::from(WHOLE) / u128::from(part.share)) as u64).min()
    }

    /// What a row says of them before the loss is known: how often each was seen, and how many distinct tokens that were.
    pub(super) fn complete(&self, record: &mut RunRecord) {
        for ((part, has), seen) in record.parts.iter_mut().zip(&self.of_corpus).zip(&self.seen) {
            part.unique_tokens = Some(has.unique_tokens as f64);
            part.epochs = Some(*seen as f64 / has.unique_tokens.max(1) as f64);
        }
        let distinct: u64 = self.of_corpus.iter().zip(&self.seen).map(|(has, seen)| has.unique_tokens.min(*seen)).sum();
        record.unique_tokens = Some(Tokens(distinct as f64));
        record.epochs = record.tokens.map(|tokens| tokens.0 / distinct.max(1) as f64);
    }
}

/// The loss of each part, from those of the windows.
pub(super) fn lose(parts: &mut [PartRecord], window_losses: &[f32]) {
    let losses = losses_of_parts(window_losses, parts.len());
    parts.iter_mut().zip(losses).for_each(|(part, loss)| part.loss_nats = Some(Nats(loss)));
}
