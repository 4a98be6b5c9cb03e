//! Intervals for runs that are not independent, under least squares of log loss, on the law linearised at its minimum:
//! the cluster-robust sandwich, scaled and with degrees of freedom as under a working model in which the noise common to
//! a cluster is as large as that of its runs (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), and the wild cluster
//! bootstrap of t with Webb's six weights (Cameron, Gelbach & Miller 2008; Webb 2014).

use super::bootstrap::{Clusters, clusters};
use super::profile::{Scale, slope};
use crate::fit::estimate::{quantile, t_quantile};
use crate::fit::linear::least_squares;
use crate::fit::{Estimate, Estimator, Fit, FitError, Interval, Named, Quantity};
use crate::spec::Random;
use rayon::prelude::*;

/// Intervals of one quantity that allow for dependence within clusters.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Robust {
    /// Wild cluster bootstrap of t.
    pub wild: Estimate,
    /// Sandwich and Student's t.
    pub sandwich: Estimate,
}

/// Draws of Webb's weights.
const DRAWS: usize = 1999;

/// Cluster-robust intervals of quantities of a law fitted by least squares of log loss; a run without a cluster is one.
///
/// # Errors
/// Other estimators have no linearisation of this kind.
pub fn robust(fit: &Fit, level: f64, quantities: &[Quantity]) -> Result<Named<Robust>, FitError> {
    if fit.estimator != Estimator::LeastSquaresLog {
        return Err(FitError::NoLikelihood(fit.estimator.name()));
    }
    let (sum, points) = (&fit.objective_at, &fit.evidence.points);
    let phi = sum.to_phi(fit.law.theta());
    let rows: Vec<Vec<f64>> = sum.jacobian(&phi).iter().map(|row| row.to_vec()).collect();
    let weights: Vec<f64> = points.iter().map(|p| p.weight).collect();
    let Some(linear) = Linear::new(rows, weights, &fit.residuals, clusters(points, fit.resample)) else {
        return Err(FitError::NoMinimum { law: fit.law.name().to_owned() });
    };
    let one = |quantity: &Quantity| {
        let value = quantity.of(&fit.law);
        let scale = Scale::of(value);
        (quantity.name().to_owned(), linear.intervals(value, scale, &slope(sum, fit, quantity, scale, &phi), level, fit.seed))
    };
    Ok(Named(quantities.par_iter().map(one).collect()))
}

/// The law linearised at its minimum: r = J·δ + noise.
struct Linear {
    rows: Vec<Vec<f64>>,
    weights: Vec<f64>,
    inverse: Vec<Vec<f64>>,
    /// r/√(1 − h): residuals at the size that noise had before the fit took its share.
    residuals: Vec<f64>,
    clusters: Clusters,
}

impl Linear {
    fn new(rows: Vec<Vec<f64>>, weights: Vec<f64>, residuals: &[f64], clusters: Clusters) -> Option<Self> {
        let inverse = least_squares(&rows, residuals, &weights)?.inverse;
        let leverage = |row: &[f64], weight: f64| weight * quadratic(&inverse, row);
        let residuals =
            rows.iter().zip(&weights).zip(residuals).map(|((row, &w), r)| r / (1.0 - leverage(row, w)).max(1e-6).sqrt()).collect();
        Some(Self { rows, weights, inverse, residuals, clusters })
    }

    fn intervals(&self, value: f64, scale: Scale, slope: &[f64], level: f64, seed: u64) -> Robust {
        // The quantity's share of each residual: δ ln q = Σ cᵢ·rᵢ.
        let carried: Vec<f64> = multiply(&self.inverse, slope);
        let share: Vec<f64> = self.rows.iter().zip(&self.weights).map(|(row, w)| w * dot(row, &carried)).collect();
        let (_, se) = self.moved(&share, &self.residuals);
        let unit = scale.unit(value);
        let about = |reach: f64, se: f64, interval| {
            Estimate::new(value, unit * se, [-reach, reach].map(|by| scale.back(scale.to(value) + by)), level, interval)
        };
        let (correction, degrees) = self.working_model(&share);
        let width = t_quantile(level, degrees) * correction * self.plain_error(&share);
        let sandwich = about(width, correction * self.plain_error(&share), Interval::Sandwich);
        let mut random = Random::new(seed, "wild cluster");
        let mut statistics: Vec<f64> = (0..DRAWS)
            .map(|_| {
                let signs: Vec<f64> = (0..self.clusters.count).map(|_| webb(&mut random)).collect();
                let drawn: Vec<f64> = self.residuals.iter().zip(&self.clusters.of).map(|(r, &group)| signs[group] * r).collect();
                let (_, error) = self.moved(&share, &self.after_fit(&drawn));
                dot(&share, &drawn) / error
            })
            .map(f64::abs)
            .collect();
        statistics.sort_by(f64::total_cmp);
        let reach = quantile(&statistics, level) * se;
        Robust { wild: about(reach, se, Interval::WildCluster), sandwich }
    }

