//! From recorded runs to the evidence that every law sees: one tokenizer, one recipe a cell, tuned losses where the runs tell
//! them, the noise between seeds and the weights that follow from it, every run that is left out named with its reason.

use super::checkpoints::along_curves;
use super::objectives;
use super::{Curves, LawName, StudyError, StudyOptions};
use crate::fit::{RecipeStudy, SeedNoise, recipe_study, repeats, tuned_evidence};
use crate::law::{Evidence, Exclusion, Point, TunedCell, Variable, recipe_trials, replicates, tokenizers, tuned};
use crate::spec::{EXAMPLES, LossUnit, Params, RunRecord, Tokens, short};
use std::collections::BTreeSet;

/// The runs as evidence, with nothing fitted to it yet but the response to learning rate and batch.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// One recipe a cell, under the conventions; runs that repeat their data too.
    pub evidence: Evidence,
    /// The lowest loss of each cell as it is, where `evidence` is corrected to the tuned frontier.
    pub untuned: Option<Evidence>,
    /// The records behind the evidence.
    pub records: Vec<RunRecord>,
    /// What runs scatter by between seeds, where cells were repeated.
    pub noise: Option<SeedNoise>,
    /// What the runs say of learning rate and batch, where several were tried.
    pub hyperparameters: Option<RecipeStudy>,
    /// What a reader must know, in words.
    pub notes: Vec<String>,
}

/// Prepares runs for a law.
///
/// # Errors
/// Where the runs have several tokenizers, the conventions cannot be counted, or curves are asked for that are not there.
pub fn prepare(records: &[RunRecord], curves: &Curves, options: &StudyOptions) -> Result<Prepared, StudyError> {
    let (measure, rule) = options.conventions();
    if !options.own && (measure, rule) != (StudyOptions { size_measure: None, flop_rule: None, ..options.clone() }).conventions() {
        return Err(StudyError::NoShapes);
    }
    one_tokenizer(records)?;
    // Laws of examples see a run of fine-tuning as one of its base, whose tokens are D.
    let about_examples =
        options.laws.iter().any(|law| matches!(law, LawName::Formula(law) if law.variables().contains(&Variable::Named(EXAMPLES))));
    let of_bases: Vec<RunRecord> = if about_examples { records.iter().map(RunRecord::of_its_base).collect() } else { Vec::new() };
    let records = if about_examples { &of_bases[..] } else { records };
    let best = tuned(records.to_vec());
    let mut evidence = Evidence::of(&on_one_axis(&best.records, options.own), measure, rule);
    evidence.loss_unit = options.loss_unit;
    evidence.excluded.extend(options.excluded.iter().cloned().chain(best.excluded));
    let noise = SeedNoise::of(&replicates(records), options.level);
    let hyperparameters = recipe_study(&recipe_trials(records, measure, rule), noise.as_ref(), options.level);
    let joint = hyperparameters.as_ref().and_then(|study| study.joint.as_ref());
    let untuned = joint.map(|joint| {
        let sigma = |loss: f64| noise.as_ref().map_or(joint.rms, |noise| noise.at(loss));
        let tuned = tuned_evidence(&evidence, joint, &sigma);
        std::mem::replace(&mut evidence, tuned)
    });
    if let Some(noise) = noise.as_ref().filter(|noise| noise.slope.is_some() && untuned.is_none()) {
        weigh(&mut evidence, noise);
    }
    let mut notes = options.notes.clone();
    if let Some(burn_in) = options.checkpoints {
        let along = along_curves(curves, std::mem::take(&mut evidence.points), burn_in)?;
        evidence.points = along.0;
        notes.extend(along.1);
    }
    notes.extend(tuning_notes(&best.cells));
    notes.extend(overfitting_note(records, curves));
    notes.extend(objectives::notes(records));
    if !options.own {
        notes.extend(foreign_notes(&evidence));
    }
    Ok(Prepared { evidence, untuned, records: best.records, noise, hyperparameters, notes })
}

