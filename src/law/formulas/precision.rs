//! L = E + A/N_eff^α + B/D^β with N_eff = N·(1 − e^(−P/γ)) for weights of P bits in training (Kumar 2411.04330): what weights of few
//! bits are worth in weights of many. Of the paper's product over weights, activations and cache the part of weights.

use crate::law::Variable;
use crate::law::formula::{Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::spec::BITS;

/// The law of sizes in few bits.
#[derive(Debug, Clone, Copy)]
pub struct Precision;

/// Bits as a variable.
const OF_BITS: Variable = Variable::Named(BITS);

impl Formula for Precision {
    const COUNT: usize = 6;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "precision"
    }

    fn text(&self) -> &'static str {
        "L(N, D, P) = E + A/N_eff^alpha + B/D^beta, N_eff = N (1 - exp(-P/gamma)), P bits of a weight"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Kumar et al. 2024, arXiv 2411.04330",
            checked: Some("a transcription of the paper, for N_eff; its coefficients are not checked"),
            known: "the part of weights of a product over weights, activations and cache; all trained in P bits. Recovered from simulated runs; runs of two or more precisions tell gamma from A",
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
                Coefficient::positive("gamma", 1e-2..1e3, &[0.7, 1.5, 3.0, 6.0, 12.0]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[Variable::N, Variable::D, OF_BITS] }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let bits = at.read(|point| OF_BITS.of(point).unwrap_or(f64::NAN));
        let kept = (bits / c[5]).saturating();
        c[0] + c[1] * at.power(Variable::N, c[3]) * kept.pow(-c[3]) + c[2] * at.power(Variable::D, c[4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Law, Point, assert_derivatives};
    use proptest::prelude::*;

    fn of(n: f64, d: f64, bits: f64) -> Point {
        Point { covariates: vec![(BITS.to_owned(), bits)], ..Point::new(n, d, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(gamma in 0.5..5.0, bits in 2.0..16.0, ln_n in 15.0..22.0, ln_d in 18.0..25.0) {
            let law = Law::of(Precision, [1.7, 400.0, 400.0, 0.34, 0.28, gamma]);
            assert_derivatives(&law, &of(f64::exp(ln_n), f64::exp(ln_d), bits));
        }
    }

    #[test]
    fn many_bits_are_the_additive_law_and_a_loss_worked_by_hand() {
        let Chinchilla { e, a, b, alpha, beta } = Chinchilla::default();
        let law = Law::of(Precision, [e, a, b, alpha, beta, 0.25]);
        assert!((law.loss(&of(1e9, 2e10, 32.0)) / Chinchilla::default().at(1e9, 2e10) - 1.0).abs() < 1e-12);
        // P = γ·ln 2 halves N: 1 + 8/√(32/2) + 6/√9.
        let law = Law::of(Precision, [1.0, 8.0, 6.0, 0.5, 0.5, 4.0]);
        assert!((law.loss(&of(32.0, 9.0, 4.0 * 2f64.ln())) - 5.0).abs() < 1e-12);
    }
}
