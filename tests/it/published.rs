//! Optima published for runs of others, reached to the digits shown. The runs are not part of this
//! repository: they are read from `../shared/published` beside it, and a test that cannot find them says that it is skipped.

use crate::support;
use scalelab::fit::{Estimator, Fit, FitOptions, FitStatus, Interpolator, IsoflopOptions, Quantity, Search, fit, isoflop, profiles};
use scalelab::law::{Additive, Chinchilla, ComputeCount, DataConstrained, Evidence, Law, Point, formula, published as published_law};
use scalelab::spec::Flops;

/// Rows of a published table as (column → text), or `None` after saying that the folder is absent.
#[expect(clippy::disallowed_methods, reason = "a test that reads data beside the repository")]
fn published(file: &str) -> Option<Vec<Vec<(String, String)>>> {
    let text = std::fs::read_to_string(support::published(file)?).expect("readable");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let row = |line: &str| header.iter().zip(line.split(',')).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect();
    Some(lines.map(row).collect())
}

fn field<'a>(row: &'a [(String, String)], name: &str) -> &'a str {
    row.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn number(row: &[(String, String)], name: &str) -> f64 {
    field(row, name).parse().expect("a number")
}

fn chinchilla_points(all: bool) -> Option<Evidence> {
    let rows = published("chinchilla_epoch.csv")?;
    let used = rows.iter().filter(|row| all || field(row, "used_in_published_fit") == "1");
    let point = |row: &Vec<(String, String)>| Point {
        c: number(row, "flops"),
        ..Point::new(number(row, "params"), number(row, "tokens"), number(row, "loss"))
    };
    Some(Evidence::as_given(used.map(point).collect()))
}

/// The additive law of points.
fn additive(evidence: &Evidence, options: &FitOptions) -> Fit {
    fit(&Additive.into(), evidence, options).expect("a fit")
}

fn law(fit: &Fit) -> Chinchilla {
    Chinchilla::from_coefficients(fit.law.theta())
}

fn options(estimator: Estimator) -> FitOptions {
    FitOptions { estimator, refits: 0, ..FitOptions::default() }
}

/// Both searches must agree, and the coefficients must be those given to half a unit of their last digit.
fn assert_optimum(fitted: &Fit, objective: (f64, f64), coefficients: [(f64, f64); 5]) {
    let diagnostics = &fitted.diagnostics;
    assert_eq!(fitted.status, FitStatus::Converged, "{diagnostics:?}");
    assert!(diagnostics.agreement.expect("both searches") <= 1e-6, "{diagnostics:?}");
    assert!((fitted.objective - objective.0).abs() <= objective.1, "{} for {}", fitted.objective, objective.0);
    let law = law(fitted);
    for (found, (expected, digit)) in [law.a, law.b, law.e, law.alpha, law.beta].into_iter().zip(coefficients) {
        assert!((found - expected).abs() <= digit, "{found} for {expected} in {law:?}");
    }
}

#[test]
fn huber_optima_of_the_240_points_are_reached_for_three_deltas() {
    let Some(evidence) = chinchilla_points(false) else { return };
    assert_eq!(evidence.points.len(), 240);
    let fitted = additive(&evidence, &options(Estimator::default()));
    assert_optimum(
        &fitted,
        (1.018274018e-3, 5e-13),
        [(477.826, 5e-4), (2143.417, 5e-4), (1.81722, 5e-6), (0.347310, 6e-7), (0.367172, 6e-7)],
    );
    // β/(α+β) of the published digits is .513900; the .51393 printed beside them is not.
    assert!((law(&fitted).params_exponent() - 0.513900).abs() < 1e-6);
    let fitted = additive(&evidence, &options(Estimator::HuberLog { delta: 1e-4 }));
    assert_optimum(&fitted, (1.1177875e-4, 5e-12), [(478.689, 5e-4), (2065.41, 5e-3), (1.81582, 5e-6), (0.34741, 5e-6), (0.36538, 5e-6)]);
    let fitted = additive(&evidence, &options(Estimator::HuberLog { delta: 1e-2 }));
    assert_optimum(&fitted, (4.6962249e-3, 5e-11), [(538.75, 5e-3), (2905.60, 5e-3), (1.83808, 5e-6), (0.35442, 5e-6), (0.38154, 5e-6)]);
}

