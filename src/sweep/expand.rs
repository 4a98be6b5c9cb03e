//! A grid expanded: the deterministic list of runs, each fully determined, with its predicted cost.

use super::cells::{Cell, LeftOut, cells};
use super::fine_tune;
use super::grid::{CorpusFacts, Grid, Sharing, Warmup};
use super::mixtures::bytes_per_token;
use super::plan::{Plan, PlanError};
use super::planned::{Branch, Chain, PlannedRun, evaluation};
use crate::spec::{InitRule, ParamCounts, Recipe, RunSpec, Schedule, Seeds, Tokenizer};
use std::collections::HashSet;

/// Most and fewest held-out windows that `eval.windows = "auto"` chooses.
const AUTO_WINDOWS: (u64, u64) = (256, 4096);

/// Expands a grid. `seconds_per_token` predicts the training time of one token of a shape on one worker;
/// a token of evaluation is taken to cost a third of it (a forward pass of the three that training makes).
pub fn expand(grid: &Grid, facts: &CorpusFacts, seconds_per_token: &dyn Fn(&RunSpec) -> f64) -> Result<Plan, PlanError> {
    let grid = &grid.with_vocabulary(facts.vocabulary);
    let Groundwork { kept, left_out, eval_windows, warmup_tokens } = groundwork(grid, facts)?;
    let corners = corner_cells(&kept);
    let mut list = RunList::new(grid, facts, seconds_per_token, eval_windows, warmup_tokens);
    for (at, cell) in kept.iter().enumerate() {
        let replicates = if corners.contains(&at) { grid.seeds.corners } else { 1 };
        for (recipe, seeds) in variants(grid, cell, warmup_tokens, replicates) {
            list.push(cell, recipe, seeds, None);
        }
    }
    Ok(Plan { runs: list.runs, left_out, eval_windows })
}

/// Cells that can be trained, those that are left out, and what all runs have in common.
pub(super) struct Groundwork {
    pub(super) kept: Vec<Cell>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) eval_windows: u64,
    pub(super) warmup_tokens: u64,
}

pub(super) fn groundwork(grid: &Grid, facts: &CorpusFacts) -> Result<Groundwork, PlanError> {
    let (kept, left_out) = match &grid.fine_tuning {
        Some(axes) => fine_tune::cells(grid, axes, facts),
        None => cells(grid, facts),
    };
    if let Some(LeftOut { shape, budget, reason, .. }) = left_out.iter().find(|cell| cell.asked_for) {
        return Err(PlanError::Impossible { shape: shape.to_string(), budget: budget.clone(), reason: reason.clone() });
    }
    let Some(shortest) = kept.iter().map(|cell| cell.steps() * cell.batch_tokens).min() else {
        return Err(PlanError::NothingLeft(left_out.first().map_or_else(String::new, |cell| cell.reason.clone())));
    };
    let eval_windows = eval_windows(grid, facts, shortest)?;
    let warmup_tokens = match grid.recipe.warmup {
        Warmup::Tokens(tokens) => tokens.0 as u64,
        Warmup::FractionOfShortest(fraction) => (fraction * shortest as f64).round() as u64,
    };
    if warmup_tokens >= shortest {
        return Err(PlanError::Warmup { warmup_tokens, shortest });
    }
    Ok(Groundwork { kept, left_out, eval_windows, warmup_tokens })
}

/// Runs in the making, each once.
pub(super) struct RunList<'a> {
    grid: &'a Grid,
    facts: &'a CorpusFacts,
    seconds_per_token: &'a dyn Fn(&RunSpec) -> f64,
    eval_windows: u64,
    pub(super) warmup_tokens: u64,
    pub(super) runs: Vec<PlannedRun>,
    seen: HashSet<String>,
}

