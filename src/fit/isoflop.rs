//! Approach 2 of Hoffmann 2203.15556: at each compute budget the valley of loss over ln N and its minimum, then
//! N*(C) and D*(C) as powers of compute, each optimum weighted by its own standard error.
//!
//! a + b is 1 by construction where D = C/(k·N), so the two are one result told twice. The vertex of a parabola
//! is biased on a surface that is none (Czech 2603.22339); the correction from a fitted surface is given beside it.

use super::akima::akima_minimum;
use super::linear::least_squares;
use super::{Estimate, FitError, FitStatus, Interval, Named};
use crate::law::{Chinchilla, Evidence, Exclusion, Parabola, Point, vertex_bias};
use crate::spec::{FlopRule, Random, SizeMeasure};
use rayon::prelude::*;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How the bottom of a valley is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolator {
    /// Least-squares parabola of L in ln N.
    #[default]
    Parabola,
    /// Akima spline of ln L in ln N (Porian 2406.19146).
    Akima,
}

/// The choices of an IsoFLOP analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IsoflopOptions {
    /// How the bottom of a valley is found.
    pub interpolator: Interpolator,
    /// Budgets are one when their compute differs by less than this part and no nominal budget is known.
    pub tolerance: f64,
    /// Confidence level of intervals.
    pub level: f64,
    /// Noise of one run's loss, for vertex errors by the Akima spline; the parabola takes its own residuals.
    pub noise: LossNoise,
    /// Draws of noise for vertex errors by the Akima spline.
    pub draws: usize,
    /// Seed of those draws.
    pub seed: u64,
}

/// Standard deviation of ln L between repeats of a run: a power of L between two losses, constant beyond them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossNoise {
    /// (L, standard deviation of ln L) at the lower loss.
    pub low: (f64, f64),
    /// (L, standard deviation of ln L) at the higher loss.
    pub high: (f64, f64),
}

impl Default for LossNoise {
    /// Small runs with high losses repeat far less exactly than large ones. Under this scale the exponents of all 15
    /// configurations of 2406.19146 lie in their published intervals, as they do for 0.002–0.003 at L = 3 and
    /// 0.02–0.1 at L = 6; a constant 0.002 misses two.
    fn default() -> Self {
        Self { low: (3.0, 0.002), high: (6.0, 0.05) }
    }
}

impl LossNoise {
    /// The same for every loss.
    pub fn constant(noise: f64) -> Self {
        Self { low: (1.0, noise), high: (10.0, noise) }
    }

    /// At a loss, standard deviation of ln L.
    pub fn at(&self, loss: f64) -> f64 {
        let share = (loss / self.low.0).ln() / (self.high.0 / self.low.0).ln();
        self.low.1 * (self.high.1 / self.low.1).powf(share.clamp(0.0, 1.0))
    }
}

impl Default for IsoflopOptions {
    fn default() -> Self {
        Self { interpolator: Interpolator::Parabola, tolerance: 0.1, level: 0.95, noise: LossNoise::default(), draws: 400, seed: 0 }
    }
}

/// The valley of loss at one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Valley {
    /// Compute, FLOPs (the nominal budget where known, else the geometric mean of its runs).
    pub compute: f64,
    /// Runs in it.
    pub points: usize,
    /// Size at the minimum, weights.
    pub params: Estimate,
    /// Tokens at the minimum.
    pub tokens: Estimate,
    /// Loss at the minimum, nats per token.
    pub loss: f64,
    /// The fitted parabola, where one was fitted.
    #[serde(skip)]
    pub parabola: Option<Parabola>,
    /// Sizes of its runs.
    #[serde(skip)]
    pub sizes: Vec<f64>,
    /// Places of its runs among the points of the evidence.
    #[serde(skip)]
    pub members: Vec<usize>,
    /// Mean of ln(N/N*) over its runs: how far the grid lies off its own optimum.
    pub centre_offset: f64,
}

/// A budget without a usable minimum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DroppedBudget {
    /// Compute, FLOPs.
    pub compute: f64,
    /// Runs in it.
    pub points: usize,
    /// Why, and what to do.
    pub reason: String,
}

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
}

impl PowerOfCompute {
    /// x* at a compute with the interval of the line (not of a new optimum).
    pub fn at(&self, compute: f64) -> Estimate {
        let distance = compute.ln() - self.ln_centre;
        let ln_value = self.ln_at_centre.value + self.exponent.value * distance;
        let se = (self.ln_at_centre.se.powi(2) + (self.exponent.se * distance).powi(2)).sqrt();
        let width = (self.exponent.high - self.exponent.value) / self.exponent.se * se;
        let value = ln_value.exp();
        Estimate { value, se: value * se, low: (ln_value - width).exp(), high: (ln_value + width).exp(), ..self.exponent }
    }
}

