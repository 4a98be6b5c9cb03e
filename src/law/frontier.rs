//! The best use of a budget under any law of N and D: N*(C) by the slope of ln L along the budget, found to rounding.

use super::any::AnyFormula;
use super::root::root;
use super::{ComputeCount, Point};

/// Places along a budget at which the lowest loss is looked for before its slope is followed.
const PLACES: usize = 96;
/// Steps of ln C in which a loss is looked for.
const SPAN: i32 = 60;
/// Tokens per parameter between which an optimum is looked for: far beyond them a formula may say anything.
const TOKENS_PER_WEIGHT: [f64; 2] = [1e-2, 1e6];

/// ln L and its first two derivatives by ln N at a compute.
fn along(form: &dyn AnyFormula, c: &[f64], ln_n: f64, compute: f64, count: &ComputeCount, point: &Point) -> [f64; 3] {
    let rate = count.rate(ln_n);
    form.along(c, ln_n, [compute.ln() - rate.ln - ln_n, -1.0 - rate.slope, -rate.bend], point)
}

/// N*(C), weights, of coefficients `c`: in closed form where there is one; NaN where loss has no minimum inside the budget.
pub(super) fn optimal_params(form: &dyn AnyFormula, c: &[f64], compute: f64, count: &ComputeCount) -> f64 {
    match form.same_optima(c) {
        Some(same) if same.has_optimum() => same.optimal_params(compute, count),
        Some(_) => f64::NAN,
        None => searched(form, c, compute, count),
    }
}

/// The root of the slope in the bracket of the lowest place that has higher ones on either side; NaN where there is none.
fn searched(form: &dyn AnyFormula, c: &[f64], compute: f64, count: &ComputeCount) -> f64 {
    let point = Point { c: compute, ..Point::default() };
    let product = compute / count.per_param_token(compute.sqrt());
    let [high, low] = TOKENS_PER_WEIGHT.map(|ratio| 0.5 * (product / ratio).ln());
    let ln_n = |at: usize| low + (high - low) * at as f64 / (PLACES - 1) as f64;
    let loss = |at: usize| {
        let n = ln_n(at).exp();
        let loss = form.loss(c, &Point { n, d: count.tokens(n, compute), ..point.clone() });
        if loss.is_nan() { f64::INFINITY } else { loss }
    };
    let losses: Vec<f64> = (0..PLACES).map(loss).collect();
    let is_lowest = |at: &usize| losses[*at] < losses[at - 1] && losses[*at] <= losses[at + 1];
    let Some(lowest) = (1..PLACES - 1).filter(is_lowest).min_by(|&a, &b| losses[a].total_cmp(&losses[b])) else {
        return f64::NAN;
    };
    let slope = |ln_n: f64| {
        let [_, slope, bend] = along(form, c, ln_n, compute, count, &point);
        (slope, bend)
    };
    root(ln_n(lowest - 1), ln_n(lowest + 1), ln_n(lowest), slope).exp()
}

/// d ln N*/d ln C at a compute, by the implicit function: central differences of the optimum, which is known to rounding.
pub(super) fn slope(form: &dyn AnyFormula, c: &[f64], compute: f64, count: &ComputeCount) -> f64 {
    let step = 1e-3f64;
    let at = |by: f64| optimal_params(form, c, compute * by.exp(), count).ln();
    (at(step) - at(-step)) / (2.0 * step)
}

/// Compute at whose optimum a loss is reached, within e^±60 of `near`; `None` where there is none, or none without computes between
/// that have no optimum.
pub(super) fn compute_for_loss(form: &dyn AnyFormula, c: &[f64], loss: f64, count: &ComputeCount, near: f64) -> Option<f64> {
    let reached = |ln_c: f64| {
        let compute = ln_c.exp();
        let n = optimal_params(form, c, compute, count);
        form.loss(c, &Point { c: compute, ..Point::new(n, count.tokens(n, compute), 1.0) })
    };
    // Loss falls along the frontier: down from where it is reached, up from where it is not yet, a step of ln C at a time.
    let is_reached = |ln_c: f64| reached(ln_c) <= loss;
    let start = near.ln();
    let down = is_reached(start);
    let step = if down { -1.0 } else { 1.0 };
    let crossed = (1..=SPAN).map(|steps| start + step * f64::from(steps)).find(|&ln_c| is_reached(ln_c) != down)?;
    let [mut low, mut high] = if down { [crossed, crossed + 1.0] } else { [crossed - 1.0, crossed] };
    // Beside a compute that has no optimum nothing is crossed.
    if reached(low).is_nan() {
        return None;
    }
    for _ in 0..45 {
        let half = 0.5 * (low + high);
        if is_reached(half) { high = half } else { low = half }
    }
    Some((0.5 * (low + high)).exp())
}

