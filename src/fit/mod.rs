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
mod profile;
mod robust;
mod selftest;
mod separable;
mod sum;
mod varpro;
mod vector;

pub use estimate::{Basin, Diagnostics, Estimate, FittedLaw, Interval, Named, StartEnd};
pub use identify::offers_only_compute;
pub use isoflop::{DroppedBudget, Interpolator, IsoflopFit, IsoflopOptions, LossNoise, PowerOfCompute, Valley, isoflop};
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use profile::{Profile, Target, chinchilla_targets, profiles};
pub use robust::{Robust, robust};
pub use selftest::{Coverage, SelftestOptions, named_designs, selftest};
pub use separable::{Floor, chinchilla, fit, power_law, start_ends};
