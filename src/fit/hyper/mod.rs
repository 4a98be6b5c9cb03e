//! Learning rate and batch: the response of a cell to them, laws of their optima, and what a search tries next.

mod bends;
mod joint;
mod power_fit;
mod propose;
mod quadratic;
mod recipes;
mod response;
mod robust;

pub use joint::{JointSurface, TunedLoss, joint_surface, tuned_evidence};
pub use power_fit::{Basis, Optimum, PowerFit, power_fit};
pub use propose::propose;
pub use recipes::{RecipeLaw, RecipeStudy, Score, recipe_study};
pub use response::{Response, response};
pub use robust::KnownNoise;
