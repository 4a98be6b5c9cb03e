//! The laboratory for neural scaling laws: train a grid of small language models, fit the laws with
//! honest uncertainty, and learn what to train for a compute budget.
//!
//! Two wings meet at one table, `runs.csv`. The training wing: [`corpus`] → [`train`], run many times
//! by [`sweep`]. The analysis wing: [`law`] → [`fit`] → [`study`] → [`recommend`] → [`view`],
//! and [`doctor`] for the runs themselves. Both speak the
//! vocabulary of [`spec`]; [`results`] holds the table; [`cli`] is the front door. ARCHITECTURE.md has the map.
//!
//! What `scalelab fit results/grid` does before it prints, and what it recommends, in three lines:
//!
//! ```
//! use scalelab::{recommend, results::SweepFolder, spec::Flops, study::{Curves, Study, StudyOptions}};
//!
//! let runs = SweepFolder::at("results/grid").gathered()?;
//! let study = Study::of(&runs, &Curves::default(), &StudyOptions::default())?;
//! let advice = recommend::advise(&study, &[Flops(1e15)]);
//!
//! let law = study.best_law().expect("the grid tells N and D apart");
//! let a = law.derived.get("a").expect("a law of N and D");
//! assert!(a.holds(0.65));
//! assert!(advice[0].params.value > 1e5 && advice[0].extrapolation_factor > 100.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cli;
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
pub mod view;
