//! What runs say, as one value: from records and curves to evidence, laws, profiles of budgets, hyperparameters and scrutiny.
//! Every command asks this room, so that one folder gives one evidence. Pure: no file, no clock.

mod abilities;
mod base_choice;
mod batch;
mod budgets;
mod certified;
mod checkpoints;
mod comparison;
mod curves;
mod document;
mod doubt;
mod envelope;
mod error;
mod fine_tuned;
mod laws;
mod meaning;
mod objectives;
mod options;
mod predictive;
mod prepare;
mod robust;
mod scrutiny;
mod training_curves;
mod trust;
mod truths;
mod tuned_bases;
mod whole;
mod worth;

#[cfg(test)]
mod tests;

pub use abilities::{Signal, Task, TaskAhead, TaskLaw, TaskRecord, TaskRun, chance_of, neighbours_differ};
pub use base_choice::{AHEAD, BaseChoice, ChosenEarlier, FEWEST_TRIALS, Trials, carried, choose, chosen_earlier};
pub use batch::{BestBatch, BestBatches, best_batches};
pub use certified::{Certified, Losses, certified};
pub use checkpoints::MANY;
pub use comparison::{Group, LossUnit, NamedRuns, compare_groups, grouped, groups_of, on_common_cells};
pub use curves::{CurveSample, Curves};
pub use document::{document, in_bits_per_byte, isoflop_document, law_documents};
pub use error::StudyError;
pub use fine_tuned::{AgainstScratch, FineTuned, Forgotten, ForgottenByRun, Transferred, TunedBase, fine_tuned};
pub use laws::{Base, Coefficients, LawReport, cuts};
pub use options::{LawName, Scrutinised, StudyOptions};
pub use predictive::{Beside, Errors, Frontier, Member, Mixture, Optima, Origin, Predictive, Record, Settings, Share, Walls};
pub use prepare::{Prepared, one_tokenizer, prepare, seen_once};
pub use robust::Robust;
pub use scrutiny::Scrutiny;
pub use training_curves::{CurveLosses, RecordedCurve, training_curve};
pub use trust::{FACTORS, Held, HeldByRule, Trust, trust};
pub use truths::{Truth, truths};
pub use tuned_bases::is_fine_tuned;
pub use whole::{OfBudgets, Study};
pub use worth::{GroupWorth, OverBaseline, Worth, WorthOptions, worth};
