//! What networks can do: scores of tasks, the laws of them, and what a larger network will score.

mod ahead;
mod signal;
mod task;

pub use ahead::{TaskAhead, TaskLaw, TaskRecord};
pub use signal::Signal;
pub use task::{Task, TaskRun, chance_of, neighbours_differ};
