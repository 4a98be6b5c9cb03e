//! What to do: from a fitted law and a budget to an allocation with its uncertainty, the nearest network that can be
//! built and what rounding to it costs, its recipe, and how far the budget lies beyond the evidence.

mod advise;
mod allocate;
mod allocation;
mod forecast;
mod hardware;
mod known;
mod mix;
mod mixed_runs;
mod networks;
mod noise;
mod published;
mod recipe;
mod schedule;
mod scores;
mod serving;
mod verification;
mod verify;
mod waste;

pub use advise::advise;
pub use allocate::{allocate, optimum_together};
pub use allocation::{Allocation, Range, Realised, Waste};
pub use forecast::{
    Band, BudgetForecast, Code, Ends, Forecast, ForecastError, ForecastLaw, LEVELS, LawAhead, OriginTold, OtherLaw, Parts, Predicted,
    Record, Request, RunAhead, RunAsked, RunForecast, Together, forecast, forecast_runs,
};
pub use forecast::{TaskForecast, TaskSaid, TaskScore};
pub use hardware::{Cost, Hardware, HardwareError, cost};
pub use known::Known;
pub use mix::{MIXTURE_LAWS, MixAdvice, MixError, MixRequest, OtherMix, PartAdvice, mix};
pub use mixed_runs::MixedRunsError;
pub use networks::{Network, network_losses, networks};
pub use noise::run_noise;
pub use published::{Preset, Template, from_published};
pub use recipe::{Milestone, TrainingRecipe};
pub use schedule::{RankedSchedule, TrainingLength, rank_schedules};
pub use serving::{Served, Service, Serving, serving};
pub use verification::{Held, SaidByLaw, ScoredBudget, ScoredLaw, ScoredRecipe, ScoredRun, Verification};
pub use verify::verify;
pub use waste::{Alternative, Fixed, alternatives, lowest_short_of, unanswerable, waste_of_spread};
