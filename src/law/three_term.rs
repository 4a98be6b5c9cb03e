//! L(N, B, S) = E + A/N^α + G/B^β + H/S^γ: size, batch in tokens and optimizer steps (Schaipp 2607.01487). Runs with a
//! batch that was not the best one inform it too, and the best batch of a data budget D = B·S follows in closed form.

use super::{Law, Point, SeparableLaw, Term, Variable};
use serde::{Deserialize, Serialize};

/// L = E + A/N^α + G/B^β + H/S^γ, in nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThreeTerm {
    /// E, the loss of unlimited weights, batch and steps.
    pub e: f64,
    /// A, factor of the size term.
    pub a: f64,
    /// G, factor of the batch term.
    pub g: f64,
    /// H, factor of the step term.
    pub h: f64,
    /// α, exponent of N.
    pub alpha: f64,
    /// β, exponent of the batch.
    pub beta: f64,
    /// γ, exponent of the steps.
    pub gamma: f64,
}

impl Default for ThreeTerm {
    /// A form to be fitted; no coefficients of the paper were at hand to check.
    fn default() -> Self {
        Self { e: 1.7, a: 400.0, g: 30.0, h: 30.0, alpha: 0.34, beta: 0.4, gamma: 0.4 }
    }
}

impl ThreeTerm {
    /// Predicted loss of N weights, a batch of B tokens and S steps, nats per token.
    pub fn at(&self, n: f64, batch: f64, steps: f64) -> f64 {
        self.e + self.a * n.powf(-self.alpha) + self.g * batch.powf(-self.beta) + self.h * steps.powf(-self.gamma)
    }

    /// Batch in tokens that minimises the loss of D = B·S tokens: (βG/(γH))^(1/(β+γ))·D^(γ/(β+γ)), at any N.
    pub fn optimal_batch(&self, tokens: f64) -> f64 {
        let sum = self.beta + self.gamma;
        (self.beta * self.g / (self.gamma * self.h)).powf(1.0 / sum) * tokens.powf(self.gamma / sum)
    }
}

/// Batch and steps of a point; NaN where it carries none.
fn batch_and_steps(point: &Point) -> (f64, f64) {
    (point.batch.unwrap_or(f64::NAN), point.steps.unwrap_or(f64::NAN))
}

impl Law for ThreeTerm {
    fn name(&self) -> String {
        "three-term".into()
    }

    fn formula(&self) -> &'static str {
        "L(N, B, S) = E + A/N^alpha + G/B^beta + H/S^gamma, B tokens a step, S steps"
    }

    fn coefficients(&self) -> &'static [&'static str] {
        &["E", "A", "G", "H", "alpha", "beta", "gamma"]
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::N, Variable::Batch, Variable::Steps]
    }

    fn theta(&self) -> Vec<f64> {
        vec![self.e, self.a, self.g, self.h, self.alpha, self.beta, self.gamma]
    }

    fn with_theta(&self, theta: &[f64]) -> Self {
        Self { e: theta[0], a: theta[1], g: theta[2], h: theta[3], alpha: theta[4], beta: theta[5], gamma: theta[6] }
    }

    fn loss(&self, point: &Point) -> f64 {
        let (batch, steps) = batch_and_steps(point);
        self.at(point.n, batch, steps)
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        let (batch, steps) = batch_and_steps(point);
        let [n, b, s] = [point.n.powf(-self.alpha), batch.powf(-self.beta), steps.powf(-self.gamma)];
        vec![1.0, n, b, s, -self.a * n * point.n.ln(), -self.g * b * batch.ln(), -self.h * s * steps.ln()]
    }
}

impl SeparableLaw for ThreeTerm {
    fn terms(&self) -> Vec<Term> {
        vec![
            Term { variable: Variable::One, factor: 0, exponent: None },
            Term { variable: Variable::N, factor: 1, exponent: Some(4) },
            Term { variable: Variable::Batch, factor: 2, exponent: Some(5) },
            Term { variable: Variable::Steps, factor: 3, exponent: Some(6) },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::assert_gradient;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let point = Point { batch: Some(65_536.0), steps: Some(20_000.0), ..Point::new(1e8, 1.3e9, 1.0) };
        assert_gradient(&ThreeTerm::default(), &point);
    }

    #[test]
    fn a_loss_worked_by_hand_and_the_best_batch() {
        // 1 + 10/100^½ + 8/16^½ + 12/9^½ = 1 + 1 + 2 + 4.
        let law = ThreeTerm { e: 1.0, a: 10.0, g: 8.0, h: 12.0, alpha: 0.5, beta: 0.5, gamma: 0.5 };
        assert!((law.at(100.0, 16.0, 9.0) - 8.0).abs() < 1e-12);
        // β = γ: B = (G/H)·√D = ⅔·√144; a tenth more or less is worse.
        let best = law.optimal_batch(144.0);
        assert!((best - 8.0).abs() < 1e-12);
        let loss = |batch: f64| law.at(100.0, batch, 144.0 / batch);
        assert!(loss(best) < loss(1.1 * best) && loss(best) < loss(best / 1.1));
    }
}
