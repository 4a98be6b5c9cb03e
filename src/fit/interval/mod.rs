//! How sure: refits to data drawn anew, profile likelihood, sandwich, and which of them is printed.

mod bootstrap;
mod choose;
mod profile;
mod residual;
mod sandwich;
mod windows;

pub(crate) use bootstrap::{Clusters, Draws, FEW_CLUSTERS, clusters, drawing, lowest, refits};
pub use profile::{Profile, profiles};
pub(crate) use residual::{Found, LEAST, residual_refits};
pub use sandwich::{Robust, robust};
