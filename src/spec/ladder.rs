//! Ladders: the rule from a size to a shape.

use super::{ModelShape, ShapeError, parse_layers_by_width};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the shapes of a sweep are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ladder {
    /// Every shape by name, `"layers x width"`.
    List {
        /// Shapes such as `"2x64"`.
        #[schemars(length(min = 1), inner(regex(pattern = r"^\s*[0-9]+\s*[x×]\s*[0-9]+\s*$")), example = ["2x32", "2x64"])]
        shapes: Vec<String>,
    },
    /// Widths, with layers = width / ratio, rounded, at least 2.
    AspectRatio {
        /// Width per layer; 32 to 37 in Porian's smallest networks (2406.19146).
        #[serde(default = "thirty_two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        ratio: f64,
        /// Widths of the residual stream.
        #[schemars(length(min = 1), example = [64, 96])]
        widths: Vec<usize>,
    },
    /// One dial: layers, with width = ratio · layers rounded up to a multiple of 8.
    Depth {
        /// Width per layer.
        #[serde(default = "thirty_two")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        ratio: f64,
        /// Numbers of layers.
        #[schemars(length(min = 1), example = [2, 3])]
        layers: Vec<usize>,
    },
}

fn thirty_two() -> f64 {
    32.0
}

impl Ladder {
    /// The shapes of this ladder, heads and feed-forward widths derived, in the order written.
    pub fn shapes(&self) -> Result<Vec<ModelShape>, ShapeError> {
        let pairs: Vec<(usize, usize)> = match self {
            Self::List { shapes } => shapes.iter().map(|text| parse_layers_by_width(text)).collect::<Result<_, _>>()?,
            Self::AspectRatio { ratio, widths } => {
                widths.iter().map(|&width| (((width as f64 / ratio).round() as usize).max(2), width)).collect()
            }
            Self::Depth { ratio, layers } => {
                layers.iter().map(|&layers| (layers, ((layers as f64 * ratio).round() as usize).next_multiple_of(8))).collect()
            }
        };
        let shape = |(layers, width)| {
            let shape = ModelShape::derived(layers, width);
            shape.check().map(|()| shape)
        };
        pairs.into_iter().map(shape).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ladder: &Ladder) -> Vec<String> {
        ladder.shapes().expect("valid").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_kind_of_ladder_gives_the_shapes_it_says() {
        assert_eq!(names(&Ladder::List { shapes: vec!["2x32".into(), "3x96".into()] }), ["2x32", "3x96"]);
        assert_eq!(names(&Ladder::AspectRatio { ratio: 32.0, widths: vec![32, 96, 160] }), ["2x32", "3x96", "5x160"]);
        assert_eq!(names(&Ladder::Depth { ratio: 30.0, layers: vec![2, 3, 5] }), ["2x64", "3x96", "5x152"]);
    }

    #[test]
    fn a_shape_that_cannot_be_built_is_refused() {
        assert!(Ladder::List { shapes: vec!["2x33".into()] }.shapes().is_err());
        assert!(Ladder::List { shapes: vec!["two".into()] }.shapes().is_err());
        assert!(Ladder::AspectRatio { ratio: 32.0, widths: vec![0] }.shapes().is_err());
    }
}
