//! From a fitted law and a budget to an allocation.

use super::Known;
use super::allocation::{Allocation, Range, Realised};
use super::networks::Builder;
use super::noise::Losses;
use super::recipe;
use super::waste::{waste, waste_of_spread};
use crate::fit::{Estimate, FORMAT, Fit, Quantity, Uncertainty};
use crate::law::{ComputeCount, Point, Scale};
use crate::spec::{Flops, RunRecord, RunStatus, SizeMeasure};
use crate::study::{Mixture, Predictive};

/// Best runs, near the frontier, that hyperparameters are taken from.
const BEST_RUNS: usize = 5;

/// The allocation of a budget by a fitted law of N and D, with intervals of a level of confidence.
pub fn allocate(fit: &Fit, level: f64, known: &Known<'_>, budget: Flops) -> Allocation {
    let (compute, records) = (budget.0, known.records);
    let count = ComputeCount::of(&fit.evidence.points);
    let Optimum { params, tokens, tokens_per_param, losses, spread } = Optimum::of(fit, known, level, &count, compute);
    let Losses { mean: loss, one_run: loss_of_a_run, noise_source } = losses;
    let together = known.mixture.filter(|_| spread.is_some());
    let range = Range::of(&fit.evidence.points);
    let near = near_frontier(fit, &count, records, compute);
    let context = near.iter().find_map(|record| record.context).map(|context| context as f64);
    let scale = Scale { n: params.value, d: tokens.value, c: compute };
    let advice = recipe::of_runs(known.study, level, &near, &scale, context);
    let batch = advice.as_ref().map(|recipe| recipe.batch_tokens.value);
    let realised = realise(fit, known, compute, batch, params.value);
    let warmup = near.first().and_then(|record| Some(record.warmup_tokens? as f64 / record.tokens?.0));
    let advice = match (advice, &realised) {
        (Some(recipe), Some(built)) => Some(recipe::with_steps(recipe, built.tokens, warmup.unwrap_or(0.0) * built.tokens)),
        (advice, _) => advice,
    };
    let in_bits = |loss: Estimate| known.bytes_per_token.map(|bytes| loss.times(1.0 / (std::f64::consts::LN_2 * bytes)));
    let mut allocation = Allocation {
        format: FORMAT,
        compute,
        params,
        tokens,
        tokens_per_param,
        model_scale: realised.as_ref().and_then(|one| SizeMeasure::FlopsPerToken.of(&one.shape)).map(|m| m.0),
        loss,
        loss_of_a_run,
        bits_per_byte: in_bits(loss),
        bits_per_byte_of_a_run: in_bits(loss_of_a_run),
        noise_source,
        loss_source: together.map(Mixture::describe),
        size_source: together.map(Mixture::optima_text),
        hyperparameter_source: advice.as_ref().map(|recipe| recipe.sources.join("; ")),
        learning_rate: advice.as_ref().map(|recipe| recipe.learning_rate),
        batch_tokens: advice.as_ref().map(|recipe| recipe.batch_tokens),
        shape: realised.as_ref().map(|one| one.shape.to_string()),
        steps: advice.as_ref().and_then(|recipe| recipe.steps),
        realised,
        recipe: advice,
        waste: match (together, spread) {
            (Some(mixture), Some(spread)) => Some(waste_of_spread(mixture, &spread, &count, compute)),
            _ => waste(fit, &count, params.value, tokens.value),
        },
        extrapolation_factor: compute / range.compute[1],
        evidence: range,
        size_measure: fit.evidence.size_measure,
        flop_rule: fit.evidence.flop_rule,
        loss_unit: fit.evidence.loss_unit,
        warnings: Vec::new(),
    };
    allocation.warnings = allocation.beyond();
    allocation.warnings.extend(fit.warnings.iter().cloned());
    allocation.warnings.extend(together.and_then(|mixture| mixture.caution(allocation.extrapolation_factor)));
    allocation
}

/// The optimum of a budget.
struct Optimum {
    params: Estimate,
    tokens: Estimate,
    tokens_per_param: Estimate,
    losses: Losses,
    /// What is said of N* by the laws together; absent where one law speaks alone.
    spread: Option<Predictive>,
}

impl Optimum {
    fn of(fit: &Fit, known: &Known<'_>, level: f64, count: &ComputeCount, compute: f64) -> Self {
        let [params, tokens, loss] = Quantity::optimum(compute, count);
        let asked = [params, tokens, Quantity::tokens_per_param(compute, count), loss];
        known.mixture.and_then(|mixture| Self::together(mixture, level, count, compute)).unwrap_or_else(|| {
            let found = fit.intervals(&asked, level);
            let losses = Losses::by_law(fit, known.records, found[3]);
            Self { params: found[0], tokens: found[1], tokens_per_param: found[2], losses, spread: None }
        })
    }

