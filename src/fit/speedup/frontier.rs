//! Two frontiers L = E + A/C^α fitted together: floor and exponent each group's own, shared, or (the floor) given. For given
//! exponents the rest is linear, so a search goes over exponents alone.

use crate::fit::Place;
use crate::fit::linear::{LeastSquares, least_squares};
use serde::Serialize;

/// Exponents that are searched.
const EXPONENTS: [f64; 2] = [0.005, 3.0];
/// Places of a scan before a golden section, and steps of that: 3e-8 of the bracket.
const SCAN: usize = 32;
const STEPS: usize = 36;

/// What is said of the floor E.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Floor {
    /// Each group has its own, and its own exponent.
    Own,
    /// Fitted, one for both, with one exponent.
    Shared,
    /// Given, nats per token (or whatever losses are in).
    Pinned(f64),
}

/// The loss along a compute-optimal frontier, L = E + A/C^α.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Frontier {
    /// E, the loss that no compute removes.
    pub floor: f64,
    /// A, the reducible loss at one FLOP.
    pub factor: f64,
    /// α.
    pub alpha: f64,
}

impl Frontier {
    /// Loss at a compute, FLOPs.
    pub fn loss(&self, compute: f64) -> f64 {
        self.floor + self.factor * compute.powf(-self.alpha)
    }

    /// Compute, FLOPs, at which a loss is reached, C = (A/(L − E))^(1/α); NaN of a loss that none reaches.
    pub fn compute(&self, loss: f64) -> f64 {
        (self.factor / (loss - self.floor)).powf(self.alpha.recip())
    }
}

/// Which exponents two frontiers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exponent {
    Own,
    Shared,
}

/// The form of two frontiers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Form {
    pub(super) floor: Floor,
    pub(super) exponent: Exponent,
}

impl Form {
    /// Coefficients: floors, two factors, exponents.
    pub(super) fn coefficients(self) -> usize {
        let floors = match self.floor {
            Floor::Pinned(_) => 0,
            Floor::Shared => 1,
            Floor::Own => 2,
        };
        floors + 2 + if self.exponent == Exponent::Own { 2 } else { 1 }
    }

    /// The frontiers of coefficients in the order floors, ln factors, exponents.
    pub(super) fn frontiers(self, theta: &[f64]) -> [Frontier; 2] {
        let (floors, rest) = match self.floor {
            Floor::Pinned(floor) => ([floor; 2], theta),
            Floor::Shared => ([theta[0]; 2], &theta[1..]),
            Floor::Own => ([theta[0], theta[1]], &theta[2..]),
        };
        let alphas = [rest[2], rest[rest.len() - 1]];
        [0, 1].map(|at| Frontier { floor: floors[at], factor: rest[at].exp(), alpha: alphas[at] })
    }

    /// The inverse of [`Form::frontiers`].
    pub(super) fn coefficients_of(self, [one, other]: &[Frontier; 2]) -> Vec<f64> {
        let mut theta = match self.floor {
            Floor::Pinned(_) => Vec::new(),
            Floor::Shared => vec![one.floor],
            Floor::Own => vec![one.floor, other.floor],
        };
        theta.extend([one.factor.ln(), other.factor.ln(), one.alpha]);
        theta.extend((self.exponent == Exponent::Own).then_some(other.alpha));
        theta
    }

    /// The frontiers that lie closest to two groups of losses, and Σ ((L − law)/se)²; `None` where the losses do not fall.
    pub(super) fn fitted(self, groups: [&[Place]; 2]) -> Option<([Frontier; 2], f64)> {
        let given = if let Floor::Pinned(floor) = self.floor { Some(floor) } else { None };
        match (self.floor, self.exponent) {
            (Floor::Own, _) | (Floor::Pinned(_), Exponent::Own) => {
                let [(one, first), (other, second)] = groups.map(|group| together(&[group], given));
                joined(one.into_iter().chain(other).collect(), first + second)
            }
            (_, Exponent::Shared) => {
                let (frontiers, squares) = together(&groups, given);
                joined(frontiers, squares)
            }
            (Floor::Shared, Exponent::Own) => {
                let pinned = |floor| Self { floor: Floor::Pinned(floor), exponent: Exponent::Own };
                let floor = lowest(0.0, below(groups), |floor| pinned(floor).fitted(groups).map_or(f64::INFINITY, |(_, squares)| squares));
                pinned(floor).fitted(groups)
            }
        }
    }
}

