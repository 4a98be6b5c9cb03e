//! The recipe of a recommended run: learning rate and batch from the law that served unseen cells best (or from a published
//! one), the ranges within which they cost next to nothing, and the rest as the best runs had it, each with its source.

use crate::fit::{Ahead, Estimate, RecipeStudy};
use crate::law::{PublishedRecipe, Scale};
use crate::spec::{RecordedSchedule, RunRecord, Schedule};
use serde::Serialize;

/// How to train the recommended network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingRecipe {
    /// Peak learning rate, with the interval of its law.
    pub learning_rate: Estimate,
    /// Learning rates that cost at most the near-optimal band, at the best batch.
    pub learning_rate_range: Option<[f64; 2]>,
    /// Batch, tokens: a multiple of the context.
    pub batch_tokens: Estimate,
    /// Batches that cost at most the band, tokens.
    pub batch_range: Option<[f64; 2]>,
    /// Schedule, as in the `schedule` column.
    pub schedule: Option<RecordedSchedule>,
    /// Optimizer steps.
    pub steps: Option<u64>,
    /// Where the learning rate changes its course.
    pub milestones: Vec<Milestone>,
    /// AdamW's weight decay, per unit of learning rate.
    pub weight_decay: Option<f64>,
    /// AdamW's β₁.
    pub beta1: Option<f64>,
    /// AdamW's β₂.
    pub beta2: Option<f64>,
    /// Norm to which gradients are clipped.
    pub grad_clip: Option<f64>,
    /// Where each of these comes from.
    pub sources: Vec<String>,
}

/// A step at which the learning rate changes its course.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Milestone {
    /// The phase of the schedule that begins at the step.
    pub what: String,
    /// Step, from 0.
    pub step: u64,
    /// Learning rate there.
    pub learning_rate: f64,
}

/// Factors in learning rate and in batch that cost at most 5 % of compute (Schaipp 2607.01487), where no surface tells.
const TOLERANCE: [f64; 2] = [std::f64::consts::SQRT_2, 2.0];

/// The recipe by the laws of a study where it has any, the rest as in `best`, the runs near the frontier.
pub(super) fn of_runs(
    study: Option<&RecipeStudy>,
    level: f64,
    best: &[&RunRecord],
    scale: &Scale,
    context: Option<f64>,
) -> Option<TrainingRecipe> {
    let seen_rate = typical(best, |record| record.learning_rate)?;
    let seen_batch = typical(best, |record| record.batch_tokens.map(|tokens| tokens.0))?;
    let mut sources = Vec::new();
    let law = study.and_then(RecipeStudy::best_law);
    let as_seen = |what: &str| format!("{what}: median and range of the {} best runs near the frontier; no law was fitted", best.len());
    let learning_rate = match law.and_then(|law| Some((law, law.learning_rate.as_ref()?, law.learning_rate_at(scale, level)?))) {
        Some((law, fit, rate)) => {
            let excess = law.held_out.as_ref().map_or(f64::NAN, |score| 100.0 * score.mean);
            sources.push(format!(
                "learning rate: {} ({}; {excess:.2} % above the best of cells that it did not see{})",
                fit.rule,
                law.name,
                checked(&law.ahead[0])
            ));
            rate
        }
        None => {
            sources.push(as_seen("learning rate"));
            seen_rate
        }
    };
    let batch = match law.and_then(|law| Some((law, law.batch.as_ref()?, law.batch_at(scale, level)?))) {
        Some((law, fit, batch)) => {
            sources.push(format!("batch: {} ({}{})", fit.rule, law.name, checked(&law.ahead[1])));
            batch
        }
        None => {
            sources.push(as_seen("batch"));
            seen_batch
        }
    };
    let batch_tokens = whole_sequences(batch, context);
    let ranges = study.and_then(|study| ranges(study, learning_rate.value, batch_tokens.value));
    sources.push("schedule, warmup, weight decay, beta1, beta2 and clipping: as in the best runs near the frontier".into());
    let first = best.first()?;
    Some(TrainingRecipe {
        learning_rate_range: ranges.and_then(|[rate, _]| rate),
        batch_range: ranges.and_then(|[_, batch]| batch),
        learning_rate,
        batch_tokens,
        schedule: first.schedule.clone(),
        steps: None,
        milestones: Vec::new(),
        weight_decay: first.weight_decay,
        beta1: first.beta1,
        beta2: first.beta2,
        grad_clip: first.grad_clip,
        sources,
    })
}

/// What a law of a setting was held against beyond its cells, in words.
fn checked(ahead: &Ahead) -> String {
    match ahead.checked {
        0 => "; held against no cell larger than those it was fitted to, so its interval beyond them is by what is usual".into(),
        1 => "; held against one cell larger than those it was fitted to".into(),
        cells => format!("; held {cells} times against larger cells than those it was fitted to"),
    }
}

/// DeepSeek's recipe (2401.02954 §2.3) with learning rate and batch of a published law.
pub(super) fn published(recipe: &PublishedRecipe, scale: &Scale, context: f64) -> TrainingRecipe {
    let exact = |value: f64| Estimate::exact(value);
    let rate = recipe.learning_rate.at(scale);
    let batch = whole_sequences(exact(recipe.batch_tokens.at(scale)), Some(context));
    let around = |value: f64, factor: f64| Some([value / factor, value * factor]);
    TrainingRecipe {
        learning_rate: exact(rate),
        learning_rate_range: around(rate, TOLERANCE[0]),
        batch_range: around(batch.value, TOLERANCE[1]),
        batch_tokens: batch,
        schedule: Some(Schedule::deepseek().into()),
        steps: None,
        milestones: Vec::new(),
        weight_decay: Some(0.1),
        beta1: Some(0.9),
        beta2: Some(0.95),
        grad_clip: Some(1.0),
        sources: vec![
            format!("learning rate and batch: {}", recipe.source),
            "ranges: a factor of root two in learning rate and of two in batch cost at most 5 % of compute (Schaipp 2026, arXiv 2607.01487)"
                .into(),
            "schedule, warmup of 2000 steps, weight decay, betas and clipping: DeepSeek LLM 2024, arXiv 2401.02954 §2.3".into(),
        ],
    }
}

