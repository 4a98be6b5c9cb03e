//! Known laws are recovered from runs without noise, by every estimator and both searches.

use scalelab::fit::{Estimator, FitOptions, FitStatus, Search, fit};
use scalelab::law::{
    Additive, Axis, Chinchilla, Coefficient, Curve, CurveStep, DataConstrained, Design, Evidence, Formula, Gamma, Kaplan, Law, Noise,
    Number, Place, Point, PowerLaw, Sharing, ThreeTerm, Variable, repeated, simulate,
};

/// Three surfaces as in Czech 2603.22339: symmetric, Chinchilla's, and with exponents a factor three apart.
fn truths() -> [Chinchilla; 3] {
    [
        Chinchilla { e: 1.69, a: 400.0, b: 400.0, alpha: 0.31, beta: 0.31 },
        Chinchilla { e: 1.69, a: 406.4, b: 410.7, alpha: 0.34, beta: 0.28 },
        Chinchilla { e: 1.69, a: 2000.0, b: 20.0, alpha: 0.465, beta: 0.155 },
    ]
}

const ESTIMATORS: [Estimator; 4] =
    [Estimator::HuberLog { delta: 1e-3 }, Estimator::LeastSquaresLog, Estimator::LeastSquares, Estimator::AbsoluteLog];

#[test]
fn chinchilla_is_recovered_to_a_millionth_by_every_estimator_and_search() {
    for truth in truths() {
        let truth = Law::from(truth);
        assert_recovered(&truth, simulate(&truth, &Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0), Noise::default(), 0));
    }
}

/// Both searches under every estimator end at the truth, to a millionth of each coefficient.
fn assert_recovered(truth: &Law, points: Vec<Point>) {
    let evidence = Evidence::as_given(points);
    for estimator in ESTIMATORS {
        for search in [Search::VarproOnly, Search::LbfgsOnly] {
            let options = FitOptions { estimator, search, refits: 0, ..FitOptions::default() };
            let fitted = fit(truth, &evidence, &options).expect("a fit");
            assert_eq!(fitted.status, FitStatus::Converged, "{estimator} {search:?} {:?} {:?}", fitted.law, fitted.diagnostics);
            for (found, known) in fitted.law.theta().iter().zip(truth.theta()) {
                assert!((found / known - 1.0).abs() < 1e-6, "{estimator} {search:?}: {:?} for {truth:?}", fitted.law);
            }
        }
    }
}

fn wide_grid() -> Design {
    Design::grid(&[1e6, 1e7, 1e8, 1e9, 1e10], &[1e8, 1e9, 1e10, 1e11], Sharing::Independent)
}

#[test]
fn a_law_with_an_outer_exponent_is_recovered() {
    for (gamma, surface) in [0.35, 0.7, 1.6].into_iter().zip(truths()) {
        // The reducible loss stays near one nat in the middle of the data whatever γ.
        let scale = f64::powf(0.8, 1.0 / gamma) / 0.8;
        let truth = Law::of(Gamma, [surface.e, scale * surface.a, scale * surface.b, surface.alpha, surface.beta, gamma]);
        assert_recovered(&truth, simulate(&truth, &wide_grid(), Noise::default(), 0));
    }
}

#[test]
fn the_joint_law_of_kaplan_is_recovered() {
    for (alpha_n, alpha_d) in [(0.076, 0.103), (0.2, 0.2), (0.12, 0.3)] {
        let [n_c, d_c, ..] = Kaplan::PUBLISHED;
        let truth = Law::of(Kaplan, [n_c, d_c, alpha_n, alpha_d]);
        assert_recovered(&truth, simulate(&truth, &wide_grid(), Noise::default(), 0));
    }
}

#[test]
fn the_worth_of_repeated_data_is_recovered() {
    for (surface, (r_d, r_n)) in truths().into_iter().zip([(15.4, 5.3), (4.0, 2.0), (40.0, 11.0)]) {
        let truth = Law::of(DataConstrained { base: surface }, [r_d, r_n]);
        let at = |n: f64, epochs: f64| repeated(n, 1e9 * epochs, 1e9);
        let mut points: Vec<Point> =
            [3e7, 1e8, 1e9, 4e9].into_iter().flat_map(|n| [1.0, 2.0, 5.0, 12.0, 40.0, 100.0].map(|epochs| at(n, epochs))).collect();
        points.iter_mut().for_each(|p| p.loss = truth.loss(p));
        assert_recovered(&truth, points);
    }
}

#[test]
fn the_law_of_size_batch_and_steps_is_recovered() {
    for (alpha, beta, gamma) in [(0.34, 0.4, 0.45), (0.3, 0.3, 0.3), (0.5, 0.25, 0.6)] {
        let truth = Law::of(ThreeTerm, [1.7, 400.0, 30.0, 30.0, alpha, beta, gamma]);
        let mut points = Vec::new();
        for n in [1e6, 1e7, 1e8] {
            for batch in [1e4, 1e5, 1e6] {
                for steps in [1e3, 5e3, 2.5e4] {
                    let place = Point { batch: Some(batch), steps: Some(steps), ..Point::new(n, batch * steps, 1.0) };
                    points.push(Point { loss: truth.loss(&place), ..place });
                }
            }
        }
        assert_recovered(&truth, points);
    }
}