impl<'a> RunList<'a> {
    pub(super) fn new(
        grid: &'a Grid,
        facts: &'a CorpusFacts,
        seconds_per_token: &'a dyn Fn(&RunSpec) -> f64,
        eval_windows: u64,
        warmup_tokens: u64,
    ) -> Self {
        Self { grid, facts, seconds_per_token, eval_windows, warmup_tokens, runs: Vec::new(), seen: HashSet::new() }
    }

    /// Adds a run unless it is there; its name.
    pub(super) fn push(&mut self, cell: &Cell, recipe: Recipe, seeds: Seeds, chain: Option<Chain>) -> String {
        let spec = run_spec(self.grid, self.facts, cell, recipe, seeds, self.eval_windows);
        let id = spec.id().0;
        if self.seen.insert(id.clone()) {
            let per_token = (self.seconds_per_token)(&spec);
            let predicted_seconds = per_token * (spec.tokens().0 + evaluation(&spec));
            self.runs.push(PlannedRun { id: id.clone(), predicted_seconds, branch: branch(self.grid.recipe.sharing, &spec), chain, spec });
        }
        id
    }
}

/// `auto`: one window for every 16 contexts of the shortest run, so that evaluation stays cheap beside training.
fn eval_windows(grid: &Grid, facts: &CorpusFacts, shortest: u64) -> Result<u64, PlanError> {
    let (least, most) = AUTO_WINDOWS;
    let context = grid.shapes[0].context as u64;
    let available = facts.held_out_windows.unwrap_or(u64::MAX);
    match grid.run.eval_windows {
        Some(asked) if asked > available => Err(PlanError::HeldOut { asked, available, least: 1 }),
        Some(asked) => Ok(asked),
        None if grid.fine_tuning.is_some() => Ok(available.min(most)),
        None if available < least => Err(PlanError::HeldOut { asked: least, available, least }),
        None => Ok((shortest / (16 * context)).clamp(least, most).min(available)),
    }
}

/// Indices of the cells at the corners, of each objective: of the smallest and the largest shape, the shortest and the longest run.
pub(super) fn corner_cells(cells: &[Cell]) -> HashSet<usize> {
    let mut corners = HashSet::new();
    for (at, cell) in cells.iter().enumerate() {
        if !cells[..at].iter().any(|earlier| earlier.objective == cell.objective) {
            corners.extend(corners_of(cells, &|other| other.objective == cell.objective));
        }
    }
    corners
}

fn corners_of(cells: &[Cell], among: &dyn Fn(&Cell) -> bool) -> HashSet<usize> {
    let size = |cell: &Cell| ParamCounts::of(&cell.shape).total();
    let sizes: Vec<u64> = cells.iter().map(size).collect();
    let of_these = || (0..cells.len()).filter(|&at| among(&cells[at]));
    let extremes = [of_these().map(|at| sizes[at]).min(), of_these().map(|at| sizes[at]).max()];
    let mut corners = HashSet::new();
    for extreme in extremes.into_iter().flatten() {
        let row = || of_these().filter(|&at| sizes[at] == extreme);
        let by_tokens = |a: &usize, b: &usize| cells[*a].tokens.0.total_cmp(&cells[*b].tokens.0);
        corners.extend(row().min_by(by_tokens));
        corners.extend(row().max_by(by_tokens));
    }
    corners
}

/// Every recipe and seed of a cell. Replicates vary both seeds, at the middle learning rate alone.
pub(super) fn variants(grid: &Grid, cell: &Cell, warmup_tokens: u64, replicates: u64) -> Vec<(Recipe, Seeds)> {
    let name = cell.shape.to_string();
    let own = grid.recipe.shape_learning_rates.iter().find(|(shape, _)| *shape == name);
    let rates = own.map_or(&grid.recipe.learning_rates, |(_, rates)| rates);
    let mut variants = Vec::new();
    for schedule in &grid.recipe.schedules {
        for (at, &learning_rate) in rates.iter().enumerate() {
            let recipe = recipe(grid, cell, schedule, learning_rate, warmup_tokens);
            for (&init, &data) in grid.seeds.init.iter().flat_map(|init| grid.seeds.data.iter().map(move |data| (init, data))) {
                variants.push((recipe.clone(), Seeds { init, data, eval: grid.seeds.eval }));
            }
            if at == rates.len() / 2 {
                let (init, data) = (largest(&grid.seeds.init), largest(&grid.seeds.data));
                let further = (1..replicates).map(|k| Seeds { init: init + k, data: data + k, eval: grid.seeds.eval });
                variants.extend(further.map(|seeds| (recipe.clone(), seeds)));
            }
        }
    }
    variants
}