    /// Σ c·r and its cluster-robust standard error, √Σ_g (Σ_{i∈g} cᵢrᵢ)²·G/(G − 1).
    fn moved(&self, share: &[f64], residuals: &[f64]) -> (f64, f64) {
        let mut by_group = vec![0.0; self.clusters.count];
        for ((c, r), &group) in share.iter().zip(residuals).zip(&self.clusters.of) {
            by_group[group] += c * r;
        }
        let count = self.clusters.count as f64;
        (by_group.iter().sum(), (by_group.iter().map(|part| part * part).sum::<f64>() * count / (count - 1.0)).sqrt())
    }

    /// √Σ_g (Σ_{i∈g} cᵢrᵢ)² without a correction.
    fn plain_error(&self, share: &[f64]) -> f64 {
        let count = self.clusters.count as f64;
        self.moved(share, &self.residuals).1 * ((count - 1.0) / count).sqrt()
    }

    /// What the plain error must be multiplied with to be right on average, and its degrees of freedom, both under the
    /// working model: unit noise of each run and, in clusters of several runs, unit noise common to them.
    fn working_model(&self, share: &[f64]) -> (f64, f64) {
        let adjusted: Vec<f64> = (0..share.len())
            .map(|i| share[i] / (1.0 - self.weights[i] * quadratic(&self.inverse, &self.rows[i])).max(1e-6).sqrt())
            .collect();
        // The sum of cluster g is a_gᵀ·noise, with a_g its shares carried back through the fit.
        let carried: Vec<Vec<f64>> = (0..self.clusters.count)
            .map(|group| {
                let own: Vec<f64> = (0..share.len()).map(|i| if self.clusters.of[i] == group { adjusted[i] } else { 0.0 }).collect();
                let mut right = vec![0.0; self.inverse.len()];
                for (row, y) in self.rows.iter().zip(&own) {
                    row.iter().enumerate().for_each(|(j, x)| right[j] += x * y);
                }
                let step = multiply(&self.inverse, &right);
                (0..own.len()).map(|i| own[i] - self.weights[i] * dot(&self.rows[i], &step)).collect()
            })
            .collect();
        let covariance = |left: &[f64], right: &[f64]| {
            let (mut by_left, mut by_right) = (vec![0.0; self.clusters.count], vec![0.0; self.clusters.count]);
            for (i, &group) in self.clusters.of.iter().enumerate() {
                by_left[group] += left[i];
                by_right[group] += right[i];
            }
            dot(left, right) + dot(&by_left, &by_right)
        };
        let expected: f64 = carried.iter().map(|one| covariance(one, one)).sum();
        let squares: f64 = carried.iter().flat_map(|one| carried.iter().map(|other| covariance(one, other).powi(2))).sum();
        ((covariance(share, share) / expected).sqrt(), expected * expected / squares)
    }

    /// What a refit of the linearised law leaves of a response, again divided by √(1 − h).
    fn after_fit(&self, response: &[f64]) -> Vec<f64> {
        let mut right = vec![0.0; self.inverse.len()];
        for ((row, w), y) in self.rows.iter().zip(&self.weights).zip(response) {
            row.iter().enumerate().for_each(|(j, x)| right[j] += w * x * y);
        }
        let step = multiply(&self.inverse, &right);
        let left = self.rows.iter().zip(&self.weights).zip(response);
        left.map(|((row, w), y)| (y - dot(row, &step)) / (1.0 - w * quadratic(&self.inverse, row)).max(1e-6).sqrt()).collect()
    }
}

/// One of ±√1.5, ±1, ±√0.5, each with the same probability.
fn webb(random: &mut Random) -> f64 {
    const SIZES: [f64; 3] = [1.224_744_871_391_589, 1.0, std::f64::consts::FRAC_1_SQRT_2];
    let draw = random.below(6) as usize;
    if draw < 3 { SIZES[draw] } else { -SIZES[draw - 3] }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

fn multiply(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

fn quadratic(matrix: &[Vec<f64>], vector: &[f64]) -> f64 {
    dot(&multiply(matrix, vector), vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webb_weights_have_mean_zero_and_variance_one() {
        let mut random = Random::new(1, "webb");
        let draws: Vec<f64> = (0..60_000).map(|_| webb(&mut random)).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|v| v * v).sum::<f64>() / n;
        // Five standard errors: 1/√n and √(1/6)/√n.
        assert!(mean.abs() < 0.021 && (variance - 1.0).abs() < 0.009, "{mean} {variance}");
    }
}
