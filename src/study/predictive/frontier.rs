//! The frontier through the minima of budgets: N*(C) and L*(C) as powers of compute, which know more of the optimum than a law of
//! N and D does, and nothing of what lies beside it.

use crate::fit::{Estimate, IsoflopFit, IsoflopOptions, IsoflopProfile, Posterior, isoflop};
use crate::law::{Axis, Evidence, Point, PowerLaw};

/// Budgets that a line through their optima needs, and with it a spread.
const FOR_PARAMS: usize = 3;
/// Budgets beside which a floor and a power can be checked at all, and those that determine them.
const FOR_LOSS: usize = 5;
const FOR_LOSS_BELOW_A_CUT: usize = 4;
/// Compute of runs that name no budget is the same within this part.
const SAME_COMPUTE: f64 = 0.03;
/// Runs so far above the lowest loss of their budget are on its walls, where loss is no parabola in ln N.
const WALLS: f64 = 0.2;

/// An optimum that runs have: ln of a value with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minimum {
    /// C, FLOPs.
    pub(super) compute: f64,
    /// ln N* and its standard error.
    pub(super) ln_params: (f64, f64),
}

/// Powers of compute through the minima of budgets.
#[derive(Debug, Clone)]
pub struct Frontier {
    /// Budgets with a minimum.
    pub budgets: usize,
    profiles: IsoflopFit,
    loss: Option<Posterior>,
}

impl Frontier {
    /// Through the budgets of all runs; `None` where fewer than three have a minimum, or most runs are of no budget.
    pub(super) fn of(evidence: &Evidence) -> Option<Self> {
        let profiles = profiles(evidence)?;
        (2 * profiles.points >= evidence.points.len()).then(|| Self::through(profiles, FOR_LOSS)).flatten()
    }

    /// Through those that lie below a compute.
    pub(super) fn below(evidence: &Evidence, compute: f64) -> Option<Self> {
        let below = evidence.points.iter().filter(|p| p.c <= compute).cloned().collect();
        Self::through(profiles(&evidence.with_points(below))?, FOR_LOSS_BELOW_A_CUT)
    }

    fn through(profiles: IsoflopFit, for_loss: usize) -> Option<Self> {
        let minima = profiles.minima().points;
        let loss = || Posterior::of(&PowerLaw { axis: Axis::C, floor: true }.into(), &minima).ok();
        let loss = (minima.len() >= for_loss).then(loss).flatten();
        (minima.len() >= FOR_PARAMS).then_some(Self { budgets: minima.len(), profiles, loss })
    }

    /// Whether it knows losses, too: through five budgets or more.
    pub fn knows_losses(&self) -> bool {
        self.loss.is_some()
    }

    /// Its budgets above a compute.
    pub(super) fn above(&self, compute: f64) -> Vec<Minimum> {
        let minimum = |profile: &IsoflopProfile| Minimum { compute: profile.compute, ln_params: in_logarithms(&profile.params) };
        self.profiles.profiles.iter().filter(|profile| profile.compute > compute).map(minimum).collect()
    }

    /// ln N* at a compute, and its standard error.
    pub(super) fn ln_params(&self, compute: f64) -> (f64, f64) {
        in_logarithms(&self.profiles.params.at(compute))
    }

    /// The optimum at a compute.
    pub(super) fn place(&self, compute: f64) -> Point {
        let [n, d] = [&self.profiles.params, &self.profiles.tokens].map(|power| power.at(compute).value);
        Point { c: compute, ..Point::new(n, d, 1.0) }
    }

    /// ln L at the optimum of a compute, and its standard error, where it knows losses.
    pub(super) fn ln_loss(&self, compute: f64) -> Option<(f64, f64)> {
        Some(self.loss.as_ref()?.ln_loss(&Point { c: compute, ..Point::new(1.0, 1.0, 1.0) }))
    }
}

/// What laws and a frontier say of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ByFrontier {
    /// Its ln L; not a number where it is not known.
    pub(super) found: f64,
    /// Its weight among runs.
    pub(super) weight: f64,
    /// ln L of the frontier at its compute, and the standard error.
    pub(super) lowest: (f64, f64),
    /// By each law, its ln L, and how far that lies over its ln L at the frontier's optimum.
    pub(super) laws: Vec<(f64, f64)>,
}

impl ByFrontier {
    /// `None` where the frontier knows no losses.
    pub(super) fn of(frontier: &Frontier, laws: &[&Posterior], run: &Point) -> Option<Self> {
        let place = frontier.place(run.c);
        let of = |law: &&Posterior| {
            let ln_loss = law.ln_loss(run).0;
            (ln_loss, ln_loss - law.ln_loss(&place).0)
        };
        Some(Self { found: run.loss.ln(), weight: run.weight, lowest: frontier.ln_loss(run.c)?, laws: laws.iter().map(of).collect() })
    }

    /// ln L by laws of so much weight themselves.
    pub(super) fn by_laws(&self, weights: &[f64]) -> f64 {
        weights.iter().zip(&self.laws).map(|(weight, (ln_loss, _))| weight * ln_loss).sum()
    }

    /// What the frontier says with laws of so much weight.
    pub(super) fn said(&self, weights: &[f64]) -> Said {
        let mean = |of: &dyn Fn(f64) -> f64| weights.iter().zip(&self.laws).map(|(weight, (_, rise))| weight * of(*rise)).sum::<f64>();
        let rise = mean(&|rise| rise);
        let between = mean(&|one| (one - rise).powi(2));
        Said { ln_loss: self.lowest.0 + rise, rise, statistics: self.lowest.1.powi(2), between }
    }
}

/// What the frontier says of a run, how far it lies above the lowest loss being the laws'.
pub(super) struct Said {
    /// ln L of the run.
    pub(super) ln_loss: f64,
    /// That over the lowest of its compute.
    pub(super) rise: f64,
    /// Variance by the coefficients of the frontier.
    pub(super) statistics: f64,
    /// Variance between the laws.
    pub(super) between: f64,
}

/// ln of a number, and its standard error.
fn in_logarithms(one: &Estimate) -> (f64, f64) {
    (one.value.ln(), one.se().map_or(f64::INFINITY, |se| se / one.value))
}

fn profiles(evidence: &Evidence) -> Option<IsoflopFit> {
    isoflop(evidence, &IsoflopOptions { tolerance: SAME_COMPUTE, walls: Some(WALLS), ..IsoflopOptions::default() }).ok()
}
