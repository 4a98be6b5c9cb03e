//! A network that is trained once and read from many times: N and D of least cost over both, for a loss (Sardana 2401.00448).
//! Training costs k·N·D FLOPs, a token read or written 2·N.

use super::allocation::Allocation;
use crate::fit::{Estimate, Fit, Interval, Quantity};
use crate::law::{ComputeCount, Law, Point};
use crate::spec::short;
use serde::Serialize;

/// FLOPs for a parameter and a token that passes through it once.
const FORWARD: f64 = 2.0;
/// ln of the factor of size below the optimum of training alone within which the best is looked for.
const SPAN: f64 = 12.0;

/// Level of an interval where the recommendation names none.
const LEVEL: f64 = 0.95;

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
    /// Training tokens D of that network.
    pub tokens: Estimate,
    /// Its cost, FLOPs of training that cost as much as training and serving.
    pub cost: Estimate,
    /// Sizes side by side.
    pub sizes: Vec<Served>,
    /// What the runs do not reach, in words.
    pub caution: Option<String>,
}

/// A network that reaches the loss.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Served {
    /// Name of the choice.
    pub name: String,
    /// N, parameters.
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

/// Half the step in ln N over which the slope of cost is taken.
const STEP: f64 = 1e-4;

/// N and D that cost least for a loss: where the slope of cost vanishes, below the size that training alone would take. Where the
/// tokens of a size are many more than served, no smaller one is cheaper. `None` where no compute reaches the loss.
fn least(law: &Law, count: &ComputeCount, loss: f64, service: &Service, near: f64) -> Option<(f64, f64)> {
    let compute = law.compute_for_loss(loss, count, near)?;
    let largest = law.optimal_params(compute, count).ln();
    let cost = |ln_n: f64| law.tokens_for_loss(ln_n.exp(), loss).map(|d| service.cost(count, ln_n.exp(), d));
    // Sizes that never reach the loss lie on the left.
    let falls = |ln_n: f64| cost(ln_n - STEP).zip(cost(ln_n + STEP)).is_none_or(|(left, right)| left > right);
    let (mut low, mut high) = (largest - SPAN, largest);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if falls(middle) { low = middle } else { high = middle }
    }
    let params = (0.5 * (low + high)).exp();
    Some((params, law.tokens_for_loss(params, loss)?))
}

impl Service {
    /// Cost in FLOPs of training.
    fn cost(&self, count: &ComputeCount, params: f64, tokens: f64) -> f64 {
        count.compute(params, tokens) + self.price * FORWARD * params * self.tokens
    }
}

/// What a recommendation says of a service: the profile of losses of its law, put where the recommendation has its minimum in size and
/// in loss, because the laws together may put it elsewhere than the one.
#[derive(Debug, Clone)]
struct IsoflopProfile {
    count: ComputeCount,
    service: Service,
    /// The recommended budget, FLOPs.
    compute: f64,
    /// The loss that was asked for; else that of the recommendation, whatever it is.
    loss: Option<f64>,
    /// Loss of the recommendation over that of the law.
    raised: f64,
    /// N* of the law over that of the recommendation.
    moved: f64,
}

impl IsoflopProfile {
    fn of(law: &Law, count: &ComputeCount, recommended: &Allocation, loss: Option<f64>, service: &Service) -> Self {
        let compute = recommended.compute;
        let known = |ratio: f64| if ratio.is_finite() { ratio } else { 1.0 };
        let raised = known(recommended.loss.value / law.optimal_loss(compute, count));
        let moved = known(law.optimal_params(compute, count) / recommended.params.value);
        Self { count: count.clone(), service: *service, compute, loss, raised, moved }
    }

    /// The loss as the law counts it.
    fn target(&self, law: &Law) -> f64 {
        self.loss.map_or_else(|| law.optimal_loss(self.compute, &self.count), |loss| loss / self.raised)
    }

    /// From a place of the law's profile to that of the recommendation.
    fn place(&self, (params, tokens): (f64, f64)) -> (f64, f64) {
        let compute = self.count.compute(params, tokens);
        (params / self.moved, self.count.tokens(params / self.moved, compute))
    }

    /// N, D and cost that are least, for a service.
    fn best_of(&self, law: &Law, service: &Service) -> Option<[f64; 3]> {
        let (params, tokens) = self.place(least(law, &self.count, self.target(law), service, self.compute)?);
        Some([params, tokens, service.cost(&self.count, params, tokens)])
    }

    fn best(&self, law: &Law) -> Option<[f64; 3]> {
        self.best_of(law, &self.service)
    }

