//! The response of one (N, D) cell to its recipe: ln L as a quadratic of (ln η, ln B) near its minimum, fitted robustly.
//! Its minimum is that of the surface, not the lowest loss seen, which is low by luck the more runs were tried.
//! Intervals of the minimum are Fieller's (1954): exact for a parabola with normal noise, unbounded where the data do not
//! bend. The near-optimal band follows DeepSeek LLM (2401.02954 §3.1), widened to the noise of a run.

use super::estimate::t_quantile;
use super::linear::{LeastSquares, least_squares};
use super::{Estimate, Interval, SeedNoise};
use crate::law::{RecipeTrials, Scale};
use crate::spec::NEAR_OPTIMAL;
use serde::Serialize;

/// Runs within this much of the best, in ln L, tell the quadratic; the first that suffices is taken.
const REACHES: [f64; 5] = [0.03, 0.06, 0.12, 0.25, f64::INFINITY];
/// Residuals beyond this many standard deviations count less (Huber).
const HUBER: f64 = 2.5;
/// Rounds of reweighting.
const ROUNDS: usize = 20;

/// The response surface of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    /// What a person calls the cell.
    pub cell: String,
    /// Where it stands.
    pub scale: Scale,
    /// Runs that finished.
    pub runs: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Distinct learning rates and batches.
    pub tried: [usize; 2],
    /// The run with the lowest loss: name, η, B, loss in nats.
    pub best_run: String,
    /// Its learning rate.
    pub best_learning_rate: f64,
    /// Its batch, tokens.
    pub best_batch: f64,
    /// Its loss, nats per token.
    pub best_loss: f64,
    /// η at the minimum of the surface; absent where three rates or a bend are lacking.
    pub learning_rate: Option<Estimate>,
    /// B at the minimum, tokens; absent where three batches or a bend are lacking.
    pub batch: Option<Estimate>,
    /// Loss at the minimum, nats per token.
    pub loss: Option<Estimate>,
    /// ln of the lowest loss seen over that of the surface: below zero by luck, above where the optimum lies between runs.
    pub selection: Option<f64>,
    /// ½ · second derivatives of ln L by (ln η, ln η), (ln η, ln B), (ln B, ln B).
    pub curvature: Option<[f64; 3]>,
    /// What of the optimum lies at or beyond the edge of what was tried, in words.
    pub edges: Vec<String>,
    /// Half-width in ln L of the near-optimal band.
    pub band: f64,
    /// Indices of the trials within the band above the minimum.
    pub near_optimal: Vec<usize>,
    /// Root mean square residual of ln L.
    pub rms: Option<f64>,
    #[serde(skip)]
    quadratic: Option<Quadratic>,
}

/// Which settings the surface bends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bends {
    pub(super) rate: bool,
    pub(super) batch: bool,
}

impl Bends {
    /// Three values of a setting are needed to see a bend.
    pub(super) fn of(cell: &RecipeTrials) -> Self {
        let finished: Vec<_> = cell.trials.iter().filter(|trial| trial.loss.is_some()).cloned().collect();
        let cell = RecipeTrials { trials: finished, ..cell.clone() };
        Self { rate: cell.tried(|t| t.learning_rate).len() >= 3, batch: cell.tried(|t| t.batch).len() >= 3 }
    }

    /// The second-order part of a row: x², xy, y², as far as it bends.
    pub(super) fn squares(self, [x, y]: [f64; 2]) -> Vec<f64> {
        match (self.rate, self.batch) {
            (true, true) => vec![x * x, x * y, y * y],
            (true, false) => vec![x * x],
            (false, true) => vec![y * y],
            (false, false) => Vec::new(),
        }
    }

    /// The first-order part.
    pub(super) fn slopes(self, [x, y]: [f64; 2]) -> Vec<f64> {
        [(self.rate, x), (self.batch, y)].into_iter().filter(|(on, _)| *on).map(|(_, value)| value).collect()
    }

