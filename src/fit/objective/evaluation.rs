//! What an objective gives: its value and its derivatives by the coordinates.

use super::matrix::{Matrix, Phi};

/// Objective, gradient and Hessian by the coordinates.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(crate) value: f64,
    pub(crate) gradient: Phi,
    pub(crate) hessian: Matrix,
}

impl Evaluation {
    pub(crate) fn zero(dim: usize) -> Self {
        Self { value: 0.0, gradient: Phi::from_elem(0.0, dim), hessian: Matrix::zero(dim) }
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, part)| *sum += part);
        self.hessian.add(&other.hessian);
        self
    }
}

/// How much of an [`Evaluation`] is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Value,
    Gradient,
    Hessian,
    /// In place of the Hessian that of Gauss and Newton under reweighted squares, δ/|r| beyond δ: never indefinite, so that
    /// a search far from the minimum, where Huber's function has next to no curvature of its own, still knows where to go.
    Reweighted,
}
