//! ln L as a polynomial of (ln η, ln B) near its minimum, of second order, or of third where runs show it. Intervals of the minimum are Fieller's (1954): exact for a parabola
//! with normal noise, unbounded where the data do not bend.

use super::curved_axes::CurvedAxes;
use super::nearby::{Windowed, leans, narrowed, within};
use super::robust::{KnownNoise, RobustFit, robust_fit};
use super::shape::Shape;
use crate::fit::linear::{gradient, product};
use crate::fit::{Estimate, Interval};
use crate::law::RecipeTrials;

/// ln L = f + s·v + v·K·v + T(v, v, v) about a centre, with what is needed for its uncertainty. T is there where runs show it,
/// and then the centre is the minimum.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Surface {
    pub(super) curved_axes: CurvedAxes,
    /// ln η and ln B.
    pub(super) centre: [f64; 2],
    /// f, slopes, squares, cubes.
    beta: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
    pub(super) degrees: f64,
    pub(super) rms: f64,
    spread: f64,
    runs: usize,
}

impl Windowed for Surface {
    fn spread(&self) -> f64 {
        self.spread
    }

    fn runs_each(&self) -> f64 {
        self.runs as f64 / self.beta.len() as f64
    }
}

impl Surface {
    /// The surface through the runs nearest to the best that determine one with a minimum.
    pub(super) fn near_minimum(cell: &RecipeTrials, centre: [f64; 2], ln_best: f64, noise: Option<KnownNoise>) -> Option<Self> {
        let curved_axes = CurvedAxes::of(cell);
        let needed = 1 + curved_axes.count() + curved_axes.squares([0.0; 2]).len();
        let spare = usize::from(noise.is_none()) + usize::from(curved_axes.count() == 2);
        let fit = |reach: f64| {
            let used = within(cell, ln_best, reach);
            let enough = curved_axes.count() > 0 && used.len() >= needed + spare;
            enough.then(|| Self::of_runs(cell, &used, curved_axes, centre, noise)).flatten()
        };
        narrowed(noise, fit).map(|(found, _)| found)
    }

    /// The quadratic through these runs, or the cubic about its own minimum where they show one and it has one among them.
    fn of_runs(cell: &RecipeTrials, used: &[usize], curved_axes: CurvedAxes, centre: [f64; 2], noise: Option<KnownNoise>) -> Option<Self> {
        let (plain, fit) = Self::fitted(cell, used, curved_axes, centre, noise)?;
        let lean = || -> Option<Self> {
            let (about, richer) = Self::fitted(cell, used, curved_axes.leaning(), centre, noise)?;
            if !leans(&about, curved_axes.tried_widely(cell), &fit, &richer) {
                return None;
            }
            let vertex = about.vertex()?;
            let there = [centre[0] + vertex[0], centre[1] + vertex[1]];
            let (found, _) = Self::fitted(cell, used, curved_axes.leaning(), there, noise)?;
            (found.vertex().is_some() && among(cell, used, there)).then_some(found)
        };
        lean().or_else(|| plain.vertex().is_some().then_some(plain))
    }

    fn fitted(
        cell: &RecipeTrials,
        used: &[usize],
        curved_axes: CurvedAxes,
        centre: [f64; 2],
        noise: Option<KnownNoise>,
    ) -> Option<(Self, RobustFit)> {
        let place = |at: usize| [cell.trials[at].learning_rate.ln() - centre[0], cell.trials[at].batch.ln() - centre[1]];
        let rows: Vec<Vec<f64>> = used.iter().map(|&at| row(curved_axes, place(at))).collect();
        let y: Vec<f64> = used.iter().filter_map(|&at| cell.trials[at].loss).map(f64::ln).collect();
        let fit = robust_fit(&rows, &y, noise)?;
        let (beta, covariance, spread) = (fit.beta.clone(), fit.covariance.clone(), fit.s2.sqrt());
        let found = Self { curved_axes, centre, beta, covariance, degrees: fit.degrees, rms: fit.rms, spread, runs: used.len() };
        Some((found, fit))
    }

    pub(super) fn row(&self, at: [f64; 2]) -> Vec<f64> {
        row(self.curved_axes, at)
    }

    pub(super) fn at(&self, at: [f64; 2]) -> f64 {
        self.row(at).iter().zip(&self.beta).map(|(x, b)| x * b).sum()
    }

    fn shape(&self) -> Shape {
        shape(self.curved_axes, &self.beta)
    }

    /// ½ · second derivatives at a place relative to the centre.
    pub(super) fn curvature(&self, at: [f64; 2]) -> [f64; 3] {
        self.shape().curvature(at)
    }

    /// The minimum relative to the centre; `None` where the surface does not bend upwards in every direction.
    pub(super) fn vertex(&self) -> Option<[f64; 2]> {
        self.shape().vertex()
    }

    /// One coordinate of the minimum with Fieller's interval; of a cubic, that of the quadratic that touches it there.
    pub(super) fn vertex_estimate(&self, axis: usize, vertex: f64, quantile: f64, level: f64) -> Estimate {
        let part = |which: usize| gradient(&self.beta, |beta| reduced(self.curved_axes, beta, axis)[which]);
        let [b, c] = reduced(self.curved_axes, &self.beta, axis);
        let (by_b, by_c) = (part(0), part(1));
        let [vbb, vbc, vcc] = [(&by_b, &by_b), (&by_b, &by_c), (&by_c, &by_c)].map(|(l, r)| product(l, &self.covariance, r));
        let (low, high) = fieller([b, c], [vbb, vbc, vcc], quantile);
        let se = ((vbb + 4.0 * vertex * vbc + 4.0 * vertex * vertex * vcc).max(0.0)).sqrt() / (2.0 * c);
        let [value, low, high] = [vertex, low, high].map(|x| (x + self.centre[axis]).exp());
        Estimate::new(value, value * se, [low, high], level, Interval::Fieller)
    }
}

fn row(curved_axes: CurvedAxes, at: [f64; 2]) -> Vec<f64> {
    let mut row = vec![1.0];
    row.extend(curved_axes.slopes(at));
    row.extend(curved_axes.squares(at));
    row.extend(curved_axes.cubes(at));
    row
}

fn shape(curved_axes: CurvedAxes, beta: &[f64]) -> Shape {
    let (slopes, rest) = beta[1..].split_at(curved_axes.count());
    let (squares, cubes) = rest.split_at(curved_axes.squares([0.0; 2]).len());
    Shape::new(curved_axes, slopes, squares, cubes)
}

/// Whether a place lies inside the range of the runs in each setting: beyond it a cubic says nothing.
fn among(cell: &RecipeTrials, used: &[usize], place: [f64; 2]) -> bool {
    let inside = |axis: usize| {
        let values = used.iter().map(|&at| [cell.trials[at].learning_rate, cell.trials[at].batch][axis].ln());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        low - ROUNDING <= place[axis] && place[axis] <= high + ROUNDING
    };
    inside(0) && inside(1)
}

/// A setting that was not varied stands at its value but for rounding.
const ROUNDING: f64 = 1e-9;

/// (b, c) of the parabola b·x + c·x² that is left in one setting when the other takes its best value, third order left out.
fn reduced(curved_axes: CurvedAxes, beta: &[f64], axis: usize) -> [f64; 2] {
    if curved_axes.count() == 1 {
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
pub(in crate::fit) fn fieller([b, c]: [f64; 2], [vbb, vbc, vcc]: [f64; 3], q: f64) -> (f64, f64) {
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
