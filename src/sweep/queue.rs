//! What may run next: the longest predicted first; a branch waits until its trunk has left a state where it branches
//! off, or until nobody makes that state any more.

use super::planned::PlannedRun;
use super::trunk::{Tree, trees};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// One run to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct Task<'a> {
    /// The planned run to train.
    pub run: &'a PlannedRun,
    /// Steps after which its state is wanted, because others branch off there.
    pub branch_points: Vec<u64>,
    /// Predicted seconds, of the own part where a state of the trunk is there.
    pub predicted_seconds: f64,
}

/// A task by its predicted seconds, then by its name, so that the order is always the same.
struct LongestFirst<'a>(Task<'a>);

/// Runs that are ready, and those that wait for the leader of their trunk.
pub(super) struct Queue<'a> {
    ready: BinaryHeap<LongestFirst<'a>>,
    waiting: HashMap<&'a str, Vec<&'a PlannedRun>>,
    /// Runs of each branch point that have not ended.
    unfinished: HashMap<(&'a str, u64), usize>,
}

impl<'a> Queue<'a> {
    /// `has_state` says whether the state that a run begins from is on disk already.
    pub(super) fn new(runs: &[&'a PlannedRun], has_state: &dyn Fn(&PlannedRun) -> bool) -> Self {
        let mut queue = Self { ready: BinaryHeap::new(), waiting: HashMap::new(), unfinished: HashMap::new() };
        for tree in trees(runs) {
            for (trunk, step) in tree.runs().filter_map(point) {
                *queue.unfinished.entry((trunk, step)).or_default() += 1;
            }
            let (begun, waiting): (Vec<_>, Vec<_>) = tree.branches.into_iter().partition(|run| has_state(run));
            queue.ready.extend(begun.into_iter().map(branch_task).map(LongestFirst));
            queue.lead(Tree { leader: tree.leader, branches: waiting });
        }
        queue
    }

    /// The longest run that may start now.
    pub(super) fn pop(&mut self) -> Option<Task<'a>> {
        self.ready.pop().map(|LongestFirst(task)| task)
    }

    /// Whether some run waits for another.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A leader left its state after `step`: runs that branch off there are ready.
    pub(super) fn state_kept(&mut self, leader: &'a PlannedRun, step: u64) {
        let Some((trunk, _)) = point(leader) else { return };
        let Some(waiting) = self.waiting.get_mut(trunk) else { return };
        let (begun, rest): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|run| point(run) == Some((trunk, step)));
        *waiting = rest;
        if waiting.is_empty() {
            self.waiting.remove(trunk);
        }
        self.ready.extend(begun.into_iter().map(branch_task).map(LongestFirst));
    }

    /// A run is over, with a result or without. Where it led a trunk and left no state for some branches, the longest of
    /// these leads now.
    pub(super) fn over(&mut self, task: &Task<'a>) {
        let Some((trunk, _)) = point(task.run) else { return };
        if task.branch_points.is_empty() {
            return;
        }
        if let Some(tree) = self.waiting.remove(trunk).and_then(Tree::of) {
            self.lead(tree);
        }
    }

    /// A run ended with a result; true when no other needs the state that it could begin from.
    pub(super) fn was_last_of_its_branch_point(&mut self, run: &'a PlannedRun) -> bool {
        let Some(left) = point(run).and_then(|point| self.unfinished.get_mut(&point)) else { return false };
        *left = left.saturating_sub(1);
        *left == 0
    }

    fn lead(&mut self, tree: Tree<'a>) {
        let mut branch_points: Vec<u64> = tree.branches.iter().filter_map(|run| point(run)).map(|(_, step)| step).collect();
        branch_points.dedup();
        let leader = tree.leader;
        if let Some((trunk, _)) = point(leader).filter(|_| !tree.branches.is_empty()) {
            self.waiting.insert(trunk, tree.branches);
        }
        self.ready.push(LongestFirst(Task { run: leader, branch_points, predicted_seconds: leader.predicted_seconds }));
    }
}

