//! How parameters and FLOPs are counted. Published conclusions have changed with the convention
//! (Pearce & Song 2406.12907, Porian 2406.19146), so a convention is a value that travels with a fit.

use super::{Flops, ModelShape, Params, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Weights of one network by group. The groups add up to every trained number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamCounts {
    /// Token embedding, V·d (counted once when the head is tied).
    pub embedding: u64,
    /// Query, key, value and output matrices of all layers.
    pub attention: u64,
    /// Gate, up and down matrices of all layers.
    pub ffn: u64,
    /// Gains of every RMSNorm, of queries and keys too.
    pub norm: u64,
    /// Output matrix, V·d; 0 when tied.
    pub unembedding: u64,
}

impl ParamCounts {
    /// Counts the weights of a shape.
    pub fn of(shape: &ModelShape) -> Self {
        let [layers, width, ffn, vocabulary] = [shape.layers, shape.width, shape.ffn, shape.vocabulary].map(|x| x as u64);
        let kv_width = shape.kv_width() as u64;
        let qk_gains = if shape.qk_norm { 2 * shape.head_width() as u64 } else { 0 };
        Self {
            embedding: vocabulary * width,
            attention: layers * (2 * width * width + 2 * width * kv_width),
            ffn: layers * 3 * width * ffn,
            norm: layers * (2 * width + qk_gains) + width,
            unembedding: if shape.tied_head { 0 } else { vocabulary * width },
        }
    }

    /// Every trained number.
    pub fn total(&self) -> u64 {
        self.embedding + self.non_embedding() + self.unembedding
    }

    /// Blocks and norms alone: neither embedding nor output matrix (Kaplan 2001.08361 §1.3).
    pub fn non_embedding(&self) -> u64 {
        self.attention + self.ffn + self.norm
    }
}

/// Weights that a token is multiplied with: block matrices and the output matrix (tied or not).
fn matmul_weights(shape: &ModelShape) -> u64 {
    let counts = ParamCounts::of(shape);
    counts.attention + counts.ffn + (shape.vocabulary * shape.width) as u64
}

/// FLOPs per token spent on attention scores and their weighted sum, forward and backward:
/// 12·layers·width·context, causality not deducted, so that it is the same where every token sees all others (as in DeepSeek 2401.02954 eq. 2 and PaLM 2204.02311 app. B).
fn attention_flops_per_token(shape: &ModelShape) -> f64 {
    12.0 * shape.layers as f64 * shape.width as f64 * shape.context as f64
}

/// The convention under which N is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizeMeasure {
    /// Every trained number.
    Total,
    /// Blocks and norms, neither embedding nor output matrix (Kaplan 2001.08361).
    NonEmbedding,
    /// What multiplies with tokens: block matrices and output matrix.
    Matmul,
    /// DeepSeek's model scale M: non-embedding FLOPs per token with attention, without vocabulary
    /// (2401.02954 eq. 2), from the real matrix sizes instead of 72·layers·d².
    FlopsPerToken,
    /// As the imported table gives it.
    AsGiven,
}

impl SizeMeasure {
    /// The measures that can be counted from a shape.
    pub const COUNTED: [Self; 4] = [Self::Total, Self::NonEmbedding, Self::Matmul, Self::FlopsPerToken];

    /// N of a shape under this measure; `None` for [`SizeMeasure::AsGiven`].
    pub fn of(self, shape: &ModelShape) -> Option<Params> {
        let counts = ParamCounts::of(shape);
        match self {
            Self::Total => Some(Params(counts.total() as f64)),
            Self::NonEmbedding => Some(Params(counts.non_embedding() as f64)),
            Self::Matmul => Some(Params(matmul_weights(shape) as f64)),
            Self::FlopsPerToken => Some(Params(flops_per_token_m(shape))),
            Self::AsGiven => None,
        }
    }

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::NonEmbedding => "non-embedding",
            Self::Matmul => "matmul",
            Self::FlopsPerToken => "flops-per-token",
            Self::AsGiven => "as-given",
        }
    }
}

