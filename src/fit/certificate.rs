//! The search for a minimum and the evidence that it is the minimum: two methods, every start, other minima, slope and
//! curvature where it ended.

use super::objective::{Objective, Order, Phi, ResidualLoss, Scan};
use super::search::{End, lbfgs_alone, multistart, settle, varpro};
use super::{Basin, Diagnostics, Estimator, FitOptions, Method, Named, Search};

/// Relative difference of objectives within which two searches agree.
pub(super) const AGREEMENT: f64 = 1e-6;
/// Ends kept in the list of basins.
const BASINS: usize = 8;
/// Basins that refits start from, within a factor of the minimum.
const REFIT_BASINS: usize = 3;

/// Newton steps from a place that L-BFGS alone found.
const POLISH: usize = 100;

/// What the searches found.
pub(super) struct Found {
    pub(super) best: End,
    pub(super) method: Method,
    /// Basins that refits start from.
    pub(super) warm: Vec<Phi>,
    pub(super) diagnostics: Diagnostics,
}

/// Both searches, or those asked for; `None` where none ended at a finite objective.
pub(super) fn search(sum: &Objective, options: &FitOptions) -> Option<Found> {
    let estimator = options.estimator;
    let (projected, started) = rayon::join(
        || if options.search == Search::LbfgsOnly { Vec::new() } else { varpro(sum, estimator, Scan::Fine) },
        || if options.search == Search::VarproOnly { Vec::new() } else { multistart(sum, estimator) },
    );
    let lowest = |ends: &mut dyn Iterator<Item = End>| {
        ends.filter(|end| end.value.is_finite()).min_by(|left, right| left.value.total_cmp(&right.value))
    };
    let by_varpro = lowest(&mut projected.iter().cloned());
    let by_lbfgs = lowest(&mut started.iter().map(|(_, end)| end.clone()));
    let (best, method) = match (by_varpro.clone(), by_lbfgs.clone()) {
        // Equal to rounding: the projected end, which is the sharper one, is reported.
        (Some(varpro), Some(lbfgs)) if lbfgs.value < varpro.value * (1.0 - 1e-9) => (lbfgs, Method::Lbfgs),
        (Some(varpro), _) => (varpro, Method::Varpro),
        (None, Some(lbfgs)) => (lbfgs, Method::Lbfgs),
        (None, None) => return None,
    };
    let alone = if started.is_empty() { None } else { lbfgs_alone(sum, estimator) };
    // Lower than either search: a place that neither came to is still the lowest that is known.
    let lower = alone.as_ref().filter(|(_, value)| *value < best.value * (1.0 - 1e-9)).map(|(phi, _)| {
        let free: Vec<usize> = (0..sum.dim()).collect();
        settle(sum, estimator, phi.clone(), &free, POLISH)
    });
    let (best, method) = lower.clone().map_or((best, method), |end| (end, Method::Lbfgs));
    let noise = rounding(sum, estimator);
    let agreement = by_varpro.as_ref().zip(by_lbfgs.as_ref()).map(|(one, other)| {
        let apart = (one.value - other.value).abs();
        if apart <= noise { 0.0 } else { apart / one.value.min(other.value) }
    });
    let ends = || projected.iter().chain(started.iter().map(|(_, end)| end)).chain(&lower);
    let (basins, warm) = basins(sum, ends().cloned().collect(), best.value);
    let here = sum.evaluate(ResidualLoss::of(estimator, 1e-3), &best.phi, Order::Hessian);
    let eigen = here.hessian.eigenvalues();
    let steepest = here.gradient.iter().fold(0.0, |most: f64, slope| most.max(slope.abs()));
    let smooth = estimator != Estimator::AbsoluteLog;
    let diagnostics = Diagnostics {
        varpro_objective: by_varpro.map(|end| end.value),
        lbfgs_objective: by_lbfgs.map(|end| end.value),
        lbfgs_alone_objective: alone.map(|(_, value)| value),
        agreement,
        relative_gradient: smooth.then(|| if best.value <= noise { 0.0 } else { steepest / best.value }),
        relative_decrement: if best.value <= noise { 0.0 } else { best.decrement },
        condition_number: if eigen[0] > 0.0 { eigen[sum.dim() - 1] / eigen[0] } else { f64::INFINITY },
        starts: started.len(),
        starts_at_minimum: started.iter().filter(|(_, end)| end.value <= best.value * (1.0 + AGREEMENT) + noise).count(),
        basins,
        ends: reasons(started.iter().map(|(start, _)| start.reason.as_str())),
        ..Diagnostics::default()
    };
    Some(Found { best, method, warm, diagnostics })
}

/// An objective this small is rounding of the data (1e-13 nats for each unit of weight), not misfit.
fn rounding(sum: &Objective, estimator: Estimator) -> f64 {
    let residual = 1e-13;
    let each = if estimator == Estimator::AbsoluteLog { residual } else { residual * residual };
    each * sum.total_weight()
}

fn reasons<'a>(all: impl Iterator<Item = &'a str>) -> Named<usize> {
    let mut counts = std::collections::BTreeMap::new();
    all.for_each(|reason| *counts.entry(reason.to_owned()).or_insert(0) += 1);
    Named(counts.into_iter().collect())
}

/// Distinct ends, best first, and the coordinates of the best of them. Ends are one when their objectives
/// agree to 1e-4: flat ridges end in a smear of values.
fn basins(sum: &Objective, mut ends: Vec<End>, lowest: f64) -> (Vec<Basin>, Vec<Phi>) {
    ends.retain(|end| end.value.is_finite());
    ends.sort_by(|left, right| left.value.total_cmp(&right.value));
    let groups: Vec<&[End]> = ends.chunk_by(|left, right| right.value <= left.value * (1.0 + 1e-4) + 1e-300).collect();
    let basin = |group: &&[End]| {
        let theta = sum.to_theta(&group[0].phi);
        Basin { objective: group[0].value, theta, starts: group.len(), forecast: f64::NAN }
    };
    let near = |group: &&&[End]| group[0].value <= 3.0 * lowest;
    let warm = groups.iter().filter(near).take(REFIT_BASINS).map(|group| group[0].phi.clone()).collect();
    (groups.iter().take(BASINS).map(basin).collect(), warm)
}
