//! What the laws say: formulas with named coefficients, evaluated at points (N, D, C, L).
//! Pure arithmetic on `f64`; units are weights, tokens, FLOPs and nats per token throughout.

mod chinchilla;
mod compute;
mod evidence;
mod isoflop;
mod power;
mod published;
mod simulate;
mod tuned;

pub use chinchilla::Chinchilla;
pub use compute::ComputeCount;
pub use evidence::{Evidence, Exclusion, Point, points, shape_of};
pub use isoflop::{Parabola, vertex_bias};
pub use power::{Axis, PowerLaw};
pub use published::{PUBLISHED, PublishedLaw, published};
pub use simulate::{Cell, Design, Noise, Sharing, simulate};
pub use tuned::{Tuned, TunedCell, tuned};

use std::fmt;

/// A formula with named coefficients: from a point to a predicted loss and its derivatives.
pub trait Law: Clone + fmt::Debug + Send + Sync {
    /// Name used in files and on the command line.
    fn name(&self) -> String;
    /// Names of the coefficients, in the order of [`Law::theta`].
    fn coefficients(&self) -> &'static [&'static str];
    /// Values of the coefficients.
    fn theta(&self) -> Vec<f64>;
    /// The same formula with other coefficients, in the order of [`Law::theta`].
    fn with_theta(&self, theta: &[f64]) -> Self;
    /// Predicted loss at a point, nats per token.
    fn loss(&self, point: &Point) -> f64;
    /// Derivatives of the predicted loss by each coefficient.
    fn gradient(&self, point: &Point) -> Vec<f64>;
}

/// A law that is a sum of powers, Σ wᵢ·xᵢ^(−sᵢ): for given exponents the rest is linear.
pub trait SeparableLaw: Law {
    /// The terms of the sum. A constant term, where there is one, comes first.
    fn terms(&self) -> Vec<Term>;
}

/// One term w·x^(−s) of a separable law; indices point into [`Law::theta`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// What is raised to a power.
    pub variable: Variable,
    /// Which coefficient is the factor w.
    pub factor: usize,
    /// Which coefficient is the exponent s; a constant term has none.
    pub exponent: Option<usize>,
}

/// A quantity of a point that a power may be taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// One: the term is a constant.
    One,
    /// N, weights.
    N,
    /// D, tokens.
    D,
    /// C, FLOPs.
    C,
    /// Batch, tokens per step.
    Batch,
    /// Optimizer steps.
    Steps,
}

impl Variable {
    /// Its value at a point; `None` where the point does not carry it.
    pub fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::One => Some(1.0),
            Self::N => Some(point.n),
            Self::D => Some(point.d),
            Self::C => Some(point.c),
            Self::Batch => point.batch,
            Self::Steps => point.steps,
        }
    }
}
