//! AdamW (Loshchilov & Hutter 1711.05101) with decay groups and global-norm clipping.
//!
//! The constants of a step are worked out in f64 ([`Update`]); the fused CPU path applies them in one pass
//! over the flat buffers, the composed path in tensor operations. The order of sums is fixed.

use super::init::Layout;
use crate::spec::{AdamW, GroupFactors, OptimizerGroups};
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
    /// Learning rate times weight decay.
    pub(crate) decay: f64,
}

impl Update {
    /// The constants of step `step` (from 0) at a learning rate, for a gradient as it is.
    pub(crate) fn new(adamw: &AdamW, step: u64, learning_rate: f64) -> Self {
        let t = step as f64 + 1.0;
        Self {
            clip: 1.0,
            beta1: adamw.beta1,
            beta2: adamw.beta2,
            eps: adamw.eps,
            rate: learning_rate / (1.0 - adamw.beta1.powf(t)),
            root_correction: 1.0 / (1.0 - adamw.beta2.powf(t)).sqrt(),
            decay: learning_rate * adamw.weight_decay,
        }
    }

    /// The same step for a group of parameters.
    pub(crate) fn times(&self, factors: GroupFactors) -> Self {
        Self { rate: self.rate * factors.rate, decay: self.decay * factors.rate * factors.decay, ..*self }
    }
}

/// What a gradient of a given norm is multiplied by so that its norm is at most `largest`; 0 means no limit.
pub(crate) fn clip_factor(norm: f64, largest: f64) -> f64 {
    if largest > 0.0 && norm > largest { largest / norm } else { 1.0 }
}

/// The flat ranges that share their factors, in order, neighbours merged.
pub(crate) fn factor_ranges(layout: &Layout, groups: &OptimizerGroups, width: usize) -> Vec<(Range<usize>, GroupFactors)> {
    let mut ranges: Vec<(Range<usize>, GroupFactors)> = Vec::new();
    for parameter in &layout.parameters {
        let (range, factors) = (parameter.range(), groups.of(parameter.group, width));
        match ranges.last_mut() {
            Some((last, same)) if *same == factors => last.end = range.end,
            _ => ranges.push((range, factors)),
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
        let ranges = factor_ranges(&layout, &OptimizerGroups::default(), 32);
        assert_eq!(ranges.first().map(|(range, factors)| (range.start, factors.decay)), Some((0, 0.0)));
        assert_eq!(ranges.last().map(|(range, factors)| (range.end, factors.decay)), Some((layout.total, 1.0)));
        let decaying: usize = ranges.iter().filter(|(_, factors)| factors.decay > 0.0).map(|(range, _)| range.len()).sum();
        assert_eq!(decaying, 2 * 4 * 32 * 32 + 2 * 3 * 32 * 88 + 256 * 32);
    }

    #[test]
    fn factors_multiply_the_rate_and_the_decay_with_it() {
        let update = Update::new(&AdamW::default(), 0, 1e-2);
        assert_eq!(update.times(GroupFactors { rate: 1.0, decay: 1.0 }), update);
        let slower = update.times(GroupFactors { rate: 0.5, decay: 2.0 });
        assert_eq!((slower.rate, slower.decay), (0.5 * update.rate, update.decay));
        assert_eq!(update.times(GroupFactors { rate: 1.0, decay: 0.0 }).decay, 0.0);
    }

    #[test]
    fn a_gradient_is_shortened_to_the_largest_norm_and_never_lengthened() {
        assert_eq!(clip_factor(4.0, 1.0), 0.25);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(1e9, 0.0), 1.0);
    }
}
