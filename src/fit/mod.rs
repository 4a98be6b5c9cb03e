//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin.

mod estimate;
mod options;

pub use estimate::{Basin, Diagnostics, Estimate, FittedLaw, Interval, Named, StartEnd};
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
