//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin.

mod akima;
mod certificate;
mod diagnostics;
mod envelope;
mod estimate;
mod fit;
mod fitted;
mod identify;
mod interval;
mod isoflop;
mod joint;
mod linear;
mod noise;
mod objective;
mod optima;
mod options;
mod power_fit;
mod propose;
mod protocol;
mod quantity;
mod recipes;
mod response;
mod search;
mod validate;
mod valley;

pub use diagnostics::{Basin, Diagnostics, StartEnd};
pub use envelope::{EnvelopeFit, approach_one};
pub use estimate::{Estimate, Interval, Named};
pub use fit::{Fit, fit, start_ends};
pub use fitted::{FORMAT, FittedLaw};
pub use identify::{offers_only_compute, repeats};
pub use interval::{Profile, Robust, profiles, robust};
pub use isoflop::{Corrected, DroppedBudget, IsoflopFit, isoflop};
pub use joint::{JointSurface, TunedLoss, joint_surface, tuned_evidence};
pub use noise::SeedNoise;
pub use optima::PowerOfCompute;
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use power_fit::{Basis, Optimum, PowerFit, power_fit};
pub use propose::propose;
pub use protocol::{Protocol, ProtocolForecast, deepseek, loss_at_compute};
pub use quantity::Quantity;
pub use recipes::{RecipeLaw, RecipeStudy, Score, recipe_study};
pub use response::{KnownNoise, Response, response};
pub use validate::{
    BlockGroup, BlockRun, Blocks, ByEstimator, Comparison, Convention, Coverage, Criteria, EqualityTest, Forecast, Foresight, GroupFit,
    Influence, LackOfFit, SelftestOptions, SharedFit, blocks, by_estimator, compare, conventions, criteria, foresight, influence,
    influence_on, ln_compute_factor, named_designs, rolling_origin, selftest, without_each,
};
pub use valley::{Interpolator, IsoflopOptions, LossNoise, Valley, bottom};
