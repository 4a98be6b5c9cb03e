//! L(N, D) = [(N_c/N)^(α_N/α_D) + D_c/D]^α_D, the joint law of Kaplan 2001.08361 eq. 1.5. It has no irreducible term: loss
//! falls to 0 with N and D. One exponent of either variable, so that each limit is a plain power.

use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::law::{Chinchilla, Variable};

/// The joint law without a floor.
#[derive(Debug, Clone, Copy)]
pub struct Kaplan;

impl Kaplan {
    /// N_c, D_c, α_N, α_D of 2001.08361, table 2 (N without embeddings), widely reproduced.
    pub const PUBLISHED: [f64; 4] = [6.4e13, 1.8e13, 0.076, 0.103];
}

impl Formula for Kaplan {
    const COUNT: usize = 4;

    fn name(&self) -> &'static str {
        "kaplan"
    }

    fn text(&self) -> &'static str {
        "L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Kaplan et al. 2020, equation 1.5, arXiv 2001.08361",
            checked: Some("other papers that print it with its coefficients"),
            known: "no floor: losses fall to 0. Its coefficients hold for N without embeddings",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::factor("N_c", Variable::N, 2),
                Coefficient::factor("D_c", Variable::D, 3),
                Coefficient::exponent("alpha_N", Variable::N),
                Coefficient::positive("alpha_D", 1e-3..10.0, &[0.01, 0.02, 0.035, 0.06, 0.1, 0.17, 0.3, 0.5, 0.9]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let of_params = ((c[0].ln() - at.ln_n) * (c[2] / c[3])).exp();
        (of_params + (c[1].ln() - at.ln_d).exp()).pow(c[3])
    }

    /// The sum inside the power, which rises and falls with the loss.
    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        let alpha = c[2] / c[3];
        Some(Chinchilla { e: 0.0, a: c[0].powf(alpha), b: c[1], alpha, beta: 1.0 })
    }

    /// α_N·ln and α_D·ln of N_c and D_c in units of the middle of the data, α_N, ln α_D.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let alpha_d = x[3].exp();
        let factor = |x: T, exponent: T, of| (x / exponent + centre.mean(of)).exp();
        vec![factor(x[0], x[2], Variable::N), factor(x[1], alpha_d, Variable::D), x[2], alpha_d]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let factor = |c: f64, exponent: f64, of| exponent * (c.ln() - centre.mean(of));
        vec![factor(c[0], c[2], Variable::N), factor(c[1], c[3], Variable::D), c[2], c[3].ln()]
    }

    fn scanned(&self, _centre: &Centre) -> Vec<Vec<f64>> {
        let exponents = [0.01f64, 0.02, 0.035, 0.06, 0.1, 0.17, 0.3, 0.5, 0.9];
        vec![exponents.into(), exponents.map(f64::ln).into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            ln_nc in 3.0..8.0, ln_dc in 3.0..8.0, alpha_n in 0.05..0.6, alpha_d in 0.05..0.6, ln_n in -3.0..3.0, ln_d in -3.0..3.0,
        ) {
            let law = Law::of(Kaplan, [f64::exp(ln_nc), f64::exp(ln_dc), alpha_n, alpha_d]);
            assert_derivatives(&law, &Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0));
        }
    }

    #[test]
    fn its_limits_are_plain_powers_and_a_loss_worked_by_hand() {
        let law = Law::of(Kaplan, Kaplan::PUBLISHED);
        // Data without end leave (N_c/N)^α_N.
        assert!((law.at(1e9, 1e40) / (6.4e13f64 / 1e9).powf(0.076) - 1.0).abs() < 1e-9);
        assert!((law.at(1e60, 1e9) / (1.8e13f64 / 1e9).powf(0.103) - 1.0).abs() < 1e-9);
        // [(16/4)^(0.5/0.5) + 10/2]^0.5.
        assert!((Law::of(Kaplan, [16.0, 10.0, 0.5, 0.5]).at(4.0, 2.0) - 3.0).abs() < 1e-14);
        // a = α_D/(α_N + α_D), 2001.08361 §6.
        assert!((law.same_optima().expect("a sum inside").params_exponent() - 0.103 / 0.179).abs() < 1e-15);
    }
}
