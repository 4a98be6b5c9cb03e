//! Who stands by while a run trains. Training owns no clock and writes no file: an attendant says when the
//! state is wanted and what becomes of it.

use crate::spec::Progress;
use std::ops::ControlFlow;

/// What an attendant wants after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The next step.
    GoOn,
    /// The state, then the next step.
    Keep,
    /// The state, then an end.
    KeepAndStop,
    /// An end.
    Stop,
}

/// Stands by a run.
pub trait Attendant {
    /// Hears of every step.
    fn after_step(&mut self, progress: &Progress) -> Wish;

    /// Seconds that the run took since it was begun or resumed.
    fn seconds(&self) -> f64 {
        0.0
    }

    /// Takes the state that it wished for, as the bytes of a safetensors file.
    fn keep(&mut self, step: u64, state: Vec<u8>);
}

/// An attendant that only watches, and may stop the run.
pub(crate) struct Watching<'a>(pub(crate) &'a mut dyn FnMut(&Progress) -> ControlFlow<()>);

impl Attendant for Watching<'_> {
    fn after_step(&mut self, progress: &Progress) -> Wish {
        if (self.0)(progress).is_break() { Wish::Stop } else { Wish::GoOn }
    }

    fn keep(&mut self, _: u64, _: Vec<u8>) {}
}