fn joined(frontiers: Vec<Frontier>, squares: f64) -> Option<([Frontier; 2], f64)> {
    let frontiers: [Frontier; 2] = frontiers.try_into().ok()?;
    let falls = |one: &Frontier| one.factor > 0.0 && one.factor.is_finite();
    (squares.is_finite() && frontiers.iter().all(falls)).then_some((frontiers, squares))
}

/// Just below the lowest loss: a floor lies there or deeper.
pub(super) fn below(groups: [&[Place]; 2]) -> f64 {
    (1.0 - 1e-9) * groups.iter().flat_map(|group| group.iter()).map(|place| place.loss).fold(f64::INFINITY, f64::min)
}

/// Frontiers of one exponent and one floor, given or fitted, with Σ ((L − law)/se)².
fn together(groups: &[&[Place]], given: Option<f64>) -> (Vec<Frontier>, f64) {
    let squares = |ln_alpha: f64| linear(groups, given, ln_alpha.exp()).map_or(f64::INFINITY, |(_, squares)| squares);
    let alpha = lowest(EXPONENTS[0].ln(), EXPONENTS[1].ln(), squares).exp();
    linear(groups, given, alpha).unwrap_or((Vec::new(), f64::INFINITY))
}

/// The same at an exponent. A floor below 0 is 0.
fn linear(groups: &[&[Place]], given: Option<f64>, alpha: f64) -> Option<(Vec<Frontier>, f64)> {
    let places = || groups.iter().enumerate().flat_map(|(at, group)| group.iter().map(move |place| (at, place)));
    // About a compute among the runs, so that no column is next to nothing.
    let centre = places().map(|(_, place)| place.x.ln()).sum::<f64>() / places().count() as f64;
    let power = |place: &Place| (-alpha * (place.x.ln() - centre)).exp();
    let weight: Vec<f64> = places().map(|(_, place)| place.se.powi(-2)).collect();
    let solved = |floor: Option<f64>| -> Option<LeastSquares> {
        let own = |at: usize, power: f64| (0..groups.len()).map(move |group| if group == at { power } else { 0.0 });
        let row = |(at, place): (usize, &Place)| own(at, power(place)).chain(floor.is_none().then_some(1.0)).collect();
        let rows: Vec<Vec<f64>> = places().map(row).collect();
        let losses: Vec<f64> = places().map(|(_, place)| place.loss - floor.unwrap_or(0.0)).collect();
        least_squares(&rows, &losses, &weight)
    };
    let mut floor = given;
    let mut found = solved(floor)?;
    if floor.is_none() && found.beta[groups.len()] < 0.0 {
        floor = Some(0.0);
        found = solved(floor)?;
    }
    let e = floor.unwrap_or_else(|| found.beta[groups.len()]);
    let frontier = |at: usize| Frontier { floor: e, factor: found.beta[at] * (alpha * centre).exp(), alpha };
    Some(((0..groups.len()).map(frontier).collect(), found.residual))
}

/// Where a function is least between two ends: the lowest of a scan, then a golden section about it.
pub(super) fn lowest(low: f64, high: f64, of: impl Fn(f64) -> f64) -> f64 {
    let step = (high - low) / (SCAN - 1) as f64;
    let at = |place: usize| low + step * place as f64;
    let first = (0..SCAN).map(|place| (at(place), of(at(place)))).min_by(|left, right| left.1.total_cmp(&right.1));
    let centre = first.map_or(low, |(place, _)| place);
    let (mut low, mut high) = ((centre - step).max(low), (centre + step).min(high));
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_left, mut at_right) = (of(left), of(right));
    for _ in 0..STEPS {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = of(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = of(right);
        }
    }
    0.5 * (low + high)
}
