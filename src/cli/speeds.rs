//! Speeds that runs of any sweep had on this machine, kept in the user's cache folder beside what `bench` measured: later plans
//! and sweeps predict time from them.

use super::kept;
use super::machine::{hardware, host};
use super::rates::Rates;
use crate::spec::sample::median;
use crate::spec::{Device, Dtype, ModelShape, RunRecord, RunStatus};
use crate::sweep::{EVALUATION, MeasuredRate, PlannedRun, Slot};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const FILE: &str = "speeds.json";

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
    /// Name of the processor, or of the GPU.
    processor: Option<String>,
}

/// Seconds of training below which a run says little of its speed.
const LEAST_SECONDS: f64 = 1.0;
/// Speeds that are kept, the newest.
const MOST_KEPT: usize = 1000;

/// What is known of this machine's speed.
#[derive(Debug, Clone, Default)]
pub(super) struct Speeds {
    pub(super) known: Vec<MeasuredRate>,
    /// What `bench` measured of it, whether runs were faster or slower since.
    pub(super) benched: Vec<MeasuredRate>,
    /// Where it is known from, in words.
    pub(super) origin: String,
}

impl Speeds {
    /// What `bench` measured and what runs had on what computes in a slot, the latter where both are known. Measured rates that are
    /// kept as such are of processors.
    pub(super) fn load(slot: &Slot) -> Self {
        let rates = if slot.device == Device::Cpu { Rates::load() } else { Rates::default() };
        let own = hardware(slot);
        let here = |speed: &Speed| speed.processor == own && slot.device != Device::CpuComposed;
        let learnt = kept::read::<Speed>(FILE).into_iter().filter(here).map(|speed| MeasuredRate {
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

/// Keeps the speeds of runs that slots of this machine just trained, all at once.
pub(super) fn learn(trained: &[&PlannedRun], done: &HashMap<String, RunRecord>, slots: &[Slot]) {
    type Kind<'a> = (&'a ModelShape, u64, Dtype);
    let Some(slot) = slots.first() else { return };
    let rate = |record: &RunRecord| rate(record, slot.device);
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
        let tokens_per_second = slots.len() as f64 * median(rates)?;
        Some(MeasuredRate { shape: shape.clone(), batch_tokens, dtype, threads: slots.len(), tokens_per_second })
    };
    keep(slot, rates.into_iter().filter_map(speed).collect());
}

/// Keeps rates that what computes in a slot was measured to have. Only predictions of time would miss them, so a folder that cannot be
/// written is no error.
pub(super) fn keep(slot: &Slot, rates: Vec<MeasuredRate>) {
    if rates.is_empty() || slot.device == Device::CpuComposed {
        return;
    }
    let processor = hardware(slot);
    let speed = |MeasuredRate { shape, batch_tokens, dtype, threads, tokens_per_second }| Speed {
        shape,
        batch_tokens,
        dtype,
        threads,
        tokens_per_second,
        processor: processor.clone(),
    };
    let new: Vec<Speed> = rates.into_iter().map(speed).collect();
    let of = |speed: &Speed| (speed.shape.clone(), speed.batch_tokens, speed.dtype, speed.threads, speed.processor.clone());
    let mut all: Vec<Speed> = kept::read(FILE);
    all.retain(|old| !new.iter().any(|one| of(one) == of(old)));
    all.extend(new);
    let _ = kept::write(FILE, &all[all.len().saturating_sub(MOST_KEPT)..]);
}

/// Tokens per second of a run that this machine trained on a device of that kind, those of its evaluation counted by their cost.
fn rate(record: &RunRecord, device: Device) -> Option<f64> {
    let here = record.host.is_some() && record.host == host();
    let kind = |name: &str| name.split([':', ' ', ',']).next().map(str::to_owned);
    let on_it = record.device.as_deref().and_then(kind) == kind(&device.to_string());
    let seconds = record.wall_seconds.filter(|seconds| *seconds > LEAST_SECONDS)?;
    let evaluated = EVALUATION * record.eval_tokens.map_or(0.0, |tokens| tokens.0) / seconds;
    record.tokens_per_second.map(|rate| rate + evaluated).filter(|_| here && on_it && record.status == RunStatus::Finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_that_this_processor_trained_for_a_while_say_how_fast_it_is() {
        let rate = |record: &RunRecord| rate(record, Device::Cpu);
        let own = RunRecord {
            host: host(),
            device: Some("cpu".into()),
            wall_seconds: Some(5.0),
            tokens_per_second: Some(1e5),
            status: RunStatus::Finished,
            ..RunRecord::default()
        };
        assert_eq!(rate(&own), host().map(|_| 1e5));
        let on_gpu = RunRecord { device: Some("cuda:0 NVIDIA H200, driver 580.65.06".into()), ..own.clone() };
        assert_eq!(super::rate(&on_gpu, Device::Cuda(3)), host().map(|_| 1e5));
        let others = [
            RunRecord { host: Some("elsewhere.example".into()), ..own.clone() },
            RunRecord { device: Some("cuda:0 NVIDIA H200".into()), ..own.clone() },
            RunRecord { device: Some("cpu-composed".into()), ..own.clone() },
            RunRecord { wall_seconds: Some(0.5), ..own.clone() },
            RunRecord { status: RunStatus::Diverged, ..own },
        ];
        assert_eq!(others.each_ref().map(rate), [None; 5]);
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
