//! Laws of others' tables: each is recovered from runs that it made, and on the runs of its authors it repeats their numbers. Those runs
//! are read as a user has them read, from `../shared/published` beside the repository; where they are absent that is said.

use crate::support;
use scalelab::fit::{Estimator, Fit, FitOptions, Quantity, Search, fit};
use scalelab::law::{
    AdditiveMixture, Axis, Broken, Clark, Design, Evidence, Formula, JointMixture, Law, Mixture, Noise, OverTraining, Point, PowerLaw,
    Precision, Sharing, WidthDepth, simulate,
};
use scalelab::results::{Filter, Wanted, import_table};
use scalelab::spec::{BITS, EXPERTS, FlopRule, LAYERS, Random, SizeMeasure, WIDTH, simplex_grid};

/// Squares of ln L by one search, without refits.
const SQUARES: FitOptions = FitOptions {
    estimator: Estimator::LeastSquaresLog,
    search: Search::VarproOnly,
    refits: 0,
    resample: scalelab::fit::Resample::Auto,
    seed: 0,
};

fn fitted(form: impl Into<Law>, points: &[Point]) -> Fit {
    fit(&form.into(), Evidence::as_given(points.to_vec()), &SQUARES).expect("a fit")
}

/// The points with losses of a law.
fn made_by(truth: &Law, mut points: Vec<Point>) -> Vec<Point> {
    points.iter_mut().for_each(|point| point.loss = truth.loss(point));
    points
}

/// Coefficients within 1e-6 of their size.
fn assert_recovered(truth: &Law, form: impl Into<Law>, points: Vec<Point>) {
    assert_found(truth, &fitted(form, &made_by(truth, points)).law);
}

fn assert_found(truth: &Law, found: &Law) {
    for ((found, expected), one) in found.theta().iter().zip(truth.theta()).zip(truth.coefficients()) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1e-3), "{} {}: {found} for {expected}", truth.name(), one.name);
    }
}

/// Points of covariates at sizes and tokens.
fn with(name: &str, values: &[f64], sizes: &[f64], tokens: &[f64]) -> Vec<Point> {
    let at = |value: f64, n: f64, d: f64| Point { covariates: vec![(name.to_owned(), value)], ..Point::new(n, d, 1.0) };
    let pairs = sizes.iter().flat_map(|&n| tokens.iter().map(move |&d| (n, d)));
    pairs.flat_map(|(n, d)| values.iter().map(move |&value| at(value, n, d))).collect()
}

const SIZES: [f64; 5] = [1e7, 4e7, 1.6e8, 6.4e8, 2.56e9];
const TOKENS: [f64; 4] = [1e9, 5e9, 2.5e10, 1.25e11];

#[test]
fn laws_of_experts_bits_shape_and_over_training_are_recovered_without_noise() {
    let experts = with(EXPERTS, &[1.0, 2.0, 8.0, 32.0, 128.0, 512.0], &SIZES, &[1e11]);
    assert_recovered(&Law::of(Clark, [1.12, -0.083, -0.123, 0.0104, 2.4, 218.0]), Clark, experts);
    let bits = with(BITS, &[2.0, 3.0, 4.0, 8.0, 16.0], &SIZES, &TOKENS);
    assert_recovered(&Law::of(Precision, [1.7, 400.0, 900.0, 0.34, 0.31, 2.6]), Precision, bits);
    let grid: Vec<Point> = SIZES.iter().flat_map(|&n| TOKENS.map(|d| Point::new(n, d, 1.0))).collect();
    assert_recovered(&Law::of(OverTraining, [1.8, 60.0, 140.0, 0.15]), OverTraining, grid.clone());
    let shapes = [(256.0, 4.0), (256.0, 16.0), (512.0, 6.0), (512.0, 24.0), (1024.0, 8.0), (1024.0, 32.0), (2048.0, 12.0)];
    let of = |(width, layers): (f64, f64), d: f64| Point {
        covariates: vec![(WIDTH.to_owned(), width), (LAYERS.to_owned(), layers)],
        ..Point::new(12.0 * layers * width * width, d, 1.0)
    };
    let shapes: Vec<Point> = shapes.into_iter().flat_map(|shape| TOKENS.map(|d| of(shape, d))).collect();
    assert_recovered(&Law::of(WidthDepth, [1.6, 18.0, 2.0, 700.0, 0.55, 0.9, 0.33]), WidthDepth, shapes);
}

/// Sizes from 10^5 to 10^11 at one length.
fn along(count: usize) -> Vec<Point> {
    (0..count).map(|at| Point::new(1e5 * 1e6f64.powf(at as f64 / (count - 1) as f64), 1e10, 1.0)).collect()
}

