//! What a change is worth in compute: how many times the compute one group of runs needs for the loss that another has, along
//! the compute-optimal frontier of each, L = E + A/C^α. Where E and α are the same it is one number at every budget,
//! ((L_worse − E)/(L_better − E))^(1/α) = (A_worse/A_better)^(1/α); E is known badly, so it is told what other floors make of it.

mod frontier;

use super::estimate::t_quantile;
use super::linear::{gradient, least_squares, variance};
use super::{Estimate, FitError, Interval, Place, Places};
use crate::spec::sample::mean;
use frontier::{Exponent, Form, below};
use serde::Serialize;

pub use frontier::{Floor, Frontier};

/// Where a speedup is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Asked {
    /// At a budget, FLOPs: for the loss that the changed group has there.
    Compute(f64),
    /// At a loss.
    Loss(f64),
}

/// The speedup between two losses at one budget under a floor and an exponent that both share:
/// ((L_base − E)/(L_changed − E))^(1/α). Above 1 where the changed loss is lower; NaN of a loss below the floor.
pub fn speedup_of_losses(base: f64, changed: f64, floor: f64, alpha: f64) -> f64 {
    ((base - floor) / (changed - floor)).powf(alpha.recip())
}

/// What a change is worth.
#[derive(Debug, Clone, Serialize)]
pub struct Speedup {
    /// What was said of the floor.
    pub floor: Floor,
    /// Frontier of the baseline; exponents are apart where floors are or a trend is shown.
    pub base: Frontier,
    /// Frontier of the changed group.
    pub changed: Frontier,
    /// Base compute over changed compute for the same loss, one number for all budgets; absent where floors are apart.
    pub constant: Option<Estimate>,
    /// δ, the speedup growing as C^δ: α of the changed group over that of the baseline, less 1, the floor shared and exponents
    /// apart. Absent where floors are apart or the losses are too few.
    pub trend: Option<Estimate>,
    /// At each place that was asked for.
    pub at: Vec<SpeedupAt>,
    /// What floors make of the speedup at the middle of the budgets: the lowest that agrees with the runs, the best, the highest; none where
    /// floors are apart.
    pub floors: Vec<AtFloor>,
    /// By how much losses scatter about the frontiers, in their standard errors; where it is above 1 there is lack of fit, and
    /// intervals are wider by it. Absent where no loss is left to tell.
    pub misfit: Option<f64>,
    /// Degrees of freedom of the intervals; infinite (null) where the noise is known.
    pub degrees: f64,
}

impl Speedup {
    /// Whether the runs show that the speedup is not the same at every budget.
    pub fn drifts(&self) -> bool {
        self.trend.is_some_and(|trend| !trend.holds(0.0))
    }
}

/// A speedup at a place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SpeedupAt {
    /// Compute of the changed group, FLOPs.
    pub compute: f64,
    /// The loss that it has there.
    pub loss: f64,
    /// How many times that compute the baseline needs for it.
    pub speedup: Estimate,
    /// Whether the place lies among the budgets of both.
    pub within: bool,
}

/// The speedup under a floor that is held.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtFloor {
    /// Floor E of the loss, nats per token.
    pub floor: f64,
    /// α of the baseline that goes with it.
    pub alpha: f64,
    /// Compute of the changed group, FLOPs: the middle of its budgets.
    pub compute: f64,
    /// How many times that the baseline needs for the same loss.
    pub speedup: f64,
}

/// The noise about frontiers that were fitted.
struct Noise {
    /// How far points scatter in units of their standard errors, at least 1.
    scale: f64,
    misfit: Option<f64>,
    degrees: f64,
}

impl Noise {
    /// The larger of what the losses say of themselves and what they miss the frontiers by, with the degrees of that.
    fn of(squares: f64, losses: usize, coefficients: usize, known: f64) -> Self {
        let spare = losses.saturating_sub(coefficients) as f64;
        let misfit = (spare > 0.0).then(|| (squares / spare).sqrt());
        match misfit.filter(|misfit| *misfit > 1.0) {
            Some(scale) => Self { scale, misfit, degrees: spare },
            None => Self { scale: 1.0, misfit, degrees: known },
        }
    }
}

