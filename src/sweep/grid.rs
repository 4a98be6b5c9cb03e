//! The grid file, `sweeps/*.toml`: what it says, checked. An unknown key is an error that names the nearest known one.

use super::axis::{Axis, Searched};
use super::corpus;
use super::optimizer::{AdamWFile, GroupsFile};
use super::suggest::with_suggestion;
use crate::spec::{
    AdamWRule, CorpusSpec, Dtype, FlopRule, Flops, Ladder, ModelShape, OptimizerGroups, Schedule, ScheduleError, ShapeError, Tokens,
};
use serde::Deserialize;

/// Why a grid file is refused.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// Not TOML, an unknown key, or a value of the wrong kind; the text has line and column.
    #[error("{0}")]
    Syntax(String),
    /// A field holds what it may not.
    #[error("{field} = {found}: {allowed}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        allowed: String,
    },
    /// A list that spans the grid has no values.
    #[error("{0} is an empty list; give it at least one value, or leave the line out for the default")]
    EmptyAxis(&'static str),
    /// A shape cannot be built.
    #[error("ladder: {0}")]
    Shape(#[from] ShapeError),
    /// A schedule makes no sense.
    #[error("recipe.schedule: {0}")]
    Schedule(#[from] ScheduleError),
}

/// How D is set.
#[derive(Debug, Clone, PartialEq)]
pub enum Budget {
    /// The same numbers of tokens for every shape.
    Tokens(Vec<Tokens>),
    /// Tokens per trained weight.
    TokensPerParam(Vec<f64>),
    /// Compute budgets; D = C / (FLOPs per token of the shape).
    IsoFlop {
        /// How the budget counts FLOPs.
        rule: FlopRule,
        /// The budgets.
        flops: Vec<Flops>,
        /// Which shapes are trained at a budget.
        around: Around,
    },
}

/// Which shapes of the ladder are trained at a compute budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Around {
    /// All of them.
    All,
    /// The `sizes` shapes whose tokens per weight at this budget are nearest to `center`.
    Nearest {
        /// Expected tokens per weight at the optimum.
        center: f64,
        /// Shapes per budget.
        sizes: usize,
    },
}

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
    /// Learning rate.
    pub learning_rate: bool,
    /// Batch.
    pub batch: bool,
}

impl SearchedAxes {
    /// Whether any axis is.
    pub fn any(self) -> bool {
        self.learning_rate || self.batch
    }
}

/// A checked grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Name of the sweep and of its results folder.
    pub name: String,
    /// Networks, vocabulary still that of bytes.
    pub shapes: Vec<ModelShape>,
    /// Data.
    pub corpus: CorpusSpec,
    /// How D is set.
    pub budget: Budget,
    /// How often a run sees its data, an axis; empty: once, or as often as the corpus makes it.
    pub epochs: Vec<f64>,
    /// Fewest optimizer steps of a run; shorter cells are left out.
    pub min_steps: u64,
    /// Peak learning rates; where they are searched, those that the search starts with, ascending.
    pub learning_rates: Vec<f64>,
    /// What of the recipe is searched.
    pub search: SearchedAxes,
    /// Learning rates of single shapes, in place of `learning_rates`: (shape name, rates).
    pub shape_learning_rates: Vec<(String, Vec<f64>)>,
    /// Tokens per optimizer step; where they are searched, those that the search starts with, ascending.
    pub batch_tokens: Vec<u64>,
    /// Schedules.
    pub schedules: Vec<Schedule>,
    /// Rise of the rate.
    pub warmup: Warmup,
    /// Optimizer.
    pub adamw: AdamWRule,
    /// What differs between groups of parameters.
    pub groups: OptimizerGroups,
    /// Largest gradient norm; 0: none.
    pub grad_clip: f64,
    /// Number format of matrix products.
    pub dtype: Dtype,
    /// Seeds of first weights.
    pub seeds_init: Vec<u64>,
    /// Seeds of data order.
    pub seeds_data: Vec<u64>,
    /// Seed of the held-out windows.
    pub seed_eval: u64,
    /// Replicates at the corner cells (smallest and largest shape, shortest and longest run).
    pub corners: u64,
    /// Held-out windows; `None`: chosen from the plan.
    pub eval_windows: Option<u64>,
    /// Steps from one measurement of the gradient noise scale to the next; 0: none.
    pub noise_scale_every: u64,
    /// Worker processes; `None`: one a core.
    pub workers: Option<usize>,
    /// Whether shared steps are made once.
    pub sharing: Sharing,
    /// Seconds between two checkpoints of a run.
    pub checkpoint_seconds: f64,
}

