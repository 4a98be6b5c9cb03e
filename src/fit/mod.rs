//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin.

mod akima;
mod bootstrap;
mod estimate;
mod identify;
mod isoflop;
mod linear;
mod multistart;
mod newton;
mod options;
mod separable;
mod sum;
mod varpro;
mod vector;

pub use estimate::{Basin, Diagnostics, Estimate, FittedLaw, Interval, Named, StartEnd};
pub use identify::offers_only_compute;
pub use isoflop::{DroppedBudget, Interpolator, IsoflopFit, IsoflopOptions, PowerOfCompute, Valley, isoflop};
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use separable::{Floor, chinchilla, fit, power_law, start_ends};
