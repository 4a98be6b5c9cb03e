//! The laboratory for neural scaling laws: train a grid of small language models, fit the laws with
//! honest uncertainty, and learn what to train for a compute budget.
//!
//! Two wings meet at one table, `runs.csv`. The training wing: [`corpus`] → [`train`], run many times
//! by [`sweep`]. The analysis wing: [`law`] → [`fit`] → [`recommend`] → [`view`],
//! and [`doctor`] for the runs themselves. Both speak the
//! vocabulary of [`spec`]; [`results`] holds the table; [`cli`] is the front door. ARCHITECTURE.md has the map.

//pub mod cli;
pub mod corpus;
pub mod doctor;
pub mod fit;
pub mod law;
pub mod recommend;
pub mod results;
pub mod spec;
pub mod study;
pub mod sweep;
#[cfg(feature = "train")]
pub mod train;
//pub mod view;
