//! A run in training: its steps in order, what is measured along the way, and the record that it leaves.

use super::adamw::Update;
use super::checkpoint::Checkpoint;
use super::composed::Composed;
use super::curve::{Curve, StepFacts};
use super::error::TrainError;
use super::eval::{self, SomeWindows};
use super::fine_tuning::FineTuned;
use super::fused::Fused;
use super::gaps::{Bound, Gaps};
use super::init::Layout;
use super::kernels::panels::Factors;
use super::learner::{Learner, LearnerState, Reading, Task};
use super::low_rank::LowRank;
use super::noise::{self, NoiseScale, SquaredNorm};
use super::observer::{Action, TrainingObserver};
use super::prefetch::{Batch, BatchSource, Batches};
use super::weights::Weights;
use super::{fine_tuning, guard, mixed};
use crate::corpus::{Corpus, HeldOut, Order};
use crate::spec::{
    Device, Dtype, Nats, PairsSpec, PartRecord, Progress, Recipe, RunRecord, RunSpec, RunStatus, Start, Tokens, TrainedRun, run_loss,
    run_loss_error,
};
use candle_core::Device as Opened;
use std::ops::ControlFlow;
use std::thread;

/// Trains one run from a checkpoint, or from its first step, and measures its held-out loss.
///
/// The result depends on the spec, the corpus, the code and the kind of device alone, not on where it was
/// interrupted. A loss or gradient norm that is not finite ends the run as diverged, which is a result and no error.
/// The record lacks what only its executor knows (host, clock, memory).
pub fn train_from(
    checkpoint: Option<Checkpoint>,
    spec: &RunSpec,
    corpus: &Corpus,
    device: &Device,
    observer: &mut dyn TrainingObserver,
) -> Result<TrainedRun, TrainError> {
    train_from_base(checkpoint, None, spec, corpus, device, observer)
}

/// As [`train_from`], of a run that begins with the weights of another, where its stage says so.
pub fn train_from_base(
    checkpoint: Option<Checkpoint>,
    base: Option<&Weights>,
    spec: &RunSpec,
    corpus: &Corpus,
    device: &Device,
    observer: &mut dyn TrainingObserver,
) -> Result<TrainedRun, TrainError> {
    check(spec, corpus, *device)?;
    let opened = device.open()?;
    let fine_tuned = FineTuned::of(spec, corpus, base)?;
    let checkpoint = checkpoint.unwrap_or_else(|| match &fine_tuned {
        Some(fine_tuned) if fine_tuned.rank == 0 => Checkpoint::beginning(fine_tuned.first.clone()),
        _ => Checkpoint::first(spec, &Layout::trained(spec)),
    });
    let first = checkpoint.step;
    let interleaving = mixed::interleaving(spec).or_else(|| fine_tuning::interleaving(spec));
    let pairs = fine_tuned.as_ref().map(|fine_tuned| fine_tuned.pairs.clone());
    let mut training = Training::resumed(checkpoint, fine_tuned, spec, corpus, device, &opened)?;
    let seed = spec.seeds.data;
    let order = Order { seed, unique_tokens: spec.unique_tokens, interleaving: interleaving.as_ref(), pairs: pairs.as_ref() };
    let source = BatchSource::of(spec, corpus, order);
    let ended = thread::scope(|scope| -> Result<Ended, TrainError> {
        let mut batches = if device.is_fused() { Batches::in_place(source) } else { Batches::ahead(source, first..spec.steps, scope) };
        for step in first..spec.steps {
            if training.step(step, batches.of(step), observer)?.is_break() {
                return Ok(Ended::Diverged);
            }
        }
        Ok(Ended::AfterItsLastStep)
    })?;
    training.finish(ended, corpus, &opened, observer)
}

