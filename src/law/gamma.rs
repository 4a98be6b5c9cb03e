//! L(N, D) = E + (A/N^α + B/D^β)^γ, the Chinchilla law with an outer exponent (Videau 2608.07222: γ 0.31–0.45 on language
//! models, the residuals of γ = 1 forming a saddle). The map is monotone, so N* and D* are those of the sum inside.

use super::curved::PowerMean;
use super::{Bound, Chinchilla, CurvedLaw, Jet, Law, Point, Variable};
use serde::{Deserialize, Serialize};

/// L = E + (A/N^α + B/D^β)^γ, in nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gamma {
    /// E, the loss of unlimited weights and data.
    pub e: f64,
    /// A, factor of the size term.
    pub a: f64,
    /// B, factor of the data term.
    pub b: f64,
    /// α, exponent of N.
    pub alpha: f64,
    /// β, exponent of D.
    pub beta: f64,
    /// γ, outer exponent.
    pub gamma: f64,
}

impl Default for Gamma {
    /// Hoffmann's law, for which γ is 1.
    fn default() -> Self {
        let Chinchilla { e, a, b, alpha, beta } = Chinchilla::default();
        Self { e, a, b, alpha, beta, gamma: 1.0 }
    }
}

impl Gamma {
    /// Predicted loss, nats per token.
    pub fn at(&self, n: f64, d: f64) -> f64 {
        self.e + self.inner(n, d).powf(self.gamma)
    }

    /// The law whose frontier N*(C), D*(C) is the same: E + A/N^α + B/D^β. Its losses are others.
    pub fn frontier(&self) -> Chinchilla {
        Chinchilla { e: self.e, a: self.a, b: self.b, alpha: self.alpha, beta: self.beta }
    }

    fn inner(&self, n: f64, d: f64) -> f64 {
        self.a * n.powf(-self.alpha) + self.b * d.powf(-self.beta)
    }
}

impl Law for Gamma {
    fn name(&self) -> String {
        "gamma".into()
    }

    fn formula(&self) -> &'static str {
        "L(N, D) = E + (A/N^alpha + B/D^beta)^gamma"
    }

    fn coefficients(&self) -> &'static [&'static str] {
        &["E", "A", "B", "alpha", "beta", "gamma"]
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::N, Variable::D]
    }

    fn theta(&self) -> Vec<f64> {
        vec![self.e, self.a, self.b, self.alpha, self.beta, self.gamma]
    }

    fn with_theta(&self, theta: &[f64]) -> Self {
        Self { e: theta[0], a: theta[1], b: theta[2], alpha: theta[3], beta: theta[4], gamma: theta[5] }
    }

    fn loss(&self, point: &Point) -> f64 {
        self.at(point.n, point.d)
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        let [n, d] = [point.n.powf(-self.alpha), point.d.powf(-self.beta)];
        let inner = self.a * n + self.b * d;
        let outer = inner.powf(self.gamma);
        let slope = self.gamma * outer / inner;
        vec![1.0, slope * n, slope * d, -slope * self.a * n * point.n.ln(), -slope * self.b * d * point.d.ln(), outer * inner.ln()]
    }
}

/// Coordinates: ln E, γ·ln A, γ·ln B, αγ, βγ, ln γ. With them either term to the power γ stands alone, so that γ, which
/// says how the two add, is nearly free of the others.
impl CurvedLaw for Gamma {
    fn factors(&self) -> usize {
        3
    }

    fn in_units(&self, n: f64, d: f64) -> Self {
        Self { a: self.a * n.powf(-self.alpha), b: self.b * d.powf(-self.beta), ..*self }
    }

    fn coordinates(&self) -> Vec<f64> {
        let g = self.gamma;
        vec![self.e.ln(), g * self.a.ln(), g * self.b.ln(), g * self.alpha, g * self.beta, g.ln()]
    }

    fn with_coordinates(&self, x: &[f64]) -> Self {
        let gamma = x[5].exp();
        Self { e: x[0].exp(), a: (x[1] / gamma).exp(), b: (x[2] / gamma).exp(), alpha: x[3] / gamma, beta: x[4] / gamma, gamma }
    }

