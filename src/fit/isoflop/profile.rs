//! The profile of loss at one compute budget: its minimum by a parabola or by an Akima spline, with an error.

use super::akima::akima_minimum;
use super::vertices::Vertices;
use crate::fit::estimate::t_quantile;
use crate::fit::linear::{least_squares, variance};
use crate::fit::{Estimate, Interval, SeedNoise};
use crate::law::{Parabola, Point};
use crate::spec::{Random, SAME_BUDGET};
use rayon::prelude::*;
use serde::Serialize;

/// Sizes closer than this in ln N are one knot of a spline, at their mean: a noise of a per cent over a step of a tenth
/// of a per cent would be a slope of ten.
const ONE_KNOT: f64 = 0.05;
/// Least number of sizes that a profile needs.
const SIZES: usize = 4;

/// How the minimum of a profile is found.
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
    /// How the minimum of a profile is found.
    pub interpolator: Interpolator,
    /// Budgets are one when their compute differs by less than this part and no nominal budget is known.
    pub tolerance: f64,
    /// Confidence level of intervals.
    pub level: f64,
    /// Runs whose loss is more than this part above the lowest of their budget are left out of its parabola; none where it is absent.
    pub walls: Option<f64>,
    /// Noise of one run's loss, for vertex errors by the Akima spline; the parabola takes its own residuals.
    pub noise: LossNoise,
    /// Draws of noise for vertex errors by the Akima spline.
    pub draws: usize,
    /// Seed of those draws.
    pub seed: u64,
    /// What each optimum weighs in the powers of compute.
    pub vertices: Vertices,
}

impl Default for IsoflopOptions {
    fn default() -> Self {
        Self {
            interpolator: Interpolator::Parabola,
            tolerance: SAME_BUDGET,
            level: 0.95,
            walls: None,
            noise: LossNoise::default(),
            draws: 400,
            seed: 0,
            vertices: Vertices::default(),
        }
    }
}

/// The profile of loss at one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IsoflopProfile {
    /// Compute, FLOPs (the nominal budget where known, else the geometric mean of its runs).
    pub compute: f64,
    /// Runs in it.
    pub points: usize,
    /// Size at the minimum, parameters.
    pub params: Estimate,
    /// Tokens at the minimum.
    pub tokens: Estimate,
    /// Loss at the minimum, nats per token.
    pub loss: f64,
    /// Its standard error; absent of a spline.
    pub loss_se: Option<f64>,
    /// Share of its loss by which a run scatters about the curve, over all profiles; one where errors were drawn.
    #[serde(skip)]
    pub scatter: f64,
    /// Degrees of freedom of that.
    #[serde(skip)]
    pub degrees: f64,
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

/// Standard deviation of ln L between repeats of a run: a power of L between two losses, constant beyond them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossNoise {
    /// (L, standard deviation of ln L) at the lower loss.
    pub low: (f64, f64),
    /// (L, standard deviation of ln L) at the higher loss.
    pub high: (f64, f64),
    /// Degrees of freedom behind it; infinite where it is given.
    pub degrees: f64,
}

impl Default for LossNoise {
    /// Small runs with high losses repeat far less exactly than large ones. Under this scale the exponents of all 15
    /// configurations of 2406.19146 lie in their published intervals, as they do for 0.002–0.003 at L = 3 and
    /// 0.02–0.1 at L = 6; a constant 0.002 misses two.
    fn default() -> Self {
        Self { low: (3.0, 0.002), high: (6.0, 0.05), degrees: f64::INFINITY }
    }
}

impl LossNoise {
    /// The same for every loss.
    pub fn constant(noise: f64) -> Self {
        Self { low: (1.0, noise), high: (10.0, noise), degrees: f64::INFINITY }
    }

    /// Of replicates that differ in their seeds alone, a power of the loss within a factor of a thousand of theirs.
    pub fn of(seeds: &SeedNoise) -> Self {
        let at = |loss: f64| (loss, seeds.at(loss));
        Self { low: at(seeds.loss_at / 1e3), high: at(seeds.loss_at * 1e3), degrees: seeds.degrees as f64 }
    }

    /// At a loss, standard deviation of ln L.
    pub fn at(&self, loss: f64) -> f64 {
        let share = (loss / self.low.0).ln() / (self.high.0 / self.low.0).ln();
        self.low.1 * (self.high.1 / self.low.1).powf(share.clamp(0.0, 1.0))
    }
}

/// So many runs nearest to the lowest are of its profile, however high.
const NEAREST: usize = 5;

