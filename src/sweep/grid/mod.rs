//! The grid file, `sweeps/*.toml`: what it says, checked. An unknown key is an error that names the nearest known one.

mod base;
mod budget;
mod corpus;
mod error;
mod mix;
mod objective;
mod optimizer;
mod recipe;
mod run;
mod schema;
mod size;

pub use base::{Base, BaseChoice, FineTuneAxes};
pub use budget::{Around, Budget, BudgetAxes};
pub use corpus::{CorpusFacts, PairFacts, PartFacts, Subset};
pub use error::GridError;
pub use recipe::{RecipeAxes, SearchedAxes, Sharing, Warmup};
pub use run::{RunSettings, SeedAxes};

use super::axis::Axis;
use super::suggest::with_suggestion;
use crate::spec::{CorpusSpec, Ladder, ModelShape, Objective, ObjectiveName};
use base::{BaseFile, StageName};
use budget::BudgetFile;
use error::{field, non_empty};
use objective::ObjectiveLines;
use recipe::RecipeFile;
use run::{EvalFile, RunFile, SeedsFile};
use schemars::JsonSchema;
use serde::Deserialize;

/// A grid file after every field was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Name of the sweep and of its results folder.
    pub name: String,
    /// Networks, vocabulary still that of bytes; none of a grid that fine-tunes before [`Grid::on_bases`].
    pub shapes: Vec<ModelShape>,
    /// The corpus with its tokenizer and split.
    pub corpus: CorpusSpec,
    /// How long runs are.
    pub budget: BudgetAxes,
    /// What they are trained to predict, an axis.
    pub objectives: Vec<Objective>,
    /// How they are trained.
    pub recipe: RecipeAxes,
    /// What is drawn, and how often.
    pub seeds: SeedAxes,
    /// How they are executed and measured.
    pub run: RunSettings,
    /// What they begin from, where they are fine-tuned.
    pub fine_tuning: Option<FineTuneAxes>,
}

impl Grid {
    /// Reads and checks the text of a grid file.
    pub fn parse(text: &str) -> Result<Self, GridError> {
        let file: GridFile = toml::from_str(text).map_err(|error| GridError::Syntax(with_suggestion(&error.to_string())))?;
        file.check()
    }

    /// The JSON schema of a grid file, for editors: every field with what it means, its default and what it may hold.
    pub fn schema() -> serde_json::Value {
        schema::schema_of::<GridFile>()
    }

    /// A grid that fine-tunes, on the runs that it begins from: their shapes are its shapes.
    ///
    /// # Errors
    /// Where there are none, they cannot stand in one grid, or a batch is no whole number of their contexts.
    pub fn on_bases(mut self, bases: Vec<Base>) -> Result<Self, GridError> {
        let Some(axes) = &mut self.fine_tuning else { return Ok(self) };
        let Some(context) = bases.first().map(|base| base.shape.context) else {
            return Err(field("base.runs", "(no run)", "at least one run that finished and kept its weights"));
        };
        if let Some(problem) = base::do_not_agree(&bases) {
            return Err(field("base.runs", problem, "runs of one context, tokenizer and text; name some of them"));
        }
        let mut shapes: Vec<ModelShape> = Vec::new();
        for base in &bases {
            if !shapes.contains(&base.shape) {
                shapes.push(base.shape.clone());
            }
        }
        recipe::whole_contexts(&self.recipe.batch_tokens, context)?;
        let tasks = bases.len().div_ceil(shapes.len()) * axes.starts.len() * axes.replay.len() * axes.ranks.len();
        axes.bases = bases;
        self.shapes = shapes;
        let examples = self.corpus.pairs().map_or(1, |pairs| pairs.examples().len());
        size::check(self.shapes.len(), tasks * examples, &self.budget, &self.recipe, &self.seeds)?;
        Ok(self)
    }

    /// What the bases of a grid that fine-tunes were trained on.
    pub fn base_corpus(&self) -> Option<&CorpusSpec> {
        self.fine_tuning.as_ref()?.bases.first().map(|base| &base.run.corpus)
    }

