//! One thing that ails a run, in words.

use super::ailment::Ailment;
use serde::Serialize;

/// One thing that ails a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What is wrong with the run.
    pub ailment: Ailment,
    /// Whether the run is sick of it; else a remark.
    pub fault: bool,
    /// Step at which it shows.
    pub step: Option<u64>,
    /// What was seen, with its size beside the noise or the threshold.
    pub evidence: String,
    /// What probably causes it.
    pub cause: &'static str,
    /// What to change in the recipe or the data.
    pub change: &'static str,
}

impl Finding {
    pub(super) fn new(ailment: Ailment, step: Option<f64>, evidence: String) -> Self {
        let (cause, change) = ailment.advice();
        Self { ailment, fault: ailment.is_fault(), step: step.map(|step| step as u64), evidence, cause, change }
    }

    /// The same where it does no harm.
    pub(super) fn into_remark(self) -> Self {
        Self { fault: false, ..self }
    }
}
