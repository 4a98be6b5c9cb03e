//! The grid of exponents on which variable projection begins, with the factors that are best in each cell.

use super::newton::{End, newton_to};
use crate::fit::objective::{Objective, Order, Phi, ResidualLoss, Scan, combinations};

/// Cells of a grid that are looked at, all or spread over it; for a refit, which also starts from the basins of the fit, fewer.
const CELLS: usize = 2000;
const FEW_CELLS: usize = 60;
/// Newton steps of the factors of one cell, and the decrement at which cells can be told apart.
const STEPS: usize = 12;
const TOLD_APART: f64 = 1e-4;

/// Cells with the best factors of each.
pub(crate) struct Grid {
    axes: Vec<Vec<f64>>,
    cells: Vec<End>,
    /// Whether every cell is there.
    whole: bool,
}

impl Grid {
    /// Solves every cell anew.
    pub(crate) fn of(sum: &Objective, loss: ResidualLoss, scan: Scan) -> Self {
        let axes = sum.scanned(scan);
        let size = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.len())).unwrap_or(usize::MAX);
        let factors: Vec<usize> = (0..sum.factors()).collect();
        let solved = |mut phi: Phi, place: &[f64]| {
            phi[sum.factors()..].copy_from_slice(place);
            newton_to(sum, loss, phi, &factors, STEPS, TOLD_APART)
        };
        if size > CELLS {
            let places = combinations(&axes, if scan == Scan::Fine { CELLS } else { FEW_CELLS });
            return Self { axes, cells: places.iter().map(|place| solved(sum.initial_factors(), place)).collect(), whole: false };
        }
        let mut cells: Vec<End> = Vec::with_capacity(size);
        for cell in 0..size {
            let place: Vec<f64> = (0..axes.len()).map(|k| axes[k][digit(&axes, cell, k)]).collect();
            let afresh = solved(sum.initial_factors(), &place);
            // The neighbour before along the first axis is a good start for the factors, but one that vanished there cannot
            // come back from it.
            let before = if axes.is_empty() || digit(&axes, cell, 0) == 0 { None } else { cells.last() };
            let beside = before.map(|end| solved(end.phi.clone(), &place));
            cells.push(beside.filter(|beside| beside.value < afresh.value).unwrap_or(afresh));
        }
        Self { axes, cells, whole: true }
    }

    /// The same cells, factors and all, on other losses or weights.
    pub(crate) fn valued(&self, sum: &Objective, loss: ResidualLoss) -> Self {
        let value = |cell: &End| End { value: sum.evaluate(loss, &cell.phi, Order::Value).value, ..cell.clone() };
        Self { axes: self.axes.clone(), cells: self.cells.iter().map(value).collect(), whole: self.whole }
    }

    /// Cells that no neighbour along an axis is below, best first. A grid of more than [`CELLS`] cells has no neighbours worth the
    /// name: all of those spread over it are told.
    pub(crate) fn basins(self) -> impl Iterator<Item = Phi> {
        let lowest: Vec<bool> = (0..self.cells.len()).map(|cell| !self.whole || self.is_lowest(cell)).collect();
        let mut found: Vec<End> = self.cells.into_iter().zip(lowest).filter_map(|(end, lowest)| lowest.then_some(end)).collect();
        found.sort_by(|left, right| left.value.total_cmp(&right.value));
        found.into_iter().map(|end| end.phi)
    }

    fn is_lowest(&self, cell: usize) -> bool {
        let mut stride = 1;
        (0..self.axes.len()).all(|k| {
            let (here, length) = (digit(&self.axes, cell, k), self.axes[k].len());
            let below = here == 0 || self.cells[cell - stride].value >= self.cells[cell].value;
            let above = here + 1 == length || self.cells[cell + stride].value >= self.cells[cell].value;
            stride *= length;
            below && above
        })
    }
}

/// Place of a cell along an axis, the first axis fastest.
fn digit(axes: &[Vec<f64>], cell: usize, axis: usize) -> usize {
    let stride: usize = axes[..axis].iter().map(Vec::len).product();
    cell / stride % axes[axis].len()
}
