//! What a larger network will score: in two steps, by the loss of the answers that the laws together forecast and the accuracy at that
//! loss (arXiv 2412.04403), and in one, by compute; weighted by their record on the larger of the runs.

use super::super::predictive::Mixture;
use super::signal::Signal;
use super::task::Task;
use crate::fit::{Drift, MetricCurve, t_quantile};
use crate::law::{Evidence, Point};
use crate::spec::sample::mean;
use serde::{Deserialize, Serialize};

/// Accuracy that a forecast is expected to be off for each factor e of compute beyond the runs, before any record.
const EXPECTED_DRIFT: f64 = 0.007;
/// Weights before any record: in two steps, in one.
const PRIORS: [f64; 2] = [0.9, 0.1];
/// Fewest runs below a cut.
const FEWEST: usize = 8;
/// No way of forecasting is taken to err less than this for each factor e.
const LEAST_ERROR: f64 = 0.003;

/// The two ways, one fitted and the other not where a task has no loss of its answers or runs that are no design for laws of N and D.
#[derive(Debug, Clone)]
struct Ways {
    two_steps: Option<(Mixture, MetricCurve)>,
    one_step: MetricCurve,
}

/// What one way says: accuracy, and its variance without noise of one run.
type Said = (f64, f64);

impl Ways {
    fn of(task: &Task) -> Option<Self> {
        let noise = task.noise();
        let scored: Vec<(f64, f64)> = task.runs.iter().filter_map(|run| Some((-run.place.c.ln(), run.accuracy?))).collect();
        let one_step = MetricCurve::of(&scored, task.chance, noise)?;
        let with_loss = |run: &super::task::TaskRun| Some(Point { loss: run.answer_loss?, ..run.place.clone() });
        let points: Vec<Point> = task.runs.iter().filter_map(with_loss).collect();
        let both: Vec<(f64, f64)> = task.runs.iter().filter_map(|run| Some((run.answer_loss?, run.accuracy?))).collect();
        let two_steps = Mixture::of(&Evidence::as_given(points)).zip(MetricCurve::of(&both, task.chance, noise));
        Some(Self { two_steps, one_step })
    }

    fn say(&self, place: &Point) -> [Option<Said>; 2] {
        let two = self.two_steps.as_ref().map(|(mixture, curve)| {
            let loss = mixture.one_run(place);
            curve.over(loss.value.ln(), loss.variance().sqrt(), f64::exp)
        });
        [two, Some(self.one_step.at(-place.c.ln()))]
    }

    /// Variance of one run about the curve of the first of the ways that is there.
    fn noise(&self) -> f64 {
        self.two_steps.as_ref().map_or(self.one_step.noise, |(_, curve)| curve.noise)
    }
}

/// Forecasts of larger runs by smaller ones at one cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Runs below the cut and above it.
    pub runs: [usize; 2],
    /// Mean ln of the compute above the cut over the largest below.
    pub ln_factor: f64,
    /// Mean error of each way (in two steps, in one), accuracy forecast less accuracy that came.
    pub errors: [Option<f64>; 2],
    /// Its variance by the noise of the runs and what the curves leave open.
    sampling: f64,
}

/// What is known of a task's scores, ready to be asked of a place.
#[derive(Debug, Clone)]
pub struct TaskLaw {
    ways: Ways,
    /// Weights of the two ways.
    pub weights: [f64; 2],
    /// Signal and noise.
    pub signal: Signal,
    /// The record, nearest cut first.
    pub record: Vec<TaskRecord>,
    drift: Drift,
    largest: f64,
}

/// What a run will score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TaskAhead {
    /// Parameters N.
    pub params: f64,
    /// Training tokens D.
    pub tokens: f64,
    /// C over the largest compute of the runs.
    pub extrapolation_factor: f64,
    /// Loss of the answers with the ends of its interval, where the task has one.
    pub answer_loss: Option<[f64; 3]>,
    /// Share of right answers, 0 to 1.
    pub accuracy: f64,
    /// Lower end of the interval of one run.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Confidence level.
    pub level: f64,
    /// The same in two steps alone.
    pub in_two_steps: Option<f64>,
    /// The same in one step alone.
    pub in_one_step: Option<f64>,
}

