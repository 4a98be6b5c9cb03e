//! Trunk and branch: runs that differ only in how long they are share every step before the shorter one leaves
//! its constant-rate part (Hägele 2405.18392). What follows of a run, its branch, is its own.

use super::run::short_hash;
use super::{RunSpec, Seeds};

impl RunSpec {
    /// The step from which this run leaves its constant-rate part; none where its schedule has no such part.
    pub fn branch_step(&self) -> Option<u64> {
        self.recipe.schedule.stable_until(self.steps)
    }

    /// The name of the trunk that this run begins with; none where its schedule has no constant-rate part.
    /// Runs of one trunk are the same, bit for bit, up to the earlier of their branch steps, whether or not
    /// those steps were computed once; so they are no independent samples.
    pub fn trunk_id(&self) -> Option<String> {
        self.branch_step()?;
        let Seeds { init, data, .. } = self.seeds;
        let (rate, batch) = (self.recipe.learning_rate, self.recipe.batch_tokens);
        Some(format!("{}-lr{rate}-b{batch}-s{init}.{data}-trunk-{}", self.shape, short_hash(&self.trunk_text())))
    }

    /// What the steps of a trunk depend on: all that a run does but its length, what it does after the
    /// constant-rate part, and how its loss is measured.
    fn trunk_text(&self) -> String {
        const LATER: [&str; 5] = ["schedule ", "steps ", "seeds ", "eval_windows ", "target "];
        let canonical = self.canonical_text();
        let lines = canonical.lines().filter(|line| !LATER.iter().any(|later| line.starts_with(later)));
        let Seeds { init, data, .. } = self.seeds;
        lines.map(|line| format!("{line}\n")).chain([format!("seeds {init} {data}\n")]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::example;
    use super::super::{DecayShape, Dtype, Schedule};
    use super::*;

    #[test]
    fn runs_of_one_trunk_have_the_same_rate_at_every_shared_step() {
        let base = example();
        let longer = RunSpec { steps: 1000, ..example() };
        let mut steeper = RunSpec { steps: 500, ..example() };
        steeper.recipe.schedule = Schedule::Wsd { decay_fraction: 0.5, shape: DecayShape::Linear };
        let mut constant = example();
        constant.recipe.schedule = Schedule::Constant {};
        let mut multi_step = RunSpec { steps: 300, ..example() };
        multi_step.recipe.schedule = Schedule::MultiStep { milestones: vec![0.8, 0.9], factors: vec![0.3, 0.1] };
        for other in [longer, steeper, constant, multi_step] {
            assert_eq!(other.trunk_id(), base.trunk_id());
            let shared = other.branch_step().min(base.branch_step()).expect("both have one");
            assert!(shared >= 200);
            assert!((0..shared).all(|step| other.learning_rate(step).to_bits() == base.learning_rate(step).to_bits()));
        }
    }

    #[test]
    fn whatever_changes_a_step_of_the_trunk_changes_its_name() {
        let base = example();
        let changed: [fn(&mut RunSpec); 8] = [
            |run| run.recipe.learning_rate *= 2.0,
            |run| run.recipe.batch_tokens *= 2,
            |run| run.recipe.warmup_tokens *= 2,
            |run| run.recipe.adamw.weight_decay = 0.0,
            |run| run.recipe.grad_clip = 0.0,
            |run| run.recipe.dtype = Dtype::Bf16,
            |run| run.seeds.init = 1,
            |run| run.seeds.data = 1,
        ];
        for change in changed {
            let mut run = base.clone();
            change(&mut run);
            assert_ne!(run.trunk_id(), base.trunk_id());
        }
        let mut cosine = base.clone();
        cosine.recipe.schedule = Schedule::Cosine { final_fraction: 0.1 };
        assert_eq!((cosine.trunk_id(), cosine.branch_step()), (None, None));
        let other_windows = RunSpec { eval_windows: 1, seeds: Seeds { eval: 7, ..base.seeds }, ..base.clone() };
        assert_eq!(other_windows.trunk_id(), base.trunk_id());
    }
}
