//! Variable projection (Golub & Pereyra 1973): for given exponents the factors are solved by Newton's method, so the
//! search runs over exponents alone, first on a grid, then by Newton on the projected objective, whose Hessian is the
//! Schur complement. Czech 2603.22339 find a condition number of 11 there against 3.5e11 in all five coefficients.

use super::newton::{End, NEAR, descend, descend_to, full_step, newton};
use crate::fit::Estimator;
use crate::fit::objective::{Evaluation, Objective, Order, Phi, ResidualLoss, Scan, combinations};
use smallvec::SmallVec;
use std::cell::RefCell;

/// Valleys of the grid that are followed down.
const FOLLOWED: usize = 6;
/// Cells of a grid that are looked at, all or spread over it; for a refit, which also starts from the basins of the fit, fewer.
const CELLS: usize = 2000;
const FEW_CELLS: usize = 60;
/// Points that the search for valleys uses at most; the best are then followed on all.
const GRID_POINTS: usize = 4000;
/// δ from which the absolute deviation is approached, by tenths, and where it ends (nats).
const SMOOTHEST: f64 = 1e-3;
const SHARPEST: f64 = 1e-12;

/// Ends of the valleys of the projected objective, best first.
pub(crate) fn varpro(sum: &Objective, estimator: Estimator, scan: Scan) -> Vec<End> {
    let loss = ResidualLoss::of(estimator, SMOOTHEST);
    let thin = sum.thinned(GRID_POINTS);
    let mut ends: Vec<End> = valleys(&thin, loss, scan).iter().map(|phi| settle_projected(&thin, estimator, phi.clone())).collect();
    if thin.len() < sum.len() {
        // Long data: the lowest of the thinned data's ends are followed on all points.
        ends.sort_by(|left, right| left.value.total_cmp(&right.value));
        ends.dedup_by(|right, left| right.value <= left.value * (1.0 + 1e-6));
        ends = ends.iter().take(2).map(|end| settle_projected(sum, estimator, end.phi.clone())).collect();
    }
    ends.retain(|end| end.value.is_finite());
    ends.sort_by(|left, right| left.value.total_cmp(&right.value));
    ends
}

/// Follows all coordinates from `phi` to a minimum of the estimator.
pub(crate) fn settle(sum: &Objective, estimator: Estimator, phi: Phi, free: &[usize], steps: usize) -> End {
    sharpened(sum, estimator, phi, |loss, phi| newton(sum, loss, phi, free, steps))
}

/// Follows the exponents from `phi` to a minimum of the projected objective.
fn settle_projected(sum: &Objective, estimator: Estimator, phi: Phi) -> End {
    sharpened(sum, estimator, phi, |loss, phi| descend_projected(sum, loss, phi))
}

/// One search for a smooth estimator. The absolute deviation is approached by Huber's function over δ for ever
/// smaller δ: residuals inside δ shrink in proportion to it, so one Newton step with last δ's set of such points
/// predicts the next minimum. The value returned is the exact Σ|r|, the least of all δ.
fn sharpened(sum: &Objective, estimator: Estimator, phi: Phi, search: impl Fn(ResidualLoss, Phi) -> End) -> End {
    if estimator != Estimator::AbsoluteLog {
        return search(ResidualLoss::of(estimator, 1.0), phi);
    }
    let exact = |end: End| End { value: sum.absolute(&end.phi), ..end };
    let mut delta = SMOOTHEST;
    let mut path = search(ResidualLoss::of(estimator, delta), phi);
    let mut best = exact(path.clone());
    while delta > 1.5 * SHARPEST {
        let next = ResidualLoss { quadratic_until: delta, ..ResidualLoss::of(estimator, 0.1 * delta) };
        delta *= 0.1;
        path = search(ResidualLoss { quadratic_until: delta, ..next }, full_step(sum, next, path.phi));
        let end = exact(path.clone());
        if end.value < best.value {
            best = end;
        }
    }
    best
}

fn descend_projected(sum: &Objective, loss: ResidualLoss, phi: Phi) -> End {
    let factors = RefCell::new(phi.clone());
    let exponents: Vec<usize> = (sum.factors()..sum.dim()).collect();
    let projected = |at: &Phi, order: Order| {
        let mut start = factors.borrow().clone();
        start[sum.factors()..].copy_from_slice(&at[sum.factors()..]);
        let inner = solve_factors(sum, loss, start, 60);
        let whole = sum.evaluate(loss, &inner.phi, order);
        factors.replace(inner.phi);
        schur(sum, whole)
    };
    // Far from the minimum Huber's function has next to no curvature of its own.
    let near = descend_to(phi, &exponents, 40, sum.total_weight(), NEAR, |at, _| projected(at, Order::Reweighted));
    let outer = descend(near.phi, &exponents, 100, sum.total_weight(), |at, _| projected(at, Order::Hessian));
    let mut last = factors.into_inner();
    last[sum.factors()..].copy_from_slice(&outer.phi[sum.factors()..]);
    let inner = solve_factors(sum, loss, last, 60);
    End { phi: inner.phi, value: inner.value, decrement: outer.decrement }
}