/// Steps of the whole run and the milestones of its schedule, once its tokens are known. `warmup` is in tokens.
pub(super) fn with_steps(mut recipe: TrainingRecipe, tokens: f64, warmup: f64) -> TrainingRecipe {
    let steps = (tokens / recipe.batch_tokens.value).round().max(1.0) as u64;
    let peak = recipe.learning_rate.value;
    recipe.steps = Some(steps);
    recipe.milestones = vec![
        Milestone { what: "warmup begins".into(), step: 0, learning_rate: 0.0 },
        Milestone { what: "peak".into(), step: ((warmup / recipe.batch_tokens.value).ceil() as u64).min(steps), learning_rate: peak },
    ];
    if let Some(schedule) = recipe.schedule.as_ref().and_then(RecordedSchedule::known) {
        recipe.milestones.extend(turns(schedule, steps, peak));
    }
    recipe.milestones.push(Milestone { what: "end".into(), step: steps, learning_rate: last_rate(&recipe, steps) });
    recipe
}

fn turns(schedule: &Schedule, steps: u64, peak: f64) -> Vec<Milestone> {
    let at = |fraction: f64| (fraction * steps as f64).round() as u64;
    match schedule {
        Schedule::Wsd { decay_fraction, .. } => {
            vec![Milestone { what: "decay begins".into(), step: at(1.0 - decay_fraction), learning_rate: peak }]
        }
        Schedule::MultiStep { milestones, factors } => {
            let turn = |(milestone, factor): (&f64, &f64)| Milestone {
                what: format!("falls to {:.1} % of the peak", 100.0 * factor),
                step: at(*milestone),
                learning_rate: peak * factor,
            };
            milestones.iter().zip(factors).map(turn).collect()
        }
        _ => Vec::new(),
    }
}

fn last_rate(recipe: &TrainingRecipe, steps: u64) -> f64 {
    let schedule = recipe.schedule.as_ref().and_then(RecordedSchedule::known);
    schedule.map_or(f64::NAN, |schedule| recipe.learning_rate.value * schedule.multiplier(steps.saturating_sub(1), steps, 0))
}

/// Rounded to a multiple of the context, at least one sequence.
fn whole_sequences(batch: Estimate, context: Option<f64>) -> Estimate {
    let Some(context) = context.filter(|context| *context >= 1.0) else { return batch };
    Estimate { value: (batch.value / context).round().max(1.0) * context, ..batch }
}

/// Values of each setting within the typical band of the joint surface.
fn ranges(study: &RecipeStudy, rate: f64, batch: f64) -> Option<[Option<[f64; 2]>; 2]> {
    let joint = study.joint.as_ref()?;
    let mut bands: Vec<f64> = study.cells.iter().map(|cell| cell.band).collect();
    bands.sort_by(f64::total_cmp);
    let band = bands.get(bands.len() / 2)?;
    let [by_rate, by_batch] = joint.room(*band);
    Some([by_rate.map(|factors| factors.map(|factor| rate * factor)), by_batch.map(|factors| factors.map(|factor| batch * factor))])
}

/// Median with the smallest and largest value as its range; no coverage is claimed.
fn typical(records: &[&RunRecord], pick: impl Fn(&RunRecord) -> Option<f64>) -> Option<Estimate> {
    let mut values: Vec<f64> = records.iter().filter_map(|record| pick(record)).collect();
    values.sort_by(f64::total_cmp);
    let value = *values.get(values.len() / 2)?;
    Some(Estimate::range(value, [values[0], values[values.len() - 1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::published_recipe;

    #[test]
    fn deepseeks_recipe_for_its_seven_billion() {
        let scale = Scale { n: 4.228e10, d: 2e12, c: 8.456e22 };
        let recipe = published(published_recipe("deepseek").expect("listed"), &scale, 4096.0);
        let recipe = with_steps(recipe, 2e12, 2000.0 * 9.22e6);
        assert!((recipe.learning_rate.value / 4.25e-4 - 1.0).abs() < 2e-3);
        assert_eq!(recipe.batch_tokens.value % 4096.0, 0.0);
        assert!((recipe.batch_tokens.value / 4096.0 - 2252.0).abs() < 3.0, "{}", recipe.batch_tokens.value / 4096.0);
        let steps = recipe.steps.expect("known");
        let falls: Vec<(u64, f64)> = recipe.milestones[2..4].iter().map(|one| (one.step, one.learning_rate)).collect();
        assert_eq!(falls[0].0, (0.8 * steps as f64).round() as u64);
        assert!(
            (falls[0].1 / recipe.learning_rate.value - 0.1f64.sqrt()).abs() < 1e-12
                && (falls[1].1 / recipe.learning_rate.value - 0.1).abs() < 1e-12
        );
        assert_eq!(recipe.milestones[1].step, 2000);
        assert!((recipe.milestones[4].learning_rate / recipe.learning_rate.value - 0.1).abs() < 1e-9);
    }
}
