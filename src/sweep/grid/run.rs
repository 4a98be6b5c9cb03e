//! What a grid says of repetition, evaluation and execution: seeds, held-out windows, workers, checkpoints.

use super::super::axis::Axis;
use super::error::{GridError, field, non_empty, number_or_auto};
use super::schema::{CountOrAuto, Windows};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// What is drawn, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedAxes {
    /// Seeds of initialisations.
    pub init: Vec<u64>,
    /// Seeds of data order.
    pub data: Vec<u64>,
    /// Seed of the held-out windows.
    pub eval: u64,
    /// Replicates at the corner cells (smallest and largest shape, shortest and longest run).
    pub corners: u64,
}

/// How runs are executed and measured.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSettings {
    /// Held-out windows; `None`: chosen from the plan.
    pub eval_windows: Option<u64>,
    /// Steps from one measurement of the gradient noise scale to the next; 0: none.
    pub noise_scale_every: u64,
    /// Steps from one measurement of the held-out loss on some of the windows to the next; 0: none.
    pub eval_every: u64,
    /// Worker processes; `None`: one a core.
    pub workers: Option<usize>,
    /// Seconds between two checkpoints of a run.
    pub checkpoint_seconds: f64,
    /// Whether the final weights of finished runs are kept.
    pub keep_weights: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SeedsFile {
    /// Seeds of initialisations, an axis.
    init: Axis<u64>,
    /// Seeds of the order of data, an axis.
    data: Axis<u64>,
    /// Seed of the held-out windows.
    eval: u64,
    /// Replicates of the corner cells: smallest and largest shape, shortest and longest run.
    #[schemars(range(min = 1, max = 1000))]
    corners: u64,
}

impl Default for SeedsFile {
    fn default() -> Self {
        Self { init: Axis(vec![0]), data: Axis(vec![0]), eval: 0, corners: 1 }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EvalFile {
    /// Held-out windows, the same for every run of the sweep: a number, or "auto" for as many as the plan wants.
    #[schemars(with = "Windows", extend("examples" = [200]))]
    windows: toml::Value,
    /// Steps from one reading of the held-out loss on the way to the next, on so many of the windows that it takes 3 % of the time; 0: none.
    every: u64,
}

impl Default for EvalFile {
    fn default() -> Self {
        Self { windows: toml::Value::String("auto".into()), every: 0 }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunFile {
    /// Worker processes: a number, or "auto" for one a core.
    #[schemars(with = "CountOrAuto", extend("examples" = [2]))]
    workers: toml::Value,
    /// Time from one checkpoint of a run to the next, such as "60s", "5m" or "1m 30s".
    checkpoint_every: String,
    /// Steps from one measurement of the gradient noise scale to the next; 0: none.
    noise_scale_every: u64,
    /// Whether the weights that finished runs end with are kept, for fine-tuning.
    keep_weights: bool,
}

impl Default for RunFile {
    fn default() -> Self {
        Self { workers: toml::Value::String("auto".into()), checkpoint_every: "60s".into(), noise_scale_every: 0, keep_weights: false }
    }
}

/// Replicates of a corner beyond which a number is a slip of the pen.
const MOST_CORNERS: u64 = 1000;
/// Held-out windows beyond which they no longer fit into memory.
const MOST_WINDOWS: u64 = 1_000_000;

/// Worker processes of one machine, as of `--workers`.
const MOST_WORKERS: u64 = 1024;
/// States are written at most so often.
const LEAST_BETWEEN_STATES: Duration = Duration::from_millis(1);

impl SeedsFile {
    pub(super) fn check(self) -> Result<SeedAxes, GridError> {
        if self.corners == 0 {
            return Err(field("seeds.corners", 0, "at least 1"));
        }
        if self.corners > MOST_CORNERS {
            return Err(field("seeds.corners", self.corners, "at most 1000"));
        }
        Ok(SeedAxes {
            init: non_empty("seeds.init", self.init.0)?,
            data: non_empty("seeds.data", self.data.0)?,
            eval: self.eval,
            corners: self.corners,
        })
    }
}

impl EvalFile {
    fn windows(&self) -> Result<Option<u64>, GridError> {
        match number_or_auto("eval.windows", &self.windows)? {
            Some(windows) if windows > MOST_WINDOWS => Err(field("eval.windows", &self.windows, "at most 1000000")),
            windows => Ok(windows),
        }
    }

    /// One window is the least that is measured, and must not take more than its share of the time.
    fn every(&self, least_sequences: u64) -> Result<u64, GridError> {
        let least = 100u64.div_ceil(9 * least_sequences.max(1));
        if self.every > 0 && self.every < least {
            let allowed = format!("0, or at least {least}: with the smallest batch one window then takes 3 % of the time");
            return Err(field("eval.every", self.every, &allowed));
        }
        Ok(self.every)
    }
}

impl RunFile {
    /// `least_sequences`: those of the smallest batch.
    pub(super) fn check(self, eval: &EvalFile, least_sequences: u64) -> Result<RunSettings, GridError> {
        if self.noise_scale_every > 0 && least_sequences < 2 {
            return Err(field("run.noise_scale_every", self.noise_scale_every, "0 where a batch is one sequence: it needs two or more"));
        }
        Ok(RunSettings {
            eval_windows: eval.windows()?,
            noise_scale_every: self.noise_scale_every,
            eval_every: eval.every(least_sequences)?,
            workers: self.workers()?,
            checkpoint_seconds: duration_seconds(&self.checkpoint_every)?,
            keep_weights: self.keep_weights,
        })
    }
}

impl RunFile {
    fn workers(&self) -> Result<Option<usize>, GridError> {
        match number_or_auto("run.workers", &self.workers)? {
            Some(workers) if workers > MOST_WORKERS => Err(field("run.workers", &self.workers, "at most 1024")),
            workers => Ok(workers.map(|n| n as usize)),
        }
    }
}

/// Reads `"60s"`, `"5m"`, `"2h"`.
fn duration_seconds(text: &str) -> Result<f64, GridError> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= LEAST_BETWEEN_STATES => Ok(time.as_secs_f64()),
        _ => Err(field("run.checkpoint_every", text, "a time of at least 1ms, such as \"60s\", \"5m\" or \"2h\"")),
    }
}