    pub(super) fn count(self) -> usize {
        usize::from(self.rate) + usize::from(self.batch)
    }
}

/// ln L = f + s·v + v·K·v about a centre, with what is needed for its uncertainty.
#[derive(Debug, Clone, PartialEq)]
struct Quadratic {
    bends: Bends,
    centre: [f64; 2],
    /// f, slopes, squares.
    beta: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    degrees: f64,
}

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

/// The response surface of a cell; `None` where no run finished.
pub fn response(cell: &RecipeTrials, noise: Option<KnownNoise>, level: f64) -> Option<Response> {
    let (best, best_loss) = cell.best()?;
    let band = NEAR_OPTIMAL.max(noise.map_or(0.0, |noise| 2.0 * noise.sigma));
    let mut found = Response {
        cell: cell.label.clone(),
        scale: cell.scale,
        runs: cell.trials.len() - cell.diverged(),
        diverged: cell.diverged(),
        tried: [cell.tried(|t| t.learning_rate).len(), cell.tried(|t| t.batch).len()],
        best_run: best.run.clone(),
        best_learning_rate: best.learning_rate,
        best_batch: best.batch,
        best_loss,
        learning_rate: None,
        batch: None,
        loss: None,
        selection: None,
        curvature: None,
        edges: Vec::new(),
        band,
        near_optimal: Vec::new(),
        rms: None,
        quadratic: None,
    };
    if let Some((quadratic, rms)) = Quadratic::near_minimum(cell, [best.learning_rate.ln(), best.batch.ln()], best_loss.ln(), noise) {
        found.take(&quadratic, level, cell);
        (found.rms, found.quadratic) = (Some(rms), Some(quadratic));
    } else if Bends::of(cell).count() > 0 {
        found.edges.push("no minimum inside what was tried: ln L does not bend upwards".into());
    }
    let floor = found.loss.filter(|_| found.edges.is_empty()).map_or(best_loss, |loss| loss.value);
    let near = |loss: Option<f64>| loss.is_some_and(|loss| (loss / floor).ln() <= band);
    found.near_optimal = (0..cell.trials.len()).filter(|&at| near(cell.trials[at].loss)).collect();
    Some(found)
}

impl Response {
    /// Excess of ln L at a recipe over the minimum of the surface; `None` without a surface. What the surface does not
    /// bend in costs nothing.
    pub fn excess(&self, learning_rate: f64, batch: f64) -> Option<f64> {
        let quadratic = self.quadratic.as_ref()?;
        let at = [learning_rate.ln() - quadratic.centre[0], batch.ln() - quadratic.centre[1]];
        Some(quadratic.at(at) - quadratic.at(quadratic.vertex()?))
    }

    /// Whether the optimum is known and inside what was tried.
    pub fn is_inside(&self) -> bool {
        self.quadratic.is_some() && self.edges.is_empty()
    }

    fn take(&mut self, quadratic: &Quadratic, level: f64, cell: &RecipeTrials) {
        let Some(vertex) = quadratic.vertex() else { return };
        let quantile = t_quantile(level, quadratic.degrees);
        if quadratic.bends.rate {
            self.learning_rate = Some(quadratic.vertex_estimate(0, vertex[0], quantile, level));
            self.edges.extend(edge("learning rate", vertex[0] + quadratic.centre[0], &cell.tried(|t| t.learning_rate)));
        }
        if quadratic.bends.batch {
            self.batch = Some(quadratic.vertex_estimate(1, vertex[1], quantile, level));
            self.edges.extend(edge("batch", vertex[1] + quadratic.centre[1], &cell.tried(|t| t.batch)));
        }
        let floor = quadratic.at(vertex);
        // The gradient by the vertex is zero there, so the variance of the floor is that of the quadratic at a fixed place.
        let row = quadratic.row(vertex);
        let se = variance(&row, &quadratic.covariance).sqrt();
        self.loss = Some(exp_estimate(floor, se, quantile, level, Interval::Delta));
        self.selection = Some(self.best_loss.ln() - floor);
        self.curvature = Some(quadratic.curvature());
    }
}

