//! The observer of a training run. Training owns no clock and writes no file: an observer says when a checkpoint is wanted and
//! what becomes of it.

use crate::spec::Progress;
use std::ops::ControlFlow;

/// What an observer wants after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Training continues.
    Continue,
    /// Hand over a checkpoint, then train on.
    Checkpoint,
    /// Hand over a checkpoint, then stop.
    CheckpointAndStop,
    /// Stop without a checkpoint.
    Stop,
}

/// Is called after every step of a run.
pub trait TrainingObserver {
    /// Called after every step; what is to be done before the next.
    fn after_step(&mut self, progress: &Progress) -> Action;

    /// Seconds that the run took since it was begun or resumed.
    fn seconds(&self) -> f64 {
        0.0
    }

    /// Takes the checkpoint that it asked for, as the bytes of a safetensors file.
    fn checkpoint(&mut self, step: u64, state: Vec<u8>);

    /// Whether the weights of the run are wanted when it finished.
    fn wants_weights(&self) -> bool {
        false
    }

    /// Takes the weights of a run that finished, as the bytes of a safetensors file.
    fn weights(&mut self, _file: Vec<u8>) {}
}

/// An observer that follows the progress, and may stop the run.
pub(crate) struct ProgressObserver<'a>(pub(crate) &'a mut dyn FnMut(&Progress) -> ControlFlow<()>);

impl TrainingObserver for ProgressObserver<'_> {
    fn after_step(&mut self, progress: &Progress) -> Action {
        if (self.0)(progress).is_break() { Action::Stop } else { Action::Continue }
    }

    fn checkpoint(&mut self, _: u64, _: Vec<u8>) {}
}
