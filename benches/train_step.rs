//! Time of one training step (batch, forward, backward, update) through the same door as any run.
//! S, M, L are the workloads of benches/README.md; the rest are shapes of the ladder with a context of 256.
//!
//! `cargo bench --bench train_step` for all, `cargo bench --bench train_step -- S` for one.
#![expect(clippy::disallowed_methods, reason = "a benchmark is made of clocks")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scalelab::corpus::{Cache, Corpus};
use scalelab::spec::{
    AdamW, CorpusSpec, Device, Dtype, InitRule, ModelShape, Objective, OptimizerGroups, Recipe, RunSpec, Schedule, Seeds, Stage, Tokenizer,
};
use scalelab::train::train;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const FACTS: CorpusSpec = CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 };
/// Steps before the clock starts: the first touches fresh memory.
const WARM_UP: u64 = 2;

fn steps(criterion: &mut Criterion) {
    let corpus = Corpus::open(&FACTS, &Cache::quiet("")).expect("synthetic corpora open");
    let workload = |layers, width, heads, ffn| ModelShape {
        layers,
        width,
        heads,
        kv_heads: heads,
        ffn,
        vocabulary: 256,
        context: 128,
        qk_norm: false,
        tied_head: false,
    };
    let shapes = [
        ("S", workload(2, 64, 2, 176)),
        ("M", workload(4, 128, 4, 344)),
        ("L", workload(6, 256, 4, 688)),
        ("ladder-2x32", ModelShape::derived(2, 32)),
        ("ladder-3x96", ModelShape::derived(3, 96)),
        ("ladder-5x160", ModelShape::derived(5, 160)),
    ];
    for (name, shape) in shapes {
        let mut group = criterion.benchmark_group("train_step");
        group.throughput(Throughput::Elements(2048)).sample_size(10);
        group.bench_function(name, |bencher| bencher.iter_custom(|n| time(&spec(&shape, n + WARM_UP), &corpus)));
        group.finish();
    }
}

/// Time of all steps but the first few.
fn time(spec: &RunSpec, corpus: &Corpus) -> Duration {
    let (mut start, mut end) = (Instant::now(), Instant::now());
    train(spec, corpus, &Device::Cpu, &mut |progress| {
        end = Instant::now();
        if progress.step == WARM_UP {
            start = end;
        }
        ControlFlow::Continue(())
    })
    .expect("trains");
    end - start
}

fn spec(shape: &ModelShape, steps: u64) -> RunSpec {
    RunSpec {
        sweep: "bench".into(),
        shape: shape.clone(),
        init: InitRule::Standard,
        corpus: FACTS,
        corpus_sha256: String::new(),
        tokenizer: Tokenizer::default(),
        unique_tokens: None,
        mixture: Vec::new(),
        stage: Stage::PreTraining,
        objective: Objective::Causal,
        recipe: Recipe {
            learning_rate: 1e-3,
            batch_tokens: 2048,
            schedule: Schedule::default(),
            warmup_tokens: 4096,
            adamw: AdamW::default(),
            groups: OptimizerGroups::default(),
            grad_clip: 1.0,
            dtype: Dtype::F32,
        },
        steps,
        seeds: Seeds { init: 0, data: 0, eval: 0 },
        eval_windows: 1,
        noise_scale_every: 0,
        eval_every: 0,
        budget_flops: None,
        budget_rule: None,
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
