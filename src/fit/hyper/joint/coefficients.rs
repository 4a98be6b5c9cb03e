//! The numbers behind a joint surface: in each cell, K and T about a place that moves with the cell. The place is first the middle
//! of what was tried and then, step by step, the minimum itself, where the slopes of the surface vanish (Gauss and Newton).

use super::super::curved_axes::CurvedAxes;
use super::super::power_fit::{Basis, PowerFit};
use super::super::shape::Shape;
use crate::fit::linear::gradient;
use crate::law::{RecipeTrials, Scale};

/// Coefficients and the places that they are about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) basis: Basis,
    pub(super) curved_axes: CurvedAxes,
    /// In each setting, a constant and a slope for each variable of the basis: where v is 0 in a cell.
    pub(super) path: [Vec<f64>; 2],
    /// Means of the logarithms that the basis takes.
    pub(super) means: Vec<f64>,
    /// Squares, then for each setting a constant and a slope for each variable of the basis, then cubes.
    pub(super) beta: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
}

impl Core {
    pub(super) fn about(cells: &[&RecipeTrials], basis: Basis, curved_axes: CurvedAxes) -> Self {
        let trials = || cells.iter().flat_map(|cell| cell.trials.iter().filter(|trial| trial.loss.is_some()));
        let count = trials().count().max(1) as f64;
        let columns: Vec<Vec<f64>> = cells.iter().map(|cell| basis.columns(&cell.scale)).collect();
        let width = basis.names().len();
        let means = (0..width).map(|j| columns.iter().map(|row| row[j]).sum::<f64>() / columns.len() as f64).collect();
        let still = |mean: f64| std::iter::once(mean).chain(std::iter::repeat_n(0.0, width)).collect();
        let path = [
            still(trials().map(|trial| trial.learning_rate.ln()).sum::<f64>() / count),
            still(trials().map(|trial| trial.batch.ln()).sum::<f64>() / count),
        ];
        Self { basis, curved_axes, path, means, beta: Vec::new(), covariance: Vec::new() }
    }

    /// The same surface about its own minimum, with what bends it to one side; not fitted.
    pub(super) fn leaning(&self) -> Self {
        Self { curved_axes: self.curved_axes.leaning(), ..self.moved(1.0) }
    }

    /// The same about a place nearer to its minimum, by a share of the way; not fitted.
    pub(super) fn moved(&self, share: f64) -> Self {
        let towards = |axis: usize| -> Vec<f64> {
            if !self.bends_in(axis) {
                return self.path[axis].clone();
            }
            self.path[axis].iter().zip(self.optimum(&self.beta, axis)).map(|(at, by)| at + share * by).collect()
        };
        Self { path: [towards(0), towards(1)], beta: Vec::new(), covariance: Vec::new(), ..self.clone() }
    }

    /// How far the minimum lies from the place in that one of the cells where it lies farthest, in ln of a setting.
    pub(super) fn off(&self, cells: &[&RecipeTrials]) -> f64 {
        let of = |cell: &&RecipeTrials| self.minimum(&self.beta, &self.place(&cell.scale));
        cells.iter().map(of).map(|[x, y]| x.hypot(y)).fold(0.0, f64::max)
    }

    /// Columns of K, of the moving slopes and of T for a run.
    pub(super) fn row(&self, recipe: [f64; 2], scale: &Scale) -> Vec<f64> {
        let z = self.place(scale);
        let v = self.relative(recipe, &z);
        let mut row = self.curved_axes.squares(v);
        for slope in self.curved_axes.slopes(v) {
            row.extend(z.iter().map(|z| slope * z));
        }
        row.extend(self.curved_axes.cubes(v));
        row
    }

    /// (1, centred logarithms).
    pub(super) fn place(&self, scale: &Scale) -> Vec<f64> {
        std::iter::once(1.0).chain(self.basis.columns(scale).iter().zip(&self.means).map(|(z, mean)| z - mean)).collect()
    }

