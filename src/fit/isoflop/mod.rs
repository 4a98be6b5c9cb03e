//! Optima of budgets: profiles of loss over size at one compute, by parabolas or Akima splines, the powers of compute through
//! their minima, and the envelope of loss curves.

mod akima;
mod envelope;
mod optima;
mod profile;
mod profiles;
mod vertices;

pub use envelope::{EnvelopeFit, approach_one};
pub use optima::PowerOfCompute;
pub use profile::{Interpolator, IsoflopOptions, IsoflopProfile, LossNoise, profile_minimum};
pub use profiles::{Corrected, DroppedBudget, IsoflopFit, isoflop, lone_profile};
pub use vertices::Vertices;
