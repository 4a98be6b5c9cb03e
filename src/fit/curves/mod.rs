//! Laws of loss curves fitted to whole curves: Huber loss of ln L, many starts, and intervals by refits without each cluster of runs.
//!
//! Residuals along a curve are not independent, so intervals never count readings: they come from a jackknife over clusters (runs that read
//! the same data in the same order), or over ten parts of every curve where there are fewer than five clusters. Runs of one cluster that are
//! read at the same steps saw the same batches: the noise of the batch is common to them, so their mean and their deviations from it are
//! fitted apart, and the deviations, which know what one schedule is worth over another, count as much more as they scatter less.

mod fitted;
mod held_out;
mod laid;
mod search;
#[cfg(test)]
mod tests;
mod training;

pub use fitted::{CurveFit, CurveFitError, LeftOut, fit_curves};
pub use held_out::{HeldOut, held_out, schedules_unseen};
pub use training::TrainingCurve;
