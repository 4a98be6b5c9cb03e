//! Many runs: a grid as written, its plan, and workers over a queue. Needs no candle: a [`Trainer`]
//! is handed in, so the whole pipeline also runs with one that answers from a known law.

mod axis;
mod cells;
mod changes;
mod grid;
mod lab;
mod optimizer;
mod plan;
mod suggest;

pub use cells::LeftOut;
pub use changes::{Change, changes};
pub use grid::{Around, Budget, CorpusFacts, Grid, GridError, Warmup};
pub use lab::{LabEvent, LabOptions, LabSummary, RunFailure, Trainer, run_plan};
pub use plan::{Plan, PlanError, PlannedRun, expand};
