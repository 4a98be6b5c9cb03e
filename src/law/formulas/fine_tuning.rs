//! L = A·X^(−α)·D_ft^(−β) + E for networks that were pre-trained and then fine-tuned on D_ft examples (Zhang 2402.17193): X is what
//! their pre-training differs in, N, or its tokens, or else the rank of low-rank updates. All X share E and β.

use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::law::{Point, Variable};
use crate::spec::{EXAMPLES, RANK};
use std::collections::BTreeSet;

/// The joint law of pre-training and fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FineTuning {
    /// X: [`Variable::N`], [`Variable::D`] (tokens of pre-training) or the rank.
    pub size: Variable,
}

/// Examples as a variable.
const OF_EXAMPLES: Variable = Variable::Named(EXAMPLES);
/// The rank as a variable.
const OF_RANK: Variable = Variable::Named(RANK);

const fn coefficients(size: Variable) -> [Coefficient; 4] {
    [
        Coefficient::floor("E"),
        Coefficient::factor("A", size, 2),
        Coefficient::exponent("alpha", size),
        Coefficient::exponent("beta", OF_EXAMPLES),
    ]
}

impl Formula for FineTuning {
    const COUNT: usize = 4;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "fine-tuning"
    }

    fn text(&self) -> &'static str {
        match self.size {
            Variable::D => "L(D, D_ft) = E + A D^-alpha D_ft^-beta, D tokens of pre-training, D_ft examples of fine-tuning",
            OF_RANK => "L(r, D_ft) = E + A r^-alpha D_ft^-beta, r rank of the updates, D_ft examples of fine-tuning",
            _ => "L(N, D_ft) = E + A N^-alpha D_ft^-beta, D_ft examples or tokens of fine-tuning",
        }
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Zhang et al. 2024, arXiv 2402.17193",
            checked: Some("a transcription of the paper, for the form; no coefficients are checked"),
            known: "N is X where sizes vary; tokens of pre-training stand in its place where these take more values, and the rank of low-rank updates where neither varies. The product of two powers does better on held-out runs than their sum (.0048 against .0079), alpha is .03 of size, .02 to .03 of pre-training tokens, and below .01 of what parameter-efficient methods add. Recovered from simulated runs",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        match self.size {
            Variable::D => const { &coefficients(Variable::D) },
            OF_RANK => const { &coefficients(OF_RANK) },
            _ => const { &coefficients(Variable::N) },
        }
    }

    fn variables(&self) -> &'static [Variable] {
        match self.size {
            Variable::D => const { &[Variable::D, OF_EXAMPLES] },
            OF_RANK => const { &[OF_RANK, OF_EXAMPLES] },
            _ => const { &[Variable::N, OF_EXAMPLES] },
        }
    }

    /// X is what takes the most values; of as many N before tokens before the rank.
    fn over(&self, points: &[Point]) -> Option<Self> {
        let values = |variable: Variable| points.iter().filter_map(|point| variable.of(point)).map(f64::to_bits).collect::<BTreeSet<u64>>();
        let all = [Variable::N, Variable::D, OF_RANK].map(|variable| (values(variable).len(), variable));
        let most = all.iter().map(|(count, _)| *count).max()?;
        all.iter().find(|(count, _)| *count == most).map(|(_, size)| Self { size: *size })
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + c[1] * at.power(self.size, c[2]) * at.power(OF_EXAMPLES, c[3])
    }

    /// ln E, ln of the falling term in the middle of the data, exponents times the spreads of their variables.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let (alpha, beta) = (x[2] * (1.0 / centre.spread(self.size)), x[3] * (1.0 / centre.spread(OF_EXAMPLES)));
        vec![x[0].exp(), (x[1] + alpha * centre.mean(self.size) + beta * centre.mean(OF_EXAMPLES)).exp(), alpha, beta]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let middle = c[2] * centre.mean(self.size) + c[3] * centre.mean(OF_EXAMPLES);
        vec![c[0].ln(), c[1].ln() - middle, c[2] * centre.spread(self.size), c[3] * centre.spread(OF_EXAMPLES)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, assert_derivatives};
    use proptest::prelude::*;

    fn of(n: f64, d: f64, rank: f64, examples: f64) -> Point {
        let covariates = vec![(RANK.to_owned(), rank), (EXAMPLES.to_owned(), examples)];
        Point { covariates, ..Point::new(n, d, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            e in 0.2..2.0, ln_a in 1.0..5.0, alpha in 0.02..0.4, beta in 0.05..0.5, ln_x in 15.0..23.0, ln_d in 5.0..15.0,
        ) {
            let point = of(f64::exp(ln_x), 3.0 * f64::exp(ln_x), 16.0, f64::exp(ln_d));
            for size in [Variable::N, Variable::D, OF_RANK] {
                assert_derivatives(&Law::of(FineTuning { size }, [e, f64::exp(ln_a), alpha, beta]), &point);
            }
        }
    }

    #[test]
    fn losses_worked_by_hand_by_each_variable() {
        let law = |size| Law::of(FineTuning { size }, [1.0, 24.0, 0.5, 0.5]);
        let point = of(16.0, 36.0, 4.0, 9.0);
        let losses = [Variable::N, Variable::D, OF_RANK].map(|size| law(size).loss(&point));
        // 1 + 24/(√16·√9), /(√36·√9), /(√4·√9).
        for (found, expected) in losses.iter().zip([3.0, 1.0 + 24.0 / 18.0, 5.0]) {
            assert!((found - expected).abs() < 1e-14, "{losses:?}");
        }
    }

    #[test]
    fn what_varies_stands_for_pre_training() {
        let chosen = |points: &[Point]| FineTuning { size: Variable::N }.over(points).map(|form| form.size);
        assert_eq!(chosen(&[of(1.0, 1.0, 4.0, 1.0), of(2.0, 1.0, 8.0, 1.0)]), Some(Variable::N));
        assert_eq!(chosen(&[of(1.0, 1.0, 4.0, 1.0), of(1.0, 2.0, 4.0, 1.0)]), Some(Variable::D));
        assert_eq!(chosen(&[of(1.0, 1.0, 4.0, 1.0), of(1.0, 1.0, 8.0, 1.0)]), Some(OF_RANK));
    }
}
