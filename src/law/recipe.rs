//! Laws of the best learning rate and batch: x* = k·N^p·D^q·C^r, one form for everything that has been published
//! (DeepSeek 2401.02954 §3.1 in C; Step Law 2503.04715 in N and D; Porian 2406.19146 in N; Bjorck 2409.19913 in N
//! and D), and the presets with their sources. N and C are counted as the preset says.

use crate::spec::{FlopRule, ModelShape, SizeMeasure, Tokens};
use serde::Serialize;
use std::fmt;

/// Where a recipe is asked for: N weights, D tokens, C FLOPs, under stated conventions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scale {
    /// N, parameters (or DeepSeek's M, FLOPs per token).
    pub n: f64,
    /// D, tokens.
    pub d: f64,
    /// C, FLOPs.
    pub c: f64,
}

impl Scale {
    /// Of a shape trained on tokens; `None` where the convention counts nothing (as-given).
    pub fn of(shape: &ModelShape, tokens: f64, measure: SizeMeasure, rule: FlopRule) -> Option<Self> {
        Some(Self { n: measure.of(shape)?.0, d: tokens, c: rule.of(shape, Tokens(tokens))?.0 })
    }
}

/// x = k·N^p·D^q·C^r.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct PowerRule {
    /// k, the factor.
    pub factor: f64,
    /// Exponent of N.
    pub n: f64,
    /// Exponent of D.
    pub d: f64,
    /// Exponent of C.
    pub c: f64,
}

impl PowerRule {
    /// The same value everywhere.
    pub const fn constant(factor: f64) -> Self {
        Self { factor, n: 0.0, d: 0.0, c: 0.0 }
    }

    /// k·C^r.
    pub const fn of_compute(factor: f64, c: f64) -> Self {
        Self { factor, n: 0.0, d: 0.0, c }
    }

    /// k·N^p·D^q.
    pub const fn of_size_and_tokens(factor: f64, n: f64, d: f64) -> Self {
        Self { factor, n, d, c: 0.0 }
    }

    /// Value of the rule at a scale.
    pub fn at(&self, scale: &Scale) -> f64 {
        // A variable that the rule does not use may be unknown (NaN).
        let part = |value: f64, exponent: f64| if exponent == 0.0 { 0.0 } else { exponent * value.ln() };
        (self.factor.ln() + part(scale.n, self.n) + part(scale.d, self.d) + part(scale.c, self.c)).exp()
    }
}

impl fmt::Display for PowerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = self.factor;
        if (1e-3..1e5).contains(&factor) {
            write!(f, "{factor:.4}")?
        } else {
            write!(f, "{factor:.3e}")?
        }
        [("N", self.n), ("D", self.d), ("C", self.c)]
            .iter()
            .filter(|(_, exponent)| *exponent != 0.0)
            .try_for_each(|(name, exponent)| write!(f, "·{name}^{exponent:.4}"))
    }
}

/// A rule for learning rate and batch as somebody published it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedRecipe {
    /// Short name used on the command line.
    pub name: &'static str,
    /// Peak learning rate.
    pub learning_rate: PowerRule,
    /// Batch, tokens.
    pub batch_tokens: PowerRule,
    /// How its N is counted.
    pub size_measure: SizeMeasure,
    /// How its C is counted.
    pub flop_rule: FlopRule,
    /// Where it stands, and for which training it was made.
    pub source: &'static str,
}

/// All published rules whose numbers could be checked in a text, in data or in code.
pub const RECIPES: [PublishedRecipe; 5] = [
    PublishedRecipe {
        name: "deepseek",
        learning_rate: PowerRule::of_compute(0.3118, -0.1250),
        batch_tokens: PowerRule::of_compute(0.2920, 0.3271),
        size_measure: SizeMeasure::FlopsPerToken,
        flop_rule: FlopRule::Md,
        source: "DeepSeek LLM 2024, arXiv 2401.02954 §3.1: AdamW, multi-step schedule, all runs within 0.25 % of the best, C = M·D from 1e17 to 2e19",
    },
    PublishedRecipe {
        name: "step-law",
        learning_rate: PowerRule::of_size_and_tokens(1.79, -0.713, 0.307),
        batch_tokens: PowerRule::of_size_and_tokens(0.58, 0.0, 0.571),
        size_measure: SizeMeasure::NonEmbedding,
        flop_rule: FlopRule::SixNd,
        source: "Step Law 2025, arXiv 2503.04715: AdamW, cosine to a fixed least rate of 1e-5, N without embedding and head",
    },
    PublishedRecipe {
        name: "porian",
        learning_rate: PowerRule::of_size_and_tokens(3.7, -0.36, 0.0),
        batch_tokens: PowerRule::of_size_and_tokens(0.7576, 0.703, 0.0),
        size_measure: SizeMeasure::Matmul,
        flop_rule: FlopRule::SixNd,
        source: "Porian et al. 2024, arXiv 2406.19146: AdamW, at 20 tokens per parameter; 0.00037·N^0.703 sequences of 2048 tokens, N with the head",
    },
    PublishedRecipe {
        name: "bjorck",
        // 1.55e-3·(N/1e9)^-0.23·(D/1e9)^-0.32.
        learning_rate: PowerRule::of_size_and_tokens(138.143_895_410_7, -0.23, -0.32),
        batch_tokens: PowerRule::constant(5e5),
        size_measure: SizeMeasure::NonEmbedding,
        flop_rule: FlopRule::SixNd,
        source: "Bjorck et al. 2024, arXiv 2409.19913: AdamW at a fixed batch of half a million tokens; how N is counted is not stated in our copy",
    },
    PublishedRecipe {
        name: "moonlight",
        learning_rate: PowerRule::of_compute(0.0127, -0.057),
        batch_tokens: PowerRule::of_compute(0.0065, 0.4138),
        size_measure: SizeMeasure::NonEmbedding,
        flop_rule: FlopRule::SixNd,
        source: "Moonlight 2025, arXiv 2502.16982: for the Muon optimizer, not AdamW",
    },
];

