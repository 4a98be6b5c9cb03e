//! Laws that are no sum of powers, as a search sees them: in coordinates that are unconstrained and well scaled, with
//! ln L and its two derivatives at a point.

use super::{Law, Point};

/// Most coordinates of a law.
pub const COORDINATES: usize = 7;

/// ln L at a point, with derivatives by the coordinates of its law; only the first few mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Jet {
    /// ln L.
    pub value: f64,
    /// ∂ ln L/∂x.
    pub gradient: [f64; COORDINATES],
    /// ∂² ln L/∂x∂y.
    pub hessian: [[f64; COORDINATES]; COORDINATES],
}

/// A coefficient that a fit reports as at its bound when it ends outside a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Index of the coefficient.
    pub coefficient: usize,
    /// Where it means something.
    pub range: std::ops::Range<f64>,
    /// What it means that it ended outside.
    pub meaning: &'static str,
}

/// A law that is no sum of powers.
pub trait CurvedLaw: Law {
    /// How many coordinates, the first ones, are ln factors that can be solved for given shapes.
    fn factors(&self) -> usize;
    /// The same law for N in units of `n` weights and D in units of `d` tokens.
    fn in_units(&self, n: f64, d: f64) -> Self;
    /// Its coordinates.
    fn coordinates(&self) -> Vec<f64>;
    /// The law of coordinates.
    fn with_coordinates(&self, coordinates: &[f64]) -> Self;
    /// ln L and its derivatives at a point.
    fn jet(&self, coordinates: &[f64], point: &Point) -> Jet;
    /// Values that a fine scan tries for each coordinate that is no factor.
    fn shapes(&self) -> Vec<Vec<f64>>;
    /// Factors that share a loss evenly where N and D are 1.
    fn even_shares(&self, ln_loss: f64) -> Vec<f64>;
    /// Bounds of coefficients.
    fn bounds(&self) -> Vec<Bound>;
}

/// γ·ln(e^(v₁/γ) + e^(v₂/γ)), a smooth maximum: the logarithm of (x^(1/γ) + y^(1/γ))^γ for v = ln x, ln y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PowerMean {
    /// u, the value.
    pub(super) value: f64,
    /// q, ∂u/∂v.
    pub(super) by_v: [f64; 2],
    /// ∂u/∂γ, the entropy of q.
    pub(super) by_gamma: f64,
    /// ∂²u/∂v₁² = ∂²u/∂v₂² = −∂²u/∂v₁∂v₂ = q₁q₂/γ.
    pub(super) bend: f64,
    /// ∂²u/∂v₁∂γ = −∂²u/∂v₂∂γ = −q₁q₂(v₁ − v₂)/γ².
    pub(super) mixed: f64,
    /// ∂²u/∂γ² = q₁q₂(v₁ − v₂)²/γ³.
    pub(super) by_gamma_twice: f64,
}

impl PowerMean {
    pub(super) fn of(v: [f64; 2], gamma: f64) -> Self {
        let apart = v[0] - v[1];
        let value = v[0].max(v[1]) + gamma * (-apart.abs() / gamma).exp().ln_1p();
        let first = 1.0 / (1.0 + (-apart / gamma).exp());
        let q = [first, 1.0 - first];
        let product = q[0] * q[1];
        Self {
            value,
            by_v: q,
            by_gamma: (value - q[0] * v[0] - q[1] * v[1]) / gamma,
            bend: product / gamma,
            mixed: -product * apart / (gamma * gamma),
            by_gamma_twice: product * apart * apart / gamma.powi(3),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The derivatives of a jet against central differences, and its value against the law itself.
    pub(in crate::law) fn assert_jet(law: &impl CurvedLaw, point: &Point) {
        let x = law.coordinates();
        let jet = law.jet(&x, point);
        assert!((jet.value - law.loss(point).ln()).abs() < 1e-12, "{} {}", jet.value, law.loss(point).ln());
        let same = law.with_coordinates(&x).theta();
        assert!(same.iter().zip(law.theta()).all(|(left, right)| (left / right - 1.0).abs() < 1e-9), "{same:?} {:?}", law.theta());
        for j in 0..x.len() {
            let moved = |by: f64| {
                let mut moved = x.clone();
                moved[j] += by;
                law.jet(&moved, point)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            let slope = (up.value - down.value) / 2e-5;
            assert!((slope - jet.gradient[j]).abs() < 1e-8 * (1.0 + slope.abs()), "{j}: {slope} {}", jet.gradient[j]);
            for k in 0..x.len() {
                let bend = (up.gradient[k] - down.gradient[k]) / 2e-5;
                assert!((bend - jet.hessian[j][k]).abs() < 1e-7 * (1.0 + bend.abs()), "{j} {k}: {bend} {}", jet.hessian[j][k]);
            }
        }
    }

    #[test]
    fn a_power_mean_of_exponent_one_is_the_logarithm_of_a_sum() {
        let mean = PowerMean::of([3f64.ln(), 4f64.ln()], 1.0);
        assert!((mean.value - 7f64.ln()).abs() < 1e-14);
        // γ = ½: √(3² + 4²).
        assert!((PowerMean::of([3f64.ln(), 4f64.ln()], 0.5).value - 5f64.ln()).abs() < 1e-14);
    }
}