/// A run between two of its steps.
struct Training<'a> {
    spec: &'a RunSpec,
    device: &'a Device,
    layout: Layout,
    learner: Box<dyn Learner>,
    curve: Curve,
    noise: NoiseScale,
    held_out: HeldOut,
    /// Those of its windows that are read on the way, if any.
    some_windows: Option<SomeWindows>,
    /// How gaps are made in them, where it learns to fill gaps.
    gaps: Option<Gaps>,
    /// Distinct tokens that it may see; `None` where there is no end of them.
    unique: Option<u64>,
    /// The parts of its data, where they are a mixture.
    parts: Option<mixed::Parts>,
    /// What it is fine-tuned from and on, where it is.
    fine_tuned: Option<FineTuned>,
    /// The first step that is its own, and the seconds that went before: what a checkpoint says beside the state.
    own_from: u64,
    seconds: f64,
}

/// Which of the held-out windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Windows {
    All,
    Some,
    None,
}

/// How the steps of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    AfterItsLastStep,
    Diverged,
}

impl<'a> Training<'a> {
    fn resumed(
        checkpoint: Checkpoint,
        fine_tuned: Option<FineTuned>,
        spec: &'a RunSpec,
        corpus: &Corpus,
        device: &'a Device,
        opened: &Opened,
    ) -> Result<Self, TrainError> {
        let context = spec.shape.context;
        let Checkpoint { step: _, own_from, seconds, learner, noise, history } = checkpoint;
        let parts = mixed::Parts::of(spec, corpus);
        let of_corpus = match (&parts, &fine_tuned) {
            (Some(parts), _) => parts.tokens_to_repetition(spec),
            (None, Some(fine_tuned)) => Some(fine_tuned.epoch_tokens),
            (None, None) => corpus.unique_tokens(context),
        };
        let held_out = corpus.held_out(spec.seeds.eval, spec.eval_windows as usize, context)?;
        let some = || SomeWindows::of(&held_out.tokens, context, spec.windows_on_the_way() as usize, spec.mixture.len());
        Ok(Self {
            layout: Layout::trained(spec),
            some_windows: (spec.eval_every > 0).then(some),
            held_out,
            gaps: Gaps::of(spec, corpus.vocabulary()),
            learner: trained(spec, fine_tuned.as_ref(), learner, *device, opened)?,
            curve: Curve::resumed(spec, &history),
            unique: spec.unique_tokens.or(of_corpus),
            parts,
            fine_tuned,
            spec,
            device,
            noise,
            own_from,
            seconds,
        })
    }

