//! What runs cost: floating-point operations, and seconds on this or that machine, with the steps that runs share made once.

use super::planned::PlannedRun;
use super::trunk::{Tree, trees};
use crate::spec::{Dtype, FlopRule, ModelShape, RunSpec};

/// What a set of runs costs in some unit, each alone and with trunks shared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Savings {
    /// Trees of more than one run.
    pub trunks: usize,
    /// Runs that share a trunk.
    pub sharing: usize,
    /// Each run from its first step.
    pub alone: f64,
    /// Shared steps made once.
    pub shared: f64,
}

/// Sums the cost of runs with and without sharing.
pub fn savings(runs: &[&PlannedRun], cost: &dyn Fn(&PlannedRun) -> f64) -> Savings {
    let mut savings = Savings { trunks: 0, sharing: 0, alone: 0.0, shared: 0.0 };
    for tree in trees(runs) {
        savings.alone += tree.runs().map(cost).sum::<f64>();
        savings.shared += cost(tree.leader) + tree.branches.iter().map(|run| cost(run) * run.branch_share()).sum::<f64>();
        if !tree.branches.is_empty() {
            savings.trunks += 1;
            savings.sharing += 1 + tree.branches.len();
        }
    }
    savings
}

impl Savings {
    /// The part of the cost that is saved, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        if self.alone > 0.0 { 1.0 - self.shared / self.alone } else { 0.0 }
    }
}

/// FLOPs of the runs, exact count, alone and with shared steps made once.
pub fn exact_flops(runs: &[&PlannedRun]) -> Savings {
    savings(runs, &|run| FlopRule::Exact.of(&run.spec.shape, run.spec.tokens()).map_or(0.0, |flops| flops.0))
}

/// FLOPs of one training token, exact count.
pub fn flops_per_token(shape: &ModelShape) -> f64 {
    FlopRule::Exact.per_token(shape).expect("a counted rule")
}

/// How fast a machine was measured to train one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredRate {
    /// Shape of the network whose speed was measured.
    pub shape: ModelShape,
    /// Tokens per optimizer step.
    pub batch_tokens: u64,
    /// Number format of its products.
    pub dtype: Dtype,
    /// Runs trained side by side, one thread each.
    pub threads: usize,
    /// Training tokens per second of all of them together.
    pub tokens_per_second: f64,
}

/// Training rate assumed for one worker where nothing was measured, FLOP/s, what a token costs beside its FLOPs among them: about what
/// one core of a current processor has (see LOG.md).
pub const ASSUMED_FLOPS_PER_SECOND: f64 = 5e10;
/// What a training token costs beside its FLOPs, in FLOPs: norms, rotations, softmax, update. Of one core, fitted to 2x8 to 3x96
/// (LOG.md).
const OVERHEAD: f64 = 1.5e5;

/// FLOPs of one training token with what it costs beside them: shapes of a machine differ little in how many of these it does a second.
fn work_per_token(shape: &ModelShape) -> f64 {
    flops_per_token(shape) + OVERHEAD
}

impl MeasuredRate {
    /// FLOP/s of [`work_per_token`] of one of the runs that were trained side by side.
    fn work_per_second_of_one(&self) -> f64 {
        self.tokens_per_second * work_per_token(&self.shape) / self.threads as f64
    }
}

/// Predicted seconds of one token of a run on one of `workers` workers: as measured of its shape and batch, else between the
/// nearest measured shapes. Of measurements are taken those of its number format with as many threads or, without any, with one, else
/// those of any format.
pub fn seconds_per_token(measured: &[MeasuredRate], spec: &RunSpec, workers: usize) -> f64 {
    let with = |(of_format, threads): (bool, usize)| {
        let here = |rate: &&MeasuredRate| rate.threads == threads && (!of_format || rate.dtype == spec.recipe.dtype);
        measured.iter().filter(here).collect::<Vec<_>>()
    };
    let choices = [(true, workers), (true, 1), (false, workers), (false, 1)];
    let known = choices.into_iter().map(with).find(|known| !known.is_empty()).unwrap_or_default();
    let exact = known.iter().rev().find(|rate| rate.shape == spec.shape && rate.batch_tokens == spec.recipe.batch_tokens);
    if let Some(rate) = exact {
        return rate.threads as f64 / rate.tokens_per_second;
    }
    let mut curve: Vec<(f64, f64)> =
        known.iter().map(|rate| (flops_per_token(&rate.shape).ln(), rate.work_per_second_of_one().ln())).collect();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rate = interpolated(&curve, flops_per_token(&spec.shape).ln()).map_or(ASSUMED_FLOPS_PER_SECOND, f64::exp);
    work_per_token(&spec.shape) / rate
}

