//! Curves that a law was not fitted to, held against it: the end of each schedule over the end of one that it was fitted to.

use super::fitted::CurveFit;
use super::training::TrainingCurve;
use crate::fit::estimate::{Estimate, Interval, t_quantile};
use crate::spec::sample::{mean, standard_error};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;

/// Schedules from which one can be left out.
const FEWEST: usize = 3;
/// The share of a curve, at its end, that is compared.
const END: f64 = 0.1;

/// A schedule that a law did not see, over one that it saw: differences of ln L over the last tenth of the curves.
#[derive(Debug, Clone, Serialize)]
pub struct HeldOut {
    /// The schedule.
    pub schedule: String,
    /// How long it is.
    pub steps: u64,
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

/// Each schedule of `held`, at each of its lengths, over the curves of `reference` that are as long; over all of them where none is.
pub fn held_out(fit: &CurveFit, reference: &[TrainingCurve], held: &[TrainingCurve], level: f64) -> Vec<HeldOut> {
    let key = |curve: &TrainingCurve| (curve.schedule.clone(), steps(curve));
    let mut seen = Vec::new();
    held.iter().map(key).for_each(|key| {
        if !seen.contains(&key) {
            seen.push(key);
        }
    });
    let of = |wanted: &(String, u64)| -> Vec<&TrainingCurve> { held.iter().filter(|curve| key(curve) == *wanted).collect() };
    seen.iter().filter_map(|wanted| one(fit, reference, &of(wanted), level)).collect()
}

/// By how much the law misses a schedule that it was not fitted to: each in turn is left out, its end over the ends of all others forecast
/// from them alone, and the root mean square of these errors of ln L is taken. None where there are fewer than three schedules.
pub fn schedules_unseen(fit: &CurveFit, curves: &[TrainingCurve], delta: f64) -> Option<f64> {
    let schedules: BTreeSet<&str> = curves.iter().map(|curve| curve.schedule.as_str()).collect();
    let error = |left_out: &str| {
        let (held, rest): (Vec<TrainingCurve>, Vec<TrainingCurve>) = curves.iter().cloned().partition(|curve| curve.schedule == left_out);
        let theta = fit.refitted(&rest, delta)?;
        let above = |of: &[TrainingCurve]| mean(of.iter().filter_map(|curve| Some(end(curve)? - said(fit, &theta, curve))));
        Some((above(&held)? - above(&rest)?).powi(2))
    };
    (schedules.len() >= FEWEST).then_some(())?;
    let errors: Option<Vec<f64>> = schedules.into_par_iter().map(error).collect();
    mean(errors?).map(f64::sqrt)
}

/// ln L that a law says of the end of a training.
fn said(fit: &CurveFit, theta: &[f64], curve: &TrainingCurve) -> f64 {
    let steps: Vec<f64> = last(curve).map(|reading| reading.0).collect();
    let losses = fit.losses(theta, &curve.rates, &steps);
    losses.iter().map(|loss| loss.ln()).sum::<f64>() / losses.len() as f64
}

/// How long a training is.
fn steps(curve: &TrainingCurve) -> u64 {
    curve.rates.steps().round() as u64
}

/// Curves of one schedule and length.
fn one(fit: &CurveFit, reference: &[TrainingCurve], of_it: &[&TrainingCurve], level: f64) -> Option<HeldOut> {
    let first = *of_it.first()?;
    let as_long: Vec<&TrainingCurve> = reference.iter().filter(|curve| steps(curve) == steps(first)).collect();
    let reference = if as_long.is_empty() { reference.iter().collect() } else { as_long };
    let beside = |curve: &TrainingCurve| reference.iter().find(|other| curve.batches.is_some() && other.batches == curve.batches);
    let mut differences: Vec<f64> = of_it.iter().filter_map(|curve| Some(end(curve)? - end(beside(curve)?)?)).collect();
    if differences.is_empty() {
        let level = mean(reference.iter().filter_map(|curve| end(curve)))?;
        differences = of_it.iter().filter_map(|curve| Some(end(curve)? - level)).collect();
    }
    let (value, pairs) = (mean(differences.iter().copied())?, differences.len());
    let se = standard_error(&differences).unwrap_or(f64::NAN);
    let width = t_quantile(level, pairs.saturating_sub(1) as f64) * se;
    let measured = Estimate::new(value, se, [value - width, value + width], level, Interval::Delta);
    let other = *reference.first()?;
    let forecast = fit.estimate(level, |theta| said(fit, theta, first) - said(fit, theta, other));
    Some(HeldOut { schedule: first.schedule.clone(), steps: steps(first), forecast, measured, pairs })
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
