//! The list of runs that a grid stands for, and whether it may go on in a folder that holds some of them.

use super::cells::LeftOut;
use super::planned::PlannedRun;
use crate::spec::{RunRecord, RunStatus};
use std::collections::{HashMap, HashSet};

/// Why a grid has no plan, or its plan may not go on in a folder.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The user asked for a cell that cannot be trained.
    #[error("{shape} at {budget}: {reason}")]
    Impossible {
        /// Shape of the network, as layers x width.
        shape: String,
        /// The budget, as printed.
        budget: String,
        /// Why the cell is not trained.
        reason: String,
    },
    /// Every cell was left out.
    #[error("no cell of the grid can be trained; the first is left out because {0}")]
    NothingLeft(String),
    /// The corpus cannot hold out enough.
    #[error(
        "eval.windows = {asked}: the corpus can hold out {available} windows of this context; at least {least} are needed; use more text or a shorter context"
    )]
    HeldOut {
        /// Windows that the run needs.
        asked: u64,
        /// Windows there are.
        available: u64,
        /// Fewest windows that are accepted.
        least: u64,
    },
    /// The learning rate would never reach its peak.
    #[error(
        "recipe.warmup_tokens: {warmup_tokens} tokens of warmup are not less than the shortest run of {shortest}; lower it, or say \"5% of the shortest budget\""
    )]
    Warmup {
        /// Tokens of warmup.
        warmup_tokens: u64,
        /// Tokens of the shortest run.
        shortest: u64,
    },
    /// The folder holds runs on other data.
    #[error(
        "the folder holds runs on another corpus (sha256 {found}…, now {now}…): losses of both cannot stand in one table; give the sweep another name"
    )]
    OtherCorpus {
        /// Start of the hash in the folder.
        found: String,
        /// Start of the hash now.
        now: String,
    },
    /// The folder holds runs evaluated otherwise.
    #[error(
        "the folder holds runs evaluated on {found}, the grid now says {now}: their losses cannot be compared; set eval.windows and seeds.eval as before, or give the sweep another name"
    )]
    OtherEvaluation {
        /// Evaluation in the folder.
        found: String,
        /// How the grid evaluates now.
        now: String,
    },
}

/// Every run of a grid, in the order of training.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Runs, in the order of `plan.csv`.
    pub runs: Vec<PlannedRun>,
    /// Cells that are not trained.
    pub left_out: Vec<LeftOut>,
    /// Held-out windows of every run.
    pub eval_windows: u64,
}

impl Plan {
    /// The rows of `plan.csv`: what `runs.csv` will hold, before anything came of it.
    pub fn records(&self) -> Vec<RunRecord> {
        self.runs.iter().map(|run| RunRecord::planned(&run.spec)).collect()
    }

    /// Whether this plan may go on in a folder that already holds these runs.
    pub fn check_against(&self, done: &HashMap<String, RunRecord>) -> Result<(), PlanError> {
        let Some(now) = self.runs.first().map(|run| &run.spec) else {
            return Ok(());
        };
        let start = |hash: &str| hash.chars().take(8).collect::<String>();
        let mut records: Vec<&RunRecord> = done.values().filter(|record| record.status == RunStatus::Finished).collect();
        records.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        for record in records {
            if let Some(found) = record.corpus_sha256.as_ref().filter(|found| **found != now.corpus_sha256) {
                return Err(PlanError::OtherCorpus { found: start(found), now: start(&now.corpus_sha256) });
            }
            let describe = |tokens: f64, seed: u64| format!("{tokens:.0} tokens of evaluation seed {seed}");
            let current = describe((self.eval_windows * now.shape.context as u64) as f64, now.seeds.eval);
            let found = describe(record.eval_tokens.map_or(0.0, |tokens| tokens.0), record.seed_eval.unwrap_or(0));
            if found != current {
                return Err(PlanError::OtherEvaluation { found, now: current });
            }
        }
        Ok(())
    }

    /// Records of done runs in plan order, then those no longer in the plan, by name.
    pub fn gathered(&self, done: &HashMap<String, RunRecord>) -> Vec<RunRecord> {
        let planned: HashSet<&str> = self.runs.iter().map(|run| run.id.as_str()).collect();
        let mut others: Vec<&RunRecord> = done.values().filter(|record| !planned.contains(record.run_id.as_str())).collect();
        others.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        self.runs.iter().filter_map(|run| done.get(&run.id)).chain(others).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::*;
    use crate::spec::{Nats, Tokens};

    #[test]
    fn a_folder_of_other_data_or_other_windows_is_refused() {
        let plan = plan(SMALL);
        let mut record = RunRecord::planned(&plan.runs[0].spec);
        (record.status, record.loss_nats) = (RunStatus::Finished, Some(Nats(2.0)));
        record.eval_tokens = Some(Tokens(256.0 * 256.0));
        let folder = |record: &RunRecord| HashMap::from([(record.run_id.clone(), record.clone())]);
        assert_eq!(plan.check_against(&folder(&record)), Ok(()));
        let other = RunRecord { corpus_sha256: Some("cd".repeat(32)), ..record.clone() };
        assert!(matches!(plan.check_against(&folder(&other)), Err(PlanError::OtherCorpus { .. })));
        let other = RunRecord { eval_tokens: Some(Tokens(1.0)), ..record };
        assert!(matches!(plan.check_against(&folder(&other)), Err(PlanError::OtherEvaluation { .. })));
    }

    #[test]
    fn gathered_rows_stand_in_plan_order_and_strangers_last() {
        let plan = plan(SMALL);
        let mut done: HashMap<String, RunRecord> = plan.records().into_iter().map(|record| (record.run_id.clone(), record)).collect();
        done.insert("a stranger".into(), RunRecord { run_id: "a stranger".into(), ..RunRecord::default() });
        let gathered: Vec<String> = plan.gathered(&done).into_iter().map(|record| record.run_id).collect();
        let mut expected: Vec<String> = plan.runs.iter().map(|run| run.id.clone()).collect();
        expected.push("a stranger".into());
        assert_eq!(gathered, expected);
    }
}
