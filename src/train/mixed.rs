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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "texts of a test are files")]

    use super::super::tests::tiny;
    use super::super::{Action, Checkpoint, TrainingObserver, train_from};
    use super::*;
    use crate::corpus::Cache;
    use crate::spec::{CorpusSpec, Device, MixSpec, MixedPart, PartSpec, Progress, Random, TextSpec};
    use std::path::Path;

    /// A text of words over an alphabet, so that texts differ and can be learnt.
    fn write_text(path: &Path, letters: &[u8], blocks: usize) {
        let mut random = Random::new(u64::from(letters[0]), "text of a test");
        let letter = |random: &mut Random| letters[random.below(letters.len() as u64) as usize];
        let words: Vec<Vec<u8>> = (0..200).map(|_| (0..2 + random.below(6)).map(|_| letter(&mut random)).collect()).collect();
        let mut bytes = Vec::new();
        while bytes.len() < blocks * 4096 {
            bytes.extend_from_slice(&words[(random.uniform() * random.uniform() * 200.0) as usize]);
            bytes.push(b' ');
        }
        std::fs::write(path, bytes).expect("written");
    }

    /// Keeps the state after a step.
    struct StateAfter(u64, Option<Vec<u8>>);

    impl TrainingObserver for StateAfter {
        fn after_step(&mut self, progress: &Progress) -> Action {
            if progress.step == self.0 { Action::Checkpoint } else { Action::Continue }
        }

        fn checkpoint(&mut self, _: u64, state: Vec<u8>) {
            self.1 = Some(state);
        }
    }

    #[test]
    fn a_run_on_a_mixture_counts_its_parts_weighs_their_losses_and_resumes_bit_for_bit() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write_text(&folder.path().join("web"), b"abcdefghijklmnop", 300);
        write_text(&folder.path().join("code"), b"ABCDEFG(){};", 70);
        let text = |name: &str| {
            let path = folder.path().join(name).display().to_string();
            (name.to_owned(), PartSpec::Text(Box::new(TextSpec { deduplicate: false, ..TextSpec::of(path) })))
        };
        let of_grid = MixSpec { parts: ["web", "code"].map(text).into(), shares: Vec::new(), target: None, max_epochs: 9.0 };
        let corpus_spec = CorpusSpec::Mix(of_grid);
        let corpus = Corpus::open(&corpus_spec, &Cache::quiet(folder.path())).expect("opens");
        let part = |name: &str, share, weight| MixedPart { name: name.into(), share, weight };
        let of_code = |share: u32| {
            let (mut spec, _) = tiny(40);
            (spec.corpus, spec.corpus_sha256, spec.eval_windows) = (corpus_spec.clone(), corpus.sha256().to_owned(), 31);
            spec.mixture = vec![part("code", share, 20_000), part("web", WHOLE - share, 80_000)];
            let whole = train_from(None, &spec, &corpus, &Device::Cpu, &mut StateAfter(u64::MAX, None)).expect("trains");
            let record = &whole.record;
            let weighted: f64 = record.parts.iter().map(|part| part.weight.expect("set") * part.loss_nats.expect("measured").0).sum();
            assert!((weighted - record.loss_nats.expect("measured").0).abs() < 1e-12);
            for part in &record.parts {
                let seen = part.epochs.expect("counted") * part.unique_tokens.expect("known");
                assert!((seen - part.share * record.tokens.expect("set").0).abs() <= 32.0, "{seen}: to within a window");
            }
            let mut keeper = StateAfter(17, None);
            train_from(None, &spec, &corpus, &Device::Cpu, &mut keeper).expect("trains");
            let state = Checkpoint::read(&keeper.1.expect("kept"), &spec, &Device::Cpu).expect("reads");
            let resumed = train_from(Some(state), &spec, &corpus, &Device::Cpu, &mut StateAfter(u64::MAX, None)).expect("trains");
            assert_eq!(resumed, whole);
            spec.mixture[0].name = "other".into();
            let refused = train_from(None, &spec, &corpus, &Device::Cpu, &mut StateAfter(u64::MAX, None)).expect_err("other parts");
            assert!(refused.to_string().contains("plan again"), "{refused}");
            record.parts[0].loss_nats.expect("measured").0
        };
        let losses = [0, 50_000, WHOLE].map(of_code);
        assert!(losses.is_sorted_by(|a, b| a > b), "what is seen more is learnt better: {losses:?}");
    }
}
