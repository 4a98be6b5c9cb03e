//! Trunks and branches of a set of runs: the longest run of a trunk leads and leaves its state where the shorter
//! ones branch off; each of those begins there instead of at its first step.

use super::planned::PlannedRun;
use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::*;
    use crate::sweep::grid::tests::SMALL;

    const DOUBLING: &str = "[\"100k\", \"200k\", \"400k\", \"800k\"]";

    fn doubling(more: &str) -> super::super::plan::Plan {
        plan(&format!("{}\n{more}", SMALL.replace("[\"100k\", \"200k\"]", DOUBLING)))
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
            assert_eq!(trees(&runs).len(), 8, "{recipe}");
        }
    }
}
