//! The best recipe of each cell. Where a sweep tried several learning rates or batch sizes on the same
//! shape and tokens, a law of L(N, D) is about the tuned cell: the recipe with the lowest mean loss over
//! its seeds is kept. The minimum of several noisy losses is biased low (winner's curse), the more
//! so the more were tried, so the number tried is part of the answer.

use super::Exclusion;
use crate::spec::sample::mean;
use crate::spec::{Ignoring, RunKey, RunRecord, RunStatus, of_one_length, short};

/// What was tried in one cell of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct TunedCell {
    /// The shape, `layers x width`, or the size where a table names none.
    pub shape: String,
    /// D of the cell.
    pub tokens: f64,
    /// Recipes tried, diverged ones too.
    pub tried: usize,
    /// Learning rates tried, ascending.
    pub learning_rates: Vec<f64>,
    /// Learning rate of the best recipe.
    pub best_learning_rate: f64,
    /// Where the best is the lowest or highest rate tried: the rate to try next.
    pub try_next: Option<f64>,
}

/// Records with one recipe a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The records that stay: every seed of each cell's best recipe, and all that belong to no cell.
    pub records: Vec<RunRecord>,
    /// Those left out for a better recipe.
    pub excluded: Vec<Exclusion>,
    /// Cells in which more than one recipe was tried.
    pub cells: Vec<TunedCell>,
}

/// What runs of one recipe may differ in. Nobody knows whether a column of others is a choice to be made, so such runs do not
/// compete by it.
const OF_A_RECIPE: Ignoring = Ignoring::SEEDS.and(Ignoring::OTHER_CHOICES);

/// Keeps the best recipe of each cell.
pub fn tuned(records: Vec<RunRecord>) -> Tuned {
    let cells = same_cell(&records);
    let mut excluded: Vec<Option<Exclusion>> = vec![None; records.len()];
    let mut tuned_cells = Vec::new();
    for cell in cells {
        let Some(choice) = choose(&records, &cell) else { continue };
        for &at in &cell {
            if records[at].key(OF_A_RECIPE) != choice.best && records[at].status == RunStatus::Finished {
                let reason = format!("another recipe of its cell has a lower loss ({} tried)", choice.cell.tried);
                excluded[at] = Some(Exclusion { run: records[at].run_id.clone(), reason });
            }
        }
        tuned_cells.push(choice.cell);
    }
    let kept = records.into_iter().zip(&excluded).filter(|(_, out)| out.is_none()).map(|(record, _)| record).collect();
    Tuned { records: kept, excluded: excluded.into_iter().flatten().collect(), cells: tuned_cells }
}

/// Places of the runs of each cell: one network on one number of tokens, whatever recipe and seeds. Without a learning rate, a size
/// or a length nothing was tried.
pub(super) fn same_cell(records: &[RunRecord]) -> Vec<Vec<usize>> {
    let is_known = |record: &RunRecord| {
        record.learning_rate.is_some() && record.tokens.is_some() && (record.layers.is_some() || record.params_total.is_some())
    };
    let key = |record: &RunRecord| is_known(record).then(|| record.key(OF_A_RECIPE | Ignoring::RECIPE));
    of_one_length(records, key).into_iter().map(|(_, cell)| cell).collect()
}

struct Choice {
    best: RunKey,
    cell: TunedCell,
}

/// The best recipe of a cell, where more than one was tried and at least one finished.
fn choose(records: &[RunRecord], cell: &[usize]) -> Option<Choice> {
    let mut recipes: Vec<(RunKey, Vec<f64>, f64)> = Vec::new();
    for &at in cell {
        let record = &records[at];
        if !matches!(record.status, RunStatus::Finished | RunStatus::Diverged) {
            continue;
        }
        let key = record.key(OF_A_RECIPE);
        let at = recipes.iter().position(|(known, _, _)| *known == key).unwrap_or_else(|| {
            recipes.push((key, Vec::new(), record.learning_rate.unwrap_or(f64::NAN)));
            recipes.len() - 1
        });
        // A recipe that diverged with one seed is worse than any that did not.
        recipes[at].1.push(record.loss_nats.map_or(f64::INFINITY, |loss| loss.0));
    }
    let mean = |losses: &[f64]| mean(losses.iter().copied()).expect("a recipe has runs");
    let best = recipes.iter().min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)))?;
    if recipes.len() < 2 || !mean(&best.1).is_finite() {
        return None;
    }
    let mut rates: Vec<f64> = recipes.iter().map(|(_, _, rate)| *rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let first = &records[cell[0]];
    let cell = TunedCell {
        shape: match (first.layers, first.width, first.params_total) {
            (Some(layers), Some(width), _) => format!("{layers}x{width}"),
            (_, _, size) => format!("N = {}", short(size.map_or(f64::NAN, |n| n.0))),
        },
        tokens: first.tokens.map_or(f64::NAN, |tokens| tokens.0),
        tried: recipes.len(),
        best_learning_rate: best.2,
        try_next: beyond_the_edge(&rates, best.2),
        learning_rates: rates,
    };
    Some(Choice { best: best.0.clone(), cell })
}

