//! Known laws are recovered from runs without noise, by every estimator and both searches.

use scalelab::fit::{Estimator, FitOptions, FitStatus, Floor, Search, chinchilla, power_law};
use scalelab::law::{Axis, Chinchilla, Design, Evidence, Law, Noise, PowerLaw, simulate};

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

#[test]
fn powers_of_one_variable_are_recovered_to_a_millionth() {
    for axis in [Axis::N, Axis::D, Axis::C] {
        for (floor, truth) in [
            (Floor::Free, PowerLaw { axis, floor: Some(1.5), factor: 60.0, exponent: 0.21 }),
            (Floor::Zero, PowerLaw { axis, floor: None, factor: 20.0, exponent: 0.05 }),
        ] {
            let evidence = Evidence::as_given(simulate(&truth, &Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0), Noise::default(), 0));
            for estimator in ESTIMATORS {
                let fitted =
                    power_law(axis, floor, &evidence, &FitOptions { estimator, refits: 0, ..FitOptions::default() }).expect("a fit");
                assert_eq!(fitted.status, FitStatus::Converged, "{estimator} {:?} {:?}", fitted.law, fitted.diagnostics);
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
    let evidence = Evidence::as_given(simulate(
        &truth,
        &Design::grid(&[1e6, 1e7, 1e8, 1e9], &[1e9, 2e9], scalelab::law::Sharing::Independent),
        Noise::default(),
        0,
    ));
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
