//! Whether scores say anything: how far runs differ, against how far one score is off by chance.

use super::task::Task;
use crate::fit::MetricCurve;
use crate::spec::sample::standard_deviation;
use serde::{Deserialize, Serialize};

/// Runs must differ by this many times the noise of one score.
const LEAST_RATIO: f64 = 2.0;
/// A curve must explain this share of their variance.
const LEAST_EXPLAINED: f64 = 0.5;

/// Signal and noise of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Standard deviation of the accuracy over runs.
    pub spread: f64,
    /// Standard deviation of one accuracy by questions and neighbouring checkpoints; 0 where neither is known.
    pub noise: f64,
    /// The first over the second; absent where no noise is known.
    pub ratio: Option<f64>,
    /// Share of the variance over runs that the curve explains.
    pub explained: f64,
}

impl Signal {
    /// Of a task and a curve through its scores.
    pub fn of(task: &Task, curve: &MetricCurve) -> Self {
        let scores: Vec<f64> = task.runs.iter().filter_map(|run| run.accuracy).collect();
        let spread = standard_deviation(&scores).unwrap_or(0.0);
        let noise = task.noise().sqrt();
        Self { spread, noise, ratio: (noise > 0.0).then(|| spread / noise), explained: curve.explained }
    }

    /// Why no law is said, where signal is below noise, and what would help.
    pub fn refusal(&self) -> Option<String> {
        let points = |share: f64| format!("{:.1}", 100.0 * share);
        if let Some(ratio) = self.ratio.filter(|ratio| *ratio < LEAST_RATIO) {
            return Some(format!(
                "runs differ by {} points and one score is off by {}: signal to noise {ratio:.1}, {LEAST_RATIO} is needed; more questions, the mean of late checkpoints or larger runs would help",
                points(self.spread),
                points(self.noise)
            ));
        }
        (self.explained < LEAST_EXPLAINED).then(|| {
            format!(
                "a smooth curve explains {:.0} % of how runs differ, {:.0} % is needed; larger runs, several seeds or another form of the task would help",
                100.0 * self.explained.max(0.0),
                100.0 * LEAST_EXPLAINED
            )
        })
    }
}
