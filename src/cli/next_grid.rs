//! The sweep that would test a forecast, as a grid file: its networks at a budget, with the learning rate that was forecast and, at
//! the optimum, half and twice of it; all else as in the grid of the runs.

use super::failure::{Failure, OrWork};
use crate::recommend::{BudgetForecast, Forecast};
use crate::results::write_whole;
use crate::spec::{FlopRule, Flops};
use crate::sweep::Grid;
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Writes a grid for each budget, into `out` or, of several, into files beside it; the files.
pub(super) fn write_grids(forecast: &Forecast, out: &Path, like: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = std::fs::read_to_string(like).with_context(|| {
        let path = like.display();
        format!("{path} cannot be read, and corpus, context and recipe are taken from the grid of the runs: name it with --like FILE")
    });
    let base: Table =
        read.map_err(Failure::Input)?.parse().with_context(|| format!("{} is no grid file", like.display())).map_err(Failure::Input)?;
    let stem = out.file_stem().and_then(|stem| stem.to_str()).unwrap_or("next").to_owned();
    let rule = forecast.law.flop_rule;
    let several = forecast.budgets.len() > 1;
    let named = |number: usize| if several { format!("{stem}-{}", number + 1) } else { stem.clone() };
    let files: Vec<PathBuf> = (0..forecast.budgets.len()).map(|number| out.with_file_name(format!("{}.toml", named(number)))).collect();
    if let Some(there) = files.iter().find(|file| file.exists()) {
        return Err(Failure::Input(anyhow!("{} is there already; write another with --grid FILE", there.display())));
    }
    for ((number, budget), file) in forecast.budgets.iter().enumerate().zip(&files) {
        let text = grid(&base, &named(number), budget, rule).with_context(|| like.display().to_string()).map_err(Failure::Input)?;
        write_whole(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display())).or_work()?;
    }
    Ok(files)
}

/// The grid of one budget, counted as in the forecast.
fn grid(base: &Table, name: &str, budget: &BudgetForecast, rule: FlopRule) -> anyhow::Result<String> {
    let shapes: Vec<Value> = budget.runs.iter().map(|run| Value::from(run.shape.clone())).collect();
    if shapes.is_empty() {
        return Err(anyhow!("the runs name no shapes, so there is no network to train"));
    }
    let entries = |all: &[(&str, Value)]| Value::Table(all.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect());
    let mut grid = base.clone();
    grid.insert("name".into(), Value::from(name));
    grid.insert("ladder".into(), entries(&[("kind", Value::from("list")), ("shapes", Value::Array(shapes))]));
    let flops = Value::Array(vec![Value::from(format!("{:e}", budget.compute))]);
    let kind = ("kind", Value::from("iso-flop"));
    grid.insert("budget".into(), entries(&[kind, ("rule", Value::from(rule.name())), ("flops", flops), ("around", Value::from("all"))]));
    let recipe = grid.entry("recipe").or_insert_with(|| Value::Table(Table::new()));
    let recipe = recipe.as_table_mut().context("recipe is no table")?;
    recipe.remove("learning_rate_by_shape");
    if let Some(rate) = budget.learning_rate.as_ref().map(|rate| rounded(rate.value)) {
        recipe.insert("learning_rate".into(), Value::from(rate));
        let tried = Value::Array([0.5, 1.0, 2.0].map(|factor| Value::from(rounded(factor * rate))).into());
        let optimum = budget.runs.iter().find(|run| run.role == "optimum");
        recipe.extend(optimum.map(|run| ("learning_rate_by_shape".to_owned(), entries(&[(run.shape.as_str(), tried)]))));
    }
    if let Some(batch) = &budget.batch_tokens {
        recipe.insert("batch_tokens".into(), Value::from(batch.value.round() as i64));
    }
    let head =
        format!("# What would test the forecast of {} FLOPs: its networks, each on what the budget leaves.\n", Flops(budget.compute));
    let text = head + &toml::to_string(&grid)?;
    Grid::parse(&text).context("the grid that would test the forecast is refused")?;
    Ok(text)
}

/// A learning rate to three significant digits.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}
