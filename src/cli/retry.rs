//! What `--retry` names: runs that are trained again although something came of them.

use super::failure::Failure;
use super::load::Loaded;
use crate::results::SweepFolder;
use crate::spec::{RunRecord, RunStatus};
use anyhow::anyhow;

/// What is trained again.
pub(super) enum Retry {
    Status(RunStatus),
    /// Finished runs without weights.
    Weights,
    Run(String),
}

impl Retry {
    pub(super) fn names(&self, id: &str, record: &RunRecord, folder: &SweepFolder) -> bool {
        match self {
            Self::Status(status) => record.status == *status,
            Self::Weights => record.status == RunStatus::Finished && !folder.has_weights(id),
            Self::Run(run) => run == id,
        }
    }
}

/// Reads every `--retry`; a name that no run of the plan has is refused.
pub(super) fn retries(asked: &[String], loaded: &Loaded) -> Result<Vec<Retry>, Failure> {
    let read = |which: &String| match which.as_str() {
        "failed" => Ok(Retry::Status(RunStatus::Failed)),
        "diverged" => Ok(Retry::Status(RunStatus::Diverged)),
        "weights" if loaded.grid.run.keep_weights => Ok(Retry::Weights),
        "weights" => Err(Failure::Input(anyhow!(
            "--retry weights: the grid {} keeps no weights; write keep_weights = true below [run], then call it again",
            loaded.grid.name
        ))),
        id if loaded.plan.runs.iter().any(|run| run.id == id) => Ok(Retry::Run(id.to_owned())),
        other => Err(Failure::Input(anyhow!(
            "--retry {other}: say failed, diverged, weights, or the name of a run of the plan (`scalelab status` lists them)"
        ))),
    };
    asked.iter().map(read).collect()
}
