//! A network that is trained once and read from many times: N and D of least cost over both, for a loss (Sardana 2401.00448).
//! Training costs k·N·D FLOPs, a token read or written 2·N.

use super::allocation::Allocation;
use crate::fit::{Estimate, Interval};
use crate::law::{ComputeCount, Law};
use rayon::prelude::*;
use serde::Serialize;

/// FLOPs for a weight and a token that passes through it once.
const FORWARD: f64 = 2.0;
/// ln of the factor of size below the optimum of training alone within which the best is looked for.
const SPAN: f64 = 12.0;
/// ln of tokens between which a loss is looked for.
const TOKENS: [f64; 2] = [0.0, 115.0];

/// What is served, and at what price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// Tokens read or written over the life of the network.
    pub tokens: f64,
    /// Price of a FLOP of it over that of a FLOP of training.
    pub price: f64,
}

/// N and D of least cost for a loss, and what other sizes cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Serving {
    /// Loss that every one of them reaches, nats per token.
    pub loss: f64,
    /// Tokens served.
    pub serve_tokens: f64,
    /// Price of a FLOP of serving over that of training.
    pub serve_price: f64,
    /// N of least cost, weights.
    pub params: Estimate,
    /// D of it.
    pub tokens: Estimate,
    /// Its cost, FLOPs of training that cost as much as training and serving.
    pub cost: Estimate,
    /// Sizes side by side.
    pub sizes: Vec<Served>,
}

/// A network that reaches the loss.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Served {
    /// Which.
    pub name: String,
    /// N, weights.
    pub params: f64,
    /// D, tokens.
    pub tokens: f64,
    /// FLOPs of its training.
    pub training: f64,
    /// FLOPs of its service.
    pub serving: f64,
    /// Cost of both over the least.
    pub over_least: f64,
}

/// Tokens after which N weights reach a loss; `None` where none do.
fn tokens_for(law: &Law, params: f64, loss: f64) -> Option<f64> {
    let reached = |ln_d: f64| law.at(params, ln_d.exp()) <= loss;
    let [mut low, mut high] = TOKENS;
    if !reached(high) || reached(low) {
        return None;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if reached(middle) { high = middle } else { low = middle }
    }
    Some((0.5 * (low + high)).exp())
}

/// N and D that cost least for a loss, by golden section below the size that training alone would take: where the tokens of a size
/// are many more than served, no smaller one is cheaper. `None` where no compute reaches the loss.
fn least(law: &Law, count: &ComputeCount, loss: f64, service: &Service, near: f64) -> Option<(f64, f64)> {
    let compute = law.compute_for_loss(loss, count, near)?;
    let largest = law.optimal_params(compute, count).ln();
    let cost = |ln_n: f64| tokens_for(law, ln_n.exp(), loss).map_or(f64::INFINITY, |d| service.cost(count, ln_n.exp(), d));
    let (mut low, mut high) = (largest - SPAN, largest + 1e-6);
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..60 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        // Sizes that never reach the loss lie on the left.
        if cost(left) < cost(right) { high = right } else { low = left }
    }
    let params = (0.5 * (low + high)).exp();
    Some((params, tokens_for(law, params, loss)?))
}

impl Service {
    /// Cost in FLOPs of training.
    fn cost(&self, count: &ComputeCount, params: f64, tokens: f64) -> f64 {
        count.compute(params, tokens) + self.price * FORWARD * params * self.tokens
    }
}

