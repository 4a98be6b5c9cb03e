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
        let FineTuning { base: run, start, examples, windows, .. } = fine_tuning;
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
        Ok(Some(Self { pairs, first, epoch_tokens: fine_tuning.epoch_tokens(context), start: *start, base_windows }))
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
