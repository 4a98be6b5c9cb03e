//! One run of a plan, with what is known of it before it is trained: its name, its cost, and whom it shares steps with.

use crate::spec::RunSpec;

/// What a token of evaluation costs, in training tokens: one of the three passes that training makes.
pub const EVALUATION: f64 = 1.0 / 3.0;

/// One run of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Everything that determines the result of the run.
    pub spec: RunSpec,
    /// Identifier of the run: a hash of `spec`.
    pub id: String,
    /// Predicted seconds on one worker from the first step on, evaluation included.
    pub predicted_seconds: f64,
    /// The trunk that it may share with others.
    pub branch: Option<Branch>,
    /// The chain of an adaptive search that it belongs to.
    pub chain: Option<Chain>,
}

/// Where a run meets the others of its trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Name of the trunk.
    pub trunk_id: String,
    /// The first step that is the run's own.
    pub step: u64,
}

/// A chain of families, small to large on one budget: what is tried on one depends on those before it and on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain {
    /// Its number in the grid.
    pub number: usize,
    /// What one run of each of its families costs on a usual core, picoseconds.
    pub picoseconds: u128,
}

impl PlannedRun {
    /// The part of its steps that a run makes itself when it begins where it branches off.
    pub fn branch_share(&self) -> f64 {
        self.branch.as_ref().map_or(1.0, |branch| 1.0 - branch.step as f64 / self.spec.steps as f64)
    }

    /// Predicted seconds of that part; its evaluation is shared with nobody.
    pub fn branch_seconds(&self) -> f64 {
        let (trained, evaluated) = (self.spec.tokens().0, evaluation(&self.spec));
        self.predicted_seconds * (trained * self.branch_share() + evaluated) / (trained + evaluated)
    }
}

/// What the evaluation of a run costs, in training tokens.
pub(super) fn evaluation(spec: &RunSpec) -> f64 {
    // What is fine-tuned reads the windows of its base before and after.
    let of_base = spec.stage.fine_tuning().map_or(0, |it| 2 * it.base.eval_windows);
    // A bound is read in several passes, and hidden tokens as in training in one more.
    let passes = if spec.objective.hides() { spec.objective.passes() + 1 } else { 1 };
    EVALUATION * ((spec.eval_windows * passes + of_base) * spec.shape.context as u64) as f64
}