/// What to train for a service: for `loss`, or for that of the recommended allocation. The valley of losses is that of the law, put
/// where the recommendation has its bottom; `draws` are refits of the law, of which intervals are made.
pub fn serving(
    law: &Law,
    draws: &[Law],
    count: &ComputeCount,
    recommended: &Allocation,
    loss: Option<f64>,
    service: &Service,
) -> Option<Serving> {
    let compute = recommended.compute;
    let known = |ratio: f64| if ratio.is_finite() { ratio } else { 1.0 };
    let raised = known(recommended.loss.value / law.optimal_loss(compute, count));
    let moved = known(law.optimal_params(compute, count) / recommended.params.value);
    let place = |(params, tokens): (f64, f64)| {
        let compute = count.compute(params, tokens);
        (params / moved, count.tokens(params / moved, compute))
    };
    let target = |law: &Law| loss.map_or_else(|| law.optimal_loss(compute, count), |loss| loss / raised);
    let best = |law: &Law| least(law, count, target(law), service, compute).map(place);
    let (params, tokens) = best(law)?;
    let cost = service.cost(count, params, tokens);
    let drawn: Vec<Option<(f64, f64)>> = draws.par_iter().map(best).collect();
    let level = recommended.params.level().unwrap_or(0.95);
    let estimate = |value: f64, of: &dyn Fn((f64, f64)) -> f64| {
        let draws = drawn.iter().map(|one| one.map_or(f64::NAN, of)).collect();
        Estimate::from_draws(value, draws, level, Interval::Bootstrap)
    };
    let served = |name: &str, params: f64| {
        let tokens = place((moved * params, tokens_for(law, moved * params, target(law))?)).1;
        Some(Served {
            name: name.to_owned(),
            params,
            tokens,
            training: count.compute(params, tokens),
            serving: FORWARD * params * service.tokens,
            over_least: service.cost(count, params, tokens) / cost,
        })
    };
    let alone = least(law, count, target(law), &Service { tokens: 0.0, ..*service }, compute).map(place)?.0;
    let sizes = [("least cost", params), ("least training", alone), ("half the size", 0.5 * params), ("a quarter", 0.25 * params)];
    Some(Serving {
        loss: raised * target(law),
        serve_tokens: service.tokens,
        serve_price: service.price,
        params: estimate(params, &|one| one.0),
        tokens: estimate(tokens, &|one| one.1),
        cost: estimate(cost, &|one| service.cost(count, one.0, one.1)),
        sizes: sizes.iter().filter_map(|(name, params)| served(name, *params)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Kaplan};

    const SIX: ComputeCount = ComputeCount::Bilinear { k: 6.0 };

    #[test]
    fn the_least_cost_is_where_the_closed_form_has_its_slope() {
        // A minimum is known to the root of rounding. dcost/dN = 0 along a loss: 6·D·(αA·N^−α/(βB·D^−β) − 1) = 2·T.
        let law = Chinchilla::default();
        for (n, ratio) in [(1e9, 100.0), (7e9, 200.0), (7e10, 400.0)] {
            let d = ratio * n;
            let size = law.alpha * law.a * f64::powf(n, -law.alpha);
            let data = law.beta * law.b * f64::powf(d, -law.beta);
            let tokens = 3.0 * d * (size / data - 1.0);
            assert!(tokens > 0.0, "{tokens}");
            let service = Service { tokens, price: 1.0 };
            let (found_n, found_d) = least(&law.into(), &SIX, law.at(n, d), &service, 6.0 * n * d).expect("reached");
            assert!((found_n / n - 1.0).abs() < 1e-4 && (found_d / d - 1.0).abs() < 1e-4, "{found_n:e} {found_d:e} for {n:e} {d:e}");
            // Half the tokens at twice the price cost the same.
            let dear = Service { tokens: 0.5 * tokens, price: 2.0 };
            let (again, _) = least(&law.into(), &SIX, law.at(n, d), &dear, 1e20).expect("reached");
            assert!((again / found_n - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn without_service_it_is_the_optimum_of_training_and_with_more_of_it_networks_shrink() {
        for law in [Law::from(Chinchilla::default()), Law::of(Kaplan, Kaplan::PUBLISHED)] {
            let loss = law.optimal_loss(1e21, &SIX);
            let size = |tokens: f64| least(&law, &SIX, loss, &Service { tokens, price: 1.0 }, 1e21).expect("reached").0;
            assert!((size(0.0) / law.optimal_params(1e21, &SIX) - 1.0).abs() < 1e-3, "{}", law.name());
            assert!(size(1e11) < 0.999 * size(0.0) && size(1e13) < size(1e11), "{}", law.name());
        }
    }

    #[test]
    fn sizes_stand_beside_the_least_cost_and_a_loss_below_the_floor_has_none() {
        let law = Law::from(Chinchilla::default());
        let mut recommended = super::super::published::tests::hoffmann(1e21);
        recommended.compute = 1e21;
        let service = Service { tokens: 1e12, price: 1.0 };
        let found = serving(&law, &[], &SIX, &recommended, Some(2.4), &service).expect("reached");
        assert!((found.sizes[0].over_least - 1.0).abs() < 1e-9 && found.sizes[1..].iter().all(|one| one.over_least > 1.0), "{found:?}");
        assert!(found.sizes.iter().all(|one| (law.at(one.params, one.tokens) / 2.4 - 1.0).abs() < 1e-2));
        assert_eq!(found.params.uncertainty, None);
        assert!(serving(&law, &[], &SIX, &recommended, Some(1.0), &service).is_none());
        let draws = vec![law.clone(); 40];
        let certain = serving(&law, &draws, &SIX, &recommended, Some(2.4), &service).expect("reached").params;
        assert!((certain.high() / certain.low() - 1.0).abs() < 1e-9);
    }
}
