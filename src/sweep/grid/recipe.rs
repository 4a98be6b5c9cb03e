//! What a grid says of training: learning rates, batches, schedules, warmup, the optimizer, and whether steps are shared.

use super::super::axis::{Axis, Searched};
use super::budget::Budget;
use super::error::{GridError, field, in_range, non_empty};
use super::optimizer::{AdamWFile, GroupsFile};
use super::schema::{self, Positive};
use crate::spec::{AdamWRule, Dtype, ModelShape, OptimizerGroups, Schedule, Tokens};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// Over how many tokens the learning rate rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warmup {
    /// A number of tokens.
    Tokens(Tokens),
    /// A fraction of the shortest run of the plan.
    FractionOfShortest(f64),
}

/// Whether runs that differ only in length share the steps that they have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Shared steps are made once.
    Trunks,
    /// Every run is trained from its first step.
    Nothing,
}

/// Which axes are searched: their further values follow from results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchedAxes {
    /// Whether learning rates are searched.
    pub learning_rate: bool,
    /// Whether batch sizes are searched.
    pub batch: bool,
}

impl SearchedAxes {
    /// Whether any axis is.
    pub fn any(self) -> bool {
        self.learning_rate || self.batch
    }
}

/// How runs are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeAxes {
    /// Peak learning rates; where they are searched, those that the search starts with, ascending.
    pub learning_rates: Vec<f64>,
    /// Which of learning rate and batch are searched.
    pub search: SearchedAxes,
    /// Learning rates of single shapes, in place of `learning_rates`: (shape name, rates).
    pub shape_learning_rates: Vec<(String, Vec<f64>)>,
    /// Tokens per optimizer step; where they are searched, those that the search starts with, ascending.
    pub batch_tokens: Vec<u64>,
    /// Learning-rate schedules, each a run of its own.
    pub schedules: Vec<Schedule>,
    /// Rise of the rate.
    pub warmup: Warmup,
    /// AdamW's settings, numbers or rules.
    pub adamw: AdamWRule,
    /// What differs between groups of parameters.
    pub groups: OptimizerGroups,
    /// Largest gradient norm; 0: none.
    pub grad_clip: f64,
    /// Number format of matrix products.
    pub dtype: Dtype,
    /// Whether shared steps are made once.
    pub sharing: Sharing,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecipeFile {
    /// Peak learning rates, an axis, or a search for the best.
    #[schemars(with = "Searched<Positive>", extend("examples" = [[1e-3, 2e-3], { "search": "adaptive", "start": [1e-3, 2e-3, 4e-3] }]))]
    learning_rate: Searched<f64>,
    /// Rates of single shapes, for sweeps in which the best rate moves with size: `{ "2x16" = [4e-3, 8e-3] }`.
    #[schemars(with = "HashMap<String, Axis<Positive>>", extend("examples" = [{ "2x32": [4e-3, 8e-3] }]))]
    learning_rate_by_shape: toml::Table,
    /// Tokens of an optimizer step, whole contexts, an axis, or a search for the best.
    batch_tokens: Searched<Tokens>,
    /// How the learning rate moves over a run, an axis.
    schedule: Axis<Schedule>,
    /// Tokens over which the rate rises, or a share such as "5% of the shortest budget".
    #[schemars(with = "schema::Warmup", extend("examples" = [0, "20k"]))]
    warmup_tokens: toml::Value,
    /// Whether runs that differ only in length share their constant-rate steps: "auto", or "off".
    #[schemars(with = "schema::Trunk")]
    trunk: String,
    /// Settings of AdamW.
    adamw: AdamWFile,
    /// What differs between groups of parameters.
    groups: GroupsFile,
    /// Largest norm of a gradient; 0: none.
    #[schemars(range(min = 0.0))]
    grad_clip: f64,
    /// Number format of matrix products; bf16 on GPUs and on processors with AMX or AVX512-BF16.
    dtype: Dtype,
}

impl Default for RecipeFile {
    fn default() -> Self {
        Self {
            learning_rate: Searched { values: vec![2e-3], adaptive: false },
            learning_rate_by_shape: toml::Table::new(),
            batch_tokens: Searched { values: vec![Tokens(4096.0)], adaptive: false },
            schedule: Axis(vec![Schedule::default()]),
            warmup_tokens: toml::Value::String("5% of the shortest budget".into()),
            trunk: "auto".into(),
            adamw: AdamWFile::default(),
            groups: GroupsFile::default(),
            grad_clip: 1.0,
            dtype: Dtype::default(),
        }
    }
}

/// Why a trunk admits no rule in D.
const NO_RULE_ON_TRUNK: &str = "a number: runs of several lengths share a trunk, on which rate, batch, warmup and decay are the same for all \
     of them; write the decay as a number, or recipe.trunk = \"off\" to train every run alone";