impl TaskLaw {
    /// The law of a task; `None` where fewer than five runs have an accuracy.
    pub fn of(task: &Task) -> Option<Self> {
        let ways = Ways::of(task)?;
        let best = ways.two_steps.as_ref().map_or(&ways.one_step, |(_, curve)| curve);
        let signal = Signal::of(task, best);
        let largest = task.largest_compute();
        let cuts = Drift::CUTS.iter().filter_map(|factor| Self::cut(task, 1.001 * largest / factor));
        let mut record: Vec<TaskRecord> = Vec::new();
        cuts.for_each(|one| {
            if record.last().is_none_or(|last| last.runs != one.runs) {
                record.push(one)
            }
        });
        let scores = [0, 1].map(|way| {
            let square = |one: &TaskRecord| Some((one.errors[way]? / one.ln_factor.max(0.7)).powi(2));
            mean(record.iter().filter_map(square)).unwrap_or(0.0) + LEAST_ERROR.powi(2)
        });
        let there = [ways.two_steps.is_some(), true];
        let raw = [0, 1].map(|way| if there[way] { PRIORS[way] / scores[way] } else { 0.0 });
        let sum = raw[0] + raw[1];
        let weights = raw.map(|one| one / sum);
        let found: Vec<f64> = record
            .iter()
            .filter_map(|one| {
                let pairs = || one.errors.iter().zip(&weights).filter_map(|(error, weight)| Some(((*error)?, *weight)));
                let sum: f64 = pairs().map(|(_, weight)| weight).sum();
                (sum > 0.0).then(|| {
                    let error = pairs().map(|(error, weight)| error * weight / sum).sum();
                    Drift::square_per_e(error, one.sampling, one.ln_factor.max(0.7))
                })
            })
            .collect();
        Some(Self { ways, weights, signal, drift: Drift::learnt(EXPECTED_DRIFT, Drift::WORTH, &found), record, largest })
    }

    /// How runs up to a compute forecast the larger ones.
    fn cut(task: &Task, most: f64) -> Option<TaskRecord> {
        let (below, above) = (task.with_runs(|run| run.place.c <= most), task.with_runs(|run| run.place.c > most));
        if below.runs.len() < FEWEST || above.runs.is_empty() {
            return None;
        }
        let ways = Ways::of(&below)?;
        let largest = below.largest_compute();
        let (mut errors, mut variances) = ([Vec::new(), Vec::new()], Vec::new());
        for run in above.runs.iter().filter(|run| run.accuracy.is_some()) {
            let said = ways.say(&run.place);
            let came = run.accuracy.unwrap_or_default();
            (0..2).for_each(|way| errors[way].extend(said[way].map(|(value, _)| value - came)));
            variances.extend(said[0].or(said[1]).map(|(_, variance)| variance));
        }
        let count = variances.len() as f64;
        let sampling = mean(variances.iter().copied())? + ways.noise() / count;
        let ln_factor = mean(above.runs.iter().map(|run| (run.place.c / largest).ln()))?;
        let errors = errors.map(|one| mean(one.iter().copied()));
        Some(TaskRecord { runs: [below.runs.len(), above.runs.len()], ln_factor, errors, sampling })
    }

    /// What a run at a place will score, with the interval of one run.
    pub fn at(&self, place: &Point, level: f64) -> TaskAhead {
        let said = self.ways.say(place);
        let pairs = || said.iter().zip(&self.weights).filter_map(|(one, weight)| Some(((*one)?, *weight)));
        let accuracy: f64 = pairs().map(|((value, _), weight)| weight * value).sum();
        let inside: f64 = pairs().map(|((value, variance), weight)| weight * (variance + (value - accuracy).powi(2))).sum();
        let factor = place.c / self.largest;
        let drift = (self.drift.per_e * factor.ln().max(0.0)).powi(2);
        let reach = t_quantile(level, self.drift.degrees) * (inside + drift + self.ways.noise()).sqrt();
        let loss = self.ways.two_steps.as_ref().map(|(mixture, _)| mixture.one_run(place));
        TaskAhead {
            params: place.n,
            tokens: place.d,
            extrapolation_factor: factor,
            answer_loss: loss.map(|loss| [loss.value, loss.interval(level)[0], loss.interval(level)[1]]),
            accuracy,
            low: (accuracy - reach).max(0.0),
            high: (accuracy + reach).min(1.0),
            level,
            in_two_steps: said[0].map(|(value, _)| value),
            in_one_step: said[1].map(|(value, _)| value),
        }
    }
}
