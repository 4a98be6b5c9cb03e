//! L = E + A1/N_nv^α1 + A2/N_v^α2 + B/D^β with N_v = V·width the parameters of the vocabulary and N_nv the others (Tao 2407.13623). The
//! paper's loss is relative to that of unigrams, so that its floor is below 0; here losses are above 0, in bits per byte, say.

use crate::law::formula::{Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::law::{Point, Variable};
use crate::spec::VOCABULARY_PARAMS;

/// The law of vocabularies.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary;

/// N_v as a variable.
const OF_VOCABULARY: Variable = Variable::Named(VOCABULARY_PARAMS);

/// N_nv; NaN where the vocabulary has all parameters.
fn others(point: &Point) -> f64 {
    OF_VOCABULARY.of(point).map_or(f64::NAN, |of_vocabulary| point.n - of_vocabulary)
}

impl Formula for Vocabulary {
    const COUNT: usize = 7;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "vocabulary"
    }

    fn text(&self) -> &'static str {
        "L = E + A1/N_nv^alpha1 + A2/N_v^alpha2 + B/D^beta, N_v = V width, N_nv = N - N_v, form unverified"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Tao et al. 2024, arXiv 2407.13623",
            checked: None,
            known: "losses must be above 0 and comparable between tokenizers, such as bits per byte; the paper's loss is relative to unigrams and has a floor below 0. N counts one matrix over the vocabulary (tied, or matmul). Runs of one size with several vocabularies tell N_v from N. Recovered from simulated runs",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("A1", Variable::N, 4),
                Coefficient::factor("A2", OF_VOCABULARY, 5),
                Coefficient::factor("B", Variable::D, 6),
                Coefficient::exponent("alpha1", Variable::N),
                Coefficient::exponent("alpha2", OF_VOCABULARY),
                Coefficient::exponent("beta", Variable::D),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[Variable::N, OF_VOCABULARY, Variable::D] }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let ln_others = at.read(|point| others(point).ln());
        c[0] + c[1] * (-(c[4] * ln_others)).exp() + c[2] * at.power(OF_VOCABULARY, c[5]) + c[3] * at.power(Variable::D, c[6])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, assert_derivatives};
    use proptest::prelude::*;

    fn of(n: f64, of_vocabulary: f64, d: f64) -> Point {
        Point { covariates: vec![(VOCABULARY_PARAMS.to_owned(), of_vocabulary)], ..Point::new(n, d, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            e in 0.3..1.5, alpha1 in 0.2..0.5, alpha2 in 0.2..0.6, beta in 0.2..0.5, ln_n in 17.0..22.0, share in 0.05..0.6, ln_d in 20.0..25.0,
        ) {
            let law = Law::of(Vocabulary, [e, 60.0, 200.0, 400.0, alpha1, alpha2, beta]);
            let n = f64::exp(ln_n);
            assert_derivatives(&law, &of(n, share * n, f64::exp(ln_d)));
        }
    }

    #[test]
    fn losses_worked_by_hand_and_none_without_other_parameters() {
        // 1 + 6/√9 + 8/√16 + 10/√25.
        let law = Law::of(Vocabulary, [1.0, 6.0, 8.0, 10.0, 0.5, 0.5, 0.5]);
        assert!((law.loss(&of(25.0, 16.0, 25.0)) - 7.0).abs() < 1e-14);
        assert!(law.loss(&of(16.0, 16.0, 25.0)).is_infinite() && law.loss(&of(15.0, 16.0, 25.0)).is_nan());
    }
}
