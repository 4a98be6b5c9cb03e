//! `scalelab bench`: what this machine does, so that `plan` can say how long a sweep takes.

mod device;
mod workload;

use super::failure::{Failure, OrWork, Outcome};
use super::machine::processor;
use super::memory::{forget_peak, peak_mb};
use super::rates::{Rate, Rates};
use super::speeds::keep;
use super::text::{filled, screen_table};
use crate::corpus::Corpus;
use crate::spec::{Device, Dtype, short};
use crate::sweep::{Slot, flops_per_token};
use crate::train::{FlushProbe, GemmProbe};
use anyhow::anyhow;
use clap::Args;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use workload::{Workload, corpus, endless, in_all_formats, training_rate, workloads};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab bench\n  scalelab bench sweeps/grid.toml\n\nRates are kept in the user's cache folder; plan and sweep predict time from them."
)]
pub(super) struct BenchArgs {
    /// Grid whose shapes are measured instead of the standard workloads
    grid: Option<PathBuf>,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// Measure another device than the processor, and compare losses and gradients with the processor's
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: Device,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Size of the square product whose rate is the ceiling.
const GEMM_SIZE: usize = 512;
/// How long each network of a new sweep is measured.
const NEW: Duration = Duration::from_millis(700);
/// Rounds of four steps that say at least what flushing gains.
const LEAST_ROUNDS: usize = 5;

pub(super) fn run(args: &BenchArgs) -> Outcome {
    if !(args.seconds > 0.0 && args.seconds <= 600.0) {
        return Err(Failure::Input(anyhow!("--seconds {}: say a time from above 0 to 600", args.seconds)));
    }
    let length = Duration::from_secs_f64(args.seconds);
    if args.device != Device::Cpu {
        return device::run(args.grid.as_deref(), args.device, length, args.json);
    }
    let cores = super::machine::worker_count(None, None);
    let mut rates = Vec::new();
    for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
        let gemm_gflops = side_by_side(threads, || Ok(gemm_rate(length)))?.iter().sum::<f64>() / 1e9;
        for workload in in_all_formats(&workloads(args.grid.as_deref())?) {
            eprintln!("measuring {} in {} on {threads} threads", workload.name, workload.dtype);
            rates.push(measure(&workload, threads, length, gemm_gflops)?);
        }
    }
    let kept = kept(&rates);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rates).or_work()?);
    } else {
        print!("{}", as_text(&rates));
    }
    match kept {
        Ok(path) if !args.json => println!("kept in {}", path.display()),
        Ok(_) => {}
        Err(why) => eprintln!("the rates are not kept, so plan and sweep go on guessing: {why}"),
    }
    Ok(())
}

/// Measures what a new sweep may hold, where nothing is known of what computes in its slots, and keeps it; a folder that cannot be
/// written only costs the knowledge.
pub(super) fn of_new_sweep(device: Device, slots: &[Slot]) -> Outcome {
    let threads = slots.len();
    let standard = workloads(None)?;
    if device != Device::Cpu {
        eprintln!("measuring {device}, of which nothing is known yet");
        let corpus = corpus()?;
        let rates = standard.iter().map(|workload| device::rate(workload, &corpus, device, NEW));
        keep(&slots[0], rates.collect::<Result<_, _>>()?);
        return Ok(());
    }
    eprintln!("measuring this machine, of which nothing is known yet");
    let gemm_gflops = side_by_side(threads, || Ok(gemm_rate(NEW)))?.iter().sum::<f64>() / 1e9;
    let all = in_all_formats(&standard);
    let rates: Vec<Rate> = all.iter().map(|workload| measure(workload, threads, NEW, gemm_gflops)).collect::<Result<_, _>>()?;
    let _ = kept(&rates);
    Ok(())
}

/// Keeps rates for plan and sweep; where they are, or why they are not.
fn kept(rates: &[Rate]) -> Result<PathBuf, String> {
    match Rates::load().keep(rates.to_vec()) {
        Ok(Some(path)) => Ok(path),
        Ok(None) => Err("neither XDG_CACHE_HOME nor HOME is set".into()),
        Err(error) => Err(format!("the user's cache folder cannot be written: {error}; name another with XDG_CACHE_HOME")),
    }
}

fn measure(workload: &Workload, threads: usize, length: Duration, gemm_gflops: f64) -> Result<Rate, Failure> {
    forget_peak();
    let corpus = corpus()?;
    let each = side_by_side(threads, || training_rate(workload, &corpus, Device::Cpu, length))?;
    let tokens_per_second = each.iter().map(|(rate, _)| rate).sum();
    Ok(Rate {
        workload: workload.name.clone(),
        gflops: tokens_per_second * flops_per_token(&workload.shape) / 1e9,
        shape: workload.shape.clone(),
        batch_tokens: workload.batch_tokens,
        dtype: workload.dtype,
        threads,
        tokens_per_second,
        gemm_gflops,
        peak_memory_mb: peak_mb(),
        step: each.first().map(|(_, step)| *step),
        processor: processor(),
        flush_gain: if threads == 1 && workload.dtype == Dtype::F32 { flush_gain(workload, &corpus, length)? } else { None },
    })
}

/// How many times as fast a step is while the processor reads and writes denormals as 0: of steps in turn the fastest of either kind,
/// because other work on the machine only ever adds to what the clock says. `None` where the processor cannot be told to.
fn flush_gain(workload: &Workload, corpus: &Corpus, length: Duration) -> Result<Option<f64>, Failure> {
    let spec = endless(workload, corpus);
    let mut probe = FlushProbe::new(&spec, corpus).or_work()?;
    let (start, mut rounds, mut fastest) = (Instant::now(), 0, [f64::INFINITY; 2]);
    while rounds < LEAST_ROUNDS || start.elapsed() < length {
        let Some(times) = probe.times(seconds) else { return Ok(None) };
        let times = times.or_work()?;
        fastest = [fastest[0].min(times[0]), fastest[1].min(times[1])];
        rounds += 1;
    }
    Ok(Some(fastest[0] / fastest[1]))
}

