//! What it costs if the law is off: for every refit of the law, the compute that would have reached the same loss at that
//! law's own optimum (the deadweight loss of 2603.22339), and what networks beside the optimum cost.

use super::allocation::{Allocation, Waste};
use crate::fit::Fit;
use crate::law::{ComputeCount, DataConstrained, Law, repeated};
use crate::study::{Mixture, Predictive};
use serde::Serialize;

/// Fewest refits that quantiles are taken of.
const LEAST: usize = 50;

/// The distribution of waste over the refits.
pub(super) fn waste(fit: &Fit, count: &ComputeCount, params: f64, tokens: f64) -> Option<Waste> {
    let mut shares: Vec<f64> = fit.draws.iter().filter_map(|law| wasted(law, count, params, tokens)).collect();
    if shares.len() < LEAST {
        return None;
    }
    shares.sort_by(f64::total_cmp);
    let at = |share: f64| shares[((shares.len() - 1) as f64 * share).round() as usize];
    Some(Waste { median: at(0.5), at_80: at(0.8), at_95: at(0.95), refits: Some(shares.len()) })
}

/// Places in the distribution of N* that its waste is taken at.
const PLACES: usize = 200;

/// The distribution of waste where N* of a budget lies as `spread` says: each law's profile, put where the optimum may lie, and read
/// off at the middle of the distribution.
pub fn waste_of_spread(mixture: &Mixture, spread: &Predictive, count: &ComputeCount, compute: f64) -> Waste {
    let mut shares: Vec<(f64, f64)> = Vec::new();
    for (law, weight) in mixture.members.iter().map(|one| (&one.posterior.law, one.weight)) {
        let best = law.optimal_params(compute, count);
        for at in 0..PLACES {
            let level = (at as f64 + 0.5) / PLACES as f64;
            let far = (spread.interval(level)[1] / spread.value).ln();
            for off in [-far, far] {
                let params = best * off.exp();
                shares.extend(wasted(law, count, params, count.tokens(params, compute)).map(|share| (share, weight)));
            }
        }
    }
    shares.sort_by(|left, right| left.0.total_cmp(&right.0));
    let total: f64 = shares.iter().map(|one| one.1).sum();
    let at = |part: f64| {
        let mut below = 0.0;
        let reached = |one: &&(f64, f64)| {
            below += one.1;
            below >= part * total
        };
        shares.iter().find(reached).map_or(1.0, |one| one.0)
    };
    Waste { median: at(0.5), at_80: at(0.8), at_95: at(0.95), refits: None }
}

/// 1 − C'/C, where C' reaches the loss of (N, D) at the optimum of `law`, both counted alike.
pub(super) fn wasted(law: &Law, count: &ComputeCount, params: f64, tokens: f64) -> Option<f64> {
    let spent = count.compute(params, tokens);
    let share = 1.0 - law.compute_for_loss(law.at(params, tokens), count, spent)? / spent;
    // The optimum itself wastes nothing but for rounding.
    share.is_finite().then_some(share.max(0.0))
}

/// One way to spend compute, beside the recommended one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// What is held fixed.
    pub name: String,
    /// C, FLOPs.
    pub compute: f64,
    /// N, parameters.
    pub params: f64,
    /// D, tokens.
    pub tokens: f64,
    /// Predicted loss, nats per token.
    pub loss: f64,
    /// Share of its compute that an optimal allocation would save for the same loss; absent where data are repeated.
    pub wasted: Option<f64>,
}

/// What else a user may hold fixed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fixed {
    /// N, parameters.
    pub params: Option<f64>,
    /// D, tokens.
    pub tokens: Option<f64>,
    /// D/N.
    pub tokens_per_param: Option<f64>,
    /// Loss to reach with least compute, nats per token.
    pub target_loss: Option<f64>,
    /// Distinct tokens that there are.
    pub unique_tokens: Option<f64>,
}

fn known(ratio: f64) -> f64 {
    if ratio.is_finite() { ratio } else { 1.0 }
}

/// The loss that is recommended over the law's.
fn raised(law: &Law, count: &ComputeCount, recommended: &Allocation) -> f64 {
    known(recommended.loss.value / law.optimal_loss(recommended.compute, count))
}

/// Compute beyond which a loss falls no further that anybody could measure.
const ENDLESS: f64 = 1e45;

/// The lowest loss that any compute reaches beside a recommendation, where that is not as low as a target.
pub fn lowest_short_of(law: &Law, count: &ComputeCount, recommended: &Allocation, target: f64) -> Option<f64> {
    let raised = raised(law, count, recommended);
    let out_of_reach = law.compute_for_loss(target / raised, count, recommended.compute).is_none();
    let lowest = raised * law.optimal_loss(ENDLESS, count);
    (out_of_reach && lowest >= target).then_some(lowest)
}

