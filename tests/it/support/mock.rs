//! A trainer that trains nothing: every step mixes its number and learning rate into a hash, and the loss is made of the
//! last hash. So a step that was left out, made twice or made at another rate shows in the result, in microseconds a run.

use scalelab::results::SweepFolder;
use scalelab::spec::{Nats, Progress, RunRecord, RunSpec, RunStatus, Tokens, TrainedRun};
use scalelab::sweep::{CorpusFacts, Grid, News, Plan, PlannedRun, RunFailure, Task, Trainer, expand};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The plan of a grid on a source without end.
pub(crate) fn plan(grid: &str) -> Plan {
    let facts = CorpusFacts { sha256: "ab".repeat(32), vocabulary: 256, ..CorpusFacts::default() };
    expand(&Grid::parse(grid).expect("a valid grid"), &facts, &|_| 1e-5).expect("a plan")
}

/// Runs of a plan that left no row.
pub(crate) fn missing<'a>(plan: &'a Plan, folder: &SweepFolder) -> Vec<&'a PlannedRun> {
    let (done, _) = folder.done().expect("reads");
    plan.runs.iter().filter(|run| !done.contains_key(&run.id)).collect()
}

pub(crate) struct HashChain<'a> {
    pub(crate) folder: &'a SweepFolder,
    /// Steps between two states.
    pub(crate) every: u64,
    /// Moments until this process is killed.
    pub(crate) fuse: &'a AtomicI64,
    /// Steps made, by all.
    pub(crate) steps: &'a AtomicU64,
}

/// One moment passes; after the last, nothing happens any more. (No hook is called, so nothing is printed.)
pub(crate) fn burn(fuse: &AtomicI64) {
    if fuse.fetch_sub(1, Ordering::SeqCst) <= 0 {
        std::panic::resume_unwind(Box::new("killed"));
    }
}

fn mix(state: u64, step: u64, rate: f64) -> u64 {
    (state ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ rate.to_bits()).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(23)
}

impl HashChain<'_> {
    /// The latest whole state that a run may begin from.
    fn start(&self, run: &PlannedRun) -> (u64, u64) {
        let branch = run.branch.as_ref();
        let mut stored = self.folder.states(&run.id);
        if let Some(branch) = branch {
            stored.extend(self.folder.states(&branch.trunk_id).into_iter().filter(|state| state.step <= branch.step));
        }
        stored.sort_by_key(|state| std::cmp::Reverse(state.step));
        let whole = |bytes: Vec<u8>| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        let read =
            |state: &scalelab::results::StoredCheckpoint| Some((state.step, whole(self.folder.read_checkpoint(state).expect("reads")?)?));
        stored.iter().find_map(read).unwrap_or((0, 1))
    }
}

impl Trainer for HashChain<'_> {
    fn train(&self, _: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
        let spec: &RunSpec = &task.run.spec;
        let (mut step, mut state) = self.start(task.run);
        while step < spec.steps {
            state = mix(state, step, spec.learning_rate(step));
            step += 1;
            self.steps.fetch_add(1, Ordering::SeqCst);
            burn(self.fuse);
            if task.branch_points.contains(&step) {
                let trunk = &task.run.branch.as_ref().expect("has branches").trunk_id;
                self.folder.keep_branch_point(trunk, step, &state.to_le_bytes()).expect("written");
                burn(self.fuse);
                let _ = observer(News::BranchPoint(step));
            } else if step % self.every == 0 {
                self.folder.checkpoint(&task.run.id, step, &state.to_le_bytes()).expect("written");
            }
            if observer(News::Moved(Progress { step, steps: spec.steps, train_loss_nats: None })).is_break() {
                return Err(RunFailure::Interrupted);
            }
        }
        let mut record = RunRecord::planned(spec);
        record.status = RunStatus::Finished;
        record.loss_nats = Some(Nats(1.0 + (state >> 12) as f64 / (1u64 << 52) as f64));
        record.eval_tokens = Some(Tokens((spec.eval_windows * spec.shape.context as u64) as f64));
        Ok(TrainedRun { record, curve: Vec::new(), window_losses: Vec::new() })
    }
}
