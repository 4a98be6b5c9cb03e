//! Whether to believe it: criteria, influence of single runs, forecasts of runs that were not seen, simulations, comparisons.

mod blocks;
mod compare;
mod criterion;
mod forecast_coverage;
mod influence;
mod rolling;
mod selftest;
mod sensitivity;

pub use blocks::{BlockGroup, BlockRun, Blocks, blocks};
pub use compare::{Comparison, EqualityTest, GroupFit, SharedFit, compare};
pub use criterion::{Criteria, LackOfFit, criteria};
pub use forecast_coverage::{ForecastCoverage, forecast_coverage};
pub use influence::{Influence, influence, influence_on, without_each};
pub use rolling::{Forecast, OffTheLaw, ln_compute_factor, rolling_origin};
pub use selftest::{Coverage, SelftestOptions, named_designs, selftest};
pub use sensitivity::{ByEstimator, Convention, by_estimator, conventions};
