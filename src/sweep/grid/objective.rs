//! What a grid says of what networks are trained to predict: the next token, or tokens that are hidden from them.

use super::super::axis::Axis;
use super::error::{GridError, field, non_empty};
use crate::spec::{MaskRatio, Objective, ObjectiveName};

/// Longest mean of hidden spans.
const LONGEST_SPAN: u32 = 1_000_000;
/// Mean tokens of a span unless the grid says (Raffel 1910.10683, section 3.3.4).
const SPAN: u32 = 3;

/// The three lines of a grid file as they stand there.
pub(super) struct ObjectiveLines {
    pub(super) objective: Axis<ObjectiveName>,
    pub(super) mask_ratio: Option<Axis<toml::Value>>,
    pub(super) span_length: Option<Axis<u32>>,
}

impl ObjectiveLines {
    /// Every objective that they name, each once, in their order.
    pub(super) fn check(self) -> Result<Vec<Objective>, GridError> {
        let names = non_empty("objective", self.objective.0)?;
        let hides = names.iter().any(|name| *name != ObjectiveName::Causal);
        let listed = |names: &[ObjectiveName]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        if let (Some(ratios), false) = (&self.mask_ratio, hides) {
            let found = ratios.0.first().map_or_else(String::new, ToString::to_string);
            return Err(field("mask_ratio", found, "left out where objective = \"causal\"; write objective = \"masked\" for it"));
        }
        if let (Some(lengths), false) = (&self.span_length, names.contains(&ObjectiveName::Span)) {
            let found = lengths.0.first().map_or_else(String::new, ToString::to_string);
            let allowed = format!("left out where objective is {}; write objective = \"span\" for it", listed(&names));
            return Err(field("span_length", found, &allowed));
        }
        let ratios = self.mask_ratio.map_or_else(|| Ok(vec![MaskRatio::Uniform]), |axis| ratios(&axis.0))?;
        let lengths = non_empty("span_length", self.span_length.map_or_else(|| vec![SPAN], |axis| axis.0))?;
        if let Some(bad) = lengths.iter().find(|length| !(1..=LONGEST_SPAN).contains(*length)) {
            return Err(field("span_length", bad, "a mean number of tokens from 1 to 1000000, such as 3"));
        }
        let mut objectives = Vec::new();
        for name in names {
            let of_name: Vec<Objective> = match name {
                ObjectiveName::Causal => vec![Objective::Causal],
                ObjectiveName::Masked => ratios.iter().map(|&ratio| Objective::Masked { ratio }).collect(),
                ObjectiveName::Span => {
                    let spans = ratios.iter().flat_map(|&ratio| lengths.iter().map(move |&length| Objective::Span { ratio, length }));
                    spans.collect()
                }
            };
            objectives.extend(of_name);
        }
        let mut once: Vec<Objective> = Vec::with_capacity(objectives.len());
        objectives.into_iter().for_each(|one| {
            if !once.contains(&one) {
                once.push(one)
            }
        });
        Ok(once)
    }
}

fn ratios(values: &[toml::Value]) -> Result<Vec<MaskRatio>, GridError> {
    let ratio = |value: &toml::Value| {
        let number = value.as_float().or(value.as_integer().map(|whole| whole as f64));
        match (value.as_str(), number) {
            (Some("uniform"), _) => Ok(MaskRatio::Uniform),
            (_, Some(ratio)) if ratio > 0.0 && ratio <= 1.0 => Ok(MaskRatio::Fixed(ratio)),
            _ => Err(field("mask_ratio", value, "a part of a window above 0 and up to 1, such as 0.15, or \"uniform\"")),
        }
    };
    non_empty("mask_ratio", values.iter().map(ratio).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::Grid;
    use super::super::tests::SMALL;
    use super::*;

    fn objectives(lines: &str) -> Result<Vec<Objective>, String> {
        Grid::parse(&format!("{SMALL}\n{lines}")).map(|grid| grid.objectives).map_err(|error| error.to_string())
    }

    #[test]
    fn objectives_ratios_and_lengths_multiply_where_they_belong_together() {
        assert_eq!(objectives(""), Ok(vec![Objective::Causal]));
        let masked = |ratio| Objective::Masked { ratio };
        assert_eq!(objectives("objective = \"masked\""), Ok(vec![masked(MaskRatio::Uniform)]));
        let lines = "objective = [\"causal\", \"masked\", \"span\"]\nmask_ratio = [0.15, \"uniform\"]\nspan_length = [3, 10]";
        let all = objectives(lines).expect("valid");
        assert_eq!(all.len(), 1 + 2 + 4);
        assert_eq!(all[..3], [Objective::Causal, masked(MaskRatio::Fixed(0.15)), masked(MaskRatio::Uniform)]);
        assert_eq!(all[6], Objective::Span { ratio: MaskRatio::Uniform, length: 10 });
        let once = objectives("objective = [\"masked\", \"masked\"]\nmask_ratio = [1, 1.0]");
        assert_eq!(once, Ok(vec![masked(MaskRatio::Fixed(1.0))]));
        let span = objectives("objective = \"span\"\nmask_ratio = 0.5");
        assert_eq!(span, Ok(vec![Objective::Span { ratio: MaskRatio::Fixed(0.5), length: 3 }]));
    }

    #[test]
    fn what_makes_no_gap_is_refused_in_words() {
        for bad in ["0", "0.0", "-0.1", "1.01", "nan", "inf", "\"half\"", "true"] {
            let error = objectives(&format!("objective = \"masked\"\nmask_ratio = {bad}")).expect_err(bad);
            assert!(error.contains("mask_ratio") && error.contains("above 0 and up to 1"), "{error}");
        }
        let refused = |lines: &str| objectives(lines).expect_err("refused");
        assert!(refused("objective = \"masked\"\nmask_ratio = []").contains("mask_ratio is an empty list"));
        assert!(refused("objective = []").contains("objective is an empty list"));
        assert!(refused("mask_ratio = 0.15").contains("write objective = \"masked\""));
        let error = refused("objective = [\"causal\", \"masked\"]\nspan_length = 3");
        assert!(error.contains("span_length = 3") && error.contains("\"causal\", \"masked\"") && error.contains("\"span\""), "{error}");
        assert!(refused("objective = \"span\"\nspan_length = 0").contains("from 1 to 1000000"));
        let error = refused("objective = \"maskd\"");
        assert!(error.contains("maskd") && error.ends_with("did you mean `masked`?"), "{error}");
    }
}