    /// Its networks with their vocabularies: of those that fill gaps the mask is a token more.
    pub fn networks(&self) -> Vec<ModelShape> {
        let mut networks: Vec<ModelShape> = Vec::new();
        for (objective, shape) in self.objectives.iter().flat_map(|one| self.shapes.iter().map(move |shape| (one, shape))) {
            let network = ModelShape { vocabulary: objective.vocabulary(shape.vocabulary), ..shape.clone() };
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        networks
    }

    /// The same with networks of a corpus' vocabulary.
    pub fn with_vocabulary(&self, vocabulary: usize) -> Self {
        let shapes = self.shapes.iter().map(|shape| ModelShape { vocabulary, ..shape.clone() }).collect();
        Self { shapes, ..self.clone() }
    }
}

/// A sweep of scalelab: which networks are trained, on what, how long and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GridFile {
    /// Name of the sweep and of its results folder: letters, digits, dots, underscores and dashes.
    #[schemars(length(max = 100), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$"), example = &"grid")]
    name: String,
    /// The stage of training: pre-training, or fine-tuning of the runs that `base` names.
    #[serde(default)]
    stage: StageName,
    /// What networks are trained to predict, an axis: the next token, or tokens hidden from them ("masked": each by itself, "span": spans).
    #[serde(default = "causal")]
    #[schemars(extend("default" = "causal", "examples" = [["causal", "masked"]]))]
    objective: Axis<ObjectiveName>,
    /// Which part of a window is hidden, an axis: a number above 0 and up to 1, or "uniform" for another part of each window.
    #[schemars(with = "Option<Axis<schema::MaskRatio>>", extend("default" = "uniform", "examples" = [[0.15, 0.5]]))]
    mask_ratio: Option<Axis<toml::Value>>,
    /// Mean tokens of a hidden span, an axis.
    #[schemars(with = "Option<Axis<schema::SpanLength>>", extend("default" = 3))]
    span_length: Option<Axis<u32>>,
    /// Which networks are trained; of fine-tuning, those of `base`.
    ladder: Option<Ladder>,
    /// Which runs are fine-tuned.
    base: Option<BaseFile>,
    /// What they read.
    corpus: CorpusSpec,
    /// How long runs are: compute, tokens, or tokens per parameter.
    budget: BudgetFile,
    /// What all networks have in common.
    #[serde(default)]
    model: ModelFile,
    /// How runs are trained.
    #[serde(default)]
    recipe: RecipeFile,
    /// What is drawn, and how often.
    #[serde(default)]
    seeds: SeedsFile,
    /// How runs are measured.
    #[serde(default)]
    eval: EvalFile,
    /// How runs are executed.
    #[serde(default)]
    run: RunFile,
}

fn causal() -> Axis<ObjectiveName> {
    Axis(vec![ObjectiveName::Causal])
}

#[derive(PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ModelFile {
    /// Tokens that a network sees at once.
    context: usize,
    /// Whether queries and keys are normalised.
    qk_norm: bool,
    /// Whether the output matrix is the token embedding.
    tied_head: bool,
    /// Heads of keys and values: "same" as of queries, or a number of them (grouped-query attention).
    #[schemars(with = "schema::KvHeads", example = 1)]
    kv_heads: toml::Value,
}

impl Default for ModelFile {
    fn default() -> Self {
        Self { context: 256, qk_norm: true, tied_head: false, kv_heads: toml::Value::String("same".into()) }
    }
}

impl GridFile {
    fn check(self) -> Result<Grid, GridError> {
        match self.stage {
            StageName::PreTrain => self.check_pre_training(),
            StageName::FineTune => self.check_fine_tuning(),
        }
    }

    fn check_pre_training(self) -> Result<Grid, GridError> {
        if self.base.is_some() {
            return Err(field("base", "a table", "left out, or stage = \"fine-tune\" written at the top"));
        }
        if self.corpus.pairs().is_some() {
            let allowed = "a text where stage = \"pre-train\"; write stage = \"fine-tune\" at the top and [base] for pairs";
            return Err(field("corpus.kind", "\"pairs\"", allowed));
        }
        let shapes = self.shapes()?;
        let lines = ObjectiveLines { objective: self.objective, mask_ratio: self.mask_ratio, span_length: self.span_length };
        let objectives = lines.check()?;
        let context = shapes[0].context as u64;
        let recipe = self.recipe.check(&shapes)?;
        let budget = self.budget.check()?;
        recipe.fits_trunks_of(&budget.amounts)?;
        let least_batch = recipe.batch_tokens.iter().copied().min().unwrap_or(context);
        let grid = Grid {
            name: checked_name(self.name)?,
            shapes,
            corpus: corpus::checked(self.corpus)?,
            budget,
            objectives,
            recipe,
            seeds: self.seeds.check()?,
            run: self.run.check(&self.eval, least_batch / context)?,
            fine_tuning: None,
        };
        if grid.corpus.mix().is_some() && !grid.budget.epochs.is_empty() {
            let allowed = "left out where corpus.kind = \"mix\": how often a part is seen follows from its share";
            return Err(field("budget.epochs", grid.budget.epochs[0], allowed));
        }
        let tasks = mix::count(grid.corpus.mix()) * grid.objectives.len();
        size::check(grid.shapes.len(), tasks, &grid.budget, &grid.recipe, &grid.seeds)?;
        Ok(grid)
    }