/// The remark on an optimum at or beyond the edge.
fn edge(what: &str, ln_value: f64, tried: &[f64]) -> Option<String> {
    let (low, high) = (tried.first()?, tried.last()?);
    let side = if ln_value < low.ln() {
        format!("below the lowest tried, {}", number(*low))
    } else if ln_value > high.ln() {
        format!("above the highest tried, {}", number(*high))
    } else {
        return None;
    };
    Some(format!("best {what} {side}"))
}

fn number(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value:.3e}") }
}

/// exp of an estimate in logarithms.
pub(super) fn exp_estimate(ln_value: f64, ln_se: f64, quantile: f64, level: f64, interval: Interval) -> Estimate {
    let value = ln_value.exp();
    let width = if ln_se == 0.0 { 0.0 } else { quantile * ln_se };
    Estimate { value, se: value * ln_se, low: (ln_value - width).exp(), high: (ln_value + width).exp(), level, interval }
}

/// gᵀ·V·g.
pub(super) fn variance(gradient: &[f64], covariance: &[Vec<f64>]) -> f64 {
    product(gradient, covariance, gradient)
}

fn product(left: &[f64], matrix: &[Vec<f64>], right: &[f64]) -> f64 {
    left.iter().zip(matrix).map(|(l, row)| l * row.iter().zip(right).map(|(m, r)| m * r).sum::<f64>()).sum()
}