const ONE_BREAK: [f64; 6] = [1.5, 30.0, 0.12, 0.2, 3e7, 0.6];

#[test]
fn power_laws_with_one_break_and_two_are_recovered_without_noise() {
    assert_recovered(&Law::of(Broken::<1> { axis: Axis::N }, ONE_BREAK), Broken::<1> { axis: Axis::N }, along(40));
    let two = [1.2, 20.0, 0.08, 0.25, 3e6, 0.4, -0.2, 2e9, 0.5];
    // Variable projection ends beside it: with two breaks the starts of L-BFGS find the minimum.
    let truth = Law::of(Broken::<2> { axis: Axis::N }, two);
    let options = FitOptions { search: Search::Both, ..SQUARES };
    let found = fit(&truth, Evidence::as_given(made_by(&truth, along(80))), &options).expect("a fit");
    assert_found(&truth, &found.law);
    // A loss that rises before it falls: the exponent changes its sign.
    let by_data: Vec<Point> = along(40).into_iter().map(|p| Point::new(1e8, p.n, 1.0)).collect();
    let flat = [1.4, 8.0, 0.02, 0.5, 1e8, 0.5];
    assert_recovered(&Law::of(Broken::<1> { axis: Axis::D }, flat), Broken::<1> { axis: Axis::D }, by_data);
}

#[test]
fn intervals_about_a_broken_power_cover() {
    const SIMULATIONS: u64 = 100;
    let form = Broken::<1> { axis: Axis::N };
    let truth = Law::of(form, ONE_BREAK);
    let sizes: Vec<f64> = along(48).iter().map(|point| point.n).collect();
    let design = Design::grid(&sizes, &[1e10], Sharing::Independent);
    // Losses between the runs, on either side of the break and at it.
    let asked: Vec<Quantity> = [1e6, 3e7, 1e10].map(|n| Quantity::loss_at("L", Point::new(n, 1e10, 1.0))).into();
    let mut inside = 0;
    for seed in 0..SIMULATIONS {
        let points = simulate(&truth, &design, Noise { run: 0.003, cluster: 0.0 }, seed);
        let found = fitted(form, &points).intervals(&asked, 0.95);
        inside += found.iter().zip(&asked).filter(|(interval, quantity)| interval.holds(quantity.of(&truth))).count();
    }
    // Of 300, three of each simulation together: 95 % to within 2.2 points.
    let coverage = inside as f64 / (3 * SIMULATIONS) as f64;
    assert!((0.89..=0.99).contains(&coverage), "{coverage}");
}

/// Curves of one variable with a floor and one break somewhere among the runs, forecast at ten times the largest size, as benchmarks of
/// extrapolation draw them: a law that can bend holds what comes, a plain power does not.
#[test]
fn what_follows_a_bend_is_held_by_a_law_that_bends() {
    const CURVES: u64 = 60;
    let sizes: Vec<f64> = (0..40).map(|at| 1e5 * 1e4f64.powf(f64::from(at) / 39.0)).collect();
    let design = Design::grid(&sizes, &[1e10], Sharing::Independent);
    let ahead = Point::new(1e10, 1e10, 1.0);
    let (mut bends, mut plain) = (0, 0);
    for seed in 0..CURVES {
        let mut random = Random::new(seed, "one variable");
        let mut from = |low: f64, high: f64| low + (high - low) * random.uniform();
        let (floor, fall) = (from(0.5, 2.0), from(0.1, 0.3));
        let height = from(1.0, 3.0) * 1e5f64.powf(fall);
        let truth =
            Law::of(Broken::<1> { axis: Axis::N }, [floor, height, fall, from(-0.08, 0.25), 10f64.powf(from(6.0, 8.0)), from(0.3, 1.0)]);
        let points = simulate(&truth, &design, Noise { run: 0.003, cluster: 0.0 }, seed);
        let asked = [Quantity::loss_at("L", ahead.clone())];
        let holds = |form: Law| fitted(form, &points).intervals(&asked, 0.95).iter().any(|interval| interval.holds(truth.loss(&ahead)));
        bends += u64::from(holds(Broken::<1> { axis: Axis::N }.into()));
        plain += u64::from(holds(PowerLaw { axis: Axis::N, floor: true }.into()));
    }
    // Not 95 %: where a break is slight its noise is fitted by a bend elsewhere, and a profile follows one minimum alone.
    assert!(bends * 100 >= CURVES * 75 && plain * 4 <= CURVES, "{bends} {plain}");
}

