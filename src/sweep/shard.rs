//! One shard of a plan, `k/n`: every machine computes the same division from the same plan, so no coordinator is
//! needed and no run is in two shards. Trunks are kept whole; shards cost about the same.

use super::planned::{Chain, PlannedRun};
use super::trunk::{Tree, trees};
use crate::spec::{FlopRule, RunSpec, Shard};

impl Shard {
    /// The runs of this shard, in the order of the plan. Every tree of runs goes, the dearest first, to the shard that has least
    /// (Graham 1969: at most a third more than the best division).
    pub fn of<'a>(self, runs: &[&'a PlannedRun]) -> Vec<&'a PlannedRun> {
        if runs.iter().any(|run| run.chain.is_some()) {
            return self.of_chains(runs);
        }
        let mut trees = trees(runs);
        let sort_key = |tree: &Tree<'_>| (std::cmp::Reverse(picoseconds(tree)), tree.leader.id.clone());
        trees.sort_by_cached_key(sort_key);
        let mut loads = std::collections::BTreeSet::from_iter((1..=self.count).map(|number| (0u128, number)));
        let mut mine = std::collections::HashSet::new();
        for tree in &trees {
            let (load, number) = loads.pop_first().expect("at least one shard");
            loads.insert((load + picoseconds(tree), number));
            if number == self.number {
                mine.extend(tree.runs().map(|run| run.id.as_str()));
            }
        }
        runs.iter().copied().filter(|run| mine.contains(run.id.as_str())).collect()
    }
}

impl Shard {
    /// The same of an adaptive search, whose chains are kept whole: the division does not move as results come in.
    fn of_chains<'a>(self, runs: &[&'a PlannedRun]) -> Vec<&'a PlannedRun> {
        let mut chains: Vec<Chain> = runs.iter().filter_map(|run| run.chain).collect();
        chains.sort_by_key(|chain| (std::cmp::Reverse(chain.picoseconds), chain.number));
        chains.dedup();
        let mut loads = std::collections::BTreeSet::from_iter((1..=self.count).map(|number| (0u128, number)));
        let mut mine = Vec::new();
        for chain in chains {
            let (load, number) = loads.pop_first().expect("at least one shard");
            loads.insert((load + chain.picoseconds, number));
            if number == self.number {
                mine.push(chain.number);
            }
        }
        runs.iter().copied().filter(|run| run.chain.is_some_and(|chain| mine.contains(&chain.number))).collect()
    }
}

/// What a run costs on a usual core, in a whole number, so that every machine adds up the same.
pub(super) fn usual_picoseconds(spec: &RunSpec) -> u128 {
    (spec.tokens().0 * usual_seconds_per_token(spec) * 1e12) as u128
}

/// Cost of a tree in a whole number, so that every machine adds up the same.
fn picoseconds(tree: &Tree<'_>) -> u128 {
    let own_tokens = |run: &PlannedRun| run.spec.tokens().0 * run.branch_share();
    let seconds = tree.leader.spec.tokens().0 * usual_seconds_per_token(&tree.leader.spec)
        + tree.branches.iter().map(|run| own_tokens(run) * usual_seconds_per_token(&run.spec)).sum::<f64>();
    (seconds * 1e12) as u128
}

/// Seconds of a token on a usual core, the same on every machine whatever it measured of itself: 1.9 µs, and 150 GFLOP/s
/// beyond (LOG.md: 22 GFLOP/s at 2x8, 130 at 3x96).
fn usual_seconds_per_token(spec: &RunSpec) -> f64 {
    1.9e-6 + FlopRule::Exact.per_token(&spec.shape).expect("a counted rule") / 150e9
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn shards_are_disjoint_complete_balanced_and_keep_trunks_whole() {
        let text = SMALL.replace("[\"100k\", \"200k\"]", "[\"100k\", \"200k\", \"400k\"]").replace("\"2x32\"", "\"2x32\", \"2x48\"");
        let plan = plan(&format!("{text}\n[recipe]\nlearning_rate = [1e-3, 2e-3, 4e-3]\n[seeds]\ndata = [0, 1, 2, 3]"));
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        for count in [1, 2, 5, 36, 50] {
            let shards: Vec<Vec<&PlannedRun>> = (1..=count).map(|number| Shard { number, count }.of(&runs)).collect();
            let ids: HashSet<&str> = shards.iter().flatten().map(|run| run.id.as_str()).collect();
            assert_eq!((ids.len(), shards.iter().map(Vec::len).sum::<usize>()), (runs.len(), runs.len()));
            let mut home: HashMap<&str, usize> = HashMap::new();
            for (shard, run) in shards.iter().enumerate().flat_map(|(at, runs)| runs.iter().map(move |run| (at, run))) {
                let trunk = &run.branch.as_ref().expect("shares a trunk").trunk_id;
                assert_eq!(*home.entry(trunk).or_insert(shard), shard, "{trunk} is in two shards");
            }
            let costs: Vec<u128> = shards.iter().map(|runs| trees(runs).iter().map(picoseconds).sum()).collect();
            let (least, most) = (costs.iter().min().expect("some"), costs.iter().max().expect("some"));
            assert!(count > 5 || (*most as f64) < 1.1 * *least as f64, "{costs:?}");
        }
    }

    #[test]
    fn the_division_does_not_depend_on_what_a_machine_measured_of_itself() {
        let mut plan = plan(SMALL);
        let shard = Shard { number: 1, count: 2 };
        let names = |plan: &super::super::Plan| {
            let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
            shard.of(&runs).iter().map(|run| run.id.clone()).collect::<Vec<_>>()
        };
        let before = names(&plan);
        plan.runs.iter_mut().rev().zip(1..).for_each(|(run, n)| run.predicted_seconds = f64::from(n));
        assert_eq!(names(&plan), before);
    }
}
