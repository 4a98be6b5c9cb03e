//! Many runs: a grid as written, its plan, and workers over a queue. Needs no candle: a [`Trainer`]
//! is handed in, so the whole pipeline also runs with one that answers from a known law.

mod axis;
mod cells;
mod changes;
mod corpus;
mod grid;
mod lab;
mod memory;
mod optimizer;
mod plan;
mod queue;
mod search;
mod shard;
mod slots;
mod slurm;
mod suggest;
mod trunk;

pub use cells::LeftOut;
pub use changes::{Change, changes};
pub use corpus::CorpusFacts;
pub use grid::{Around, Budget, Grid, GridError, SearchedAxes, Sharing, Warmup};
pub use lab::{LabEvent, LabOptions, LabSummary, News, OnFailure, RunFailure, Trainer, run_plan};
pub use memory::{MemoryError, check_memory, predicted_bytes};
pub use plan::{Chain, Plan, PlanError, PlannedRun, expand};
pub use queue::Task;
pub use search::{Propose, Resolved, resolve};
pub use shard::{Shard, ShardError};
pub use slots::{Slot, SlotError, slots};
pub use slurm::SlurmJob;
pub use trunk::{Branch, Savings, Tree, savings, trees};