#[test]
fn powers_of_one_variable_are_recovered_to_a_millionth() {
    for axis in [Axis::N, Axis::D, Axis::C] {
        // Terms are of the size of the loss in the middle of the runs.
        let law = |floor: Option<f64>, exponent: f64| {
            let middle: f64 = match axis {
                Axis::N => 1e8,
                Axis::D => 1e10,
                Axis::C => 1e18,
            };
            let theta: Vec<f64> = floor.into_iter().chain([1.5 * middle.powf(exponent), exponent]).collect();
            Law::of(PowerLaw { axis, floor: floor.is_some() }, theta)
        };
        for truth in [law(Some(1.5), 0.21), law(Some(0.8), 0.3), law(Some(2.2), 0.12), law(None, 0.05), law(None, 0.1), law(None, 0.2)] {
            assert_recovered(&truth, simulate(&truth, &Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0), Noise::default(), 0));
        }
    }
}

#[test]
fn units_of_weights_and_tokens_do_not_change_exponents_or_floor() {
    let noisy = simulate(&truths()[1].into(), &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.01, cluster: 0.0 }, 3);
    let fitted = |by_n: f64, by_d: f64| {
        let scaled = noisy.iter().cloned().map(|mut p| {
            p.n /= by_n;
            p.d /= by_d;
            p
        });
        let options = FitOptions { search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let found = fit(&Additive.into(), Evidence::as_given(scaled.collect()), &options).expect("a fit").law;
        Chinchilla::from_coefficients(found.theta())
    };
    let (plain, millions) = (fitted(1.0, 1.0), fitted(1e6, 1e9));
    for (left, right) in [(plain.e, millions.e), (plain.alpha, millions.alpha), (plain.beta, millions.beta)] {
        assert!((left / right - 1.0).abs() < 1e-7, "{plain:?} {millions:?}");
    }
}

#[test]
fn a_fit_is_the_same_whatever_the_number_of_threads() {
    let points = simulate(&truths()[1].into(), &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.01, cluster: 0.0 }, 3);
    let fitted = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let options = FitOptions { refits: 50, ..FitOptions::default() };
        let found = pool.install(|| fit(&Additive.into(), Evidence::as_given(points.clone()), &options)?.at(0.95)).expect("a fit");
        serde_json::to_string(&found).expect("serializes")
    };
    assert_eq!(fitted(1), fitted(3));
}

#[test]
fn a_floor_that_the_data_do_not_need_is_reported_at_its_bound() {
    let truth = Law::of(PowerLaw { axis: Axis::N, floor: false }, [20.0, 0.05]);
    let evidence =
        Evidence::as_given(simulate(&truth, &Design::grid(&[1e6, 1e7, 1e8, 1e9], &[1e9, 2e9], Sharing::Independent), Noise::default(), 0));
    // Bent the other way, so that no positive floor can help.
    let bent = evidence.points.iter().cloned().map(|mut p| {
        p.loss *= (-0.01 * (p.n.ln() - 17.0).powi(2)).exp();
        p
    });
    let form = PowerLaw { axis: Axis::N, floor: true }.into();
    let options = FitOptions { refits: 0, ..FitOptions::default() };
    let fitted = fit(&form, evidence.with_points(bent.collect()), &options).expect("a fit");
    assert_eq!(fitted.status, FitStatus::AtBound, "{:?}", fitted.law);
    assert_eq!(fitted.law.floor(), Some(0.0));
    assert!(fitted.warnings[0].starts_with("E "), "{:?}", fitted.warnings);
}

/// L = E + A·(Σ η)^(−α) along the learning rates that led to a point, times a covariate to a power: a law of a whole curve.
#[derive(Debug)]
struct Annealed;

impl Formula for Annealed {
    fn name(&self) -> &'static str {
        "annealed"
    }
    fn text(&self) -> &'static str {
        "L = E + A/(sum of learning rates)^alpha * share^nu"
    }
    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::positive("A", 1e-6..1e6, &[0.03, 0.1, 0.3, 1.0, 3.0]),
                Coefficient::positive("alpha", 1e-3..10.0, &[0.1, 0.2, 0.4, 0.8]),
                Coefficient::free("nu", &[-0.4, -0.2, 0.0, 0.2, 0.4]),
            ]
        }
    }
    fn variables(&self) -> &'static [Variable] {
        &[Variable::Named("share")]
    }
    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let rates = at.read(|point| point.curve.iter().flat_map(|curve| &curve.steps).map(|step| step.learning_rate).sum());
        c[0] + c[1] * (c[3] * at.ln(Variable::Named("share")) - c[2] * rates.ln()).exp()
    }
}

#[test]
fn a_law_may_take_a_whole_curve_and_covariates_by_name() {
    let truth = Law::of(Annealed, [1.8, 0.9, 0.35, -0.25]);
    let mut points = Vec::new();
    for (steps, share) in [100, 300, 900, 2700].into_iter().flat_map(|steps| [0.1, 0.3, 0.9].map(|share| (steps, share))) {
        let rate = |step: usize| 1e-3 * (1.0 - step as f64 / steps as f64);
        let steps = (0..steps).map(|step| CurveStep { tokens: step as f64, learning_rate: rate(step) }).collect();
        let curve = Some(std::sync::Arc::new(Curve { steps }));
        let place = Point { curve, covariates: vec![("share".into(), share)], ..Point::new(1e6, 1e8, 1.0) };
        points.push(Point { loss: truth.loss(&place), ..place });
    }
    assert_recovered(&truth, points.clone());
    points[0].covariates.clear();
    let error = fit(&truth, Evidence::as_given(points), &FitOptions::default()).expect_err("one lacks its share");
    assert!(error.to_string().contains("share"), "{error}");
}
