//! L(N, D) = E + A/N^α + B/D^β (Hoffmann 2203.15556, approach 3) with its compute-optimal frontier
//! in closed form for C = k·N·D, and numerically where compute is counted otherwise.

use super::ComputeCount;
use super::root::root;
use serde::{Deserialize, Serialize};

/// L = E + A/N^α + B/D^β, in nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chinchilla {
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
}

impl Default for Chinchilla {
    /// Hoffmann's coefficients at the precision of the paper's source.
    fn default() -> Self {
        Self { e: 0.5267228f64.exp(), a: 6.0073404f64.exp(), b: 6.0179186f64.exp(), alpha: 0.33917084, beta: 0.2849083 }
    }
}

impl Chinchilla {
    /// Predicted loss, nats per token.
    pub fn at(&self, n: f64, d: f64) -> f64 {
        self.e + self.a * n.powf(-self.alpha) + self.b * d.powf(-self.beta)
    }

    /// a = β/(α+β): N* ∝ C^a when C = k·N·D.
    pub fn params_exponent(&self) -> f64 {
        self.beta / (self.alpha + self.beta)
    }

    /// b = α/(α+β) = 1 − a: D* ∝ C^b when C = k·N·D.
    pub fn tokens_exponent(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// G = (αA/(βB))^(1/(α+β)), the factor of N* = G·(C/k)^a.
    pub fn scale(&self) -> f64 {
        (self.ln_scale()).exp()
    }

    fn ln_scale(&self) -> f64 {
        ((self.alpha * self.a).ln() - (self.beta * self.b).ln()) / (self.alpha + self.beta)
    }

    /// N*(C), weights: closed form for C = k·N·D, else the minimum over ln N of the loss at that compute.
    pub fn optimal_params(&self, compute: f64, count: &ComputeCount) -> f64 {
        match count {
            ComputeCount::Bilinear { k } => (self.ln_scale() + self.params_exponent() * (compute / k).ln()).exp(),
            ComputeCount::Declining { least, .. } => {
                let guess = self.optimal_params(compute, &ComputeCount::Bilinear { k: *least }).ln();
                root(guess - REACH, guess + REACH, guess, |ln_n| self.slope_along_compute(ln_n, compute.ln(), count)).exp()
            }
        }
    }

    /// ln of the ratio of what more weights cost by fewer tokens to what they gain, βB·D^−β·(1 + κ)/(αA·N^−α) at a compute,
    /// and its derivative by ln N; zero at the optimum. κ = d ln k/d ln N of C = k(N)·N·D.
    fn slope_along_compute(&self, ln_n: f64, ln_compute: f64, count: &ComputeCount) -> (f64, f64) {
        let rate = count.rate(ln_n);
        let lost = 1.0 + rate.slope;
        let ln_d = ln_compute - rate.ln - ln_n;
        let height = (self.beta * self.b * lost).ln() - self.beta * ln_d - (self.alpha * self.a).ln() + self.alpha * ln_n;
        // Where tokens would not fall with size, more weights are always better.
        (if lost > 0.0 { height } else { f64::NEG_INFINITY }, self.alpha + self.beta * lost + rate.bend / lost)
    }

    /// D*(C), tokens.
    pub fn optimal_tokens(&self, compute: f64, count: &ComputeCount) -> f64 {
        count.tokens(self.optimal_params(compute, count), compute)
    }

    /// L*(C), nats per token.
    pub fn optimal_loss(&self, compute: f64, count: &ComputeCount) -> f64 {
        let n = self.optimal_params(compute, count);
        self.at(n, count.tokens(n, compute))
    }

    /// C(L): least compute that reaches a loss under C = k·N·D; `None` for a loss not above E.
    pub fn compute_for_loss(&self, loss: f64, k: f64) -> Option<f64> {
        let g = self.scale();
        let reducible = self.a * g.powf(-self.alpha) + self.b * g.powf(self.beta);
        let power = -(self.alpha + self.beta) / (self.alpha * self.beta);
        (loss > self.e).then(|| k * ((loss - self.e) / reducible).powf(power))
    }
}

impl Chinchilla {
    /// The law of coefficients E, A, B, α, β in this order.
    pub fn from_coefficients(c: &[f64]) -> Self {
        Self { e: c[0], a: c[1], b: c[2], alpha: c[3], beta: c[4] }
    }

