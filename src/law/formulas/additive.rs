//! L(N, D) = E + A/N^α + B/D^β as a formula (Hoffmann 2203.15556, approach 3).

use crate::law::Chinchilla;
use crate::law::Variable;
use crate::law::formula::{Coefficient, Formula, Place, Source};
use crate::law::number::Number;

/// The additive law as a formula.
#[derive(Debug, Clone, Copy)]
pub struct Additive;

impl Formula for Additive {
    const COUNT: usize = 5;

    fn name(&self) -> &'static str {
        "chinchilla"
    }

    fn text(&self) -> &'static str {
        "L(N, D) = E + A/N^alpha + B/D^beta"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Hoffmann et al. 2022, approach 3, arXiv 2203.15556",
            checked: Some("data and code of its replication, arXiv 2404.10102"),
            known: "optima in closed form. On the 240 published runs by huber-log: A 477.83, B 2143.4, E 1.8172, alpha .3473, beta .3672; other estimators end elsewhere on the same runs. Worse than gamma in forecasts on most public tables",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("A", Variable::N, 3),
                Coefficient::factor("B", Variable::D, 4),
                Coefficient::exponent("alpha", Variable::N),
                Coefficient::exponent("beta", Variable::D),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }

    fn is_power_sum(&self) -> bool {
        true
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + c[1] * at.power(Variable::N, c[3]) + c[2] * at.power(Variable::D, c[4])
    }

    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        Some(Chinchilla::from_coefficients(c))
    }
}

#[cfg(test)]
mod tests {
    use crate::law::{Chinchilla, Point, assert_derivatives};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            e in 0.2..3.0, a in 10.0..5000.0, b in 10.0..5000.0, alpha in 0.15..0.8, beta in 0.15..0.8, ln_n in 10.0..25.0, ln_d in 12.0..28.0
        ) {
            assert_derivatives(&Chinchilla { e, a, b, alpha, beta }.into(), &Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0));
        }
    }
}
