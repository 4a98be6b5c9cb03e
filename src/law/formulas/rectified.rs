//! L = B/(D_l + D^β) + E over the examples D that a network was fine-tuned on (Lin 2402.02314): a power law that begins late, as if
//! pre-training had seen D_l^(1/β) examples of the task. One network, one task.

use crate::law::Variable;
use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::spec::EXAMPLES;

/// The rectified law of one network.
#[derive(Debug, Clone, Copy)]
pub struct Rectified;

/// Examples as a variable.
const OF_EXAMPLES: Variable = Variable::Named(EXAMPLES);

impl Formula for Rectified {
    const COUNT: usize = 4;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "rectified"
    }

    fn text(&self) -> &'static str {
        "L(D_ft) = B/(D_l + D_ft^beta) + E, D_ft examples or tokens of fine-tuning"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Lin et al. 2024, arXiv 2402.02314",
            checked: Some("its authors' runs and residuals"),
            known: "one network on one task. On each of the 90 published curves (30 networks, three tasks, 200 to 1.6 M examples) the root mean square of ln L is at most the published one, .0064, .0116 and .0051 on average. D_l^(1/beta) is how many examples of the task pre-training is worth where the curve bends, and hardly determined where it does not; runs before fine-tuning (no examples) are left out",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("B", OF_EXAMPLES, 3),
                Coefficient::positive("D_l", 1e-9..1e30, &[]),
                Coefficient::exponent("beta", OF_EXAMPLES),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[OF_EXAMPLES] }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + c[1] / (c[2] + (c[3] * at.ln(OF_EXAMPLES)).exp())
    }

    /// ln E; in the middle of the data the logarithm of the falling term and that of D_l over D^β; β times the spread of ln D.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let beta = x[3] * (1.0 / centre.spread(OF_EXAMPLES));
        let middle = beta * centre.mean(OF_EXAMPLES);
        let before = (x[2] + middle).exp();
        vec![x[0].exp(), x[1].exp() * (before + middle.exp()), before, beta]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let middle = c[3] * centre.mean(OF_EXAMPLES);
        vec![c[0].ln(), c[1].ln() - (c[2] + middle.exp()).ln(), c[2].ln() - middle, c[3] * centre.spread(OF_EXAMPLES)]
    }

    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>> {
        const EXPONENTS: [f64; 9] = [0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.85, 1.2, 1.8];
        let spread = centre.spread(OF_EXAMPLES);
        vec![vec![-6.0, -3.0, -1.5, 0.0, 1.0, 2.0, 3.5, 5.0, 8.0], EXPONENTS.map(|beta| beta * spread).to_vec()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};
    use proptest::prelude::*;

    fn of(examples: f64) -> Point {
        Point { covariates: vec![(EXAMPLES.to_owned(), examples)], ..Point::new(1e8, 1e10, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            e in 0.2..2.0, ln_b in 0.0..8.0, ln_l in -1.0..8.0, beta in 0.1..1.0, ln_d in 5.0..15.0,
        ) {
            let law = Law::of(Rectified, [e, f64::exp(ln_b), f64::exp(ln_l), beta]);
            assert_derivatives(&law, &of(f64::exp(ln_d)));
        }
    }

    #[test]
    fn losses_worked_by_hand_and_the_flat_part_and_the_power_at_its_ends() {
        // 12/(1 + √25) + 1.
        let law = Law::of(Rectified, [1.0, 12.0, 1.0, 0.5]);
        assert!((law.loss(&of(25.0)) - 3.0).abs() < 1e-14);
        let late = Law::of(Rectified, [1.0, 3e6, 1e6, 0.5]);
        assert!((late.loss(&of(1.0)) - 4.0).abs() < 1e-5, "before D_l it hardly falls");
        assert!(((law.loss(&of(1e12)) - 1.0) / (12.0 / 1e6) - 1.0).abs() < 1e-5, "far beyond it is a power");
    }
}