    /// Whether loss falls with both N and D; else no budget has an optimum.
    pub fn has_optimum(&self) -> bool {
        self.a > 0.0 && self.b > 0.0 && self.alpha > 0.0 && self.beta > 0.0
    }
}

/// How far from the optimum of a bilinear count that of another is looked for, in ln N.
const REACH: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const K: ComputeCount = ComputeCount::Bilinear { k: 6.0 };

    fn laws() -> impl Strategy<Value = Chinchilla> {
        (0.2..3.0, 10.0..5000.0, 10.0..5000.0, 0.15..0.8, 0.15..0.8).prop_map(|(e, a, b, alpha, beta)| Chinchilla { e, a, b, alpha, beta })
    }

    proptest! {
        #[test]
        fn no_other_split_of_the_same_compute_is_better(law in laws(), ln_c in 30.0..55.0, shift in -2.0..2.0) {
            let c = f64::exp(ln_c);
            let n = law.optimal_params(c, &K) * f64::exp(shift);
            prop_assert!(law.at(n, K.tokens(n, c)) >= law.optimal_loss(c, &K) - 1e-12);
        }

        #[test]
        fn compute_for_loss_inverts_the_frontier(law in laws(), ln_c in 30.0..50.0) {
            let c = f64::exp(ln_c);
            let back = law.compute_for_loss(law.optimal_loss(c, &K), 6.0).expect("above E");
            prop_assert!((back.ln() - ln_c).abs() < 1e-6);
        }
    }

    #[test]
    fn the_numerical_optimum_is_the_closed_form_where_there_is_one() {
        let law = Chinchilla::default();
        // C = k·N^(1−p)·D: k itself for p = 0, and the stationary point of A/N^α + B·(k·N^(1−p)/C)^β otherwise.
        for p in [0.0, 0.1, 0.4] {
            let count = ComputeCount::Declining { limit: 0.0, factor: 6.0, power: p, least: 1e-6 };
            for c in [1e15, 1e20, 5.76e23f64] {
                let (q, ln_k) = (1.0 - p, 6f64.ln());
                let ln_b = law.b.ln() + law.beta * (ln_k - c.ln());
                let expected = ((law.alpha * law.a).ln() - (law.beta * q).ln() - ln_b) / (law.alpha + law.beta * q);
                let found = law.optimal_params(c, &count).ln();
                // `least` is far below k here, so the search may have to look as far as it does.
                let within = expected.min(law.optimal_params(c, &ComputeCount::Bilinear { k: 1e-6 }).ln() + REACH);
                assert!((found / within - 1.0).abs() < 1e-12, "p = {p}, C = {c:e}: {found} {within}");
            }
        }
        assert!((law.params_exponent() + law.tokens_exponent() - 1.0).abs() < 1e-15);
    }

    /// Golden-section search for the minimum of a function that falls and then rises.
    fn golden(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
        let ratio = (5f64.sqrt() - 1.0) / 2.0;
        while high - low > 1e-9 {
            let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
            if f(left) <= f(right) { high = right } else { low = left }
        }
        0.5 * (low + high)
    }

    proptest! {
        #[test]
        fn the_root_of_the_slope_is_what_a_search_of_losses_finds(
            law in laws(), ln_c in 25.0..55.0, limit in 1.0..10.0, share in 0.01..200.0, p in 0.05..1.5
        ) {
            // Attention and head cost `share` of the rest at ten thousand weights.
            let count = ComputeCount::Declining { limit, factor: limit * share * 1e4f64.powf(p), power: p, least: limit };
            let c = f64::exp(ln_c);
            // E does not move the place, but beside it the rest may be too small for a search of losses to see.
            let law = Chinchilla { e: 0.0, ..law };
            let guess = law.optimal_params(c, &ComputeCount::Bilinear { k: limit }).ln();
            let at = |ln_n: f64| law.at(ln_n.exp(), count.tokens(ln_n.exp(), c));
            let (found, searched) = (law.optimal_params(c, &count).ln(), golden(guess - REACH, guess + REACH, at));
            // Losses tell the place of their minimum to the root of their rounding, and the loss there to the rounding itself.
            prop_assert!((found - searched).abs() < 1e-5, "{found} {searched}");
            prop_assert!(at(found) <= at(searched) * (1.0 + 1e-14), "{} {}", at(found), at(searched));
        }
    }

    #[test]
    fn a_loss_below_the_floor_has_no_compute() {
        assert_eq!(Chinchilla::default().compute_for_loss(1.0, 6.0), None);
    }
}