/// The recipe of a cell under a schedule at a learning rate.
pub(super) fn recipe(grid: &Grid, cell: &Cell, schedule: &Schedule, learning_rate: f64, warmup_tokens: u64) -> Recipe {
    Recipe {
        learning_rate,
        batch_tokens: cell.batch_tokens,
        schedule: schedule.clone(),
        warmup_tokens,
        adamw: grid.recipe.adamw.resolve(learning_rate, cell.batch_tokens, cell.steps()),
        groups: grid.recipe.groups.clone(),
        grad_clip: grid.recipe.grad_clip,
        dtype: grid.recipe.dtype,
    }
}

/// Where a run leaves its trunk, where it has one that others can share.
fn branch(sharing: Sharing, spec: &RunSpec) -> Option<Branch> {
    let step = spec.branch_step().filter(|&step| step > 0 && sharing == Sharing::Trunks)?;
    Some(Branch { trunk_id: spec.trunk_id()?, step })
}

pub(super) fn largest(seeds: &[u64]) -> u64 {
    seeds.iter().copied().max().unwrap_or(0)
}

fn run_spec(grid: &Grid, facts: &CorpusFacts, cell: &Cell, recipe: Recipe, seeds: Seeds, eval_windows: u64) -> RunSpec {
    RunSpec {
        sweep: grid.name.clone(),
        shape: cell.shape.clone(),
        init: InitRule::Standard,
        corpus: grid.corpus.clone(),
        corpus_sha256: facts.sha256.clone(),
        tokenizer: tokenizer(facts, cell),
        unique_tokens: cell.unique_tokens,
        mixture: cell.mixture.clone(),
        stage: cell.stage.clone(),
        objective: cell.objective,
        recipe,
        steps: cell.steps(),
        seeds,
        eval_windows,
        noise_scale_every: grid.run.noise_scale_every,
        eval_every: grid.run.eval_every,
        budget_flops: cell.budget.map(|(flops, _)| flops),
        budget_rule: cell.budget.map(|(_, rule)| rule),
    }
}

