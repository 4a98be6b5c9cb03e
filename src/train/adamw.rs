//! AdamW (Loshchilov & Hutter 1711.05101) with decay groups and global-norm clipping.
//!
//! The constants of a step are worked out in f64 ([`Update`]); the fused CPU path applies them in one pass
//! over the flat buffers, the composed path in tensor operations. The order of sums is fixed.

use super::init::Layout;
use crate::spec::AdamW;
use std::ops::Range;

/// The constants of one update. With g' = clip·g:
/// m ← β₁m + (1−β₁)g',  v ← β₂v + (1−β₂)g'²,  w ← (1−decay)·w − rate·m / (√v·root_correction + ε).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    /// What the gradient is multiplied by: min(1, largest norm / norm).
    pub(crate) clip: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// Learning rate over the bias correction of the mean, η / (1 − β₁ᵗ).
    pub(crate) rate: f64,
    /// 1/√(1 − β₂ᵗ).
    pub(crate) root_correction: f64,
    /// Learning rate times weight decay; acts on decaying groups alone.
    pub(crate) decay: f64,
}

impl Update {
    /// The constants of step `step` (from 0) at a learning rate, for a gradient that is multiplied by `clip`.
    pub(crate) fn new(adamw: &AdamW, step: u64, learning_rate: f64, clip: f64) -> Self {
        let t = step as f64 + 1.0;
        Self {
            clip,
            beta1: adamw.beta1,
            beta2: adamw.beta2,
            eps: adamw.eps,
            rate: learning_rate / (1.0 - adamw.beta1.powf(t)),
            root_correction: 1.0 / (1.0 - adamw.beta2.powf(t)).sqrt(),
            decay: learning_rate * adamw.weight_decay,
        }
    }
}

/// What a gradient of a given norm is multiplied by so that its norm is at most `largest`; 0 means no limit.
pub(crate) fn clip_factor(norm: f64, largest: f64) -> f64 {
    if largest > 0.0 && norm > largest { largest / norm } else { 1.0 }
}

/// The flat ranges on which weight decay acts and those on which it does not, in order, neighbours merged.
pub(crate) fn decay_ranges(layout: &Layout) -> Vec<(Range<usize>, bool)> {
    let mut ranges: Vec<(Range<usize>, bool)> = Vec::new();
    for parameter in &layout.parameters {
        let (range, decays) = (parameter.range(), parameter.group.decays());
        match ranges.last_mut() {
            Some((last, same)) if *same == decays => last.end = range.end,
            _ => ranges.push((range, decays)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ModelShape;

    #[test]
    fn only_matrices_and_the_head_decay() {
        let layout = Layout::of(&ModelShape::derived(2, 32));
        let ranges = decay_ranges(&layout);
        assert_eq!(ranges.first().map(|(range, decays)| (range.start, *decays)), Some((0, false)));
        assert_eq!(ranges.last().map(|(range, decays)| (range.end, *decays)), Some((layout.total, true)));
        let decaying: usize = ranges.iter().filter(|(_, decays)| *decays).map(|(range, _)| range.len()).sum();
        assert_eq!(decaying, 2 * 4 * 32 * 32 + 2 * 3 * 32 * 88 + 256 * 32);
    }

    #[test]
    fn a_gradient_is_shortened_to_the_largest_norm_and_never_lengthened() {
        assert_eq!(clip_factor(4.0, 1.0), 0.25);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(1e9, 0.0), 1.0);
    }
}