/// The runs of a published table as points, as a user has them read.
fn published(file: &str, filters: &[&str], columns: &[(&str, &str)], constants: &[(&str, &str)]) -> Option<Vec<Point>> {
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    let filters: Vec<Filter> = filters.iter().map(|text| text.parse().expect("a filter")).collect();
    let (columns, constants) = (owned(columns), owned(constants));
    let wanted = Wanted { filters: &filters, columns: &columns, constants: &constants, ..Wanted::default() };
    let imported = import_table(&support::published(file)?, wanted).unwrap_or_else(|error| panic!("{error}"));
    let evidence = Evidence::of(&imported.records, SizeMeasure::AsGiven, FlopRule::AsGiven);
    assert_eq!(evidence.excluded, []);
    Some(evidence.points)
}

/// 2202.01169: root mean square of log10 L about the law, of each router with the dense runs, and how many runs those are.
const ROUTERS: [(&str, usize, f64); 3] = [("S-Base", 61, 0.00322), ("RL-R", 62, 0.00322), ("Hash", 59, 0.00299)];

#[test]
fn clarks_law_has_the_residuals_of_its_paper_for_each_router() {
    for (router, runs, most) in ROUTERS {
        let which = format!("router_type in Dense,{router}");
        let filters = [which.as_str(), "k=1", "routing_frequency=0.5"];
        let Some(points) = published("routing_curves.csv.gz", &filters, &[("params", "dense_parameter_count")], &[]) else { return };
        assert_eq!(points.len(), runs, "{router}");
        let found = fitted(Clark, &points);
        let rms = found.diagnostics.residual_rms / std::f64::consts::LN_10;
        assert!(rms <= most && rms > 0.9 * most, "{router}: {rms}");
        // Larger networks gain less by experts; both lower the loss.
        let of = |name: &str| found.law.get(name).expect("a coefficient");
        assert!(of("a") < 0.0 && of("b") < 0.0 && of("c") > 0.0 && of("E_start") < of("E_max"), "{:?}", found.law);
    }
}

#[test]
fn clarks_law_is_fitted_by_one_line() {
    let Some(path) = support::published("routing_curves.csv.gz") else { return };
    let path = path.display().to_string();
    let chosen = ["--columns", "params=dense_parameter_count", "--where", "router_type in Dense,Hash", "--where", "k=1", "--where"];
    let how = ["routing_frequency=0.5", "--law", "clark", "--estimator", "least-squares-log", "--refits", "0", "--json"];
    let call: Vec<&str> = ["fit", &path].into_iter().chain(chosen).chain(how).collect();
    let document: serde_json::Value = serde_json::from_str(&support::succeed(&call)).expect("JSON");
    let rms = document["laws"]["clark"]["diagnostics"]["residual_rms"].as_f64().expect("a number") / std::f64::consts::LN_10;
    assert!(rms <= 0.00299, "{rms}");
}

/// Mixtures of RegMix.
fn regmix(split: &str, size: &str) -> Option<Vec<Point>> {
    let (split, size) = (format!("split={split}"), format!("size={size}"));
    let constants = [("params", "1e6"), ("tokens", "1e9")];
    published("regmix.csv", &[&split, &size], &[("loss", "loss_pile_cc")], &constants)
}

/// Ranks, those of equal values shared.
fn ranks(values: &[f64]) -> Vec<f64> {
    let less = |value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let equal = |value: f64| values.iter().filter(|other| **other == value).count() as f64;
    values.iter().map(|&value| less(value) + 0.5 * (equal(value) - 1.0)).collect()
}

/// Spearman's rank correlation.
fn spearman(one: &[f64], other: &[f64]) -> f64 {
    let (one, other) = (ranks(one), ranks(other));
    let middle = (one.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    product(&one, &other) / (product(&one, &one) * product(&other, &other)).sqrt()
}

#[test]
fn the_law_of_mixtures_ranks_those_that_it_did_not_see() {
    assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 5.0]) - 0.8).abs() < 1e-12);
    let Some(seen) = regmix("train", "1m") else { return };
    let form = Mixture::of(&seen).expect("shares");
    assert_eq!((seen.len(), form.coefficients().len()), (512, 18), "c, ln_k and 17 parts but the last");
    let found = fitted(form, &seen);
    for (size, least) in [("1m", 0.96), ("60m", 0.955)] {
        let unseen = regmix("test", size).expect("beside the others");
        assert_eq!(unseen.len(), 256);
        let losses: Vec<f64> = unseen.iter().map(|point| point.loss).collect();
        let forecast: Vec<f64> = unseen.iter().map(|point| found.law.loss(point)).collect();
        let correlation = spearman(&losses, &forecast);
        assert!(correlation >= least, "{size}: {correlation}");
    }
}

