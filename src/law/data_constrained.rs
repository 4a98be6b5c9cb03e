//! L = E + A/N'^α + B/D'^β when data are repeated (Muennighoff 2305.16264): of R_D = D/U − 1 repetitions of U unique tokens
//! the later ones are worth less, D' = U + U·R_D*·(1 − e^(−R_D/R_D*)), and so are weights beyond what U tokens can use,
//! N' = U_N + U_N·R_N*·(1 − e^(−R_N/R_N*)) with U_N = min(N, the size for which U tokens are compute-optimal).
//!
//! The law of unrepeated data is given and held; R_D* and R_N* are fitted.

use super::{Bound, Chinchilla, CurvedLaw, Jet, Law, Point, Variable};
use serde::{Deserialize, Serialize};

/// The law of repeated data, in nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DataConstrained {
    /// The law of data that are not repeated, held.
    pub base: Chinchilla,
    /// R_D*, repetitions after which further ones are worth little.
    pub r_d: f64,
    /// R_N*, the same of weights.
    pub r_n: f64,
}

impl DataConstrained {
    /// A form to be fitted on a law of unrepeated data, at the values that 2305.16264 found on C4.
    pub fn on(base: Chinchilla) -> Self {
        Self { base, r_d: 15.387_756, r_n: 5.309_743 }
    }

    /// Size for which `unique` tokens are compute-optimal under the base law (C = k·N·D, any k): G·(G·U)^(α... a/b).
    pub fn matching_params(&self, unique: f64) -> f64 {
        let g = self.base.scale();
        g * (g * unique).powf(self.base.params_exponent() / self.base.tokens_exponent())
    }

    /// D', tokens that D tokens of which `unique` are distinct are worth.
    pub fn effective_tokens(&self, d: f64, unique: f64) -> f64 {
        Effective::of(unique.min(d), d, self.r_d).value
    }

    /// N', weights that N weights are worth.
    pub fn effective_params(&self, n: f64, d: f64, unique: f64) -> f64 {
        Effective::of(self.matching_params(unique.min(d)).min(n), n, self.r_n).value
    }

    /// Predicted loss, nats per token.
    pub fn at(&self, n: f64, d: f64, unique: f64) -> f64 {
        self.base.at(self.effective_params(n, d, unique), self.effective_tokens(d, unique))
    }

    fn parts(&self, r_d: f64, r_n: f64, point: &Point) -> [Effective; 2] {
        let unique = point.unique_tokens.unwrap_or(point.d).min(point.d);
        [Effective::of(unique, point.d, r_d), Effective::of(self.matching_params(unique).min(point.n), point.n, r_n)]
    }
}

/// x' = U + U·R*·(1 − e^(−R/R*)) for R = x/U − 1, with derivatives by R*.
struct Effective {
    value: f64,
    slope: f64,
    bend: f64,
}

impl Effective {
    fn of(unique: f64, all: f64, half: f64) -> Self {
        let r = (all / unique - 1.0).max(0.0) / half;
        let left = (-r).exp();
        // expm1 keeps the digits of a small r; 1 − exp(−r) sends optimisers to a spurious minimum at R* near 1e17.
        let spent = -(-r).exp_m1();
        Self { value: unique * (1.0 + half * spent), slope: unique * (spent - r * left), bend: -unique * r * r * left / half }
    }

    /// First and second derivative by ln R* of c·x'^(−s).
    fn term(&self, factor: f64, exponent: f64, half: f64) -> [f64; 2] {
        let term = factor * self.value.powf(-exponent);
        let (slope, bend) = (half * self.slope, half * half * self.bend + half * self.slope);
        let first = -exponent * term / self.value * slope;
        [first, -first * (exponent + 1.0) / self.value * slope - exponent * term / self.value * bend]
    }
}

impl Law for DataConstrained {
    fn name(&self) -> String {
        "data-constrained".into()
    }

    fn formula(&self) -> &'static str {
        "L = E + A/N'^alpha + B/D'^beta, D' = U + U R_D* (1 - exp(-(D/U - 1)/R_D*)), N' likewise"
    }

    fn coefficients(&self) -> &'static [&'static str] {
        &["R_D*", "R_N*"]
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::N, Variable::D, Variable::Unique]
    }

    fn theta(&self) -> Vec<f64> {
        vec![self.r_d, self.r_n]
    }

    fn with_theta(&self, theta: &[f64]) -> Self {
        Self { r_d: theta[0], r_n: theta[1], ..*self }
    }

    fn loss(&self, point: &Point) -> f64 {
        self.at(point.n, point.d, point.unique_tokens.unwrap_or(point.d))
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        let [d, n] = self.parts(self.r_d, self.r_n, point);
        let by_d = d.term(self.base.b, self.base.beta, self.r_d)[0] / self.r_d;
        vec![by_d, n.term(self.base.a, self.base.alpha, self.r_n)[0] / self.r_n]
    }
}

