//! The figure of `scalelab schedule`: measured curves, and what the law says of each schedule.

use crate::fit::{CurveFit, TrainingCurve};
use crate::recommend::{RankedSchedule, TrainingLength};
use crate::study::CurveLosses;
use crate::view::{DrawnCurve, ViewError, schedule_forecasts};

/// Points of a curve of the law, and parts of a measured one.
const POINTS: u32 = 200;
const PARTS: usize = 40;

/// Curves of the runs, those of one schedule and length averaged, beside those that the law ranks.
pub(super) fn picture(
    name: &str,
    curves: &[TrainingCurve],
    losses: CurveLosses,
    fit: &CurveFit,
    length: &TrainingLength,
    ranked: &[RankedSchedule],
) -> Result<Vec<u8>, ViewError> {
    let steps = |curve: &TrainingCurve| curve.rates.steps().round();
    let mut seen: Vec<(&str, f64)> = Vec::new();
    let mut measured = Vec::new();
    for curve in curves {
        let key = (curve.schedule.as_str(), steps(curve));
        if !seen.contains(&key) {
            seen.push(key);
            let of_it = curves.iter().filter(|other| (other.schedule.as_str(), steps(other)) == key);
            measured.push(DrawnCurve { label: curve.schedule.clone(), points: together(of_it) });
        }
    }
    let places: Vec<f64> = (POINTS / 10..=POINTS).map(|at| length.steps as f64 * f64::from(at) / f64::from(POINTS)).collect();
    let curve = |one: &RankedSchedule| {
        let losses = fit.losses(&fit.theta, &length.rates(&one.schedule), &places);
        DrawnCurve { label: one.schedule.label(), points: places.iter().copied().zip(losses).collect() }
    };
    let of_law: Vec<DrawnCurve> = ranked.iter().map(curve).collect();
    let caption = format!("Grey: measured {}, runs of a schedule averaged. Colour: the law {}.", losses.name(), fit.law.name());
    schedule_forecasts(&measured, &of_law, name, &caption)
}

/// The mean curve of some runs, in parts.
fn together<'a>(curves: impl Iterator<Item = &'a TrainingCurve>) -> Vec<(f64, f64)> {
    let mut readings: Vec<(f64, f64)> = curves.flat_map(|curve| curve.readings.iter().copied()).collect();
    readings.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = readings.len().div_ceil(PARTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let sum = part.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 / part.len() as f64, sum.1 / part.len() as f64)
    };
    readings.chunks(size).map(mean).collect()
}