/// The alternatives that were asked for, after half and twice the recommended size. The profile of losses is that of the law, put where
/// the recommendation has its minimum: the laws together may put it elsewhere, in size and in loss.
pub fn alternatives(law: &Law, count: &ComputeCount, recommended: &Allocation, asked: &Fixed) -> Vec<Alternative> {
    let (compute, best) = (recommended.compute, recommended.params.value);
    let raised = raised(law, count, recommended);
    let moved = known(law.optimal_params(compute, count) / best);
    let at = |name: String, params: f64, tokens: f64| {
        let compute = count.compute(params, tokens);
        // As far from the law's optimum as from the recommended one.
        let params_there = moved * params;
        let tokens_there = count.tokens(params_there, compute);
        let loss = raised * law.at(params_there, tokens_there);
        Alternative { name, compute, params, tokens, loss, wasted: wasted(law, count, params_there, tokens_there) }
    };
    let of_size = |name: String, params: f64| at(name, params, count.tokens(params, compute));
    let mut all = vec![of_size("half the size".into(), 0.5 * best), of_size("twice the size".into(), 2.0 * best)];
    all.extend(asked.params.map(|params| of_size("this size".into(), params)));
    all.extend(asked.tokens.map(|tokens| at("these tokens".into(), solve(|n| count.tokens(n, compute) - tokens, best), tokens)));
    all.extend(asked.tokens_per_param.map(|ratio| {
        let params = solve(|n| count.tokens(n, compute) / n - ratio, best);
        at(format!("{ratio} tokens per parameter"), params, ratio * params)
    }));
    if let Some(loss) = asked.target_loss {
        all.extend(law.compute_for_loss(loss / raised, count, compute).map(|compute| {
            let params = law.optimal_params(compute, count) / moved;
            at(format!("a loss of {loss}, least compute"), params, count.tokens(params, compute))
        }));
    }
    let limited = asked.unique_tokens.and_then(|unique| limited(law, count, compute, unique, best));
    all.extend(limited.map(|one| Alternative { loss: raised * one.loss, ..one }));
    all
}

/// Why something that was asked for does not stand beside a recommendation, in words.
pub fn unanswerable(law: Option<&Law>, asked: &Fixed) -> Option<String> {
    match law {
        None if *asked != Fixed::default() => {
            Some("no loss is published with this law, so nothing can be set beside its recommendation".into())
        }
        Some(law) if asked.unique_tokens.is_some() && law.additive().is_none() => Some(format!(
            "{} knows no repeated data: what repeats are worth was found for E + A/N^alpha + B/D^beta alone (2305.16264), so nothing is said of unique tokens",
            law.name()
        )),
        _ => None,
    }
}

/// Root of a falling function of x > 0, by bisection in ln x.
fn solve(falling: impl Fn(f64) -> f64, near: f64) -> f64 {
    let (mut low, mut high) = (near.ln() - 60.0, near.ln() + 60.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        // Where nothing is known (NaN) the root lies on the side of what was asked for.
        let value = falling(middle.exp());
        let is_left = if value.is_nan() { middle < near.ln() } else { value > 0.0 };
        if is_left { low = middle } else { high = middle }
    }
    (0.5 * (low + high)).exp()
}