    /// By several laws; `None` where none of weight has an optimum.
    fn together(mixture: &Mixture, level: f64, count: &ComputeCount, compute: f64) -> Option<Self> {
        let spread = mixture.optimal_params(compute, count)?;
        let params = spread.estimate(level);
        let tokens = followed(&params, |n| count.tokens(n, compute));
        let at = Point { c: compute, ..Point::new(params.value, tokens.value, 1.0) };
        Some(Self {
            params,
            tokens,
            tokens_per_param: followed(&params, |n| count.tokens(n, compute) / n),
            losses: Losses::together(mixture, &at, level),
            spread: Some(spread),
        })
    }
}

/// N*, D* and L* of a budget by several laws, as they are recommended; `None` where none of weight has an optimum.
pub fn optimum_together(mixture: &Mixture, level: f64, count: &ComputeCount, compute: f64) -> Option<[Estimate; 3]> {
    Optimum::together(mixture, level, count, compute).map(|one| [one.params, one.tokens, one.losses.mean])
}

/// What falls as N* rises along a budget, with the interval that N* gives it; its standard error by the width of that.
fn followed(params: &Estimate, falling: impl Fn(f64) -> f64) -> Estimate {
    let value = falling(params.value);
    let Some(known) = params.uncertainty else { return Estimate::exact(value) };
    let [low, high] = [known.high, known.low].map(falling);
    let per_width = known.se.map(|se| se / params.value / (known.high / known.low).ln());
    let se = per_width.map(|share| value * share * (high / low).ln());
    Estimate { value, uncertainty: Some(Uncertainty { se, low, high, ..known }) }
}

/// Finished runs on the better side of the law, best residual at nearest compute first.
fn near_frontier<'a>(fit: &Fit, count: &ComputeCount, records: &'a [RunRecord], compute: f64) -> Vec<&'a RunRecord> {
    let mut scored: Vec<(f64, &RunRecord)> = Vec::new();
    for point in &fit.evidence.points {
        let Some(record) = records.iter().find(|record| record.run_id == point.run && record.status == RunStatus::Finished) else {
            continue;
        };
        // Loss above the frontier at the run's own compute, and distance of its compute from the budget.
        let above = (point.loss / fit.law.optimal_loss(point.c, count)).ln();
        scored.push((above + 0.01 * (point.c / compute).ln().abs(), record));
    }
    scored.sort_by(|left, right| left.0.total_cmp(&right.0));
    scored.into_iter().take(BEST_RUNS).map(|(_, record)| record).collect()
}