#[test]
fn least_squares_of_log_loss_on_the_240_points_is_reached() {
    let Some(evidence) = chinchilla_points(false) else { return };
    let fitted = additive(&evidence, &options(Estimator::LeastSquaresLog));
    // The published objective is Σ r²/2; ours is Σ r².
    assert_optimum(
        &fitted,
        (2.0 * 5.7309435e-3, 1e-10),
        [(593.32, 5e-3), (4875.64, 5e-3), (1.86455, 5e-6), (0.36025, 5e-6), (0.40588, 5e-6)],
    );
}

#[test]
fn the_least_absolute_deviation_of_the_240_points_is_the_widely_quoted_482_and_2085() {
    let Some(evidence) = chinchilla_points(false) else { return };
    let fitted = additive(&evidence, &options(Estimator::AbsoluteLog));
    assert_optimum(
        &fitted,
        (1.1294946536, 5e-11),
        [(482.006, 5e-4), (2085.436, 5e-4), (1.816864, 5e-7), (0.347813, 5e-7), (0.365854, 5e-7)],
    );
}

#[test]
fn the_five_worst_points_move_the_optimum_as_published() {
    let Some(evidence) = chinchilla_points(true) else { return };
    assert_eq!(evidence.points.len(), 245);
    let fitted = additive(&evidence, &options(Estimator::default()));
    assert_optimum(&fitted, (1.82601052e-3, 5e-12), [(495.73, 5e-3), (12845.6, 5e-2), (1.89134, 5e-6), (0.34931, 5e-6), (0.45305, 5e-6)]);
    assert!((law(&fitted).params_exponent() - 0.5646).abs() < 5e-5);
}

#[test]
fn linear_loss_gives_another_exponent_than_huber_on_the_same_points() {
    let Some(evidence) = chinchilla_points(false) else { return };
    // arXiv 2404.10102's points under 2603.22339's estimator: a .5446 where Huber gives .5139.
    let fitted = additive(&evidence, &options(Estimator::LeastSquares));
    assert_eq!(fitted.status, FitStatus::Converged);
    assert!((law(&fitted).e - 1.88281).abs() < 6e-6 && (law(&fitted).params_exponent() - 0.5446).abs() < 5e-5, "{:?}", fitted.law);
}

#[test]
fn bootstrap_intervals_of_the_240_points_are_those_published() {
    let Some(evidence) = chinchilla_points(false) else { return };
    let fitted = additive(&evidence, &FitOptions { refits: 400, ..FitOptions::default() });
    let fitted = fitted.at(0.95).expect("a level");
    let a = fitted.derived.get("a").expect("derived");
    // Published from 200 refits: standard error .0195, interval (.483, .565); 200 refits know a standard error to 5 % and
    // an end of the interval to about .004.
    assert!((a.se().expect("known") - 0.0195).abs() < 0.003, "{a:?}");
    assert!((a.low() - 0.483).abs() < 0.01 && (a.high() - 0.565).abs() < 0.01, "{a:?}");
    assert_eq!(fitted.diagnostics.failed_refits, 0);
}

#[test]
fn the_profile_of_a_under_least_squares_of_log_loss_holds_its_bootstrap() {
    let Some(evidence) = chinchilla_points(false) else { return };
    let fitted = additive(&evidence, &FitOptions { refits: 300, ..options(Estimator::LeastSquaresLog) });
    let exponent = Quantity::params_exponent(1e21, &ComputeCount::Bilinear { k: 6.0 });
    let all = profiles(&fitted, 0.95, std::slice::from_ref(&exponent)).expect("profiles");
    let (profile, bootstrap) = (all.get("a").expect("profiled").profile, fitted.by_refits(&exponent, 0.95));
    assert!(profile.low() < law(&fitted).params_exponent() && law(&fitted).params_exponent() < profile.high());
    // Tails heavier than normal widen a bootstrap over runs; the two agree within a factor of two.
    let ratio = (profile.high() - profile.low()) / (bootstrap.high() - bootstrap.low());
    assert!((0.5..2.0).contains(&ratio), "{profile:?} {bootstrap:?}");
}

