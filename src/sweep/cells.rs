//! The cells of a grid: which shape is trained on how many tokens, and which are left out and why.

use super::grid::{Around, Budget, CorpusFacts, Grid};
use super::mixtures::{mixtures, too_often};
use crate::spec::{FlopRule, Flops, MixedPart, ModelShape, Objective, ParamCounts, Stage, Tokens};

/// One shape, one number of tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    /// Which of the grid's budgets it belongs to.
    pub(super) level: usize,
    pub(super) shape: ModelShape,
    pub(super) tokens: Tokens,
    pub(super) batch_tokens: u64,
    /// Distinct tokens, where they are limited.
    pub(super) unique_tokens: Option<u64>,
    /// Parts of a mixture with their shares.
    pub(super) mixture: Vec<MixedPart>,
    pub(super) budget: Option<(Flops, FlopRule)>,
    /// What it begins from.
    pub(super) stage: Stage,
    /// What it is trained to predict.
    pub(super) objective: Objective,
}

/// A cell that is not trained.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Shape of the network of the cell.
    pub shape: ModelShape,
    /// The budget, in words.
    pub budget: String,
    /// Why the cell cannot be trained.
    pub reason: String,
    /// Whether the user asked for exactly this cell, so that leaving it out silently would be wrong.
    pub asked_for: bool,
    /// Whether the grid chose other shapes about the optimum, so that nothing is missing.
    pub by_design: bool,
}

impl Cell {
    /// Whole optimizer steps nearest to the cell's tokens.
    pub(super) fn steps(&self) -> u64 {
        (self.tokens.0 / self.batch_tokens as f64).round() as u64
    }

    /// The same with so few distinct tokens, in whole windows, that it sees them `epochs` times.
    fn repeated(self, epochs: f64) -> Self {
        let seen = self.steps() as f64 * self.batch_tokens as f64;
        let context = self.shape.context as f64;
        let windows = (seen / epochs / context).round().max(1.0);
        Self { unique_tokens: (epochs > 1.0).then_some((windows * context) as u64), ..self }
    }
}

/// All cells of a grid that can be trained, budget by budget, and the others.
pub(super) fn cells(grid: &Grid, facts: &CorpusFacts) -> (Vec<Cell>, Vec<LeftOut>) {
    let mut kept = Vec::new();
    let mut left_out = Vec::new();
    for (&batch_tokens, objective) in grid.recipe.batch_tokens.iter().flat_map(|batch| grid.objectives.iter().map(move |one| (batch, one)))
    {
        let shapes: Vec<ModelShape> =
            grid.shapes.iter().map(|shape| ModelShape { vocabulary: objective.vocabulary(shape.vocabulary), ..shape.clone() }).collect();
        let at = |level| Place { level, batch_tokens, objective: *objective };
        match &grid.budget.amounts {
            Budget::Tokens(all) => {
                for (level, &tokens) in all.iter().enumerate() {
                    let row = shapes.iter().map(|shape| (shape, tokens, None));
                    keep_possible(grid, facts, at(level), row, &format!("D = {tokens}"), &mut kept, &mut left_out);
                }
            }
            Budget::TokensPerParam(ratios) => {
                for (level, &ratio) in ratios.iter().enumerate() {
                    let row = shapes.iter().map(|shape| (shape, Tokens(ratio * total(shape)), None));
                    keep_possible(grid, facts, at(level), row, &format!("D/N = {ratio}"), &mut kept, &mut left_out);
                }
            }
            Budget::IsoFlop { rule, flops, around } => {
                for (level, &compute) in flops.iter().enumerate() {
                    let tokens = |shape: &ModelShape| Tokens(compute.0 / rule.per_token(shape).expect("a counted rule"));
                    let row = shapes.iter().map(|shape| (shape, tokens(shape), Some((compute, *rule))));
                    let mut possible = Vec::new();
                    let name = format!("C = {compute}");
                    let several = !grid.budget.epochs.is_empty() || grid.corpus.mix().is_some();
                    keep_possible(grid, facts, at(level), row, &name, &mut possible, &mut left_out);
                    keep_nearest(*around, several, possible, &name, &mut kept, &mut left_out);
                }
            }
            Budget::Epochs(_) => {}
        }
    }
    (kept, left_out)
}

fn total(shape: &ModelShape) -> f64 {
    ParamCounts::of(shape).total() as f64
}

/// What all cells of a row have in common.
#[derive(Debug, Clone, Copy)]
struct Place {
    level: usize,
    batch_tokens: u64,
    objective: Objective,
}

type Wanted<'a> = (&'a ModelShape, Tokens, Option<(Flops, FlopRule)>);