/// Central differences of a function of the coefficients.
pub(super) fn gradient(beta: &[f64], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let along = |j: usize| {
        let step = 1e-6 * beta[j].abs().max(1e-4);
        let moved = |by: f64| {
            let mut moved = beta.to_vec();
            moved[j] += by;
            of(&moved)
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    (0..beta.len()).map(along).collect()
}

/// Least squares whose far residuals count less, with s² of the rest. A noise known beforehand joins the estimate of s².
pub(super) struct RobustFit {
    pub(super) beta: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
    pub(super) degrees: f64,
    pub(super) rms: f64,
    /// The level of each group of rows.
    pub(super) groups: Vec<Group>,
}

/// The level of a group of rows beside their common coefficients: mean of y minus means · β.
pub(super) struct Group {
    /// The level.
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
    Some(RobustFit { beta: fit.least.beta, covariance, degrees: degrees + behind, rms, groups })
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

/// Indices of the trials within `reach` of the best, in ln L.
pub(super) fn within(cell: &RecipeTrials, ln_best: f64, reach: f64) -> Vec<usize> {
    let near = |loss: Option<f64>| loss.is_some_and(|loss| loss.ln() - ln_best <= reach);
    (0..cell.trials.len()).filter(|&at| near(cell.trials[at].loss)).collect()
}

/// The reaches that are tried, nearest first.
pub(super) fn reaches() -> impl Iterator<Item = f64> {
    REACHES.into_iter()
}

impl Quadratic {
    /// The quadratic through the runs nearest to the best that determine one with a minimum, and its rms residual.
    fn near_minimum(cell: &RecipeTrials, centre: [f64; 2], ln_best: f64, noise: Option<KnownNoise>) -> Option<(Self, f64)> {
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

    fn row(&self, at: [f64; 2]) -> Vec<f64> {
        row(self.bends, at)
    }

    fn at(&self, at: [f64; 2]) -> f64 {
        self.row(at).iter().zip(&self.beta).map(|(x, b)| x * b).sum()
    }

    fn curvature(&self) -> [f64; 3] {
        let squares = &self.beta[1 + self.bends.count()..];
        match (self.bends.rate, self.bends.batch) {
            (true, true) => [squares[0], 0.5 * squares[1], squares[2]],
            (true, false) => [squares[0], 0.0, 0.0],
            _ => [0.0, 0.0, squares[0]],
        }
    }

    /// The minimum relative to the centre; `None` where the surface does not bend upwards in every direction.
    fn vertex(&self) -> Option<[f64; 2]> {
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
    fn vertex_estimate(&self, axis: usize, vertex: f64, quantile: f64, level: f64) -> Estimate {
        let part = |which: usize| gradient(&self.beta, |beta| reduced(self.bends, beta, axis)[which]);
        let [b, c] = reduced(self.bends, &self.beta, axis);
        let (by_b, by_c) = (part(0), part(1));
        let [vbb, vbc, vcc] = [(&by_b, &by_b), (&by_b, &by_c), (&by_c, &by_c)].map(|(l, r)| product(l, &self.covariance, r));
        let (low, high) = fieller([b, c], [vbb, vbc, vcc], quantile);
        let se = ((vbb + 4.0 * vertex * vbc + 4.0 * vertex * vertex * vcc).max(0.0)).sqrt() / (2.0 * c);
        let value = (vertex + self.centre[axis]).exp();
        Estimate {
            value,
            se: value * se,
            low: (low + self.centre[axis]).exp(),
            high: (high + self.centre[axis]).exp(),
            level,
            interval: Interval::Fieller,
        }
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
pub(super) mod tests {
    use super::*;
    use crate::law::Trial;
    use crate::spec::Random;

    /// A cell whose ln L is 0.7 + K about (η, B) = (4e-3, 4096), over a grid of factors of two, with noise.
    pub(in crate::fit) fn cell(rates: &[f64], batches: &[f64], sigma: f64, seed: u64) -> RecipeTrials {
        let mut random = Random::new(seed, "response");
        let mut trials = Vec::new();
        for &rate in rates {
            for &batch in batches {
                let (x, y) = ((rate / 4e-3).ln(), (batch / 4096.0).ln());
                let ln_loss = 0.7 + 0.012 * x * x - 0.01 * x * y + 0.009 * y * y + sigma * random.normal();
                let run = format!("{rate} {batch}");
                trials.push(Trial { run, learning_rate: rate, batch, loss: Some(ln_loss.exp()), steps: None });
            }
        }
        RecipeTrials { label: "cell".into(), shape: None, scale: Scale { n: 1e5, d: 1e6, c: 6e11 }, budget: None, trials }
    }

    pub(in crate::fit) fn factors(centre: f64, steps: &[i32]) -> Vec<f64> {
        steps.iter().map(|&step| centre * 2f64.powi(step)).collect()
    }

    #[test]
    fn a_surface_without_noise_is_found_to_rounding() {
        let found = response(&cell(&factors(3e-3, &[-2, -1, 0, 1, 2, 3]), &factors(5000.0, &[-2, -1, 0, 1]), 0.0, 0), None, 0.95);
        let found = found.expect("a surface");
        let [rate, batch, loss] = [found.learning_rate, found.batch, found.loss].map(|estimate| estimate.expect("a minimum").value);
        assert!((rate / 4e-3 - 1.0).abs() < 1e-6 && (batch / 4096.0 - 1.0).abs() < 1e-6, "{rate} {batch}");
        assert!((loss.ln() - 0.7).abs() < 1e-9 && found.is_inside());
        let [kxx, kxy, kyy] = found.curvature.expect("bends");
        assert!((kxx - 0.012).abs() < 1e-8 && (kxy + 0.005).abs() < 1e-8 && (kyy - 0.009).abs() < 1e-8);
        assert!((found.excess(8e-3, 4096.0).expect("a surface") - 0.012 * 2f64.ln().powi(2)).abs() < 1e-8);
        assert!(found.selection.expect("known") > 0.0, "no run stands at the optimum, and there is no luck");
    }

    #[test]
    fn one_batch_gives_a_parabola_and_two_rates_nothing() {
        let found = response(&cell(&factors(3e-3, &[-1, 0, 1, 2]), &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert!((found.learning_rate.expect("a minimum").value / 4e-3 - 1.0).abs() < 1e-6);
        assert_eq!((found.batch, found.tried), (None, [4, 1]));
        let found = response(&cell(&[1e-3, 2e-3], &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert_eq!((found.learning_rate, found.loss, found.edges.len()), (None, None, 0));
    }

    #[test]
    fn an_optimum_beyond_what_was_tried_is_said() {
        let found = response(&cell(&factors(5e-4, &[-2, -1, 0, 1]), &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert!(found.edges[0].contains("above the highest tried, 1.000e-3"), "{:?}", found.edges);
        assert!(!found.is_inside());
    }

    #[test]
    fn diverged_and_far_runs_do_not_bend_the_surface() {
        let mut one = cell(&factors(4e-3, &[-2, -1, 0, 1, 2]), &[4096.0], 0.0, 0);
        let far = |rate: f64, loss| Trial { run: "far".into(), learning_rate: rate, batch: 4096.0, loss, steps: None };
        one.trials.extend([far(0.128, Some(5.0)), far(0.256, None)]);
        let found = response(&one, None, 0.95).expect("runs");
        assert!((found.learning_rate.expect("a minimum").value / 4e-3 - 1.0).abs() < 1e-6);
        assert_eq!((found.runs, found.diverged), (6, 1));
    }

    #[test]
    fn the_band_is_a_quarter_of_a_per_cent_or_twice_the_noise() {
        let one = cell(&factors(4e-3, &[-2, -1, 0, 1, 2]), &[4096.0], 0.0, 0);
        let narrow = response(&one, None, 0.95).expect("runs");
        // 0.012·ln²2 = 0.0058 above the minimum at a factor of two.
        assert_eq!((narrow.band, narrow.near_optimal.len()), (NEAR_OPTIMAL, 1));
        let wide = response(&one, Some(KnownNoise { sigma: 0.003, degrees: 8.0 }), 0.95).expect("runs");
        assert_eq!((wide.band, wide.near_optimal.len()), (0.006, 3));
    }

    #[test]
    fn fiellers_interval_of_a_worked_example_and_without_a_bend() {
        // b = 0, c = 1, independent variances 0.01 and 0.04, q = 2: 4(1 − 0.16)x² ≤ 0.04.
        let (low, high) = fieller([0.0, 1.0], [0.01, 0.0, 0.04], 2.0);
        assert!((high - (0.04f64 / 3.36).sqrt()).abs() < 1e-12 && (low + high).abs() < 1e-12);
        assert_eq!(fieller([0.0, 1.0], [0.01, 0.0, 0.3], 2.0), (f64::NEG_INFINITY, f64::INFINITY));
    }

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

    /// 300 simulations know a coverage of 95 % to 1.3 points; both bounds are three of them away.
    #[test]
    fn intervals_of_the_optimum_cover_at_their_level() {
        let (mut rate, mut batch, mut loss) = (0, 0, 0);
        for seed in 0..300 {
            let one = cell(&factors(3e-3, &[-2, -1, 0, 1, 2, 3]), &factors(5000.0, &[-2, -1, 0, 1]), 0.002, seed);
            let found = response(&one, None, 0.95).expect("a surface");
            let covers = |estimate: Option<Estimate>, truth: f64| {
                usize::from(estimate.is_some_and(|estimate| estimate.low <= truth && truth <= estimate.high))
            };
            rate += covers(found.learning_rate, 4e-3);
            batch += covers(found.batch, 4096.0);
            loss += covers(found.loss, 0.7f64.exp());
        }
        for covered in [rate, batch, loss] {
            assert!((273..=297).contains(&covered), "rate {rate}, batch {batch}, loss {loss} of 300");
        }
    }
}
