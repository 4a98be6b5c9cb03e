//! What a grid says of the stage of training: of fine-tuning, which runs it begins from, and how much of their text is seen again.

use super::super::axis::Axis;
use super::error::{GridError, field, in_range, non_empty};
use super::schema::{Rank, Replay};
use crate::spec::{BaseRun, ModelShape, Start, apportioned};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The stage of training of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StageName {
    /// Networks of a ladder on a text, from weights that are drawn.
    #[default]
    PreTrain,
    /// Networks of `base` on pairs, from the weights that they ended with.
    FineTune,
}

/// How runs of a grid are fine-tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuneAxes {
    /// The results folder of the base runs, or the name of their sweep.
    pub results: String,
    /// Which of its runs.
    pub runs: BaseChoice,
    /// What weights begin as, an axis.
    pub starts: Vec<Start>,
    /// Shares of text of the base, in 1/100 000, an axis.
    pub replay: Vec<u32>,
    /// Ranks of what is added to the matrices, 0 where all weights are trained, an axis.
    pub ranks: Vec<u32>,
    /// The runs, as they were found; none in a grid that was only read.
    pub bases: Vec<Base>,
}

/// A run that others begin from.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// The run with its weights.
    pub run: BaseRun,
    /// Its network.
    pub shape: ModelShape,
}

/// Which runs of a folder are base runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseChoice {
    /// All that finished.
    All,
    /// Those that no cheaper run is as good as.
    Frontier,
    /// These.
    Named(Vec<String>),
}

impl JsonSchema for BaseChoice {
    fn schema_name() -> Cow<'static, str> {
        "BaseChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "enum": ["all", "frontier"] }, { "type": "array", "minItems": 1, "items": { "type": "string" } }] })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseFile {
    /// Results folder of the runs that are fine-tuned, which kept their weights (`run.keep_weights`), or the name of their sweep.
    #[schemars(example = &"results/quick")]
    results: String,
    /// Which of its runs: "all" that finished, "frontier" (no cheaper run is as good), or a list of their names.
    #[serde(default = "all")]
    #[schemars(with = "BaseChoice", extend("default" = "all"))]
    runs: toml::Value,
    /// What weights begin as, an axis: those of the base, or for comparison drawn anew for the same networks.
    #[serde(default = "from_base")]
    #[schemars(extend("default" = "base"))]
    start: Axis<Start>,
    /// Share of the training windows that are text of the base, an axis.
    #[serde(default = "none")]
    #[schemars(with = "Axis<Replay>", extend("default" = 0, "examples" = [[0, 0.05]]))]
    replay: Axis<f64>,
    /// Rank of what is added to the matrices and alone is trained, an axis; 0: all weights are trained. Runs from scratch train all.
    #[serde(default = "all_weights")]
    #[schemars(with = "Axis<Rank>", extend("default" = 0, "examples" = [[0, 2, 8]]))]
    rank: Axis<u32>,
}

fn all() -> toml::Value {
    toml::Value::String("all".into())
}

fn from_base() -> Axis<Start> {
    Axis(vec![Start::Base])
}

fn all_weights() -> Axis<u32> {
    Axis(vec![0])
}

fn none() -> Axis<f64> {
    Axis(vec![0.0])
}

impl BaseFile {
    pub(super) fn check(self) -> Result<FineTuneAxes, GridError> {
        if self.results.is_empty() {
            return Err(field("base.results", "(nothing)", "a results folder whose runs kept their weights, such as results/quick"));
        }
        let allowed = "\"all\", \"frontier\", or a list of names of runs";
        let runs = match &self.runs {
            toml::Value::String(word) if word == "all" => BaseChoice::All,
            toml::Value::String(word) if word == "frontier" => BaseChoice::Frontier,
            toml::Value::Array(names) if !names.is_empty() => {
                let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
                BaseChoice::Named(names.ok_or_else(|| field("base.runs", &self.runs, allowed))?)
            }
            other => return Err(field("base.runs", other, allowed)),
        };
        let replay = non_empty("base.replay", self.replay.0)?;
        for share in &replay {
            in_range("base.replay", *share, (0.0..=0.9).contains(share), "a share of the windows from 0 to 0.9, such as 0.05")?;
        }
        let of_whole = |share: &f64| apportioned(&[*share, 1.0 - share]).map_or(0, |units| units[0]);
        Ok(FineTuneAxes {
            results: self.results,
            runs,
            starts: non_empty("base.start", self.start.0)?,
            replay: replay.iter().map(of_whole).collect(),
            ranks: non_empty("base.rank", self.rank.0)?,
            bases: Vec::new(),
        })
    }
}

/// Why runs cannot be the bases of one grid, where they cannot.
pub(super) fn do_not_agree(bases: &[Base]) -> Option<String> {
    let first = bases.first()?;
    let other = bases.iter().find(|base| {
        let (own, of_first) = (&base.run, &first.run);
        (base.shape.context, base.shape.vocabulary) != (first.shape.context, first.shape.vocabulary)
            || own.corpus_sha256 != of_first.corpus_sha256
    })?;
    Some(format!("{} and {} have another context, tokenizer or text", first.run.run_id, other.run.run_id))
}