/// The speedup of `changed` over `base`, losses along the frontiers of both, at the places that are asked for.
///
/// # Errors
/// Where there are fewer losses than coefficients, or they do not fall with compute.
pub fn speedup(base: &Places, changed: &Places, floor: Floor, level: f64, asked: &[Asked]) -> Result<Speedup, FitError> {
    let losses = Losses { groups: [&base.places, &changed.places], degrees: base.degrees + changed.degrees, level };
    let exponent = if floor == Floor::Own { Exponent::Own } else { Exponent::Shared };
    let shared = losses.read(Form { floor, exponent })?;
    let apart = losses.read(Form { floor, exponent: Exponent::Own }).ok();
    let trend =
        apart.as_ref().filter(|_| floor != Floor::Own).map(|apart| apart.estimate(&|[base, changed]| changed.alpha / base.alpha - 1.0));
    let drifts = trend.is_some_and(|trend| !trend.holds(0.0));
    let told = apart.as_ref().filter(|_| drifts).unwrap_or(&shared);
    Ok(Speedup {
        floor,
        base: told.pair[0],
        changed: told.pair[1],
        constant: (floor != Floor::Own).then(|| shared.exp_of(&|pair| ln_at(pair, Asked::Compute(1.0)))),
        trend,
        at: asked.iter().map(|asked| told.place(*asked)).collect(),
        floors: if floor == Floor::Own { Vec::new() } else { losses.floors(told.form.exponent) },
        misfit: told.noise.misfit,
        degrees: told.noise.degrees,
    })
}

/// ln of base compute over changed compute at a place.
fn ln_at([base, changed]: &[Frontier; 2], asked: Asked) -> f64 {
    match asked {
        // Of one floor and exponent exactly that of the factors, also where a loss lies far beyond what a number can tell.
        Asked::Compute(_) if base.floor == changed.floor && base.alpha == changed.alpha => (base.factor / changed.factor).ln() / base.alpha,
        Asked::Compute(compute) => (base.compute(changed.loss(compute)) / compute).ln(),
        Asked::Loss(loss) => (base.compute(loss) / changed.compute(loss)).ln(),
    }
}

/// Losses of two groups.
struct Losses<'a> {
    groups: [&'a [Place]; 2],
    /// Degrees of freedom of their standard errors.
    degrees: f64,
    level: f64,
}

