//! How laws are estimated: objectives, two independent searches, resampling, and the evidence that a
//! minimum is the minimum. Pure and seeded; the only room that imports argmin and microlp.

mod ability;
mod certificate;
mod curves;
mod diagnostics;
mod drift;
mod estimate;
mod fitted;
mod hyper;
mod identify;
mod interval;
mod isoflop;
mod law_fit;
mod linear;
mod mixture;
mod noise;
mod objective;
mod options;
mod posterior;
mod protocol;
mod quantity;
mod reward;
mod search;
mod speedup;
mod transfer;
mod validate;

pub use ability::MetricCurve;
pub use curves::{CurveFit, CurveFitError, HeldOut, LeftOut, TrainingCurve, fit_curves, held_out, schedules_unseen};
pub use diagnostics::{Basin, Diagnostics, StartEnd};
pub use drift::Drift;
pub(crate) use estimate::t_quantile;
pub use estimate::{Estimate, Interval, Named, Uncertainty};
pub use fitted::{FORMAT, FittedLaw, check_level};
pub use hyper::{
    Ahead, Basis, JointSurface, KnownNoise, Optimum, PowerFit, RecipeLaw, RecipeStudy, Response, Score, TunedLoss, joint_surface,
    power_fit, propose, recipe_study, response, tuned_evidence,
};
pub use identify::{determines, only_variable, repeats};
pub use interval::{Profile, Robust, profiles, robust};
pub use isoflop::{
    Corrected, DroppedBudget, EnvelopeFit, Interpolator, IsoflopFit, IsoflopOptions, IsoflopProfile, LossNoise, PowerOfCompute, Vertices,
    approach_one, isoflop, lone_profile, profile_minimum,
};
pub use law_fit::{Fit, fit, start_ends};
pub(crate) use linear::{LeastSquares, least_squares, variance};
pub use mixture::{Certificate, CertificateError, CertificateOptions, Place, Places, Range, Verdict, certify};
pub use noise::SeedNoise;
pub use options::{Estimator, FitError, FitOptions, FitStatus, Method, Resample, Search};
pub use posterior::Posterior;
pub(crate) use posterior::root_mean_square;
pub use protocol::{Protocol, ProtocolForecast, deepseek, loss_at_compute};
pub use quantity::Quantity;
pub use reward::{RewardForm, RewardLaw, Rewarded, Turn, reward_law};
pub use speedup::{Asked, AtFloor, Floor, Frontier, Speedup, SpeedupAt, speedup, speedup_of_losses};
pub use transfer::{Transfer, transfer};
pub use validate::{
    BlockGroup, BlockRun, Blocks, ByEstimator, Comparison, Convention, Coverage, Criteria, EqualityTest, Forecast, ForecastCoverage,
    GroupFit, Influence, LackOfFit, OffTheLaw, SelftestOptions, SharedFit, blocks, by_estimator, compare, conventions, criteria,
    forecast_coverage, influence, influence_on, ln_compute_factor, named_designs, rolling_origin, selftest, without_each,
};