/// Linear between neighbours, constant outside; `None` without points.
fn interpolated(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let (first, last) = (curve.first()?, curve.last()?);
    if x <= first.0 {
        return Some(first.1);
    }
    let pair = curve.windows(2).find(|pair| x <= pair[1].0);
    Some(pair.map_or(last.1, |pair| {
        let share = (x - pair[0].0) / (pair[1].0 - pair[0].0);
        pair[0].1 + share * (pair[1].1 - pair[0].1)
    }))
}

/// Predicted seconds of the runs one after the other, shared steps made once.
pub fn predicted_work(runs: &[&PlannedRun]) -> f64 {
    trees(runs).iter().map(Tree::predicted_seconds).sum()
}

/// How many times as fast the runs would be in a number format as in their own, where shapes were measured in both, alike in all else;
/// between those shapes and beyond as the nearest say.
pub fn gain_of(dtype: Dtype, measured: &[MeasuredRate], runs: &[&PlannedRun]) -> Option<f64> {
    let (mut own, mut other) = (0.0, 0.0);
    for run in runs {
        let of = |rate: &MeasuredRate, dtype| rate.dtype == dtype;
        let alike = |a: &MeasuredRate, b: &MeasuredRate| (&a.shape, a.batch_tokens, a.threads) == (&b.shape, b.batch_tokens, b.threads);
        let gain = |rate: &MeasuredRate| {
            let before = measured.iter().find(|before| of(before, run.spec.recipe.dtype) && alike(before, rate))?;
            Some((flops_per_token(&rate.shape).ln(), (rate.tokens_per_second / before.tokens_per_second).ln()))
        };
        let mut gains: Vec<(f64, f64)> = measured.iter().filter(|rate| of(rate, dtype)).filter_map(gain).collect();
        gains.sort_by(|a, b| a.0.total_cmp(&b.0));
        own += run.predicted_seconds;
        other += run.predicted_seconds / interpolated(&gains, flops_per_token(&run.spec.shape).ln())?.exp();
    }
    (own > 0.0).then(|| own / other)
}

