//! What a table of others contradicts itself in: quantities that follow from each other and do not agree, counts that no language
//! model has, and single runs that stand off the law of all the others.

use crate::fit::FittedLaw;
use crate::spec::sample::{extent, median};
use crate::spec::{RunRecord, short};
use std::collections::HashMap;

/// Quantities of one table that do not agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Contradiction {
    /// What contradicts what, and how to set it right.
    pub said: String,
    /// By which factor, above 1.
    pub factor: f64,
}

/// A contradiction by a smaller factor is a matter of how things are counted.
const TOLD: f64 = 1.5;
/// From this factor on nothing is recommended: C = 2·N·D, the usual slip, is a third.
const SERIOUS: f64 = 2.5;
/// A language model has more parameters and sees more tokens.
const LEAST: [f64; 2] = [1e3, 1e5];
/// Tokens per parameter outside of these are a unit that was missed.
const RATIOS: [f64; 2] = [1e-2, 1e6];

impl Contradiction {
    /// Whether nothing is to be recommended from such a table.
    pub fn is_serious(&self) -> bool {
        self.factor >= SERIOUS
    }
}

/// Two quantities of each run that should be the same.
struct Pair {
    /// What should be one, in words.
    what: &'static str,
    of: fn(&RunRecord) -> Option<f64>,
    /// What may be wrong, and what to type.
    advice: &'static str,
}

const PAIRS: [Pair; 3] = [
    Pair {
        what: "C/(6·N·D)",
        of: |run| Some(run.flops_exact?.0 / (6.0 * run.params_total?.0 * run.tokens?.0)),
        advice: "are FLOPs those of one step, of another unit (--columns 'flops=NAME*1e9'), or N all weights of a mixture of experts? --columns flops=none counts C as 6·N·D",
    },
    Pair {
        what: "budget/C",
        of: |run| Some(run.budget_flops?.0 / run.flops_exact?.0),
        advice: "the compute that was planned is not that which was spent; --columns budget=none leaves it out",
    },
    Pair {
        what: "D/(batch·steps)",
        of: |run| Some(run.tokens?.0 / (run.batch_tokens?.0 * run.steps? as f64)),
        advice: "is the batch in sequences, or are tokens those of a whole data set? --columns batch_tokens=none leaves the batch out",
    },
];

/// C/(6·N·D) where N are the parameters that each token meets.
const ACTIVE: Pair = Pair {
    what: "C/(6·N·D) of active N",
    of: PAIRS[0].of,
    advice: "are FLOPs those of one step, or of another unit (--columns 'flops=NAME*1e9')? --columns flops=none counts C as 6·N·D of all N",
};

/// Shares of active parameters by run.
type Shares = HashMap<String, f64>;

/// The share of its parameters that a token meets in a run: all, where nothing says otherwise.
fn share(run: &RunRecord, shares: &Shares) -> f64 {
    if shares.is_empty() { 1.0 } else { shares.get(&run.run_id).copied().unwrap_or(1.0) }
}

/// What runs of others contradict themselves in, the worst first; `shares` of their parameters are active.
pub(super) fn contradictions(records: &[RunRecord], shares: &Shares) -> Vec<Contradiction> {
    let of_all = || disagreement(records, &PAIRS[0], |_| 1.0);
    let compute = if shares.is_empty() { of_all() } else { disagreement(records, &ACTIVE, |run| share(run, shares)) };
    let mut found: Vec<Contradiction> = compute.into_iter().collect();
    found.extend(PAIRS[1..].iter().filter_map(|pair| disagreement(records, pair, |_| 1.0)));
    found.extend(shapes(records, shares));
    found.extend(in_steps(records).or_else(|| counts(records)));
    found.sort_by(|one, other| other.factor.total_cmp(&one.factor));
    found
}

fn disagreement(records: &[RunRecord], pair: &Pair, expected: impl Fn(&RunRecord) -> f64) -> Option<Contradiction> {
    let ratio = |run: &RunRecord| Some((pair.of)(run)? / expected(run));
    let all: Vec<f64> = records.iter().filter_map(ratio).filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
    let middle = median(all.iter().copied())?;
    let factor = middle.max(1.0 / middle);
    let said = || format!("{} is {} in the median of {} runs, and 1 is expected: {}", pair.what, plain(middle), all.len(), pair.advice);
    (factor > TOLD).then(|| Contradiction { said: said(), factor })
}

/// A ratio in three digits.
fn plain(ratio: f64) -> String {
    if (1e-3..1e4).contains(&ratio) { format!("{ratio:.3}") } else { format!("{ratio:.2e}") }
}

/// N against layers and width: twelve squares of the width a layer, and an embedding of at most a quarter of a million tokens.
fn shapes(records: &[RunRecord], shares: &Shares) -> Option<Contradiction> {
    let off = |run: &RunRecord| {
        let (layers, width) = (run.layers? as f64, run.width? as f64);
        let (n, blocks) = (run.params_total?.0 * share(run, shares), 12.0 * layers * width * width);
        Some(if n < blocks { blocks / n } else { (n / (blocks + 2.0 * 262_144.0 * width)).max(1.0) })
    };
    let factor = median(records.iter().filter_map(off))?;
    (factor > TOLD).then(|| Contradiction {
        said: format!(
            "N differs from 12·layers·width^2 by a factor {factor:.1} in the median: is N in millions, or are only active weights counted?"
        ),
        factor,
    })
}