impl RecipeFile {
    pub(super) fn check(self, shapes: &[ModelShape]) -> Result<RecipeAxes, GridError> {
        let schedules = non_empty("recipe.schedule", self.schedule.0)?;
        schedules.iter().try_for_each(Schedule::check)?;
        let clips = self.grad_clip == 0.0 || CLIPS.contains(&self.grad_clip);
        in_range("recipe.grad_clip", self.grad_clip, clips, "0 (no clipping) or a gradient norm from 1e-9 to 1e9, such as 1.0")?;
        let search = SearchedAxes { learning_rate: self.learning_rate.adaptive, batch: self.batch_tokens.adaptive };
        if search.learning_rate && !self.learning_rate_by_shape.is_empty() {
            return Err(field(
                "recipe.learning_rate_by_shape",
                "rates of single shapes",
                "left out where recipe.learning_rate is searched",
            ));
        }
        let context = shapes.first().map_or(1, |shape| shape.context);
        let mut batch_tokens = checked_batches(&self.batch_tokens.values, context)?;
        let mut learning_rates = checked_rates("recipe.learning_rate", self.learning_rate.values)?;
        if search.learning_rate {
            learning_rates.sort_by(f64::total_cmp);
        }
        if search.batch {
            batch_tokens.sort_unstable();
        }
        Ok(RecipeAxes {
            learning_rates,
            search,
            shape_learning_rates: rates_by_shape(self.learning_rate_by_shape, shapes)?,
            batch_tokens,
            schedules,
            warmup: checked_warmup(&self.warmup_tokens)?,
            adamw: self.adamw.check()?,
            groups: self.groups.check()?,
            grad_clip: self.grad_clip,
            dtype: self.dtype,
            sharing: checked_sharing(&self.trunk)?,
        })
    }
}

impl RecipeAxes {
    /// Refuses a rule in the length of a run where runs of several lengths share a trunk.
    pub(super) fn fits_trunks_of(&self, budget: &Budget) -> Result<(), GridError> {
        let constant_part = self.schedules.iter().any(|schedule| schedule.stable_until(1).is_some());
        let trunks = self.sharing == Sharing::Trunks && budget.levels() > 1 && constant_part;
        if trunks && self.adamw.depends_on_length() {
            return Err(field("recipe.adamw.weight_decay", "a rule in the length of a run", NO_RULE_ON_TRUNK));
        }
        Ok(())
    }
}

fn checked_sharing(trunk: &str) -> Result<Sharing, GridError> {
    match trunk {
        "auto" => Ok(Sharing::Trunks),
        "off" => Ok(Sharing::Nothing),
        other => Err(field("recipe.trunk", other, "\"auto\" or \"off\"")),
    }
}

/// Learning rates that f32 weights feel, and that do not throw them away at the first step.
const RATES: RangeInclusive<f64> = 1e-12..=1e3;
/// Gradient norms that a run may be clipped to.
const CLIPS: RangeInclusive<f64> = 1e-9..=1e9;
/// Tokens of a batch beyond which no device holds it.
const MOST_BATCH: f64 = 1e12;

fn checked_rates(name: &'static str, rates: Vec<f64>) -> Result<Vec<f64>, GridError> {
    for &rate in &rates {
        in_range(name, rate, RATES.contains(&rate), "above 0, from 1e-12 to 1000, such as 2e-3")?;
    }
    non_empty(name, rates)
}

fn rates_by_shape(table: toml::Table, shapes: &[ModelShape]) -> Result<Vec<(String, Vec<f64>)>, GridError> {
    const NAME: &str = "recipe.learning_rate_by_shape";
    let mut rates = Vec::new();
    for (shape, values) in table {
        if !shapes.iter().any(|known| known.to_string() == shape) {
            return Err(field(NAME, shape, "a shape of the ladder"));
        }
        let Axis(values) = Axis::<f64>::deserialize(values).map_err(|e| GridError::Syntax(format!("{NAME}.{shape}: {e}")))?;
        rates.push((shape, checked_rates(NAME, values)?));
    }
    Ok(rates)
}

fn checked_batches(batches: &[Tokens], context: usize) -> Result<Vec<u64>, GridError> {
    let whole = |batch: &Tokens| batch.0.fract() == 0.0 && (batch.0 as u64).is_multiple_of(context as u64);
    for batch in batches {
        in_range("recipe.batch_tokens", batch.0, batch.0 <= MOST_BATCH, "at most 1e12 tokens, such as 4096")?;
    }
    if let Some(bad) = batches.iter().find(|batch| !whole(batch)) {
        return Err(field("recipe.batch_tokens", bad.0, &format!("a multiple of model.context = {context}")));
    }
    non_empty("recipe.batch_tokens", batches.iter().map(|batch| batch.0 as u64).collect())
}

/// Refuses batches that are no whole contexts, where the context is known later than they are.
pub(super) fn whole_contexts(batches: &[u64], context: usize) -> Result<(), GridError> {
    match batches.iter().find(|batch| !batch.is_multiple_of(context as u64)) {
        Some(bad) => Err(field("recipe.batch_tokens", bad, &format!("a multiple of {context}, the context of the base"))),
        None => Ok(()),
    }
}

fn checked_warmup(value: &toml::Value) -> Result<Warmup, GridError> {
    let error = || field("recipe.warmup_tokens", value, "a number of tokens or \"5% of the shortest budget\"");
    if matches!(value, toml::Value::Integer(0)) {
        return Ok(Warmup::Tokens(Tokens(0.0)));
    }
    let percent = value.as_str().and_then(|text| text.strip_suffix("% of the shortest budget"));
    if let Some(percent) = percent {
        let percent: f64 = percent.trim().parse().map_err(|_| error())?;
        return if (0.0..=100.0).contains(&percent) { Ok(Warmup::FractionOfShortest(percent / 100.0)) } else { Err(error()) };
    }
    Tokens::deserialize(value.clone()).map(Warmup::Tokens).map_err(|_| error())
}
