//! One run on one device; the only room that imports candle.
//!
//! [`train_from`] is the loop, readable top to bottom: batches come from the corpus as a function of the step,
//! the learning rate from the schedule as a function of the step, so nothing but weights and moments is
//! carried along. How a network is computed hides behind one small trait: composed of candle's own
//! operations on any device, or fused by hand on the processor.

mod adamw;
mod checkpoint;
mod compare;
mod composed;
mod curve;
mod device;
mod error;
mod eval;
mod fine_tuning;
mod flush;
mod fused;
mod gaps;
mod guard;
mod init;
mod kernels;
mod laid_out;
mod learner;
mod lookup;
mod low_rank;
mod meter;
mod mixed;
mod network;
mod noise;
mod observer;
mod prefetch;
mod probe;
mod sealed;
mod training;
mod transformer;
mod weights;
mod workspace;

pub use checkpoint::Checkpoint;
pub use compare::{Comparison, compare};
pub use error::TrainError;
pub use meter::{StepParts, start_metering, stop_metering};
pub use observer::{Action, TrainingObserver};
pub use probe::{FlushProbe, GemmProbe, StepProbe};
pub use sealed::CheckpointError;
pub use training::{train_from, train_from_base};
pub use weights::Weights;

use crate::corpus::Corpus;
use crate::spec::{Device, Progress, RunSpec, TrainedRun};
use observer::ProgressObserver;
use std::ops::ControlFlow;

/// Trains one run from its first step; `observer` is called after every step and may stop the run.
pub fn train(
    spec: &RunSpec,
    corpus: &Corpus,
    device: &Device,
    observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<TrainedRun, TrainError> {
    train_from(None, spec, corpus, device, &mut ProgressObserver(observer))
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
