//! L(N, D) = exp(s·N^q + S) + exp(B·N^b + Q)·D^(−exp(A·N^a + E)) (Farseer, 2506.10972): the floor, the height and the exponent of
//! the data term all change with N, each as an exponential of a power. Its E is the logarithm of that exponent, no floor.

use crate::law::Variable;
use crate::law::formula::{Centre, Coefficient, Formula, Place};
use crate::law::number::Number;

/// The law with nine coefficients, in the order S, Q, s, q, B, b, A, a, E.
#[derive(Debug, Clone, Copy)]
pub struct Farseer;

impl Farseer {
    /// Coefficients in the authors' code (2506.10972), in our order; losses in bits per byte.
    pub const PUBLISHED: [f64; 9] = [
        0.128_488_067_944_255_1,
        -1.544_209_554,
        -0.062_465_473,
        0.13,
        230.734_370_758_858_55,
        -0.1729,
        -1.665_630_816,
        0.045_899_999_999_961_9,
        3.133_347_198_805_445,
    ];

    /// Weights and tokens in the middle, by their logarithms, of the 404 runs that were published with it.
    pub const MIDDLE: [f64; 2] = [7.27e8, 2.04e10];
}

/// k·N^p + c in the middle of the data: its value there, its slope by ln N, and p, from c, k, p and the middle of ln N.
fn to_middle(c: f64, k: f64, p: f64, ln_n: f64) -> [f64; 2] {
    let height = k * (p * ln_n).exp();
    [c + height, p * height]
}

/// The inverse: k and c.
fn from_middle<T: Number>(value: T, slope: T, p: T, ln_n: f64) -> [T; 2] {
    let height = slope / p;
    [height * (-(p * ln_n)).exp(), value - height]
}

/// k·N^p, both coefficients from index `at` on.
fn power<T: Number>(c: &[T], at: usize, ln_n: T) -> T {
    c[at] * (c[at + 1] * ln_n).exp()
}

impl Formula for Farseer {
    const COUNT: usize = 9;

    fn name(&self) -> &'static str {
        "farseer"
    }

    fn text(&self) -> &'static str {
        "L(N, D) = exp(s N^q + S) + exp(B N^b + Q) D^(-exp(A N^a + E))"
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::level("S"),
                Coefficient::level("Q"),
                Coefficient::free("s", &[-0.15, -0.06, -0.02]),
                Coefficient::free("q", &[0.05, 0.13, 0.3]),
                Coefficient::free("B", &[-1.2, -0.5, 0.1]),
                Coefficient::free("b", &[-0.25, -0.15, 0.1]),
                Coefficient::free("A", &[-0.15, -0.05]),
                Coefficient::free("a", &[0.05]),
                Coefficient::free("E", &[-1.6, -1.1, -0.7]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let exponent = (power(c, 6, at.ln_n) + c[8]).exp();
        (power(c, 2, at.ln_n) + c[0]).exp() + (power(c, 4, at.ln_n) + c[1] - exponent * at.ln_d).exp()
    }

    /// In the middle of the data: ln of the floor, ln of the data term, and for floor, height and exponent the slope by ln N and the
    /// power; last ln of the exponent there. The values that `tried` lists are these.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let (ln_n, ln_d) = (centre.mean(Variable::N), centre.mean(Variable::D));
        let [s, floor] = from_middle(x[0], x[2], x[3], ln_n);
        let [height, q] = from_middle(x[1] + x[8].exp() * ln_d, x[4], x[5], ln_n);
        let [a, exponent] = from_middle(x[8], x[6], x[7], ln_n);
        vec![floor, q, s, x[3], height, x[5], a, x[7], exponent]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let (ln_n, ln_d) = (centre.mean(Variable::N), centre.mean(Variable::D));
        let [floor, floor_slope] = to_middle(c[0], c[2], c[3], ln_n);
        let [height, height_slope] = to_middle(c[1], c[4], c[5], ln_n);
        let [exponent, exponent_slope] = to_middle(c[8], c[6], c[7], ln_n);
        vec![floor, height - exponent.exp() * ln_d, floor_slope, c[3], height_slope, c[5], exponent_slope, c[7], exponent]
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
            s in -0.1..-0.03f64, q in 0.05..0.2, b in -0.25..-0.1, a in 0.03..0.08, ln_n in 18.0..23.0, ln_d in 20.0..26.0,
        ) {
            let mut theta = Farseer::PUBLISHED;
            (theta[2], theta[3], theta[5], theta[7]) = (s, q, b, a);
            let point = Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0);
            assert_derivatives(&Law::of(Farseer, theta), &point);
        }
    }

    #[test]
    fn the_authors_coefficients_give_a_loss_worked_out_beside_them() {
        // At N = 1e9, D = 1e11: N^q = 14.7911, N^b = 0.0277907, N^a = 2.58881.
        let found = Law::of(Farseer, Farseer::PUBLISHED).at(1e9, 1e11);
        assert!((found - 0.505_028_590_625_926).abs() < 1e-9, "{found}");
    }

    #[test]
    fn exponents_of_size_and_data_are_slopes_of_the_optimum_and_a_loss_has_a_least_compute() {
        use crate::law::ComputeCount;
        let law = Law::of(Farseer, Farseer::PUBLISHED);
        let count = ComputeCount::Declining { limit: 5.0, factor: 5e3, power: 0.3, least: 5.0 };
        let (c, step) = (1e21, 1e-3f64);
        let slope = |of: &dyn Fn(f64) -> f64| (of(c * step.exp()) / of(c * (-step).exp())).ln() / (2.0 * step);
        assert!((law.params_exponent(c, &count) - slope(&|c| law.optimal_params(c, &count))).abs() < 1e-6);
        assert!((law.tokens_exponent(c, &count) - slope(&|c| law.optimal_tokens(c, &count))).abs() < 1e-6);
        let loss = law.optimal_loss(1e21, &count);
        assert!((law.compute_for_loss(loss, &count, 1e18).expect("reached") / 1e21 - 1.0).abs() < 1e-6);
        assert_eq!(law.compute_for_loss(1e-3, &count, 1e18), None);
    }
}
