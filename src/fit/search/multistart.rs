//! L-BFGS (argmin, with Moré–Thuente line search) from a grid of starts, Hoffmann's 4500 for the Chinchilla law
//! (2203.15556 app. D.3), handed over after a few iterations to reweighted squares and polished by Newton's method. The end and
//! the reason of every start are kept. From a few of them L-BFGS also goes to the end alone, as a check that shares nothing
//! with Newton's method.
//!
//! The objective is divided by that of a constant prediction, and coordinates are centred and scaled, so that
//! tolerances mean the same for any data; stopping on the raw mean or sum ends far above the minimum (2404.10102).

use super::newton::{End, NEAR, newton_to, reweighted};
use super::varpro::settle;
use crate::fit::objective::{Objective, Order, Phi, ResidualLoss};
use crate::fit::{Estimator, StartEnd};
use argmin::core::{CostFunction, Error, Executor, Gradient, State, TerminationStatus};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rayon::prelude::*;
use std::cell::{Cell, RefCell};

/// Pairs of steps and gradient changes that L-BFGS remembers.
const MEMORY: usize = 7;
/// Iterations after which L-BFGS hands over to reweighted squares. Twice or four times as many bring one or two starts in a
/// hundred more to the minimum of the 240 points of 2404.10102, and each start that arrives costs more.
const ITERATIONS: u64 = 5;
/// Evaluations after which L-BFGS hands over the lowest place it saw: argmin's line search has no limit of its own and can turn for
/// ever, at a minimum known to rounding or where a slope is too steep for its least step.
const EVALUATIONS: u32 = 40;
/// Gradient of the scaled objective below which L-BFGS hands over to Newton.
const GRADIENT: f64 = 1e-3;
/// Steps of reweighted squares.
const REWEIGHTED: usize = 40;
/// Newton steps of the polish, and the decrement at which it ends: a thousandth of what tells two ends apart.
const POLISH: usize = 30;
const BOTTOM: f64 = 1e-9;

/// Starts from which L-BFGS goes to the end alone, and what it may take.
const ALONE: usize = 30;
const LONG: Stop = Stop { iterations: 2000, gradient: 1e-10, cost: 1e-16, evaluations: 4000 };
const SHORT: Stop = Stop { iterations: ITERATIONS, gradient: GRADIENT, cost: 1e-9, evaluations: EVALUATIONS };

/// Times that L-BFGS begins anew where it ended, in units of the objective there.
const ROUNDS: usize = 5;

/// Times the objective of a constant above which a start is steep.
const STEEP: f64 = 1e3;

/// When L-BFGS stops.
#[derive(Clone, Copy)]
struct Stop {
    iterations: u64,
    gradient: f64,
    cost: f64,
    evaluations: u32,
}

/// The lowest place that L-BFGS reaches by itself from a few of the starts, with its objective; `None` for an objective that is not
/// smooth.
pub(crate) fn lbfgs_alone(sum: &Objective, estimator: Estimator) -> Option<(Phi, f64)> {
    if estimator == Estimator::AbsoluteLog {
        return None;
    }
    let loss = ResidualLoss::of(estimator, 1e-3);
    let starts = sum.starts();
    let some: Vec<&Vec<f64>> = starts.iter().step_by(starts.len().div_ceil(ALONE)).collect();
    let value = |phi: &Phi| sum.evaluate(loss, phi, Order::Value).value;
    let end = |start: &&Vec<f64>| {
        let mut phi = sum.lift_vanished_terms(sum.to_phi(start));
        for _ in 0..ROUNDS {
            let before = value(&phi);
            phi = lbfgs(sum, loss, &phi, LONG).0;
            if value(&phi) > before * (1.0 - 1e-9) {
                break;
            }
        }
        let value = value(&phi);
        (phi, value)
    };
    let ends: Vec<(Phi, f64)> = some.par_iter().map(end).collect();
    ends.into_iter().filter(|(_, value)| value.is_finite()).min_by(|left, right| left.1.total_cmp(&right.1))
}

/// Runs every start; results stand in the order of starts, whatever the number of threads.
pub(crate) fn multistart(sum: &Objective, estimator: Estimator) -> Vec<(StartEnd, End)> {
    let loss = ResidualLoss::of(estimator, 1e-3);
    let starts = sum.starts();
    let mut ends: Vec<(StartEnd, End)> = starts.par_iter().map(|start| run(sum, loss, start)).collect();
    if estimator == Estimator::AbsoluteLog {
        sharpen(sum, estimator, &mut ends);
    }
    ends
}

/// Distinct ends of the smoothed absolute deviation that are followed to the exact one, best first.
const SHARPENED: usize = 16;