/// The runs of a budget without those far up its walls, where loss is no parabola: of an optimum they know next to nothing, and
/// there can be many of them.
fn near_the_lowest<'a>(points: &[&'a Point], walls: f64) -> Vec<&'a Point> {
    let Some(lowest) = points.iter().min_by(|left, right| left.loss.total_cmp(&right.loss)) else { return Vec::new() };
    let off = |p: &Point| (p.n / lowest.n).ln().abs();
    let mut near = points.to_vec();
    near.sort_by(|left, right| off(left).total_cmp(&off(right)));
    let mut place = 0;
    near.retain(|p| {
        place += 1;
        place <= NEAREST || p.loss <= (1.0 + walls) * lowest.loss
    });
    near
}

/// The profile of the runs of a budget and what they scatter by, or why there is none.
pub(super) fn profile(compute: f64, points: &[&Point], options: &IsoflopOptions) -> Result<(IsoflopProfile, ResidualVariance), String> {
    let mut sizes: Vec<f64> = points.iter().map(|p| p.n).collect();
    sizes.sort_by(f64::total_cmp);
    let mut distinct = sizes.clone();
    distinct.dedup_by(|left, right| (*left / *right - 1.0).abs() < 1e-9);
    if distinct.len() < SIZES {
        return Err(format!("{} sizes, and an IsoFLOP profile needs at least {SIZES}", distinct.len()));
    }
    let (ln_n, loss, parabola, scatter) = match options.interpolator {
        Interpolator::Parabola => match options.walls {
            Some(walls) => parabola_minimum(&near_the_lowest(points, walls))?,
            None => parabola_minimum(points)?,
        },
        Interpolator::Akima => akima_minimum_of(compute, points, options)?,
    };
    if ln_n <= distinct[0].ln() || ln_n >= distinct[distinct.len() - 1].ln() {
        let (side, advice) = if ln_n <= distinct[0].ln() { ("smallest", "smaller") } else { ("largest", "larger") };
        return Err(format!("the minimum lies at the edge, beyond the {side} size; train {advice} networks at this budget"));
    }
    // FLOPs per parameter and token at the minimum, by the line through the runs.
    let rate = |p: &&Point| (p.c / (p.n * p.d)).ln();
    let rows: Vec<Vec<f64>> = points.iter().map(|p| vec![1.0, p.n.ln() - ln_n]).collect();
    let rates: Vec<f64> = points.iter().map(rate).collect();
    let line = least_squares(&rows, &rates, &vec![1.0; rates.len()]).ok_or("its sizes are all alike")?;
    let ln_d = compute.ln() - line.beta[0] - ln_n;
    let spread = |ln_value: f64| spread(ln_value, scatter.se(), scatter.degrees, options.level);
    let profile = IsoflopProfile {
        compute,
        points: points.len(),
        params: spread(ln_n),
        tokens: spread(ln_d),
        loss,
        loss_se: scatter.loss_se(loss, scatter.noise()),
        scatter: scatter.noise(),
        degrees: scatter.degrees,
        parabola,
        centre_offset: sizes.iter().map(|n| n.ln() - ln_n).sum::<f64>() / sizes.len() as f64,
        sizes,
        members: Vec::new(),
    };
    Ok((profile, scatter))
}

/// N at the minimum of a parabola in ln N through (N, loss) where each loss scatters by a known `sigma` of its logarithm, so that
/// three sizes are enough; `None` for fewer, or where the parabola has no minimum.
pub fn profile_minimum(places: &[(f64, f64)], sigma: f64, level: f64) -> Option<Estimate> {
    let points: Vec<Point> = places.iter().map(|&(n, loss)| Point::new(n, 1.0, loss)).collect();
    let (ln_n, _, _, scatter) = parabola_minimum(&points.iter().collect::<Vec<_>>()).ok()?;
    Some(spread(ln_n, sigma * scatter.unit_error, f64::INFINITY, level))
}

/// An optimum with its error in logarithms.
fn spread(ln_value: f64, se: f64, degrees: f64, level: f64) -> Estimate {
    Estimate::exp(ln_value, se, t_quantile(level, degrees), level, Interval::Delta)
}

/// What the runs of a profile scatter by about its curve, and what that means for the minimum.
pub(super) struct ResidualVariance {
    /// Σ of squared relative residuals; absent where the noise was given, and errors stand for runs of it.
    squares: Option<f64>,
    /// Degrees of freedom behind the noise.
    degrees: f64,
    /// Standard error of ln N at the minimum when runs scatter by one.
    unit_error: f64,
    /// The same of the loss there, as a share of it; absent of a spline.
    unit_loss_error: Option<f64>,
}

impl ResidualVariance {
    /// By how much runs scatter; one where the noise was given with the error.
    fn noise(&self) -> f64 {
        self.squares.map_or(1.0, |squares| (squares / self.degrees).sqrt())
    }

