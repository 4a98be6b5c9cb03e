//! The number format of matrix products. Weights, moments, norms, softmax and loss are f32 under either.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What matrix products take and give (mixed precision, Micikevicius 1710.03740; bf16: Kalamkar 1905.12322).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 24 bits of mantissa.
    #[default]
    F32,
    /// 8 bits of mantissa, the exponents of f32: no scaling of the loss is needed. Sums inside a product are f32.
    Bf16,
}

impl fmt::Display for Dtype {
    /// As in a grid file: `f32`, `bf16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}