/// Seconds that the runs take on some workers, shared steps made once: never less than the longest run alone.
pub fn predicted_wall(runs: &[&PlannedRun], workers: usize) -> f64 {
    let longest = runs.iter().map(|run| run.predicted_seconds).fold(0.0, f64::max);
    (predicted_work(runs) / workers as f64).max(longest)
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::*;

    #[test]
    fn four_doublings_with_a_fifth_of_cooldown_save_37_per_cent() {
        let text = SMALL.replace("[\"100k\", \"200k\"]", "[\"100k\", \"200k\", \"400k\", \"800k\"]");
        let plan = plan(&format!("{text}\n[recipe]\nlearning_rate = [1e-3, 2e-3]\nbatch_tokens = 1024\n[model]\ncontext = 64"));
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let found = savings(&runs, &|run| run.spec.tokens().0);
        // 8 + (1 + 2 + 4)/5 units instead of 15.
        assert!((found.fraction() - (1.0 - 9.4 / 15.0)).abs() < 0.002, "{found:?}");
        assert_eq!((found.trunks, found.sharing), (4, 16), "each learning rate of each shape has its own trunk");
    }

    #[test]
    fn runs_that_share_nothing_save_nothing() {
        let plan = plan(&format!("{SMALL}\n[recipe]\ntrunk = \"off\""));
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let found = exact_flops(&runs);
        assert_eq!((found.trunks, found.sharing, found.fraction()), (0, 0, 0.0));
        assert_eq!(found.alone, found.shared);
    }

    #[test]
    fn rates_between_measured_shapes_lie_between_them() {
        let curve = [(0.0, 1.0), (2.0, 3.0), (4.0, 3.0)];
        assert_eq!([-1.0, 1.0, 3.0, 9.0].map(|x| interpolated(&curve, x)), [Some(1.0), Some(2.0), Some(3.0), Some(3.0)]);
        assert_eq!(interpolated(&[], 1.0), None);
    }

    #[test]
    fn a_measured_shape_is_predicted_as_measured_and_an_unmeasured_machine_as_assumed() {
        let spec = plan(SMALL).runs[0].spec.clone();
        let rate = |batch_tokens, threads, tokens_per_second| MeasuredRate {
            shape: spec.shape.clone(),
            batch_tokens,
            dtype: Dtype::F32,
            threads,
            tokens_per_second,
        };
        let own = spec.recipe.batch_tokens;
        let measured = [rate(own, 1, 100.0), rate(own, 2, 150.0), rate(2 * own, 2, 9.0)];
        assert_eq!(seconds_per_token(&measured, &spec, 2), 2.0 / 150.0);
        assert_eq!(seconds_per_token(&measured, &spec, 4), 1.0 / 100.0, "one thread stands for what was not measured");
        assert_eq!(seconds_per_token(&[], &spec, 2), work_per_token(&spec.shape) / ASSUMED_FLOPS_PER_SECOND);
        let near = seconds_per_token(&[rate(2 * own, 2, 50.0)], &spec, 2);
        assert!((near / (2.0 / 50.0) - 1.0).abs() < 1e-12, "another batch of the shape: its rate");
    }

    #[test]
    fn a_small_network_costs_more_than_its_flops_say() {
        let spec = plan(SMALL).runs[0].spec.clone();
        let large = ModelShape { context: spec.shape.context, ..ModelShape::derived(3, 96) };
        let rate = MeasuredRate { shape: large, batch_tokens: 1024, dtype: Dtype::F32, threads: 1, tokens_per_second: 3e4 };
        let mut small = spec;
        small.shape = ModelShape { context: small.shape.context, ..ModelShape::derived(2, 8) };
        let by_flops = flops_per_token(&small.shape) / flops_per_token(&rate.shape) / 3e4;
        let found = seconds_per_token(&[rate], &small, 1);
        assert!(found > 2.0 * by_flops && found < 1.0 / 3e4, "{found} {by_flops}");
    }

    #[test]
    fn a_format_is_predicted_from_its_own_rates_and_gains_what_they_say() {
        let plan = plan(SMALL);
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let spec = &runs[0].spec;
        let rate = |dtype, tokens_per_second| MeasuredRate {
            shape: spec.shape.clone(),
            batch_tokens: spec.recipe.batch_tokens,
            dtype,
            threads: 1,
            tokens_per_second,
        };
        let mut rounded = spec.clone();
        rounded.recipe.dtype = Dtype::Bf16;
        let both = [rate(Dtype::F32, 100.0), rate(Dtype::Bf16, 150.0)];
        assert_eq!([spec, &rounded].map(|spec| seconds_per_token(&both, spec, 1)), [1.0 / 100.0, 1.0 / 150.0]);
        assert_eq!(seconds_per_token(&both[..1], &rounded, 1), 1.0 / 100.0, "one that was not measured: the other");
        let gain = gain_of(Dtype::Bf16, &both, &runs).expect("both are known");
        assert!((gain - 1.5).abs() < 1e-12, "{gain}");
        // A rate of one format alone says nothing of the gain, however many there are.
        let small = MeasuredRate { shape: ModelShape::derived(1, 8), ..rate(Dtype::F32, 1.0) };
        let more = MeasuredRate { threads: 8, ..rate(Dtype::F32, 1.0) };
        let gain = gain_of(Dtype::Bf16, &[both[0].clone(), small, more.clone(), both[1].clone()], &runs).expect("both are known");
        assert!((gain - 1.5).abs() < 1e-12, "{gain}");
        assert_eq!(seconds_per_token(&[more], &rounded, 8), 8.0, "another format with as many workers, before nothing");
        assert_eq!([gain_of(Dtype::Bf16, &both[..1], &runs), gain_of(Dtype::F32, &both[1..], &runs)], [None; 2]);
    }
}
