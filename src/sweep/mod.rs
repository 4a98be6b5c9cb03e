//! Many runs: a grid as written, its plan, and workers over a queue. Needs no candle: a [`Trainer`]
//! is handed in, so the whole pipeline also runs with one that answers from a known law.

mod axis;
mod cells;
mod changes;
mod cost;
mod draft;
mod expand;
mod fine_tune;
mod foresee;
mod grid;
mod lab;
mod memory;
mod mixtures;
mod plan;
mod planned;
mod queue;
mod search;
mod shard;
mod slots;
mod slurm;
mod suggest;
mod time_left;
mod trunk;

pub use cells::LeftOut;
pub use changes::{Change, changes};
pub use cost::{
    ASSUMED_FLOPS_PER_SECOND, MeasuredRate, Savings, exact_flops, flops_per_token, gain_of, predicted_wall, predicted_work, savings,
    seconds_per_token,
};
pub use draft::{Draft, Fitting};
pub use expand::expand;
pub use fine_tune::frontier;
pub use foresee::foresee;
pub use grid::{
    Around, Base, BaseChoice, Budget, BudgetAxes, CorpusFacts, FineTuneAxes, Grid, GridError, PairFacts, PartFacts, RecipeAxes,
    RunSettings, SearchedAxes, SeedAxes, Sharing, Subset, Warmup,
};
pub use lab::{LabEvent, LabOptions, LabSummary, News, OnFailure, RunFailure, Trainer, run_plan};
pub use memory::{MemoryError, check_memory, predicted_bytes};
pub use plan::{Plan, PlanError};
pub use planned::{Branch, Chain, EVALUATION, PlannedRun};
pub use queue::Task;
pub use search::{Propose, Resolved, resolve};
pub use slots::{Slot, SlotError, slots};
pub use slurm::{NoSlurmTime, SlurmJob, SlurmTime};
pub use suggest::nearest;
pub use time_left::{Advance, Begun, Work};
pub use trunk::{Tree, trees};
