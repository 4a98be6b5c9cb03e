//! L(C, M) = E + (a·M^η + b·M^(−η))·C^(−η), M = D/N tokens a parameter (Gadre 2403.08540): at any M the loss falls with compute by one
//! exponent. With C = 6·N·D, as its authors count, it is E + A/N^(2η) + B/D^(2η), the additive law with one exponent.

use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::law::{Chinchilla, Variable};

/// The law of over-training.
#[derive(Debug, Clone, Copy)]
pub struct OverTraining;

const LN_6: f64 = 1.791_759_469_228_055;

impl Formula for OverTraining {
    const COUNT: usize = 4;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "over-training"
    }

    fn text(&self) -> &'static str {
        "L(C, M) = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6 N D"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Gadre et al. 2024, arXiv 2403.08540",
            checked: Some("its authors' code, where the exponents of N and D are one"),
            known: "C is 6·N·D whatever the runs count. Its optimum has the same D/N at every budget, and compute is the same exponent at every D/N. Recovered from simulated runs",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("a", Variable::N, 3),
                Coefficient::factor("b", Variable::D, 3),
                Coefficient::exponent("eta", Variable::N),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let (ln_m, ln_c) = (at.ln_d - at.ln_n, at.ln_d + at.ln_n + T::constant(LN_6));
        c[0] + c[1] * (c[3] * (ln_m - ln_c)).exp() + c[2] * (-(c[3] * (ln_m + ln_c))).exp()
    }

    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        let scale = (-c[3] * LN_6).exp();
        Some(Chinchilla { e: c[0], a: c[1] * scale, b: c[2] * scale, alpha: 2.0 * c[3], beta: 2.0 * c[3] })
    }

    /// ln E, ln of the terms of N and of D in the middle of the data, 2η times the spread of ln N.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let eta = x[3] * (0.5 / centre.spread(Variable::N));
        let factor = |x: T, of| (x + eta * (2.0 * centre.mean(of) + LN_6)).exp();
        vec![x[0].exp(), factor(x[1], Variable::N), factor(x[2], Variable::D), eta]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let factor = |factor: f64, of| factor.ln() - c[3] * (2.0 * centre.mean(of) + LN_6);
        vec![c[0].ln(), factor(c[1], Variable::N), factor(c[2], Variable::D), 2.0 * c[3] * centre.spread(Variable::N)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{ComputeCount, Law, Point, assert_derivatives};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            e in 0.5..2.5, ln_a in 0.0..6.0, ln_b in 0.0..6.0, eta in 0.05..0.3, ln_n in 14.0..22.0, ln_d in 16.0..26.0,
        ) {
            let law = Law::of(OverTraining, [e, f64::exp(ln_a), f64::exp(ln_b), eta]);
            assert_derivatives(&law, &Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0));
        }
    }

    #[test]
    fn losses_worked_by_hand_and_optima_of_one_ratio() {
        // N = 2, D = 12: M = 6, C = 144; 1 + (24/√6·… with η = ½: (a·√6 + b/√6)/12.
        let law = Law::of(OverTraining, [1.0, 12.0, 24.0, 0.5]);
        let expected = 1.0 + (12.0 * 6f64.sqrt() + 24.0 / 6f64.sqrt()) / 12.0;
        assert!((law.at(2.0, 12.0) - expected).abs() < 1e-14);
        let same = law.same_optima().expect("additive");
        assert!((same.at(2.0, 12.0) - expected).abs() < 1e-14);
        // a·M^η + b·M^(−η) is least at M = (b/a)^(1/(2η)) = 2, at any budget.
        let count = ComputeCount::Bilinear { k: 6.0 };
        for c in [1e3, 1e9] {
            assert!((law.optimal_tokens(c, &count) / law.optimal_params(c, &count) - 2.0).abs() < 1e-9);
        }
    }
}
