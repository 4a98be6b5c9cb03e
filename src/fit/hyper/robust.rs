//! Least squares whose far residuals count less, with levels of groups projected out.

use crate::fit::SeedNoise;
use crate::fit::linear::{LeastSquares, least_squares};

/// Residuals beyond this many standard deviations count less (Huber).
const HUBER: f64 = 2.5;
/// Rounds of reweighting.
const ROUNDS: usize = 20;

/// Noise of a run as known beforehand: σ of ln L and the degrees of freedom behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownNoise {
    /// σ of ln L.
    pub sigma: f64,
    /// Degrees of freedom; infinite where it is given.
    pub degrees: f64,
}

impl KnownNoise {
    /// Of replicates, at a loss.
    pub fn of(noise: &SeedNoise, loss: f64) -> Self {
        Self { sigma: noise.at(loss), degrees: noise.degrees as f64 }
    }
}

/// Least squares whose far residuals count less, with s² of the rest. A noise known beforehand joins the estimate of s².
pub(super) struct RobustFit {
    pub(super) beta: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
    pub(super) degrees: f64,
    pub(super) rms: f64,
    /// Variance of a run of weight one.
    pub(super) s2: f64,
    /// Weighted squares of residuals.
    pub(super) residual: f64,
    /// The level of each group of rows.
    pub(super) groups: Vec<Group>,
}

/// The level of a group of rows beside their common coefficients: mean of y minus means · β.
pub(super) struct Group {
    /// Confidence level of the interval.
    pub(super) level: f64,
    /// Weighted means of the columns.
    pub(super) means: Vec<f64>,
    /// Variance of the level if β were known.
    pub(super) variance: f64,
}

/// All rows at one level, which is the coefficient of a column of ones among them.
pub(super) fn robust_fit(rows: &[Vec<f64>], y: &[f64], noise: Option<KnownNoise>) -> Option<RobustFit> {
    robust_fit_of_groups(rows, y, &[], noise)
}

/// The same where rows of each group (`group[row]`, from 0) have a level of their own, which is projected out (Frisch, Waugh
/// and Lovell), so that many groups cost no more than few. Without groups nothing is projected out.
pub(super) fn robust_fit_of_groups(rows: &[Vec<f64>], y: &[f64], group: &[usize], noise: Option<KnownNoise>) -> Option<RobustFit> {
    let (n, p) = (rows.len(), rows.first()?.len());
    let count = group.iter().max().map_or(0, |last| last + 1);
    let degrees = n.checked_sub(p + count)? as f64;
    let mut weight = vec![1.0; n];
    let mut fit = Projected::of(rows, y, group, count, &weight)?;
    for _ in 0..ROUNDS {
        let mut sizes: Vec<f64> = fit.residuals.iter().map(|r| r.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        // Residuals of n points with p coefficients are smaller than the noise by √((n − p)/n).
        let shrink = (degrees.max(1.0) / n as f64).sqrt();
        let scale = (sizes[n / 2] / (0.6745 * shrink)).max(noise.map_or(0.0, |noise| noise.sigma)).max(1e-12);
        let next: Vec<f64> = fit.residuals.iter().map(|r| (HUBER * scale / r.abs()).min(1.0)).collect();
        let moved = weight.iter().zip(&next).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        weight = next;
        fit = Projected::of(rows, y, group, count, &weight)?;
        if moved < SETTLED {
            break;
        }
    }
    let (known, behind) = noise.map_or((0.0, 0.0), |noise| (noise.sigma, noise.degrees));
    let s2 = if behind.is_infinite() {
        known * known
    } else if degrees + behind > 0.0 {
        (fit.least.residual + behind * known * known) / (degrees + behind)
    } else {
        f64::INFINITY
    };
    let covariance = fit.least.inverse.iter().map(|row| row.iter().map(|v| s2 * v).collect()).collect();
    let rms = (fit.residuals.iter().map(|r| r * r).sum::<f64>() / n as f64).sqrt();
    let groups = fit.groups.into_iter().map(|group| Group { variance: s2 * group.variance, ..group }).collect();
    Some(RobustFit { beta: fit.least.beta, covariance, degrees: degrees + behind, rms, s2, residual: fit.least.residual, groups })
}

/// Change of weights below which reweighting is over.
const SETTLED: f64 = 1e-9;

/// Weighted least squares with the levels of groups projected out.
struct Projected {
    least: LeastSquares,
    residuals: Vec<f64>,
    /// With variances in units of s².
    groups: Vec<Group>,
}

impl Projected {
    fn of(rows: &[Vec<f64>], y: &[f64], group: &[usize], count: usize, weight: &[f64]) -> Option<Self> {
        let p = rows[0].len();
        let mut total = vec![0.0; count];
        let mut means = vec![vec![0.0; p]; count];
        let mut y_mean = vec![0.0; count];
        for (at, &of) in group.iter().enumerate() {
            total[of] += weight[at];
            y_mean[of] += weight[at] * y[at];
            means[of].iter_mut().zip(&rows[at]).for_each(|(mean, x)| *mean += weight[at] * x);
        }
        for of in 0..count {
            y_mean[of] /= total[of];
            means[of].iter_mut().for_each(|mean| *mean /= total[of]);
        }
        let less = |at: usize| group.get(at).map(|&of| (&means[of], y_mean[of]));
        let centred: Vec<Vec<f64>> = (0..rows.len())
            .map(|at| {
                less(at).map_or_else(|| rows[at].clone(), |(means, _)| rows[at].iter().zip(means).map(|(x, mean)| x - mean).collect())
            })
            .collect();
        let target: Vec<f64> = (0..rows.len()).map(|at| y[at] - less(at).map_or(0.0, |(_, mean)| mean)).collect();
        let least = least_squares(&centred, &target, weight)?;
        let dot = |row: &[f64]| row.iter().zip(&least.beta).map(|(x, b)| x * b).sum::<f64>();
        let residuals = centred.iter().zip(&target).map(|(row, y)| y - dot(row)).collect();
        let groups = (0..count)
            .map(|of| Group { level: y_mean[of] - dot(&means[of]), variance: 1.0 / total[of], means: means[of].clone() })
            .collect();
        Some(Self { least, residuals, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::linear::variance;
    use crate::spec::Random;

    #[test]
    fn levels_of_groups_are_those_of_columns_of_ones() {
        let mut random = Random::new(5, "groups");
        let group = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2];
        let rows: Vec<Vec<f64>> = group.iter().map(|_| vec![random.normal(), random.normal()]).collect();
        let y: Vec<f64> = group.iter().map(|&of| of as f64 + random.normal()).collect();
        let ones = |at: usize| (0..3).map(move |of| f64::from(u8::from(group[at] == of)));
        let whole: Vec<Vec<f64>> = rows.iter().enumerate().map(|(at, row)| row.iter().copied().chain(ones(at)).collect()).collect();
        let known = Some(KnownNoise { sigma: 0.5, degrees: 7.0 });
        let (projected, plain) =
            (robust_fit_of_groups(&rows, &y, &group, known).expect("fits"), robust_fit(&whole, &y, known).expect("fits"));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        (0..2).for_each(|j| close(projected.beta[j], plain.beta[j]));
        close(projected.covariance[0][1], plain.covariance[0][1]);
        for (of, level) in projected.groups.iter().enumerate() {
            close(level.level, plain.beta[2 + of]);
            close(level.variance + variance(&level.means, &projected.covariance), plain.covariance[2 + of][2 + of]);
        }
        close(projected.degrees, plain.degrees);
    }
}