#[test]
fn parabolas_at_nine_nominal_budgets_agree_with_the_exponent_published_for_them() {
    let Some(evidence) = chinchilla_points(false) else { return };
    let budgets = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21].map(Flops);
    let fit = isoflop(&evidence.at_budgets(&budgets), &IsoflopOptions::default()).expect("profiles");
    let a = fit.params.exponent;
    // Published .4945 ± .025 from the same runs; how budgets were weighted, and whether edges were dropped, is not said
    // there. Ours weights optima by their errors and drops one edge: two standard errors of the difference are allowed.
    assert!(
        (a.value - 0.4945).abs() < 2.0 * a.se().expect("known").hypot(0.025),
        "{a:?} from {} profiles, {:?}",
        fit.profiles.len(),
        fit.dropped
    );
}

/// The runs of Farseer (2506.10972), losses in bits per byte.
fn farseer_points(file: &str) -> Option<Evidence> {
    let point = |row: &Vec<(String, String)>| Point::new(number(row, "N"), number(row, "D"), number(row, "loss"));
    Some(Evidence::as_given(published(file)?.iter().map(point).collect()))
}

/// R² of runs under a law.
fn explained(law: &Law, points: &[Point]) -> f64 {
    let mean = points.iter().map(|p| p.loss).sum::<f64>() / points.len() as f64;
    let spread: f64 = points.iter().map(|p| (p.loss - mean).powi(2)).sum();
    1.0 - points.iter().map(|p| (law.loss(p) - p.loss).powi(2)).sum::<f64>() / spread
}

/// Least squares of L or of ln L of the 404 runs, and R² of the seven larger ones that no fit saw. The sums of 3.847e-4 and 1.0867e-3
/// that are told of Farseer's law are those of one whose D is in units of its geometric mean: in tokens thousands of starts of another
/// program end no lower than here.
#[test]
fn laws_of_farseers_runs_reach_their_least_squares_and_forecast_the_larger_runs() {
    let (Some(seen), Some(larger)) = (farseer_points("farseer_train.csv"), farseer_points("farseer_test.csv")) else { return };
    let cases = [
        ("chinchilla", Estimator::LeastSquares, 9.1124e-3, -2.55),
        ("gamma", Estimator::LeastSquares, 8.478e-4, 0.85),
        ("farseer", Estimator::LeastSquares, 4.4018e-4, 0.927),
        ("farseer", Estimator::LeastSquaresLog, 1.25616e-3, 0.934),
        ("farseer-scaled", Estimator::LeastSquares, 3.8472e-4, 0.936),
        ("farseer-scaled", Estimator::LeastSquaresLog, 1.08667e-3, 0.938),
    ];
    for (name, estimator, squares, r2) in cases {
        let options = FitOptions { search: Search::VarproOnly, ..options(estimator) };
        let fitted = fit(&Law::unfitted(formula(name).expect("listed")), seen.clone(), &options).expect("a fit");
        let found = fitted.objective;
        assert!((found / squares - 1.0).abs() < 1e-4, "{name}, {estimator}: {found:e}");
        let explained = explained(&fitted.law, &larger.points);
        assert!((explained - r2).abs() < 0.006, "{name}, {estimator}: {explained}");
        if name == "farseer-scaled" {
            assert!(explained >= 0.93 && found <= if estimator == Estimator::LeastSquares { 3.85e-4 } else { 1.087e-3 });
        }
        if name == "gamma" {
            let exponent = fitted.law.get("gamma").expect("fitted");
            assert!((exponent - 0.5065).abs() < 5e-5, "{exponent}");
        }
    }
}

