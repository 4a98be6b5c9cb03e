//! What was tried of learning rate and batch in each (N, D) cell: the evidence behind laws of the best recipe. Diverged
//! runs belong to it, since where training breaks is part of the answer.

use super::tuned::same_cell;
use super::{Scale, points, shape_of};
use crate::spec::sample::mean;
use crate::spec::{FlopRule, ModelShape, RunRecord, RunStatus, SizeMeasure, Tokens, short};
use std::collections::BTreeMap;

/// One run of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Identifier of the run.
    pub run: String,
    /// Peak learning rate η.
    pub learning_rate: f64,
    /// Batch B, tokens.
    pub batch: f64,
    /// Held-out loss, nats per token; `None` where training diverged.
    pub loss: Option<f64>,
    /// Optimizer steps of the run.
    pub steps: Option<f64>,
}

/// All runs of one shape on one number of tokens under one schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeTrials {
    /// What a person calls it: `2x16 at D = 450k`.
    pub label: String,
    /// The shape, where the table names one.
    pub shape: Option<ModelShape>,
    /// N, D and C under the convention asked for.
    pub scale: Scale,
    /// Nominal compute budget, FLOPs, where the cell has one.
    pub budget: Option<f64>,
    /// Runs of the cell, one for each recipe and seed.
    pub trials: Vec<Trial>,
}

/// The cells of a sweep with every run that finished or diverged. Where a cell holds several schedules, each is a cell.
pub fn recipe_trials(records: &[RunRecord], measure: SizeMeasure, rule: FlopRule) -> Vec<RecipeTrials> {
    let mut found = Vec::new();
    for cell in same_cell(records) {
        let mut schedules: BTreeMap<Option<String>, Vec<&RunRecord>> = BTreeMap::new();
        for at in cell {
            schedules.entry(records[at].schedule.as_ref().map(ToString::to_string)).or_default().push(&records[at]);
        }
        found.extend(schedules.into_values().filter_map(|runs| of_cell(&runs, measure, rule)));
    }
    found.sort_by(|a, b| a.scale.n.total_cmp(&b.scale.n).then(a.scale.d.total_cmp(&b.scale.d)));
    found
}

fn of_cell(runs: &[&RunRecord], measure: SizeMeasure, rule: FlopRule) -> Option<RecipeTrials> {
    let trials: Vec<Trial> = runs.iter().filter_map(|record| trial(record)).collect();
    let owned: Vec<RunRecord> = runs.iter().map(|record| (*record).clone()).collect();
    let (seen, _) = points(&owned, measure, rule);
    let first = seen.first()?;
    let mean = |pick: fn(&super::Point) -> f64| mean(seen.iter().map(pick));
    let shape = shape_of(runs[0]);
    let scale = Scale { n: first.n, d: mean(|p| p.d)?, c: mean(|p| p.c)? };
    let size = shape.as_ref().map_or_else(|| format!("N = {}", short(scale.n)), ToString::to_string);
    Some(RecipeTrials { label: format!("{size} at D = {}", Tokens(scale.d)), shape, scale, budget: first.budget, trials })
}

fn trial(record: &RunRecord) -> Option<Trial> {
    let loss = match record.status {
        RunStatus::Finished => Some(record.loss_nats?.0).filter(|loss| loss.is_finite() && *loss > 0.0),
        RunStatus::Diverged => None,
        _ => return None,
    };
    let positive = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
    Some(Trial {
        run: record.run_id.clone(),
        learning_rate: positive(record.learning_rate?)?,
        // A table that names no batch is taken to hold one batch everywhere.
        batch: record.batch_tokens.map_or(Some(1.0), |batch| positive(batch.0))?,
        loss,
        steps: record.steps.map(|steps| steps as f64),
    })
}

impl RecipeTrials {
    /// Lowest loss of the runs that finished, with its run.
    pub fn best(&self) -> Option<(&Trial, f64)> {
        self.trials.iter().filter_map(|trial| Some((trial, trial.loss?))).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Distinct values of a setting, ascending.
    pub fn tried(&self, pick: fn(&Trial) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.trials.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// How many runs diverged.
    pub fn diverged(&self) -> usize {
        self.trials.iter().filter(|trial| trial.loss.is_none()).count()
    }

    /// Where it stands under another convention; the cell's own where its shape is not known.
    pub fn scale_under(&self, measure: SizeMeasure, rule: FlopRule) -> Scale {
        self.shape.as_ref().and_then(|shape| Scale::of(shape, self.scale.d, measure, rule)).unwrap_or(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, Params};

    fn run(tokens: f64, rate: f64, batch: f64, loss: Option<f64>) -> RunRecord {
        RunRecord {
            run_id: format!("{tokens} {rate} {batch}"),
            layers: Some(2),
            width: Some(16),
            params_total: Some(Params(1e4)),
            tokens: Some(Tokens(tokens)),
            learning_rate: Some(rate),
            batch_tokens: Some(Tokens(batch)),
            status: if loss.is_some() { RunStatus::Finished } else { RunStatus::Diverged },
            loss_nats: loss.map(Nats),
            ..RunRecord::default()
        }
    }

    #[test]
    fn a_cell_holds_every_rate_and_batch_and_what_diverged() {
        let records = [
            run(1e6, 1e-3, 512.0, Some(2.2)),
            run(1.01e6, 2e-3, 1024.0, Some(2.0)),
            run(1e6, 4e-3, 512.0, None),
            run(2e6, 1e-3, 512.0, Some(1.9)),
            RunRecord { status: RunStatus::Failed, ..run(1e6, 8e-3, 512.0, None) },
        ];
        let cells = recipe_trials(&records, SizeMeasure::AsGiven, FlopRule::AsGiven);
        assert_eq!(cells.iter().map(|cell| cell.trials.len()).collect::<Vec<_>>(), [3, 1]);
        assert_eq!((cells[0].diverged(), cells[0].best().map(|(_, loss)| loss)), (1, Some(2.0)));
        assert_eq!(cells[0].tried(|trial| trial.batch), [512.0, 1024.0]);
        assert!((cells[0].scale.d - 1.005e6).abs() < 1.0, "the mean of what finished");
    }

    #[test]
    fn two_schedules_are_two_cells() {
        let other = RunRecord { schedule: Some("cosine".into()), ..run(1e6, 2e-3, 512.0, Some(2.0)) };
        let cells = recipe_trials(&[run(1e6, 1e-3, 512.0, Some(2.2)), other], SizeMeasure::AsGiven, FlopRule::AsGiven);
        assert_eq!(cells.len(), 2);
    }
}