/// The result of approach 2.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IsoflopFit {
    /// `isoflop`.
    pub law: String,
    /// How it ended.
    pub status: FitStatus,
    /// Runs in the valleys used.
    pub points: usize,
    /// How the bottoms were found.
    pub interpolator: Interpolator,
    /// `a`, `b` (exponents) and `N_factor`, `D_factor` (at 1 FLOP).
    pub coefficients: Named<Estimate>,
    /// N*(C).
    #[serde(skip)]
    pub params: PowerOfCompute,
    /// D*(C).
    #[serde(skip)]
    pub tokens: PowerOfCompute,
    /// Budgets with a minimum, by compute.
    pub valleys: Vec<Valley>,
    /// Budgets without.
    pub dropped: Vec<DroppedBudget>,
    /// Slope of the grid's centre, ln(mean N/N*), by ln C: a drift biases the exponent.
    pub centre_drift: f64,
    /// How N was counted.
    pub size_measure: SizeMeasure,
    /// How C was counted.
    pub flop_rule: FlopRule,
    /// Runs left out.
    pub excluded: Vec<Exclusion>,
    /// What a reader must know, in words.
    pub warnings: Vec<String>,
    /// Seed of the draws.
    pub seed: u64,
    /// Version of scalelab.
    pub version: String,
}

impl IsoflopFit {
    /// The optima with the bias of the parabola taken away, were the surface `law`.
    pub fn corrected(&self, law: &Chinchilla) -> Corrected {
        let biases = self.vertex_biases(law);
        let shifted = |(valley, bias): (&Valley, &Option<f64>)| {
            let factor = (-(*bias)?).exp();
            let p = valley.params;
            Some(Valley {
                params: Estimate { value: factor * p.value, se: factor * p.se, low: factor * p.low, high: factor * p.high, ..p },
                ..valley.clone()
            })
        };
        let valleys: Vec<Option<Valley>> = self.valleys.iter().zip(&biases).map(shifted).collect();
        let usable: Vec<Valley> = valleys.iter().flatten().cloned().collect();
        Corrected {
            ln_bias: biases,
            params: valleys.iter().map(|valley| valley.as_ref().map(|valley| valley.params.value)).collect(),
            exponent: (usable.len() > 1).then(|| power_of_compute(&usable, |valley| valley.params, self.params.exponent.level).exponent),
        }
    }

    /// ln(vertex/N*) of each valley if the true surface were `law`: subtract it from ln N to correct the parabola.
    pub fn vertex_biases(&self, law: &Chinchilla) -> Vec<Option<f64>> {
        let offsets = |valley: &Valley| -> Vec<f64> {
            // The optimum of the law along this budget, N*·(k/C) being shared by its runs.
            let k = valley.compute / (valley.params.value * valley.tokens.value);
            let ln_best = (law.scale().ln() + law.params_exponent() * (valley.compute / k).ln()).min(f64::MAX);
            valley.sizes.iter().map(|n| n.ln() - ln_best).collect()
        };
        self.valleys.iter().map(|valley| vertex_bias(law.alpha, law.beta, &offsets(valley))).collect()
    }
}

/// What parabolas err by on a surface, and what is left without it. The uncertainty of the surface is not in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Corrected {
    /// ln(vertex/N*) of each valley; absent where the surface has no vertex among the sizes.
    pub ln_bias: Vec<Option<f64>>,
    /// N* of each valley, corrected.
    pub params: Vec<Option<f64>>,
    /// a through the corrected optima.
    pub exponent: Option<Estimate>,
}

/// Sizes closer than this in ln N are one knot of a spline, at their mean: a noise of a per cent over a step of a tenth
/// of a per cent would be a slope of ten.
const ONE_KNOT: f64 = 0.05;
/// Least number of sizes that a valley needs.
const SIZES: usize = 4;

