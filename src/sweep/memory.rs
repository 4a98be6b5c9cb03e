//! Memory that runs will take, reckoned before anything is started: a sweep that dies of it at night is found in the morning.

use super::planned::PlannedRun;
use super::slots::Slot;
use crate::spec::{Device, ModelShape, ParamCounts, RunSpec, training_bytes};

/// The runs that may be side by side on a device do not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{slots} runs side by side on {device} may take {needed_mb:.0} MB (the largest is {largest}), {available_mb:.0} MB are free: \
     use {fitting} of --workers or --slots-per-device, a smaller recipe.batch_tokens or smaller shapes"
)]
pub struct MemoryError {
    /// Name of the device.
    pub device: String,
    /// Runs trained at once on it.
    pub slots: usize,
    /// What they may take, 10⁶ bytes.
    pub needed_mb: f64,
    /// What is free, 10⁶ bytes.
    pub available_mb: f64,
    /// Name of the largest run.
    pub largest: String,
    /// In words, how many would fit.
    pub fitting: String,
}

/// What a parameter takes beyond training while a checkpoint is written: itself and two moments, copied once and once as bytes.
const CHECKPOINT_BYTES: f64 = 24.0;
/// A weight, its gradient and two moments.
const BYTES_PER_WEIGHT: f64 = 16.0;
/// Copies of every activation that the composed path holds for its backward pass and while gradients are added, at most.
const COMPOSED_COPIES: f64 = 4.0;
/// What a CUDA context takes of a device's memory.
const CONTEXT_BYTES: f64 = 500e6;

/// Bytes that a run may take at most on a device (the processor computes by fused operations, all others by composed ones).
pub fn predicted_bytes(spec: &RunSpec, device: Device) -> f64 {
    let params = ParamCounts::of(&spec.shape).total() as f64;
    if device.is_fused() {
        return training_bytes(&spec.shape, spec.eval_windows) + CHECKPOINT_BYTES * params;
    }
    let scores = (spec.shape.layers * spec.shape.heads * spec.shape.context) as f64;
    // Logits; as many again are one-hot rows of the look-up's gradient, where it is made so.
    let of_vocabulary = 2.0 * spec.shape.vocabulary as f64;
    let activations = COMPOSED_COPIES * (activations_per_token(&spec.shape) + scores + of_vocabulary) * spec.recipe.batch_tokens as f64;
    CONTEXT_BYTES + (BYTES_PER_WEIGHT + CHECKPOINT_BYTES) * params + 4.0 * activations
}

/// Numbers that a forward pass keeps of a token, without scores and logits.
fn activations_per_token(shape: &ModelShape) -> f64 {
    let (width, kv, ffn) = (shape.width, shape.kv_width(), shape.ffn);
    (shape.layers * (7 * width + 3 * kv + 3 * ffn + shape.heads + shape.kv_heads + 2) + 8 * width + 2 * kv + ffn) as f64
}

/// Whether the largest runs fit side by side into the slots. `available` says how many bytes are free on a device, by its number;
/// where it is not known nothing is refused.
pub fn check_memory(runs: &[&PlannedRun], slots: &[Slot], available: &dyn Fn(usize) -> Option<f64>) -> Result<(), MemoryError> {
    let devices = slots.iter().map(|slot| slot.device_number).max().map_or(0, |last| last + 1);
    for number in 0..devices {
        let of_device: Vec<&Slot> = slots.iter().filter(|slot| slot.device_number == number).collect();
        let (Some(first), Some(free)) = (of_device.first(), available(number)) else { continue };
        let mut needs: Vec<(f64, &str)> = runs.iter().map(|run| (predicted_bytes(&run.spec, first.device), run.id.as_str())).collect();
        needs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let needed: f64 = needs.iter().take(of_device.len()).map(|need| need.0).sum();
        if needed > free {
            let fitting = (1..of_device.len()).rev().find(|&n| needs.iter().take(n).map(|need| need.0).sum::<f64>() <= free);
            let device = first.visible.as_ref().map_or(first.device.to_string(), |shown| format!("CUDA device {shown}"));
            return Err(MemoryError {
                device,
                slots: of_device.len(),
                needed_mb: needed / 1e6,
                available_mb: free / 1e6,
                largest: needs[0].1.to_owned(),
                fitting: fitting.map_or("not even 1".into(), |n| format!("at most {n}")),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::super::slots::slots;
    use super::*;

    #[test]
    fn predicted_memory_is_at_least_what_was_measured() {
        // benches/README.md: peak of a training process, without checkpoints.
        let text = SMALL.replace("\"2x16\", \"2x32\"", "\"2x64\", \"4x128\", \"6x256\"");
        let plan = plan(&format!("{text}\n[model]\ncontext = 128\n[recipe]\nbatch_tokens = 1024"));
        for (shape, measured_mb) in [("2x64", 13.6), ("4x128", 41.0), ("6x256", 152.0)] {
            let run = plan.runs.iter().find(|run| run.spec.shape.to_string() == shape).expect("planned");
            let predicted = predicted_bytes(&run.spec, Device::Cpu) / 1e6;
            assert!(predicted > measured_mb && predicted < 3.0 * measured_mb, "{shape}: {predicted}");
        }
    }

    #[test]
    fn slots_that_do_not_fit_are_refused_with_how_many_would() {
        let plan = plan(SMALL);
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let places = slots(&[Device::Cuda(0), Device::Cuda(1)], 4, None).expect("slots");
        let one = runs.iter().map(|run| predicted_bytes(&run.spec, Device::Cuda(0))).fold(0.0, f64::max);
        let free = |number: usize| Some(if number == 0 { 10.0 * one } else { 2.5 * one });
        let error = check_memory(&runs, &places, &free).expect_err("too little on the second").to_string();
        assert!(error.contains("CUDA device 1") && error.contains("use at most 2") && error.contains("2x32"), "{error}");
        assert_eq!(check_memory(&runs, &places, &|_| None), Ok(()));
        assert_eq!(check_memory(&runs, &places, &|_| Some(10.0 * one)), Ok(()));
        let error = check_memory(&runs, &places, &|_| Some(0.5 * one)).expect_err("far too little").to_string();
        assert!(error.contains("not even 1"), "{error}");
    }
}