/// Follows ends of the smoothed absolute deviation to those of the exact one, equal ends together.
fn sharpen(sum: &Objective, estimator: Estimator, ends: &mut [(StartEnd, End)]) {
    // Smoothed objectives closer than this, 1e-12 nats a point, are rounding.
    let rounding = 1e-12 * sum.total_weight();
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&left, &right| ends[left].1.value.total_cmp(&ends[right].1.value));
    let same = |left: &usize, right: &usize| ends[*right].1.value <= ends[*left].1.value * (1.0 + 1e-7) + rounding;
    let groups: Vec<Vec<usize>> = order.chunk_by(same).map(<[usize]>::to_vec).collect();
    let free: Vec<usize> = (0..sum.dim()).collect();
    let sharp: Vec<End> =
        groups.par_iter().take(SHARPENED).map(|group| settle(sum, estimator, ends[group[0]].1.phi.clone(), &free, POLISH)).collect();
    for (at, group) in groups.iter().enumerate() {
        for &start in group {
            let smooth = ends[start].1.clone();
            ends[start].1 = sharp.get(at).cloned().unwrap_or_else(|| End { value: sum.absolute(&smooth.phi), ..smooth });
            ends[start].0.reason += if at < sharp.len() { "; sharpened" } else { "; left smooth, one of the worse ends" };
            ends[start].0.theta = sum.to_theta(&ends[start].1.phi);
            ends[start].0.objective = ends[start].1.value;
        }
    }
}

fn run(sum: &Objective, loss: ResidualLoss, start: &[f64]) -> (StartEnd, End) {
    let from = sum.lift_vanished_terms(sum.to_phi(start));
    let (handed_over, reason, iterations) = lbfgs(sum, loss, &from, SHORT);
    let free: Vec<usize> = (0..sum.dim()).collect();
    let end = polished(sum, loss, handed_over, &free);
    let polish = if end.decrement < BOTTOM {
        "polished to a minimum"
    } else if end.value.is_finite() {
        "polished as far as it would go"
    } else {
        "not finite"
    };
    let reason = format!("L-BFGS: {reason}; {polish}");
    (StartEnd { start: start.to_vec(), theta: sum.to_theta(&end.phi), objective: end.value, reason, iterations }, end)
}

/// Reweighted squares to near the minimum, then Newton's method to its minimum.
fn polished(sum: &Objective, loss: ResidualLoss, from: Phi, free: &[usize]) -> End {
    let near = reweighted(sum, loss, from, free, REWEIGHTED, NEAR);
    newton_to(sum, loss, near.phi, free, POLISH, BOTTOM)
}

/// Where L-BFGS ended, why, and after how many iterations. Costs are in units of that of a constant, or of the start where that is
/// far higher: a first step down a slope of thousands has no length that the line search finds.
fn lbfgs(sum: &Objective, loss: ResidualLoss, from: &Phi, stop: Stop) -> (Phi, String, u64) {
    let at_start = sum.evaluate(loss, from, Order::Value).value;
    let constant = sum.scale_of(loss);
    let scale = if at_start.is_finite() && at_start > STEEP * constant { at_start } else { constant };
    let (last, lowest) = (RefCell::new(None), RefCell::new((from.to_vec(), f64::INFINITY)));
    let problem = Scaled { sum, loss, scale, last: &last, lowest: &lowest, left: Cell::new(stop.evaluations) };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(stop.gradient)
        .and_then(|solver| solver.with_tolerance_cost(stop.cost))
        .map(|solver| {
            let start = from.to_vec();
            Executor::new(problem, solver).configure(|state| state.param(start).max_iters(stop.iterations)).ctrlc(false).timer(false).run()
        });
    match solver {
        Ok(Ok(result)) => {
            let state = result.state();
            let reason = match state.get_termination_status() {
                TerminationStatus::Terminated(reason) => reason.text().to_owned(),
                TerminationStatus::NotTerminated => "not terminated".to_owned(),
            };
            (state.get_best_param().map_or_else(|| from.clone(), |best| Phi::from_slice(best)), reason, state.get_iter())
        }
        Ok(Err(error)) | Err(error) => (Phi::from_slice(&lowest.borrow().0), error.to_string(), 0),
    }
}

/// Coordinates, cost and gradient.
type Asked = (Vec<f64>, f64, Vec<f64>);

/// The objective over that of a constant, as argmin wants it. Cost and gradient come from one pass, so the last is kept.
struct Scaled<'a> {
    sum: &'a Objective,
    loss: ResidualLoss,
    scale: f64,
    /// Where it was last asked, with the answer.
    last: &'a RefCell<Option<Asked>>,
    /// The lowest place asked so far, with its cost.
    lowest: &'a RefCell<(Vec<f64>, f64)>,
    /// Questions still answered.
    left: Cell<u32>,
}

impl Scaled<'_> {
    fn at(&self, param: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| Error::msg("out of evaluations"))?;
        self.left.set(left);
        if let Some((known, value, gradient)) = &*self.last.borrow()
            && known == param
        {
            return Ok((*value, gradient.clone()));
        }
        let here = self.sum.evaluate(self.loss, param, Order::Gradient);
        let value = here.value / self.scale;
        let gradient: Vec<f64> = here.gradient.iter().map(|slope| slope / self.scale).collect();
        if value < self.lowest.borrow().1 {
            self.lowest.replace((param.to_vec(), value));
        }
        self.last.replace(Some((param.to_vec(), value, gradient.clone())));
        Ok((value, gradient))
    }
}

impl CostFunction for Scaled<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, param: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(param)?.0)
    }
}

impl Gradient for Scaled<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, param: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(param)?.1)
    }
}
