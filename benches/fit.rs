//! Time of the analysis wing: the parts of the default job on 240 points, and a million points by variable projection.
//! The points are simulated on the places of a large IsoFLOP study, so that the bench needs no data of others.

use criterion::{Criterion, criterion_group, criterion_main};
use scalelab::fit::{Estimator, FitOptions, Quantity, Search, fit, profiles};
use scalelab::law::{Additive, Chinchilla, ComputeCount, Design, Evidence, Noise, simulate};
use std::hint::black_box;
use std::sync::Arc;

fn evidence(budgets: usize, sizes: usize) -> Arc<Evidence> {
    let flops: Vec<f64> = (0..budgets).map(|i| 6e18 * 500f64.powf(i as f64 / (budgets - 1) as f64)).collect();
    let design = Design::isoflop(&flops, sizes, 16.0);
    Arc::new(Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.01, cluster: 0.0 }, 0)))
}

fn parts_of_the_default_job(criterion: &mut Criterion) {
    let evidence = evidence(12, 20);
    let mut group = criterion.benchmark_group("240 points");
    group.sample_size(10);
    let with = |search, refits| FitOptions { search, refits, ..FitOptions::default() };
    for (name, options) in [
        ("variable projection", with(Search::VarproOnly, 0)),
        ("4500 starts of L-BFGS", with(Search::LbfgsOnly, 0)),
        ("variable projection and 1000 refits", with(Search::VarproOnly, 1000)),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| fit(&Additive.into(), black_box(&evidence).clone(), &options)));
    }
    let options = FitOptions { estimator: Estimator::LeastSquaresLog, ..with(Search::VarproOnly, 0) };
    let count = ComputeCount::of(&evidence.points);
    let fitted = fit(&Additive.into(), evidence, &options).expect("a fit");
    let decisions = Quantity::optimum(5.76e23, &count).into_iter().chain([Quantity::params_exponent(1e21, &count)]);
    let quantities: Vec<Quantity> = Quantity::coefficients(&fitted.law).into_iter().chain(decisions).collect();
    group.bench_function("profiles of five coefficients and four decisions", |bencher| {
        bencher.iter(|| profiles(black_box(&fitted), 0.95, &quantities));
    });
    group.finish();
}

fn a_million_points(criterion: &mut Criterion) {
    let evidence = evidence(1000, 1000);
    let options = FitOptions { search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    let mut group = criterion.benchmark_group("a million points");
    group.sample_size(10);
    group.bench_function("variable projection", |bencher| bencher.iter(|| fit(&Additive.into(), black_box(&evidence).clone(), &options)));
    group.finish();
}

criterion_group!(benches, parts_of_the_default_job, a_million_points);
criterion_main!(benches);