/// That D is counted in steps.
fn in_steps(records: &[RunRecord]) -> Option<Contradiction> {
    let is_steps = |run: &RunRecord| run.tokens.zip(run.steps).is_some_and(|(tokens, steps)| tokens.0 == steps as f64);
    let said = "D is counted in steps: nothing says how many tokens a step has; --set batch_tokens=… makes them tokens";
    let all = !records.is_empty() && records.iter().all(is_steps);
    all.then(|| Contradiction { said: said.to_owned(), factor: f64::INFINITY })
}

/// Sizes and tokens that are none.
fn counts(records: &[RunRecord]) -> Option<Contradiction> {
    let of = |pick: fn(&RunRecord) -> Option<f64>| extent(records.iter().filter_map(pick));
    let (n, d) = (of(|run| Some(run.params_total?.0)), of(|run| Some(run.tokens?.0)));
    // A table of one variable has ones in place of the other.
    let is_absurd = |span: Option<(f64, f64)>, least: f64| span.filter(|(_, high)| *high < least && *high != 1.0);
    let (small_n, small_d) = (is_absurd(n, LEAST[0]), is_absurd(d, LEAST[1]));
    let mut parts = Vec::new();
    let mut types = Vec::new();
    if let Some((_, high)) = small_n {
        parts.push(format!("N is {} at most", short(high)));
        types.push("params=NAME*1e6");
    }
    if let Some((_, high)) = small_d {
        parts.push(format!("D is {} at most", short(high)));
        types.push(if high < 1e5 && small_n.is_some() || high < 1e3 { "tokens=NAME*1e9" } else { "tokens=NAME*1e6" });
    }
    let ratio = median(records.iter().filter_map(|run| Some(run.tokens?.0 / run.params_total?.0)).filter(|ratio| *ratio != 1.0));
    let both = n.is_some_and(|(_, high)| high > 1.0) && d.is_some_and(|(_, high)| high > 1.0);
    if let Some(ratio) = ratio.filter(|ratio| parts.is_empty() && both && !(RATIOS[0]..=RATIOS[1]).contains(ratio)) {
        parts.push(format!("there are {} tokens per parameter", plain(ratio)));
        types.push(if ratio < 1.0 { "tokens=NAME*1e9" } else { "params=NAME*1e6" });
    }
    if parts.is_empty() {
        return None;
    }
    let said = format!(
        "{}, which no language model has: are they in millions or billions? Say so, --columns '{}'",
        parts.join(" and "),
        types.join(",")
    );
    Some(Contradiction { said, factor: f64::INFINITY })
}

/// Runs whose compute is not what their size and tokens make it where that of most others is, in words.
pub(super) fn odd_compute(records: &[RunRecord], shares: &Shares, line: impl Fn(&str) -> Option<u64>) -> Vec<String> {
    let ratios: Vec<(&RunRecord, f64)> = records.iter().filter_map(|run| Some((run, (PAIRS[0].of)(run)? / share(run, shares)))).collect();
    let Some(middle) = median(ratios.iter().map(|(_, ratio)| *ratio)) else { return Vec::new() };
    let factor = |ratio: f64| (ratio / middle).max(middle / ratio);
    let odd: Vec<&(&RunRecord, f64)> = ratios.iter().filter(|(_, ratio)| factor(*ratio) >= SERIOUS).collect();
    if odd.len() * ONE_OF > ratios.len() {
        return Vec::new();
    }
    let said = |(run, ratio): &&(&RunRecord, f64)| {
        let line = line(&run.run_id).map_or(String::new(), |line| format!(" (line {line})"));
        format!("{}{line}: its C/(6·N·D) is {} times that of the others; is a digit of C, N or D wrong?", run.run_id, plain(ratio / middle))
    };
    odd.iter().take(NAMED).map(said).collect()
}

/// Residuals of others from which a run stands off the law, robust standard deviations.
const STANDS_OFF: f64 = 6.0;
/// And the least share of its loss: one seed in a hundred is that far off.
const LEAST_RESIDUAL: f64 = 1e-2;
/// The share of residuals by which the others are measured, and the quantile of a normal distribution there: a robust estimator brings
/// the smaller half of them nearly to zero.
const MEASURED: (f64, f64) = (0.8, 1.2816);
/// Of how many runs one may stand off; where more do, the law is at fault.
const ONE_OF: usize = 15;
/// Runs that are named.
pub(super) const NAMED: usize = 3;

