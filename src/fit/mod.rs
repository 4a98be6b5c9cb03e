//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin.

mod akima;
mod bootstrap;
mod compare;
mod criterion;
mod curved;
mod decide;
mod envelope;
mod estimate;
mod extrapolate;
mod identify;
mod influence;
mod isoflop;
mod linear;
mod multistart;
mod newton;
mod noise;
mod objective;
mod optima;
mod options;
mod pass;
mod profile;
mod robust;
mod search;
mod selftest;

mod sum;
mod valley;
mod varpro;
mod vector;

pub use compare::{Comparison, EqualityTest, GroupFit, SharedFit, compare};
pub use criterion::{Criteria, LackOfFit, criteria};
pub use decide::{decide, window_refits};
pub use envelope::{EnvelopeFit, approach_one};
pub use estimate::{Basin, Diagnostics, Estimate, FittedLaw, Interval, Named, StartEnd};
pub use extrapolate::{Convention, Forecast, conventions, rolling_origin};
pub use identify::{offers_only_compute, repeats};
pub use influence::{Influence, influence};
pub use isoflop::{Corrected, DroppedBudget, Interpolator, IsoflopFit, IsoflopOptions, Valley, isoflop};
pub use noise::SeedNoise;
pub use objective::Fittable;
pub use optima::PowerOfCompute;
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use profile::{Profile, Target, chinchilla_targets, profiles};
pub use robust::{Robust, robust};
pub use search::{Floor, chinchilla, fit, power_law, start_ends, with_windows};
pub use selftest::{Coverage, SelftestOptions, named_designs, selftest};
pub use valley::LossNoise;
