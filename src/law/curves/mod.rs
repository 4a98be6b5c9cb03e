//! Laws of the loss along a training under any learning rates: `rates.rs` what was trained at, `track.rs` where it is read, one file a law.

mod formula;
mod functional;
mod multi_power;
mod rates;
mod tissue;
mod track;

pub use formula::{CurveFormula, CurveLoss, MOST};
pub use functional::Functional;
pub use multi_power::{MULTI_POWER_PUBLISHED, MultiPower};
pub use rates::{LEVELS, Piece, Rates};
pub use tissue::Tissue;
pub use track::{CurveUnits, Drop, Reading, Stretch, Track};

/// Every law of curves, in the order in which they are told.
pub const CURVE_LAWS: [&dyn CurveFormula; 3] = [&MultiPower, &Tissue, &Functional];

/// The law of a name.
pub fn curve_law(name: &str) -> Option<&'static dyn CurveFormula> {
    CURVE_LAWS.into_iter().find(|law| law.name() == name)
}
