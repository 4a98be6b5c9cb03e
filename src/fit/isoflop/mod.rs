//! Optima of budgets: profiles of loss over size at one compute, by parabolas or Akima splines, the powers of compute through
//! their minima, and the envelope of loss curves.

mod akima;
mod envelope;
mod optima;
mod profiles;
mod valley;
mod vertices;

pub use envelope::{EnvelopeFit, approach_one};
pub use optima::PowerOfCompute;
pub use profiles::{Corrected, DroppedBudget, IsoflopFit, isoflop};
pub use valley::{Interpolator, IsoflopOptions, LossNoise, Valley, bottom};
pub use vertices::Vertices;
