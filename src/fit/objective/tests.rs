//! Objectives of every kind against sums over their points, and their derivatives against differences.

use super::*;
use crate::fit::Estimator;
use crate::law::{Additive, Axis, Chinchilla, Coefficient, Formula, Gamma, Number, Place, PowerLaw, ThreeTerm, Variable};
use crate::spec::Random;

/// Runs enough for three blocks and part of a group, with losses of a law and noise.
fn points(law: &Law, count: usize) -> Vec<Point> {
    let mut random = Random::new(4, "points");
    let one = |_| {
        let mut ln = |low: f64, high: f64| (low + (high - low) * random.uniform()).exp();
        let (n, batch, steps) = (ln(14.0, 22.0), ln(9.0, 14.0), ln(7.0, 12.0));
        let mut point = Point { batch: Some(batch), steps: Some(steps), ..Point::new(n, batch * steps, 1.0) };
        point.loss = law.loss(&point) * (0.02 * random.normal()).exp();
        point.weight = 0.5 + random.uniform();
        point
    };
    (0..count).map(one).collect()
}

fn three_term() -> Law {
    Law::of(ThreeTerm, [1.7, 400.0, 30.0, 30.0, 0.34, 0.4, 0.4])
}

fn direct_loss(estimator: Estimator, prediction: f64, loss: f64) -> f64 {
    match estimator {
        Estimator::HuberLog { delta } => {
            let r = (prediction / loss).ln().abs();
            if r <= delta { 0.5 * r * r } else { delta * (r - 0.5 * delta) }
        }
        Estimator::LeastSquaresLog => (prediction / loss).ln().powi(2),
        Estimator::LeastSquares => (prediction - loss).powi(2),
        Estimator::AbsoluteLog => (prediction / loss).ln().abs(),
    }
}

fn check(law: &Law) {
    let points = points(law, 37);
    let objective = Objective::new(law, &points);
    let phi = objective.to_phi(law.theta());
    let theta = objective.to_theta(&phi);
    assert!(theta.iter().zip(law.theta()).all(|(left, right)| (left / right - 1.0).abs() < 1e-9), "{theta:?}");
    for estimator in [Estimator::HuberLog { delta: 0.013 }, Estimator::LeastSquaresLog, Estimator::LeastSquares] {
        let loss = ResidualLoss::of(estimator, 1.0);
        let here = objective.evaluate(loss, &phi, Order::Hessian);
        let direct: f64 = points.iter().map(|p| p.weight * direct_loss(estimator, law.loss(p), p.loss)).sum();
        assert!((here.value / direct - 1.0).abs() < 1e-10, "{} {direct}", here.value);
        assert!((objective.evaluate(loss, &phi, Order::Value).value / direct - 1.0).abs() < 1e-10);
        for j in 0..objective.dim() {
            let moved = |by: f64| {
                let mut moved = phi.clone();
                moved[j] += by;
                objective.evaluate(loss, &moved, Order::Gradient)
            };
            let (up, down) = (moved(1e-6), moved(-1e-6));
            let slope = (up.value - down.value) / 2e-6;
            assert!((slope - here.gradient[j]).abs() < 1e-6 * (1.0 + slope.abs()), "{estimator} {j}: {slope} {}", here.gradient[j]);
            for k in 0..objective.dim() {
                let bend = (up.gradient[k] - down.gradient[k]) / 2e-6;
                // Huber's second derivative jumps where a residual crosses δ; none does within 1e-6 here.
                let found = here.hessian[j][k];
                assert!((bend - found).abs() < 1e-5 * (1.0 + bend.abs()), "{estimator} {j} {k}: {bend} {found}");
            }
        }
    }
}

#[test]
fn derivatives_of_every_objective_are_those_of_finite_differences() {
    check(&Chinchilla::default().into());
    check(&Law::of(PowerLaw { axis: Axis::C, floor: true }, [1.8, 40.0, 0.1]));
    check(&Law::of(PowerLaw { axis: Axis::N, floor: false }, [10.0, 0.07]));
    check(&three_term());
    check(&Law::of(Gamma, [1.7, 4e4, 9e4, 0.34, 0.28, 0.5]));
}

