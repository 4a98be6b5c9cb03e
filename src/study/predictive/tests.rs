//! Weights and discrepancy worked by hand; intervals that hold on truths of every kind, beyond the runs and among them.

use super::*;
use crate::fit::Posterior;
use crate::law::{Chinchilla, Design, Evidence, Gamma, Kaplan, Law, Noise, Point, simulate};
use rayon::prelude::*;

const BUDGETS: [f64; 5] = [1e17, 3e17, 1e18, 3e18, 1e19];

fn runs(law: &Law, noise: f64, seed: u64) -> Evidence {
    Evidence::as_given(simulate(law, &Design::isoflop(&BUDGETS, 6, 8.0), Noise { run: noise, cluster: 0.0 }, seed))
}

fn additive() -> Law {
    Chinchilla::default().into()
}

fn truths() -> [(&'static str, Law); 3] {
    [
        ("additive", additive()),
        ("outer exponent", Law::of(Gamma, [1.2, 3e4, 8e4, 0.5, 0.5, 0.4])),
        ("kaplan", Law::of(Kaplan, Kaplan::PUBLISHED)),
    ]
}

fn errors(mean: f64, square: f64) -> Errors {
    Errors { mean, square, noise: 4e-7, statistics: 6e-7 }
}

pub(super) fn origin(ln_factor: f64, errors: Vec<Errors>) -> Origin {
    Origin { largest: 1e18, runs: [20, 10], ln_factor, errors, by_frontier: Vec::new(), optima: Vec::new() }
}

fn settings(priors: Vec<f64>) -> Settings {
    Settings { priors, frontier: 0.5, expected: 0.1, ..Settings::default() }
}

#[test]
fn weights_and_discrepancy_are_those_worked_by_hand() {
    let points = runs(&additive(), 0.005, 1).points;
    let fitted = |law: &Law| Posterior::of(law, &points).expect("fitted");
    let laws = vec![(0, fitted(&additive())), (2, fitted(&Law::of(Kaplan, [1.0; 4])))];
    let origins =
        vec![origin(1.0, vec![errors(0.01, 1e-4), errors(-0.02, 4e-4)]), origin(2.0, vec![errors(0.02, 4e-4), errors(-0.04, 16e-4)])];
    let record = Record { laws, walls: None, frontier: None, origins, slopes: vec![0.05, 0.05], largest: 1e19 };
    let mixture = Mixture::weighted(record, &settings(vec![0.2, 0.4, 0.4]));
    // 0.2/1e-4 against 0.4/4e-4: two to one.
    let weights: Vec<f64> = mixture.members.iter().map(|one| one.weight).collect();
    assert!((weights[0] - 2.0 / 3.0).abs() < 1e-12 && (weights[1] - 1.0 / 3.0).abs() < 1e-12, "{weights:?}");
    // The weighted errors cancel, 2/3·0.01 − 1/3·0.02 = 0, so nothing is found beyond what was expected: 8·0.1²/(8 + 1.5).
    assert!((mixture.drift.per_e.powi(2) - 0.08 / 9.5).abs() < 1e-12 && mixture.drift.degrees == 9.5);
}

#[test]
fn an_error_of_the_record_widens_what_is_said_beyond_the_runs() {
    let points = runs(&additive(), 0.005, 1).points;
    let laws = vec![(0, Posterior::of(&additive(), &points).expect("fitted"))];
    let of = |bias: f64| {
        let origins = vec![origin(1.0, vec![errors(bias, bias * bias)])];
        let record = Record { laws: laws.clone(), walls: None, frontier: None, origins, slopes: vec![0.05], largest: 1e19 };
        Mixture::weighted(record, &settings(vec![1.0, 0.0, 0.0]))
    };
    // (0.02² − 1e-6)/0.05² = 0.1596 at one origin beside eight of 0.01.
    let found = of(0.02);
    assert!((found.drift.per_e.powi(2) - (0.08 + 0.1596) / 9.0).abs() < 1e-12, "{}", found.drift.per_e);
    let far = Point { c: 1e20, ..Point::new(1e9, 1e20 / 6e9, 1.0) };
    let said = found.one_run(&far);
    assert!((said.discrepancy - (found.drift.per_e * 0.05 * 10f64.ln()).powi(2)).abs() < 1e-12);
    assert!(said.variance() > of(0.005).one_run(&far).variance() && found.mean_loss(&far).noise == 0.0);
    let inside = Point { c: 1e18, ..far };
    assert_eq!(found.one_run(&inside).discrepancy, 0.0);
    assert!(found.describe().contains("2.02 % too high") && found.describe().contains("49 % more compute"), "{}", found.describe());
    // e^(−0.05/0.05) − 1: no run had less compute than none.
    assert!(
        of(-0.05).describe().contains("4.88 % too low") && of(-0.05).describe().contains("63 % less compute"),
        "{}",
        of(-0.05).describe()
    );
    assert!(found.caution(2.0).is_none() && found.caution(10.0).is_some_and(|said| said.contains("reaches 2.7x")));
    assert!(found.caution(31.0).is_some_and(|said| said.contains("nothing checks")));
    let mut without = found;
    without.origins.clear();
    assert!(without.caution(1.0).is_none() && without.caution(10.0).is_some_and(|said| said.contains("no record checks it: at 10.0x")));
}

/// Share of one-run intervals at a level that hold a run at `factor` times the compute, and their mean width.
fn coverage(truth: &Law, factor: f64, level: f64) -> (f64, f64) {
    let repeats = 48u64;
    let one = |seed: u64| {
        let mixture = Mixture::of(&runs(truth, 0.005, seed)).expect("a design");
        let compute = factor * 1e19;
        let n = (compute / (6.0 * 25.0)).sqrt();
        let cells =
            Design { name: "ahead".into(), cells: vec![crate::law::Cell { n, d: 25.0 * n, c: compute, budget: None, cluster: None }] };
        let run = &simulate(truth, &cells, Noise { run: 0.005, cluster: 0.0 }, 1000 + seed)[0];
        let [low, high] = mixture.one_run(run).interval(level);
        (f64::from(u8::from(low <= run.loss && run.loss <= high)), (high - low) / run.loss)
    };
    let all: Vec<(f64, f64)> = (0..repeats).into_par_iter().map(one).collect();
    (average(all.iter().map(|one| one.0)), average(all.iter().map(|one| one.1)))
}

#[test]
fn intervals_hold_beyond_the_runs_whatever_the_truth() {
    for (name, truth) in truths() {
        for factor in [2.0, 10.0] {
            let (held, width) = coverage(&truth, factor, 0.95);
            assert!(held >= 0.93, "{name} at {factor}x: {held}, width {width}");
        }
    }
}

#[test]
fn intervals_among_the_runs_hold_as_often_as_they_say() {
    let held = average([additive(), Law::of(Kaplan, Kaplan::PUBLISHED)].iter().map(|truth| coverage(truth, 0.5, 0.95).0));
    assert!((0.90..=0.995).contains(&held), "{held}");
}

#[test]
fn runs_that_are_no_design_have_no_mixture_and_copies_do_not_count() {
    let mut evidence = runs(&additive(), 0.005, 2);
    let all = Mixture::of(&evidence).expect("a design");
    evidence.points.extend(evidence.points.clone());
    let doubled = Mixture::of(&evidence).expect("a design");
    assert_eq!(all.drift.per_e.to_bits(), doubled.drift.per_e.to_bits());
    let one_size = Evidence::as_given(evidence.points.iter().map(|p| Point { n: 1e8, ..p.clone() }).collect());
    assert!(Mixture::of(&one_size).is_none());
}

#[test]
fn ratios_that_follow_each_other_closely_are_many_and_budgets_met_otherwise_are_no_cut() {
    let run = |at: usize| {
        let n = 1e7 * (0.004 * at as f64).exp();
        let d = n * 10.0 * (0.003 * ((at * 37) % 400) as f64).exp();
        Point { c: 6.0 * n * d, ..Point::new(n, d, 2.0) }
    };
    let many: Vec<Point> = (0..400).map(run).collect();
    assert!(origins::is_design(&many));
    // Two budgets three per cent apart, at half the largest compute of a third: what is above is not beyond.
    let evidence = runs(&additive(), 0.005, 3);
    let mut points = evidence.points.clone();
    points.retain(|p| p.c <= 4e18);
    let near: Vec<Point> = points.iter().filter(|p| p.c > 2e18).map(|p| Point { c: 1.03 * p.c, ..p.clone() }).collect();
    points.extend(near);
    assert!(origins::cuts(&points).iter().all(|cut| cut.above.iter().all(|p| p.c > 1.1 * cut.largest)));
}

#[test]
fn laws_without_error_share_the_weight_and_falls_of_nothing_are_no_division() {
    let points = runs(&additive(), 0.005, 1).points;
    let laws = vec![
        (0, Posterior::of(&additive(), &points).expect("fitted")),
        (1, Posterior::of(&Law::of(Gamma, [1.0; 6]), &points).expect("fitted")),
    ];
    let none = Errors { mean: 0.0, square: 0.0, noise: 0.0, statistics: 0.0 };
    let origins = vec![origin(1.0, vec![none, none])];
    let record = Record { laws, walls: None, frontier: None, origins, slopes: vec![0.0, 0.0], largest: 1e19 };
    let mixture = Mixture::weighted(record, &settings(vec![0.5, 0.5, 0.0]));
    assert!(mixture.members.iter().all(|one| (one.weight - 0.5).abs() < 1e-12), "{:?}", mixture.drift.per_e);
    let [low, high] = mixture.one_run(&Point { c: 1e21, ..Point::new(1e9, 1e11, 1.0) }).interval(0.95);
    assert!(low.is_finite() && high.is_finite() && low < high);
}

/// Noise of runs in the tests of optima: minima of profiles in losses are known a tenth as well as losses.
const NOISE: f64 = 0.002;
const SIX: crate::law::ComputeCount = crate::law::ComputeCount::Bilinear { k: 6.0 };

#[test]
fn the_frontier_is_that_of_the_truth_and_weighs_where_budgets_are() {
    let truth = additive();
    let evidence = runs(&truth, 1e-5, 1);
    let frontier = Frontier::of(&evidence).expect("five budgets");
    assert!(frontier.budgets == 5 && frontier.knows_losses());
    // A parabola's minimum on this surface is off by under a tenth in size, and by its square in loss.
    let known = (truth.optimal_params(1e20, &SIX).ln(), truth.optimal_loss(1e20, &SIX).ln());
    let told = (frontier.ln_params(1e20).0, frontier.ln_loss(1e20).expect("losses").0);
    assert!((told.0 - known.0).abs() < 0.1 && (told.1 - known.1).abs() < 0.01, "{told:?} {known:?}");
    let few = evidence.with_points(evidence.points.iter().filter(|p| p.c < 2e18).cloned().collect());
    let of_three = Frontier::of(&few).expect("three budgets");
    assert!(!of_three.knows_losses() && of_three.ln_loss(1e20).is_none());
    // Runs of no budget: every compute its own.
    let scattered = |(at, p): (usize, &Point)| Point { budget: None, c: p.c * 1.1f64.powi(at as i32 % 7), ..p.clone() };
    let without = evidence.with_points(evidence.points.iter().enumerate().map(scattered).collect());
    assert!(Mixture::of(&without).expect("a design").frontier.is_none());
    // Minima of parabolas among runs that scatter.
    let mixture = Mixture::of(&runs(&Law::of(Kaplan, Kaplan::PUBLISHED), 0.005, 1)).expect("a design");
    let total: f64 = mixture.weights().iter().map(|(_, weight)| weight).sum();
    assert!((total - 1.0).abs() < 1e-12 && mixture.describe().contains("the IsoFLOP frontier (5 budgets)"), "{}", mixture.describe());
    assert!((mixture.optima.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && mixture.optima.checked > 0);
}

#[test]
fn optima_beyond_the_runs_lie_in_their_intervals_whatever_the_truth() {
    for (name, truth) in truths() {
        let known = truth.optimal_params(1e20, &SIX);
        let held = |seed: u64| {
            let said = Mixture::of(&runs(&truth, NOISE, seed)).and_then(|one| one.optimal_params(1e20, &SIX)).expect("an optimum");
            let [low, high] = said.interval(0.95);
            f64::from(u8::from(low <= known && known <= high))
        };
        let held = average((0..32u64).into_par_iter().map(held).collect::<Vec<_>>());
        assert!(held >= 0.9, "{name}: {held}");
    }
}

#[test]
fn an_optimum_that_moves_apart_from_the_laws_widens_its_own_interval_alone() {
    let found = |ln_n: f64| frontier::Minimum { compute: 1e18 * std::f64::consts::E, ln_params: (ln_n, 0.0) };
    let said = vec![Some((10.0, 0.0)), None];
    let of = |ln_n: f64| {
        let ahead = [optimum::OptimumAhead::of(found(ln_n), 1e18, said.clone())];
        Optima::of(&[&ahead], &[1.0], &[1.0], false, &Settings { optimum: (0.75, 0.05), ..Settings::default() })
    };
    // One origin beside eight of 0.05: (8·0.0025 + 0.5²)/9.
    assert!((of(10.5).drift.per_e.powi(2) - (0.02 + 0.25) / 9.0).abs() < 1e-12, "{}", of(10.5).drift.per_e);
    assert!((of(10.0).drift.per_e.powi(2) - 0.02 / 9.0).abs() < 1e-12 && of(10.0).drift.degrees == 9.0);
    let there = of(10.5).at(&said, 2.0).expect("an optimum");
    assert!((there.discrepancy - 4.0 * (0.02 + 0.25) / 9.0).abs() < 1e-12 && (there.value.ln() - 10.0).abs() < 1e-12);
    assert!(of(10.5).at(&vec![None, None], 2.0).is_none());
}