/// DeepSeek's M, FLOPs per token: 6·(block matrices) + 12·layers·width·context.
fn flops_per_token_m(shape: &ModelShape) -> f64 {
    let counts = ParamCounts::of(shape);
    6.0 * (counts.attention + counts.ffn) as f64 + attention_flops_per_token(shape)
}

/// The convention under which C is counted. Each gives C = (FLOPs per token) · D.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FlopRule {
    /// 6·N·D with N all trained parameters (Kaplan 2001.08361, Hoffmann 2203.15556 approximate so).
    #[serde(rename = "6nd")]
    SixNd,
    /// M·D, DeepSeek's exact non-embedding count.
    #[serde(rename = "md")]
    Md,
    /// Everything that is multiplied: 6·(block and output matrices)·D + attention.
    #[serde(rename = "exact")]
    Exact,
    /// As the imported table gives it.
    #[serde(rename = "as-given")]
    #[schemars(skip)]
    AsGiven,
}

impl FlopRule {
    /// The rules that can be counted from a shape.
    pub const COUNTED: [Self; 3] = [Self::SixNd, Self::Md, Self::Exact];

    /// Training FLOPs per token of a shape; `None` for [`FlopRule::AsGiven`].
    pub fn per_token(self, shape: &ModelShape) -> Option<f64> {
        match self {
            Self::SixNd => Some(6.0 * ParamCounts::of(shape).total() as f64),
            Self::Md => Some(flops_per_token_m(shape)),
            Self::Exact => Some(6.0 * matmul_weights(shape) as f64 + attention_flops_per_token(shape)),
            Self::AsGiven => None,
        }
    }

    /// C of training a shape on `tokens`.
    pub fn of(self, shape: &ModelShape, tokens: Tokens) -> Option<Flops> {
        self.per_token(shape).map(|per_token| Flops(per_token * tokens.0))
    }

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::SixNd => "6nd",
            Self::Md => "md",
            Self::Exact => "exact",
            Self::AsGiven => "as-given",
        }
    }
}

/// An unknown name of a convention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {allowed}")]
pub struct UnknownConvention {
    found: String,
    allowed: String,
}

