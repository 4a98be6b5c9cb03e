//! L(N, D) = E + (A/N^α + B/D^β)^γ, the Chinchilla law with an outer exponent (Videau 2608.07222: γ 0.31–0.45 on language
//! models, the residuals of γ = 1 forming a saddle). The map is monotone, so N* and D* are those of the sum inside.

use crate::law::formula::{Believed, Centre, Coefficient, Formula, Place, Prior, Source};
use crate::law::number::Number;
use crate::law::{Chinchilla, Variable};

/// The law with an outer exponent.
#[derive(Debug, Clone, Copy)]
pub struct Gamma;

impl Formula for Gamma {
    const COUNT: usize = 6;

    fn name(&self) -> &'static str {
        "gamma"
    }

    fn text(&self) -> &'static str {
        "L(N, D) = E + (A/N^alpha + B/D^beta)^gamma"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Videau et al. 2026, arXiv 2608.07222",
            checked: Some("a transcription of the paper"),
            known: "the additive law with an outer exponent, and the same optima. On the 404 runs of Farseer gamma is .5065 by squares of L; on language models .31 to .6",
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
                Coefficient::positive("gamma", 0.02..20.0, &[0.15, 0.3, 0.6, 1.0, 2.0]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + (c[1] * at.power(Variable::N, c[3]) + c[2] * at.power(Variable::D, c[4])).pow(c[5])
    }

    /// γ about 0.6, the exponents of either term alone about 0.2, the floor about half of the lowest loss: where the laws of
    /// published families lie, and wide enough to be overruled by any runs that say more.
    fn priors(&self) -> &'static [Prior] {
        const LN_FIFTH: f64 = -1.609_437_912_434_100_3;
        const LN_GAMMA: f64 = -0.510_825_623_765_990_7;
        const {
            &[
                Prior { coordinate: 0, of: Believed::BelowLowest(0.7), spread: 1.0 },
                Prior { coordinate: 3, of: Believed::LnAbout(LN_FIFTH), spread: 0.6 },
                Prior { coordinate: 4, of: Believed::LnAbout(LN_FIFTH), spread: 0.6 },
                Prior { coordinate: 5, of: Believed::About(LN_GAMMA), spread: 0.7 },
            ]
        }
    }

    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        Some(Chinchilla::from_coefficients(c))
    }

    /// ln E, γ·ln of the terms in the middle of the data, αγ, βγ, ln γ. With them either term to the power γ stands alone, so
    /// that γ, which says how the two add, is nearly free of the others.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let gamma = x[5].exp();
        let [alpha, beta] = [x[3] / gamma, x[4] / gamma];
        let factor = |x: T, exponent: T, of| (x / gamma + exponent * centre.mean(of)).exp();
        vec![x[0].exp(), factor(x[1], alpha, Variable::N), factor(x[2], beta, Variable::D), alpha, beta, gamma]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let gamma = c[5];
        let factor = |c: f64, exponent: f64, of| gamma * (c.ln() - exponent * centre.mean(of));
        vec![c[0].ln(), factor(c[1], c[3], Variable::N), factor(c[2], c[4], Variable::D), gamma * c[3], gamma * c[4], gamma.ln()]
    }

    fn scanned(&self, _centre: &Centre) -> Vec<Vec<f64>> {
        // Of the exponents times γ.
        let exponents = vec![0.03, 0.06, 0.12, 0.22, 0.4, 0.8, 1.5];
        vec![exponents.clone(), exponents, [0.15f64, 0.3, 0.6, 1.0, 2.0].map(f64::ln).into()]
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
            e in 0.3..3.0, ln_a in 0.0..7.0, ln_b in 0.0..7.0, alpha in 0.1..0.8, beta in 0.1..0.8, gamma in 0.2..3.0,
            ln_n in 3.0..12.0, ln_d in 3.0..12.0,
        ) {
            let law = Law::of(Gamma, [e, f64::exp(ln_a), f64::exp(ln_b), alpha, beta, gamma]);
            assert_derivatives(&law, &Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0));
        }
    }

    #[test]
    fn with_an_exponent_of_one_it_is_the_additive_law_and_a_loss_worked_by_hand() {
        let additive = Chinchilla::default();
        let law = Law::of(Gamma, [additive.e, additive.a, additive.b, additive.alpha, additive.beta, 1.0]);
        assert!((law.at(1e9, 2e10) / additive.at(1e9, 2e10) - 1.0).abs() < 1e-14);
        // 1 + (4/√4 + 14/√4)^(1/3) = 1 + 9^(1/3)… with γ ½: 1 + √9.
        let law = Law::of(Gamma, [1.0, 4.0, 14.0, 0.5, 0.5, 0.5]);
        assert!((law.at(4.0, 4.0) - 4.0).abs() < 1e-14);
        assert_eq!(law.same_optima().map(|same| same.params_exponent()), Some(0.5));
    }
}
