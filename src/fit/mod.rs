//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin.

mod akima;
mod bootstrap;
mod criterion;
mod curved;
mod estimate;
mod extrapolate;
mod identify;
mod influence;
mod isoflop;
mod linear;
mod multistart;
mod newton;
mod objective;
mod options;
mod pass;
mod profile;
mod robust;
mod search;
mod selftest;

mod sum;
mod varpro;
mod vector;

pub use criterion::{Criteria, LackOfFit, criteria};
pub use estimate::{Basin, Diagnostics, Estimate, FittedLaw, Interval, Named, StartEnd};
pub use extrapolate::{Convention, Forecast, conventions, rolling_origin};
pub use identify::offers_only_compute;
pub use influence::{Influence, influence};
pub use isoflop::{DroppedBudget, Interpolator, IsoflopFit, IsoflopOptions, LossNoise, PowerOfCompute, Valley, isoflop};
pub use objective::Fittable;
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use profile::{Profile, Target, chinchilla_targets, profiles};
pub use robust::{Robust, robust};
pub use search::{Floor, chinchilla, fit, power_law, start_ends};
pub use selftest::{Coverage, SelftestOptions, named_designs, selftest};