    /// A size that reaches the loss.
    fn served(&self, law: &Law, name: &str, params: f64, least: f64) -> Option<Served> {
        let there = self.moved * params;
        let tokens = self.place((there, law.tokens_for_loss(there, self.target(law))?)).1;
        let serving = FORWARD * params * self.service.tokens;
        let training = self.count.compute(params, tokens);
        let over_least = self.service.cost(&self.count, params, tokens) / least;
        Some(Served { name: name.to_owned(), params, tokens, training, serving, over_least })
    }

    /// N, D and cost with the intervals that the fit gives them.
    fn by_fit(&self, fit: &Fit, level: f64) -> Vec<Estimate> {
        let asked = |at: usize| {
            let profile = self.clone();
            Quantity::new(["params", "tokens", "cost"][at], move |law| profile.best(law).map_or(f64::NAN, |best| best[at]))
        };
        fit.intervals(&[0, 1, 2].map(asked), level)
    }

    /// N, D and cost with the intervals that what the laws together say of N*, D* and the loss gives them.
    fn by_recommendation(&self, law: &Law, best: [f64; 3], recommended: &Allocation) -> [Estimate; 3] {
        let known = recommended.loss;
        // A loss that comes higher than forecast asks for more of all.
        let at = |loss: f64| Self { raised: self.raised * loss / known.value, ..self.clone() }.best(law);
        let ends = if self.loss.is_some() { [at(known.low()), at(known.high())] } else { [Some(best); 2] };
        let by_loss = |which: usize| {
            let [low, high] = [0, 1].map(|end| ends[end].map_or([0.0, f64::INFINITY][end], |found| found[which]));
            let level = known.level().unwrap_or(LEVEL);
            Estimate::new(best[which], 0.5 * (high - low), [low, high], level, Interval::Mixture)
        };
        // Where the profile lies elsewhere in size the least cost of training is what it was, and that of serving moves with N.
        let share = self.service.price * FORWARD * best[0] * self.service.tokens / best[2];
        let size = recommended.params;
        let by_size = [size.low(), size.high()].map(|end| 1.0 + share * (end / size.value - 1.0));
        let by_size = Estimate::new(1.0, 0.5 * (by_size[1] - by_size[0]), by_size, size.level().unwrap_or(LEVEL), Interval::Mixture);
        [by_loss(0).with_error_of(size), by_loss(1).with_error_of(recommended.tokens), by_loss(2).with_error_of(by_size)]
    }
}

/// What to train for a service: for `loss`, or for that of the recommended allocation; with intervals by the laws together where these
/// recommend, else by `fit`, else none.
pub fn serving(
    law: &Law,
    fit: Option<&Fit>,
    count: &ComputeCount,
    recommended: &Allocation,
    loss: Option<f64>,
    service: &Service,
) -> Option<Serving> {
    let profile = IsoflopProfile::of(law, count, recommended, loss, service);
    let best = profile.best(law)?;
    let level = recommended.params.level().unwrap_or(LEVEL);
    let [params, tokens, cost] = match fit {
        Some(_) if recommended.loss_source.is_some() => profile.by_recommendation(law, best, recommended),
        Some(fit) => profile.by_fit(fit, level).try_into().ok()?,
        None => best.map(Estimate::exact),
    };
    let alone = profile.best_of(law, &Service { tokens: 0.0, ..*service })?[0];
    let sizes = [("least cost", best[0]), ("least training", alone), ("half the size", 0.5 * best[0]), ("a quarter", 0.25 * best[0])];
    Some(Serving {
        loss: profile.raised * profile.target(law),
        serve_tokens: service.tokens,
        serve_price: service.price,
        params,
        tokens,
        cost,
        sizes: sizes.iter().filter_map(|(name, params)| profile.served(law, name, *params, best[2])).collect(),
        caution: fit.and_then(|fit| beyond(&fit.evidence.points, best[1] / best[0])),
    })
}