/// Runs of a table that has no sizes, or no tokens, with one in their place: they differ along the other axis alone.
pub(super) fn on_one_axis(records: &[RunRecord], own: bool) -> Vec<RunRecord> {
    let lacks = |of: fn(&RunRecord) -> bool| !own && !records.iter().any(of);
    let (no_sizes, no_tokens) = (lacks(|run| run.params_total.is_some()), lacks(|run| run.tokens.is_some()));
    let mut records = records.to_vec();
    for record in &mut records {
        if no_sizes {
            record.params_total = Some(Params(1.0));
        }
        if no_tokens {
            record.tokens = Some(Tokens(1.0));
        }
    }
    records
}

/// Refuses runs of several tokenizers: nats per token of one are not those of another.
pub fn one_tokenizer(records: &[RunRecord]) -> Result<(), StudyError> {
    match tokenizers(records) {
        several if several.len() > 1 => Err(StudyError::SeveralTokenizers(several)),
        _ => Ok(()),
    }
}

/// Evidence without runs that see data more than once, where others do not: L(N, D) is about data seen once.
pub fn seen_once(mut evidence: Evidence) -> Evidence {
    let (repeated, once): (Vec<Point>, Vec<Point>) = evidence.points.drain(..).partition(repeats);
    if once.is_empty() {
        evidence.points = repeated;
        return evidence;
    }
    let reason = "its data are repeated; fit --law data-constrained is about such runs";
    evidence.excluded.extend(repeated.into_iter().map(|point| Exclusion { run: point.run, reason: reason.into() }));
    evidence.points = once;
    evidence
}

/// Weights 1/σ(L)², mean one.
fn weigh(evidence: &mut Evidence, noise: &SeedNoise) {
    let precision: Vec<f64> = evidence.points.iter().map(|point| noise.at(point.loss).powi(-2)).collect();
    let mean = precision.iter().sum::<f64>() / precision.len() as f64;
    evidence.points.iter_mut().zip(precision).for_each(|(point, precision)| point.weight = precision / mean);
}

fn tuning_notes(cells: &[TunedCell]) -> Vec<String> {
    let Some(most) = cells.iter().map(|cell| cell.tried).max() else { return Vec::new() };
    let mut notes = vec![format!(
        "the best of up to {most} recipes is used in each of {} cells; the best of several noisy losses is a little too low",
        cells.len()
    )];
    notes.extend(cells.iter().filter_map(TunedCell::alarm));
    notes
}

/// What the curves of runs that repeat their data say of memorisation.
fn overfitting_note(records: &[RunRecord], curves: &Curves) -> Option<String> {
    let found = curves.overfitting(records);
    let all = records.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0)).count();
    let (run, what) = found.first()?;
    Some(format!("{} of {all} runs that repeat their data overfit, such as {run}: {what}", found.len()))
}

/// Loss above which a language model is worse than a guess among four million tokens, nats.
const ABSURD: f64 = 15.0;

/// What a table of others may not mean as it is read.
fn foreign_notes(evidence: &Evidence) -> Vec<String> {
    let points = &evidence.points;
    let mut notes = Vec::new();
    let repeated = points.iter().filter(|point| repeats(point)).count();
    if repeated > 0 && repeated < points.len() {
        notes.push(format!(
            "{repeated} of {} runs see data more than once, and L(N, D) is of data seen once: keep the others with --where epochs=1 or the like, or fit --law data-constrained",
            points.len()
        ));
    }
    let places: BTreeSet<[u64; 3]> = points.iter().map(|p| [p.n.to_bits(), p.d.to_bits(), p.loss.to_bits()]).collect();
    if places.len() < points.len() {
        notes.push(format!(
            "{} rows repeat another in N, D and loss to the last digit: copies of a row are no further runs and make intervals too narrow",
            points.len() - places.len()
        ));
    }
    let highest = points.iter().map(|point| point.loss).fold(0.0, f64::max);
    if highest > 1.0 && evidence.loss_unit == LossUnit::ErrorRate {
        notes.push(format!(
            "error rates reach {}, and none is above 1: of per cent take a hundredth, --columns loss=NAME*0.01",
            short(highest)
        ));
    }
    if highest > ABSURD && evidence.loss_unit == LossUnit::Nats {
        notes.push(format!(
            "losses reach {} nats per token, more than a guess costs: are they perplexities, or decimal commas read as thousands?",
            short(highest)
        ));
    }
    notes
}
