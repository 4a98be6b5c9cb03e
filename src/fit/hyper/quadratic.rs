//! ln L as a quadratic of (ln η, ln B) near its minimum. Intervals of the minimum are Fieller's (1954): exact for a parabola
//! with normal noise, unbounded where the data do not bend.

use super::bends::Bends;
use super::robust::{KnownNoise, robust_fit};
use crate::fit::linear::{gradient, product};
use crate::fit::{Estimate, Interval};
use crate::law::RecipeTrials;

/// Runs within this much of the best, in ln L, tell the quadratic; the first that suffices is taken.
const REACHES: [f64; 5] = [0.03, 0.06, 0.12, 0.25, f64::INFINITY];

/// Indices of the trials within `reach` of the best, in ln L.
pub(super) fn within(cell: &RecipeTrials, ln_best: f64, reach: f64) -> Vec<usize> {
    let near = |loss: Option<f64>| loss.is_some_and(|loss| loss.ln() - ln_best <= reach);
    (0..cell.trials.len()).filter(|&at| near(cell.trials[at].loss)).collect()
}

/// The reaches that are tried, nearest first.
pub(super) fn reaches() -> impl Iterator<Item = f64> {
    REACHES.into_iter()
}

/// ln L = f + s·v + v·K·v about a centre, with what is needed for its uncertainty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quadratic {
    pub(super) bends: Bends,
    /// ln η and ln B.
    pub(super) centre: [f64; 2],
    /// f, slopes, squares.
    beta: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
    pub(super) degrees: f64,
}

impl Quadratic {
    /// The quadratic through the runs nearest to the best that determine one with a minimum, and its rms residual.
    pub(super) fn near_minimum(cell: &RecipeTrials, centre: [f64; 2], ln_best: f64, noise: Option<KnownNoise>) -> Option<(Self, f64)> {
        let bends = Bends::of(cell);
        let needed = 1 + bends.count() + bends.squares([0.0; 2]).len();
        let spare = usize::from(noise.is_none()) + usize::from(bends.count() == 2);
        for reach in reaches() {
            let used = within(cell, ln_best, reach);
            if bends.count() == 0 || used.len() < needed + spare {
                continue;
            }
            let place = |at: usize| [cell.trials[at].learning_rate.ln() - centre[0], cell.trials[at].batch.ln() - centre[1]];
            let rows: Vec<Vec<f64>> = used.iter().map(|&at| row(bends, place(at))).collect();
            let y: Vec<f64> = used.iter().filter_map(|&at| cell.trials[at].loss).map(f64::ln).collect();
            let Some(fit) = robust_fit(&rows, &y, noise) else { continue };
            let found = Self { bends, centre, beta: fit.beta, covariance: fit.covariance, degrees: fit.degrees };
            if found.vertex().is_some() {
                return Some((found, fit.rms));
            }
        }
        None
    }

    pub(super) fn row(&self, at: [f64; 2]) -> Vec<f64> {
        row(self.bends, at)
    }

    pub(super) fn at(&self, at: [f64; 2]) -> f64 {
        self.row(at).iter().zip(&self.beta).map(|(x, b)| x * b).sum()
    }

    pub(super) fn curvature(&self) -> [f64; 3] {
        let squares = &self.beta[1 + self.bends.count()..];
        match (self.bends.rate, self.bends.batch) {
            (true, true) => [squares[0], 0.5 * squares[1], squares[2]],
            (true, false) => [squares[0], 0.0, 0.0],
            _ => [0.0, 0.0, squares[0]],
        }
    }

    /// The minimum relative to the centre; `None` where the surface does not bend upwards in every direction.
    pub(super) fn vertex(&self) -> Option<[f64; 2]> {
        let mut vertex = [0.0; 2];
        for (axis, on) in [(0, self.bends.rate), (1, self.bends.batch)] {
            if on {
                let [b, c] = reduced(self.bends, &self.beta, axis);
                if c.is_nan() || c <= 0.0 {
                    return None;
                }
                vertex[axis] = -b / (2.0 * c);
            }
        }
        Some(vertex)
    }

    /// One coordinate of the minimum with Fieller's interval.
    pub(super) fn vertex_estimate(&self, axis: usize, vertex: f64, quantile: f64, level: f64) -> Estimate {
        let part = |which: usize| gradient(&self.beta, |beta| reduced(self.bends, beta, axis)[which]);
        let [b, c] = reduced(self.bends, &self.beta, axis);
        let (by_b, by_c) = (part(0), part(1));
        let [vbb, vbc, vcc] = [(&by_b, &by_b), (&by_b, &by_c), (&by_c, &by_c)].map(|(l, r)| product(l, &self.covariance, r));
        let (low, high) = fieller([b, c], [vbb, vbc, vcc], quantile);
        let se = ((vbb + 4.0 * vertex * vbc + 4.0 * vertex * vertex * vcc).max(0.0)).sqrt() / (2.0 * c);
        let [value, low, high] = [vertex, low, high].map(|x| (x + self.centre[axis]).exp());
        Estimate::new(value, value * se, [low, high], level, Interval::Fieller)
    }
}

fn row(bends: Bends, at: [f64; 2]) -> Vec<f64> {
    let mut row = vec![1.0];
    row.extend(bends.slopes(at));
    row.extend(bends.squares(at));
    row
}

/// (b, c) of the parabola b·x + c·x² that is left in one setting when the other takes its best value.
fn reduced(bends: Bends, beta: &[f64], axis: usize) -> [f64; 2] {
    if bends.count() == 1 {
        return [beta[1], beta[2]];
    }
    let [sx, sy, kxx, kxy, kyy] = [beta[1], beta[2], beta[3], beta[4], beta[5]];
    let (own, other, k_own, k_other) = if axis == 0 { (sx, sy, kxx, kyy) } else { (sy, sx, kyy, kxx) };
    if k_other <= 0.0 {
        return [f64::NAN, f64::NAN];
    }
    [own - 0.5 * kxy * other / k_other, k_own - 0.25 * kxy * kxy / k_other]
}

/// {x : (b + 2cx)² ≤ q²·Var(b + 2cx)}: where a zero of the slope cannot be refused.
fn fieller([b, c]: [f64; 2], [vbb, vbc, vcc]: [f64; 3], q: f64) -> (f64, f64) {
    let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
    if !q.is_finite() || !vcc.is_finite() {
        return unbounded;
    }
    let q2 = q * q;
    let [a2, a1, a0] = [4.0 * (c * c - q2 * vcc), 4.0 * (b * c - q2 * vbc), b * b - q2 * vbb];
    let root = a1 * a1 - 4.0 * a2 * a0;
    if a2 <= 0.0 || root < 0.0 {
        return unbounded;
    }
    ((-a1 - root.sqrt()) / (2.0 * a2), (-a1 + root.sqrt()) / (2.0 * a2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fiellers_interval_of_a_worked_example_and_without_a_bend() {
        // b = 0, c = 1, independent variances 0.01 and 0.04, q = 2: 4(1 − 0.16)x² ≤ 0.04.
        let (low, high) = fieller([0.0, 1.0], [0.01, 0.0, 0.04], 2.0);
        assert!((high - (0.04f64 / 3.36).sqrt()).abs() < 1e-12 && (low + high).abs() < 1e-12);
        assert_eq!(fieller([0.0, 1.0], [0.01, 0.0, 0.3], 2.0), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