    fn jet(&self, x: &[f64], point: &Point) -> Jet {
        let (ln_n, ln_d, gamma) = (point.n.ln(), point.d.ln(), x[5].exp());
        let mean = PowerMean::of([x[1] - x[3] * ln_n, x[2] - x[4] * ln_d], gamma);
        // Derivatives of v₁, v₂ by the coordinates 1 to 4.
        let by = [1.0, 1.0, -ln_n, -ln_d];
        let mut u = Jet { value: mean.value, ..Jet::default() };
        for j in 0..4 {
            u.gradient[j + 1] = mean.by_v[j % 2] * by[j];
            for k in 0..4 {
                let sign = if j % 2 == k % 2 { 1.0 } else { -1.0 };
                u.hessian[j + 1][k + 1] = sign * mean.bend * by[j] * by[k];
            }
            let sign = if j % 2 == 0 { 1.0 } else { -1.0 };
            u.hessian[j + 1][5] = sign * mean.mixed * gamma * by[j];
            u.hessian[5][j + 1] = u.hessian[j + 1][5];
        }
        u.gradient[5] = gamma * mean.by_gamma;
        u.hessian[5][5] = gamma * (mean.by_gamma + gamma * mean.by_gamma_twice);
        above_floor(x[0], &u)
    }

    fn shapes(&self) -> Vec<Vec<f64>> {
        let exponents = vec![0.03, 0.06, 0.12, 0.22, 0.4, 0.8, 1.5];
        let outer = [0.15f64, 0.3, 0.6, 1.0, 2.0];
        vec![exponents.clone(), exponents, outer.map(f64::ln).into()]
    }

    fn even_shares(&self, ln_loss: f64) -> Vec<f64> {
        vec![ln_loss - 3f64.ln(); 3]
    }

    fn bounds(&self) -> Vec<Bound> {
        let unknown = "the data do not determine it";
        vec![
            Bound { coefficient: 0, range: 1e-6..f64::INFINITY, meaning: "the data are fitted as well with E = 0" },
            Bound { coefficient: 3, range: 1e-3..10.0, meaning: unknown },
            Bound { coefficient: 4, range: 1e-3..10.0, meaning: unknown },
            Bound { coefficient: 5, range: 0.02..20.0, meaning: unknown },
        ]
    }
}

/// ln(E + e^u) for u with its derivatives and a coordinate 0 of ln E.
fn above_floor(ln_e: f64, u: &Jet) -> Jet {
    let share = 1.0 / (1.0 + (ln_e - u.value).exp());
    let product = share * (1.0 - share);
    let value = PowerMean::of([ln_e, u.value], 1.0).value;
    let mut jet = Jet { value, ..Jet::default() };
    jet.gradient[0] = 1.0 - share;
    jet.hessian[0][0] = product;
    for j in 1..6 {
        jet.gradient[j] = share * u.gradient[j];
        jet.hessian[0][j] = -product * u.gradient[j];
        jet.hessian[j][0] = jet.hessian[0][j];
        for k in 1..6 {
            jet.hessian[j][k] = share * u.hessian[j][k] + product * u.gradient[j] * u.gradient[k];
        }
    }
    jet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::curved::tests::assert_jet;
    use crate::law::{ComputeCount, assert_gradient};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gradients_and_jets_are_those_of_finite_differences(
            e in 0.2..3.0, ln_a in 1.0..8.0, ln_b in 1.0..8.0, alpha in 0.15..0.9, beta in 0.15..0.9, gamma in 0.2..2.0, ln_n in -3.0..3.0, ln_d in -3.0..3.0,
        ) {
            let law = Gamma { e, a: f64::exp(ln_a - 6.0), b: f64::exp(ln_b - 6.0), alpha, beta, gamma };
            let point = Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0);
            assert_gradient(&law, &point);
            assert_jet(&law, &point);
        }
    }

    #[test]
    fn with_gamma_one_it_is_the_chinchilla_law_and_units_do_not_matter() {
        let (law, plain) = (Gamma::default(), Chinchilla::default());
        assert!((law.at(1e9, 2e10) / plain.at(1e9, 2e10) - 1.0).abs() < 1e-14);
        let bent = Gamma { gamma: 0.4, ..law };
        assert!((bent.in_units(1e6, 1e9).at(1e3, 20.0) / bent.at(1e9, 2e10) - 1.0).abs() < 1e-13);
        // 1 + (3 + 1)^½ worked by hand.
        let by_hand = Gamma { e: 1.0, a: 6.0, b: 2.0, alpha: 0.5, beta: 1.0, gamma: 0.5 };
        assert!((by_hand.at(4.0, 2.0) - 3.0).abs() < 1e-14);
    }

    #[test]
    fn the_frontier_is_that_of_the_sum_inside() {
        let law = Gamma { gamma: 0.4, ..Gamma::default() };
        let count = ComputeCount::Bilinear { k: 6.0 };
        let best = law.frontier().optimal_params(1e21, &count);
        let loss = |n: f64| law.at(n, count.tokens(n, 1e21));
        assert!(loss(best) < loss(1.02 * best) && loss(best) < loss(best / 1.02));
    }
}
