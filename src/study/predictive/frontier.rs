//! The frontier through the bottoms of budgets: N*(C) and L*(C) as powers of compute, which know more of the optimum than a law of
//! N and D does, and nothing of what lies beside it.

use crate::fit::{Estimate, IsoflopFit, IsoflopOptions, Posterior, Valley, isoflop};
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
pub(super) struct Bottom {
    /// C, FLOPs.
    pub(super) compute: f64,
    /// ln N* and its standard error.
    pub(super) ln_params: (f64, f64),
}

/// Powers of compute through the bottoms of budgets.
#[derive(Debug, Clone)]
pub struct Frontier {
    /// Budgets with a bottom.
    pub budgets: usize,
    profiles: IsoflopFit,
    loss: Option<Posterior>,
}

impl Frontier {
    /// Through the budgets of all runs; `None` where fewer than three have a bottom, or most runs are of no budget.
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
        let bottoms = profiles.bottoms().points;
        let loss = || Posterior::of(&PowerLaw { axis: Axis::C, floor: true }.into(), &bottoms).ok();
        let loss = (bottoms.len() >= for_loss).then(loss).flatten();
        (bottoms.len() >= FOR_PARAMS).then_some(Self { budgets: bottoms.len(), profiles, loss })
    }

    /// Whether it knows losses, too: through five budgets or more.
    pub fn knows_losses(&self) -> bool {
        self.loss.is_some()
    }

    /// Its budgets above a compute.
    pub(super) fn above(&self, compute: f64) -> Vec<Bottom> {
        let bottom = |valley: &Valley| Bottom { compute: valley.compute, ln_params: in_logarithms(&valley.params) };
        self.profiles.valleys.iter().filter(|valley| valley.compute > compute).map(bottom).collect()
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

/// ln of a number, and its standard error.
fn in_logarithms(one: &Estimate) -> (f64, f64) {
    (one.value.ln(), one.se().map_or(f64::INFINITY, |se| se / one.value))
}

fn profiles(evidence: &Evidence) -> Option<IsoflopFit> {
    isoflop(evidence, &IsoflopOptions { tolerance: SAME_COMPUTE, walls: Some(WALLS), ..IsoflopOptions::default() }).ok()
}
