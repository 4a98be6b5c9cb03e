//! Two independent searches for the same minimum.

mod grid;
mod multistart;
mod newton;
mod varpro;

pub(crate) use grid::Grid;
pub(crate) use multistart::{lbfgs_alone, multistart};
pub(crate) use newton::{End, descend};
pub(crate) use varpro::{SMOOTHEST, schur, settle, solve_factors, varpro};