/// ln of tokens between which a loss is looked for.
const TOKENS: [f64; 2] = [0.0, 115.0];
/// Half the step in ln D over which the slope of a loss is taken.
const STEP: f64 = 1e-5;

/// Tokens after which N weights reach a loss; `None` where no tokens do.
pub(super) fn tokens_for_loss(form: &dyn AnyFormula, c: &[f64], n: f64, loss: f64) -> Option<f64> {
    let at = |ln_d: f64| form.loss(c, &Point::new(n, ln_d.exp(), 1.0));
    let [low, high] = TOKENS;
    let missing = |ln_d: f64| (loss - at(ln_d), (at(ln_d - STEP) - at(ln_d + STEP)) / (2.0 * STEP));
    (at(high) <= loss && loss < at(low)).then(|| root(low, high, 0.5 * (low + high), missing).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Gamma, Kaplan, Law};
    use proptest::prelude::*;

    #[test]
    fn tokens_that_reach_a_loss_are_those_that_had_it() {
        for law in [Law::from(Chinchilla::default()), Law::of(Kaplan, Kaplan::PUBLISHED)] {
            for (n, d) in [(1e6, 1e7), (1e9, 3e12), (7e11, 1e10)] {
                let found = law.tokens_for_loss(n, law.at(n, d)).expect("reached");
                assert!((found / d - 1.0).abs() < 1e-8, "{} {found:e} {d:e}", law.name());
            }
            assert_eq!(law.tokens_for_loss(1e9, 0.01), None);
        }
    }

    proptest! {
        #[test]
        fn the_optimum_of_any_law_is_the_closed_form_where_there_is_one(
            alpha in 0.25..0.5, beta in 0.25..0.5, gamma in 0.3..1.5, ln_c in 38.0..55.0, p in 0.05..0.2
        ) {
            let law = Law::of(Gamma, [1.5, 300.0, 900.0, alpha, beta, gamma]);
            let c = f64::exp(ln_c);
            for count in [
                ComputeCount::Bilinear { k: 6.0 },
                ComputeCount::Declining { limit: 5.0, factor: 5.0 * 1e4f64.powf(p), power: p, least: 5.0 },
            ] {
                let (found, known) = (searched(&**law.formula(), law.theta(), c, &count), law.optimal_params(c, &count));
                let ratio = count.tokens(known, c) / known;
                if !(0.02..5e5).contains(&ratio) {
                    continue; // Outside of where it is looked for.
                }
                prop_assert!((found / known - 1.0).abs() < 1e-9, "{found} {known}");
            }
        }
    }

    #[test]
    fn exponent_and_least_compute_are_those_in_closed_form() {
        let count = ComputeCount::Bilinear { k: 6.0 };
        let (additive, kaplan): (Law, Law) = (Chinchilla::default().into(), Law::of(Kaplan, Kaplan::PUBLISHED));
        for law in [&additive, &kaplan] {
            assert!((slope(&**law.formula(), law.theta(), 1e20, &count) - law.params_exponent(1e20, &count)).abs() < 1e-8);
        }
        let loss = additive.optimal_loss(3e20, &count);
        let found = compute_for_loss(&**additive.formula(), additive.theta(), loss, &count, 1e18).expect("above the floor");
        assert!((found / 3e20 - 1.0).abs() < 1e-9, "{found}");
        let from_above = compute_for_loss(&**additive.formula(), additive.theta(), loss, &count, 1e24).expect("above the floor");
        assert!((from_above / 3e20 - 1.0).abs() < 1e-9, "{from_above}");
        assert_eq!(compute_for_loss(&**additive.formula(), additive.theta(), 1.0, &count, 1e18), None);
    }

    #[test]
    fn a_law_that_rises_with_data_has_no_optimum() {
        let count = ComputeCount::Bilinear { k: 6.0 };
        let law: Law = Chinchilla { b: 0.0, ..Chinchilla::default() }.into();
        assert!(!law.has_optimum(1e20, &count) && searched(&**law.formula(), law.theta(), 1e20, &count).is_nan());
    }
}
