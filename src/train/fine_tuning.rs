//! What fine-tuning adds to a run: the weights that it begins from, the order of pairs and of text of the base, and what it measures beside
//! its loss: how much of the base's text is forgotten, and after which epoch it was best.

use super::curve::StepFacts;
use super::error::TrainError;
use super::eval;
use super::init::Layout;
use super::learner::Learner;
use super::weights::Weights;
use crate::corpus::{Corpus, Interleaving, PairWindows};
use crate::spec::{FineTuning, MixedPart, Nats, RunSpec, Start, WHOLE};

/// What a run is fine-tuned from and on.
pub(super) struct FineTuned {
    /// The windows of its pairs.
    pub(super) pairs: PairWindows,
    /// The weights before its first step.
    pub(super) first: Vec<f32>,
    /// Rank of what is added to them, of which alone it trains; 0 where they are trained.
    pub(super) rank: usize,
    /// Tokens until it has seen each pair once.
    pub(super) epoch_tokens: u64,
    /// What its first loss is checked against: weights drawn anew know nothing.
    pub(super) start: Start,
    /// The held-out windows of its base.
    base_windows: Vec<u32>,
}

impl FineTuned {
    /// Of a run that is fine-tuned; none of any other. `base`: the weights of its base, which a run from scratch does without.
    pub(super) fn of(spec: &RunSpec, corpus: &Corpus, base: Option<&Weights>) -> Result<Option<Self>, TrainError> {
        let (fine_tuning, of_base) = match (spec.stage.fine_tuning(), corpus.base()) {
            (None, None) => return Ok(None),
            (Some(fine_tuning), Some(of_base)) => (fine_tuning, of_base),
            _ => return Err(TrainError::Stage("its stage and its corpus do not belong together: it was planned on another".into())),
        };
        let context = spec.shape.context;
        let FineTuning { base: run, start, examples, windows, rank, .. } = fine_tuning;
        if of_base.sha256() != run.corpus_sha256 {
            return Err(TrainError::Stage(format!("the text of its base {} changed after it was planned", run.run_id)));
        }
        let pairs = corpus.pair_windows(*examples, context).filter(|found| (found.examples(), found.windows()) == (*examples, *windows));
        let pairs = pairs.ok_or_else(|| TrainError::Stage(format!("its {examples} pairs are not those that it was planned on")))?;
        let first = match (start, base) {
            (Start::Scratch, _) => Layout::of(&spec.shape).first_weights(spec.seeds.init),
            (Start::Base, Some(weights)) if weights.sha256 == run.weights_sha256 => weights.values.clone(),
            (Start::Base, Some(_)) => {
                return Err(TrainError::Stage(format!("the weights of its base {} changed after it was planned", run.run_id)));
            }
            (Start::Base, None) => return Err(TrainError::Stage(format!("the weights of its base {} are not there", run.run_id))),
        };
        let base_windows = of_base.held_out(run.seed_eval, run.eval_windows as usize, context)?.tokens;
        let rank = *rank as usize;
        Ok(Some(Self { pairs, first, rank, epoch_tokens: fine_tuning.epoch_tokens(context), start: *start, base_windows }))
    }

    /// Loss of a network on the held-out windows of the base, nats per token.
    pub(super) fn base_loss(&self, learner: &mut dyn Learner, context: usize, at_once: usize) -> Result<Nats, TrainError> {
        Ok(Nats(eval::mean(&eval::window_losses(learner, &self.base_windows, context, at_once)?)))
    }
}

/// The order of pairs and text of the base, where there is such text.
pub(super) fn interleaving(spec: &RunSpec) -> Option<Interleaving> {
    let replay = spec.stage.fine_tuning()?.replay;
    let part = |name: &str, share| MixedPart { name: name.into(), share, weight: 0 };
    (replay > 0).then(|| Interleaving::of(&[part("pairs", WHOLE - replay), part("base", replay)], spec.seeds.data))?
}

