//! Curves that a law was not fitted to, held against it: the end of each schedule over the end of one that it was fitted to.

use super::fitted::CurveFit;
use super::training::TrainingCurve;
use crate::fit::estimate::{Estimate, Interval, t_quantile};
use crate::spec::sample::{mean, standard_error};
use serde::Serialize;

/// The share of a curve, at its end, that is compared.
const END: f64 = 0.1;

/// A schedule that a law did not see, over one that it saw: differences of ln L over the last tenth of the curves.
#[derive(Debug, Clone, Serialize)]
pub struct HeldOut {
    /// The schedule.
    pub schedule: String,
    /// What the law says.
    pub forecast: Estimate,
    /// What the runs say, with t over the pairs of runs; runs that read the same batches are pairs.
    pub measured: Estimate,
    /// Pairs of runs.
    pub pairs: usize,
}

impl HeldOut {
    /// Whether forecast and measurement are apart by no more than the errors of both allow, at a level of confidence.
    pub fn holds(&self, level: f64) -> bool {
        let (Some(forecast), Some(measured)) = (self.forecast.se(), self.measured.se()) else { return false };
        let degrees = self.pairs.saturating_sub(1) as f64;
        (self.forecast.value - self.measured.value).abs() <= t_quantile(level, degrees) * forecast.hypot(measured)
    }
}

/// Each schedule of `held` over the schedule of `reference`, of which there must be curves with the same readings.
pub fn held_out(fit: &CurveFit, reference: &[TrainingCurve], held: &[TrainingCurve], level: f64) -> Vec<HeldOut> {
    let mut schedules: Vec<&str> = held.iter().map(|curve| curve.schedule.as_str()).collect();
    schedules.dedup();
    let mut seen = Vec::new();
    schedules.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    schedules.into_iter().filter_map(|schedule| one(fit, reference, held, schedule, level)).collect()
}

fn one(fit: &CurveFit, reference: &[TrainingCurve], held: &[TrainingCurve], schedule: &str, level: f64) -> Option<HeldOut> {
    let of_it: Vec<&TrainingCurve> = held.iter().filter(|curve| curve.schedule == schedule).collect();
    let beside = |curve: &TrainingCurve| reference.iter().find(|other| curve.batches.is_some() && other.batches == curve.batches);
    let mut differences: Vec<f64> = of_it.iter().filter_map(|curve| Some(end(curve)? - end(beside(curve)?)?)).collect();
    if differences.is_empty() {
        let level = mean(reference.iter().filter_map(end))?;
        differences = of_it.iter().filter_map(|curve| Some(end(curve)? - level)).collect();
    }
    let (value, pairs) = (mean(differences.iter().copied())?, differences.len());
    let se = standard_error(&differences).unwrap_or(f64::NAN);
    let width = t_quantile(level, pairs.saturating_sub(1) as f64) * se;
    let measured = Estimate::new(value, se, [value - width, value + width], level, Interval::Delta);
    let (first, other) = (of_it.first()?, reference.first()?);
    let said = |theta: &[f64], curve: &TrainingCurve| {
        let steps: Vec<f64> = last(curve).map(|reading| reading.0).collect();
        let losses = fit.losses(theta, &curve.rates, &steps);
        losses.iter().map(|loss| loss.ln()).sum::<f64>() / losses.len() as f64
    };
    let forecast = fit.estimate(level, |theta| said(theta, first) - said(theta, other));
    Some(HeldOut { schedule: schedule.to_owned(), forecast, measured, pairs })
}

/// Readings at the end of a curve.
fn last(curve: &TrainingCurve) -> impl Iterator<Item = &(f64, f64)> {
    let from = (1.0 - END) * curve.rates.steps();
    curve.readings.iter().filter(move |reading| reading.0 >= from)
}

/// Mean of ln L there.
fn end(curve: &TrainingCurve) -> Option<f64> {
    mean(last(curve).map(|reading| reading.1.ln()))
}
