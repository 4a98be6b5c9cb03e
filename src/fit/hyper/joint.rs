//! One response surface for all (N, D) cells: ln L = f(cell) + (v − μ)·K·(v − μ) with v = (ln η, ln B), one bend K, and an
//! optimum μ that moves as powers of N, D or C. Multiplied out, it is linear in its coefficients: K, a slope in each
//! setting that is affine in ln N and ln D, and a floor for each cell; so one robust least squares fits every run at once,
//! cells with a single recipe too. The floors are the losses of the cells at their best recipe: the tuned frontier.

use super::bends::Bends;
use super::power_fit::{Basis, PowerFit};
use super::quadratic::{reaches, within};
use super::robust::{Group, KnownNoise, robust_fit_of_groups};
use crate::fit::estimate::t_quantile;
use crate::fit::linear::{gradient, variance};
use crate::fit::{Estimate, Interval};
use crate::law::{Evidence, Point, RecipeTrials, Scale};
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
    /// Where it stands.
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

/// The numbers behind it.
#[derive(Debug, Clone, PartialEq)]
struct Core {
    basis: Basis,
    bends: Bends,
    /// Means of (ln η, ln B) and of the logarithms that the basis takes.
    centre: [f64; 2],
    means: Vec<f64>,
    /// Squares, then for each setting a constant and a slope for each variable of the basis.
    beta: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

/// Fits the joint surface on a basis; `None` where the runs do not determine one with a minimum.
pub fn joint_surface(cells: &[RecipeTrials], basis: Basis, noise: Option<KnownNoise>, level: f64) -> Option<JointSurface> {
    let cells: Vec<&RecipeTrials> = cells.iter().filter(|cell| cell.best().is_some()).collect();
    reaches().find_map(|reach| fit_within(&cells, basis, noise, level, reach))
}

fn fit_within(cells: &[&RecipeTrials], basis: Basis, noise: Option<KnownNoise>, level: f64, reach: f64) -> Option<JointSurface> {
    let bends = Bends::common(cells);
    let core = Core::about(cells, basis, bends);
    let (mut rows, mut y, mut group) = (Vec::new(), Vec::new(), Vec::new());
    for (at, cell) in cells.iter().enumerate() {
        let (_, best) = cell.best()?;
        for index in within(cell, best.ln(), reach) {
            let trial = &cell.trials[index];
            rows.push(core.row([trial.learning_rate.ln(), trial.batch.ln()], &cell.scale));
            y.push(trial.loss?.ln());
            group.push(at);
        }
    }
    let (runs, width) = (rows.len(), rows.first()?.len());
    if bends.count() == 0 || runs < width + cells.len() + 2 {
        return None;
    }
    let fit = robust_fit_of_groups(&rows, &y, &group, noise)?;
    let core = Core { beta: fit.beta, covariance: fit.covariance, ..core };
    let curvature = core.curvature();
    if !bends.upwards(curvature) {
        return None;
    }
    let quantile = t_quantile(level, fit.degrees);
    let tuned = cells.iter().zip(&fit.groups).filter_map(|(cell, group)| core.tuned(cell, group, quantile, level));
    let (learning_rate, batch) = (core.law(0, fit.degrees, level, cells.len()), core.law(1, fit.degrees, level, cells.len()));
    Some(JointSurface {
        basis,
        learning_rate,
        batch,
        tuned: tuned.collect(),
        curvature,
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
}

impl Core {
    fn about(cells: &[&RecipeTrials], basis: Basis, bends: Bends) -> Self {
        let trials = || cells.iter().flat_map(|cell| cell.trials.iter().filter(|trial| trial.loss.is_some()));
        let count = trials().count().max(1) as f64;
        let centre = [
            trials().map(|trial| trial.learning_rate.ln()).sum::<f64>() / count,
            trials().map(|trial| trial.batch.ln()).sum::<f64>() / count,
        ];
        let columns: Vec<Vec<f64>> = cells.iter().map(|cell| basis.columns(&cell.scale)).collect();
        let means = (0..basis.names().len()).map(|j| columns.iter().map(|row| row[j]).sum::<f64>() / columns.len() as f64).collect();
        Self { basis, bends, centre, means, beta: Vec::new(), covariance: Vec::new() }
    }

    /// The columns of K and of the moving slopes for a run.
    fn row(&self, recipe: [f64; 2], scale: &Scale) -> Vec<f64> {
        let v = [recipe[0] - self.centre[0], recipe[1] - self.centre[1]];
        let z = self.place(scale);
        let mut row = self.bends.squares(v);
        for slope in self.bends.slopes(v) {
            row.extend(z.iter().map(|z| slope * z));
        }
        row
    }

    /// (1, centred logarithms).
    fn place(&self, scale: &Scale) -> Vec<f64> {
        std::iter::once(1.0).chain(self.basis.columns(scale).iter().zip(&self.means).map(|(z, mean)| z - mean)).collect()
    }

    fn curvature(&self) -> [f64; 3] {
        match (self.bends.rate, self.bends.batch) {
            (true, true) => [self.beta[0], 0.5 * self.beta[1], self.beta[2]],
            (true, false) => [self.beta[0], 0.0, 0.0],
            _ => [0.0, 0.0, self.beta[0]],
        }
    }

    /// Coefficients of μ in one setting: a constant and a slope for each variable of the basis, about the centre.
    fn optimum(&self, beta: &[f64], axis: usize) -> Vec<f64> {
        let width = self.means.len() + 1;
        let squares = self.bends.squares([0.0; 2]).len();
        let slope = |setting: usize, j: usize| beta[squares + setting * width + j];
        (0..width)
            .map(|j| match (self.bends.rate, self.bends.batch) {
                (true, true) => {
                    let [kxx, kxy, kyy] = [beta[0], 0.5 * beta[1], beta[2]];
                    let (sx, sy, determinant) = (slope(0, j), slope(1, j), kxx * kyy - kxy * kxy);
                    let solved = if axis == 0 { kyy * sx - kxy * sy } else { kxx * sy - kxy * sx };
                    -0.5 * solved / determinant
                }
                _ => -0.5 * slope(0, j) / beta[0],
            })
            .collect()
    }

    fn bends_in(&self, axis: usize) -> bool {
        if axis == 0 { self.bends.rate } else { self.bends.batch }
    }

    fn law(&self, axis: usize, degrees: f64, level: f64, cells: usize) -> Option<PowerFit> {
        if !self.bends_in(axis) {
            return None;
        }
        let mut value = self.optimum(&self.beta, axis);
        let gradients: Vec<Vec<f64>> = (0..value.len()).map(|j| gradient(&self.beta, |beta| self.optimum(beta, axis)[j])).collect();
        let cross = |i: usize, j: usize| {
            let moved: Vec<f64> = self.covariance.iter().map(|row| row.iter().zip(&gradients[j]).map(|(v, g)| v * g).sum()).collect();
            gradients[i].iter().zip(&moved).map(|(g, m)| g * m).sum::<f64>()
        };
        let covariance = (0..value.len()).map(|i| (0..value.len()).map(|j| cross(i, j)).collect()).collect();
        value[0] += self.centre[axis];
        Some(PowerFit::new(self.basis, self.means.clone(), value, covariance, degrees, level, cells))
    }

    /// (v − μ)·K·(v − μ).
    fn excess(&self, beta: &[f64], recipe: [f64; 2], scale: &Scale) -> f64 {
        let z = self.place(scale);
        let off = |axis: usize| {
            if !self.bends_in(axis) {
                return 0.0;
            }
            let best: f64 = self.optimum(beta, axis).iter().zip(&z).map(|(m, z)| m * z).sum();
            recipe[axis] - self.centre[axis] - best
        };
        let [x, y] = [off(0), off(1)];
        let with = Self { beta: beta.to_vec(), covariance: Vec::new(), means: Vec::new(), ..*self };
        let [kxx, kxy, kyy] = with.curvature();
        kxx * x * x + 2.0 * kxy * x * y + kyy * y * y
    }

    /// A cell's loss at its best recipe: the level of its rows, which hold v·K·v + slopes·v, less the depth of their minimum.
    fn tuned(&self, cell: &RecipeTrials, group: &Group, quantile: f64, level: f64) -> Option<TunedLoss> {
        let (best, raw) = cell.best()?;
        let z = self.place(&cell.scale);
        let floor = group.level - self.depth(&self.beta, &z);
        // The level moves with β as −means, and has a variance of its own.
        let depth = gradient(&self.beta, |beta| self.depth(beta, &z));
        let slope: Vec<f64> = depth.iter().zip(&group.means).map(|(depth, mean)| -depth - mean).collect();
        let se = (variance(&slope, &self.covariance) + group.variance).max(0.0).sqrt();
        let own = gradient(&self.beta, |beta| self.excess(beta, [best.learning_rate.ln(), best.batch.ln()], &cell.scale));
        let loss = Estimate::exp(floor, se, quantile, level, Interval::Delta);
        Some(TunedLoss {
            cell: cell.label.clone(),
            scale: cell.scale,
            budget: cell.budget,
            best_run: best.run.clone(),
            runs: cell.trials.iter().map(|trial| trial.run.clone()).collect(),
            raw,
            tuning_error: (raw / loss.value).ln(),
            tuning_se: variance(&own, &self.covariance).max(0.0).sqrt(),
            loss,
        })
    }

    /// μ·K·μ at a place.
    fn depth(&self, beta: &[f64], z: &[f64]) -> f64 {
        let at = |axis: usize| {
            if self.bends_in(axis) { self.optimum(beta, axis).iter().zip(z).map(|(m, z)| m * z).sum() } else { 0.0 }
        };
        let [x, y]: [f64; 2] = [at(0), at(1)];
        let with = Self { beta: beta.to_vec(), covariance: Vec::new(), means: Vec::new(), ..*self };
        let [kxx, kxy, kyy] = with.curvature();
        kxx * x * x + 2.0 * kxy * x * y + kyy * y * y
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::law::{PowerRule, Trial};
    use crate::spec::Random;

    const RATE: PowerRule = PowerRule::of_size_and_tokens(0.5, -0.5, 0.1);
    const BATCH: PowerRule = PowerRule::of_size_and_tokens(0.3, 0.0, 0.6);

    /// ln of the tuned loss of a cell.
    fn floor(scale: &Scale) -> f64 {
        (1.0 + 30.0 * scale.n.powf(-0.35) + 60.0 * scale.d.powf(-0.35)).ln()
    }

    /// 3 sizes × 2 lengths, each with 4 × 3 recipes about a centre that is off by a step, of a known surface with noise.
    pub(in crate::fit) fn cells(sigma: f64, seed: u64) -> Vec<RecipeTrials> {
        let mut random = Random::new(seed, "joint");
        let mut all = Vec::new();
        for n in [1e4, 4e4, 1.6e5] {
            for d in [1e6, 8e6] {
                let scale = Scale { n, d, c: 6.0 * n * d };
                let mut trials = Vec::new();
                for i in 0..4 {
                    for j in 0..3 {
                        let (x, y) = (2f64.ln() * (f64::from(i) - 1.2), 3f64.ln() * (f64::from(j) - 0.8));
                        let ln_loss = floor(&scale) + 0.012 * x * x - 0.008 * x * y + 0.006 * y * y + sigma * random.normal();
                        trials.push(Trial {
                            run: format!("{n} {d} {i} {j}"),
                            learning_rate: RATE.at(&scale) * x.exp(),
                            batch: BATCH.at(&scale) * y.exp(),
                            loss: Some(ln_loss.exp()),
                            steps: None,
                        });
                    }
                }
                all.push(RecipeTrials { label: format!("{n} {d}"), shape: None, scale, budget: None, trials });
            }
        }
        all
    }

    #[test]
    fn a_surface_without_noise_is_found_to_rounding() {
        let found = joint_surface(&cells(0.0, 0), Basis::SizeAndTokens, None, 0.95).expect("a surface");
        let rate = found.learning_rate.as_ref().expect("bends");
        let batch = found.batch.as_ref().expect("bends");
        let near = |value: f64, known: f64| assert!((value / known - 1.0).abs() < 1e-6, "{value} {known}");
        near(rate.rule.factor, 0.5);
        near(rate.rule.n, -0.5);
        near(rate.rule.d, 0.1);
        near(batch.rule.d, 0.6);
        assert!(batch.rule.n.abs() < 1e-7);
        for tuned in &found.tuned {
            near(tuned.loss.value.ln(), floor(&tuned.scale));
            assert!(tuned.tuning_error > 0.0);
        }
        let scale = Scale { n: 1e6, d: 1e8, c: f64::NAN };
        near(found.excess(2.0 * RATE.at(&scale), BATCH.at(&scale), &scale), 0.012 * 2f64.ln().powi(2));
    }

    #[test]
    fn a_cell_with_one_recipe_is_corrected_by_what_the_others_tell() {
        let mut all = cells(0.0, 0);
        all[5].trials.truncate(1);
        let found = joint_surface(&all, Basis::SizeAndTokens, None, 0.95).expect("a surface");
        let tuned = &found.tuned[5];
        assert!((tuned.loss.value.ln() - floor(&tuned.scale)).abs() < 1e-6 && tuned.tuning_error > 0.005, "{tuned:?}");
    }

    #[test]
    fn points_move_to_the_losses_of_the_best_recipes_one_a_cell() {
        let all = cells(0.0, 0);
        let joint = joint_surface(&all, Basis::SizeAndTokens, None, 0.95).expect("a surface");
        // Two runs of each cell, far from the best recipe of all but the smallest cells.
        let worst = |cell: &RecipeTrials| [&cell.trials[11], &cell.trials[0]].map(|trial| trial.clone());
        let point = |cell: &RecipeTrials, trial: &Trial| Point {
            run: trial.run.clone(),
            ..Point::new(cell.scale.n, cell.scale.d, trial.loss.expect("finished"))
        };
        let mut raw: Vec<Point> = all.iter().flat_map(|cell| worst(cell).map(|trial| point(cell, &trial))).collect();
        raw.push(Point { run: "a stranger".into(), ..Point::new(1e9, 1e9, 3.0) });
        let tuned = tuned_evidence(&Evidence::as_given(raw.clone()), &joint, &|_| 0.004);
        assert_eq!(tuned.points.len(), 7);
        for (point, cell) in tuned.points.iter().zip(&all) {
            assert!((point.loss.ln() - floor(&cell.scale)).abs() < 1e-6);
        }
        assert!(raw.iter().zip(all.iter().flat_map(|cell| [cell, cell])).all(|(point, cell)| point.loss.ln() > floor(&cell.scale) + 0.005));
        assert_eq!(tuned.points[6].loss, 3.0, "a run of no cell stays as it is");
        assert!((tuned.points.iter().map(|point| point.weight).sum::<f64>() - 7.0).abs() < 1e-9);
    }

    #[test]
    fn one_recipe_everywhere_tells_nothing() {
        let mut all = cells(0.0, 0);
        all.iter_mut().for_each(|cell| cell.trials.truncate(1));
        assert!(joint_surface(&all, Basis::SizeAndTokens, None, 0.95).is_none());
    }

    /// 300 simulations know a coverage of 95 % to 1.3 points; both bounds are three of them away.
    #[test]
    fn intervals_of_exponents_optima_and_tuned_losses_cover_at_their_level() {
        let there = Scale { n: 1e6, d: 1e8, c: f64::NAN };
        let covers = |estimate: &Estimate, truth: f64| usize::from(estimate.low() <= truth && truth <= estimate.high());
        let mut covered = [0; 5];
        for seed in 0..300 {
            let found = joint_surface(&cells(0.004, seed), Basis::SizeAndTokens, None, 0.95).expect("a surface");
            let (rate, batch) = (found.learning_rate.expect("bends"), found.batch.expect("bends"));
            covered[0] += covers(rate.coefficients.get("N").expect("named"), -0.5);
            covered[1] += covers(batch.coefficients.get("D").expect("named"), 0.6);
            covered[2] += covers(&rate.at(&there), RATE.at(&there));
            covered[3] += covers(&batch.at(&there), BATCH.at(&there));
            covered[4] += covers(&found.tuned[0].loss, floor(&found.tuned[0].scale).exp());
        }
        assert!(covered.iter().all(|one| (273..=297).contains(one)), "{covered:?} of 300");
    }
}
