//! Curves for approach 1: those that training wrote, those of a table, or the ends of runs of one size.

use super::{Curves, StudyOptions};
use crate::fit::{EnvelopeFit, FitError, approach_one};
use crate::law::{LossCurve, Point};
use std::collections::BTreeMap;

/// The envelope of what curves there are.
pub(super) fn fit_envelope(curves: &Curves, points: &[Point], options: &StudyOptions) -> Result<EnvelopeFit, FitError> {
    let own: Vec<LossCurve> = points.iter().filter_map(|point| curve_of(curves, point)).filter(|curve| curve.points.len() > 1).collect();
    let all = if own.is_empty() { curves_of_sizes(points) } else { own };
    approach_one(&all, options.refits, options.level, options.seed)
}

/// The losses along a run: of a table as they stand, of own training the held-out ones.
fn curve_of(curves: &Curves, point: &Point) -> Option<LossCurve> {
    if let Some(points) = curves.trajectories.get(&point.run) {
        return Some(LossCurve { n: point.n, points: points.clone() });
    }
    let along = curves.training.get(&point.run)?.iter().filter_map(|row| Some((row.tokens as f64, row.val_loss_nats?)));
    Some(LossCurve { n: point.n, points: along.map(|(d, loss)| (point.c / point.d * d, d, loss)).collect() })
}

/// Runs of one size in the order of their compute, each end of a run a point of the curve.
fn curves_of_sizes(points: &[Point]) -> Vec<LossCurve> {
    let mut sizes: BTreeMap<u64, Vec<(f64, f64, f64)>> = BTreeMap::new();
    // The bits of positive numbers are in the order of the numbers.
    points.iter().for_each(|p| sizes.entry(p.n.to_bits()).or_default().push((p.c, p.d, p.loss)));
    let curve = |(n, mut points): (u64, Vec<(f64, f64, f64)>)| {
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        points.dedup_by(|right, left| right.0 == left.0);
        (points.len() > 1).then_some(LossCurve { n: f64::from_bits(n), points })
    };
    sizes.into_iter().filter_map(curve).collect()
}