/// Factors that minimise the objective at the exponents of `phi`.
pub(crate) fn solve_factors(sum: &Objective, loss: ResidualLoss, phi: Phi, steps: usize) -> End {
    let factors: Vec<usize> = (0..sum.factors()).collect();
    newton(sum, loss, phi, &factors, steps)
}

/// Second derivatives of the projected objective: H_ss − H_sc·H_cc⁻¹·H_cs; its gradient is that of the exponents.
pub(crate) fn schur(sum: &Objective, mut full: Evaluation) -> Evaluation {
    let (terms, dim) = (sum.factors(), sum.dim());
    let mut lower = full.hessian.among(&(0..terms).collect::<SmallVec<[usize; 8]>>());
    if !lower.cholesky() {
        return full;
    }
    let solved: Vec<Phi> = (terms..dim).map(|j| lower.back_substitute(&full.hessian[j])).collect();
    for (j, solved) in (terms..dim).zip(&solved) {
        for k in terms..dim {
            let taken = (0..terms).map(|i| solved[i] * full.hessian[k][i]).sum::<f64>();
            full.hessian[j][k] -= taken;
        }
    }
    full
}

/// The two best valleys of the exponent grid, for a refit.
pub(crate) fn valleys_for_refit(sum: &Objective, estimator: Estimator) -> Vec<Phi> {
    let mut found = valleys(sum, ResidualLoss::of(estimator, SMOOTHEST), Scan::Coarse);
    found.truncate(2);
    found
}

/// Cells of the grid of exponents that are lower than their neighbours, best first. A grid of more than [`CELLS`] cells has no
/// neighbours worth the name: the lowest of so many spread over it are taken.
fn valleys(sum: &Objective, loss: ResidualLoss, scan: Scan) -> Vec<Phi> {
    let axes = sum.scanned(scan);
    let size = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.len())).unwrap_or(usize::MAX);
    let factors = sum.factors();
    let solved = |mut phi: Phi, place: &[f64]| {
        phi[factors..].copy_from_slice(place);
        solve_factors(sum, loss, phi, 12)
    };
    let mut found: Vec<End> = if size > CELLS {
        let places = combinations(&axes, if scan == Scan::Fine { CELLS } else { FEW_CELLS });
        places.iter().map(|place| solved(sum.even_shares(), place)).collect()
    } else {
        lowest_of_grid(&axes, &|beside, place| {
            // The neighbour before along the first axis is a good start for the factors, but one that vanished there cannot
            // come back from it.
            let afresh = solved(sum.even_shares(), place);
            let beside = beside.map(|end: &End| solved(end.phi.clone(), place));
            beside.filter(|beside| beside.value < afresh.value).unwrap_or(afresh)
        })
    };
    found.sort_by(|left, right| left.value.total_cmp(&right.value));
    found.into_iter().take(FOLLOWED).map(|end| end.phi).collect()
}

/// The cells of a whole grid that no neighbour along an axis is below. `solve` is given the end of the neighbour before along
/// the first axis, where there is one, and the values of the cell.
fn lowest_of_grid(axes: &[Vec<f64>], solve: &dyn Fn(Option<&End>, &[f64]) -> End) -> Vec<End> {
    let strides: Vec<usize> = axes.iter().scan(1, |stride, axis| Some(std::mem::replace(stride, *stride * axis.len()))).collect();
    let digit = |cell: usize, k: usize| cell / strides[k] % axes[k].len();
    let size = axes.iter().map(Vec::len).product();
    let mut cells: Vec<End> = Vec::with_capacity(size);
    for cell in 0..size {
        let place: Vec<f64> = (0..axes.len()).map(|k| axes[k][digit(cell, k)]).collect();
        let has_neighbour = !axes.is_empty() && digit(cell, 0) > 0;
        let end = solve(if has_neighbour { cells.last() } else { None }, &place);
        cells.push(end);
    }
    let is_lowest = |cell: usize| {
        (0..axes.len()).all(|k| {
            let below = digit(cell, k) == 0 || cells[cell - strides[k]].value >= cells[cell].value;
            let above = digit(cell, k) + 1 == axes[k].len() || cells[cell + strides[k]].value >= cells[cell].value;
            below && above
        })
    };
    (0..size).filter(|&cell| is_lowest(cell)).map(|cell| cells[cell].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Design, Law, Noise, simulate};

    #[test]
    fn projection_recovers_a_law_without_noise_under_every_estimator() {
        let law = Law::from(Chinchilla::default());
        let points = simulate(&law, &Design::isoflop(&[1e18, 1e19, 1e20], 7, 8.0), Noise::default(), 0);
        let sum = Objective::new(&law, &points);
        for estimator in [Estimator::default(), Estimator::LeastSquaresLog, Estimator::LeastSquares, Estimator::AbsoluteLog] {
            let best = &varpro(&sum, estimator, Scan::Fine)[0];
            let found = sum.to_theta(&best.phi);
            assert!(found.iter().zip(law.theta()).all(|(found, truth)| (found / truth - 1.0).abs() < 1e-6), "{estimator}: {found:?}");
        }
    }
}
