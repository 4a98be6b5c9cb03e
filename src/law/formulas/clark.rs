//! log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d (Clark 2202.01169): networks of which a token sees N weights and one of E
//! experts. Experts saturate, 1/Ê = 1/(E − 1 + 1/(1/E_start − 1/E_max)) + 1/E_max, so that Ê is E_start of a dense network (E = 1) and
//! E_max of endlessly many experts. c above 0: the larger the network, the less they help.

use crate::law::Variable;
use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::spec::EXPERTS;
use std::f64::consts::LN_10;

/// The law of routed and dense networks. N is what a token sees, E the experts.
#[derive(Debug, Clone, Copy)]
pub struct Clark;

/// Experts as a variable.
const OF_EXPERTS: Variable = Variable::Named(EXPERTS);

/// ln Ê of E experts.
fn ln_saturated<T: Number>(experts: T, start: T, most: T) -> T {
    let one = T::constant(1.0);
    let spare = one / (one / start - one / most);
    -(one / (experts - 1.0 + spare) + one / most).ln()
}

impl Formula for Clark {
    const COUNT: usize = 6;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "clark"
    }

    fn text(&self) -> &'static str {
        "log10 L = a log10 N + b log10 E' + c log10 N log10 E' + d, 1/E' = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max, E experts"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Clark et al. 2022, arXiv 2202.01169",
            checked: Some("its residuals on the published runs; its coefficients are not"),
            known: "N is the size of the dense network that a token sees, E = 1 of a dense run. Root mean square of log10 L of the published runs .0032 (S-Base), .0032 (RL-R), .0030 (Hash), each router with the dense runs. E_start and E_max are hardly determined: they trade with b and c",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::level("d"),
                Coefficient::free("a", &[-0.2, -0.05]),
                Coefficient::free("b", &[-0.1, -0.02]),
                Coefficient::free("c", &[0.005]),
                Coefficient::positive("E_start", 1e-2..1e4, &[1.2, 2.5, 6.0]),
                Coefficient::positive("E_max", 1.0..1e7, &[60.0, 300.0, 1500.0]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[Variable::N, OF_EXPERTS] }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let experts = at.read(|point| OF_EXPERTS.of(point).unwrap_or(f64::NAN));
        let ln_experts = ln_saturated(experts, c[4], c[5]);
        (c[0] * LN_10 + c[1] * at.ln_n + c[2] * ln_experts + c[3] * at.ln_n * ln_experts * (1.0 / LN_10)).exp()
    }

    /// In the middle of ln N: ln L of one expert, its slope by ln N in spreads, that by ln Ê, how much of the latter a spread of ln N
    /// adds; then ln E_start and ln(E_max − E_start), so that experts always help towards a limit.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let (mean, spread) = (centre.mean(Variable::N), centre.spread(Variable::N));
        let [a, bend] = [x[1] * (1.0 / spread), x[3] * (1.0 / spread)];
        let start = x[4].exp();
        vec![(x[0] - a * mean) * (1.0 / LN_10), a, x[2] - bend * mean, bend * LN_10, start, start + x[5].exp()]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let (mean, spread) = (centre.mean(Variable::N), centre.spread(Variable::N));
        let bend = c[3] / LN_10;
        vec![c[0] * LN_10 + c[1] * mean, c[1] * spread, c[2] + bend * mean, bend * spread, c[4].ln(), (c[5] - c[4]).ln()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};
    use proptest::prelude::*;

    fn routed(n: f64, experts: f64) -> Point {
        Point { covariates: vec![(EXPERTS.to_owned(), experts)], ..Point::new(n, 1e11, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            a in -0.1..-0.05, b in -0.2..-0.05, c in 0.005..0.02, start in 1.2..5.0, ln_n in 15.0..22.0, experts in 1.0..600.0,
        ) {
            assert_derivatives(&Law::of(Clark, [1.1, a, b, c, start, 400.0]), &routed(f64::exp(ln_n), experts));
        }
    }

    #[test]
    fn experts_saturate_from_those_of_a_dense_network_to_their_most() {
        let saturated = |experts: f64| ln_saturated(experts, 2.0, 300.0).exp();
        assert!((saturated(1.0) - 2.0).abs() < 1e-12 && (saturated(1e15) - 300.0).abs() < 1e-9);
        // Worked by hand: 1/(1/2 − 1/6) = 3; of E = 4: 1/(1/(3 + 3) + 1/6) = 3.
        assert!((ln_saturated(4.0, 2.0, 6.0).exp() - 3.0).abs() < 1e-12);
        // log10 L = −.1·2 + .05·(log10 3) + .01·2·log10 3 + 1.
        let law = Law::of(Clark, [1.0, -0.1, 0.05, 0.01, 2.0, 6.0]);
        let expected = 10f64.powf(0.8 + 0.07 * 3f64.log10());
        assert!((law.loss(&routed(100.0, 4.0)) / expected - 1.0).abs() < 1e-12);
        assert!(law.at(100.0, 1.0).is_nan(), "without experts there is no loss");
    }
}
