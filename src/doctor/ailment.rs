//! What can ail a run, with its usual cause and what to change.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What can ail a run, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// The loss ends far above where it has been, or stops being a number.
    Diverges,
    /// The loss stays where it began.
    NeverFalls,
    /// The gradient all but vanishes while the loss stands still.
    DeadGradients,
    /// The loss on held-out text lies above that on the training text, which was seen more than once.
    Overfits,
    /// The rate rises so fast that the first steps throw the network off.
    WarmupTooShort,
    /// The rate reaches its peak only late in the run.
    WarmupTooLong,
    /// After a first fall the loss stands still.
    Stuck,
    /// The gradient is cut at most steps.
    ClipsMostSteps,
    /// Single losses or gradients stand far out, and the curve comes back.
    SpikesAndRecovers,
    /// The loss wanders up and down by more than its noise.
    Oscillates,
    /// The fall comes late and is not over at the end.
    Underfits,
    /// A run that differs in a lower learning rate alone ends clearly better.
    RateTooHigh,
    /// A run that differs in a higher learning rate alone ends clearly better.
    RateTooLow,
    /// The loss stands still for a while and falls again.
    PlateausThenFalls,
    /// The curve, over its own end, is not that of the runs under its schedule.
    LeavesCollapse,
}

impl Ailment {
    /// Every ailment, gravest first.
    pub const ALL: [Self; 15] = [
        Self::Diverges,
        Self::NeverFalls,
        Self::DeadGradients,
        Self::Overfits,
        Self::WarmupTooShort,
        Self::WarmupTooLong,
        Self::Stuck,
        Self::ClipsMostSteps,
        Self::SpikesAndRecovers,
        Self::Oscillates,
        Self::Underfits,
        Self::RateTooHigh,
        Self::RateTooLow,
        Self::PlateausThenFalls,
        Self::LeavesCollapse,
    ];

    /// Likely cause, and what to change.
    pub(super) fn advice(self) -> (&'static str, &'static str) {
        match self {
            Self::Diverges => (
                "learning rate too high for this size, batch and warmup, or gradients that nothing limits",
                "lower the learning rate by a factor of 3; warm up longer; set grad_clip = 1",
            ),
            Self::NeverFalls => (
                "steps too small to move the weights (learning rate far too low, eps of AdamW too large), or data without anything to learn",
                "raise the learning rate by a factor of 10; if nothing changes, look at the corpus and its tokens",
            ),
            Self::DeadGradients => (
                "saturated or vanished activations: weights far too large or decayed to nothing",
                "lower learning rate and weight decay; check the initialisation",
            ),
            Self::Overfits => (
                "the corpus is too small for the number of tokens: the network memorises it",
                "more unique text, or fewer epochs (corpus.max_epochs); such a run says nothing of L(N, D)",
            ),
            Self::WarmupTooShort => (
                "the learning rate is too high before AdamW knows the size of gradients, or too high altogether",
                "warm up over 2 to 5 % of the steps; if the first steps still jump, lower the learning rate",
            ),
            Self::WarmupTooLong => (
                "warmup_tokens is large for the length of the run",
                "warm up over 2 to 5 % of the steps, so that most of them are made at the peak rate",
            ),
            Self::Stuck => (
                "learning rate too high to settle, or an early blow from which the network did not recover",
                "lower the learning rate by a factor of 3 and let it decay at the end; if the level stays, look at the data",
            ),
            Self::ClipsMostSteps => (
                "grad_clip below the usual norm of gradients, or a norm that grows (weights decayed away, rate too low or too high)",
                "set grad_clip to about twice the median norm, and look at weight decay and learning rate if the norm keeps growing",
            ),
            Self::SpikesAndRecovers => (
                "spoilt text in single batches where only the loss jumps; a learning rate or beta2 that is too high where gradients jump",
                "look at the documents of these steps; set grad_clip = 1; lower learning rate or beta2",
            ),
            Self::Oscillates => (
                "learning rate too high for the batch: the weights swing about the minimum",
                "lower the learning rate by a factor of 2 to 3, enlarge the batch, or let the rate decay",
            ),
            Self::Underfits => (
                "learning rate too low, decay of weights too strong, or far too few steps",
                "raise the learning rate by a factor of 3 to 10; if it is right, train longer",
            ),
            Self::RateTooHigh => (
                "learning rate too high, along a curve that shows nothing of it",
                "take the rate of the better run, and try one between the two",
            ),
            Self::RateTooLow => (
                "learning rate too low for the number of steps",
                "take the rate of the better run, and try a higher one if that is the highest",
            ),
            Self::PlateausThenFalls => (
                "something that is learnt late and at once; ends on the plateau and after it are not on one power law",
                "leave runs that end on the plateau out of fits of L(N, D), or train all of them past it",
            ),
            Self::LeavesCollapse => (
                "something happened to this run that did not to the others: spoilt batches, a blow that it recovers from, a setting that no column tells",
                "look at its curve beside those of its siblings there; train it again with another seed before a law rests on it",
            ),
        }
    }

    /// Whether it usually makes a run sick; else it is a remark.
    pub(super) fn is_fault(self) -> bool {
        !matches!(self, Self::PlateausThenFalls | Self::LeavesCollapse)
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Diverges => "diverges",
            Self::NeverFalls => "never falls",
            Self::DeadGradients => "dead gradients",
            Self::Overfits => "overfits",
            Self::WarmupTooShort => "warmup too short",
            Self::WarmupTooLong => "warmup too long",
            Self::Stuck => "stuck",
            Self::ClipsMostSteps => "clips most steps",
            Self::SpikesAndRecovers => "spikes and recovers",
            Self::Oscillates => "oscillates",
            Self::Underfits => "underfits",
            Self::RateTooHigh => "rate too high",
            Self::RateTooLow => "rate too low",
            Self::PlateausThenFalls => "plateaus, then falls",
            Self::LeavesCollapse => "leaves the curves of its siblings",
        })
    }
}