macro_rules! named {
    ($type:ident, $($variant:ident),+) => {
        impl $type {
            /// What follows on "counted as": its name, or "given".
            pub fn words(self) -> &'static str {
                if self == Self::AsGiven { "given" } else { self.name() }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
        impl FromStr for $type {
            type Err = UnknownConvention;
            fn from_str(text: &str) -> Result<Self, UnknownConvention> {
                let all = [$(Self::$variant),+];
                all.into_iter().find(|one| one.name() == text).ok_or_else(|| UnknownConvention {
                    found: text.to_owned(),
                    allowed: all.map(Self::name).join(", "),
                })
            }
        }
    };
}
named!(SizeMeasure, Total, NonEmbedding, Matmul, FlopsPerToken, AsGiven);
named!(FlopRule, SixNd, Md, Exact, AsGiven);

#[cfg(test)]
mod tests {
    use super::*;

    /// A shape whose blocks hold exactly 12·layers·d² weights, as DeepSeek's formula assumes:
    /// 4d² of attention and a SwiGLU of 8/3·d (not rounded), so 8d².
    fn deepseek(layers: usize, width: usize) -> ModelShape {
        ModelShape {
            layers,
            width,
            heads: 1,
            kv_heads: 1,
            ffn: 8 * width / 3,
            vocabulary: 102_400,
            context: 4096,
            qk_norm: false,
            tied_head: false,
        }
    }

    #[test]
    fn weights_of_a_small_shape_match_a_count_by_hand() {
        let shape = ModelShape::derived(2, 32);
        let counts = ParamCounts::of(&shape);
        assert_eq!(counts.embedding, 256 * 32);
        assert_eq!(counts.attention, 2 * 4 * 32 * 32);
        assert_eq!(counts.ffn, 2 * 3 * 32 * 88);
        assert_eq!(counts.norm, 2 * (32 + 32 + 16 + 16) + 32);
        assert_eq!(counts.unembedding, 8192);
        assert_eq!(counts.total(), 8192 + 8192 + 16896 + 224 + 8192);
        assert_eq!(SizeMeasure::Matmul.of(&shape), Some(Params(33_280.0)));
        assert_eq!(SizeMeasure::NonEmbedding.of(&shape), Some(Params(25_312.0)));
    }

    #[test]
    fn grouped_queries_and_a_tied_head_count_less() {
        let shape = ModelShape { kv_heads: 1, tied_head: true, ..ModelShape::derived(1, 32) };
        let counts = ParamCounts::of(&shape);
        assert_eq!(counts.attention, 2 * 32 * 32 + 2 * 32 * 16);
        assert_eq!(counts.unembedding, 0);
        let untied = ModelShape { tied_head: false, ..shape.clone() };
        assert_eq!(SizeMeasure::Matmul.of(&shape), SizeMeasure::Matmul.of(&untied), "a tied head still multiplies");
    }

    #[test]
    fn flops_per_token_of_workload_s_match_the_published_workload_table() {
        let shape = ModelShape { context: 128, heads: 2, kv_heads: 2, ..ModelShape::derived(2, 64) };
        let expected = 6.0 * (2.0 * (4.0 * 64.0 * 64.0 + 3.0 * 64.0 * 176.0) + 256.0 * 64.0) + 12.0 * 2.0 * 64.0 * 128.0;
        assert_eq!(FlopRule::Exact.per_token(&shape), Some(expected));
        assert!((expected / 0.897e6 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn deepseek_table_3_ratios_are_reproduced() {
        // 2401.02954 Table 3: 6·N1/M and 6·N2/M for (layers, width); the last printed 0.94 there.
        for (layers, width, n1, n2) in [(8, 512, 0.43, 1.32), (12, 768, 0.53, 1.02), (24, 1024, 0.60, 0.81), (95, 8192, 0.92, 0.93)] {
            let shape = deepseek(layers, width);
            let m = SizeMeasure::FlopsPerToken.of(&shape).expect("counted").0;
            let six_n1 = 72.0 * layers as f64 * (width * width) as f64;
            let six_n2 = six_n1 + 6.0 * 102_400.0 * width as f64;
            // 8·width/3 is rounded down in `deepseek`, hence the tolerance beyond the two printed digits.
            assert!((six_n1 / m - n1).abs() < 0.006, "{layers}x{width}: {}", six_n1 / m);
            assert!((six_n2 / m - n2).abs() < 0.006, "{layers}x{width}: {}", six_n2 / m);
        }
    }

    #[test]
    fn deepseek_model_scales_at_7b_and_67b_are_reproduced() {
        // 30 layers, d 4096: M = 4.228e10, C at 2T tokens 8.456e22; 95 layers, d 8192: M = 4.973e11, C 9.945e23.
        for (layers, width, m, c) in [(30, 4096, 4.228e10, 8.456e22), (95, 8192, 4.973e11, 9.945e23)] {
            let shape = deepseek(layers, width);
            let scale = SizeMeasure::FlopsPerToken.of(&shape).expect("counted").0;
            assert!((scale / m - 1.0).abs() < 5e-4, "{scale:e}");
            let compute = FlopRule::Md.of(&shape, Tokens(2e12)).expect("counted").0;
            assert!((compute / c - 1.0).abs() < 5e-4, "{compute:e}");
        }
    }

    #[test]
    fn conventions_are_read_back_from_their_names() {
        for measure in SizeMeasure::COUNTED {
            assert_eq!(measure.name().parse(), Ok(measure));
        }
        for rule in FlopRule::COUNTED {
            assert_eq!(rule.name().parse(), Ok(rule));
        }
        let error = "params".parse::<SizeMeasure>().expect_err("unknown");
        assert_eq!(error.to_string(), "`params` is not one of total, non-embedding, matmul, flops-per-token, as-given");
    }
}
