//! From recorded curves to what laws of curves are fitted to: learning rates from the first step on, and readings without the young part.

use crate::fit::TrainingCurve;
use crate::law::{LEVELS, Rates};
use crate::spec::{CurvePoint, RunRecord};

/// Most readings of a curve that a fit takes; more are averaged, neighbours together.
const READINGS: usize = 200;

/// A run with its curve, whoever recorded it.
#[derive(Debug, Clone, Default)]
pub struct RecordedCurve {
    /// Its row; of others its name, and what else their table tells.
    pub record: RunRecord,
    /// Its points, steps ascending.
    pub points: Vec<CurvePoint>,
}

/// Which loss of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveLosses {
    /// Of the batches that are trained on.
    Training,
    /// Of held-out windows.
    HeldOut,
}

impl CurveLosses {
    /// Held-out losses where most curves have ten of them, else those of batches.
    pub fn of(curves: &[RecordedCurve]) -> Self {
        let has = |curve: &&RecordedCurve| curve.points.iter().filter(|point| point.val_loss_nats.is_some()).count() >= 10;
        if 2 * curves.iter().filter(has).count() > curves.len() { Self::HeldOut } else { Self::Training }
    }

    /// For a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training loss",
            Self::HeldOut => "held-out loss",
        }
    }
}

/// The curve as a law is fitted to it, without the first `burn_in` of its steps; `None` where a rate or all losses are missing.
///
/// A schedule that we know gives the rate of every step; else the recorded rates do, with straight lines between them. A batch of ours is
/// read before its step is made, so its loss is that after one step less.
pub fn training_curve(curve: &RecordedCurve, losses: CurveLosses, burn_in: f64) -> Option<TrainingCurve> {
    let RecordedCurve { record, points } = curve;
    let known = record.schedule.as_ref().and_then(|schedule| schedule.known());
    let batch = record.batch_tokens.map(|batch| batch.0);
    let rates = match (known, record.steps, record.learning_rate) {
        (Some(schedule), Some(steps), Some(peak)) => {
            let warmup = record.warmup_tokens.zip(batch).map_or(0, |(tokens, batch)| (tokens as f64 / batch).round() as u64);
            Rates::of_schedule(schedule, peak, steps, warmup, LEVELS)
        }
        _ => Rates::of_readings(&points.iter().map(|point| (point.step as f64, point.learning_rate)).collect::<Vec<_>>(), LEVELS),
    };
    if !(rates.area() > 0.0 && rates.area().is_finite()) {
        return None;
    }
    let from = rates.warmup().max(burn_in * rates.steps()).max(1.0);
    let reading = |point: &CurvePoint| match losses {
        CurveLosses::HeldOut => Some((point.step as f64, point.val_loss_nats?)),
        CurveLosses::Training => Some((point.step as f64 - if known.is_some() { 1.0 } else { 0.0 }, point.train_loss_nats?)),
    };
    let is_sound = |reading: &(f64, f64)| reading.0 >= from && reading.1 > 0.0 && reading.1.is_finite();
    let readings = thinned(&points.iter().filter_map(reading).filter(is_sound).collect::<Vec<_>>());
    if readings.is_empty() {
        return None;
    }
    let schedule = record.schedule.as_ref().map_or_else(|| described(&rates), |schedule| schedule.label());
    let seed = record.seed_data.map(|seed| format!("data seed {seed}"));
    let cluster = seed.clone().or_else(|| record.cluster.clone()).unwrap_or_else(|| record.run_id.clone());
    let batches =
        seed.filter(|_| known.is_some()).map(|seed| format!("{seed}, {:?} {:?} {:?}", record.corpus, record.unique_tokens, batch));
    Some(TrainingCurve { run: record.run_id.clone(), schedule, cluster, batches, rates, readings })
}

/// A name for rates that have none: runs of the same rates have the same.
fn described(rates: &Rates) -> String {
    let [warmup, steps] = [rates.warmup(), rates.steps()].map(|steps| steps.round());
    let lowest = rates.lowest_share();
    let stable = rates.pieces.iter().filter(|piece| piece.rate >= 0.999 * rates.peak()).map(|piece| piece.steps).sum::<f64>() / steps;
    if lowest > 0.999 {
        return format!("constant over {steps} steps");
    }
    format!("to {lowest:.2} over {steps} steps, {:.0} % at the peak, warmup {warmup}", 100.0 * stable)
}

/// At most so many readings: means of neighbours.
fn thinned(readings: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = readings.len().div_ceil(READINGS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let sum = part.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 / part.len() as f64, sum.1 / part.len() as f64)
    };
    readings.chunks(size).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Schedule, Tokens};

    fn points(rate: impl Fn(u64) -> f64) -> Vec<CurvePoint> {
        let point = |step| CurvePoint { step, learning_rate: rate(step), train_loss_nats: Some(3.0), ..CurvePoint::default() };
        (1..=1000).map(point).collect()
    }

    #[test]
    fn our_rates_come_from_the_schedule_and_those_of_others_from_their_rows() {
        let record = RunRecord {
            schedule: Some(Schedule::deepseek().into()),
            steps: Some(1000),
            learning_rate: Some(1e-3),
            warmup_tokens: Some(50_000),
            batch_tokens: Some(Tokens(500.0)),
            seed_data: Some(3),
            ..RunRecord::default()
        };
        let ours = training_curve(&RecordedCurve { record, points: points(|_| 7.0) }, CurveLosses::Training, 0.0).expect("a curve");
        assert_eq!((ours.rates.steps(), ours.rates.peak(), ours.cluster.as_str()), (1000.0, 1e-3, "data seed 3"));
        assert!(ours.readings[0].0 >= 99.0 && ours.readings.len() <= READINGS && ours.batches.is_some());

        let theirs = RecordedCurve { points: points(|step| if step > 800 { 0.1 } else { 1.0 }), ..RecordedCurve::default() };
        let theirs = training_curve(&theirs, CurveLosses::Training, 0.5).expect("a curve");
        assert!(theirs.readings[0].0 > 500.0 && theirs.batches.is_none());
        assert_eq!(theirs.schedule, "to 0.10 over 1000 steps, 80 % at the peak, warmup 0");
        assert_eq!(
            training_curve(&RecordedCurve { points: points(|_| 0.0), ..RecordedCurve::default() }, CurveLosses::Training, 0.0),
            None
        );
    }
}
