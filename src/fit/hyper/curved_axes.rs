//! Which of learning rate and batch a surface bends in, and the columns that follow.

use crate::law::RecipeTrials;

/// Values of a setting that tell four coefficients along it and leave one over.
const WIDE: usize = 5;

/// Which settings the surface bends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CurvedAxes {
    pub(super) rate: bool,
    pub(super) batch: bool,
    /// Whether one side may be steeper than the other: terms of third order.
    pub(super) lean: bool,
}

impl CurvedAxes {
    /// Three values of a setting are needed to see a bend.
    pub(super) fn of(cell: &RecipeTrials) -> Self {
        let finished: Vec<_> = cell.trials.iter().filter(|trial| trial.loss.is_some()).cloned().collect();
        let cell = RecipeTrials { trials: finished, ..cell.clone() };
        Self { rate: cell.tried(|t| t.learning_rate).len() >= 3, batch: cell.tried(|t| t.batch).len() >= 3, lean: false }
    }

    /// Whether a cell tried so many values of each setting that bends that its runs tell one side from the other.
    pub(super) fn tried_widely(self, cell: &RecipeTrials) -> bool {
        let [rates, batches] = [cell.tried(|t| t.learning_rate).len(), cell.tried(|t| t.batch).len()];
        (!self.rate || rates >= WIDE) && (!self.batch || batches >= WIDE)
    }

    /// The same with terms of third order.
    pub(super) fn leaning(self) -> Self {
        Self { lean: true, ..self }
    }

    /// The second-order part of a row: x², xy, y², as far as it bends.
    pub(super) fn squares(self, [x, y]: [f64; 2]) -> Vec<f64> {
        match (self.rate, self.batch) {
            (true, true) => vec![x * x, x * y, y * y],
            (true, false) => vec![x * x],
            (false, true) => vec![y * y],
            (false, false) => Vec::new(),
        }
    }

    /// The third-order part: x³, x²y, xy², y³, as far as it bends.
    pub(super) fn cubes(self, [x, y]: [f64; 2]) -> Vec<f64> {
        match (self.lean, self.rate, self.batch) {
            (true, true, true) => vec![x * x * x, x * x * y, x * y * y, y * y * y],
            (true, true, false) => vec![x * x * x],
            (true, false, true) => vec![y * y * y],
            _ => Vec::new(),
        }
    }

    /// The first-order part.
    pub(super) fn slopes(self, [x, y]: [f64; 2]) -> Vec<f64> {
        [(self.rate, x), (self.batch, y)].into_iter().filter(|(on, _)| *on).map(|(_, value)| value).collect()
    }

    pub(super) fn count(self) -> usize {
        usize::from(self.rate) + usize::from(self.batch)
    }

    /// Settings that bend in at least one cell, taken over all runs of it.
    pub(super) fn common(cells: &[&RecipeTrials]) -> Self {
        let all: Vec<Self> = cells.iter().map(|cell| Self::of(cell)).collect();
        Self { rate: all.iter().any(|axes| axes.rate), batch: all.iter().any(|axes| axes.batch), lean: false }
    }

    /// Whether a surface of this curvature bends upwards in every direction that it bends in.
    pub(super) fn upwards(self, [kxx, kxy, kyy]: [f64; 3]) -> bool {
        match (self.rate, self.batch) {
            (true, true) => kxx > 0.0 && kyy > 0.0 && kxx * kyy > kxy * kxy,
            (true, false) => kxx > 0.0,
            _ => kyy > 0.0,
        }
    }
}
