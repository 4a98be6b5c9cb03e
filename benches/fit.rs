//! Time of the analysis wing: the parts of the default job on 240 points, and a million points by variable projection.
//! The points are simulated on the places of a large IsoFLOP study, so that the bench needs no data of others.

use criterion::{Criterion, criterion_group, criterion_main};
use scalelab::fit::{Estimator, FitOptions, Resample, Search, chinchilla, chinchilla_targets, profiles};
use scalelab::law::{Chinchilla, Design, Evidence, Noise, simulate};
use std::hint::black_box;

fn evidence(budgets: usize, sizes: usize) -> Evidence {
    let flops: Vec<f64> = (0..budgets).map(|i| 6e18 * 500f64.powf(i as f64 / (budgets - 1) as f64)).collect();
    Evidence::as_given(simulate(&Chinchilla::default(), &Design::isoflop(&flops, sizes, 16.0), Noise { run: 0.01, cluster: 0.0 }, 0))
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
        group.bench_function(name, |bencher| bencher.iter(|| chinchilla(black_box(&evidence), &options)));
    }
    let options = FitOptions { estimator: Estimator::LeastSquaresLog, ..with(Search::VarproOnly, 0) };
    let fitted = chinchilla(&evidence, &options).expect("a fit");
    let targets = chinchilla_targets(&evidence, &[5.76e23]);
    group.bench_function("profiles of five coefficients and four decisions", |bencher| {
        bencher.iter(|| profiles(black_box(&fitted), &evidence, Resample::Auto, 0.95, &targets));
    });
    group.finish();
}

fn a_million_points(criterion: &mut Criterion) {
    let evidence = evidence(1000, 1000);
    let options = FitOptions { search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    let mut group = criterion.benchmark_group("a million points");
    group.sample_size(10);
    group.bench_function("variable projection", |bencher| bencher.iter(|| chinchilla(black_box(&evidence), &options)));
    group.finish();
}

criterion_group!(benches, parts_of_the_default_job, a_million_points);
criterion_main!(benches);
