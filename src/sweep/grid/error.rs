//! Why a grid file is refused: every refusal names the field, what was found there, and what is allowed.

use crate::spec::{ScheduleError, ShapeError};

/// Why a grid file is refused.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// Not TOML, an unknown key, or a value of the wrong kind; the text has line and column.
    #[error("{0}")]
    Syntax(String),
    /// A field holds what it may not.
    #[error("{field} = {found}: {allowed}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What the field holds.
        found: String,
        /// What it may hold.
        allowed: String,
    },
    /// Its axes multiply to more runs than anybody trains.
    #[error("the grid has {runs:.3e} runs ({axes}), and at most {most} are allowed: shorten a list")]
    TooManyRuns {
        /// How many there would be.
        runs: f64,
        /// What multiplies to that.
        axes: String,
        /// How many there may be.
        most: u32,
    },
    /// A list that spans the grid has no values.
    #[error("{0} is an empty list; give it at least one value, or leave the line out for the default")]
    EmptyAxis(&'static str),
    /// A shape cannot be built.
    #[error("ladder: {0}")]
    Shape(#[from] ShapeError),
    /// A schedule makes no sense.
    #[error("recipe.schedule: {0}")]
    Schedule(#[from] ScheduleError),
}

/// Refuses what a field holds; `allowed` continues "must be".
pub(super) fn field(name: &'static str, found: impl std::fmt::Display, allowed: &str) -> GridError {
    GridError::Field { field: name, found: found.to_string(), allowed: format!("must be {allowed}") }
}

/// The same of a number, unless it is fine.
pub(super) fn in_range(name: &'static str, found: f64, ok: bool, allowed: &str) -> Result<(), GridError> {
    // Written out, 1e300 has 300 digits.
    let plain = found == 0.0 || !found.is_finite() || (1e-6..1e15).contains(&found.abs());
    let found = if plain { found.to_string() } else { format!("{found:e}") };
    if ok { Ok(()) } else { Err(field(name, found, allowed)) }
}

/// The values of an axis, which has at least one.
pub(super) fn non_empty<T>(name: &'static str, values: Vec<T>) -> Result<Vec<T>, GridError> {
    if values.is_empty() { Err(GridError::EmptyAxis(name)) } else { Ok(values) }
}

/// A count from 1, or `None` where the file says "auto".
pub(super) fn number_or_auto(name: &'static str, value: &toml::Value) -> Result<Option<u64>, GridError> {
    match value {
        toml::Value::String(auto) if auto == "auto" => Ok(None),
        toml::Value::Integer(n) if *n > 0 => Ok(Some(*n as u64)),
        other => Err(field(name, other, "\"auto\" or a whole number from 1")),
    }
}
