//! What the law says of runs to come: the sealed document, and how it is made.

mod ahead;
pub(super) mod document;
mod make;
mod tasks;

pub use ahead::{Ends, LawAhead, OriginTold, Parts, RunAhead, Together};
pub use document::{Band, BudgetForecast, Code, Forecast, ForecastError, ForecastLaw, LEVELS, OtherLaw, Predicted, Record, RunForecast};
pub use make::{Request, RunAsked, forecast, forecast_runs};
pub use tasks::{TaskForecast, TaskSaid, TaskScore};
