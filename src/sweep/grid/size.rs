//! How many runs a grid stands for, counted before they are listed.

use super::budget::{Around, Budget, BudgetAxes};
use super::error::GridError;
use super::recipe::RecipeAxes;
use super::run::SeedAxes;

/// More runs than anybody trains: a list with a slip of the pen in it.
const MOST_RUNS: u32 = 200_000;

/// Refuses axes that multiply to too many runs, and says which do.
pub(super) fn check(shapes: usize, mixtures: usize, budget: &BudgetAxes, recipe: &RecipeAxes, seeds: &SeedAxes) -> Result<(), GridError> {
    let axes = axes(shapes, mixtures, budget, recipe, seeds);
    let runs: f64 = axes.iter().map(|(_, length)| *length as f64).product();
    if runs <= f64::from(MOST_RUNS) {
        return Ok(());
    }
    let longer = axes.iter().filter(|(_, length)| *length > 1).map(|(name, length)| format!("{length} {name}"));
    let axes = longer.collect::<Vec<String>>().join(" x ");
    Err(GridError::TooManyRuns { runs, axes, most: MOST_RUNS })
}

/// Every axis with its length.
fn axes(shapes: usize, mixtures: usize, budget: &BudgetAxes, recipe: &RecipeAxes, seeds: &SeedAxes) -> [(&'static str, usize); 9] {
    let shapes = match &budget.amounts {
        Budget::IsoFlop { around: Around::Nearest { sizes, .. }, .. } => shapes.min(*sizes),
        _ => shapes,
    };
    let of_shapes = recipe.shape_learning_rates.iter().map(|(_, rates)| rates.len()).max();
    [
        ("shapes", shapes),
        ("mixtures", mixtures),
        ("budgets", budget.amounts.levels()),
        ("numbers of epochs", budget.epochs.len().max(1)),
        ("batches", recipe.batch_tokens.len()),
        ("schedules", recipe.schedules.len()),
        ("learning rates", recipe.learning_rates.len().max(of_shapes.unwrap_or(0))),
        ("seeds.init", seeds.init.len()),
        ("seeds.data", seeds.data.len()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::Grid;
    use super::super::tests::SMALL;

    #[test]
    fn a_grid_of_a_hundred_million_runs_is_refused_with_the_axes_that_multiply() {
        let list = |count: u32| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let grid = |data: u32| {
            let text = SMALL.replace("\"100k\", \"200k\"", &list(100));
            Grid::parse(&format!("{text}\n[seeds]\ninit = [{}]\ndata = [{}]", list(500), list(data)))
        };
        let error = grid(1000).expect_err("refused").to_string();
        assert!(error.contains("1.000e8 runs (2 shapes x 100 budgets x 500 seeds.init x 1000 seeds.data)"), "{error}");
        assert!(error.contains("at most 200000"), "{error}");
        assert!(grid(1).is_ok());
    }
}
