//! `fit --law envelope`: the training curves of a sweep, or the runs of each size of a table, and the envelope below them.

use super::analysis::Analysis;
use super::failure::{Failure, OrWork};
use super::laws::Told;
use super::source::Source;
use super::text::{interval, number};
use crate::fit::{EnvelopeFit, FitOptions, approach_one};
use crate::law::{LossCurve, Point};
use crate::results::Trajectory;
use crate::spec::Flops;
use std::collections::{BTreeMap, HashMap};

/// Approach 1 on what the source has.
pub(super) fn told(source: &Source, analysis: &Analysis, options: &FitOptions) -> Result<Told, Failure> {
    let own = if source.trajectories.is_empty() {
        curves_of_runs(source, &analysis.evidence.points)?
    } else {
        curves_of_table(source, &analysis.evidence.points)
    };
    let curves = if own.is_empty() { curves_of_sizes(&analysis.evidence.points) } else { own };
    Ok(match approach_one(&curves, options.refits, options.level, options.seed) {
        Ok(fitted) => Told::new("envelope", text(&fitted), serde_json::to_value(&fitted).or_work()?),
        Err(error) => Told::refused("envelope", &error),
    })
}

/// The held-out losses along each run, where its curve has at least two.
fn curves_of_runs(source: &Source, points: &[Point]) -> Result<Vec<LossCurve>, Failure> {
    let mut curves = Vec::new();
    let Some(folder) = &source.folder else { return Ok(curves) };
    for point in points {
        let Some(curve) = folder.curve(&point.run)? else { continue };
        let along = curve.iter().filter_map(|row| Some((row.tokens as f64, row.val_loss_nats?)));
        let points: Vec<(f64, f64, f64)> = along.map(|(d, loss)| (point.c / point.d * d, d, loss)).collect();
        if points.len() > 1 {
            curves.push(LossCurve { n: point.n, points });
        }
    }
    Ok(curves)
}

/// The curves of a table of others, of the runs that are kept.
fn curves_of_table(source: &Source, points: &[Point]) -> Vec<LossCurve> {
    let sizes: HashMap<&str, f64> = points.iter().map(|p| (p.run.as_str(), p.n)).collect();
    let curve = |found: &Trajectory| Some(LossCurve { n: *sizes.get(found.run.as_str())?, points: found.points.clone() });
    source.trajectories.iter().filter_map(curve).filter(|curve| curve.points.len() > 1).collect()
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

fn text(fitted: &EnvelopeFit) -> String {
    let [low, high] = fitted.compute.map(Flops);
    let mut text = format!("\nenvelope of {} curves, {} places from {low} to {high} FLOPs\n", fitted.curves, fitted.places);
    for (name, exponent, factor) in [("N*", "a", "N_factor"), ("D*", "b", "D_factor")] {
        if let (Some(exponent), Some(factor)) = (fitted.coefficients.get(exponent), fitted.coefficients.get(factor)) {
            text += &format!("  {name} = {} C^{} {}\n", number(factor.value), number(exponent.value), interval(exponent));
        }
    }
    fitted.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}
