//! What planning and gathering cost: a plan of ten thousand runs, a shard of it, a thousand run files read and gathered.
//! `cargo bench --bench sweep`; LOG.md has the figures for a hundred thousand (tests/it/scale.rs).

use criterion::{Criterion, criterion_group, criterion_main};
use scalelab::results::SweepFolder;
use scalelab::spec::{Nats, RunRecord, RunStatus, Shard, TrainedRun};
use scalelab::sweep::{CorpusFacts, Grid, Plan, PlannedRun, expand};
use std::hint::black_box;

#[path = "../tests/it/support/large.rs"]
mod large;

/// A plan of this many thousand runs.
fn plan(thousands: usize) -> Plan {
    let facts = CorpusFacts { sha256: "ab".repeat(32), vocabulary: 256, ..CorpusFacts::default() };
    expand(&Grid::parse(&large::grid(1000 * thousands)).expect("a valid grid"), &facts, &|_| 1e-5).expect("a plan")
}

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    group.bench_function("expand 10,000 runs", |bench| bench.iter(|| black_box(plan(10))));
    let plan = plan(10);
    let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
    group.bench_function("shard 3/16 of 10,000 runs", |bench| bench.iter(|| Shard { number: 3, count: 16 }.of(black_box(&runs))));
}

fn gathering(criterion: &mut Criterion) {
    let place = tempfile::tempdir().expect("temporary folder");
    let folder = SweepFolder::at(place.path());
    let plan = plan(1);
    for run in &plan.runs {
        let record = RunRecord { status: RunStatus::Finished, loss_nats: Some(Nats(2.5)), ..RunRecord::planned(&run.spec) };
        folder.keep(&TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() }).expect("kept");
    }
    let mut group = criterion.benchmark_group("gather");
    group.sample_size(10);
    group.bench_function("read and order 1,000 run files", |bench| {
        bench.iter(|| black_box(plan.gathered(&folder.done().expect("reads").0)));
    });
}

criterion_group!(benches, planning, gathering);
criterion_main!(benches);