/// The next rate beyond an edge of the rates tried, at the spacing of the last two; `None` inside.
fn beyond_the_edge(rates: &[f64], best: f64) -> Option<f64> {
    let [first, second, ..] = rates else { return None };
    let [.., before, last] = rates else { return None };
    if best == *first {
        Some(first * first / second)
    } else if best == *last {
        Some(last * last / before)
    } else {
        None
    }
}

impl TunedCell {
    /// The alarm of a cell whose best rate is at the edge of those tried.
    pub fn alarm(&self) -> Option<String> {
        let next = self.try_next?;
        let side = if next < self.best_learning_rate { "lowest" } else { "highest" };
        let (shape, tokens, best) = (&self.shape, short(self.tokens), self.best_learning_rate);
        Some(format!(
            "{shape} at D = {tokens}: the best learning rate {best} is the {side} of {} tried; add {next:.3e}",
            self.learning_rates.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, Params, Tokens};

    fn run(rate: f64, seed: u64, loss: Option<f64>) -> RunRecord {
        RunRecord {
            run_id: format!("{rate}-{seed}"),
            layers: Some(2),
            width: Some(16),
            tokens: Some(Tokens(1e6)),
            learning_rate: Some(rate),
            seed_data: Some(seed),
            status: if loss.is_some() { RunStatus::Finished } else { RunStatus::Diverged },
            loss_nats: loss.map(Nats),
            ..RunRecord::default()
        }
    }

    #[test]
    fn the_recipe_with_the_lowest_mean_over_seeds_is_kept_with_all_its_seeds() {
        let records = vec![
            run(1e-3, 0, Some(2.2)),
            run(2e-3, 0, Some(2.0)),
            run(2e-3, 1, Some(2.06)),
            run(4e-3, 0, Some(1.99)),
            run(4e-3, 1, Some(2.2)),
        ];
        let tuned = tuned(records);
        assert_eq!(tuned.records.iter().map(|r| r.run_id.as_str()).collect::<Vec<_>>(), ["0.002-0", "0.002-1"]);
        assert_eq!(tuned.excluded.len(), 3);
        let [cell] = tuned.cells.as_slice() else { panic!("one cell") };
        assert_eq!((cell.tried, cell.best_learning_rate, cell.try_next), (3, 2e-3, None));
    }

    #[test]
    fn a_best_rate_at_the_edge_names_the_rate_to_add() {
        let cell = &tuned(vec![run(1e-3, 0, Some(2.2)), run(2e-3, 0, Some(2.0))]).cells[0];
        assert!(cell.alarm().expect("an alarm").ends_with("0.002 is the highest of 2 tried; add 4.000e-3"));
        let cell = &tuned(vec![run(1e-3, 0, Some(2.0)), run(2e-3, 0, Some(2.2))]).cells[0];
        assert_eq!(cell.try_next, Some(5e-4));
    }

    #[test]
    fn a_diverged_recipe_is_tried_and_never_best() {
        let tuned = tuned(vec![run(1e-3, 0, Some(2.2)), run(2e-3, 0, Some(1.9)), run(2e-3, 1, None)]);
        assert_eq!(tuned.cells[0].best_learning_rate, 1e-3);
        assert_eq!(tuned.records.len(), 2, "the diverged run stays: it is excluded by its status");
    }

    #[test]
    fn a_table_of_others_has_cells_by_size_and_tokens() {
        let foreign = |n: f64, rate: f64, batch: f64, loss: f64| RunRecord {
            layers: None,
            width: None,
            params_total: Some(Params(n)),
            batch_tokens: Some(Tokens(batch)),
            ..run(rate, 0, Some(loss))
        };
        let tuned = tuned(vec![
            foreign(2.15e8, 1e-3, 65536.0, 2.9),
            foreign(2.15e8, 2e-3, 65536.0, 2.8),
            foreign(2.15e8, 2e-3, 131072.0, 2.85),
            foreign(4e8, 1e-3, 65536.0, 2.7),
        ]);
        assert_eq!(tuned.records.iter().map(|r| r.loss_nats).collect::<Vec<_>>(), [Some(Nats(2.8)), Some(Nats(2.7))]);
        let [cell] = tuned.cells.as_slice() else { panic!("one cell was tuned") };
        assert_eq!(cell.tried, 3);
        assert!(
            cell.alarm().expect("an edge").starts_with("N = 215M at D = 1M: the best learning rate 0.002 is the highest"),
            "{:?}",
            cell.alarm()
        );
    }

    #[test]
    fn other_tokens_are_another_cell_and_single_recipes_are_left_alone() {
        let mut longer = run(2e-3, 0, Some(1.5));
        longer.tokens = Some(Tokens(2e6));
        let tuned = tuned(vec![run(1e-3, 0, Some(2.0)), longer, RunRecord { run_id: "foreign".into(), ..RunRecord::default() }]);
        assert_eq!((tuned.records.len(), tuned.cells.len()), (3, 0));
    }
}
