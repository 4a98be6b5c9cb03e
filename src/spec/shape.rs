//! The shape of one network: a LLaMA-style decoder with RMSNorm, RoPE, SwiGLU and no biases.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a shape cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// Not of the form `layersxwidth`.
    #[error("`{0}` is not a shape; write layers x width, for example \"2x64\"")]
    NotAShape(String),
    /// A dimension is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A context in which no token sees another.
    #[error("a context of 1: a token would attend to itself alone; use at least 2 tokens")]
    ContextOfOne,
    /// More than any network has; counts of its weights would no longer fit into 64 bits.
    #[error("{name} = {found} is more than any network has: at most {most}")]
    TooLarge {
        /// Name of the dimension.
        name: &'static str,
        /// What it is.
        found: usize,
        /// What it may be.
        most: usize,
    },
    /// Heads do not divide the width.
    #[error("{heads} heads do not divide a width of {width}")]
    HeadsDoNotDivide {
        /// Attention heads.
        heads: usize,
        /// Width of the residual stream.
        width: usize,
    },
    /// Rotary embedding turns pairs of numbers.
    #[error("a head width of {0} is odd; rotary position embedding needs an even one")]
    OddHeadWidth(usize),
    /// Key/value heads do not divide the heads.
    #[error("{kv_heads} key/value heads do not divide {heads} heads")]
    KvHeadsDoNotDivide {
        /// Key/value heads.
        kv_heads: usize,
        /// Attention heads.
        heads: usize,
    },
}

/// Dimensions of one network; [`ModelShape::check`] says whether it can be built.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Decoder blocks.
    pub layers: usize,
    /// Width of the residual stream (d).
    pub width: usize,
    /// Query heads; head width = width / heads.
    pub heads: usize,
    /// Key/value heads (grouped-query attention when fewer than `heads`).
    pub kv_heads: usize,
    /// Width of the SwiGLU feed-forward layer.
    pub ffn: usize,
    /// Distinct tokens (V).
    pub vocabulary: usize,
    /// Longest sequence, tokens (T).
    pub context: usize,
    /// Whether queries and keys pass an RMSNorm with a gain per head dimension (Wortsman 2309.14322).
    pub qk_norm: bool,
    /// Whether the output matrix is the embedding matrix.
    pub tied_head: bool,
}

impl ModelShape {
    /// A shape from layers and width alone, heads and feed-forward width derived (see [`derived_heads`], [`derived_ffn`]);
    /// byte vocabulary, context 256, qk-norm, untied head.
    pub fn derived(layers: usize, width: usize) -> Self {
        let heads = derived_heads(width);
        Self {
            layers,
            width,
            heads,
            kv_heads: heads,
            ffn: derived_ffn(width),
            vocabulary: 256,
            context: 256,
            qk_norm: true,
            tied_head: false,
        }
    }

    /// Numbers per head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads.max(1)
    }

    /// Numbers in all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width()
    }

    /// Whether such a network can be built.
    pub fn check(&self) -> Result<(), ShapeError> {
        let dimensions = [
            ("layers", self.layers, 10_000),
            ("width", self.width, 1_000_000),
            ("heads", self.heads, 1_000_000),
            ("kv_heads", self.kv_heads, 1_000_000),
            ("ffn", self.ffn, 100_000_000),
            ("vocabulary", self.vocabulary, 100_000_000),
            ("context", self.context, 100_000_000),
        ];
        if let Some((name, ..)) = dimensions.iter().find(|(_, size, _)| *size == 0) {
            return Err(ShapeError::Zero(name));
        }
        if let Some(&(name, found, most)) = dimensions.iter().find(|(_, size, most)| size > most) {
            return Err(ShapeError::TooLarge { name, found, most });
        }
        if self.context == 1 {
            return Err(ShapeError::ContextOfOne);
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(ShapeError::HeadsDoNotDivide { heads: self.heads, width: self.width });
        }
        if !self.head_width().is_multiple_of(2) {
            return Err(ShapeError::OddHeadWidth(self.head_width()));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(ShapeError::KvHeadsDoNotDivide { kv_heads: self.kv_heads, heads: self.heads });
        }
        Ok(())
    }
}