/// The network nearest to N*, trained for the rest of the budget.
fn realise(fit: &Fit, known: &Known<'_>, compute: f64, batch: Option<f64>, target: f64) -> Option<Realised> {
    let builder = Builder::of(fit, known.records)?;
    let (shape, params) = builder.nearest(target)?;
    let tokens = builder.tokens(&shape, params, compute, batch);
    let loss = |n: f64, d: f64| match known.mixture {
        Some(mixture) => mixture.mean_loss(&Point { c: builder.count.compute(n, d), ..Point::new(n, d, 1.0) }).value,
        None => fit.law.at(n, d),
    };
    let unrounded = loss(target, builder.count.tokens(target, compute));
    let loss = loss(params, tokens);
    Some(Realised { shape, params, tokens, loss, rounding_loss: loss - unrounded })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Chinchilla, Design, Evidence, Noise, simulate};
    use crate::spec::{FlopRule, ModelShape, Nats, Params, Tokens};

    fn options() -> FitOptions {
        FitOptions { search: Search::VarproOnly, refits: 100, ..FitOptions::default() }
    }

    fn simulated() -> Evidence {
        let law = Chinchilla::default();
        Evidence::as_given(simulate(&law.into(), &Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0), Noise { run: 0.002, cluster: 0.0 }, 1))
    }

    #[test]
    fn a_budget_inside_the_evidence_gets_intervals_around_the_truth() {
        let evidence = simulated();
        let fitted = fit(&Additive.into(), evidence, &options()).expect("a fit");
        let allocation = allocate(&fitted, 0.95, &Known::default(), Flops(1e18));
        let truth = Chinchilla::default();
        let count = ComputeCount::Bilinear { k: 6.0 };
        for (estimate, known) in
            [(allocation.params, truth.optimal_params(1e18, &count)), (allocation.loss, truth.optimal_loss(1e18, &count))]
        {
            assert!(estimate.low() < known && known < estimate.high(), "{estimate:?} {known}");
        }
        assert!((allocation.params.value * allocation.tokens.value * 6.0 / 1e18 - 1.0).abs() < 1e-9);
        assert!((allocation.extrapolation_factor - 0.1).abs() < 1e-9);
        assert!(allocation.shape.is_none() && allocation.learning_rate.is_none());
        assert!(allocation.warnings.is_empty(), "{:?}", allocation.warnings);
    }

    #[test]
    fn losses_are_told_in_bits_per_byte_with_both_intervals_where_bytes_are_known() {
        let evidence = simulated();
        let fitted = fit(&Additive.into(), evidence, &options()).expect("a fit");
        let known = Known { bytes_per_token: Some(4.0), ..Known::default() };
        let one = allocate(&fitted, 0.95, &known, Flops(1e18));
        let (mean, run) = (one.bits_per_byte.expect("known"), one.bits_per_byte_of_a_run.expect("known"));
        let unit = 4.0 * std::f64::consts::LN_2;
        assert!((mean.low() * unit - one.loss.low()).abs() < 1e-12 && (run.high() * unit - one.loss_of_a_run.high()).abs() < 1e-12);
        assert!(run.high() > mean.high() && run.low() < mean.low() && (mean.value * unit - one.loss.value).abs() < 1e-12);
    }

    #[test]
    fn a_budget_beyond_the_evidence_says_how_far() {
        let evidence = simulated();
        let fitted = fit(&Additive.into(), evidence, &options()).expect("a fit");
        let allocation = allocate(&fitted, 0.95, &Known::default(), Flops(1e22));
        assert!((allocation.extrapolation_factor - 1000.0).abs() < 1e-6);
        assert!(allocation.warnings[0].contains("an extrapolation"), "{:?}", allocation.warnings);
        let inside = allocate(&fitted, 0.95, &Known::default(), Flops(1e18));
        let width = |one: &Allocation| (one.params.high() / one.params.low()).ln();
        assert!(width(&allocation) > width(&inside), "intervals widen with distance");
    }

    /// Own runs: shapes from 1x32 to 4x128 whose losses follow a law of matmul weights and exact FLOPs.
    fn own_runs() -> Vec<RunRecord> {
        let law = Chinchilla { e: 1.2, a: 25.0, b: 60.0, alpha: 0.35, beta: 0.3 };
        let mut records = Vec::new();
        for (layers, width) in [(1, 32), (2, 48), (2, 64), (3, 96), (4, 128)] {
            for batches in [100u64, 400, 1600] {
                let shape = ModelShape::derived(layers, width);
                let tokens = Tokens(batches as f64 * 4096.0);
                let n = SizeMeasure::Matmul.of(&shape).expect("counted").0;
                let wobble = 1.0 + 0.003 * ((n + tokens.0) * 0.37).sin();
                records.push(RunRecord {
                    run_id: format!("{shape} {batches}"),
                    params_total: Some(Params(1.0)),
                    tokens: Some(tokens),
                    batch_tokens: Some(Tokens(4096.0)),
                    learning_rate: Some(2e-3),
                    loss_nats: Some(Nats(law.at(n, tokens.0) * wobble)),
                    ..RunRecord::of_shape(&shape)
                });
            }
        }
        records
    }

    #[test]
    fn a_network_that_can_be_built_is_named_with_the_loss_of_rounding() {
        let records = own_runs();
        let evidence = Evidence::of(&records, SizeMeasure::Matmul, FlopRule::Exact);
        let fitted = fit(&Additive.into(), evidence, &options()).expect("a fit");
        let allocation = allocate(&fitted, 0.95, &Known { records: &records, ..Known::default() }, Flops(2e12));
        let realised = allocation.realised.expect("shapes are known");
        assert_eq!(realised.shape.check(), Ok(()));
        assert!(realised.shape.width.is_multiple_of(8));
        assert!((realised.params / allocation.params.value).ln().abs() < 0.2, "{realised:?} for {:?}", allocation.params);
        // 1x56 spends less on attention than networks of its size among the runs, so it may even gain from rounding.
        assert!(realised.rounding_loss.abs() < 0.03, "{realised:?}");
        let spent = FlopRule::Exact.of(&realised.shape, Tokens(realised.tokens)).expect("counted").0;
        assert!(spent <= 2e12 && spent > 1.9e12, "{spent:e}");
        assert_eq!(allocation.learning_rate.expect("recorded").value, 2e-3);
        assert_eq!(allocation.steps, Some((realised.tokens / 4096.0) as u64));
    }
}
