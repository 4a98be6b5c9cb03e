//! What a network is trained to predict: the next token, or the tokens that are hidden from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a network is trained to predict.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The next token, from those before it.
    #[default]
    Causal,
    /// Hidden tokens, each hidden by itself, from all that are not.
    Masked {
        /// Which part of a window is hidden.
        ratio: MaskRatio,
    },
    /// Hidden spans of tokens, from all that are not hidden.
    Span {
        /// Which part of a window is hidden.
        ratio: MaskRatio,
        /// Mean tokens of a span.
        length: u32,
    },
}

/// The name of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveName {
    /// The next token, from those before it.
    #[default]
    Causal,
    /// Hidden tokens, each hidden by itself.
    Masked,
    /// Hidden spans of tokens.
    Span,
}

impl fmt::Display for ObjectiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Causal => "causal",
            Self::Masked => "masked",
            Self::Span => "span",
        })
    }
}

/// Which part of a window is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskRatio {
    /// Another part of each window, uniform in (0, 1].
    Uniform,
    /// This part of every window, in (0, 1].
    Fixed(f64),
}

impl MaskRatio {
    /// How many of `tokens` tokens are hidden: one at least, and where the ratio is uniform as many as `drawn` says, uniform in [0, 1).
    pub fn hidden(self, tokens: usize, drawn: f64) -> usize {
        let part = match self {
            Self::Uniform => (drawn * tokens as f64).floor() + 1.0,
            Self::Fixed(ratio) => (ratio * tokens as f64).round(),
        };
        (part as usize).clamp(1, tokens.max(1))
    }
}

impl fmt::Display for MaskRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.pad("uniform"),
            Self::Fixed(ratio) => f.pad(&ratio.to_string()),
        }
    }
}

impl Objective {
    /// Passes over the held-out windows in which the bound of a network that fills gaps is read, each with other tokens hidden.
    pub const BOUND_PASSES: u64 = 8;

    /// Which of the three it is, as grids and rows call it.
    pub const fn name(&self) -> ObjectiveName {
        match self {
            Self::Causal => ObjectiveName::Causal,
            Self::Masked { .. } => ObjectiveName::Masked,
            Self::Span { .. } => ObjectiveName::Span,
        }
    }

    /// Whether tokens are hidden and each position sees the whole window.
    pub const fn hides(&self) -> bool {
        self.ratio().is_some()
    }

    /// Which part of a window is hidden; none where the next token is predicted.
    pub const fn ratio(&self) -> Option<MaskRatio> {
        match self {
            Self::Causal => None,
            Self::Masked { ratio } | Self::Span { ratio, .. } => Some(*ratio),
        }
    }

    /// Mean tokens of a hidden span, where spans are hidden.
    pub const fn span_length(&self) -> Option<u32> {
        match self {
            Self::Span { length, .. } => Some(*length),
            Self::Causal | Self::Masked { .. } => None,
        }
    }

    /// Distinct tokens that a network reads and writes, of a corpus that has `of_corpus`: one more where tokens are hidden, the mask, whose
    /// id is `of_corpus`.
    pub const fn vocabulary(&self, of_corpus: usize) -> usize {
        if self.hides() { of_corpus + 1 } else { of_corpus }
    }

    /// Passes over the held-out windows that a reading of the held-out loss takes.
    pub const fn passes(&self) -> u64 {
        if self.hides() { Self::BOUND_PASSES } else { 1 }
    }

    /// What of it can change the result of a run, a line each; nothing where the next token is predicted.
    pub(super) fn canonical_text(&self) -> String {
        match self {
            Self::Causal => String::new(),
            Self::Masked { ratio } => format!("objective masked {ratio}\n"),
            Self::Span { ratio, length } => format!("objective span {ratio} {length}\n"),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Causal => f.pad("causal"),
            Self::Masked { ratio } => f.pad(&format!("masked {ratio}")),
            Self::Span { ratio, length } => f.pad(&format!("span {ratio} of {length}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RunSpec;
    use super::super::run::tests::example;
    use super::*;

    fn run(objective: Objective) -> RunSpec {
        RunSpec { objective, ..example() }
    }

    #[test]
    fn every_part_of_an_objective_names_a_run_and_a_causal_run_keeps_its_name() {
        let all = [
            Objective::Causal,
            Objective::Masked { ratio: MaskRatio::Uniform },
            Objective::Masked { ratio: MaskRatio::Fixed(0.15) },
            Objective::Span { ratio: MaskRatio::Fixed(0.15), length: 3 },
            Objective::Span { ratio: MaskRatio::Fixed(0.15), length: 4 },
        ];
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(run(*one).id(), run(*other).id());
                assert_ne!(run(*one).trunk_id(), run(*other).trunk_id());
            }
        }
        assert!(!run(Objective::Causal).canonical_text().contains("objective"));
    }

    #[test]
    fn uniform_ratios_hide_every_number_of_tokens_alike_and_fixed_ones_the_nearest() {
        let hidden: Vec<usize> = (0..8).map(|at| MaskRatio::Uniform.hidden(4, f64::from(at) / 8.0)).collect();
        assert_eq!(hidden, [1, 1, 2, 2, 3, 3, 4, 4]);
        let fixed = |ratio, tokens| MaskRatio::Fixed(ratio).hidden(tokens, 0.9);
        assert_eq!((fixed(0.15, 32), fixed(1.0, 32), fixed(1e-9, 32)), (5, 32, 1));
    }

    #[test]
    fn an_objective_is_written_and_read_back_and_runs_of_before_are_causal() {
        let spec = run(Objective::Span { ratio: MaskRatio::Fixed(0.5), length: 3 });
        let text = serde_json::to_string(&spec).expect("writes");
        assert_eq!(serde_json::from_str::<RunSpec>(&text).expect("reads"), spec);
        let mut older = serde_json::to_value(example()).expect("writes");
        older.as_object_mut().expect("fields").remove("objective");
        assert_eq!(serde_json::from_value::<RunSpec>(older).expect("reads"), example());
    }

    #[test]
    fn the_mask_is_one_more_token() {
        assert_eq!(Objective::Causal.vocabulary(256), 256);
        assert_eq!(Objective::Masked { ratio: MaskRatio::Uniform }.vocabulary(256), 257);
    }
}
