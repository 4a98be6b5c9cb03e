//! The windows that no run trains on.

use crate::spec::sample::{mean, standard_error};

/// The windows that final losses are measured on, the same for every run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Token ids, [windows, context + 1] row-major; position i + 1 is the target of position i. [`split_window`](super::split_window)
    /// takes a window apart, of which not every token may count.
    pub tokens: Vec<u32>,
    /// Number of windows.
    pub windows: usize,
    /// Lowest possible mean loss of each window, nats per token, where the source is known exactly:
    /// the mean of −ln p(token | the source's past) over exactly the scored tokens.
    pub floor_nats: Option<Vec<f32>>,
}

impl HeldOut {
    /// The lowest mean loss possible on these windows, nats per token, and the standard error that windows drawn anew would have;
    /// none where the source is not known.
    pub fn floor(&self) -> Option<(f64, f64)> {
        let floors: Vec<f64> = self.floor_nats.as_ref()?.iter().map(|&floor| f64::from(floor)).collect();
        Some((mean(floors.iter().copied())?, standard_error(&floors).unwrap_or(0.0)))
    }
}
