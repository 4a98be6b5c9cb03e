//! The schedule that a law of curves says is best for a number of steps, beside those that the field uses.

use crate::fit::{CurveFit, Estimate};
use crate::law::{LEVELS, Rates};
use crate::spec::{DecayShape, Schedule};
use serde::Serialize;

/// The training that a schedule is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrainingLength {
    /// Optimizer steps.
    pub steps: u64,
    /// Steps of them that rise to the peak.
    pub warmup: u64,
    /// Peak learning rate.
    pub peak: f64,
}

impl TrainingLength {
    /// The rates of a schedule over it.
    pub fn rates(&self, schedule: &Schedule) -> Rates {
        Rates::of_schedule(schedule, self.peak, self.steps, self.warmup, LEVELS)
    }
}

/// A schedule with what a law says of it.
#[derive(Debug, Clone, Serialize)]
pub struct RankedSchedule {
    /// What it is called.
    pub name: String,
    /// The schedule, as a grid takes it.
    pub schedule: Schedule,
    /// Share of the steps at the peak rate.
    pub stable: f64,
    /// Loss at the end.
    pub loss: Estimate,
    /// Loss at the end less that of the best.
    pub over_best: Estimate,
}

/// The schedule of the lowest loss at the end, first, and beside it cosine to a tenth, WSD with a fifth of decay, and multi-step at 80 and
/// 90 %, in the order of their losses.
///
/// Searched are every schedule that a grid takes with one number to choose: the share that decays (1 − √p and linear), the rate at the end
/// (cosine, linear, exponential). Warmup and peak are held: no law of curves knows how much of either a training bears.
pub fn rank_schedules(fit: &CurveFit, length: &TrainingLength, level: f64) -> Vec<RankedSchedule> {
    let end = |schedule: &Schedule| fit.losses(&fit.theta, &length.rates(schedule), &[length.steps as f64])[0];
    let shares = (0.02, 1.0);
    let ends = (0.001, 0.5);
    let families: [(Family<'_>, (f64, f64)); 5] = [
        (&|share| Schedule::Wsd { decay_fraction: share, shape: DecayShape::OneMinusSqrt }, shares),
        (&|share| Schedule::Wsd { decay_fraction: share, shape: DecayShape::Linear }, shares),
        (&|to| Schedule::Cosine { final_fraction: to }, ends),
        (&|to| Schedule::Linear { final_fraction: to }, ends),
        (&|to| Schedule::Exponential { final_fraction: to }, ends),
    ];
    let best = families
        .iter()
        .map(|(family, (low, high))| family(rounded(lowest(|x| end(&family(x.exp())), low.ln(), high.ln()).exp())))
        .min_by(|a, b| end(a).total_cmp(&end(b)))
        .expect("there are families");
    let best_rates = length.rates(&best);
    let ranked = |name: &str, schedule: Schedule| {
        let rates = length.rates(&schedule);
        let stable = rates.pieces.iter().filter(|piece| piece.rate >= 0.999 * rates.peak()).map(|piece| piece.steps).sum::<f64>();
        let over_best = fit.difference(&rates, &best_rates, level);
        RankedSchedule { name: name.to_owned(), stable: stable / rates.steps(), loss: fit.final_loss(&rates, level), over_best, schedule }
    };
    let mut beside = vec![
        ranked("cosine to 0.1", Schedule::Cosine { final_fraction: 0.1 }),
        ranked("WSD 0.2", Schedule::default()),
        ranked("multi-step 80/90", Schedule::deepseek()),
    ];
    beside.sort_by(|a, b| a.loss.value.total_cmp(&b.loss.value));
    [vec![ranked("best", best)], beside].concat()
}

/// Schedules with one number to choose.
type Family<'a> = &'a dyn Fn(f64) -> Schedule;

/// Three digits: a schedule is written down by hand.
fn rounded(x: f64) -> f64 {
    let unit = 10f64.powi(x.log10().floor() as i32 - 2);
    (((x / unit).round() * unit) * 1e6).round() / 1e6
}

/// Where a function is lowest between two places: on a grid, then by golden section about its lowest place.
fn lowest(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    const PLACES: usize = 25;
    let place = |at: usize| low + (high - low) * at as f64 / (PLACES - 1) as f64;
    let values: Vec<f64> = (0..PLACES).map(|at| f(place(at))).collect();
    let best = (0..PLACES).min_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0);
    let (mut from, mut to) = (place(best.saturating_sub(1)), place((best + 1).min(PLACES - 1)));
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..24 {
        let (left, right) = (to - golden * (to - from), from + golden * (to - from));
        if f(left) < f(right) { to = right } else { from = left }
    }
    let inside = 0.5 * (from + to);
    if f(inside) <= values[best] { inside } else { place(best) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_place_is_found_inside_and_at_an_end() {
        assert!((lowest(|x| (x - 0.37).powi(2), -1.0, 2.0) - 0.37).abs() < 1e-6);
        assert!((lowest(|x| x, -1.0, 2.0) + 1.0).abs() < 1e-6);
        assert_eq!([0.123_456, 1.0, 0.001_234].map(rounded), [0.123, 1.0, 0.001_23]);
    }
}
