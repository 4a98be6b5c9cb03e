//! Powers of compute through the optima of budgets.

use super::valley::Valley;
use crate::fit::estimate::t_quantile;
use crate::fit::linear::least_squares;
use crate::fit::{Estimate, Interval};
use serde::Serialize;

/// x*(C) = factor·C^exponent, fitted as a weighted line in logarithms about the mean of ln C.
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

/// Weighted line ln x* = c + s·(ln C − centre), each optimum by 1/se², centred at the weighted mean of ln C.
pub(super) fn power_of_compute(valleys: &[Valley], pick: fn(&Valley) -> Estimate, level: f64) -> PowerOfCompute {
    let ln_c: Vec<f64> = valleys.iter().map(|valley| valley.compute.ln()).collect();
    let ln_x: Vec<f64> = valleys.iter().map(|valley| pick(valley).value.ln()).collect();
    let variance: Vec<f64> = valleys.iter().map(|valley| (error(&pick(valley)) / pick(valley).value).powi(2)).collect();
    let degrees = valleys.len() as f64 - 2.0;
    let weight: Vec<f64> = variance.iter().map(|v| 1.0 / (v + 1e-12)).collect();
    let centre = ln_c.iter().zip(&weight).map(|(c, w)| c * w).sum::<f64>() / weight.iter().sum::<f64>();
    let rows: Vec<Vec<f64>> = ln_c.iter().map(|c| vec![1.0, c - centre]).collect();
    // Optima of which all but one have no error to weigh them by are no line.
    let line = least_squares(&rows, &ln_x, &weight)
        .map(|fit| ([fit.beta[0], fit.beta[1]], [0, 1].map(|j| fit.inverse[j][j].sqrt()), fit.residual));
    let ([middle, slope], [middle_se, slope_se], chi2) = line.unwrap_or(([f64::NAN; 2], [f64::INFINITY; 2], 0.0));
    // Optima that scatter more than their standard errors say widen the errors of the line (Birge 1932).
    let birge = if degrees > 0.0 { (chi2 / degrees).sqrt().max(1.0) } else { 1.0 };
    let (middle_se, slope_se) = (birge * middle_se, birge * slope_se);
    let width = t_quantile(level, degrees);
    let estimate = |value: f64, se: f64| Estimate::new(value, se, [value - width * se, value + width * se], level, Interval::Delta);
    let ln_factor = middle - slope * centre;
    let ln_factor_se = (middle_se.powi(2) + (slope_se * centre).powi(2)).sqrt();
    PowerOfCompute {
        factor: Estimate::exp(ln_factor, ln_factor_se, width, level, Interval::Delta),
        exponent: estimate(slope, slope_se),
        ln_centre: centre,
        ln_at_centre: estimate(middle, middle_se),
        quantile: width,
        level,
    }
}