    /// One step and what the observer wishes after it; a break where the run diverged.
    fn step(&mut self, step: u64, batch: &Batch, observer: &mut dyn TrainingObserver) -> Result<ControlFlow<()>, TrainError> {
        let Batch { inputs, targets } = batch;
        let parts = self.norms_of_parts(step, batch)?;
        let update = Update::new(&self.spec.recipe.adamw, step, self.spec.learning_rate(step));
        let mut readings = self.learner.step(inputs, targets, &update, self.spec.recipe.grad_clip)?;

        let done = step + 1;
        let wish = observer.after_step(&self.progress(done, &readings));
        let windows = if done < self.spec.steps { self.read_after(done) } else { Windows::None };
        if step == 0 || parts.is_some() || windows != Windows::None || done == self.spec.steps || wish != Action::Continue {
            readings.extend(self.learner.settle()?);
        }
        if let (0, Some(reading)) = (step, readings.last()) {
            self.check_first_step(reading.loss)?;
        }
        for reading in readings {
            // A device tells its losses late, so a reading may be that of an earlier step.
            let of_this_step = self.curve.history().len() as u64 == step;
            let mut facts = StepFacts::of(reading, self.spec.recipe.grad_clip);
            if of_this_step {
                facts.noise_scale = parts.and_then(|parts| self.noise.take(parts, whole_batch(inputs.len(), reading)));
            }
            if of_this_step && reading.is_finite() {
                facts.held_out_loss = self.held_out_loss(windows)?;
            }
            self.curve.record(self.spec, self.curve.history().len() as u64, &facts);
            if !reading.is_finite() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.grant(wish, done, observer)?;
        Ok(ControlFlow::Continue(()))
    }

    fn check_first_step(&self, loss: f64) -> Result<(), TrainError> {
        let gradient = self.learner.flat_gradient()?;
        match self.fine_tuned.as_ref().map(|fine_tuned| fine_tuned.start) {
            Some(Start::Base) => guard::first_step_of_trained(&self.layout, &gradient),
            Some(Start::Scratch) | None => guard::first_step(&self.layout, loss, &gradient, self.spec.shape.vocabulary),
        }
    }

    /// Norms of the gradients of parts of a batch, where the noise scale is measured at this step.
    fn norms_of_parts(&mut self, step: u64, Batch { inputs, targets }: &Batch) -> Result<Option<SquaredNorm>, TrainError> {
        let every = self.spec.noise_scale_every;
        if every == 0 || !(step + 1).is_multiple_of(every) {
            return Ok(None);
        }
        noise::of_parts(&mut *self.learner, inputs, targets, self.spec.shape.context)
    }

    fn progress(&self, done: u64, readings: &[Reading]) -> Progress {
        let latest = readings.last().map_or(self.curve.latest_loss(), |reading| Some(reading.loss));
        Progress { step: done, steps: self.spec.steps, train_loss_nats: latest.filter(|loss| loss.is_finite()) }
    }

    /// Hands the state over, or ends the run, as the observer wishes.
    fn grant(&mut self, wish: Action, done: u64, observer: &mut dyn TrainingObserver) -> Result<(), TrainError> {
        if matches!(wish, Action::Checkpoint | Action::CheckpointAndStop) {
            let state = Checkpoint {
                step: done,
                own_from: self.own_from,
                seconds: self.seconds + observer.seconds(),
                learner: self.learner.state()?,
                noise: self.noise,
                history: self.curve.history().to_vec(),
            };
            observer.checkpoint(done, state.to_bytes(self.spec, self.device));
        }
        if matches!(wish, Action::Stop | Action::CheckpointAndStop) {
            return Err(TrainError::Interrupted { step: done });
        }
        Ok(())
    }

    /// Which held-out windows are read after a step before the last.
    fn read_after(&self, done: u64) -> Windows {
        if ends_an_epoch(done, self.spec.recipe.batch_tokens, self.unique) {
            Windows::All
        } else if self.some_windows.is_some() && done.is_multiple_of(self.spec.eval_every) {
            Windows::Some
        } else {
            Windows::None
        }
    }

    /// Mean loss of held-out windows, nats per token.
    fn held_out_loss(&mut self, windows: Windows) -> Result<Option<f64>, TrainError> {
        if windows == Windows::None {
            return Ok(None);
        }
        let Bound { windows: losses, .. } = self.window_losses(windows)?;
        Ok(Some(run_loss(&self.weights(), &losses)))
    }

    /// Loss of each of some held-out windows; of a run that fills gaps the bound on it, with what the choice of masks leaves uncertain.
    fn window_losses(&mut self, windows: Windows) -> Result<Bound, TrainError> {
        let some = self.some_windows.as_ref().filter(|_| windows == Windows::Some);
        let tokens = some.map_or(&self.held_out.tokens, |some| &some.tokens);
        let Some(gaps) = &self.gaps else {
            let losses = eval::window_losses(&mut *self.learner, tokens, self.spec.shape.context, self.spec.batch_sequences())?;
            return Ok(Bound { windows: losses, masks_error: 0.0 });
        };
        let places = some.map_or_else(|| (0..self.held_out.windows).collect(), |some| some.places.clone());
        gaps.bound(&mut *self.learner, tokens, &places)
    }

    /// What the losses of the parts of its data count for; nothing where they are no mixture.
    fn weights(&self) -> Vec<PartRecord> {
        self.spec.mixture.iter().map(PartRecord::from).collect()
    }

    /// The final measurement and the record of the run.
    fn finish(
        mut self,
        ended: Ended,
        corpus: &Corpus,
        opened: &Opened,
        observer: &mut dyn TrainingObserver,
    ) -> Result<TrainedRun, TrainError> {
        let diverged = Bound { windows: Vec::new(), masks_error: 0.0 };
        let Bound { windows: window_losses, masks_error } =
            if ended == Ended::Diverged { diverged } else { self.window_losses(Windows::All)? };
        let loss = run_loss(&self.weights(), &window_losses);
        let mut record = self.record(corpus, opened);
        if ended == Ended::Diverged || !loss.is_finite() {
            record.status = RunStatus::Diverged;
            return Ok(TrainedRun { record, curve: self.curve.points(None), window_losses: Vec::new() });
        }
        if observer.wants_weights() {
            observer.weights(Weights::to_bytes(self.spec, &self.learner.network_weights()?, loss));
        }
        record.status = RunStatus::Finished;
        record.loss_nats = Some(Nats(loss));
        record.loss_se_nats = if self.spec.corpus.pairs().is_some() {
            eval::ratio_error(&window_losses, &self.held_out.tokens, self.spec.shape.context)
        } else {
            run_loss_error(&record.parts, &window_losses)
        };
        mixed::lose(&mut record.parts, &window_losses);
        record.eval_tokens = Some(Tokens((window_losses.len() * self.spec.shape.context) as f64));
        record.bits_per_byte = record.bytes_per_token.map(|bytes| Nats(loss).to_bits_per_byte(bytes));
        record.train_loss_nats = self.curve.last_losses().map(Nats);
        record.floor_nats = self.held_out.floor_nats.as_deref().map(eval::mean);
        self.tell_of_fine_tuning(&mut record, loss, opened)?;
        if let Some(gaps) = &self.gaps {
            gaps.tell(&mut record, &mut *self.learner, &self.held_out.tokens, masks_error)?;
        }
        let differ = self.some_windows.as_ref().map_or(0.0, |some| some.differ(&self.weights(), &window_losses));
        let is_of_some = |step| !ends_an_epoch(step, self.spec.recipe.batch_tokens, self.unique);
        Ok(TrainedRun { record, curve: self.curve.moved(differ, is_of_some).points(Some(loss)), window_losses })
    }

    /// What fine-tuning measures beside the loss: which responses are exact, the loss on the base's own windows before and after, and after which epoch it was best.
    fn tell_of_fine_tuning(&mut self, record: &mut RunRecord, loss: f64, opened: &Opened) -> Result<(), TrainError> {
        let Some(fine_tuned) = &self.fine_tuned else { return Ok(()) };
        let (context, at_once) = (self.spec.shape.context, self.spec.batch_sequences());
        record.base_loss_after = Some(fine_tuned.base_loss(&mut *self.learner, context, at_once)?);
        if self.spec.corpus.pairs().is_some_and(PairsSpec::keeps_responses_apart) {
            let (exact, all) = eval::exact_matches(&mut *self.learner, &self.held_out.tokens, context, at_once)?;
            record.exact_match = Some(exact as f64 / all.max(1) as f64);
        }
        let mut before = network(self.spec, LearnerState::first(fine_tuned.first.clone()), *self.device, opened)?;
        record.base_loss_before = Some(fine_tuned.base_loss(&mut *before, context, at_once)?);
        let (batch_tokens, epoch) = (self.spec.recipe.batch_tokens, fine_tuned.epoch_tokens);
        let is_end = |step| ends_an_epoch(step, batch_tokens, Some(epoch));
        let (step, best) = fine_tuning::best(self.curve.history(), is_end, (self.spec.steps, loss));
        record.best_epoch = Some((step * batch_tokens) as f64 / epoch as f64);
        record.best_loss_nats = Some(Nats(best));
        Ok(())
    }

    /// What is known of the run however it ended.
    fn record(&self, corpus: &Corpus, opened: &Opened) -> RunRecord {
        let mut record = RunRecord {
            clip_fraction: self.curve.clip_fraction(),
            noise_scale_tokens: self.curve.noise_scale(),
            entropy_nats: corpus.entropy_nats(),
            device: Some(self.device.described(opened)),
            precision: Some(self.device.precision(self.spec.recipe.dtype)),
            ..RunRecord::planned(self.spec)
        };
        if let Some(parts) = &self.parts {
            parts.complete(&mut record);
        } else if let Some(unique) = self.unique {
            record.unique_tokens = Some(Tokens(unique as f64));
            record.epochs = Some(self.spec.tokens().0 / unique as f64);
        }
        record
    }
}

/// The squared norm of a step's whole batch.
fn whole_batch(tokens: usize, reading: Reading) -> SquaredNorm {
    SquaredNorm { tokens: tokens as f64, mean: reading.norm * reading.norm }
}

/// Whether an epoch at which the held-out loss is measured ends with step `done`: 1, 2, 3, 4, 6, 8, 12, 16, 24, … so that a run
/// which sees its data again and again shows whether it memorises them. Does not depend on how long the run is.
fn ends_an_epoch(done: u64, batch_tokens: u64, unique_tokens: Option<u64>) -> bool {
    let Some(unique) = unique_tokens.filter(|unique| *unique > 0) else { return false };
    let epochs = |steps: u64| steps * batch_tokens / unique;
    (epochs(done - 1) + 1..=epochs(done)).any(|epoch| matches!(epoch >> epoch.trailing_zeros(), 1 | 3))
}

/// Whether a run can be trained at all, before anything is allocated.
pub(super) fn check(spec: &RunSpec, corpus: &Corpus, device: Device) -> Result<(), TrainError> {
    spec.shape.check()?;
    device.check(spec.recipe.dtype)?;
    let (batch_tokens, context) = (spec.recipe.batch_tokens, spec.shape.context);
    if batch_tokens == 0 || !batch_tokens.is_multiple_of(context as u64) {
        return Err(TrainError::Batch { batch_tokens, context });
    }
    if spec.steps == 0 {
        return Err(TrainError::NoSteps { batch_tokens });
    }
    mixed::check(spec, corpus)?;
    if spec.eval_windows == 0 {
        return Err(TrainError::NoWindows);
    }
    let vocabulary = spec.objective.vocabulary(corpus.vocabulary());
    if vocabulary != spec.shape.vocabulary {
        let tokenizer = corpus.tokenizer().name;
        return Err(TrainError::Vocabulary { corpus: vocabulary, network: spec.shape.vocabulary, tokenizer });
    }
    if spec.objective.hides() && spec.stage.fine_tuning().is_some() {
        return Err(TrainError::Stage("what is fine-tuned predicts the next token, and this run hides tokens".into()));
    }
    Ok(())
}

/// What products on the processor are made of.
pub(super) fn factors(dtype: Dtype) -> Result<Factors, TrainError> {
    Factors::of(dtype).ok_or_else(|| TrainError::NotComputed { dtype, device: Device::Cpu.to_string() })
}

/// What a run trains: its network, or additions to that.
fn trained(
    spec: &RunSpec,
    fine_tuned: Option<&FineTuned>,
    state: LearnerState,
    device: Device,
    opened: &Opened,
) -> Result<Box<dyn Learner>, TrainError> {
    let Some(FineTuned { rank, first, .. }) = fine_tuned.filter(|it| it.rank > 0) else { return network(spec, state, device, opened) };
    let whole = network(spec, LearnerState::first(first.clone()), device, opened)?;
    Ok(Box::new(LowRank::new((&spec.shape, &spec.recipe.groups), *rank, whole, first.clone(), state)?))
}

/// The network of a run with its weights and moments, on its device.
pub(super) fn network(spec: &RunSpec, state: LearnerState, device: Device, opened: &Opened) -> Result<Box<dyn Learner>, TrainError> {
    let (shape, Recipe { groups, dtype, .. }, task) = (&spec.shape, &spec.recipe, Task::of(&spec.objective));
    if device.is_fused() {
        return Ok(Box::new(Fused::new(shape, groups, state, factors(*dtype)?).of_task(task)));
    }
    Ok(Box::new(Composed::new(shape, groups, &state, opened, *dtype)?.of_task(task)?))
}