/// Finds the valleys and fits powers of compute through their minima.
pub fn isoflop(evidence: &Evidence, options: &IsoflopOptions) -> Result<IsoflopFit, FitError> {
    let (mut valleys, mut scatter): (Vec<Valley>, Vec<Scatter>) = (Vec::new(), Vec::new());
    let mut dropped = Vec::new();
    for (compute, members) in budgets(&evidence.points, options.tolerance) {
        let points: Vec<&Point> = members.iter().map(|&at| &evidence.points[at]).collect();
        match valley(compute, &points, options) {
            Ok((valley, own)) => {
                valleys.push(Valley { members, ..valley });
                scatter.push(own);
            }
            Err(reason) => dropped.push(DroppedBudget { compute, points: points.len(), reason }),
        }
    }
    if valleys.len() < 2 {
        let reasons: Vec<String> = dropped.iter().map(|one| format!("{:.2e}: {}", one.compute, one.reason)).collect();
        let reasons = if reasons.is_empty() { "no two sizes share a budget".to_owned() } else { reasons.join("; ") };
        return Err(FitError::TooFewValleys { budgets: valleys.len(), needed: 2, reasons });
    }
    share_noise(&mut valleys, &scatter, options.level);
    let line = |pick: fn(&Valley) -> Estimate| power_of_compute(&valleys, pick, options.level);
    let (params, tokens) = (line(|valley| valley.params), line(|valley| valley.tokens));
    let drift = centre_drift(&valleys);
    Ok(IsoflopFit {
        law: "isoflop".into(),
        status: if valleys.len() < 3 { FitStatus::TooFewPoints } else { FitStatus::Converged },
        points: valleys.iter().map(|valley| valley.points).sum(),
        interpolator: options.interpolator,
        coefficients: Named(vec![
            ("a".into(), params.exponent),
            ("b".into(), tokens.exponent),
            ("N_factor".into(), params.factor),
            ("D_factor".into(), tokens.factor),
        ]),
        warnings: warnings(&valleys, &dropped, drift),
        params,
        tokens,
        valleys,
        dropped,
        centre_drift: drift,
        size_measure: evidence.size_measure,
        flop_rule: evidence.flop_rule,
        excluded: evidence.excluded.clone(),
        seed: options.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn warnings(valleys: &[Valley], dropped: &[DroppedBudget], drift: f64) -> Vec<String> {
    let mut words = Vec::new();
    if valleys.len() < 3 {
        words.push("two budgets determine a line and nothing beside it; the interval has no basis".to_owned());
    }
    if !dropped.is_empty() {
        words.push(format!("{} of {} budgets were dropped", dropped.len(), dropped.len() + valleys.len()));
    }
    if drift.abs() > 0.05 {
        words.push(format!("the centre of the sizes drifts from the optimum by C^{drift:.2}: the exponent of a parabola is biased"));
    }
    words
}

/// Runs by budget: by the nominal budget where all runs have one, else by compute within a tolerance.
fn budgets(points: &[Point], tolerance: f64) -> Vec<(f64, Vec<usize>)> {
    let nominal = points.iter().all(|p| p.budget.is_some());
    let compute = |at: usize| if nominal { points[at].budget.unwrap_or(points[at].c) } else { points[at].c };
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&left, &right| compute(left).total_cmp(&compute(right)));
    let near = if nominal { 1e-9 } else { tolerance };
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for at in order {
        match groups.last_mut() {
            // Against the first of the group, so that a dense run of computes does not chain into one budget.
            Some((_, members)) if compute(at) <= compute(members[0]) * (1.0 + near) => members.push(at),
            _ => groups.push((0.0, vec![at])),
        }
    }
    for (centre, members) in &mut groups {
        *centre = (members.iter().map(|&at| compute(at).ln()).sum::<f64>() / members.len() as f64).exp();
    }
    groups.retain(|(_, members)| members.len() > 1);
    groups
}

fn valley(compute: f64, points: &[&Point], options: &IsoflopOptions) -> Result<(Valley, Scatter), String> {
    let mut sizes: Vec<f64> = points.iter().map(|p| p.n).collect();
    sizes.sort_by(f64::total_cmp);
    let mut distinct = sizes.clone();
    distinct.dedup_by(|left, right| (*left / *right - 1.0).abs() < 1e-9);
    if distinct.len() < SIZES {
        return Err(format!("{} sizes, and a valley needs at least {SIZES}", distinct.len()));
    }
    let (ln_n, loss, parabola, scatter) = match options.interpolator {
        Interpolator::Parabola => parabola_bottom(points)?,
        Interpolator::Akima => akima_bottom(compute, points, options)?,
    };
    if ln_n <= distinct[0].ln() || ln_n >= distinct[distinct.len() - 1].ln() {
        let (side, advice) = if ln_n <= distinct[0].ln() { ("smallest", "smaller") } else { ("largest", "larger") };
        return Err(format!("the minimum lies at the edge, beyond the {side} size; train {advice} networks at this budget"));
    }
    // FLOPs per weight and token at the minimum, by the line through the runs.
    let rate = |p: &&Point| (p.c / (p.n * p.d)).ln();
    let rows: Vec<Vec<f64>> = points.iter().map(|p| vec![1.0, p.n.ln() - ln_n]).collect();
    let rates: Vec<f64> = points.iter().map(rate).collect();
    let line = least_squares(&rows, &rates, &vec![1.0; rates.len()]).ok_or("its sizes are all alike")?;
    let ln_d = compute.ln() - line.beta[0] - ln_n;
    let spread = |ln_value: f64| spread(ln_value, scatter.se(), scatter.degrees, options.level);
    let valley = Valley {
        compute,
        points: points.len(),
        params: spread(ln_n),
        tokens: spread(ln_d),
        loss,
        parabola,
        centre_offset: sizes.iter().map(|n| n.ln() - ln_n).sum::<f64>() / sizes.len() as f64,
        sizes,
        members: Vec::new(),
    };
    Ok((valley, scatter))
}

/// An optimum with its error in logarithms.
fn spread(ln_value: f64, se: f64, degrees: f64, level: f64) -> Estimate {
    let (value, width) = (ln_value.exp(), t_quantile(level, degrees) * se);
    let (low, high) = ((ln_value - width).exp(), (ln_value + width).exp());
    Estimate { value, se: value * se, low, high, level, interval: Interval::Delta }
}

/// What the runs of a valley scatter by about its curve, and what that means for the bottom.
struct Scatter {
    /// Σ of squared relative residuals.
    squares: f64,
    /// Degrees of freedom that they have; infinite where the noise was given.
    degrees: f64,
    /// Standard error of ln N at the bottom when runs scatter by one.
    unit_error: f64,
}

impl Scatter {
    fn se(&self) -> f64 {
        if self.degrees.is_infinite() { self.unit_error } else { (self.squares / self.degrees).sqrt() * self.unit_error }
    }
}

/// Gives all parabolas the relative scatter of all of them: that of one, with a degree or two of freedom, can be next to
/// nothing by chance, and its optimum would then outweigh all others.
fn share_noise(valleys: &mut [Valley], scatter: &[Scatter], level: f64) {
    let degrees: f64 = scatter.iter().map(|own| own.degrees).sum();
    let noise = (scatter.iter().map(|own| own.squares).sum::<f64>() / degrees).sqrt();
    if !(degrees.is_finite() && noise > 0.0) {
        return;
    }
    for (valley, own) in valleys.iter_mut().zip(scatter) {
        let again = |estimate: Estimate| spread(estimate.value.ln(), noise * own.unit_error, degrees, level);
        (valley.params, valley.tokens) = (again(valley.params), again(valley.tokens));
    }
}

/// ln N of the minimum, the loss there, the parabola, the scatter.
type Bottom = (f64, f64, Option<Parabola>, Scatter);

fn parabola_bottom(points: &[&Point]) -> Result<Bottom, String> {
    let weight: Vec<f64> = points.iter().map(|p| p.weight).collect();
    let centre = points.iter().map(|p| p.n.ln()).sum::<f64>() / points.len() as f64;
    let rows: Vec<Vec<f64>> = points.iter().map(|p| p.n.ln() - centre).map(|u| vec![1.0, u, u * u]).collect();
    let losses: Vec<f64> = points.iter().map(|p| p.loss).collect();
    let fit = least_squares(&rows, &losses, &weight).ok_or("its sizes are too alike for a parabola")?;
    let parabola = Parabola { centre, c: [fit.beta[0], fit.beta[1], fit.beta[2]] };
    if parabola.c[2] <= 0.0 {
        return Err("the parabola opens downwards: no minimum between these sizes; widen their range".to_owned());
    }
    let degrees = (points.len() - 3) as f64;
    let g = parabola.vertex_gradient();
    let quadratic: f64 = (0..3).map(|j| (0..3).map(|k| g[j] * fit.inverse[j][k] * g[k]).sum::<f64>()).sum();
    // Relative to the bottom: valleys of different budgets then have one noise.
    let bottom = parabola.vertex_loss();
    let scatter = Scatter { squares: fit.residual / (bottom * bottom), degrees, unit_error: bottom.abs() * quadratic.sqrt() };
    Ok((parabola.ln_vertex(), bottom, Some(parabola), scatter))
}

/// The minimum of the spline; its standard error from draws with noise added to ln L. A budget is dropped where
/// fewer than half of the draws have a minimum inside.
fn akima_bottom(compute: f64, points: &[&Point], options: &IsoflopOptions) -> Result<Bottom, String> {
    let mut knots: Vec<(f64, f64)> = points.iter().map(|p| (p.n.ln(), p.loss.ln())).collect();
    knots.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mean = |group: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| group.iter().map(pick).sum::<f64>() / group.len() as f64;
    let knots: Vec<(f64, f64)> = knots
        .chunk_by(|left, right| right.0 - left.0 < ONE_KNOT)
        .map(|group| (mean(group, |knot| knot.0), mean(group, |knot| knot.1)))
        .collect();
    if knots.len() < SIZES {
        return Err(format!("{} sizes apart from each other, and a valley needs at least {SIZES}", knots.len()));
    }
    let (x, y): (Vec<f64>, Vec<f64>) = knots.into_iter().unzip();
    let depth = y.iter().copied().fold(f64::NEG_INFINITY, f64::max) - y.iter().copied().fold(f64::INFINITY, f64::min);
    let edge = "the lowest loss lies at the edge of the sizes; widen their range at this budget";
    let (ln_n, ln_loss) = akima_minimum(&x, &y).ok_or(edge)?;
    if ln_loss < y.iter().copied().fold(f64::INFINITY, f64::min) - depth {
        return Err("the spline swings far below every loss there is: its sizes are too uneven; a parabola is safer here".to_owned());
    }
    let drawn: Vec<f64> = (0..options.draws)
        .into_par_iter()
        .filter_map(|draw| {
            let mut random = Random::new(options.seed, &format!("akima {compute:e} {draw}"));
            let noisy: Vec<f64> = y.iter().map(|y| y + options.noise.at(y.exp()) * random.normal()).collect();
            akima_minimum(&x, &noisy).map(|(ln_n, _)| ln_n)
        })
        .collect();
    if 2 * drawn.len() < options.draws {
        return Err(format!(
            "{} of {} noisy draws have their minimum inside; the valley is too flat for this noise",
            drawn.len(),
            options.draws
        ));
    }
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (drawn.len().max(2) - 1) as f64;
    Ok((ln_n, ln_loss.exp(), None, Scatter { squares: 0.0, degrees: f64::INFINITY, unit_error: variance.sqrt() }))
}

/// Weighted line ln x* = c + s·(ln C − centre), each optimum by 1/se², centred at the weighted mean of ln C.
fn power_of_compute(valleys: &[Valley], pick: fn(&Valley) -> Estimate, level: f64) -> PowerOfCompute {
    let ln_c: Vec<f64> = valleys.iter().map(|valley| valley.compute.ln()).collect();
    let ln_x: Vec<f64> = valleys.iter().map(|valley| pick(valley).value.ln()).collect();
    let variance: Vec<f64> = valleys.iter().map(|valley| (pick(valley).se / pick(valley).value).powi(2)).collect();
    let degrees = valleys.len() as f64 - 2.0;
    let fit = {
        let weight: Vec<f64> = variance.iter().map(|v| 1.0 / (v + 1e-12)).collect();
        let total: f64 = weight.iter().sum();
        let centre = ln_c.iter().zip(&weight).map(|(c, w)| c * w).sum::<f64>() / total;
        let middle = ln_x.iter().zip(&weight).map(|(x, w)| x * w).sum::<f64>() / total;
        let (mut xx, mut xy) = (0.0, 0.0);
        for i in 0..ln_c.len() {
            xx += weight[i] * (ln_c[i] - centre).powi(2);
            xy += weight[i] * (ln_c[i] - centre) * (ln_x[i] - middle);
        }
        let slope = xy / xx;
        let chi2: f64 = (0..ln_c.len()).map(|i| weight[i] * (ln_x[i] - middle - slope * (ln_c[i] - centre)).powi(2)).sum();
        (centre, middle, slope, (1.0 / total).sqrt(), (1.0 / xx).sqrt(), chi2)
    };
    let (centre, middle, slope, middle_se, slope_se, chi2) = fit;
    // Optima that scatter more than their standard errors say widen the errors of the line (Birge 1932).
    let birge = if degrees > 0.0 { (chi2 / degrees).sqrt().max(1.0) } else { 1.0 };
    let (middle_se, slope_se) = (birge * middle_se, birge * slope_se);
    let width = t_quantile(level, degrees);
    let estimate =
        |value: f64, se: f64| Estimate { value, se, low: value - width * se, high: value + width * se, level, interval: Interval::Delta };
    let ln_factor = middle - slope * centre;
    let ln_factor_se = (middle_se.powi(2) + (slope_se * centre).powi(2)).sqrt();
    let factor = ln_factor.exp();
    PowerOfCompute {
        factor: Estimate {
            value: factor,
            se: factor * ln_factor_se,
            low: (ln_factor - width * ln_factor_se).exp(),
            high: (ln_factor + width * ln_factor_se).exp(),
            level,
            interval: Interval::Delta,
        },
        exponent: estimate(slope, slope_se),
        ln_centre: centre,
        ln_at_centre: estimate(middle, middle_se),
    }
}

fn centre_drift(valleys: &[Valley]) -> f64 {
    let rows: Vec<Vec<f64>> = valleys.iter().map(|valley| vec![1.0, valley.compute.ln()]).collect();
    let offsets: Vec<f64> = valleys.iter().map(|valley| valley.centre_offset).collect();
    least_squares(&rows, &offsets, &vec![1.0; offsets.len()]).map_or(0.0, |fit| fit.beta[1])
}

/// Two-sided quantile of Student's t; infinite without degrees of freedom, the normal one with infinitely many.
pub(crate) fn t_quantile(level: f64, degrees: f64) -> f64 {
    if degrees <= 0.0 {
        return f64::INFINITY;
    }
    // Beyond a million degrees t is normal to six digits.
    StudentsT::new(0.0, 1.0, degrees.min(1e6)).map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 * (1.0 + level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Design, Noise, simulate};

    fn evidence(noise: f64, span: f64) -> Evidence {
        let law = Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.31, beta: 0.31 };
        Evidence::as_given(simulate(&law, &Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, span), Noise { run: noise, cluster: 0.0 }, 2))
    }

    #[test]
    fn a_symmetric_surface_gives_its_exponents_by_both_interpolators() {
        for interpolator in [Interpolator::Parabola, Interpolator::Akima] {
            let fit = isoflop(
                &evidence(0.0, 8.0),
                &IsoflopOptions { interpolator, noise: LossNoise::constant(1e-6), ..IsoflopOptions::default() },
            )
            .expect("valleys");
            // α = β: the parabola is exact, and N* = (C/6)^½ lies off the spline's knots by less than its error of 1 %.
            assert!((fit.params.exponent.value - 0.5).abs() < 2e-3, "{interpolator:?} {:?}", fit.params);
            assert!((fit.params.exponent.value + fit.tokens.exponent.value - 1.0).abs() < 1e-6);
            assert_eq!((fit.valleys.len(), fit.dropped.len(), fit.points), (4, 0, 28));
        }
    }

    #[test]
    fn a_minimum_at_the_edge_is_dropped_with_the_reason() {
        let mut evidence = evidence(0.0, 8.0);
        // The largest budget has sizes far below its optimum only.
        for p in evidence.points.iter_mut().filter(|p| p.c > 5e19) {
            (p.n, p.d) = (p.n / 30.0, p.d * 30.0);
            p.loss = 1.7 + 400.0 * (p.n.powf(-0.31) + p.d.powf(-0.31));
        }
        let fit = isoflop(&evidence, &IsoflopOptions::default()).expect("valleys");
        assert_eq!(fit.valleys.len(), 3);
        assert!(
            fit.dropped[0].reason.contains("train larger networks") || fit.dropped[0].reason.contains("downwards"),
            "{:?}",
            fit.dropped
        );
    }

    #[test]
    fn unnamed_budgets_are_found_by_their_compute() {
        let mut evidence = evidence(0.003, 8.0);
        evidence.points.iter_mut().for_each(|p| p.budget = None);
        let fit = isoflop(&evidence, &IsoflopOptions::default()).expect("valleys");
        assert_eq!(fit.valleys.len(), 4);
        let a = fit.params.exponent;
        assert!(a.low < 0.5 && 0.5 < a.high, "{a:?}");
        let there = fit.params.at(1e19);
        assert!(there.low < there.value && there.value < there.high);
    }

    #[test]
    fn runs_without_shared_budgets_have_no_valleys() {
        let points = (1..9).map(|i| Point::new(1e6 * f64::from(i), 1e8 * f64::from(i * i), 3.0)).collect();
        let error = isoflop(&Evidence::as_given(points), &IsoflopOptions::default()).expect_err("none");
        assert!(error.to_string().contains("0 compute budgets"), "{error}");
    }
}