    fn check_fine_tuning(self) -> Result<Grid, GridError> {
        let of_base = "left out where stage = \"fine-tune\": networks are those of [base]";
        if self.ladder.is_some() {
            return Err(field("ladder", "a table", of_base));
        }
        if self.model != ModelFile::default() {
            return Err(field("model", "a table", of_base));
        }
        if let Some(other) = self.objective.0.iter().find(|name| **name != ObjectiveName::Causal) {
            let allowed = "\"causal\", or left out, where stage = \"fine-tune\": responses are predicted token by token";
            return Err(field("objective", format!("\"{other}\""), allowed));
        }
        let of_gaps = "left out where stage = \"fine-tune\"";
        if let Some(ratios) = self.mask_ratio {
            return Err(field("mask_ratio", ratios.0.first().map_or_else(String::new, ToString::to_string), of_gaps));
        }
        if let Some(lengths) = self.span_length {
            return Err(field("span_length", lengths.0.first().map_or_else(String::new, ToString::to_string), of_gaps));
        }
        let base = self
            .base
            .ok_or_else(|| field("base", "(nothing)", "a table such as { results = \"results/quick\" } where stage = \"fine-tune\""))?;
        let corpus = corpus::checked(self.corpus)?;
        if corpus.pairs().is_none() {
            return Err(field("corpus.kind", corpus.name(), "\"pairs\" where stage = \"fine-tune\""));
        }
        let recipe = self.recipe.check(&[])?;
        let budget = self.budget.check_for_pairs()?;
        if recipe.search.batch {
            return Err(field("recipe.batch_tokens", "a search", "a value or a list of values where stage = \"fine-tune\""));
        }
        recipe.fits_trunks_of(&budget.amounts)?;
        let run = self.run.check(&self.eval, u64::MAX)?;
        if run.noise_scale_every > 0 || run.eval_every > 0 {
            let allowed = "0 where stage = \"fine-tune\": the held-out loss is read at the ends of epochs";
            let (name, found) =
                if run.eval_every > 0 { ("eval.every", run.eval_every) } else { ("run.noise_scale_every", run.noise_scale_every) };
            return Err(field(name, found, allowed));
        }
        let name = checked_name(self.name)?;
        let fine_tuning = Some(base.check()?);
        let (seeds, objectives) = (self.seeds.check()?, vec![Objective::Causal]);
        Ok(Grid { name, shapes: Vec::new(), corpus, budget, objectives, recipe, seeds, run, fine_tuning })
    }

    fn shapes(&self) -> Result<Vec<ModelShape>, GridError> {
        let ModelFile { context, qk_norm, tied_head, kv_heads } = &self.model;
        let ladder =
            self.ladder.as_ref().ok_or_else(|| field("ladder", "(nothing)", "a table such as { kind = \"list\", shapes = [\"2x32\"] }"))?;
        let mut shapes = non_empty("ladder", ladder.shapes()?)?;
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::{AdamW, Dtype, FlopRule, Flops, OptimizerGroups, Schedule, Tokens};

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
        assert_eq!(grid.recipe.learning_rates, [2e-3]);
        assert_eq!(grid.recipe.batch_tokens, [4096]);
        assert_eq!(grid.recipe.schedules, [Schedule::default()]);
        assert_eq!(grid.recipe.warmup, Warmup::FractionOfShortest(0.05));
        assert_eq!((grid.shapes[0].context, grid.shapes[0].qk_norm, grid.shapes[0].tied_head), (256, true, false));
        assert_eq!((grid.seeds.corners, grid.run.eval_windows, grid.run.workers), (1, None, None));
        assert_eq!((grid.recipe.sharing, grid.run.checkpoint_seconds), (Sharing::Trunks, 60.0));
        let adamw = AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 };
        assert_eq!(grid.recipe.adamw.resolve(2e-3, 4096, 100), adamw);
        assert_eq!((grid.recipe.groups, grid.run.noise_scale_every), (OptimizerGroups::default(), 0));
        assert_eq!(grid.recipe.dtype, Dtype::F32);
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
        let message = error(with("[recipe]\nbatch_tokens = 1024\n[eval]\nevery = 2"));
        assert!(message.contains("eval.every = 2") && message.contains("at least 3"), "{message}");
        assert!(error(|text| text.replace("2x16", "2x17")).contains("odd"));
        assert!(error(|text| text.replace("\"2x16\", \"2x32\"", "")).contains("ladder is an empty list"));
        assert!(error(|text| text.replace("small", "../small")).contains("it names a folder"));
        assert!(error(|text| text.replace("kind = \"tokens\"", "kind = \"iso-flop\"")).contains("budget.kind"));
        assert!(error(|text| text.replace("100k", "many")).contains("`many` is not a number"));
        assert!(Grid::parse("name =").is_err() && Grid::parse("").is_err());
    }

    #[test]
    fn products_are_f32_or_bf16() {
        assert_eq!(Grid::parse(&with("[recipe]\ndtype = \"bf16\"")(SMALL)).expect("valid").recipe.dtype, Dtype::Bf16);
        let message = error(with("[recipe]\ndtype = \"bf61\""));
        assert!(message.contains("`f32` or `bf16`") && message.ends_with("did you mean `bf16`?"), "{message}");
    }

    #[test]
    fn budgets_are_read_in_each_kind() {
        let budget = |line: &str| {
            Grid::parse(&SMALL.replace("budget = { kind = \"tokens\", tokens = [\"100k\", \"200k\"] }", line)).map(|g| g.budget.amounts)
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
        assert_eq!(grid.recipe.shape_learning_rates, [("2x16".to_owned(), vec![1e-3, 2e-3])]);
        assert!(error(with("[recipe]\nlearning_rate_by_shape = { 9x16 = 1e-3 }")).contains("a shape of the ladder"));
    }
}