/// How the text became tokens; of a mixture their length is that of what the loss is measured on.
fn tokenizer(facts: &CorpusFacts, cell: &Cell) -> Tokenizer {
    match bytes_per_token(facts, &cell.mixture) {
        Some(bytes_per_token) => Tokenizer { bytes_per_token, ..facts.tokenizer.clone() },
        None => facts.tokenizer.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::grid::tests::SMALL;
    use super::*;
    use crate::spec::{FlopRule, Flops, Tokens};

    pub(in crate::sweep) fn facts(unique_tokens: Option<u64>) -> CorpusFacts {
        let held_out_windows = unique_tokens.map(|n| n / 2560);
        CorpusFacts { sha256: "ab".repeat(32), vocabulary: 256, unique_tokens, held_out_windows, ..CorpusFacts::default() }
    }

    pub(in crate::sweep) fn plan(text: &str) -> Plan {
        expand(&Grid::parse(text).expect("valid grid"), &facts(None), &|_| 1e-5).expect("has a plan")
    }

    fn error(text: &str, unique_tokens: u64) -> PlanError {
        let text = text.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", "{ kind = \"text\", path = \"x.txt\" }");
        expand(&Grid::parse(&text).expect("valid grid"), &facts(Some(unique_tokens)), &|_| 1e-5).expect_err("refused")
    }

    #[test]
    fn every_combination_of_axes_is_one_run_with_whole_steps() {
        let plan = plan(&format!("{SMALL}\n[recipe]\nlearning_rate = [1e-3, 2e-3]\n[seeds]\ndata = [0, 1, 2]"));
        assert_eq!(plan.runs.len(), 2 * 2 * 2 * 3);
        let first = &plan.runs[0].spec;
        assert_eq!((first.steps, first.tokens()), (24, Tokens(24.0 * 4096.0)), "100,000 tokens are 24.4 steps");
        assert_eq!(first.recipe.warmup_tokens, (0.05f64 * 24.0 * 4096.0).round() as u64);
        assert_eq!(plan.eval_windows, 256);
        let seconds = 1e-5 * (24.0 * 4096.0 + 256.0 * 256.0 / 3.0);
        assert!((plan.runs[0].predicted_seconds - seconds).abs() < 1e-9);
        let names: HashSet<&String> = plan.runs.iter().map(|run| &run.id).collect();
        assert_eq!(names.len(), plan.runs.len());
    }

    #[test]
    fn an_iso_flop_budget_gives_each_shape_the_tokens_that_it_pays_for() {
        let text = SMALL.replace(
            "{ kind = \"tokens\", tokens = [\"100k\", \"200k\"] }",
            "{ kind = \"iso-flop\", flops = [\"4e11\"], around = \"all\" }",
        );
        let plan = plan(&text);
        for run in &plan.runs {
            let spent = FlopRule::Exact.of(&run.spec.shape, run.spec.tokens()).expect("counted").0;
            assert!((spent / 4e11 - 1.0).abs() < 1e-3, "{spent:e}");
            assert_eq!(run.spec.budget_flops, Some(Flops(4e11)));
        }
    }

    #[test]
    fn cells_of_a_budget_that_cannot_be_are_listed_with_the_reason() {
        let budget = "{ kind = \"iso-flop\", flops = [\"2e11\"], sizes = 2, center = 20 }";
        let text = SMALL.replace("{ kind = \"tokens\", tokens = [\"100k\", \"200k\"] }", budget);
        let text = text.replace("[\"2x16\", \"2x32\"]", "[\"2x8\", \"2x16\", \"2x32\", \"2x128\"]");
        let text = format!("{text}\n[recipe]\nbatch_tokens = 1024");
        let plan = plan(&text);
        assert_eq!(plan.runs.iter().map(|run| run.spec.shape.to_string()).collect::<Vec<_>>(), ["2x16", "2x32"]);
        let reasons: Vec<(String, &str)> = plan.left_out.iter().map(|cell| (cell.shape.to_string(), cell.reason.as_str())).collect();
        assert!(reasons.iter().any(|(shape, why)| shape == "2x128" && why.contains("steps")), "{reasons:?}");
        assert!(reasons.iter().any(|(shape, why)| shape == "2x8" && why.contains("expected optimum of 20")), "{reasons:?}");
    }

    #[test]
    fn what_the_corpus_cannot_feed_is_refused() {
        let message = error(SMALL, 150_000).to_string();
        assert!(message.contains("2x16 at D = 200k") && message.contains("epochs"), "{message}");
        assert!(matches!(error(&format!("{SMALL}\n[recipe]\nbatch_tokens = 1048576"), 10_000_000), PlanError::Impossible { .. }));
        assert!(matches!(error(SMALL, 300_000), PlanError::HeldOut { .. }));
    }

    #[test]
    fn epochs_are_an_axis_that_limits_the_distinct_tokens() {
        let plan = plan(&SMALL.replace("tokens = [", "epochs = [1, 2, 8], tokens = ["));
        assert_eq!(plan.runs.len(), 2 * 2 * 3);
        let of_first: Vec<Option<u64>> = plan.runs[..3].iter().map(|run| run.spec.unique_tokens).collect();
        assert_eq!(of_first, [None, Some(12 * 4096), Some(3 * 4096)], "24 steps of 4096 tokens, in windows of 256");
        let record = plan.records().remove(2);
        assert_eq!((record.unique_tokens, record.epochs), (Some(Tokens(12_288.0)), Some(8.0)));
        let once = super::tests::plan(SMALL);
        assert!(once.runs.iter().all(|run| plan.runs.iter().any(|other| other.id == run.id)), "data seen once are the same run");
        let text = SMALL.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", "{ kind = \"text\", path = \"x.txt\" }");
        let limited = |epochs: &str, unique| {
            let grid = Grid::parse(&text.replace("tokens = [", &format!("epochs = [{epochs}], tokens = ["))).expect("valid");
            let facts = CorpusFacts { held_out_windows: None, ..facts(Some(unique)) };
            expand(&grid, &facts, &|_| 1e-5).map(|plan| plan.runs.len()).map_err(|error| error.to_string())
        };
        assert_eq!(limited("2, 4", 110_000), Ok(8), "twice 100k are 200k");
        assert!(limited("1", 110_000).expect_err("too many").contains("raise corpus.max_epochs"));
        assert!(limited("2", 90_000).expect_err("too many").contains("raise budget.epochs"));
        assert!(
            limited("64", 110_000).expect_err("too few").contains("larger than the 1.54k distinct tokens"),
            "{:?}",
            limited("64", 110_000)
        );
    }

    #[test]
    fn a_vocabulary_is_counted_in_every_budget() {
        let iso = SMALL.replace(
            "{ kind = \"tokens\", tokens = [\"100k\", \"200k\"] }",
            "{ kind = \"iso-flop\", flops = [\"8e11\"], around = \"all\" }",
        );
        let facts = CorpusFacts { vocabulary: 2000, ..facts(None) };
        let plan = expand(&Grid::parse(&iso).expect("valid"), &facts, &|_| 1e-5).expect("a plan");
        for run in &plan.runs {
            assert_eq!(run.spec.shape.vocabulary, 2000);
            let spent = FlopRule::Exact.of(&run.spec.shape, run.spec.tokens()).expect("counted").0;
            assert!((spent / 8e11 - 1.0).abs() < 5e-3, "{spent:e}");
        }
    }

    #[test]
    fn corner_cells_are_replicated_with_other_seeds() {
        let plan = plan(&format!("{SMALL}\n[seeds]\ncorners = 3").replace("[\"100k\", \"200k\"]", "[\"100k\", \"150k\", \"200k\"]"));
        assert_eq!(plan.runs.len(), 6 + 4 * 2);
        let replicated: HashSet<(String, u64)> =
            plan.runs.iter().filter(|r| r.spec.seeds.data == 2).map(|r| (r.spec.shape.to_string(), r.spec.steps)).collect();
        assert_eq!(replicated.len(), 4);
    }

    #[test]
    fn objectives_are_an_axis_and_the_mask_is_a_token_of_the_networks_that_need_it() {
        let plan = plan(&format!("objective = [\"causal\", \"masked\"]\nmask_ratio = [0.15, \"uniform\"]\n{SMALL}\n[seeds]\ncorners = 2"));
        assert_eq!(plan.runs.len(), 3 * (4 + 4), "four cells of each objective, all corners");
        for run in &plan.runs {
            assert_eq!(run.spec.shape.vocabulary, run.spec.objective.vocabulary(256));
        }
        let alone = super::tests::plan(&format!("{SMALL}\n[seeds]\ncorners = 2"));
        assert!(alone.runs.iter().zip(&plan.runs).all(|(one, other)| one == other), "causal runs keep their names and costs");
        let (causal, masked) = (&plan.runs[0], plan.runs.iter().find(|run| run.spec.objective.hides()).expect("planned"));
        assert!(masked.predicted_seconds > causal.predicted_seconds, "a bound takes several passes");
        let record = &plan.records()[8];
        assert_eq!((record.objective.as_deref(), record.mask_ratio.as_deref(), record.span_length), (Some("masked"), Some("0.15"), None));
    }
}
