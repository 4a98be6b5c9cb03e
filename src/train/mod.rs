//! One run on one device; the only room that imports candle.
//!
//! [`train`] is the loop, readable top to bottom: batches come from the corpus as a function of the step,
//! the learning rate from the schedule as a function of the step, so nothing but weights and moments is
//! carried along. How a network is computed hides behind one small trait: composed of candle's own
//! operations on any device, or fused by hand on the processor.

mod adamw;
mod attend;
mod checkpoint;
mod compare;
mod composed;
mod curve;
mod device;
mod eval;
mod flush;
mod fused;
mod guard;
mod init;
mod kernels;
mod learner;
mod lookup;
mod meter;
mod noise;
mod prefetch;
mod probe;
mod transformer;
mod workspace;

pub use attend::{Attendant, Wish};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use compare::{Comparison, compare};
pub use device::TrainDevice;
pub use meter::{StepParts, start_metering, stop_metering};
pub use probe::{FlushProbe, GemmProbe, StepProbe};

use crate::corpus::{Corpus, CorpusError, Order};
use crate::spec::{Dtype, Nats, Progress, Recipe, RunRecord, RunSpec, RunStatus, ShapeError, Tokens, TrainedRun};
use adamw::Update;
use attend::Watching;
use candle_core::Device;
use composed::Composed;
use curve::{Curve, StepFacts};
use fused::Fused;
use init::Layout;
use learner::{Learner, LearnerState, Reading};
use noise::SquaredNorm;
use prefetch::{BatchSource, Batches};
use std::ops::ControlFlow;
use std::thread;

/// Why a run cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The network cannot be built.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The corpus cannot serve the run.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// No steps to train.
    #[error("a run of 0 steps trains nothing; raise its tokens to at least one batch of {batch_tokens}")]
    NoSteps {
        /// Tokens per step.
        batch_tokens: u64,
    },
    /// Nothing to measure the loss on.
    #[error("0 held-out windows measure nothing; raise eval.windows")]
    NoWindows,
    /// The batch is not made of whole sequences.
    #[error("a batch of {batch_tokens} tokens is not a whole number of sequences of {context}; use a multiple of the context")]
    Batch {
        /// Tokens per step.
        batch_tokens: u64,
        /// Tokens per sequence.
        context: usize,
    },
    /// The corpus has another vocabulary than the network.
    #[error(
        "the corpus has a vocabulary of {corpus} tokens ({tokenizer}), the network one of {network}: it was planned, or its checkpoint made, with another tokenizer; plan again or restore the tokenizer"
    )]
    Vocabulary {
        /// Of the corpus.
        corpus: usize,
        /// Of the network.
        network: usize,
        /// Name of the tokenizer of the corpus.
        tokenizer: String,
    },
    /// A name that is no device.
    #[error("`{0}` is not a device; use cpu, cpu-composed, cuda:0, metal:0, or auto alone for what there is")]
    UnknownDevice(String),
    /// A device that this program was built without.
    #[error("{device}: this build has no {feature}; build it with `cargo build --release --features {feature}` (README, section GPUs)")]
    NotBuilt {
        /// Its name.
        device: String,
        /// The feature that is missing.
        feature: &'static str,
    },
    /// A device that this machine lacks.
    #[error("{device}: this machine shows {found} such devices; {}", match found { 0 => "is a driver installed and CUDA_VISIBLE_DEVICES right?".to_owned(), n => format!("the last is number {}", n - 1) })]
    NotFound {
        /// Its name.
        device: String,
        /// How many there are.
        found: usize,
    },
    /// A number format that the device does not have.
    #[error(
        "recipe.dtype = \"{dtype}\": {device} computes in f32 alone: the processor would widen both factors of every product, so that it is slower than f32 and less exact; say dtype = \"f32\", or train on a GPU with --device cuda:0 or metal:0"
    )]
    NotComputed {
        /// The number format.
        dtype: Dtype,
        /// Name of the device.
        device: String,
    },
    /// The device cannot be opened.
    #[error("the device {device} cannot be used: {reason}")]
    Device {
        /// Its name.
        device: String,
        /// What its driver says.
        reason: String,
    },
    /// The first loss is not that of a network that knows nothing.
    #[error(
        "the loss before the first step is {found:.4} nats, not ln(vocabulary) = {expected:.4}; the first weights are wrong for this shape"
    )]
    FirstLoss {
        /// As measured.
        found: f64,
        /// ln V.
        expected: f64,
    },
    /// A parameter that cannot learn.
    #[error("parameter {parameter} has {problem} at the first step; this shape, context or corpus leaves it nothing to learn from")]
    FirstGradient {
        /// Its name.
        parameter: String,
        /// `no gradient` or `a gradient that is not finite`.
        problem: &'static str,
    },
    /// The observer asked to stop.
    #[error("interrupted after step {step}")]
    Interrupted {
        /// Steps done.
        step: u64,
    },
    /// A tensor operation failed: out of memory, or a fault of ours.
    #[error("a tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// Trains one run from its first step; `observer` is called after every step and may stop the run.