/// Coordinates: ln R_D*, ln R_N*.
impl CurvedLaw for DataConstrained {
    fn factors(&self) -> usize {
        0
    }

    fn in_units(&self, n: f64, d: f64) -> Self {
        let base = Chinchilla { a: self.base.a * n.powf(-self.base.alpha), b: self.base.b * d.powf(-self.base.beta), ..self.base };
        Self { base, ..*self }
    }

    fn coordinates(&self) -> Vec<f64> {
        vec![self.r_d.ln(), self.r_n.ln()]
    }

    fn with_coordinates(&self, x: &[f64]) -> Self {
        Self { r_d: x[0].exp(), r_n: x[1].exp(), ..*self }
    }

    fn jet(&self, x: &[f64], point: &Point) -> Jet {
        let (r_d, r_n) = (x[0].exp(), x[1].exp());
        let [d, n] = self.parts(r_d, r_n, point);
        let loss = self.base.at(n.value, d.value);
        let [by_d, by_d_twice] = d.term(self.base.b, self.base.beta, r_d).map(|slope| slope / loss);
        let [by_n, by_n_twice] = n.term(self.base.a, self.base.alpha, r_n).map(|slope| slope / loss);
        let mut jet = Jet { value: loss.ln(), ..Jet::default() };
        (jet.gradient[0], jet.gradient[1]) = (by_d, by_n);
        jet.hessian[0][..2].copy_from_slice(&[by_d_twice - by_d * by_d, -by_d * by_n]);
        jet.hessian[1][..2].copy_from_slice(&[-by_d * by_n, by_n_twice - by_n * by_n]);
        jet
    }

    fn shapes(&self) -> Vec<Vec<f64>> {
        let halves: Vec<f64> = (-2..12).map(|i| 0.8 * f64::from(i)).collect();
        vec![halves.clone(), halves]
    }

    fn even_shares(&self, _ln_loss: f64) -> Vec<f64> {
        Vec::new()
    }

    fn bounds(&self) -> Vec<Bound> {
        let bound = |coefficient, meaning| Bound { coefficient, range: 1e-2..1e4, meaning };
        vec![
            bound(0, "within these repetitions the data show no worth, or no loss of worth, of repeated tokens"),
            bound(1, "within these sizes the data show no worth, or no loss of worth, of excess weights"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::curved::tests::assert_jet;
    use crate::law::{assert_gradient, published};
    use proptest::prelude::*;

    fn on_c4() -> DataConstrained {
        DataConstrained::on(published("datablations").expect("listed").law)
    }

    proptest! {
        #[test]
        fn gradients_and_jets_are_those_of_finite_differences(ln_rd in 0.0..5.0, ln_rn in 0.0..4.0, epochs in 1.5..60.0, ln_n in 16.0..22.0) {
            let law = DataConstrained { r_d: f64::exp(ln_rd), r_n: f64::exp(ln_rn), ..on_c4() };
            let point = Point { unique_tokens: Some(1e9), ..Point::new(f64::exp(ln_n), 1e9 * epochs, 1.0) };
            assert_gradient(&law, &point);
            assert_jet(&law, &point);
        }
    }

    #[test]
    fn data_seen_once_follow_the_base_law_where_the_size_fits_them() {
        let law = on_c4();
        // 2305.16264 appendix A: U_N = 0.051·U_D.
        assert!((law.matching_params(1e10) / 0.051e10 - 1.0).abs() < 2e-3, "{}", law.matching_params(1e10));
        assert_eq!(law.at(1e8, 1e10, 1e10), law.base.at(1e8, 1e10));
        // One repetition of two tokens with R* = 1: 1 + (1 − 1/e).
        let once = DataConstrained { r_d: 1.0, ..law }.effective_tokens(2.0, 1.0);
        assert!((once - (2.0 - (-1f64).exp())).abs() < 1e-15);
        // So large an R* that repeated tokens are worth new ones.
        assert!((DataConstrained { r_d: 1e17, ..law }.effective_tokens(40.0, 1.0) - 40.0).abs() < 1e-12);
    }
}
