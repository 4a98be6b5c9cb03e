//! Speeds that runs of any sweep had on this machine, kept in the user's cache folder beside what `bench` measured: later plans
//! and sweeps predict time from them.

use super::machine::{host, processor};
use super::rates::{Rates, cache_folder};
use crate::results::write_whole;
use crate::spec::sample::median;
use crate::spec::{Dtype, ModelShape, RunRecord, RunStatus};
use crate::sweep::{MeasuredRate, PlannedRun};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;

/// How fast runs of one shape and batch were trained, so many at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Speed {
    shape: ModelShape,
    batch_tokens: u64,
    #[serde(default)]
    dtype: Dtype,
    threads: usize,
    /// Of all runs at once.
    tokens_per_second: f64,
    processor: Option<String>,
}

/// Seconds of training below which a run says little of its speed.
const LEAST_SECONDS: f64 = 2.0;
/// Speeds that are kept, the newest.
const MOST_KEPT: usize = 1000;

/// What is known of this machine's speed.
pub(super) struct Speeds {
    pub(super) known: Vec<MeasuredRate>,
    /// What `bench` measured of it, whether runs were faster or slower since.
    pub(super) benched: Vec<MeasuredRate>,
    /// Where it is known from, in words.
    pub(super) origin: String,
}

impl Speeds {
    /// What `bench` measured and what runs had, the latter where both are known.
    pub(super) fn load() -> Self {
        let rates = Rates::load();
        let own = processor();
        let learnt = read().into_iter().filter(|speed| speed.processor == own).map(|speed| MeasuredRate {
            shape: speed.shape,
            batch_tokens: speed.batch_tokens,
            dtype: speed.dtype,
            threads: speed.threads,
            tokens_per_second: speed.tokens_per_second,
        });
        let learnt: Vec<MeasuredRate> = learnt.collect();
        let origin = match (learnt.len(), rates.0.is_empty()) {
            (0, _) => rates.origin(),
            (_, true) => "from the speed of earlier runs on this machine".into(),
            (_, false) => "from the speed of earlier runs on this machine and from `scalelab bench`".into(),
        };
        let benched = rates.measured();
        let mut known = benched.clone();
        known.retain(|rate| !learnt.iter().any(|one| (one.threads, &one.shape, one.dtype) == (rate.threads, &rate.shape, rate.dtype)));
        known.extend(learnt);
        Self { known, benched, origin }
    }
}

/// Keeps the speeds of runs that this machine's processor just trained, `workers` at once. Only predictions of time would miss
/// them, so a folder that cannot be written is no error.
pub(super) fn learn(trained: &[&PlannedRun], done: &HashMap<String, RunRecord>, workers: usize) {
    type Kind<'a> = (&'a ModelShape, u64, Dtype);
    let mut rates: Vec<(Kind<'_>, Vec<f64>)> = Vec::new();
    for run in trained {
        let Some(rate) = done.get(&run.id).and_then(rate) else { continue };
        let kind = (&run.spec.shape, run.spec.recipe.batch_tokens, run.spec.recipe.dtype);
        match rates.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, rates)) => rates.push(rate),
            None => rates.push((kind, vec![rate])),
        }
    }
    let speed = |((shape, batch_tokens, dtype), rates): (Kind<'_>, Vec<f64>)| {
        let tokens_per_second = workers as f64 * median(rates)?;
        Some(Speed { shape: shape.clone(), batch_tokens, dtype, threads: workers, tokens_per_second, processor: processor() })
    };
    let new: Vec<Speed> = rates.into_iter().filter_map(speed).collect();
    if new.is_empty() {
        return;
    }
    let of = |speed: &Speed| (speed.shape.clone(), speed.batch_tokens, speed.dtype, speed.threads, speed.processor.clone());
    let mut kept = read();
    kept.retain(|old| !new.iter().any(|one| of(one) == of(old)));
    kept.extend(new);
    let text = serde_json::to_vec_pretty(&kept[kept.len().saturating_sub(MOST_KEPT)..]).expect("numbers and names");
    let _ = path().map(|path| write_whole(&path, &text));
}

/// Tokens per second of a run that this machine's processor trained.
fn rate(record: &RunRecord) -> Option<f64> {
    let here = record.host.is_some() && record.host == host();
    let on_processor = record.device.as_deref().is_some_and(|device| device.starts_with("cpu"));
    let long = record.wall_seconds.is_some_and(|seconds| seconds > LEAST_SECONDS);
    record.tokens_per_second.filter(|_| here && on_processor && long && record.status == RunStatus::Finished)
}

fn read() -> Vec<Speed> {
    let read = || serde_json::from_slice(&std::fs::read(path()?).ok()?).ok();
    read().unwrap_or_default()
}

fn path() -> Option<PathBuf> {
    Some(cache_folder()?.join("speeds.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_that_this_processor_trained_for_a_while_say_how_fast_it_is() {
        let own = RunRecord {
            host: host(),
            device: Some("cpu".into()),
            wall_seconds: Some(5.0),
            tokens_per_second: Some(1e5),
            status: RunStatus::Finished,
            ..RunRecord::default()
        };
        assert_eq!(rate(&own), host().map(|_| 1e5));
        let others = [
            RunRecord { host: Some("elsewhere.example".into()), ..own.clone() },
            RunRecord { device: Some("cuda:0 NVIDIA H200".into()), ..own.clone() },
            RunRecord { wall_seconds: Some(1.0), ..own.clone() },
            RunRecord { status: RunStatus::Diverged, ..own },
        ];
        assert_eq!(others.each_ref().map(rate), [None; 4]);
    }

    /// A file of before, without the format of products.
    #[test]
    fn speeds_that_were_kept_before_are_of_f32() {
        let kept = Speed {
            shape: ModelShape::derived(2, 16),
            batch_tokens: 1024,
            dtype: Dtype::F32,
            threads: 2,
            tokens_per_second: 1e5,
            processor: None,
        };
        let mut old = serde_json::to_value(&kept).expect("numbers and names");
        old.as_object_mut().expect("a table").remove("dtype");
        assert_eq!(serde_json::from_value::<Speed>(old).expect("reads"), kept);
    }
}