/// What is to be said of tokens per parameter that no run had.
fn beyond(runs: &[Point], ratio: f64) -> Option<String> {
    let most = runs.iter().map(|run| run.d / run.n).fold(0.0, f64::max);
    (ratio > most).then(|| {
        format!(
            "to serve at least cost takes {} tokens per parameter, and no run had more than {}: the law is not checked there; train a small network for that long to check it",
            short(ratio),
            short(most)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Estimator, FitOptions, Search, Uncertainty, fit};
    use crate::law::{Additive, Chinchilla, Design, Evidence, Kaplan, Noise, simulate};
    use crate::recommend::{Known, allocate};
    use crate::spec::Flops;
    use rayon::prelude::*;

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
        let found = serving(&law, None, &SIX, &recommended, Some(2.4), &service).expect("reached");
        assert!((found.sizes[0].over_least - 1.0).abs() < 1e-9 && found.sizes[1..].iter().all(|one| one.over_least > 1.0), "{found:?}");
        assert!(found.sizes.iter().all(|one| (law.at(one.params, one.tokens) / 2.4 - 1.0).abs() < 1e-2));
        assert_eq!((found.params.uncertainty, &found.caution), (None, &None));
        assert!(serving(&law, None, &SIX, &recommended, Some(1.0), &service).is_none());
    }

    /// A fit to simulated runs, its law's own recommendation, and a service.
    fn fitted(seed: u64) -> (Fit, Allocation, Service) {
        let truth = Law::from(Chinchilla::default());
        let runs = simulate(&truth, &Design::isoflop(&[1e19, 3e19, 1e20, 3e20], 7, 8.0), Noise { run: 0.003, cluster: 0.0 }, seed);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let fit = fit(&Additive.into(), Evidence::as_given(runs), &options).expect("a fit");
        let one = allocate(&fit, LEVEL, &Known::default(), Flops(1e21));
        (fit, one, Service { tokens: 3e11, price: 1.0 })
    }

    #[test]
    fn the_interval_is_that_which_covers_and_holds_the_truth_as_often() {
        let truth = Law::from(Chinchilla::default());
        let count = ComputeCount::Bilinear { k: 6.0 };
        let loss = truth.optimal_loss(1e21, &count);
        let inside = |estimate: &Estimate, value: f64| usize::from(estimate.low() <= value && value <= estimate.high());
        let of_seed = |seed: u64| {
            let (fit, one, service) = fitted(seed);
            let known = least(&truth, &count, loss, &service, 1e21).expect("reached");
            let found = serving(&fit.law, Some(&fit), &count, &one, Some(loss), &service).expect("reached");
            assert_eq!(found.params.method(), "profile");
            let most = fit.evidence.points.iter().map(|run| run.d / run.n).fold(0.0, f64::max);
            assert_eq!(found.caution.is_some(), found.tokens.value / found.params.value > most);
            [inside(&found.params, known.0), inside(&found.tokens, known.1)]
        };
        let held = (0..30u64).into_par_iter().map(of_seed).reduce(|| [0, 0], |one, other| [one[0] + other[0], one[1] + other[1]]);
        // 95 % of 30 are 28.5, and 24 or fewer come once in three hundred times.
        assert!(held.iter().all(|held| *held >= 25), "{held:?} of 30");
    }

    #[test]
    fn more_tokens_a_weight_than_any_run_had_are_said_to_be() {
        let (fit, one, _) = fitted(1);
        let caution =
            |tokens: f64| serving(&fit.law, Some(&fit), &SIX, &one, None, &Service { tokens, price: 1.0 }).expect("reached").caution;
        // Sizes eight times below the optimum have about twenty times 64 tokens per parameter.
        assert_eq!(caution(1e9), None);
        assert!(caution(1e16).is_some_and(|caution| caution.contains("tokens per parameter")));
    }

    #[test]
    fn laws_together_give_it_the_interval_of_their_optimum_and_of_their_loss() {
        let (fit, mut one, service) = fitted(1);
        one.loss_source = Some("several laws".into());
        let asked = |loss: Option<f64>, one: &Allocation| serving(&fit.law, Some(&fit), &SIX, one, loss, &service).expect("reached");
        let ratio = |one: &Estimate| (one.high() / one.value).ln();
        // At the loss of the recommendation only the place of the minimum is unknown.
        let found = asked(None, &one);
        assert!((ratio(&found.params) / ratio(&one.params) - 1.0).abs() < 1e-9, "{:?} {:?}", found.params, one.params);
        let share = FORWARD * found.params.value * service.tokens / found.cost.value;
        assert!((found.cost.high() / found.cost.value - 1.0 - share * (one.params.high() / one.params.value - 1.0)).abs() < 1e-9);
        // A loss that is asked for may cost more or less compute, by as much as the loss is unknown.
        let wider = asked(Some(found.loss), &one);
        assert!((wider.cost.value / found.cost.value - 1.0).abs() < 1e-6 && ratio(&wider.cost) > ratio(&found.cost));
        one.loss.uncertainty = one.loss.uncertainty.map(|known| Uncertainty { low: one.loss.value, high: one.loss.value, ..known });
        assert!((ratio(&asked(Some(found.loss), &one).cost) / ratio(&found.cost) - 1.0).abs() < 1e-6);
    }
}