    fn relative(&self, recipe: [f64; 2], z: &[f64]) -> [f64; 2] {
        [0, 1].map(|axis| recipe[axis] - dot(&self.path[axis], z))
    }

    pub(super) fn curvature(&self) -> [f64; 3] {
        self.shape(&self.beta).curvature([0.0; 2])
    }

    /// K and T, without slopes.
    pub(super) fn shape(&self, beta: &[f64]) -> Shape {
        let squares = self.curved_axes.squares([0.0; 2]).len();
        let slopes = self.curved_axes.count() * (self.means.len() + 1);
        Shape::new(self.curved_axes, &[], &beta[..squares], &beta[squares + slopes..])
    }

    /// Coefficients of the minimum in one setting, relative to the path, T left out: a constant and a slope for each variable.
    fn optimum(&self, beta: &[f64], axis: usize) -> Vec<f64> {
        let width = self.means.len() + 1;
        let squares = self.curved_axes.squares([0.0; 2]).len();
        let slope = |setting: usize, j: usize| beta[squares + setting * width + j];
        (0..width)
            .map(|j| match (self.curved_axes.rate, self.curved_axes.batch) {
                (true, true) => {
                    let [kxx, kxy, kyy] = [beta[0], 0.5 * beta[1], beta[2]];
                    let (sx, sy, determinant) = (slope(0, j), slope(1, j), kxx * kyy - kxy * kxy);
                    let solved = if axis == 0 { kyy * sx - kxy * sy } else { kxx * sy - kxy * sx };
                    -0.5 * solved / determinant
                }
                _ => -0.5 * slope(0, j) / beta[0],
            })
            .collect()
    }

    /// The minimum of a cell relative to the path.
    fn minimum(&self, beta: &[f64], z: &[f64]) -> [f64; 2] {
        [0, 1].map(|axis| if self.bends_in(axis) { dot(&self.optimum(beta, axis), z) } else { 0.0 })
    }

    fn bends_in(&self, axis: usize) -> bool {
        if axis == 0 { self.curved_axes.rate } else { self.curved_axes.batch }
    }

    pub(super) fn law(&self, axis: usize, degrees: f64, level: f64, cells: usize) -> Option<PowerFit> {
        if !self.bends_in(axis) {
            return None;
        }
        let mut value = self.optimum(&self.beta, axis);
        let gradients: Vec<Vec<f64>> = (0..value.len()).map(|j| gradient(&self.beta, |beta| self.optimum(beta, axis)[j])).collect();
        let cross = |i: usize, j: usize| {
            let moved: Vec<f64> = self.covariance.iter().map(|row| dot(row, &gradients[j])).collect();
            dot(&gradients[i], &moved)
        };
        let covariance = (0..value.len()).map(|i| (0..value.len()).map(|j| cross(i, j)).collect()).collect();
        value.iter_mut().zip(&self.path[axis]).for_each(|(value, at)| *value += at);
        Some(PowerFit::new(self.basis, self.means.clone(), value, covariance, degrees, level, cells))
    }

    /// K and T of a recipe's distance from the minimum.
    pub(super) fn excess(&self, beta: &[f64], recipe: [f64; 2], scale: &Scale) -> f64 {
        let z = self.place(scale);
        let (v, minimum) = (self.relative(recipe, &z), self.minimum(beta, &z));
        self.shape(beta).at([0, 1].map(|axis| if self.bends_in(axis) { v[axis] - minimum[axis] } else { 0.0 }))
    }

    /// How far the minimum lies below the level of a cell's rows, which hold v·K·v + slopes·v.
    pub(super) fn depth(&self, beta: &[f64], z: &[f64]) -> f64 {
        Shape::new(self.curved_axes, &[], &beta[..self.curved_axes.squares([0.0; 2]).len()], &[]).at(self.minimum(beta, z))
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}