impl Grid {
    /// Reads and checks the text of a grid file.
    pub fn parse(text: &str) -> Result<Self, GridError> {
        let file: GridFile = toml::from_str(text).map_err(|error| GridError::Syntax(with_suggestion(&error.to_string())))?;
        file.check()
    }

    /// The same with networks of a corpus' vocabulary.
    pub fn with_vocabulary(&self, vocabulary: usize) -> Self {
        let shapes = self.shapes.iter().map(|shape| ModelShape { vocabulary, ..shape.clone() }).collect();
        Self { shapes, ..self.clone() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GridFile {
    name: String,
    ladder: Ladder,
    corpus: CorpusSpec,
    budget: BudgetFile,
    #[serde(default)]
    model: ModelFile,
    #[serde(default)]
    recipe: RecipeFile,
    #[serde(default)]
    seeds: SeedsFile,
    #[serde(default)]
    eval: EvalFile,
    #[serde(default)]
    run: RunFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetFile {
    kind: Option<String>,
    rule: Option<FlopRule>,
    flops: Option<Axis<Flops>>,
    around: Option<String>,
    center: Option<f64>,
    sizes: Option<usize>,
    tokens: Option<Axis<Tokens>>,
    #[serde(rename = "tokens-per-param", alias = "tokens_per_param")]
    tokens_per_param: Option<Axis<f64>>,
    min_steps: Option<u64>,
    epochs: Option<Axis<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ModelFile {
    context: usize,
    qk_norm: bool,
    tied_head: bool,
    kv_heads: toml::Value,
}

impl Default for ModelFile {
    fn default() -> Self {
        Self { context: 256, qk_norm: true, tied_head: false, kv_heads: toml::Value::String("same".into()) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RecipeFile {
    learning_rate: Searched<f64>,
    /// Rates of single shapes, for sweeps in which the best rate moves with size: `{ "2x16" = [4e-3, 8e-3] }`.
    learning_rate_by_shape: toml::Table,
    batch_tokens: Searched<Tokens>,
    schedule: Axis<Schedule>,
    warmup_tokens: toml::Value,
    trunk: String,
    adamw: AdamWFile,
    groups: GroupsFile,
    grad_clip: f64,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedsFile {
    init: Axis<u64>,
    data: Axis<u64>,
    eval: u64,
    corners: u64,
}

impl Default for SeedsFile {
    fn default() -> Self {
        Self { init: Axis(vec![0]), data: Axis(vec![0]), eval: 0, corners: 1 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EvalFile {
    windows: toml::Value,
}

impl Default for EvalFile {
    fn default() -> Self {
        Self { windows: toml::Value::String("auto".into()) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RunFile {
    workers: toml::Value,
    checkpoint_every: String,
    noise_scale_every: u64,
}

impl Default for RunFile {
    fn default() -> Self {
        Self { workers: toml::Value::String("auto".into()), checkpoint_every: "60s".into(), noise_scale_every: 0 }
    }
}

impl GridFile {
    fn check(mut self) -> Result<Grid, GridError> {
        let shapes = self.shapes()?;
        let recipe = self.recipe;
        let schedules = non_empty("recipe.schedule", recipe.schedule.0)?;
        schedules.iter().try_for_each(Schedule::check)?;
        in_range("recipe.grad_clip", recipe.grad_clip, recipe.grad_clip >= 0.0, "a number from 0 (no clipping) up")?;
        let sharing = match recipe.trunk.as_str() {
            "auto" => Sharing::Trunks,
            "off" => Sharing::Nothing,
            other => return Err(field("recipe.trunk", other, "\"auto\" or \"off\"")),
        };
        if self.seeds.corners == 0 {
            return Err(field("seeds.corners", 0, "at least 1"));
        }
        if self.seeds.corners > MOST_CORNERS {
            return Err(field("seeds.corners", self.seeds.corners, "at most 1000"));
        }
        let corpus = corpus::checked(self.corpus)?;
        let epochs = corpus::checked_epochs(self.budget.epochs.take())?;
        let eval_windows = number_or_auto("eval.windows", &self.eval.windows)?;
        if eval_windows.is_some_and(|windows| windows > MOST_WINDOWS) {
            return Err(field("eval.windows", &self.eval.windows, "at most 1000000"));
        }
        let search = SearchedAxes { learning_rate: recipe.learning_rate.adaptive, batch: recipe.batch_tokens.adaptive };
        if search.learning_rate && !recipe.learning_rate_by_shape.is_empty() {
            return Err(field(
                "recipe.learning_rate_by_shape",
                "rates of single shapes",
                "left out where recipe.learning_rate is searched",
            ));
        }
        let mut batch_tokens = checked_batches(&recipe.batch_tokens.values, shapes[0].context)?;
        let mut learning_rates = checked_rates("recipe.learning_rate", recipe.learning_rate.values)?;
        if search.learning_rate {
            learning_rates.sort_by(f64::total_cmp);
        }
        if search.batch {
            batch_tokens.sort_unstable();
        }
        if self.run.noise_scale_every > 0 && batch_tokens.contains(&(shapes[0].context as u64)) {
            return Err(field(
                "run.noise_scale_every",
                self.run.noise_scale_every,
                "0 where a batch is one sequence: it needs two or more",
            ));
        }
        let min_steps = self.budget.min_steps.unwrap_or(if self.budget.flops.is_some() { 300 } else { 1 }).max(1);
        let budget = self.budget.check()?;
        let adamw = recipe.adamw.check()?;
        let trunks =
            sharing == Sharing::Trunks && budget.levels() > 1 && schedules.iter().any(|schedule| schedule.stable_until(1).is_some());
        if trunks && adamw.depends_on_length() {
            return Err(field("recipe.adamw.weight_decay", "a rule in the length of a run", NO_RULE_ON_TRUNK));
        }
        Ok(Grid {
            name: checked_name(self.name)?,
            min_steps,
            budget,
            shape_learning_rates: rates_by_shape(recipe.learning_rate_by_shape, &shapes)?,
            learning_rates,
            search,
            batch_tokens,
            shapes,
            corpus,
            epochs,
            schedules,
            warmup: checked_warmup(&recipe.warmup_tokens)?,
            adamw,
            groups: recipe.groups.check()?,
            grad_clip: recipe.grad_clip,
            dtype: recipe.dtype,
            seeds_init: non_empty("seeds.init", self.seeds.init.0)?,
            seeds_data: non_empty("seeds.data", self.seeds.data.0)?,
            seed_eval: self.seeds.eval,
            corners: self.seeds.corners,
            eval_windows,
            noise_scale_every: self.run.noise_scale_every,
            workers: number_or_auto("run.workers", &self.run.workers)?.map(|n| n as usize),
            sharing,
            checkpoint_seconds: duration_seconds(&self.run.checkpoint_every)?,
        })
    }

    fn shapes(&self) -> Result<Vec<ModelShape>, GridError> {
        let ModelFile { context, qk_norm, tied_head, kv_heads } = &self.model;
        let mut shapes = non_empty("ladder", self.ladder.shapes()?)?;
        for shape in &mut shapes {
            (shape.context, shape.qk_norm, shape.tied_head) = (*context, *qk_norm, *tied_head);
            shape.kv_heads = match kv_heads {
                toml::Value::String(same) if same == "same" => shape.heads,
                toml::Value::Integer(n) if *n > 0 => *n as usize,
                other => return Err(field("model.kv_heads", other, "\"same\" or a number of heads")),
            };
            shape.check()?;
        }
        Ok(shapes)
    }
}

impl BudgetFile {
    fn check(self) -> Result<Budget, GridError> {
        let given = [self.flops.is_some(), self.tokens.is_some(), self.tokens_per_param.is_some()];
        let kinds = ["iso-flop", "tokens", "tokens-per-param"];
        let allowed = "one of flops = [...] (kind \"iso-flop\"), tokens = [...] or tokens-per-param = [...]";
        let (1, Some(at)) = (given.iter().filter(|g| **g).count(), given.iter().position(|g| *g)) else {
            return Err(field("budget", self.kind.as_deref().unwrap_or("(no list)"), allowed));
        };
        if let Some(kind) = self.kind.as_deref().filter(|kind| *kind != kinds[at]) {
            return Err(field("budget.kind", kind, &format!("its list is that of \"{}\"; write {allowed}", kinds[at])));
        }
        if at != 0 && (self.rule.is_some() || self.around.is_some() || self.center.is_some() || self.sizes.is_some()) {
            return Err(field("budget", kinds[at], "rule, around, center and sizes belong to an iso-flop budget"));
        }
        if let Some(tokens) = self.tokens {
            return Ok(Budget::Tokens(non_empty("budget.tokens", tokens.0)?));
        }
        if let Some(ratios) = self.tokens_per_param {
            let ratios = non_empty("budget.tokens-per-param", ratios.0)?;
            for &ratio in &ratios {
                in_range("budget.tokens-per-param", ratio, ratio > 0.0 && ratio.is_finite(), "above 0")?;
            }
            return Ok(Budget::TokensPerParam(ratios));
        }
        let around = checked_around(self.around.as_deref(), self.center, self.sizes)?;
        let rule = self.rule.unwrap_or(FlopRule::Exact);
        if rule == FlopRule::AsGiven {
            return Err(field("budget.rule", rule, "one of exact, md, 6nd"));
        }
        Ok(Budget::IsoFlop { rule, flops: non_empty("budget.flops", self.flops.map(|f| f.0).unwrap_or_default())?, around })
    }
}

/// Why a trunk admits no rule in D.
const NO_RULE_ON_TRUNK: &str = "a number: runs of several lengths share a trunk, on which rate, batch, warmup and decay are the same for all \
     of them; write the decay as a number, or recipe.trunk = \"off\" to train every run alone";

impl Budget {
    /// How many lengths, ratios or amounts of compute it lists.
    fn levels(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len(),
            Self::TokensPerParam(ratios) => ratios.len(),
            Self::IsoFlop { flops, .. } => flops.len(),
        }
    }
}

/// Replicates of a corner beyond which a number is a slip of the pen.
const MOST_CORNERS: u64 = 1000;
/// Held-out windows beyond which they no longer fit into memory.
const MOST_WINDOWS: u64 = 1_000_000;

/// Tokens per weight that byte-level networks of 10k to 400k weights want at the optimum (see LOG.md).
const EXPECTED_TOKENS_PER_PARAM: f64 = 60.0;
/// Shapes per budget around the expected optimum.
const SIZES_PER_BUDGET: usize = 5;

fn checked_around(around: Option<&str>, center: Option<f64>, sizes: Option<usize>) -> Result<Around, GridError> {
    let center = center.unwrap_or(EXPECTED_TOKENS_PER_PARAM);
    let sizes = sizes.unwrap_or(SIZES_PER_BUDGET);
    in_range("budget.center", center, center > 0.0 && center.is_finite(), "tokens per weight, above 0")?;
    match around.unwrap_or("nearest") {
        "all" => Ok(Around::All),
        "nearest" if sizes > 0 => Ok(Around::Nearest { center, sizes }),
        "nearest" => Err(field("budget.sizes", sizes, "at least 1")),
        other => Err(field("budget.around", other, "\"nearest\" or \"all\"")),
    }
}

pub(super) fn field(name: &'static str, found: impl std::fmt::Display, allowed: &str) -> GridError {
    GridError::Field { field: name, found: found.to_string(), allowed: format!("must be {allowed}") }
}

pub(super) fn in_range(name: &'static str, found: f64, ok: bool, allowed: &str) -> Result<(), GridError> {
    if ok { Ok(()) } else { Err(field(name, found, allowed)) }
}

fn non_empty<T>(name: &'static str, values: Vec<T>) -> Result<Vec<T>, GridError> {
    if values.is_empty() { Err(GridError::EmptyAxis(name)) } else { Ok(values) }
}

/// A name that is safe as a folder: letters, digits, `.`, `_`, `-`, not starting with a dot.
fn checked_name(name: String) -> Result<String, GridError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= 100 && !name.starts_with(['.', '-']) && name.chars().all(fine) {
        return Ok(name);
    }
    Err(field(
        "name",
        format!("{name:?}"),
        "letters, digits, dots, underscores and dashes, starting with a letter or digit: it names a folder",
    ))
}

fn checked_rates(name: &'static str, rates: Vec<f64>) -> Result<Vec<f64>, GridError> {
    for &rate in &rates {
        in_range(name, rate, rate > 0.0 && rate.is_finite(), "above 0")?;
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
    if let Some(bad) = batches.iter().find(|batch| !whole(batch)) {
        return Err(field("recipe.batch_tokens", bad.0, &format!("a multiple of model.context = {context}")));
    }
    non_empty("recipe.batch_tokens", batches.iter().map(|batch| batch.0 as u64).collect())
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

fn number_or_auto(name: &'static str, value: &toml::Value) -> Result<Option<u64>, GridError> {
    match value {
        toml::Value::String(auto) if auto == "auto" => Ok(None),
        toml::Value::Integer(n) if *n > 0 => Ok(Some(*n as u64)),
        other => Err(field(name, other, "\"auto\" or a whole number from 1")),
    }
}

/// Reads `"60s"`, `"5m"`, `"2h"`.
fn duration_seconds(text: &str) -> Result<f64, GridError> {
    let error = || field("run.checkpoint_every", text, "a time such as \"60s\", \"5m\" or \"2h\"");
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let factor = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(error()),
    };
    let number: f64 = number.parse().map_err(|_| error())?;
    if number > 0.0 && number.is_finite() { Ok(number * factor) } else { Err(error()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::AdamW;

    pub(in crate::sweep) const SMALL: &str = r#"
        name = "small"
        ladder = { kind = "list", shapes = ["2x16", "2x32"] }
        corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
        budget = { kind = "tokens", tokens = ["100k", "200k"] }
    "#;

    fn error(change: impl Fn(&str) -> String) -> String {
        Grid::parse(&change(SMALL)).expect_err("refused").to_string()
    }

    fn with(line: &str) -> impl Fn(&str) -> String {
        let line = line.to_owned();
        move |text| format!("{text}\n{line}\n")
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let grid = Grid::parse(SMALL).expect("valid");
        assert_eq!(grid.learning_rates, [2e-3]);
        assert_eq!(grid.batch_tokens, [4096]);
        assert_eq!(grid.schedules, [Schedule::default()]);
        assert_eq!(grid.warmup, Warmup::FractionOfShortest(0.05));
        assert_eq!((grid.shapes[0].context, grid.shapes[0].qk_norm, grid.shapes[0].tied_head), (256, true, false));
        assert_eq!((grid.corners, grid.eval_windows, grid.workers), (1, None, None));
        assert_eq!((grid.sharing, grid.checkpoint_seconds), (Sharing::Trunks, 60.0));
        let adamw = AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 };
        assert_eq!(grid.adamw.resolve(2e-3, 4096, 100), adamw);
        assert_eq!((grid.groups, grid.noise_scale_every), (OptimizerGroups::default(), 0));
        assert_eq!(grid.dtype, Dtype::F32);
    }

    #[test]
    fn a_misspelt_key_names_the_nearest_known_one_and_its_line() {
        let message = error(with("[recipe]\nlearnin_rate = [1e-3]"));
        assert!(message.contains("learnin_rate") && message.contains("line 8"), "{message}");
        assert!(message.ends_with("did you mean `learning_rate`?"), "{message}");
        let message = error(|text| text.replace("shapes", "shape"));
        assert!(message.ends_with("did you mean `shapes`?"), "{message}");
        let message = error(|text| text.replace("zipf-facts", "zipf-fact"));
        assert!(message.ends_with("did you mean `zipf-facts`?"), "{message}");
    }

    #[test]
    fn a_rule_in_the_length_of_a_run_is_refused_on_a_trunk_and_nowhere_else() {
        let rule = "[recipe]\nadamw = { weight_decay = { timescale = 0.5 } }";
        let message = error(with(rule));
        assert!(message.contains("recipe.adamw.weight_decay") && message.contains("recipe.trunk = \"off\""), "{message}");
        for fine in ["trunk = \"off\"", "schedule = { kind = \"cosine\" }"] {
            Grid::parse(&format!("{SMALL}\n{rule}\n{fine}")).expect("no trunk is shared");
        }
        Grid::parse(&format!("{}\n{rule}", SMALL.replace("[\"100k\", \"200k\"]", "\"100k\""))).expect("one length");
    }

    #[test]
    fn bad_values_name_the_field_and_what_is_allowed() {
        assert!(error(with("[recipe]\nlearning_rate = []")).contains("recipe.learning_rate is an empty list"));
        assert!(error(with("[recipe]\nlearning_rate = [-1.0]")).contains("recipe.learning_rate = -1: must be above 0"));
        assert!(error(with("[recipe]\nbatch_tokens = 1000")).contains("a multiple of model.context = 256"));
        assert!(error(with("[recipe]\nwarmup_tokens = \"a while\"")).contains("5% of the shortest budget"));
        assert!(error(with("[recipe]\nadamw = { beta2 = 1.5 }")).contains("recipe.adamw.beta2 = 1.5"));
        assert!(error(with("[recipe]\nbatch_tokens = 256\n[run]\nnoise_scale_every = 10")).contains("two or more"));
        assert!(error(with("[run]\ncheckpoint_every = \"often\"")).contains("\"60s\""));
        assert!(error(with("[eval]\nwindows = 0")).contains("eval.windows = 0"));
        assert!(error(|text| text.replace("2x16", "2x17")).contains("odd"));
        assert!(error(|text| text.replace("\"2x16\", \"2x32\"", "")).contains("ladder is an empty list"));
        assert!(error(|text| text.replace("small", "../small")).contains("it names a folder"));
        assert!(error(|text| text.replace("kind = \"tokens\"", "kind = \"iso-flop\"")).contains("budget.kind"));
        assert!(error(|text| text.replace("100k", "many")).contains("`many` is not a number"));
        assert!(Grid::parse("name =").is_err() && Grid::parse("").is_err());
    }

    #[test]
    fn products_are_f32_or_bf16() {
        assert_eq!(Grid::parse(&with("[recipe]\ndtype = \"bf16\"")(SMALL)).expect("valid").dtype, Dtype::Bf16);
        let message = error(with("[recipe]\ndtype = \"bf61\""));
        assert!(message.contains("`f32` or `bf16`") && message.ends_with("did you mean `bf16`?"), "{message}");
    }

    #[test]
    fn budgets_are_read_in_each_kind() {
        let budget = |line: &str| {
            Grid::parse(&SMALL.replace("budget = { kind = \"tokens\", tokens = [\"100k\", \"200k\"] }", line)).map(|g| g.budget)
        };
        assert_eq!(budget("budget = { tokens = 1000 }").expect("valid"), Budget::Tokens(vec![Tokens(1000.0)]));
        assert_eq!(budget("budget = { tokens-per-param = [20, 40] }").expect("valid"), Budget::TokensPerParam(vec![20.0, 40.0]));
        let iso = budget("budget = { kind = \"iso-flop\", rule = \"md\", flops = [\"1e11\"], around = \"all\" }").expect("valid");
        assert_eq!(iso, Budget::IsoFlop { rule: FlopRule::Md, flops: vec![Flops(1e11)], around: Around::All });
        assert!(budget("budget = { kind = \"iso-flop\" }").is_err());
        assert!(budget("budget = { tokens = 1, rule = \"md\" }").is_err());
    }

    #[test]
    fn every_shape_may_have_rates_of_its_own() {
        let grid = Grid::parse(&with("[recipe]\nlearning_rate_by_shape = { 2x16 = [1e-3, 2e-3] }")(SMALL)).expect("valid");
        assert_eq!(grid.shape_learning_rates, [("2x16".to_owned(), vec![1e-3, 2e-3])]);
        assert!(error(with("[recipe]\nlearning_rate_by_shape = { 9x16 = 1e-3 }")).contains("a shape of the ladder"));
    }
}