/// After how many steps the held-out loss was lowest and what it was, of all ends of epochs at which it was measured and of the end;
/// the earliest of equal ones.
pub(super) fn best(history: &[StepFacts], is_end: impl Fn(u64) -> bool, (steps, loss): (u64, f64)) -> (u64, f64) {
    let measured = history.iter().zip(1..).filter(|(_, step)| *step < steps && is_end(*step));
    let losses = measured.filter_map(|(facts, step)| Some((step, facts.held_out_loss?)));
    losses.chain([(steps, loss)]).min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))).unwrap_or((steps, loss))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "texts and pairs of a test are files")]

    use super::super::tests::tiny;
    use super::super::{Action, Checkpoint, TrainingObserver, train_from, train_from_base};
    use super::*;
    use crate::corpus::{Cache, Order, window_at};
    use crate::spec::{BaseRun, CorpusSpec, Device, PairsSpec, Progress, Random, RunRecord, Stage, TextSpec, TrainedRun};
    use std::path::Path;

    /// Keeps the state after a step, and the weights at the end.
    #[derive(Default)]
    struct Kept {
        after: u64,
        state: Option<Vec<u8>>,
        weights: Option<Vec<u8>>,
    }

    impl TrainingObserver for Kept {
        fn after_step(&mut self, progress: &Progress) -> Action {
            if progress.step == self.after { Action::Checkpoint } else { Action::Continue }
        }

        fn checkpoint(&mut self, _: u64, state: Vec<u8>) {
            self.state = Some(state);
        }

        fn wants_weights(&self) -> bool {
            true
        }

        fn weights(&mut self, file: Vec<u8>) {
            self.weights = Some(file);
        }
    }

    /// A base that was trained on a source, with its weights.
    fn base() -> (RunSpec, TrainedRun, Weights) {
        let (spec, corpus) = tiny(120);
        let mut kept = Kept::default();
        let run = train_from(None, &spec, &corpus, &Device::Cpu, &mut kept).expect("trains");
        let weights = Weights::read(&kept.weights.expect("wanted"), &spec.shape).expect("reads");
        (spec, run, weights)
    }

    fn base_run(spec: &RunSpec, sha256: &str) -> BaseRun {
        BaseRun {
            results: String::new(),
            run_id: spec.id().0,
            weights_sha256: sha256.into(),
            tokens: spec.tokens().0,
            corpus: spec.corpus.clone(),
            corpus_sha256: spec.corpus_sha256.clone(),
            eval_windows: spec.eval_windows,
            seed_eval: spec.seeds.eval,
        }
    }

    /// Pairs of a word and it in capitals, in a file; the corpus of them.
    fn task(folder: &Path, base: &RunSpec) -> (CorpusSpec, Corpus) {
        pairs(folder, base, &|word, _| word.to_uppercase())
    }

    /// Pairs of a word and what is made of it and of another that is drawn.
    fn pairs(folder: &Path, base: &RunSpec, response: &dyn Fn(&str, String) -> String) -> (CorpusSpec, Corpus) {
        let mut random = Random::new(1, "words of a task");
        let mut word = || (0..4).map(|_| char::from(b'a' + random.below(8) as u8)).collect::<String>();
        let mut line = || {
            let (prompt, other) = (word(), word());
            let response = response(&prompt, other);
            serde_json::json!({ "prompt": prompt, "response": response }).to_string() + "\n"
        };
        let path = folder.join("task.jsonl");
        std::fs::write(&path, (0..600).map(|_| line()).collect::<String>()).expect("written");
        let spec = CorpusSpec::Pairs(Box::new(PairsSpec::of(path.display().to_string())));
        let corpus = Corpus::open_on(&spec, Some(&base.corpus), &Cache::quiet(folder)).expect("opens");
        (spec, corpus)
    }

    /// A run on some of the pairs of a task.
    fn tuned(
        base: &RunSpec,
        sha256: &str,
        (corpus_spec, corpus): (&CorpusSpec, &Corpus),
        epochs: f64,
        change: impl Fn(&mut FineTuning),
    ) -> RunSpec {
        let context = base.shape.context;
        let mut fine_tuning =
            FineTuning { base: base_run(base, sha256), start: Start::Base, examples: 200, windows: 0, replay: 0, rank: 0 };
        change(&mut fine_tuning);
        fine_tuning.windows = corpus.pair_windows(fine_tuning.examples, context).expect("pairs").windows();
        let mut spec = RunSpec {
            corpus: corpus_spec.clone(),
            corpus_sha256: corpus.sha256().into(),
            tokenizer: corpus.tokenizer(),
            eval_windows: corpus.held_out_windows(context).expect("pairs"),
            ..base.clone()
        };
        spec.recipe.batch_tokens = 128;
        spec.recipe.learning_rate = 4e-3;
        spec.recipe.warmup_tokens = 256;
        spec.steps = (epochs * fine_tuning.epoch_tokens(context) as f64 / 128.0).round() as u64;
        spec.stage = Stage::FineTuning(Box::new(fine_tuning));
        spec
    }

    fn trained(spec: &RunSpec, corpus: &Corpus, weights: Option<&Weights>) -> TrainedRun {
        train_from_base(None, weights, spec, corpus, &Device::Cpu, &mut Kept { after: u64::MAX, ..Kept::default() }).expect("trains")
    }

    #[test]
    fn one_epoch_from_step_0_of_a_base_is_its_pre_training_on_the_same_tokens_where_no_prompt_is_masked() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("text.txt");
        let mut random = Random::new(2, "text of a test");
        let words: Vec<String> =
            (0..50).map(|_| (0..2 + random.below(5)).map(|_| char::from(b'a' + random.below(26) as u8)).collect()).collect();
        let text: Vec<&str> = (0..80_000).map(|_| words[random.below(50) as usize].as_str()).collect();
        std::fs::write(&path, text.join(" ")).expect("written");
        let text_spec = CorpusSpec::Text(TextSpec { deduplicate: false, ..TextSpec::of(path.display().to_string()) });
        let text = Corpus::open(&text_spec, &Cache::quiet(folder.path())).expect("opens");
        let (spec, _) = tiny(1);
        let mut pre_training = RunSpec { corpus: text_spec.clone(), corpus_sha256: text.sha256().into(), ..spec };
        let context = 512;
        pre_training.shape.context = context;
        pre_training.recipe.batch_tokens = 2048;
        let windows = text.unique_tokens(context).expect("a text") / context as u64;
        pre_training.steps = windows / 4;

        // Every training window of the text, in the order of the text, is a pair without a prompt.
        let (mut inputs, mut targets) = (vec![0; context], vec![0; context]);
        let mut lines = vec![String::new(); windows as usize];
        for position in 0..windows {
            text.fill_batch(Order { seed: 0, ..Order::default() }, position, 1, context, &mut inputs, &mut targets);
            let tokens = inputs.iter().copied().chain(targets.last().copied());
            let window: String = tokens.map(|token| char::from(token as u8)).collect();
            let index = window_at(0, position, windows);
            lines[index as usize] = serde_json::json!({ "prompt": "", "response": window }).to_string() + "\n";
        }
        assert!(lines.iter().all(|line| !line.is_empty()) && windows > 500);
        let [pairs_file, others] = ["pairs.jsonl", "others.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&pairs_file, lines.concat()).expect("written");
        std::fs::write(&others, "{\"prompt\": \"\", \"response\": \"some other text\"}\n").expect("written");
        let mut pairs = PairsSpec::of(pairs_file.display().to_string());
        (pairs.packed, pairs.count_prompts, pairs.separator, pairs.end) = (false, true, String::new(), String::new());
        pairs.held_out = vec![others.display().to_string()];
        let pairs_spec = CorpusSpec::Pairs(Box::new(pairs));
        let corpus = Corpus::open_on(&pairs_spec, Some(&text_spec), &Cache::quiet(folder.path())).expect("opens");

        let layout = Layout::of(&pre_training.shape);
        let step_0 = Weights::to_bytes(&pre_training, &layout.first_weights(pre_training.seeds.init), 5.5);
        let step_0 = Weights::read(&step_0, &pre_training.shape).expect("reads");
        let fine_tuning = FineTuning {
            base: base_run(&pre_training, &step_0.sha256),
            start: Start::Base,
            examples: windows,
            windows,
            replay: 0,
            rank: 0,
        };
        let fine_tuned = RunSpec {
            corpus: pairs_spec,
            corpus_sha256: corpus.sha256().into(),
            eval_windows: 1,
            stage: Stage::FineTuning(Box::new(fine_tuning)),
            ..pre_training.clone()
        };
        let mut both = [Kept::default(), Kept::default()];
        let [own, other] = &mut both;
        let expected = train_from(None, &pre_training, &text, &Device::Cpu, own).expect("trains");
        let found = train_from_base(None, Some(&step_0), &fine_tuned, &corpus, &Device::Cpu, other).expect("trains");
        let facts =
            |run: &TrainedRun| run.curve.iter().map(|point| (point.step, point.train_loss_nats, point.grad_norm)).collect::<Vec<_>>();
        assert_eq!(facts(&found), facts(&expected));
        let weights = both.map(|kept| Weights::read(&kept.weights.expect("wanted"), &pre_training.shape).expect("reads").values);
        assert_eq!(weights[0], weights[1], "bit for bit");
        assert_eq!(found.record.base_loss_after, expected.record.loss_nats, "and on the base's own windows");
    }

    #[test]
    fn a_fine_tuned_run_learns_its_task_forgets_its_base_and_replay_keeps_more_of_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (base_spec, base_row, weights) = base();
        let (task_spec, corpus) = task(folder.path(), &base_spec);
        let of = |epochs, change: &dyn Fn(&mut FineTuning)| {
            trained(&tuned(&base_spec, &weights.sha256, (&task_spec, &corpus), epochs, change), &corpus, Some(&weights))
        };
        let plain = of(6.0, &|_| ());
        let record = &plain.record;
        assert_eq!(record.base_loss_before, base_row.record.loss_nats, "measured again, bit for bit");
        let [before, after] = [record.base_loss_before, record.base_loss_after].map(|loss| loss.expect("measured").0);
        let loss = record.loss_nats.expect("finished").0;
        assert!(loss < 2.5, "the task is learnt: {loss}");
        assert!(after > before + 0.05, "the base's text is forgotten: {before} {after}");
        assert_eq!((record.examples, record.start.as_deref(), record.replay), (Some(200), Some("base"), Some(0.0)));
        assert_eq!((record.base_run.clone(), record.base_tokens), (Some(base_spec.id().0), Some(base_spec.tokens())));
        let mean = plain.window_losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / plain.window_losses.len() as f64;
        assert!((mean - loss).abs() < 1e-12);

        let exact = record.exact_match.expect("responses stand apart");
        assert!((0.0..=1.0).contains(&exact));

        let replayed = of(6.0, &|it| it.replay = 30_000);
        let kept = replayed.record.base_loss_after.expect("measured").0;
        assert!(kept < after - 0.02, "replay keeps more: {kept} {after}");
        assert!((replayed.record.epochs.expect("counted") - 6.0).abs() < 0.1, "pairs are seen as often");
        assert!(replayed.record.steps > record.steps);

        let scratch = of(6.0, &|it| it.start = Start::Scratch);
        let at_first = scratch.record.base_loss_before.expect("measured").0;
        assert!((at_first - 256f64.ln()).abs() < 0.05, "{at_first}");
        assert_eq!((scratch.record.base_run.clone(), scratch.record.base_tokens), (None, None));
    }

    #[test]
    fn a_fine_tuned_run_resumes_bit_for_bit_and_tells_its_best_epoch() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (base_spec, _, weights) = base();
        // Responses that follow from nothing, so few, so often and so fast, that they are memorised.
        let (task_spec, corpus) = pairs(folder.path(), &base_spec, &|_, drawn| drawn);
        let mut spec = tuned(&base_spec, &weights.sha256, (&task_spec, &corpus), 60.0, |it| (it.examples, it.replay) = (24, 10_000));
        spec.recipe.learning_rate = 1.6e-2;
        let whole = resumes(&spec, &corpus, &weights);
        let record = &whole.record;
        let (best, last) = (record.best_loss_nats.expect("measured").0, record.loss_nats.expect("finished").0);
        let epoch = record.best_epoch.expect("measured");
        assert!(best < last - 0.05 && (0.9..59.0).contains(&epoch), "best {best} after {epoch} epochs, {last} at the end");
    }

    /// Trains a run whole and in two pieces, which must come to the same; what came.
    fn resumes(spec: &RunSpec, corpus: &Corpus, weights: &Weights) -> TrainedRun {
        let whole = trained(spec, corpus, Some(weights));
        for after in [1, spec.steps / 2, spec.steps - 1] {
            let mut kept = Kept { after, ..Kept::default() };
            train_from_base(None, Some(weights), spec, corpus, &Device::Cpu, &mut kept).expect("trains");
            let state = Checkpoint::read(&kept.state.expect("kept"), spec, &Device::Cpu).expect("reads");
            let mut other = Kept { after: u64::MAX, ..Kept::default() };
            let resumed = train_from_base(Some(state), Some(weights), spec, corpus, &Device::Cpu, &mut other).expect("trains");
            assert_eq!(resumed, whole, "from step {after}");
            let read = |file: Option<Vec<u8>>| Weights::read(&file.expect("wanted"), &spec.shape).expect("reads");
            assert_eq!(read(other.weights), read(kept.weights));
        }
        whole
    }

    #[test]
    fn low_rank_additions_learn_resume_and_forget_less_than_all_weights() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (base_spec, _, weights) = base();
        let (task_spec, corpus) = task(folder.path(), &base_spec);
        let of = |rank| {
            let mut spec = tuned(&base_spec, &weights.sha256, (&task_spec, &corpus), 6.0, |it| it.rank = rank);
            spec.recipe.learning_rate = 8e-3;
            spec
        };
        let all = trained(&of(0), &corpus, Some(&weights)).record;
        let TrainedRun { record: added, curve, .. } = resumes(&of(4), &corpus, &weights);
        assert_eq!((all.rank, added.rank), (Some(0), Some(4)));
        let losses =
            |record: &RunRecord| [record.base_loss_before, record.loss_nats, record.base_loss_after].map(|loss| loss.expect("measured").0);
        let ([before, of_all, after_all], [same, of_added, after_added]) = (losses(&all), losses(&added));
        assert_eq!(before, same, "both begin from the base");
        assert!(of_all < of_added, "what is added can be had by all weights: {of_all} {of_added}");
        let at_first = curve[0].train_loss_nats.expect("measured");
        assert!(of_added < at_first - 0.5, "{of_added} {at_first}");
        assert!(after_added < after_all, "{after_added} {after_all}");
    }

    #[test]
    fn what_changed_after_it_was_planned_is_refused_in_words() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (base_spec, _, weights) = base();
        let (task_spec, corpus) = task(folder.path(), &base_spec);
        let plan = |sha256: &str, change: &dyn Fn(&mut FineTuning)| tuned(&base_spec, sha256, (&task_spec, &corpus), 1.0, change);
        let refused = |spec: &RunSpec, corpus: &Corpus, weights: Option<&Weights>| {
            train_from_base(None, weights, spec, corpus, &Device::Cpu, &mut Kept::default()).expect_err("refused").to_string()
        };
        let fine = plan(&weights.sha256, &|_| ());
        assert!(
            refused(&fine, &corpus, None).contains("the weights of its base") && refused(&fine, &corpus, None).contains("are not there")
        );
        assert!(refused(&plan("other", &|_| ()), &corpus, Some(&weights)).contains("changed after it was planned"));
        assert!(
            refused(&plan(&weights.sha256, &|it| it.base.corpus_sha256 = "other".into()), &corpus, Some(&weights))
                .contains("the text of its base")
        );
        let (pre_training, text) = tiny(5);
        assert!(
            refused(&RunSpec { stage: fine.stage.clone(), ..pre_training.clone() }, &text, Some(&weights))
                .contains("do not belong together")
        );
        let mut other = fine.clone();
        if let Stage::FineTuning(it) = &mut other.stage {
            it.windows += 1;
        }
        assert!(refused(&other, &corpus, Some(&weights)).contains("200 pairs are not those"));
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_equal_ones_and_may_be_the_last() {
        let facts = |held_out_loss| StepFacts { loss: 1.0, norm: 1.0, clipped: false, noise_scale: None, held_out_loss };
        let history = [None, Some(2.0), Some(1.0), Some(2.0), None].map(facts);
        let even = |step: u64| step.is_multiple_of(2);
        assert_eq!(best(&history, even, (5, 3.0)), (2, 2.0), "step 3 ends no epoch");
        assert_eq!(best(&history, even, (5, 1.5)), (5, 1.5));
        assert_eq!(best(&[], even, (5, 1.5)), (5, 1.5));
    }
}