pub fn train(
    spec: &RunSpec,
    corpus: &Corpus,
    device: &TrainDevice,
    observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<TrainedRun, TrainError> {
    train_from(None, spec, corpus, device, &mut Watching(observer))
}

/// Trains one run from a checkpoint, or from its first step, and measures its held-out loss.
///
/// The result depends on the spec, the corpus, the code and the kind of device alone, not on where it was
/// interrupted. A loss or gradient norm that is not finite ends the run as diverged, which is a result and no error.
/// The record lacks what only its executor knows (host, clock, memory).
pub fn train_from(
    checkpoint: Option<Checkpoint>,
    spec: &RunSpec,
    corpus: &Corpus,
    device: &TrainDevice,
    attendant: &mut dyn Attendant,
) -> Result<TrainedRun, TrainError> {
    check(spec, corpus, *device)?;
    let (context, sequences) = (spec.shape.context, spec.batch_sequences());
    let order = Order { seed: spec.seeds.data, unique_tokens: spec.unique_tokens };
    let unique = spec.unique_tokens.or_else(|| corpus.unique_tokens(context));
    let held_out = corpus.held_out(spec.seeds.eval, spec.eval_windows as usize, context)?;
    let layout = Layout::of(&spec.shape);
    let Checkpoint { step: first, own_from, seconds, learner, mut noise, history } =
        checkpoint.unwrap_or_else(|| Checkpoint::first(spec, &layout));
    let opened = device.open()?;
    let mut learner = network(spec, learner, *device, &opened)?;
    let mut curve = Curve::resumed(spec, &history);

    let source = BatchSource { corpus, order, sequences, context };
    let ended = thread::scope(|scope| -> Result<Ended, TrainError> {
        let mut batches = if device.is_fused() { Batches::in_place(source) } else { Batches::ahead(source, first..spec.steps, scope) };
        for step in first..spec.steps {
            let batch = batches.of(step);
            let (inputs, targets) = (&batch.inputs, &batch.targets);
            let measured = spec.noise_scale_every > 0 && (step + 1).is_multiple_of(spec.noise_scale_every);
            let parts = if measured { noise::of_parts(&mut *learner, inputs, targets, context)? } else { None };
            let update = Update::new(&spec.recipe.adamw, step, spec.learning_rate(step));
            let mut readings = learner.step(inputs, targets, &update, spec.recipe.grad_clip)?;

            let done = step + 1;
            let latest = readings.last().map_or(curve.latest_loss(), |reading| Some(reading.loss));
            let progress = Progress { step: done, steps: spec.steps, train_loss_nats: latest.filter(|loss| loss.is_finite()) };
            let wish = attendant.after_step(&progress);
            let epoch_ends = done < spec.steps && ends_an_epoch(done, spec.recipe.batch_tokens, unique);
            if step == 0 || parts.is_some() || epoch_ends || done == spec.steps || wish != Wish::GoOn {
                readings.extend(learner.settle()?);
            }
            if let (0, Some(reading)) = (step, readings.last()) {
                guard::first_step(&layout, reading.loss, &learner.flat_gradient()?, spec.shape.vocabulary)?;
            }
            for reading in readings {
                let at = curve.history().len() as u64;
                let mut facts = StepFacts::of(reading, spec.recipe.grad_clip);
                if at == step {
                    facts.noise_scale = parts.and_then(|parts| noise.take(parts, whole_batch(inputs.len(), reading)));
                }
                if at == step && epoch_ends && reading.is_finite() {
                    let losses = eval::window_losses(&mut *learner, &held_out.tokens, context, sequences)?;
                    facts.held_out_loss = Some(eval::mean(&losses));
                }
                curve.record(spec, at, &facts);
                if !reading.is_finite() {
                    return Ok(Ended::Diverged);
                }
            }

            if matches!(wish, Wish::Keep | Wish::KeepAndStop) {
                let (seconds, history) = (seconds + attendant.seconds(), curve.history().to_vec());
                let state = Checkpoint { step: done, own_from, seconds, learner: learner.state()?, noise, history };
                attendant.keep(done, state.to_bytes(spec, device));
            }
            if matches!(wish, Wish::Stop | Wish::KeepAndStop) {
                return Err(TrainError::Interrupted { step: done });
            }
        }
        Ok(Ended::AfterItsLastStep)
    })?;
    let diverged = ended == Ended::Diverged;

    let window_losses = if diverged { Vec::new() } else { eval::window_losses(&mut *learner, &held_out.tokens, context, sequences)? };
    let loss = eval::mean(&window_losses);
    let mut record = RunRecord {
        clip_fraction: curve.clip_fraction(),
        noise_scale_tokens: curve.noise_scale(),
        entropy_nats: corpus.entropy_nats(),
        device: Some(device.described(&opened)),
        precision: Some(device.precision(spec.recipe.dtype)),
        ..RunRecord::planned(spec)
    };
    if let Some(unique) = unique {
        record.unique_tokens = Some(Tokens(unique as f64));
        record.epochs = Some(spec.tokens().0 / unique as f64);
    }
    if diverged || !loss.is_finite() {
        record.status = RunStatus::Diverged;
        return Ok(TrainedRun { record, curve: curve.points(None), window_losses: Vec::new() });
    }
    record.status = RunStatus::Finished;
    record.loss_nats = Some(Nats(loss));
    record.loss_se_nats = eval::standard_error(&window_losses);
    record.eval_tokens = Some(Tokens((window_losses.len() * context) as f64));
    record.bits_per_byte = record.bytes_per_token.map(|bytes| Nats(loss).to_bits_per_byte(bytes));
    record.train_loss_nats = curve.last_losses().map(Nats);
    record.floor_nats = held_out.floor_nats.as_deref().map(eval::mean);
    Ok(TrainedRun { record, curve: curve.points(Some(loss)), window_losses })
}

/// How the steps of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    AfterItsLastStep,
    Diverged,
}