/// 2406.19146: exponent of N* with its 95 % interval for each configuration.
const PORIAN: [(&str, f64, f64); 15] = [
    ("rw/base/long/kaplan/kaplan/train", 0.824, 0.846),
    ("rw/base/long/kaplan/standard/val", 0.691, 0.717),
    ("rw/base/short/kaplan/standard/val", 0.591, 0.617),
    ("rw/base/short/chinchilla/standard/val", 0.560, 0.589),
    ("rw/tuned/short/const/standard/val", 0.491, 0.505),
    ("owt2/base/long/kaplan/kaplan/train", 0.819, 0.897),
    ("owt2/base/long/kaplan/standard/val", 0.664, 0.724),
    ("owt2/base/short/kaplan/standard/val", 0.570, 0.629),
    ("owt2/base/short/chinchilla/standard/val", 0.542, 0.606),
    ("owt2/tuned/short/const/standard/val", 0.493, 0.541),
    ("rw/tuned/long/const/kaplan/train", 0.703, 0.721),
    ("rw/base/long/kaplan/attention/train", 0.703, 0.727),
    ("rw/base/short/kaplan/attention/train", 0.607, 0.632),
    ("rw/base/short/chinchilla/attention/train", 0.562, 0.592),
    ("rw/tuned/short/const/attention/train", 0.496, 0.512),
];

#[test]
fn exponents_of_porian_by_akima_lie_inside_their_published_intervals() {
    let Some(rows) = published("porian_isoflop.csv") else { return };
    let configuration = |row: &Vec<(String, String)>| {
        ["dataset", "hparams", "warmup", "decay", "param_count", "loss_kind"].map(|name| field(row, name)).join("/")
    };
    let mut outside = Vec::new();
    for (name, low, high) in PORIAN {
        let point = |row: &Vec<(String, String)>| Point {
            c: number(row, "flops"),
            ..Point::new(number(row, "params"), number(row, "tokens"), number(row, "loss"))
        };
        let points: Vec<Point> = rows.iter().filter(|row| configuration(row) == name).map(point).collect();
        let options = IsoflopOptions { interpolator: Interpolator::Akima, ..IsoflopOptions::default() };
        let fit = isoflop(&Evidence::as_given(points), &options).expect("profiles");
        let a = fit.params.exponent.value;
        if !(low..=high).contains(&a) {
            outside.push(format!("{name}: {a:.4} outside [{low}, {high}], {} profiles", fit.profiles.len()));
        }
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

#[test]
fn the_worth_of_repeated_data_on_c4_reaches_the_best_basin_known() {
    let Some(rows) = published("datablations_c4.csv") else { return };
    let used = rows.iter().filter(|row| field(row, "used_in_published_fit") == "1");
    let point = |row: &Vec<(String, String)>| Point {
        c: number(row, "flops"),
        unique_tokens: Some(number(row, "unique_tokens")),
        ..Point::new(number(row, "params"), number(row, "tokens"), number(row, "loss"))
    };
    let evidence = Evidence::as_given(used.map(point).collect());
    assert_eq!(evidence.points.len(), 182);
    let form = DataConstrained { base: published_law("datablations").expect("listed").law }.into();
    let fitted = fit(&form, &evidence, &FitOptions { refits: 200, ..FitOptions::default() }).expect("a fit");
    let fitted = fitted.at(0.95).expect("a level");
    // 2305.16264 stopped at 15.388, 5.310 with .0158259353; .0158046625 at 95.365, 1.7059 is the best known.
    assert!(fitted.objective <= 0.015_804_67, "{:?}", fitted.diagnostics.basins);
    assert!((fitted.law.theta()[0] / 95.365 - 1.0).abs() < 1e-3 && (fitted.law.theta()[1] / 1.7059 - 1.0).abs() < 1e-3, "{:?}", fitted.law);
    let published =
        fitted.diagnostics.basins.iter().find(|basin| (0.015_825_92..=0.015_825_935_3).contains(&basin.objective)).expect("listed");
    assert!((published.theta[0] - 15.388).abs() < 0.05 && (published.theta[1] - 5.310).abs() < 0.05, "{published:?}");
    // Published bootstrap of R_D*: 6.5 to unbounded. The data do not say how much repeated tokens are worth in the end.
    let r_d = fitted.coefficients.get("R_D*").expect("fitted");
    assert!(r_d.low() < 12.0 && r_d.high().is_infinite(), "{r_d:?}");
}
