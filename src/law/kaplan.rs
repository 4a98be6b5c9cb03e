//! L(N, D) = [(N_c/N)^(α_N/α_D) + D_c/D]^α_D, the joint law of Kaplan 2001.08361 eq. 1.5. It has no irreducible term: loss
//! falls to 0 with N and D. One exponent of either variable, so that each limit is a plain power.

use super::curved::PowerMean;
use super::{Bound, CurvedLaw, Jet, Law, Point, Variable};
use serde::{Deserialize, Serialize};

/// L = [(N_c/N)^(α_N/α_D) + D_c/D]^α_D, in nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Kaplan {
    /// N_c, weights.
    pub n_c: f64,
    /// D_c, tokens.
    pub d_c: f64,
    /// α_N.
    pub alpha_n: f64,
    /// α_D.
    pub alpha_d: f64,
}

impl Default for Kaplan {
    /// Of 2001.08361, table 2 (N without embeddings): α_N 0.076, α_D 0.103, N_c 6.4e13, D_c 1.8e13, widely reproduced.
    fn default() -> Self {
        Self { n_c: 6.4e13, d_c: 1.8e13, alpha_n: 0.076, alpha_d: 0.103 }
    }
}

impl Kaplan {
    /// Predicted loss, nats per token.
    pub fn at(&self, n: f64, d: f64) -> f64 {
        ((self.n_c / n).powf(self.alpha_n / self.alpha_d) + self.d_c / d).powf(self.alpha_d)
    }

    /// a = α_D/(α_N + α_D): N* ∝ C^a when C = k·N·D, from the sum inside.
    pub fn params_exponent(&self) -> f64 {
        self.alpha_d / (self.alpha_n + self.alpha_d)
    }
}

impl Law for Kaplan {
    fn name(&self) -> String {
        "kaplan".into()
    }

    fn formula(&self) -> &'static str {
        "L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D"
    }

    fn coefficients(&self) -> &'static [&'static str] {
        &["N_c", "D_c", "alpha_N", "alpha_D"]
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::N, Variable::D]
    }

    fn theta(&self) -> Vec<f64> {
        vec![self.n_c, self.d_c, self.alpha_n, self.alpha_d]
    }

    fn with_theta(&self, theta: &[f64]) -> Self {
        Self { n_c: theta[0], d_c: theta[1], alpha_n: theta[2], alpha_d: theta[3] }
    }

    fn loss(&self, point: &Point) -> f64 {
        self.at(point.n, point.d)
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        // ln L is the power mean of v = α_N·ln(N_c/N), α_D·ln(D_c/D) with γ = α_D.
        let [ln_n, ln_d] = [(self.n_c / point.n).ln(), (self.d_c / point.d).ln()];
        let mean = PowerMean::of([self.alpha_n * ln_n, self.alpha_d * ln_d], self.alpha_d);
        let loss = mean.value.exp();
        let [q_n, q_d] = mean.by_v;
        vec![
            loss * q_n * self.alpha_n / self.n_c,
            loss * q_d * self.alpha_d / self.d_c,
            loss * q_n * ln_n,
            loss * (q_d * ln_d + mean.by_gamma),
        ]
    }
}

/// Coordinates: α_N·ln N_c, α_D·ln D_c, α_N, ln α_D.
impl CurvedLaw for Kaplan {
    fn factors(&self) -> usize {
        2
    }

    fn in_units(&self, n: f64, d: f64) -> Self {
        Self { n_c: self.n_c / n, d_c: self.d_c / d, ..*self }
    }

    fn coordinates(&self) -> Vec<f64> {
        vec![self.alpha_n * self.n_c.ln(), self.alpha_d * self.d_c.ln(), self.alpha_n, self.alpha_d.ln()]
    }

    fn with_coordinates(&self, x: &[f64]) -> Self {
        let alpha_d = x[3].exp();
        Self { n_c: (x[0] / x[2]).exp(), d_c: (x[1] / alpha_d).exp(), alpha_n: x[2], alpha_d }
    }

    fn jet(&self, x: &[f64], point: &Point) -> Jet {
        let (ln_n, ln_d, alpha_d) = (point.n.ln(), point.d.ln(), x[3].exp());
        let mean = PowerMean::of([x[0] - x[2] * ln_n, x[1] - alpha_d * ln_d], alpha_d);
        let mut jet = Jet { value: mean.value, ..Jet::default() };
        // Which of v₁, v₂ a coordinate moves, by how much, and how much it moves γ.
        let moves = [(0, 1.0, 0.0), (1, 1.0, 0.0), (0, -ln_n, 0.0), (1, -alpha_d * ln_d, alpha_d)];
        for (j, (v, by, gamma)) in moves.into_iter().enumerate() {
            jet.gradient[j] = mean.by_v[v] * by + mean.by_gamma * gamma;
            for (k, (w, other, other_gamma)) in moves.into_iter().enumerate() {
                let sign = |left: usize, right: usize| if left == right { 1.0 } else { -1.0 };
                jet.hessian[j][k] = sign(v, w) * mean.bend * by * other
                    + sign(v, 0) * mean.mixed * by * other_gamma
                    + sign(w, 0) * mean.mixed * other * gamma
                    + mean.by_gamma_twice * gamma * other_gamma;
            }
        }
        // α_D is e^x: its own second derivative is its first once more.
        jet.hessian[3][3] += jet.gradient[3];
        jet
    }

    fn shapes(&self) -> Vec<Vec<f64>> {
        let exponents = [0.01f64, 0.02, 0.035, 0.06, 0.1, 0.17, 0.3, 0.5, 0.9];
        vec![exponents.into(), exponents.map(f64::ln).into()]
    }

    fn even_shares(&self, ln_loss: f64) -> Vec<f64> {
        vec![ln_loss - 0.1; 2]
    }

    fn bounds(&self) -> Vec<Bound> {
        let bound = |coefficient| Bound { coefficient, range: 1e-3..10.0, meaning: "the data do not determine it" };
        vec![bound(2), bound(3)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::assert_gradient;
    use crate::law::curved::tests::assert_jet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gradients_and_jets_are_those_of_finite_differences(
            ln_nc in 3.0..8.0, ln_dc in 3.0..8.0, alpha_n in 0.05..0.6, alpha_d in 0.05..0.6, ln_n in -3.0..3.0, ln_d in -3.0..3.0,
        ) {
            let law = Kaplan { n_c: f64::exp(ln_nc), d_c: f64::exp(ln_dc), alpha_n, alpha_d };
            let point = Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0);
            assert_gradient(&law, &point);
            assert_jet(&law, &point);
        }
    }

    #[test]
    fn its_limits_are_plain_powers_and_a_loss_worked_by_hand() {
        let law = Kaplan::default();
        // Data without end leave (N_c/N)^α_N.
        assert!((law.at(1e9, 1e40) / (6.4e13f64 / 1e9).powf(0.076) - 1.0).abs() < 1e-9);
        assert!((law.at(1e60, 1e9) / (1.8e13f64 / 1e9).powf(0.103) - 1.0).abs() < 1e-9);
        // [(16/4)^(0.5/0.5) + 10/2]^0.5.
        assert!((Kaplan { n_c: 16.0, d_c: 10.0, alpha_n: 0.5, alpha_d: 0.5 }.at(4.0, 2.0) - 3.0).abs() < 1e-14);
        assert!((law.params_exponent() - 0.103 / 0.179).abs() < 1e-15);
    }
}
