//! Known laws are recovered from runs without noise, by every estimator and both searches.

use scalelab::fit::{Estimator, FitOptions, FitStatus, Fittable, Floor, Search, chinchilla, fit, power_law};
use scalelab::law::{
    Axis, Chinchilla, DataConstrained, Design, Evidence, Gamma, Kaplan, Law, Noise, Point, PowerLaw, Sharing, ThreeTerm, simulate,
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
        let points = simulate(&truth, &Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0), Noise::default(), 0);
        let evidence = Evidence::as_given(points);
        for estimator in ESTIMATORS {
            for search in [Search::VarproOnly, Search::LbfgsOnly] {
                let options = FitOptions { estimator, search, refits: 0, ..FitOptions::default() };
                let fitted = chinchilla(&evidence, &options).expect("a fit");
                assert_eq!(fitted.status, FitStatus::Converged, "{estimator} {search:?} {:?}", fitted.diagnostics);
                for (found, known) in fitted.law.theta().into_iter().zip(truth.theta()) {
                    assert!((found / known - 1.0).abs() < 1e-6, "{estimator} {search:?}: {:?} for {truth:?}", fitted.law);
                }
            }
        }
    }
}

/// Both searches under every estimator end at the truth, to a millionth of each coefficient.
fn assert_recovered<L: Fittable>(truth: &L, points: Vec<Point>) {
    let evidence = Evidence::as_given(points);
    for estimator in ESTIMATORS {
        for search in [Search::VarproOnly, Search::LbfgsOnly] {
            let options = FitOptions { estimator, search, refits: 0, ..FitOptions::default() };
            let fitted = fit(truth, &evidence, &options).expect("a fit");
            assert_eq!(fitted.status, FitStatus::Converged, "{estimator} {search:?} {:?} {:?}", fitted.law, fitted.diagnostics);
            for (found, known) in fitted.law.theta().into_iter().zip(truth.theta()) {
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
        let truth = Gamma { e: surface.e, a: scale * surface.a, b: scale * surface.b, alpha: surface.alpha, beta: surface.beta, gamma };
        assert_recovered(&truth, simulate(&truth, &wide_grid(), Noise::default(), 0));
    }
}

#[test]
fn the_joint_law_of_kaplan_is_recovered() {
    for (alpha_n, alpha_d) in [(0.076, 0.103), (0.2, 0.2), (0.12, 0.3)] {
        let truth = Kaplan { alpha_n, alpha_d, ..Kaplan::default() };
        assert_recovered(&truth, simulate(&truth, &wide_grid(), Noise::default(), 0));
    }
}

#[test]
fn the_worth_of_repeated_data_is_recovered() {
    for (surface, (r_d, r_n)) in truths().into_iter().zip([(15.4, 5.3), (4.0, 2.0), (40.0, 11.0)]) {
        let truth = DataConstrained { r_d, r_n, ..DataConstrained::on(surface) };
        let at = |n: f64, epochs: f64| Point { unique_tokens: Some(1e9), ..Point::new(n, 1e9 * epochs, 1.0) };
        let mut points: Vec<Point> =
            [3e7, 1e8, 1e9, 4e9].into_iter().flat_map(|n| [1.0, 2.0, 5.0, 12.0, 40.0, 100.0].map(|epochs| at(n, epochs))).collect();
        points.iter_mut().for_each(|p| p.loss = truth.at(p.n, p.d, 1e9));
        assert_recovered(&truth, points);
    }
}

#[test]
fn the_law_of_size_batch_and_steps_is_recovered() {
    for (alpha, beta, gamma) in [(0.34, 0.4, 0.45), (0.3, 0.3, 0.3), (0.5, 0.25, 0.6)] {
        let truth = ThreeTerm { alpha, beta, gamma, ..ThreeTerm::default() };
        let mut points = Vec::new();
        for n in [1e6, 1e7, 1e8] {
            for batch in [1e4, 1e5, 1e6] {
                for steps in [1e3, 5e3, 2.5e4] {
                    points.push(Point {
                        batch: Some(batch),
                        steps: Some(steps),
                        ..Point::new(n, batch * steps, truth.at(n, batch, steps))
                    });
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
            PowerLaw { axis, floor, factor: 1.5 * middle.powf(exponent), exponent }
        };
        for (floor, truth) in [
            (Floor::Free, law(Some(1.5), 0.21)),
            (Floor::Free, law(Some(0.8), 0.3)),
            (Floor::Free, law(Some(2.2), 0.12)),
            (Floor::Zero, law(None, 0.05)),
            (Floor::Zero, law(None, 0.1)),
            (Floor::Zero, law(None, 0.2)),
        ] {
            let evidence = Evidence::as_given(simulate(&truth, &Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0), Noise::default(), 0));
            for (estimator, search) in
                ESTIMATORS.into_iter().flat_map(|estimator| [Search::VarproOnly, Search::LbfgsOnly].map(|search| (estimator, search)))
            {
                let options = FitOptions { estimator, search, refits: 0, ..FitOptions::default() };
                let fitted = power_law(axis, floor, &evidence, &options).expect("a fit");
                assert_eq!(fitted.status, FitStatus::Converged, "{estimator} {search:?} {:?} {:?}", fitted.law, fitted.diagnostics);
                for (found, known) in fitted.law.theta().into_iter().zip(truth.theta()) {
                    assert!((found / known - 1.0).abs() < 1e-6, "{estimator}: {:?} for {truth:?}", fitted.law);
                }
            }
        }
    }
}

#[test]
fn units_of_weights_and_tokens_do_not_change_exponents_or_floor() {
    let noisy = simulate(&truths()[1], &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.01, cluster: 0.0 }, 3);
    let fit = |by_n: f64, by_d: f64| {
        let scaled = noisy.iter().cloned().map(|mut p| {
            p.n /= by_n;
            p.d /= by_d;
            p
        });
        let options = FitOptions { search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        chinchilla(&Evidence::as_given(scaled.collect()), &options).expect("a fit").law
    };
    let (plain, millions) = (fit(1.0, 1.0), fit(1e6, 1e9));
    for (left, right) in [(plain.e, millions.e), (plain.alpha, millions.alpha), (plain.beta, millions.beta)] {
        assert!((left / right - 1.0).abs() < 1e-7, "{plain:?} {millions:?}");
    }
}

#[test]
fn a_fit_is_the_same_whatever_the_number_of_threads() {
    let points = simulate(&truths()[1], &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.01, cluster: 0.0 }, 3);
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let options = FitOptions { refits: 50, ..FitOptions::default() };
        serde_json::to_string(&pool.install(|| chinchilla(&Evidence::as_given(points.clone()), &options)).expect("a fit"))
            .expect("serializes")
    };
    assert_eq!(fit(1), fit(3));
}

#[test]
fn a_floor_that_the_data_do_not_need_is_reported_at_its_bound() {
    let truth = PowerLaw { axis: Axis::N, floor: None, factor: 20.0, exponent: 0.05 };
    let evidence =
        Evidence::as_given(simulate(&truth, &Design::grid(&[1e6, 1e7, 1e8, 1e9], &[1e9, 2e9], Sharing::Independent), Noise::default(), 0));
    // Bent the other way, so that no positive floor can help.
    let bent = evidence.points.iter().cloned().map(|mut p| {
        p.loss *= (-0.01 * (p.n.ln() - 17.0).powi(2)).exp();
        p
    });
    let fitted = power_law(Axis::N, Floor::Free, &evidence.with_points(bent.collect()), &FitOptions { refits: 0, ..FitOptions::default() })
        .expect("a fit");
    assert_eq!(fitted.status, FitStatus::AtBound, "{:?}", fitted.law);
    assert_eq!(fitted.law.floor, Some(0.0));
    assert!(fitted.warnings[0].contains("E is at its bound 0"), "{:?}", fitted.warnings);
}
