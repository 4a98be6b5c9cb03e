//! What `--retry` names: runs that are trained again although something came of them.

use super::failure::Failure;
use crate::spec::{RunRecord, RunStatus};
use crate::sweep::Plan;
use anyhow::anyhow;

/// What is trained again.
pub(super) enum Retry {
    Status(RunStatus),
    Run(String),
}

impl Retry {
    pub(super) fn names(&self, id: &str, record: &RunRecord) -> bool {
        match self {
            Self::Status(status) => record.status == *status,
            Self::Run(run) => run == id,
        }
    }
}

/// Reads every `--retry`; a name that no run of the plan has is refused.
pub(super) fn retries(asked: &[String], plan: &Plan) -> Result<Vec<Retry>, Failure> {
    let read = |which: &String| match which.as_str() {
        "failed" => Ok(Retry::Status(RunStatus::Failed)),
        "diverged" => Ok(Retry::Status(RunStatus::Diverged)),
        id if plan.runs.iter().any(|run| run.id == id) => Ok(Retry::Run(id.to_owned())),
        other => Err(Failure::Input(anyhow!(
            "--retry {other}: say failed, diverged, or the name of a run of the plan (`scalelab status` lists them)"
        ))),
    };
    asked.iter().map(read).collect()
}