impl fmt::Display for ModelShape {
    /// `2x64`: layers x width.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x{}", self.layers, self.width))
    }
}

/// Reads `"2x64"` into (layers, width).
pub fn parse_layers_by_width(text: &str) -> Result<(usize, usize), ShapeError> {
    let error = || ShapeError::NotAShape(text.to_owned());
    let (layers, width) = text.trim().split_once(['x', '×']).ok_or_else(error)?;
    let layers = layers.trim().parse().map_err(|_| error())?;
    let width = width.trim().parse().map_err(|_| error())?;
    Ok((layers, width))
}

/// Number of heads for a width: the widest even head that divides the width and is no wider than
/// 16 below a width of 96, 32 below 512, 64 below 2048, 128 from there on.
pub fn derived_heads(width: usize) -> usize {
    let widest = match width {
        0..96 => 16,
        96..512 => 32,
        512..2048 => 64,
        _ => 128,
    };
    let head_width = (1..=widest / 2).rev().map(|half| 2 * half).find(|&head| width.is_multiple_of(head));
    head_width.map_or(1, |head| (width / head).max(1))
}

/// Feed-forward width: 8/3 of the width, rounded up to a multiple of 8, so that a SwiGLU layer has
/// about the weights of a 4x layer with two matrices (Shazeer 2002.05202).
pub fn derived_ffn(width: usize) -> usize {
    width.saturating_mul(8).div_ceil(3).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_ffn_follow_the_ladder_of_small_models() {
        for (width, heads, ffn) in [
            (8, 1, 24),
            (16, 1, 48),
            (24, 2, 64),
            (32, 2, 88),
            (48, 3, 128),
            (64, 4, 176),
            (96, 3, 256),
            (128, 4, 344),
            (160, 5, 432),
            (224, 7, 600),
            (288, 9, 768),
            (512, 8, 1368),
            (4096, 32, 10928),
        ] {
            assert_eq!((derived_heads(width), derived_ffn(width)), (heads, ffn), "width {width}");
            assert_eq!(ModelShape::derived(2, width).check(), Ok(()));
        }
    }

    #[test]
    fn shapes_are_read_from_layers_x_width() {
        assert_eq!(parse_layers_by_width("3x96"), Ok((3, 96)));
        for text in ["", "3", "x", "3x", "axb", "2x3x4", "-2x8"] {
            assert!(parse_layers_by_width(text).is_err(), "{text}");
        }
    }

    #[test]
    fn impossible_shapes_say_why() {
        let shape = ModelShape::derived(2, 64);
        let five_heads = ModelShape { heads: 5, ..shape.clone() };
        assert_eq!(five_heads.check(), Err(ShapeError::HeadsDoNotDivide { heads: 5, width: 64 }));
        let odd = ModelShape { width: 12, heads: 4, kv_heads: 4, ..shape.clone() };
        assert_eq!(odd.check(), Err(ShapeError::OddHeadWidth(3)));
        let kv = ModelShape { kv_heads: 3, ..shape.clone() };
        assert_eq!(kv.check(), Err(ShapeError::KvHeadsDoNotDivide { kv_heads: 3, heads: 4 }));
        assert_eq!(ModelShape { layers: 0, ..shape }.check(), Err(ShapeError::Zero("layers")));
        let huge = ModelShape::derived(usize::MAX / 2, 64).check().expect_err("no network").to_string();
        assert!(huge.contains("layers = 9223372036854775807") && huge.contains("at most 10000"), "{huge}");
        assert!(ModelShape::derived(1, 7).check().is_err(), "an odd width has no even head");
    }
}