/// Twenty-four coefficients: a floor, eleven factors, and their exponents, all of N and D in turn.
#[derive(Debug)]
struct Many;

impl Formula for Many {
    fn name(&self) -> &'static str {
        "many"
    }
    fn text(&self) -> &'static str {
        "a floor and eleven and a half powers"
    }
    fn coefficients(&self) -> &'static [Coefficient] {
        const fn all() -> [Coefficient; 24] {
            let mut all = [const { Coefficient::floor("E") }; 24];
            let mut k = 1usize;
            while k < 12 {
                let of = if k.is_multiple_of(2) { Variable::N } else { Variable::D };
                all[k] = Coefficient::factor("A", of, 12 + k);
                all[12 + k] = Coefficient::exponent("s", of);
                k += 1;
            }
            all[12] = Coefficient::positive("scale", 1e-3..1e3, &[0.3, 1.0, 3.0]);
            all
        }
        const { &all() }
    }
    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D]
    }
    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let power = |k: usize| c[k] * at.power(if k.is_multiple_of(2) { Variable::N } else { Variable::D }, c[12 + k]);
        c[0] + c[12] * (1..12).map(power).reduce(|sum, part| sum + part).unwrap_or(c[0])
    }
}

#[test]
fn a_law_may_have_twenty_four_coefficients() {
    let exponent = |k: usize| 0.1 + 0.03 * k as f64;
    let theta: Vec<f64> = (0..24)
        .map(|j| match j {
            0 => 1.5,
            1..12 => 0.2 * 1e8f64.powf(exponent(j)),
            12 => 1.0,
            _ => exponent(j - 12),
        })
        .collect();
    check(&Law::of(Many, theta));
}

#[test]
fn the_grid_of_starts_is_that_of_hoffmann() {
    let starts = |form: Law| {
        let law = form.with_theta(&vec![0.5; form.theta().len()]);
        Objective::new(&law, &points(&law, 37)).starts().len()
    };
    assert_eq!(starts(Additive.into()), 4500);
    assert_eq!(starts(PowerLaw { axis: Axis::C, floor: true }.into()), 150);
    assert_eq!(starts(PowerLaw { axis: Axis::C, floor: false }.into()), 30);
}

#[test]
fn starts_of_many_coefficients_are_spread_over_all_combinations() {
    let axes = vec![vec![0.0, 1.0, 2.0]; 12];
    let some = combinations(&axes, 500);
    assert_eq!(some.len(), 500);
    for k in 0..12 {
        for value in [0.0, 1.0, 2.0] {
            let part = some.iter().filter(|phi| phi[k] == value).count();
            assert!((120..=215).contains(&part), "value {value} of axis {k} {part} times");
        }
    }
    assert_eq!(combinations(&axes[..2], 500).len(), 9);
}

#[test]
fn long_data_are_summed_as_short_ones() {
    for law in [Law::from(Chinchilla::default()), Law::of(Gamma, [1.7, 4e4, 9e4, 0.34, 0.28, 0.5])] {
        let points: Vec<Point> = points(&law, 37).into_iter().cycle().take(40_000).collect();
        let objective = Objective::new(&law, &points);
        let phi = objective.to_phi(law.theta());
        let loss = ResidualLoss::of(Estimator::default(), 1.0);
        let whole = objective.evaluate(loss, &phi, Order::Hessian);
        let apart = (0..4).map(|quarter| objective.reweighted(|at| if at % 4 == quarter { points[at].weight } else { 0.0 }));
        let parts = apart.map(|part| part.evaluate(loss, &phi, Order::Hessian)).reduce(Evaluation::plus).expect("four");
        assert!((whole.value / parts.value - 1.0).abs() < 1e-12);
        assert!((whole.hessian[3][4] / parts.hessian[3][4] - 1.0).abs() < 1e-9);
    }
}

