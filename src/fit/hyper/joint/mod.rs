//! One response surface for all (N, D) cells: ln L = f(cell) + (v − μ)·K·(v − μ) with v = (ln η, ln B), one bend K, and an
//! optimum μ that moves as powers of N, D or C; where runs show it, also one T(v − μ, v − μ, v − μ), since loss climbs faster
//! towards high learning rates. Multiplied out without T, it is linear in its coefficients: K, a slope in each
//! setting that is affine in ln N and ln D, and a floor for each cell; so one robust least squares fits every run at once,
//! cells with a single recipe too. The floors are the losses of the cells at their best recipe: the tuned frontier.

mod coefficients;

use super::curved_axes::CurvedAxes;
use super::nearby::{Windowed, leans, narrowed, within};
use super::power_fit::{Basis, PowerFit};
use super::robust::{Group, KnownNoise, RobustFit, robust_fit_of_groups};
use crate::fit::estimate::t_quantile;
use crate::fit::linear::{gradient, variance};
use crate::fit::{Estimate, Interval};
use crate::law::{Evidence, Point, RecipeTrials, Scale};
use coefficients::Core;
use serde::Serialize;

/// The joint surface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointSurface {
    /// What its optimum depends on.
    pub basis: Basis,
    /// Best learning rate; absent where rates do not bend the surface.
    pub learning_rate: Option<PowerFit>,
    /// Best batch, tokens; absent where batches do not.
    pub batch: Option<PowerFit>,
    /// Loss of each cell at its best recipe.
    pub tuned: Vec<TunedLoss>,
    /// ½ · second derivatives of ln L by (ln η, ln η), (ln η, ln B), (ln B, ln B).
    pub curvature: [f64; 3],
    /// Whether the runs show that it is steeper on one side (terms of third order).
    pub leans: bool,
    /// Runs it rests on.
    pub runs: usize,
    /// How far above the best of its cell a run may lie, in ln L.
    pub reach: Option<f64>,
    /// Root mean square residual of ln L.
    pub rms: f64,
    #[serde(skip)]
    core: Core,
}

/// A cell's loss at its best recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunedLoss {
    /// What a person calls the cell.
    pub cell: String,
    /// N, D and C of the cell.
    pub scale: Scale,
    /// Nominal budget, FLOPs.
    pub budget: Option<f64>,
    /// The run with the lowest loss.
    pub best_run: String,
    /// All runs of the cell.
    #[serde(skip)]
    pub runs: Vec<String>,
    /// The lowest loss, nats per token.
    pub raw: f64,
    /// Loss at the best recipe, nats per token.
    pub loss: Estimate,
    /// ln(raw / tuned): what better tuning would gain, or what luck gave where it is below zero.
    pub tuning_error: f64,
    /// Standard error of the part of it that is the surface's, in ln L.
    pub tuning_se: f64,
}

/// Fits the joint surface on a basis; `None` where the runs do not determine one with a minimum.
pub fn joint_surface(cells: &[RecipeTrials], basis: Basis, noise: Option<KnownNoise>, level: f64) -> Option<JointSurface> {
    let cells: Vec<&RecipeTrials> = cells.iter().filter(|cell| cell.best().is_some()).collect();
    of_basis(&cells, basis, noise, level)
}

/// A surface in one window.
struct Fitted {
    core: Core,
    fit: RobustFit,
    runs: usize,
}

impl Windowed for Fitted {
    fn spread(&self) -> f64 {
        self.fit.s2.sqrt()
    }

    fn runs_each(&self) -> f64 {
        self.runs as f64 / (self.fit.beta.len() + self.fit.groups.len()) as f64
    }
}

/// Steps by which a surface of third order is moved to its minimum, half a unit of ln of a setting at most, and where that ends.
const STEPS: usize = 60;
const LONGEST: f64 = 0.5;
const SETTLED: f64 = 1e-7;

/// The runs of all cells in a window.
struct Window<'a> {
    cells: &'a [&'a RecipeTrials],
    /// Place of the cell, recipe and ln loss of each.
    runs: Vec<(usize, [f64; 2], f64)>,
    noise: Option<KnownNoise>,
}

impl<'a> Window<'a> {
    fn new(cells: &'a [&'a RecipeTrials], reach: f64, noise: Option<KnownNoise>) -> Option<Self> {
        let mut runs = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            let (_, best) = cell.best()?;
            for index in within(cell, best.ln(), reach) {
                let trial = &cell.trials[index];
                runs.push((at, [trial.learning_rate.ln(), trial.batch.ln()], trial.loss?.ln()));
            }
        }
        Some(Self { cells, runs, noise })
    }

    /// The quadratic, or the cubic where the runs show one that has a minimum.
    fn surface(&self, basis: Basis) -> Option<Fitted> {
        let curved_axes = CurvedAxes::common(self.cells);
        let plain = self.fitted(Core::about(self.cells, basis, curved_axes)).filter(|_| curved_axes.count() > 0)?;
        if !curved_axes.upwards(plain.core.curvature()) {
            return None;
        }
        Some(self.leaning(&plain).unwrap_or(plain))
    }

    fn fitted(&self, core: Core) -> Option<Fitted> {
        let rows: Vec<Vec<f64>> = self.runs.iter().map(|(at, recipe, _)| core.row(*recipe, &self.cells[*at].scale)).collect();
        let y: Vec<f64> = self.runs.iter().map(|run| run.2).collect();
        let group: Vec<usize> = self.runs.iter().map(|run| run.0).collect();
        if rows.len() < rows.first()?.len() + self.cells.len() + 2 {
            return None;
        }
        let fit = robust_fit_of_groups(&rows, &y, &group, self.noise)?;
        let core = Core { beta: fit.beta.clone(), covariance: fit.covariance.clone(), ..core };
        Some(Fitted { core, fit, runs: rows.len() })
    }

    /// Gauss and Newton from the minimum of the quadratic: about its own minimum a surface has no slopes.
    fn leaning(&self, plain: &Fitted) -> Option<Fitted> {
        let mut found = self.fitted(plain.core.leaning())?;
        let widely = self.cells.iter().all(|cell| plain.core.curved_axes.tried_widely(cell));
        if !leans(&found, widely, &plain.fit, &found.fit) {
            return None;
        }
        for _ in 0..STEPS {
            if !found.core.curved_axes.upwards(found.core.curvature()) {
                return None;
            }
            let off = found.core.off(self.cells);
            if off < SETTLED {
                return Some(found);
            }
            found = self.fitted(found.core.moved((LONGEST / off).min(1.0)))?;
        }
        None
    }
}

