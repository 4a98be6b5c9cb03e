//! Trunks and branches of a set of runs: the longest run of a trunk leads and leaves its state where the shorter
//! ones branch off; each of those begins there instead of at its first step.

use super::plan::PlannedRun;
use std::collections::BTreeMap;

/// Where a run meets the others of its trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Name of the trunk.
    pub trunk_id: String,
    /// The first step that is the run's own.
    pub step: u64,
}

/// Runs that are executed in the order given, or a single one that shares nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree<'a> {
    /// The longest: it makes the steps that the others share.
    pub leader: &'a PlannedRun,
    /// The others, the earliest branch first.
    pub branches: Vec<&'a PlannedRun>,
}

/// Groups runs into trees, in the order in which their first runs come.
pub fn trees<'a>(runs: &[&'a PlannedRun]) -> Vec<Tree<'a>> {
    let mut trunks: BTreeMap<&str, Vec<&'a PlannedRun>> = BTreeMap::new();
    for run in runs {
        if let Some(branch) = &run.branch {
            trunks.entry(&branch.trunk_id).or_default().push(run);
        }
    }
    let grown = |run: &&'a PlannedRun| match &run.branch {
        None => Some(Tree { leader: run, branches: Vec::new() }),
        Some(branch) => trunks.remove(branch.trunk_id.as_str()).and_then(Tree::of),
    };
    runs.iter().filter_map(grown).collect()
}

impl<'a> Tree<'a> {
    /// The tree of runs of one trunk; none of no runs.
    pub(super) fn of(mut runs: Vec<&'a PlannedRun>) -> Option<Self> {
        runs.sort_by_key(|run| (run.branch.as_ref().map_or(0, |branch| branch.step), run.spec.steps));
        let leader = runs.pop()?;
        Some(Self { leader, branches: runs })
    }

    /// Seconds predicted for all of it.
    pub fn predicted_seconds(&self) -> f64 {
        self.leader.predicted_seconds + self.branches.iter().map(|run| run.branch_seconds()).sum::<f64>()
    }

    /// All runs, the leader first.
    pub fn runs(&self) -> impl Iterator<Item = &'a PlannedRun> {
        std::iter::once(self.leader).chain(self.branches.iter().copied())
    }
}

impl PlannedRun {
    /// The part of its steps that a run makes itself when it begins where it branches off.
    pub fn branch_share(&self) -> f64 {
        self.branch.as_ref().map_or(1.0, |branch| 1.0 - branch.step as f64 / self.spec.steps as f64)
    }

    /// Predicted seconds of that part.
    pub fn branch_seconds(&self) -> f64 {
        self.predicted_seconds * self.branch_share()
    }
}

/// What a set of runs costs in some unit, each alone and with trunks shared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Savings {
    /// Trees of more than one run.
    pub trunks: usize,
    /// Runs in them.
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

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;
    use crate::sweep::grid::tests::SMALL;

    const DOUBLING: &str = "[\"100k\", \"200k\", \"400k\", \"800k\"]";

    fn doubling(more: &str) -> super::super::plan::Plan {
        plan(&format!("{}\n{more}", SMALL.replace("[\"100k\", \"200k\"]", DOUBLING)))
    }

    #[test]
    fn four_doublings_with_a_fifth_of_cooldown_save_37_per_cent() {
        let plan = doubling("[recipe]\nlearning_rate = [1e-3, 2e-3]\nbatch_tokens = 1024\n[model]\ncontext = 64");
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let found = savings(&runs, &|run| run.spec.tokens().0);
        // 8 + (1 + 2 + 4)/5 units instead of 15.
        assert!((found.fraction() - (1.0 - 9.4 / 15.0)).abs() < 0.002, "{found:?}");
        assert_eq!((found.trunks, found.sharing), (4, 16), "each learning rate of each shape has its own trunk");
    }

    #[test]
    fn the_longest_run_leads_and_the_others_branch_in_order() {
        let plan = doubling("");
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let grown = trees(&runs);
        assert_eq!(grown.len(), 2);
        for tree in &grown {
            assert!(tree.branches.is_sorted_by_key(|run| run.spec.steps));
            assert!(tree.branches.iter().all(|run| run.spec.steps < tree.leader.spec.steps && run.spec.shape == tree.leader.spec.shape));
        }
    }

    #[test]
    fn without_trunks_or_a_constant_part_every_run_stands_alone() {
        for recipe in ["trunk = \"off\"", "schedule = { kind = \"cosine\" }"] {
            let plan = doubling(&format!("[recipe]\n{recipe}"));
            let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
            let found = savings(&runs, &|run| run.predicted_seconds);
            assert_eq!((found.trunks, found.fraction()), (0, 0.0), "{recipe}");
            assert_eq!(trees(&runs).len(), 8);
        }
    }
}
