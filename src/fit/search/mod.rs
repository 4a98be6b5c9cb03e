//! Two independent searches for the same minimum.

mod multistart;
mod newton;
mod varpro;

pub(crate) use multistart::{lbfgs_alone, multistart};
pub(crate) use newton::{End, descend};
pub(crate) use varpro::{schur, settle, solve_factors, valleys_for_refit, varpro};
