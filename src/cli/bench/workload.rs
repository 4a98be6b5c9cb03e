//! What is measured: networks in training on data without end.

use crate::cli::failure::{Failure, OrWork};
use crate::cli::load::read_grid;
use crate::cli::rates::StepShares;
use crate::corpus::{Cache, Corpus};
use crate::spec::{
    AdamW, CorpusSpec, Device, Dtype, InitRule, ModelShape, Objective, OptimizerGroups, Progress, Recipe, RunSpec, Schedule, Seeds, Stage,
    Tokenizer,
};
use crate::train::{StepParts, TrainError, start_metering, stop_metering, train};
use anyhow::anyhow;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

/// Steps before the clock starts: caches fill, the first gradients are checked.
const WARM_STEPS: u64 = 2;

/// A network and the batch that it is trained on.
#[derive(Clone)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) shape: ModelShape,
    pub(super) batch_tokens: u64,
    pub(super) dtype: Dtype,
}

/// The same workloads in f32 and, where the processor has products of bf16, in those.
pub(super) fn in_all_formats(workloads: &[Workload]) -> Vec<Workload> {
    let computed: Vec<Dtype> = [Dtype::F32, Dtype::Bf16].into_iter().filter(|dtype| Device::Cpu.check(*dtype).is_ok()).collect();
    let of = |workload: &Workload| computed.iter().map(|dtype| Workload { dtype: *dtype, ..workload.clone() }).collect::<Vec<_>>();
    workloads.iter().flat_map(of).collect()
}

/// The shapes of a grid, or S, M and L of the laboratory's own comparisons.
pub(super) fn workloads(grid: Option<&Path>) -> Result<Vec<Workload>, Failure> {
    let Some(path) = grid else {
        let standard = [("S", 2, 64, 2), ("M", 4, 128, 4), ("L", 6, 256, 4)];
        let workload = |(name, layers, width, heads): (&str, usize, usize, usize)| {
            let shape = ModelShape { heads, kv_heads: heads, context: 128, qk_norm: false, ..ModelShape::derived(layers, width) };
            Workload { name: name.into(), shape, batch_tokens: 2048, dtype: Dtype::F32 }
        };
        return Ok(standard.map(workload).into());
    };
    let grid = read_grid(path)?;
    let batch_tokens = grid.recipe.batch_tokens[0];
    let name = |shape: &ModelShape| format!("{shape} context {} batch {batch_tokens}", shape.context);
    Ok(grid.shapes.into_iter().map(|shape| Workload { name: name(&shape), shape, batch_tokens, dtype: grid.recipe.dtype }).collect())
}

/// What is trained on: made as it is read, so that nothing waits for a disk.
pub(super) fn corpus() -> Result<Corpus, Failure> {
    Corpus::open(&CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 }, &Cache::quiet("")).or_work()
}

/// Tokens per second of real training on this thread, and where its time goes.
pub(super) fn training_rate(workload: &Workload, corpus: &Corpus, device: Device, length: Duration) -> Result<(f64, StepShares), Failure> {
    let spec = endless(workload, corpus);
    let mut started = None;
    let mut last = None;
    let mut loss = None;
    let mut watch = |progress: &Progress| {
        // A device tells its losses late; when a new one is known it has made every step up to here.
        let is_known = progress.train_loss_nats != loss;
        loss = progress.train_loss_nats;
        if progress.step >= WARM_STEPS && is_known {
            let now = Instant::now();
            let (_, start) = *started.get_or_insert_with(|| {
                start_metering();
                (progress.step, now)
            });
            last = Some((progress.step, now));
            if now.duration_since(start) > length && progress.step > WARM_STEPS {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    let outcome = train(&spec, corpus, &device, &mut watch);
    let parts = stop_metering();
    match outcome {
        Ok(_) | Err(TrainError::Interrupted { .. }) => {}
        Err(error) => return Err(Failure::Work(error.into())),
    }
    let ((first, start), (end, stop)) = started.zip(last).ok_or_else(|| Failure::Work(anyhow!("training ended before it was measured")))?;
    let seconds = (stop - start).as_secs_f64();
    Ok(((end - first) as f64 * workload.batch_tokens as f64 / seconds, shares(&parts, seconds)))
}

/// A run that does not end by itself.
pub(super) fn endless(workload: &Workload, corpus: &Corpus) -> RunSpec {
    let recipe = Recipe {
        learning_rate: 1e-3,
        batch_tokens: workload.batch_tokens,
        schedule: Schedule::Constant {},
        warmup_tokens: 0,
        adamw: AdamW::default(),
        groups: OptimizerGroups::default(),
        grad_clip: 1.0,
        dtype: workload.dtype,
    };
    RunSpec {
        sweep: "bench".into(),
        shape: workload.shape.clone(),
        init: InitRule::Standard,
        corpus: CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 },
        corpus_sha256: corpus.sha256().to_owned(),
        tokenizer: Tokenizer::default(),
        unique_tokens: None,
        mixture: Vec::new(),
        stage: Stage::PreTraining,
        objective: Objective::Causal,
        recipe,
        steps: 1 << 40,
        seeds: Seeds { init: 0, data: 0, eval: 0 },
        eval_windows: 1,
        noise_scale_every: 0,
        eval_every: 0,
        budget_flops: None,
        budget_rule: None,
    }
}

fn shares(parts: &StepParts, seconds: f64) -> StepShares {
    let StepParts { products, attention, elementwise, optimizer } = *parts;
    let other = (seconds - products - attention - elementwise - optimizer).max(0.0);
    let share = |part: f64| part / seconds;
    StepShares {
        gemm: share(products),
        attention: share(attention),
        elementwise: share(elementwise),
        optimizer: share(optimizer),
        other: share(other),
    }
}