fn keep_possible<'a>(
    grid: &Grid,
    facts: &CorpusFacts,
    Place { level, batch_tokens, objective }: Place,
    row: impl Iterator<Item = Wanted<'a>>,
    budget_name: &str,
    kept: &mut Vec<Cell>,
    left_out: &mut Vec<LeftOut>,
) {
    let mixtures = mixtures(grid, facts);
    for (shape, tokens, budget) in row {
        let once: &[f64] = if grid.budget.epochs.is_empty() { &[1.0] } else { &grid.budget.epochs };
        for (mixture, &epochs) in mixtures.iter().flat_map(|mixture| once.iter().map(move |epochs| (mixture, epochs))) {
            let mixed = mixture.parts.clone();
            let cell = Cell {
                level,
                shape: shape.clone(),
                tokens,
                batch_tokens,
                unique_tokens: None,
                mixture: mixed,
                budget,
                stage: Stage::PreTraining,
                objective,
            };
            let cell = cell.repeated(epochs);
            match impossible(grid, facts, &cell) {
                None => kept.push(cell),
                Some(reason) => {
                    let asked_for = budget.is_none() && (mixture.listed || mixture.parts.is_empty());
                    left_out.push(LeftOut { shape: cell.shape, budget: budget_name.into(), reason, asked_for, by_design: false });
                }
            }
        }
    }
}

/// 2^53: above it a count of tokens is no longer exact.
const MOST_TOKENS: f64 = 9_007_199_254_740_992.0;
/// Bytes a parameter takes in training: itself, its gradient, two moments and two copies for products, 32 bits each.
const TRAINING_BYTES: f64 = 24.0;
/// More than any single device holds.
const MOST_BYTES: f64 = 2e11;

/// Why a cell cannot be trained, if it cannot.
pub(super) fn impossible(grid: &Grid, facts: &CorpusFacts, cell: &Cell) -> Option<String> {
    let steps = cell.steps();
    if cell.tokens.0 > MOST_TOKENS {
        return Some(format!("{} tokens are more than any run can count", cell.tokens));
    }
    let bytes = TRAINING_BYTES * total(&cell.shape);
    if bytes > MOST_BYTES {
        return Some(format!(
            "weights, their copies, gradients and moments take {:.0} GB, at most {:.0} are allowed: choose a smaller shape",
            bytes / 1e9,
            MOST_BYTES / 1e9
        ));
    }
    if facts.unique_tokens.is_some_and(|unique| cell.batch_tokens > unique) {
        let unique = Tokens(facts.unique_tokens.unwrap_or(0) as f64);
        return Some(format!(
            "a batch of {} tokens is larger than the corpus of {unique}: lower recipe.batch_tokens or use more text",
            cell.batch_tokens
        ));
    }
    if steps < grid.budget.min_steps {
        let batch = cell.batch_tokens;
        return Some(format!(
            "{} tokens are {steps} steps of {batch} tokens, at least {} are wanted: lower recipe.batch_tokens or raise the budget",
            cell.tokens, grid.budget.min_steps
        ));
    }
    if let Some(unique) = cell.unique_tokens {
        return too_few(facts, cell, unique);
    }
    if !cell.mixture.is_empty() {
        return too_often(grid, facts, &cell.mixture, (steps * cell.batch_tokens) as f64);
    }
    let max_epochs = grid.corpus.text()?.max_epochs;
    let unique = facts.unique_tokens? as f64;
    let epochs = (steps * cell.batch_tokens) as f64 / unique;
    let seen = Tokens(unique);
    (epochs > max_epochs).then(|| format!("{} tokens are {epochs:.2} epochs of a corpus of {seen}, at most {max_epochs} are allowed: use more text or raise corpus.max_epochs", cell.tokens))
}

/// Why a run cannot have so few, or so many, distinct tokens.
fn too_few(facts: &CorpusFacts, cell: &Cell, unique: u64) -> Option<String> {
    let wanted = Tokens(unique as f64);
    if cell.batch_tokens > unique {
        return Some(format!(
            "a batch of {} tokens is larger than the {wanted} distinct tokens of so many epochs: lower recipe.batch_tokens or raise the budget",
            cell.batch_tokens
        ));
    }
    let has = facts.unique_tokens.filter(|has| *has < unique)?;
    Some(format!("{wanted} distinct tokens are wanted, the corpus has {}: raise budget.epochs or use more text", Tokens(has as f64)))
}

/// Keeps the shapes whose tokens per parameter are nearest to the expected optimum of their budget.
fn keep_nearest(around: Around, several: bool, possible: Vec<Cell>, budget_name: &str, kept: &mut Vec<Cell>, left_out: &mut Vec<LeftOut>) {
    let Around::Nearest { center, sizes } = around else {
        kept.extend(possible);
        return;
    };
    let ratio = |cell: &Cell| cell.tokens.0 / total(&cell.shape);
    let distance = |cell: &Cell| (ratio(cell) / center).ln().abs();
    let mut distances: Vec<f64> = possible.iter().map(distance).collect();
    distances.sort_by(f64::total_cmp);
    if several {
        // A shape counts once, however its data are mixed or repeated.
        distances.dedup();
    }
    let farthest = distances.get(sizes.saturating_sub(1)).copied().unwrap_or(f64::INFINITY);
    for cell in possible {
        if distance(&cell) <= farthest {
            kept.push(cell);
        } else {
            let reason =
                format!("{:.0} tokens per parameter is farther from the expected optimum of {center} than {sizes} others", ratio(&cell));
            left_out.push(LeftOut { shape: cell.shape, budget: budget_name.into(), reason, asked_for: false, by_design: true });
        }
    }
}