/// The best allocation where only `unique` distinct tokens are there, repeats worth what 2305.16264 found; `None` for a law that
/// is not the additive one, on which that was found.
fn limited(law: &Law, count: &ComputeCount, compute: f64, unique: f64, near: f64) -> Option<Alternative> {
    let law = Law::of(DataConstrained { base: law.additive()? }, DataConstrained::PUBLISHED);
    let at = |n: f64, d: f64| law.loss(&repeated(n, d, unique.min(d)));
    let loss = |ln_n: f64| {
        let n = ln_n.exp();
        let d = count.tokens(n, compute);
        at(n, d)
    };
    let (mut low, mut high) = (near.ln() - 8.0, near.ln() + 8.0);
    // Golden section: the loss has one minimum along a budget.
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..100 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if loss(left) < loss(right) { high = right } else { low = left }
    }
    let params = (0.5 * (low + high)).exp();
    let tokens = count.tokens(params, compute);
    let name = format!("{} unique tokens, {:.1} epochs", crate::spec::short(unique), (tokens / unique).max(1.0));
    Some(Alternative { name, compute, params, tokens, loss: at(params, tokens), wasted: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Kaplan};

    const SIX: ComputeCount = ComputeCount::Bilinear { k: 6.0 };

    #[test]
    fn the_optimum_wastes_nothing_and_twice_its_size_wastes_what_the_closed_form_says() {
        let law = Law::from(Chinchilla::default());
        let (n, d) = (law.optimal_params(1e21, &SIX), law.optimal_tokens(1e21, &SIX));
        assert!(wasted(&law, &SIX, n, d).expect("above E") < 1e-9);
        let share = wasted(&law, &SIX, 2.0 * n, 0.5 * d).expect("above E");
        let same = law.optimal_loss((1.0 - share) * 1e21, &SIX);
        assert!((same / law.at(2.0 * n, 0.5 * d) - 1.0).abs() < 1e-9 && share > 0.02, "{share}");
    }

    #[test]
    fn waste_is_that_of_the_distribution_of_the_optimum() {
        let law = Law::from(Chinchilla::default());
        let points = crate::law::simulate(
            &law,
            &crate::law::Design::isoflop(&[1e17, 3e17, 1e18, 3e18, 1e19], 6, 8.0),
            crate::law::Noise { run: 0.001, cluster: 0.0 },
            1,
        );
        let mixture = Mixture::of(&crate::law::Evidence::as_given(points)).expect("a design");
        let spread = mixture.optimal_params(1e20, &SIX).expect("an optimum");
        let waste = waste_of_spread(&mixture, &spread, &SIX, 1e20);
        assert!(0.0 < waste.median && waste.median < waste.at_80 && waste.at_80 < waste.at_95 && waste.at_95 < 1.0, "{waste:?}");
        // Half of the distribution lies within the interval of one half: what its ends waste by each law spans the median.
        let ends = |law: &Law| {
            let best = law.optimal_params(1e20, &SIX);
            spread.interval(0.5).map(|end| {
                let n = best * end / spread.value;
                wasted(law, &SIX, n, SIX.tokens(n, 1e20)).expect("above E")
            })
        };
        let all: Vec<f64> = mixture.members.iter().flat_map(|one| ends(&one.posterior.law)).collect();
        let (low, high) = crate::spec::sample::extent(all).expect("some");
        assert!(low <= waste.median * 1.05 && waste.median <= high * 1.05, "{low} {waste:?} {high}");
    }

    #[test]
    fn each_alternative_holds_what_was_asked() {
        let law = Law::from(Chinchilla::default());
        let mut recommended = super::super::published::tests::hoffmann(1e21);
        recommended.compute = 1e21;
        let asked = Fixed {
            params: Some(1e9),
            tokens: Some(1e11),
            tokens_per_param: Some(100.0),
            target_loss: Some(2.2),
            unique_tokens: Some(1e9),
        };
        let all = alternatives(&law, &SIX, &recommended, &asked);
        assert_eq!(all.len(), 7);
        assert!(all[..5].iter().all(|one| (one.compute / 1e21 - 1.0).abs() < 1e-9 && one.wasted.expect("known") > 0.0));
        assert!((all[2].params - 1e9).abs() < 1.0 && (all[3].tokens / 1e11 - 1.0).abs() < 1e-9);
        assert!((all[4].tokens / all[4].params / 100.0 - 1.0).abs() < 1e-9);
        assert!((all[5].loss - 2.2).abs() < 1e-9);
        // A billion distinct tokens are far too few for 1e21 FLOPs: repeats are worth less, so the best loss is higher, and
        // another allocation than that of fresh data is best.
        let of_repeats = Law::of(DataConstrained { base: Chinchilla::default() }, DataConstrained::PUBLISHED);
        let fresh = of_repeats.loss(&repeated(law.optimal_params(1e21, &SIX), law.optimal_tokens(1e21, &SIX), 1e9));
        assert!(all[6].loss > law.optimal_loss(1e21, &SIX) && all[6].loss < fresh, "{} {fresh}", all[6].loss);
    }
    #[test]
    fn what_was_asked_for_and_cannot_be_said_is_told_in_words() {
        let asked = Fixed { unique_tokens: Some(1e9), ..Fixed::default() };
        let (additive, kaplan) = (Law::from(Chinchilla::default()), Law::of(Kaplan, Kaplan::PUBLISHED));
        assert_eq!(unanswerable(Some(&additive), &asked), None);
        assert!(unanswerable(Some(&kaplan), &asked).expect("told").contains("kaplan knows no repeated data"));
        assert_eq!(unanswerable(Some(&kaplan), &Fixed::default()), None);
        assert!(unanswerable(None, &asked).is_some() && unanswerable(None, &Fixed::default()).is_none());
    }
}
