//! The cells of a grid that fine-tunes: which base on how many pairs, how often or how long, from which weights, with how much replay. And
//! which runs of a folder are worth to begin from.

use super::cells::{Cell, LeftOut};
use super::grid::{Budget, CorpusFacts, FineTuneAxes, Grid, Subset};
use crate::spec::{FineTuning, RunRecord, RunStatus, Stage, Tokens};

/// All cells that can be trained, amount by amount, and the others.
pub(super) fn cells(grid: &Grid, axes: &FineTuneAxes, facts: &CorpusFacts) -> (Vec<Cell>, Vec<LeftOut>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    let pairs = facts.pairs.as_ref();
    let subsets = pairs.map_or(&[][..], |pairs| &pairs.subsets);
    for &batch_tokens in &grid.recipe.batch_tokens {
        for (level, amount) in amounts(&grid.budget.amounts).into_iter().enumerate() {
            for (base, subset) in axes.bases.iter().flat_map(|base| subsets.iter().map(move |subset| (base, subset))) {
                for (&start, &replay) in axes.starts.iter().flat_map(|start| axes.replay.iter().map(move |replay| (start, replay))) {
                    let Subset { examples, windows, .. } = *subset;
                    let fine_tuning = FineTuning { base: base.run.clone(), start, examples, windows, replay };
                    let epoch = fine_tuning.epoch_tokens(base.shape.context);
                    let tokens = match amount {
                        Amount::Tokens(tokens) => tokens,
                        Amount::Epochs(epochs) => Tokens(epochs * epoch as f64),
                    };
                    let cell = Cell {
                        level,
                        shape: base.shape.clone(),
                        tokens,
                        batch_tokens,
                        unique_tokens: None,
                        mixture: Vec::new(),
                        budget: None,
                        stage: Stage::FineTuning(Box::new(fine_tuning)),
                    };
                    match impossible(grid, pairs.map_or(0, |pairs| pairs.train), subset, &cell, epoch) {
                        None => kept.push(cell),
                        Some((reason, asked_for)) => {
                            let budget = format!("{examples} pairs, {amount}");
                            left_out.push(LeftOut { shape: cell.shape, budget, reason, asked_for, by_design: false });
                        }
                    }
                }
            }
        }
    }
    (kept, left_out)
}

/// How long a run is.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Tokens(Tokens),
    Epochs(f64),
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens(tokens) => write!(f, "D = {tokens}"),
            Self::Epochs(epochs) => write!(f, "epochs = {epochs}"),
        }
    }
}

fn amounts(budget: &Budget) -> Vec<Amount> {
    match budget {
        Budget::Tokens(all) => all.iter().map(|tokens| Amount::Tokens(*tokens)).collect(),
        Budget::Epochs(all) => all.iter().map(|epochs| Amount::Epochs(*epochs)).collect(),
        Budget::TokensPerParam(_) | Budget::IsoFlop { .. } => Vec::new(),
    }
}

/// Why a cell cannot be trained, and whether leaving it out silently would be wrong.
fn impossible(grid: &Grid, there_are: u64, subset: &Subset, cell: &Cell, epoch: u64) -> Option<(String, bool)> {
    if subset.asked > subset.examples {
        let reason = format!(
            "corpus.examples = {}: {there_are} pairs can be trained on, others are held out or left out: lower it, or say \"all\"",
            subset.asked
        );
        return Some((reason, true));
    }
    if cell.batch_tokens > epoch {
        let reason = format!(
            "a batch of {} tokens is more than an epoch of {} pairs, {epoch} tokens: lower recipe.batch_tokens or raise corpus.examples",
            cell.batch_tokens, subset.examples
        );
        return Some((reason, false));
    }
    let (steps, least) = (cell.steps(), grid.budget.min_steps);
    (steps < least).then(|| {
        let reason = format!(
            "{} tokens are {steps} steps of {} tokens, at least {least} are wanted: lower recipe.batch_tokens or raise the budget",
            cell.tokens, cell.batch_tokens
        );
        (reason, true)
    })
}

/// The finished runs that no run of as little compute is as good as, in the order given.
pub fn frontier(records: &[RunRecord]) -> Vec<&RunRecord> {
    let at = |record: &RunRecord| {
        let finished = record.status == RunStatus::Finished;
        Some((record.flops_exact?.0, record.loss_nats?.0)).filter(|_| finished)
    };
    let dominated = |own: (f64, f64)| {
        let better = |(compute, loss): (f64, f64)| compute <= own.0 && loss <= own.1 && (compute, loss) != own;
        records.iter().filter_map(at).any(better)
    };
    records.iter().filter(|record| at(record).is_some_and(|own| !dominated(own))).collect()
}
