//! What the laws say: formulas with named coefficients, evaluated at points (N, D, C, L).
//! Pure arithmetic on `f64`; units are weights, tokens, FLOPs and nats per token throughout.

mod chinchilla;
mod compute;
mod curved;
mod data_constrained;
mod envelope;
mod evidence;
mod gamma;
mod isoflop;
mod kaplan;
mod per_byte;
mod power;
mod published;
mod recipe;
mod replicates;
mod simulate;
mod three_term;
mod trials;
mod tuned;

pub use chinchilla::Chinchilla;
pub use compute::ComputeCount;
pub use curved::{Bound, COORDINATES, CurvedLaw, Jet};
pub use data_constrained::DataConstrained;
pub use envelope::{LossCurve, Lowest, envelope};
pub use evidence::{Evidence, Exclusion, Point, points, shape_of};
pub use gamma::Gamma;
pub use isoflop::{Parabola, vertex_bias};
pub use kaplan::Kaplan;
pub use per_byte::{in_bits_per_byte, tokenizers};
pub use power::{Axis, PowerLaw};
pub use published::{PUBLISHED, PublishedLaw, published};
pub use recipe::{FRONTIERS, PowerRule, PublishedFrontier, PublishedRecipe, RECIPES, Scale, published_frontier, published_recipe};
pub use replicates::{blocks_of, replicates};
pub use simulate::{Cell, Design, Noise, Sharing, Tails, simulate, simulate_with};
pub use three_term::ThreeTerm;
pub use trials::{RecipeTrials, Trial, recipe_trials};
pub use tuned::{Tuned, TunedCell, tuned};

use std::fmt;

/// A formula with named coefficients: from a point to a predicted loss and its derivatives.
pub trait Law: Clone + fmt::Debug + Send + Sync {
    /// Name used in files and on the command line.
    fn name(&self) -> String;
    /// The formula, for a person.
    fn formula(&self) -> &'static str;
    /// Names of the coefficients, in the order of [`Law::theta`].
    fn coefficients(&self) -> &'static [&'static str];
    /// What of a point it depends on.
    fn variables(&self) -> Vec<Variable>;
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
    /// U, distinct tokens.
    Unique,
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
            Self::Unique => point.unique_tokens,
        }
    }
}

/// The gradient of a law against central differences: the rounding of the loss over the step, beside step².
#[cfg(test)]
fn assert_gradient(law: &impl Law, point: &Point) {
    let (theta, gradient) = (law.theta(), law.gradient(point));
    for j in 0..theta.len() {
        let step = 1e-5 * theta[j];
        let moved = |by: f64| {
            let mut moved = theta.clone();
            moved[j] += by;
            law.with_theta(&moved).loss(point)
        };
        let difference = (moved(step) - moved(-step)) / (2.0 * step);
        let allowed = 1e-6 * gradient[j].abs() + 1e-15 * law.loss(point) / step;
        assert!((difference - gradient[j]).abs() <= allowed, "{} {j}: {difference} {}", law.name(), gradient[j]);
    }
}