fn of_basis(cells: &[&RecipeTrials], basis: Basis, noise: Option<KnownNoise>, level: f64) -> Option<JointSurface> {
    let (found, reach) = narrowed(noise, |reach| Window::new(cells, reach, noise)?.surface(basis))?;
    let Fitted { core, fit, runs } = found;
    let quantile = t_quantile(level, fit.degrees);
    let law = |axis: usize| core.law(axis, fit.degrees, level, cells.len());
    Some(JointSurface {
        basis,
        learning_rate: law(0),
        batch: law(1),
        tuned: cells.iter().zip(&fit.groups).filter_map(|(cell, group)| tuned(&core, cell, group, quantile, level)).collect(),
        curvature: core.curvature(),
        leans: core.curved_axes.lean,
        runs,
        reach: reach.is_finite().then_some(reach),
        rms: fit.rms,
        core,
    })
}

/// Points at the losses that their cells would have at their best recipe, one a cell, weighed by how well that loss is
/// known beside `sigma(loss)`, the noise of one run in ln L. Points of no cell stay as they are.
pub fn tuned_evidence(evidence: &Evidence, joint: &JointSurface, sigma: &dyn Fn(f64) -> f64) -> Evidence {
    let mut points: Vec<Point> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for point in &evidence.points {
        let Some(cell) = joint.tuned.iter().find(|cell| cell.runs.contains(&point.run)) else {
            points.push(Point { weight: sigma(point.loss).powi(-2), ..point.clone() });
            continue;
        };
        if seen.contains(&cell.best_run.as_str()) {
            continue;
        }
        seen.push(&cell.best_run);
        let se = cell.loss.se().unwrap_or(f64::INFINITY) / cell.loss.value;
        let variance = sigma(cell.loss.value).powi(2) + se * se;
        points.push(Point { run: cell.best_run.clone(), loss: cell.loss.value, weight: 1.0 / variance, ..point.clone() });
    }
    let mean = points.iter().map(|point| point.weight).sum::<f64>() / points.len().max(1) as f64;
    points.iter_mut().for_each(|point| point.weight /= mean);
    evidence.with_points(points)
}

impl JointSurface {
    /// Excess of ln L of a recipe over the best one at a place.
    pub fn excess(&self, learning_rate: f64, batch: f64, scale: &Scale) -> f64 {
        self.core.excess(&self.core.beta, [learning_rate.ln(), batch.ln()], scale)
    }

    /// Factors by which the best learning rate and the best batch may each be changed before ln L rises by `rise`; none where a
    /// setting does not bend the surface.
    pub fn room(&self, rise: f64) -> [Option<[f64; 2]>; 2] {
        let shape = self.core.shape(&self.core.beta);
        let curved_axes = [self.learning_rate.is_some(), self.batch.is_some()];
        [0, 1].map(|axis| curved_axes[axis].then(|| shape.room(axis, rise).map(f64::exp)))
    }
}

/// A cell's loss at its best recipe: the level of its rows less the depth of their minimum.
fn tuned(core: &Core, cell: &RecipeTrials, group: &Group, quantile: f64, level: f64) -> Option<TunedLoss> {
    let (best, raw) = cell.best()?;
    let z = core.place(&cell.scale);
    let floor = group.level - core.depth(&core.beta, &z);
    // The level moves with β as −means, and has a variance of its own.
    let depth = gradient(&core.beta, |beta| core.depth(beta, &z));
    let slope: Vec<f64> = depth.iter().zip(&group.means).map(|(depth, mean)| -depth - mean).collect();
    let se = (variance(&slope, &core.covariance) + group.variance).max(0.0).sqrt();
    let own = gradient(&core.beta, |beta| core.excess(beta, [best.learning_rate.ln(), best.batch.ln()], &cell.scale));
    let loss = Estimate::exp(floor, se, quantile, level, Interval::Delta);
    Some(TunedLoss {
        cell: cell.label.clone(),
        scale: cell.scale,
        budget: cell.budget,
        best_run: best.run.clone(),
        runs: cell.trials.iter().map(|trial| trial.run.clone()).collect(),
        raw,
        tuning_error: (raw / loss.value).ln(),
        tuning_se: variance(&own, &core.covariance).max(0.0).sqrt(),
        loss,
    })
}

#[cfg(test)]
pub(super) mod tests;