    fn se(&self) -> f64 {
        self.noise() * self.unit_error
    }

    fn loss_se(&self, loss: f64, noise: f64) -> Option<f64> {
        self.unit_loss_error.map(|unit| unit * noise * loss)
    }
}

/// Gives all parabolas the relative scatter of all of them: that of one, with a degree or two of freedom, can be next to
/// nothing by chance, and its optimum would then outweigh all others.
pub(super) fn pool_variance(profiles: &mut [IsoflopProfile], scatter: &[ResidualVariance], level: f64) {
    let degrees: f64 = scatter.iter().map(|own| own.degrees).sum();
    let Some(squares) = scatter.iter().map(|own| own.squares).sum::<Option<f64>>() else { return };
    let noise = (squares / degrees).sqrt();
    if noise.is_nan() || noise <= 0.0 {
        return;
    }
    for (profile, own) in profiles.iter_mut().zip(scatter) {
        let again = |estimate: Estimate| spread(estimate.value.ln(), noise * own.unit_error, degrees, level);
        (profile.params, profile.tokens) = (again(profile.params), again(profile.tokens));
        (profile.loss_se, profile.scatter, profile.degrees) = (own.loss_se(profile.loss, noise), noise, degrees);
    }
}

/// ln N of the minimum, the loss there, the parabola, the scatter.
type Minimum = (f64, f64, Option<Parabola>, ResidualVariance);

fn parabola_minimum(points: &[&Point]) -> Result<Minimum, String> {
    if points.len() < 3 {
        return Err("a parabola needs three runs".to_owned());
    }
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
    // Relative to the minimum: profiles of different budgets then have one noise. The place of the minimum does not move its loss.
    let (minimum, u) = (parabola.vertex_loss(), parabola.ln_vertex() - centre);
    let scatter = ResidualVariance {
        squares: Some(fit.residual / (minimum * minimum)),
        degrees,
        unit_error: minimum.abs() * variance(&parabola.vertex_gradient(), &fit.inverse).sqrt(),
        unit_loss_error: Some(variance(&[1.0, u, u * u], &fit.inverse).sqrt()),
    };
    Ok((parabola.ln_vertex(), minimum, Some(parabola), scatter))
}

/// The minimum of the spline; its standard error from draws with noise added to ln L. A budget is dropped where
/// fewer than half of the draws have a minimum inside.
fn akima_minimum_of(compute: f64, points: &[&Point], options: &IsoflopOptions) -> Result<Minimum, String> {
    let mut knots: Vec<(f64, f64)> = points.iter().map(|p| (p.n.ln(), p.loss.ln())).collect();
    knots.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mean = |group: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| group.iter().map(pick).sum::<f64>() / group.len() as f64;
    let knots: Vec<(f64, f64)> = knots
        .chunk_by(|left, right| right.0 - left.0 < ONE_KNOT)
        .map(|group| (mean(group, |knot| knot.0), mean(group, |knot| knot.1)))
        .collect();
    if knots.len() < SIZES {
        return Err(format!("{} sizes apart from each other, and an IsoFLOP profile needs at least {SIZES}", knots.len()));
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
            "{} of {} noisy draws have their minimum inside; the profile is too flat for this noise",
            drawn.len(),
            options.draws
        ));
    }
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (drawn.len().max(2) - 1) as f64;
    let scatter = ResidualVariance { squares: None, degrees: options.noise.degrees, unit_error: variance.sqrt(), unit_loss_error: None };
    Ok((ln_n, ln_loss.exp(), None, scatter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_far_up_the_walls_are_left_out_and_a_parabola_without_them_has_its_own_minimum() {
        // A parabola about ln N = 16 within two of it, and walls beyond that are none, higher on the left.
        let loss = |u: f64| if u.abs() <= 2.0 { 3.0 + 0.1 * u * u } else { 3.9 + (if u < 0.0 { 3.0 } else { 0.5 }) * (u.abs() - 2.0) };
        let points: Vec<Point> = (-8..=8).map(|at| f64::from(at) * 0.5).map(|u| Point::new((16.0 + u).exp(), 1e9, loss(u))).collect();
        let all: Vec<&Point> = points.iter().collect();
        let near = near_the_lowest(&all, 0.2);
        assert_eq!(near.len(), 9, "those within two");
        let minimum = |points: &[&Point]| parabola_minimum(points).expect("a minimum").0;
        assert!((minimum(&near) - 16.0).abs() < 1e-9 && (minimum(&all) - 16.0).abs() > 0.1, "{}", minimum(&all));
        assert_eq!(near_the_lowest(&all, 0.0).len(), 5, "the nearest stay");
    }
}
