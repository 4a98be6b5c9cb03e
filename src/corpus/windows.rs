//! The windows of a prepared text, whether it is read in blocks or as token files.

use super::prepare::{Form, Prepared};
use super::{CorpusError, HeldOut};

impl Prepared {
    /// Windows of context + 1 tokens, one starting every context tokens of the training side.
    pub(super) fn train_windows(&self, context: usize) -> u64 {
        match &self.form {
            Form::Blocks(text) => text.train_windows(context),
            Form::Streams(streams) => streams.train_windows(context),
        }
    }

    /// Windows of context + 1 tokens of the held-out side.
    pub(super) fn held_out_windows(&self, context: usize) -> u64 {
        match &self.form {
            Form::Blocks(text) => text.held_out_windows(context),
            Form::Streams(streams) => streams.held_out_windows(context),
        }
    }

    /// Fills `window` with the training window at a position of the shuffled stream; `bytes` is room to work in, as long as it.
    pub(super) fn fill_train_window(&self, seed: u64, position: u64, bytes: &mut [u8], window: &mut [u32]) {
        match &self.form {
            Form::Streams(streams) => streams.fill_train_window(seed, position, window),
            Form::Blocks(text) => {
                text.fill_train_window(seed, position, bytes);
                window.iter_mut().zip(bytes.iter()).for_each(|(slot, byte)| *slot = u32::from(*byte));
            }
        }
    }

    pub(super) fn held_out(&self, seed_eval: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        match &self.form {
            Form::Blocks(text) => text.held_out(seed_eval, windows, context),
            Form::Streams(streams) => streams.held_out(seed_eval, windows, context),
        }
    }
}