impl Ord for LongestFirst<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.0, &other.0);
        a.predicted_seconds.total_cmp(&b.predicted_seconds).then_with(|| b.run.id.cmp(&a.run.id))
    }
}

impl PartialOrd for LongestFirst<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for LongestFirst<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for LongestFirst<'_> {}

fn point(run: &PlannedRun) -> Option<(&str, u64)> {
    run.branch.as_ref().map(|branch| (branch.trunk_id.as_str(), branch.step))
}

fn branch_task(run: &PlannedRun) -> Task<'_> {
    Task { run, branch_points: Vec::new(), predicted_seconds: run.branch_seconds() }
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::super::plan::Plan;
    use super::*;

    /// One shape, three lengths, one trunk.
    fn three() -> Plan {
        plan(&SMALL.replace("[\"100k\", \"200k\"]", "[\"100k\", \"200k\", \"400k\"]").replace(", \"2x32\"", ""))
    }

    fn queue<'a>(plan: &'a Plan, has_state: fn(&PlannedRun) -> bool) -> Queue<'a> {
        Queue::new(&plan.runs.iter().collect::<Vec<_>>(), &has_state)
    }

    #[test]
    fn branches_wait_for_the_state_that_they_begin_from() {
        let plan = three();
        let mut queue = queue(&plan, |_| false);
        let leader = queue.pop().expect("ready");
        let steps: Vec<u64> = plan.runs.iter().map(|run| run.spec.branch_step().expect("has one")).collect();
        assert_eq!((leader.run, leader.branch_points.as_slice()), (&plan.runs[2], &steps[..2]));
        assert!(queue.pop().is_none() && queue.waits());
        queue.state_kept(leader.run, steps[0]);
        let branch = queue.pop().expect("released");
        assert_eq!((branch.run, branch.branch_points.len()), (&plan.runs[0], 0));
        // A fifth of its steps, and all of its evaluation.
        let (trained, evaluated) = (branch.run.spec.tokens().0, 256.0 * 256.0 / 3.0);
        let share = (0.2 * trained + evaluated) / (trained + evaluated);
        assert!((branch.predicted_seconds / branch.run.predicted_seconds - share).abs() < 0.03, "{share}");
        assert!(queue.pop().is_none());
        queue.state_kept(leader.run, steps[1]);
        assert_eq!(queue.pop().expect("released").run, &plan.runs[1]);
        assert!(!queue.waits());
    }

    #[test]
    fn when_a_leader_leaves_no_state_the_longest_branch_leads() {
        let plan = three();
        let mut queue = queue(&plan, |_| false);
        let leader = queue.pop().expect("ready");
        queue.over(&leader);
        let second = queue.pop().expect("leads now");
        assert_eq!((second.run, second.branch_points.len()), (&plan.runs[1], 1));
        assert_eq!(second.predicted_seconds, second.run.predicted_seconds);
        assert!(queue.pop().is_none());
        queue.over(&second);
        assert_eq!(queue.pop().expect("alone").run, &plan.runs[0]);
        assert!(!queue.waits());
    }

    #[test]
    fn a_state_on_disk_lets_its_branch_begin_at_once() {
        let plan = three();
        let mut queue = queue(&plan, |run| run.spec.steps < 50);
        let runs: Vec<&PlannedRun> = std::iter::from_fn(|| queue.pop()).map(|task| task.run).collect();
        assert_eq!(runs, [&plan.runs[2], &plan.runs[1], &plan.runs[0]]);
    }

    #[test]
    fn a_branch_point_is_needed_until_its_last_run_ended() {
        let plan = plan(&format!("{SMALL}\n[recipe]\nschedule = [{{ kind = \"wsd\" }}, {{ kind = \"wsd\", shape = \"linear\" }}]"));
        let mut queue = queue(&plan, |_| false);
        let twins: Vec<&PlannedRun> = plan.runs.iter().filter(|run| run.branch == plan.runs[0].branch).collect();
        assert_eq!(twins.len(), 2, "two forms of decay share the whole constant part");
        assert!(!queue.was_last_of_its_branch_point(twins[0]));
        assert!(queue.was_last_of_its_branch_point(twins[1]));
    }
}
