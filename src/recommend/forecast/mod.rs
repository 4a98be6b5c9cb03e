//! What the law says of runs to come: the sealed document, and how it is made.

pub(super) mod document;
mod make;

pub use document::{BudgetForecast, Code, Forecast, ForecastError, ForecastLaw, LEVELS, OtherLaw, Predicted, Record, RunForecast};
pub use make::{Request, forecast};