#[test]
fn reweighted_squares_are_those_of_gauss_and_newton_over_several_blocks_and_three_powers() {
    for law in [Law::from(Chinchilla::default()), three_term(), Law::of(Gamma, [1.7, 4e4, 9e4, 0.34, 0.28, 0.5])] {
        let points = points(&law, 301);
        let objective = Objective::new(&law, &points);
        let phi = objective.to_phi(law.theta());
        let loss = ResidualLoss::of(Estimator::HuberLog { delta: 0.01 }, 1.0);
        let found = objective.evaluate(loss, &phi, Order::Reweighted);
        let (slopes, predictions) = (objective.jacobian(&phi), objective.ln_predictions(&phi));
        let mut expected = Evaluation::zero(objective.dim());
        for ((point, slope), prediction) in points.iter().zip(&slopes).zip(&predictions) {
            let r = prediction - point.loss.ln();
            expected.value += point.weight * loss.of_residual(r);
            for j in 0..objective.dim() {
                expected.gradient[j] += point.weight * r.clamp(-0.01, 0.01) * slope[j];
                for k in 0..objective.dim() {
                    expected.hessian[j][k] += point.weight * (0.01 / r.abs()).min(1.0) * slope[j] * slope[k];
                }
            }
        }
        let close = |found: f64, expected: f64, scale: f64| assert!((found - expected).abs() < 1e-10 * scale, "{found} {expected}");
        close(found.value, expected.value, expected.value);
        for j in 0..objective.dim() {
            close(found.gradient[j], expected.gradient[j], 1.0);
            for k in 0..objective.dim() {
                close(found.hessian[j][k], expected.hessian[j][k], expected.hessian[j][j].abs().max(expected.hessian[k][k].abs()));
            }
        }
    }
}

#[test]
fn beliefs_add_their_penalty_with_its_derivatives() {
    let law = Law::of(Gamma, [1.7, 4e4, 9e4, 0.34, 0.28, 0.5]);
    let points = points(&law, 37);
    let plain = Objective::new(&law, &points);
    let believing = plain.believing(0.03);
    let phi = plain.to_phi(law.theta());
    let loss = ResidualLoss::SQUARES;
    let here = believing.evaluate(loss, &phi, Order::Hessian);
    let lowest = points.iter().map(|p| p.loss).fold(f64::INFINITY, f64::min).ln();
    // Effective exponents 0.17 and 0.14, γ 0.5; squares have twice the factor of ½σ²z².
    let z = [phi[0] - lowest + 0.7, (0.17f64 / 0.2).ln() / 0.6, (0.14f64 / 0.2).ln() / 0.6, (0.5f64 / 0.6).ln() / 0.7];
    let penalty = 0.03 * z.iter().map(|z| z * z).sum::<f64>();
    let without = plain.evaluate(loss, &phi, Order::Value).value;
    assert!((here.value - without - penalty).abs() < 1e-9, "{} {penalty}", here.value - without);
    for j in 0..phi.len() {
        let moved = |by: f64| {
            let mut moved = phi.clone();
            moved[j] += by;
            believing.evaluate(loss, &moved, Order::Gradient)
        };
        let (up, down) = (moved(1e-6), moved(-1e-6));
        let slope = (up.value - down.value) / 2e-6;
        assert!((slope - here.gradient[j]).abs() < 1e-5 * (1.0 + slope.abs()), "{j}: {slope} {}", here.gradient[j]);
        let bend = (up.gradient[j] - down.gradient[j]) / 2e-6;
        assert!((bend - here.hessian[j][j]).abs() < 1e-5 * (1.0 + bend.abs()), "{j}: {bend} {}", here.hessian[j][j]);
    }
    let mut impossible = phi;
    impossible[3] = -0.1;
    assert!(!believing.evaluate(loss, &impossible, Order::Value).value.is_finite());
}