/// The squared norm of a step's whole batch.
fn whole_batch(tokens: usize, reading: Reading) -> SquaredNorm {
    SquaredNorm { tokens: tokens as f64, mean: reading.norm * reading.norm }
}

/// Whether an epoch at which the held-out loss is measured ends with step `done`: 1, 2, 3, 4, 6, 8, 12, 16, 24, … so that a run
/// which sees its data again and again shows whether it learns them by heart. Does not depend on how long the run is.
fn ends_an_epoch(done: u64, batch_tokens: u64, unique_tokens: Option<u64>) -> bool {
    let Some(unique) = unique_tokens.filter(|unique| *unique > 0) else { return false };
    let epochs = |steps: u64| steps * batch_tokens / unique;
    (epochs(done - 1) + 1..=epochs(done)).any(|epoch| matches!(epoch >> epoch.trailing_zeros(), 1 | 3))
}

/// Whether a run can be trained at all, before anything is allocated.
fn check(spec: &RunSpec, corpus: &Corpus, device: TrainDevice) -> Result<(), TrainError> {
    spec.shape.check()?;
    device.check(spec.recipe.dtype)?;
    let (batch_tokens, context) = (spec.recipe.batch_tokens, spec.shape.context);
    if batch_tokens == 0 || !batch_tokens.is_multiple_of(context as u64) {
        return Err(TrainError::Batch { batch_tokens, context });
    }
    if spec.steps == 0 {
        return Err(TrainError::NoSteps { batch_tokens });
    }
    if spec.eval_windows == 0 {
        return Err(TrainError::NoWindows);
    }
    if corpus.vocabulary() != spec.shape.vocabulary {
        let tokenizer = corpus.tokenizer().name;
        return Err(TrainError::Vocabulary { corpus: corpus.vocabulary(), network: spec.shape.vocabulary, tokenizer });
    }
    Ok(())
}

/// The network of a run with its weights and moments, on its device.
fn network(spec: &RunSpec, state: LearnerState, device: TrainDevice, opened: &Device) -> Result<Box<dyn Learner>, TrainError> {
    let (shape, Recipe { groups, dtype, .. }) = (&spec.shape, &spec.recipe);
    if device.is_fused() {
        return Ok(Box::new(Fused::new(shape, groups, state)));
    }
    Ok(Box::new(Composed::new(shape, groups, &state, opened, *dtype)?))
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod coordinates;
#[cfg(test)]
mod denormals;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