#[test]
fn a_law_of_mixtures_is_recovered_without_noise() {
    let mixed = |at: usize| -> Point {
        let raw = [0.1, 0.9, 2.1, 3.3].map(|phase| 1.05 + (1.7 * at as f64 + phase * (1.0 + at as f64)).sin());
        let sum: f64 = raw.iter().sum();
        let shares = ["share_web", "share_code", "share_books", "share_math"].into_iter().zip(raw);
        Point { covariates: shares.map(|(name, share)| (name.to_owned(), share / sum)).collect(), ..Point::new(1e6, 1e9, 1.0) }
    };
    let points: Vec<Point> = (0..40).map(mixed).collect();
    let form = Mixture::of(&points).expect("shares");
    assert_recovered(&Law::of(form, [2.1, 0.4, -1.3, 0.8, 0.2]), form, points);
}

/// Sizes, lengths and every mixture of three parts in fifths.
fn mixtures() -> Vec<Point> {
    let of = |n: f64, d: f64, shares: &[u32]| Point {
        covariates: ["share_web", "share_code", "share_math"]
            .iter()
            .zip(shares)
            .map(|(name, share)| ((*name).to_owned(), f64::from(*share) / 5.0))
            .collect(),
        ..Point::new(n, d, 1.0)
    };
    let places = SIZES.iter().flat_map(|&n| TOKENS.map(|d| (n, d)));
    places.flat_map(|(n, d)| simplex_grid(3, 5).into_iter().map(move |shares| of(n, d, &shares))).collect()
}

#[test]
fn laws_over_mixture_size_and_length_are_recovered_without_noise() {
    let points = mixtures();
    let form = AdditiveMixture::of(&points).expect("shares");
    assert_recovered(&Law::of(form, [1.2, 300.0, 900.0, 0.34, 0.31, 2.0, 1.5, 0.8, 0.4, 0.7, 0.3]), form, points.clone());
    let form = JointMixture::of(&points).expect("shares");
    let joint = [1.2, 0.34, 0.31, 1.2, 0.8, 2.0, 1.5, 0.8, 0.4, 0.7, 0.3, 120.0, 180.0, 90.0, 4e3, 7e3, 3e3];
    assert_recovered(&Law::of(form, joint), form, points);
}

fn refusal(text: &str, law: &str) -> String {
    let (_folder, path) = support::table(text);
    support::refused(&["fit", &path.display().to_string(), "--law", law])
}

#[test]
fn a_law_whose_variable_no_run_carries_is_refused_with_the_columns_that_would_do() {
    let rows = |column: &str, cell: &dyn Fn(usize) -> String| {
        let row =
            |at: usize| format!("{},{},{},{}\n", 1e6 * 2f64.powi(at as i32), 1e8 * (at % 3 + 1) as f64, 4.0 - 0.1 * at as f64, cell(at));
        format!("params,tokens,loss,{column}\n") + &(0..12).map(row).collect::<String>()
    };
    let none = |_: usize| "x".to_owned();
    assert!(refusal(&rows("note", &none), "clark").contains("`experts`, or `num_experts`"));
    assert!(refusal(&rows("note", &none), "precision").contains("`bits`, or `weight_bits`"));
    assert!(refusal(&rows("note", &none), "width-depth").contains("`width`, or `d_model`"));
    assert!(refusal(&rows("note", &none), "mixture").contains("`share_NAME`, one for each part of the data"));
    // What cannot be meant.
    let above = refusal(&rows("share_code", &|at| format!("{}", at as f64 * 0.1)), "mixture");
    assert!(above.contains("share_code = 1.1") && above.contains("between 0 and 1"), "{above}");
    let zero = refusal(&rows("experts", &|at| format!("{}", at % 2)), "clark");
    assert!(zero.contains("experts = 0"), "{zero}");
    let still = refusal(&rows("experts", &|_| "1".to_owned()), "clark");
    assert!(still.contains("all 12 runs have the same experts"), "{still}");
}

#[test]
fn width_and_depth_that_move_together_are_refused() {
    let row = |at: usize| {
        let (width, layers) = (64 << (at % 6), 2 << (at % 6));
        format!("{},{},{},{width},{layers}\n", 12 * layers * width * width, 1e8 * (at % 4 + 1) as f64, 4.0 - 0.1 * (at % 6) as f64)
    };
    let text = String::from("params,tokens,loss,d_model,n_layers\n") + &(0..24).map(row).collect::<String>();
    let error = refusal(&text, "width-depth");
    assert!(error.contains("width and layers move together") && error.contains("differ in one of them alone"), "{error}");
}
