//! Learning rate and batch: the response of a cell to them, laws of their optima, and what a search tries next.

mod curved_axes;
mod joint;
mod nearby;
mod power_fit;
mod propose;
mod recipes;
mod response;
mod robust;
mod shape;
mod surface;

pub use joint::{JointSurface, TunedLoss, joint_surface, tuned_evidence};
pub use power_fit::{Basis, Optimum, PowerFit, power_fit};
pub use propose::propose;
pub use recipes::{Ahead, RecipeLaw, RecipeStudy, Score, recipe_study};
pub use response::{Response, response};
pub use robust::KnownNoise;
pub(super) use surface::fieller;