/// Points that stand off the law of all others, each with its residual of ln L, the farthest first.
pub(super) fn standing_off(fitted: &FittedLaw) -> Vec<(usize, f64)> {
    let points = &fitted.evidence.points;
    let residual = |point: &crate::law::Point| (point.loss / fitted.law.loss(point)).ln();
    let residuals: Vec<f64> = points.iter().map(residual).collect();
    let mut sizes: Vec<f64> = residuals.iter().map(|one| one.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let Some(measured) = sizes.get((MEASURED.0 * sizes.len() as f64) as usize) else { return Vec::new() };
    let most = (STANDS_OFF * measured / MEASURED.1).max(LEAST_RESIDUAL);
    let mut off: Vec<(usize, f64)> = residuals.iter().enumerate().filter(|(_, one)| one.abs() > most).map(|(at, one)| (at, *one)).collect();
    if off.len() * ONE_OF > points.len() {
        return Vec::new();
    }
    off.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
    off
}

/// The same in words; `line` says where a run stands in its table.
pub(super) fn said_of(off: &[(usize, f64)], fitted: &FittedLaw, line: impl Fn(&str) -> Option<u64>) -> Vec<String> {
    let points = &fitted.evidence.points;
    let said = |(at, residual): &(usize, f64)| {
        let point = &points[*at];
        let line = line(&point.run).map_or(String::new(), |line| format!(" (line {line})"));
        let side = if *residual > 0.0 { "above" } else { "below" };
        format!(
            "{}{line} stands off: its loss {:.4} lies {:.1} % {side} the law of the others (N = {}, D = {}); is a digit wrong? --robust refits without it beside, --where leaves it out",
            point.run,
            point.loss,
            100.0 * residual.abs(),
            short(point.n),
            short(point.d)
        )
    };
    off.iter().take(NAMED).map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Flops, Params, Tokens};

    fn run(n: f64, d: f64, c: Option<f64>) -> RunRecord {
        RunRecord { params_total: Some(Params(n)), tokens: Some(Tokens(d)), flops_exact: c.map(Flops), ..RunRecord::default() }
    }

    fn found(change: impl Fn(f64, f64) -> RunRecord) -> Vec<(f64, bool)> {
        let runs: Vec<RunRecord> = [(1e8, 1e9), (2e8, 4e9), (4e8, 8e9)].into_iter().map(|(n, d)| change(n, d)).collect();
        contradictions(&runs, &Shares::new()).into_iter().map(|one| (one.factor, one.is_serious())).collect()
    }

    #[test]
    fn compute_that_is_not_that_of_the_runs_is_told_from_a_half_and_serious_from_a_third() {
        assert_eq!(found(|n, d| run(n, d, Some(6.0 * n * d))), []);
        assert_eq!(found(|n, d| run(n, d, Some(7.5 * n * d))), []);
        assert!(matches!(found(|n, d| run(n, d, Some(3.5 * n * d)))[..], [(factor, false)] if factor > 1.7));
        assert!(matches!(found(|n, d| run(n, d, Some(2.0 * n * d)))[..], [(factor, true)] if (factor - 3.0).abs() < 1e-9));
        assert!(matches!(found(|n, d| run(n, d, Some(6.0 * n * 524_288.0)))[..], [(_, true)]), "compute of one step");
    }

    #[test]
    fn sizes_tokens_batches_and_shapes_are_doubted_where_they_cannot_be() {
        assert!(matches!(found(|n, d| run(n / 1e6, d / 1e9, None))[..], [(_, true)]));
        assert!(matches!(found(|n, d| run(n, d / 1e9, None))[..], [(_, true)]));
        assert!(matches!(found(|n, d| run(n / 1e6, d, None))[..], [(_, true)]));
        let batch = |n, d| RunRecord { batch_tokens: Some(Tokens(512.0)), steps: Some((d / 524_288.0) as u64), ..run(n, d, None) };
        assert!(matches!(found(batch)[..], [(factor, true)] if factor > 1000.0));
        let shape = |n: f64, d| RunRecord { layers: Some(12), width: Some((n / 144.0).sqrt() as usize), ..run(n / 4.0, d, None) };
        assert!(matches!(found(shape)[..], [(_, true)]));
    }

    #[test]
    fn compute_of_mixtures_of_experts_is_that_of_their_active_parameters() {
        let runs: Vec<RunRecord> = (0..3)
            .map(|i| {
                let (n, d) = (8e9 * f64::from(1 << i), 1e11);
                RunRecord { run_id: format!("r{i}"), ..run(n, d, Some(6.0 * n / 8.0 * d)) }
            })
            .collect();
        let shares: Shares = runs.iter().map(|run| (run.run_id.clone(), 0.125)).collect();
        assert_eq!(contradictions(&runs, &shares), []);
        assert!(matches!(contradictions(&runs, &Shares::new())[..], [ref one] if (one.factor - 8.0).abs() < 1e-9 && one.is_serious()));
        // Compute of all parameters in a table that tells active ones.
        let all: Vec<RunRecord> = runs
            .iter()
            .map(|one| RunRecord {
                run_id: one.run_id.clone(),
                ..run(one.params_total.expect("N").0, 1e11, Some(6.0 * one.params_total.expect("N").0 * 1e11))
            })
            .collect();
        assert!(matches!(&contradictions(&all, &shares)[..], [one] if (one.factor - 8.0).abs() < 1e-9 && one.said.contains("of active N")));
        assert_eq!(odd_compute(&runs, &shares, |_| None), Vec::<String>::new());
    }
}