/// The published recipe of a name.
pub fn published_recipe(name: &str) -> Option<&'static PublishedRecipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

/// An allocation published as powers of compute, without a law of loss: M* or N* and D* at C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedFrontier {
    /// Short name used on the command line.
    pub name: &'static str,
    /// N*(C).
    pub params: PowerRule,
    /// D*(C).
    pub tokens: PowerRule,
    /// How its N is counted.
    pub size_measure: SizeMeasure,
    /// How its C is counted.
    pub flop_rule: FlopRule,
    /// Paper and table in which the rule is published.
    pub source: &'static str,
}

/// Allocations published as powers of compute.
pub const FRONTIERS: [PublishedFrontier; 1] = [PublishedFrontier {
    name: "deepseek",
    params: PowerRule::of_compute(0.1715, 0.5243),
    tokens: PowerRule::of_compute(5.8316, 0.4757),
    size_measure: SizeMeasure::FlopsPerToken,
    flop_rule: FlopRule::Md,
    source: "DeepSeek LLM 2024, arXiv 2401.02954 §3.2: IsoFLOP profiles from 1e17 to 3e20, M in non-embedding FLOPs per token, C = M·D",
}];

/// The published frontier of a name.
pub fn published_frontier(name: &str) -> Option<&'static PublishedFrontier> {
    FRONTIERS.iter().find(|frontier| frontier.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(c: f64) -> Scale {
        Scale { n: f64::NAN, d: f64::NAN, c }
    }

    fn close(value: f64, known: f64, digits: f64) {
        assert!((value / known - 1.0).abs() < digits, "{value} {known}");
    }

    #[test]
    fn deepseek_recommends_what_its_paper_used() {
        let recipe = published_recipe("deepseek").expect("listed");
        // 7B: 30 layers of 4096 at 4096 tokens of context, two trillion tokens; 67B: 95 layers of 8192.
        for (c, rate, batch) in [
            (8.456e22, 4.25e-4, 9.22e6),
            (9.945e23, 3.12e-4, 2.07e7),
            (1e17, 2.338e-3, 1.062e5),
            (1e18, 1.753e-3, 2.255e5),
            (1e19, 1.315e-3, 4.789e5),
            (1e20, 9.860e-4, 1.017e6),
        ] {
            // Known to three or four digits.
            close(recipe.learning_rate.at(&at(c)), rate, 3e-3);
            close(recipe.batch_tokens.at(&at(c)), batch, 3e-3);
        }
    }

    #[test]
    fn deepseeks_frontier_spends_its_budget() {
        let frontier = published_frontier("deepseek").expect("listed");
        for (c, m, d) in [(1e17, 1.404e8, 7.12e8), (1e18, 4.70e8, 2.13e9), (1e19, 1.57e9, 6.37e9), (1e20, 5.25e9, 1.905e10)] {
            let (params, tokens) = (frontier.params.at(&at(c)), frontier.tokens.at(&at(c)));
            close(params, m, 2e-3);
            close(tokens, d, 2e-3);
            close(params * tokens, c, 3e-4);
        }
    }

    #[test]
    fn the_step_law_at_a_billion_weights_and_a_hundred_billion_tokens() {
        let scale = Scale { n: 1e9, d: 1e11, c: f64::NAN };
        let recipe = published_recipe("step-law").expect("listed");
        close(recipe.learning_rate.at(&scale), 1.632e-3, 1e-3);
        close(recipe.batch_tokens.at(&scale), 1.108e6, 1e-3);
        let recipe = published_recipe("bjorck").expect("listed");
        close(recipe.learning_rate.at(&Scale { d: 1e9, ..scale }), 1.55e-3, 1e-6);
        let recipe = published_recipe("porian").expect("listed");
        close(recipe.batch_tokens.at(&scale), 0.00037 * 1e9f64.powf(0.703) * 2048.0, 1e-3);
    }

    #[test]
    fn a_rule_shows_only_what_it_depends_on() {
        assert_eq!(PowerRule::of_compute(0.3118, -0.125).to_string(), "0.3118·C^-0.1250");
        assert_eq!(PowerRule::of_size_and_tokens(1.79, -0.713, 0.307).to_string(), "1.7900·N^-0.7130·D^0.3070");
        assert_eq!(PowerRule::constant(4096.0).to_string(), "4096.0000");
    }
}
