//! What runs at work will end at, by the curves of those that ended.

use super::labels::Labels;
use super::progress::Progress;
use crate::doctor::Collapse;
use crate::fit::Estimate;
use crate::results::RunningRun;
use crate::spec::{CurvePoint, RunRecord};

/// Level of the intervals.
const LEVEL: f64 = 0.95;

/// Final losses of runs at work, by run, in the order in which they are told.
#[derive(Debug, Clone, Default)]
pub(super) struct ExpectedEnds(Vec<(String, Estimate)>);

impl ExpectedEnds {
    /// By runs that ended, with their curves in the same order, and by what is known of the losses of each run at work.
    pub(super) fn of(
        progress: &Progress,
        ended: &[RunRecord],
        curves: &[impl AsRef<[CurvePoint]>],
        losses: impl Fn(&RunningRun) -> Vec<(u64, f64)>,
    ) -> Self {
        let collapse = Collapse::of(ended, curves);
        let one = |told: &RunningRun| {
            let planned = progress.plan().iter().find(|run| run.run_id == told.run_id)?;
            Some((told.run_id.clone(), collapse.final_loss(planned, &losses(told), LEVEL)?))
        };
        Self(progress.running().filter_map(|(_, told)| one(told)).collect())
    }

    /// Of a run.
    pub(super) fn get(&self, run_id: &str) -> Option<&Estimate> {
        self.0.iter().find(|(known, _)| known == run_id).map(|(_, loss)| loss)
    }

    /// In words, the first few; `None` where nothing is expected.
    pub(super) fn said(&self, progress: &Progress, labels: &Labels) -> Option<String> {
        let name = |run_id: &String| {
            let planned = progress.plan().iter().find(|run| run.run_id == *run_id);
            planned.map_or_else(|| run_id.clone(), |run| labels.of_run(run))
        };
        let all: Vec<String> = self.0.iter().map(|(run_id, loss)| format!("{} {loss}", name(run_id))).collect();
        (!all.is_empty()).then(|| format!("final loss by the curves of runs that ended ({:.0} %): {}", 100.0 * LEVEL, all.join("; ")))
    }
}
