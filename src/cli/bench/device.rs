//! `scalelab bench --device cuda:0`: how fast a device trains, and how far its losses and gradients are from the processor's.

use super::workload::{Workload, corpus, endless, training_rate, workloads};
use crate::cli::failure::{Failure, OrInput, OrWork, Outcome};
use crate::cli::speeds::keep;
use crate::cli::text::table;
use crate::corpus::Corpus;
use crate::spec::{Device, short};
use crate::sweep::{MeasuredRate, flops_per_token, slots};
use crate::train::{Comparison, compare};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Steps that both are compared over.
const COMPARED_STEPS: u64 = 20;

/// One workload on a device.
#[derive(Serialize)]
struct DeviceRate {
    device: String,
    workload: String,
    dtype: String,
    tokens_per_second: f64,
    gflops: f64,
    /// Largest relative difference of the losses of the first steps.
    loss_distance: f64,
    /// Largest relative distance of the gradient of a parameter.
    gradient_distance: f64,
    /// That parameter.
    worst_parameter: String,
}

pub(super) fn run(grid: Option<&Path>, device: Device, length: Duration, json: bool) -> Outcome {
    device.check_present().or_input()?;
    let slot = slots(&[device], 1, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()).or_input()?.remove(0);
    let corpus = corpus()?;
    let mut rates = Vec::new();
    for workload in workloads(grid)? {
        device.check(workload.dtype).or_input()?;
        eprintln!("measuring {} on {device}", workload.name);
        rates.push(measure(&workload, &corpus, device, length)?);
        let DeviceRate { tokens_per_second, .. } = rates[rates.len() - 1];
        keep(&slot, vec![measured(&workload, tokens_per_second)]);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rates).or_work()?);
    } else {
        print!("{}", as_text(&rates));
    }
    Ok(())
}

/// How fast a device trains one workload.
pub(super) fn rate(workload: &Workload, corpus: &Corpus, device: Device, length: Duration) -> Result<MeasuredRate, Failure> {
    Ok(measured(workload, training_rate(workload, corpus, device, length)?.0))
}

fn measured(workload: &Workload, tokens_per_second: f64) -> MeasuredRate {
    let Workload { shape, batch_tokens, dtype, .. } = workload.clone();
    MeasuredRate { shape, batch_tokens, dtype, threads: 1, tokens_per_second }
}

fn measure(workload: &Workload, corpus: &Corpus, device: Device, length: Duration) -> Result<DeviceRate, Failure> {
    let spec = endless(workload, corpus);
    let found = compare(&spec, corpus, device, COMPARED_STEPS).or_work()?;
    let (loss_distance, Comparison { gradient_distance, worst_parameter, .. }) = (found.loss_distance(), found);
    let (tokens_per_second, _) = training_rate(workload, corpus, device, length)?;
    Ok(DeviceRate {
        device: device.to_string(),
        workload: workload.name.clone(),
        dtype: workload.dtype.to_string(),
        gflops: tokens_per_second * flops_per_token(&workload.shape) / 1e9,
        tokens_per_second,
        loss_distance,
        gradient_distance,
        worst_parameter,
    })
}

fn as_text(rates: &[DeviceRate]) -> String {
    let row = |rate: &DeviceRate| {
        vec![
            rate.device.clone(),
            rate.workload.clone(),
            rate.dtype.clone(),
            short(rate.tokens_per_second),
            format!("{:.1}", rate.gflops),
            format!("{:.1e}", rate.loss_distance),
            format!("{:.1e}", rate.gradient_distance),
            rate.worst_parameter.clone(),
        ]
    };
    let header = ["device", "workload", "dtype", "tokens/s", "GFLOP/s", "loss off by", "gradient off by", "most in"];
    let rows = table(&header, &rates.iter().map(row).collect::<Vec<_>>());
    format!("{rows}off by: relative to the processor in f32, losses of {COMPARED_STEPS} steps, gradient of the worst parameter\n")
}