/// Seconds that some work takes by the clock.
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// What several threads measure at the same time.
fn side_by_side<T: Send>(threads: usize, measure: impl Fn() -> Result<T, Failure> + Sync) -> Result<Vec<T>, Failure> {
    let panicked = |_| Failure::Work(anyhow!("a measuring thread panicked"));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&measure)).collect();
        workers.into_iter().map(|worker| worker.join().map_err(panicked)?).collect()
    })
}

/// FLOP/s of square products on this thread.
fn gemm_rate(length: Duration) -> f64 {
    let mut probe = GemmProbe::new(GEMM_SIZE);
    probe.multiply();
    let (start, mut flops) = (Instant::now(), 0.0);
    while start.elapsed() < length {
        flops += probe.multiply();
    }
    flops / start.elapsed().as_secs_f64()
}

fn as_text(rates: &[Rate]) -> String {
    let row = |rate: &Rate| {
        vec![
            rate.workload.clone(),
            rate.dtype.to_string(),
            rate.threads.to_string(),
            short(rate.tokens_per_second),
            format!("{:.1}", rate.gflops),
            format!("{:.1}", rate.gemm_gflops),
            format!("{:.0} %", 100.0 * rate.gflops / rate.gemm_gflops),
            rate.peak_memory_mb.map_or("unknown".into(), |mb| format!("{mb:.0} MB")),
        ]
    };
    let header = ["workload", "dtype", "threads", "tokens/s", "GFLOP/s", "GEMM GFLOP/s", "share", "peak memory"];
    let speed = screen_table(&header, &rates.iter().map(row).collect::<Vec<_>>());
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let row = |rate: &Rate| {
        let step = rate.step?;
        let mut row = vec![rate.workload.clone(), rate.dtype.to_string(), rate.threads.to_string()];
        row.extend([step.gemm, step.attention, step.elementwise, step.optimizer, step.other].map(percent));
        Some(row)
    };
    let header = ["workload", "dtype", "threads", "products", "attention", "elementwise", "optimizer", "other"];
    let parts = screen_table(&header, &rates.iter().filter_map(row).collect::<Vec<_>>());
    format!("{}\n{speed}\nwhere the time of a step goes\n{parts}{}{}", named(rates), of_bf16(rates), of_flushing(rates))
}

/// What products in bf16 gain a run that is trained alone, as a line; nothing where they were not measured.
fn of_bf16(rates: &[Rate]) -> String {
    let gain = |rounded: &Rate| {
        let exact = rates.iter().find(|rate| (&rate.shape, rate.threads, rate.dtype) == (&rounded.shape, 1, Dtype::F32))?;
        let gain = rounded.tokens_per_second / exact.tokens_per_second;
        ((rounded.threads, rounded.dtype) == (1, Dtype::Bf16)).then(|| format!("{} {gain:.2}", rounded.workload))
    };
    let gains: Vec<String> = rates.iter().filter_map(gain).collect();
    if gains.is_empty() {
        return String::new();
    }
    format!(
        "\n{}",
        filled("", &format!("{} trains so many times as fast as f32: {}", Device::Cpu.precision(Dtype::Bf16), gains.join(", ")))
    )
}

/// The processor, as a line.
fn named(rates: &[Rate]) -> String {
    let name = rates.iter().find_map(|rate| rate.processor.as_deref());
    format!("processor: {}", name.unwrap_or("the system does not name it"))
}

/// What flushing denormals gains, as a line; nothing where the processor cannot be told to.
fn of_flushing(rates: &[Rate]) -> String {
    let gain = |rate: &Rate| Some(format!("{} {:.2}", rate.workload, rate.flush_gain?));
    let gains: Vec<String> = rates.iter().filter_map(gain).collect();
    if gains.is_empty() {
        return String::new();
    }
    let said =
        format!("with denormals flushed by the processor a step is so many times as fast (1: training makes none): {}", gains.join(", "));
    format!("\n{}", filled("", &said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ModelShape;

    fn rate(flush_gain: Option<f64>) -> Rate {
        let shape = ModelShape::derived(2, 16);
        Rate {
            workload: "S".into(),
            batch_tokens: 256,
            dtype: Dtype::F32,
            threads: 1,
            tokens_per_second: 1e5,
            gflops: 10.0,
            gemm_gflops: 20.0,
            peak_memory_mb: None,
            step: None,
            processor: Some("Some Processor, family 6 model 1".into()),
            flush_gain,
            shape,
        }
    }

    /// Without the ends of lines.
    fn words(said: &str) -> String {
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_processor_and_what_flushing_gains_are_told_where_they_are_known() {
        let said = as_text(&[rate(Some(1.004)), rate(None)]);
        assert!(said.starts_with("processor: Some Processor, family 6 model 1\n"), "{said}");
        assert!(words(&said).ends_with("(1: training makes none): S 1.00"), "{said}");
        let said = as_text(&[Rate { processor: None, ..rate(None) }]);
        assert!(said.starts_with("processor: the system does not name it\n") && !said.contains("flushed"), "{said}");
        assert!(!said.contains("as fast as f32"), "{said}");
        let rounded = Rate { dtype: Dtype::Bf16, tokens_per_second: 1.5e5, ..rate(None) };
        let said = as_text(&[rate(None), rounded]);
        assert!(words(&said).ends_with(" trains so many times as fast as f32: S 1.50"), "{said}");
    }
}