impl<'a> Losses<'a> {
    /// Both frontiers under a form.
    fn read(&'a self, form: Form) -> Result<Reading<'a>, FitError> {
        let each = if form.floor == Floor::Own { 3 } else { 2 };
        let budgets = self.groups.map(<[Place]>::len);
        let together = form.coefficients();
        if budgets.iter().sum::<usize>() < together || budgets.iter().any(|one| *one < each) {
            return Err(FitError::TooFewBudgets { budgets, each, together });
        }
        let (pair, squares) = form.fitted(self.groups).ok_or(FitError::NoFall)?;
        let noise = Noise::of(squares, budgets.iter().sum(), together, self.degrees);
        let theta = form.coefficients_of(&pair);
        let predicted = |group: usize, place: &Place| gradient(&theta, |theta| form.frontiers(theta)[group].loss(place.x));
        let places = || (0..2).flat_map(|group| self.groups[group].iter().map(move |place| (group, place)));
        let rows: Vec<Vec<f64>> = places().map(|(group, place)| predicted(group, place)).collect();
        let weight: Vec<f64> = places().map(|(_, place)| place.se.powi(-2)).collect();
        let inverse = least_squares(&rows, &vec![0.0; rows.len()], &weight).map(|found| found.inverse);
        Ok(Reading { losses: self, form, pair, theta, inverse, noise, squares })
    }

    /// What floors make of the speedup at the middle of the changed group's budgets: the ends of those whose squares rise by no
    /// more than their noise allows (Bates & Watts 1988 §6.1), and the best.
    fn floors(&self, exponent: Exponent) -> Vec<AtFloor> {
        let Ok(best) = self.read(Form { floor: Floor::Shared, exponent }) else { return Vec::new() };
        let limit = best.squares + (best.noise.scale * t_quantile(self.level, best.noise.degrees)).powi(2);
        let pinned = |floor| Form { floor: Floor::Pinned(floor), exponent }.fitted(self.groups);
        let allowed = |floor: f64| pinned(floor).is_some_and(|(_, squares)| squares <= limit);
        let middle = mean(self.groups[1].iter().map(|place| place.x.ln())).unwrap_or(0.0).exp();
        let at = |floor: f64| {
            let (pair, _) = pinned(floor)?;
            Some(AtFloor { floor, alpha: pair[0].alpha, compute: middle, speedup: ln_at(&pair, Asked::Compute(middle)).exp() })
        };
        let floor = best.pair[0].floor;
        let ends = [0.0, below(self.groups)].map(|end| last_allowed(floor, end, allowed));
        [ends[0], floor, ends[1]].into_iter().filter_map(at).collect()
    }
}

/// The last value from one that is allowed towards another that is, by halving.
fn last_allowed(mut inside: f64, mut outside: f64, allowed: impl Fn(f64) -> bool) -> f64 {
    if allowed(outside) {
        return outside;
    }
    for _ in 0..50 {
        let half = 0.5 * (inside + outside);
        if allowed(half) { inside = half } else { outside = half }
    }
    inside
}

/// Two frontiers with what their coefficients are known to.
struct Reading<'a> {
    losses: &'a Losses<'a>,
    form: Form,
    pair: [Frontier; 2],
    theta: Vec<f64>,
    /// Of the information; absent where the losses do not tell the coefficients apart.
    inverse: Option<Vec<Vec<f64>>>,
    noise: Noise,
    /// Σ ((L − law)/se)².
    squares: f64,
}

impl Reading<'_> {
    /// Standard error of a number that follows from the frontiers, by linearisation.
    fn se(&self, of: &dyn Fn(&[Frontier; 2]) -> f64) -> f64 {
        let slope = gradient(&self.theta, |theta| of(&self.form.frontiers(theta)));
        self.inverse.as_ref().map_or(f64::INFINITY, |inverse| self.noise.scale * variance(&slope, inverse).sqrt())
    }

    fn quantile(&self) -> f64 {
        t_quantile(self.losses.level, self.noise.degrees)
    }

    fn estimate(&self, of: &dyn Fn(&[Frontier; 2]) -> f64) -> Estimate {
        let (value, se, quantile) = (of(&self.pair), self.se(of), self.quantile());
        Estimate::new(value, se, [value - quantile * se, value + quantile * se], self.losses.level, Interval::Delta)
    }

    /// exp of a number.
    fn exp_of(&self, ln: &dyn Fn(&[Frontier; 2]) -> f64) -> Estimate {
        Estimate::exp(ln(&self.pair), self.se(ln), self.quantile(), self.losses.level, Interval::Delta)
    }

    fn place(&self, asked: Asked) -> SpeedupAt {
        let changed = &self.pair[1];
        let (compute, loss) = match asked {
            Asked::Compute(compute) => (compute, changed.loss(compute)),
            Asked::Loss(loss) => (changed.compute(loss), loss),
        };
        let reached = |group: &[Place]| {
            let ends = group.first().zip(group.last());
            ends.is_some_and(|(first, last)| first.x * (1.0 - 1e-6) <= compute && compute <= last.x * (1.0 + 1e-6))
        };
        let within = self.losses.groups.into_iter().all(reached);
        SpeedupAt { compute, loss, speedup: self.exp_of(&|pair| ln_at(pair, asked)), within }
    }
}

#[cfg(test)]
mod tests;
