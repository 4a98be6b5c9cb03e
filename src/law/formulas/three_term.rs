//! L(N, B, S) = E + A/N^α + G/B^β + H/S^γ: size, batch in tokens and optimizer steps (Schaipp 2607.01487). Runs with a
//! batch that was not the best one inform it too, and the best batch of a data budget D = B·S follows in closed form.

use crate::law::Variable;
use crate::law::formula::{Coefficient, Formula, Place, Source};
use crate::law::number::Number;

/// The law of size, batch and steps. No coefficients of the paper were at hand to check.
#[derive(Debug, Clone, Copy)]
pub struct ThreeTerm;

impl ThreeTerm {
    /// Batch in tokens that minimises the loss of D = B·S tokens at any N, from the coefficients of the law:
    /// (βG/(γH))^(1/(β+γ))·D^(γ/(β+γ)).
    pub fn optimal_batch(coefficients: &[f64], tokens: f64) -> f64 {
        let [g, h, beta, gamma] = [2, 3, 5, 6].map(|j| coefficients[j]);
        let sum = beta + gamma;
        (beta * g / (gamma * h)).powf(1.0 / sum) * tokens.powf(gamma / sum)
    }
}

impl Formula for ThreeTerm {
    const COUNT: usize = 7;

    fn name(&self) -> &'static str {
        "three-term"
    }

    fn text(&self) -> &'static str {
        "L(N, B, S) = E + A/N^alpha + G/B^beta + H/S^gamma, B tokens a step, S steps"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Schaipp et al. 2026, arXiv 2607.01487",
            checked: Some("a transcription of the paper; its coefficients are not checked"),
            known: "runs with a batch that is not the best inform it; the best batch of D tokens follows in closed form",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("A", Variable::N, 4),
                Coefficient::factor("G", Variable::Batch, 5),
                Coefficient::factor("H", Variable::Steps, 6),
                Coefficient::exponent("alpha", Variable::N),
                Coefficient::exponent("beta", Variable::Batch),
                Coefficient::exponent("gamma", Variable::Steps),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::Batch, Variable::Steps]
    }

    fn is_power_sum(&self) -> bool {
        true
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + c[1] * at.power(Variable::N, c[4]) + c[2] * at.power(Variable::Batch, c[5]) + c[3] * at.power(Variable::Steps, c[6])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};

    fn at(n: f64, batch: f64, steps: f64) -> Point {
        Point { batch: Some(batch), steps: Some(steps), ..Point::new(n, batch * steps, 1.0) }
    }

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let law = Law::of(ThreeTerm, [1.7, 400.0, 30.0, 30.0, 0.34, 0.4, 0.4]);
        assert_derivatives(&law, &at(1e8, 65_536.0, 20_000.0));
    }

    #[test]
    fn a_loss_worked_by_hand_and_the_best_batch() {
        // 1 + 10/100^½ + 8/16^½ + 12/9^½ = 1 + 1 + 2 + 4.
        let law = Law::of(ThreeTerm, [1.0, 10.0, 8.0, 12.0, 0.5, 0.5, 0.5]);
        assert!((law.loss(&at(100.0, 16.0, 9.0)) - 8.0).abs() < 1e-12);
        // β = γ: B = (G/H)·√D = ⅔·√144; a tenth more or less is worse.
        let best = ThreeTerm::optimal_batch(law.theta(), 144.0);
        assert!((best - 8.0).abs() < 1e-12);
        let loss = |batch: f64| law.loss(&at(100.0, batch, 144.0 / batch));
        assert!(loss(best) < loss(1.1 * best) && loss(best) < loss(best / 1.1));
    }
}
