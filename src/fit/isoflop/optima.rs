//! Powers of compute through the optima of budgets.

use super::profile::IsoflopProfile;
use super::vertices::Vertices;
use crate::fit::estimate::t_quantile;
use crate::fit::linear::{LeastSquares, least_squares};
use crate::fit::{Estimate, Interval};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// x*(C) = factor·C^exponent, fitted as a line in logarithms about the mean of ln C.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerOfCompute {
    /// Factor at 1 FLOP: a long extrapolation, so its interval is wide.
    pub factor: Estimate,
    /// Exponent of C.
    pub exponent: Estimate,
    /// ln C about which the line is centred.
    pub ln_centre: f64,
    /// ln x* there, uncorrelated with the exponent.
    pub ln_at_centre: Estimate,
    /// Level of these intervals.
    #[serde(skip)]
    pub level: f64,
    /// Quantile of t for them.
    #[serde(skip)]
    quantile: f64,
}

impl PowerOfCompute {
    /// x* at a compute with the interval of the line (not of a new optimum).
    pub fn at(&self, compute: f64) -> Estimate {
        let distance = compute.ln() - self.ln_centre;
        let ln_value = self.ln_at_centre.value + self.exponent.value * distance;
        let se = error(&self.ln_at_centre).hypot(error(&self.exponent) * distance);
        Estimate::exp(ln_value, se, self.quantile, self.level, Interval::Delta)
    }
}

/// Standard error; nothing is known without one.
fn error(one: &Estimate) -> f64 {
    one.se().unwrap_or(f64::INFINITY)
}

/// Level at which optima are said to scatter more than their errors allow.
const SCATTER_SHOWN: f64 = 0.05;

/// The line ln x* = c + s·(ln C − centre), centred at the weighted mean of ln C.
///
/// Its errors are those of the optima carried through it, whatever the weights, widened where optima scatter more than these
/// say (Birge 1932). The errors rest on the noise of all runs, so the interval takes t with the degrees of freedom of that; only
/// where the scatter is shown to be another (F test at 5 %) is it what the line knows, by its budgets less two.
pub(super) fn power_of_compute(
    profiles: &[IsoflopProfile],
    pick: fn(&IsoflopProfile) -> Estimate,
    vertices: Vertices,
    level: f64,
) -> PowerOfCompute {
    let ln_c: Vec<f64> = profiles.iter().map(|profile| profile.compute.ln()).collect();
    let ln_x: Vec<f64> = profiles.iter().map(|profile| pick(profile).value.ln()).collect();
    let variance: Vec<f64> = profiles.iter().map(|profile| (error(&pick(profile)) / pick(profile).value).powi(2) + 1e-12).collect();
    let weight: Vec<f64> = variance.iter().map(|v| if vertices == Vertices::Even { 1.0 } else { 1.0 / v }).collect();
    let centre = ln_c.iter().zip(&weight).map(|(c, w)| c * w).sum::<f64>() / weight.iter().sum::<f64>();
    let rows: Vec<Vec<f64>> = ln_c.iter().map(|c| vec![1.0, c - centre]).collect();
    let line = least_squares(&rows, &ln_x, &weight).and_then(|fit| Line::of(&fit, &rows, &weight, &variance));
    // Optima of which all but one have no error to weigh them by are no line.
    let line = line.unwrap_or(Line { value: [f64::NAN; 2], se: [f64::INFINITY; 2], ratio: 0.0 });
    let spare = profiles.len() as f64 - 2.0;
    let behind = profiles.iter().map(|profile| profile.degrees).fold(f64::INFINITY, f64::min);
    let shown =
        spare > 0.0 && FisherSnedecor::new(spare, behind.clamp(1.0, 1e6)).is_ok_and(|law| 1.0 - law.cdf(line.ratio) < SCATTER_SHOWN);
    let width = t_quantile(level, if shown { spare } else { behind });
    let estimate = |value: f64, se: f64| Estimate::new(value, se, [value - width * se, value + width * se], level, Interval::Delta);
    let ([middle, slope], birge) = (line.value, line.ratio.max(1.0).sqrt());
    let [middle_se, slope_se] = line.se.map(|se| birge * se);
    let ln_factor_se = (middle_se.powi(2) + (slope_se * centre).powi(2)).sqrt();
    PowerOfCompute {
        factor: Estimate::exp(middle - slope * centre, ln_factor_se, width, level, Interval::Delta),
        exponent: estimate(slope, slope_se),
        ln_centre: centre,
        ln_at_centre: estimate(middle, middle_se),
        quantile: width,
        level,
    }
}

/// Value and slope at the centre with the errors that the optima carry there, and their scatter about it over what was expected.
struct Line {
    value: [f64; 2],
    se: [f64; 2],
    ratio: f64,
}

impl Line {
    fn of(fit: &LeastSquares, rows: &[Vec<f64>], weight: &[f64], variance: &[f64]) -> Option<Self> {
        // The coefficients are A·y with A = (XᵀWX)⁻¹XᵀW.
        let carries = |j: usize, at: usize| weight[at] * rows[at].iter().zip(&fit.inverse[j]).map(|(x, v)| x * v).sum::<f64>();
        let se = [0, 1].map(|j| (0..rows.len()).map(|at| carries(j, at).powi(2) * variance[at]).sum::<f64>().sqrt());
        // E Σ w·r² = Σ w·v − tr(XᵀW·V·WX·(XᵀWX)⁻¹).
        let own = |at: usize| weight[at] * variance[at];
        let taken = |at: usize| own(at) * (0..2).map(|j| rows[at][j] * carries(j, at)).sum::<f64>();
        let expected: f64 = (0..rows.len()).map(|at| own(at) - taken(at)).sum();
        let ratio = if rows.len() > 2 { fit.residual / expected } else { 0.0 };
        ratio.is_finite().then_some(Self { value: [fit.beta[0], fit.beta[1]], se, ratio })
    }
}
