//! From runs to fitted laws, as `fit`, `plot` and `recommend` all need them.

use super::checkpoints::{MANY, along_curves};
use super::failure::{Failure, OrInput};
use super::source::{Source, SourceArgs};
use crate::doctor::{Overfitting, overfitting};
use crate::fit::{
    Estimator, FitError, FitOptions, FittedLaw, Floor, Interpolator, IsoflopFit, IsoflopOptions, RecipeStudy, Resample, Search, SeedNoise,
    chinchilla, isoflop, power_law, recipe_study, repeats, tuned_evidence, with_windows,
};
use crate::law::{Axis, Chinchilla, Evidence, Exclusion, Point, PowerLaw, TunedCell, recipe_trials, replicates, tokenizers, tuned};
use crate::results::SweepFolder;
use crate::spec::{FlopRule, Flops, RunRecord, SizeMeasure, short};
use anyhow::anyhow;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};

/// What `fit` and `recommend` are asked.
#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    #[command(flatten)]
    pub(super) choices: Choices,
    /// Budgets to recommend for, FLOPs [default: 3, 10 and 100 times the largest of the runs]
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    pub(super) compute: Vec<Flops>,
    /// Print one JSON document to standard output and write no file
    #[arg(long)]
    pub(super) json: bool,
}

/// How laws are fitted.
#[derive(Args, Clone)]
pub(super) struct Choices {
    /// How N is counted: total, non-embedding, matmul, flops-per-token, as-given
    /// [default: matmul for sweeps of scalelab, as-given for other tables]
    #[arg(long, value_name = "MEASURE")]
    size_measure: Option<SizeMeasure>,
    /// How C is counted: exact, md, 6nd, as-given [default: exact for sweeps of scalelab, as-given for other tables]
    #[arg(long, value_name = "RULE")]
    flop_rule: Option<FlopRule>,
    /// What is minimised: huber-log, least-squares-log, least-squares, absolute-log
    /// [default: least-squares-log for sweeps of scalelab, huber-log for other tables]
    #[arg(long, value_name = "NAME")]
    estimator: Option<String>,
    /// δ of huber-log
    #[arg(long, default_value_t = 1e-3)]
    delta: f64,
    /// What intervals of refits draw anew: runs, clusters (of runs that share steps) or residuals [default: residuals where a
    /// fit other than least-squares-log has fewer than 100 runs or 20 clusters, else clusters or runs]
    #[arg(long, value_name = "WHAT")]
    resample: Option<Resample>,
    /// Refits, for intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    refits: usize,
    /// Fit every point of the loss curves of a table, a cluster a run, not the last of each alone; the first BURN_IN of a run,
    /// a tenth where nothing is said, is left out
    #[arg(long, value_name = "BURN_IN", num_args = 0..=1, require_equals = true, default_missing_value = "0.1")]
    checkpoints: Option<f64>,
    /// Confidence level of intervals
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// Seed of the resampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Variable projection alone, for tables so large that a second search is a wait.
    #[arg(skip)]
    pub(super) quick: bool,
}

impl Default for Choices {
    fn default() -> Self {
        let FitOptions { refits, level, seed, .. } = FitOptions::default();
        Self {
            size_measure: None,
            flop_rule: None,
            estimator: None,
            delta: 1e-3,
            resample: None,
            refits,
            checkpoints: None,
            level,
            seed,
            quick: false,
        }
    }
}

impl Choices {
    /// The same with intervals of another level.
    pub(super) fn at_level(&self, level: f64) -> Self {
        Self { level, ..self.clone() }
    }

    /// Level of intervals.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// How valleys of budgets are fitted.
    pub(super) fn of_budgets(&self, interpolator: Interpolator) -> IsoflopOptions {
        IsoflopOptions { interpolator, level: self.level, seed: self.seed, ..IsoflopOptions::default() }
    }

    /// The same under DeepSeek's conventions, M in FLOPs per token and C = M·D, where a table names shapes.
    pub(super) fn of_deepseek(&self, source: &Source) -> Self {
        if !source.own {
            return self.clone();
        }
        let size_measure = self.size_measure.or(Some(SizeMeasure::FlopsPerToken));
        Self { size_measure, flop_rule: self.flop_rule.or(Some(FlopRule::Md)), ..self.clone() }
    }

    /// How N and C are counted.
    pub(super) fn conventions(&self, source: &Source) -> Result<(SizeMeasure, FlopRule), Failure> {
        let defaults = if source.own { (SizeMeasure::Matmul, FlopRule::Exact) } else { (SizeMeasure::AsGiven, FlopRule::AsGiven) };
        let chosen = (self.size_measure.unwrap_or(defaults.0), self.flop_rule.unwrap_or(defaults.1));
        if !source.own && chosen != defaults {
            let path = source.path.display();
            return Err(Failure::Input(anyhow!(
                "{path} names no shapes, so N and C cannot be counted anew; leave --size-measure and --flop-rule out"
            )));
        }
        Ok(chosen)
    }

    /// The choices as a fit takes them.
    pub(super) fn options(&self, source: &Source) -> Result<FitOptions, Failure> {
        let default = if source.own { Estimator::LeastSquaresLog } else { Estimator::default() };
        let estimator = self.estimator.as_ref().map_or(Ok(default), |name| name.parse()).or_input()?;
        Ok(FitOptions {
            estimator: estimator.with_delta(self.delta),
            resample: self.resample.unwrap_or_default(),
            refits: self.refits,
            level: self.level,
            seed: self.seed,
            search: if self.quick { Search::VarproOnly } else { Search::default() },
        })
    }
}

impl Choices {
    /// The same for evidence that may be very large.
    pub(super) fn options_for(&self, source: &Source, evidence: &Evidence) -> Result<FitOptions, Failure> {
        let options = self.options(source)?;
        let large = self.checkpoints.is_some() && evidence.points.len() > MANY;
        Ok(if large { FitOptions { search: Search::VarproOnly, refits: 0, ..options } } else { options })
    }
}

/// What the runs say.
pub(super) struct Analysis {
    /// One recipe a cell, under the conventions.
    pub(super) evidence: Evidence,
    /// The records behind the evidence.
    pub(super) records: Vec<RunRecord>,
    /// L(N, D), where N and D can be told apart.
    pub(super) chinchilla: Option<FittedLaw<Chinchilla>>,
    /// Why no law at all could be fitted.
    pub(super) refusal: Option<FitError>,
    /// L(C), offered instead where they cannot.
    pub(super) compute: Option<FittedLaw<PowerLaw>>,
    /// Parabolas, where runs have budgets.
    pub(super) isoflop: Option<IsoflopFit>,
    /// What runs scatter by between seeds, where cells were repeated.
    pub(super) noise: Option<SeedNoise>,
    /// What the runs say of learning rate and batch, where several were tried.
    pub(super) study: Option<RecipeStudy>,
    /// The lowest loss of each cell as it is, where `evidence` is corrected to the tuned frontier.
    pub(super) raw: Option<Evidence>,
    /// L(N, D) of `raw`.
    pub(super) raw_law: Option<FittedLaw<Chinchilla>>,
    /// What a reader must know beside the laws.
    pub(super) notes: Vec<String>,
    /// Lowest possible loss on the held-out windows, nats per token, where the source is known.
    pub(super) floor_nats: Option<f64>,
    /// Entropy rate of the source, nats per token, where it is known.
    pub(super) entropy_nats: Option<f64>,
    /// Bytes of a token on average, where every run says so.
    pub(super) bytes_per_token: Option<f64>,
}

impl Analysis {
    /// The same, or the reason why there is no law: bad input.
    pub(super) fn with_a_law(self) -> Result<Self, Failure> {
        match self.refusal {
            Some(error) => Err(Failure::Input(error.into())),
            None => Ok(self),
        }
    }

    /// How many runs each reason left out.
    pub(super) fn exclusions_by_reason(&self) -> BTreeMap<&str, usize> {
        self.evidence.excluded.iter().fold(BTreeMap::new(), |mut counts, exclusion| {
            *counts.entry(exclusion.reason.as_str()).or_default() += 1;
            counts
        })
    }
}

/// The runs under the conventions, one recipe a cell, with nothing fitted yet.
pub(super) fn seen(source: &Source, choices: &Choices) -> Result<Analysis, Failure> {
    let (measure, rule) = choices.conventions(source)?;
    one_tokenizer(source)?;
    let best = tuned(source.records.clone());
    let mut evidence = Evidence::of(&best.records, measure, rule);
    let before = source.left_out.iter().map(|(run, reason)| Exclusion { run: run.clone(), reason: reason.clone() });
    evidence.excluded.extend(before.chain(best.excluded));
    let noise = SeedNoise::of(&replicates(&source.records), choices.level);
    let study = recipe_study(&recipe_trials(&source.records, measure, rule), noise.as_ref(), choices.level);
    let joint = study.as_ref().and_then(|study| study.joint.as_ref());
    let raw = joint.map(|joint| {
        let sigma = |loss: f64| noise.as_ref().map_or(joint.rms, |noise| noise.at(loss));
        let tuned = tuned_evidence(&evidence, joint, &sigma);
        std::mem::replace(&mut evidence, tuned)
    });
    if let Some(noise) = noise.as_ref().filter(|noise| noise.slope.is_some() && raw.is_none()) {
        weigh(&mut evidence, noise);
    }
    let mut along = Vec::new();
    if let Some(burn_in) = choices.checkpoints {
        (evidence.points, along) = along_curves(source, std::mem::take(&mut evidence.points), burn_in)?;
    }
    Ok(Analysis {
        notes: source.notes.iter().cloned().chain(along).chain(tuning_notes(&best.cells)).chain(overfitting_notes(source)?).collect(),
        floor_nats: common(&best.records, |record| record.floor_nats),
        entropy_nats: common(&best.records, |record| record.entropy_nats),
        bytes_per_token: common(&best.records, |record| record.bytes_per_token),
        records: best.records,
        chinchilla: None,
        refusal: None,
        compute: None,
        isoflop: None,
        noise,
        study,
        raw,
        raw_law: None,
        evidence,
    })
}

/// Refuses runs of several tokenizers: nats per token of one are not those of another.
pub(super) fn one_tokenizer(source: &Source) -> Result<(), Failure> {
    match tokenizers(&source.records).as_slice() {
        [] | [_] => Ok(()),
        several => Err(Failure::Input(anyhow!(
            "{} holds runs of several tokenizers ({}): their losses in nats per token cannot stand in one law; choose one with --where tokenizer={}, or compare sweeps of one tokenizer each in bits per byte with `scalelab compare`",
            source.path.display(),
            several.join(", "),
            several[0]
        ))),
    }
}

/// Leaves out runs that see data more than once, where others do not: L(N, D) is about data seen once.
pub(super) fn seen_once(evidence: &mut Evidence) {
    let (repeated, once): (Vec<Point>, Vec<Point>) = evidence.points.drain(..).partition(repeats);
    if once.is_empty() {
        evidence.points = repeated;
        return;
    }
    let reason = "its data are repeated; fit --law data-constrained is about such runs";
    evidence.excluded.extend(repeated.into_iter().map(|point| Exclusion { run: point.run, reason: reason.into() }));
    evidence.points = once;
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
    if highest > ABSURD {
        notes.push(format!(
            "losses reach {} nats per token, more than a guess costs: are they perplexities, or decimal commas read as thousands?",
            short(highest)
        ));
    }
    notes
}

/// What the curves of runs that repeat their data say of learning by heart.
fn overfitting_notes(source: &Source) -> Result<Vec<String>, Failure> {
    let Some(folder) = &source.folder else { return Ok(Vec::new()) };
    let found = overfitting_runs(folder, &source.records)?;
    let all = source.records.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0)).count();
    Ok(match found.first() {
        None => Vec::new(),
        Some((run, what)) => vec![format!("{} of {all} runs that repeat their data overfit, such as {run}: {what}", found.len())],
    })
}

/// Runs that repeat their data and overfit, with the numbers that say so.
pub(super) fn overfitting_runs(folder: &SweepFolder, records: &[RunRecord]) -> Result<Vec<(String, Overfitting)>, Failure> {
    let mut found = Vec::new();
    for record in records.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0)) {
        let curve = folder.curve(&record.run_id)?;
        found.extend(curve.and_then(|curve| overfitting(&curve)).map(|what| (record.run_id.clone(), what)));
    }
    Ok(found)
}

/// Weights 1/σ(L)², mean one.
fn weigh(evidence: &mut Evidence, noise: &SeedNoise) {
    let precision: Vec<f64> = evidence.points.iter().map(|point| noise.at(point.loss).powi(-2)).collect();
    let mean = precision.iter().sum::<f64>() / precision.len() as f64;
    evidence.points.iter_mut().zip(precision).for_each(|(point, precision)| point.weight = precision / mean);
}

/// Fits everything that the runs allow.
pub(super) fn analyse(source: &Source, choices: &Choices, budgets: &[Flops]) -> Result<Analysis, Failure> {
    let mut analysis = seen(source, choices)?;
    let options = choices.options_for(source, &analysis.evidence)?;
    if source.own {
        seen_once(&mut analysis.evidence);
    } else {
        analysis.notes.extend(foreign_notes(&analysis.evidence));
    }
    match chinchilla(&analysis.evidence, &options) {
        Ok(fitted) => {
            let windows = windows(source, &analysis.evidence);
            let fitted = match &windows {
                Some(windows) => with_windows(fitted, &analysis.evidence, &options, windows),
                None => fitted,
            };
            if source.own && windows.is_none() {
                analysis.notes.push(
                    "the noise of the held-out windows, common to all runs, is not in the intervals of E and of losses: eval/ is not there"
                        .into(),
                );
            }
            analysis.chinchilla = Some(fitted);
            let quick = FitOptions { search: Search::VarproOnly, ..options };
            analysis.raw_law = analysis.raw.as_ref().and_then(|raw| chinchilla(raw, &quick).ok());
        }
        Err(error @ FitError::NotIdentifiable { .. }) => match power_law(Axis::C, Floor::Free, &analysis.evidence, &options) {
            Ok(fitted) => {
                analysis.notes.push(error.to_string());
                analysis.compute = Some(fitted);
            }
            Err(_) => analysis.refusal = Some(error),
        },
        Err(error) => analysis.refusal = Some(error),
    }
    if analysis.chinchilla.as_ref().is_some_and(|fitted| !fitted.law.has_optimum()) {
        analysis.notes.push("the losses do not fall with both N and D, so no budget has an optimum and nothing is recommended".into());
    }
    let budgeted = analysis.evidence.at_budgets(budgets);
    if budgeted.points.iter().any(|point| point.budget.is_some()) {
        match isoflop(&budgeted, &choices.of_budgets(Interpolator::Parabola)) {
            Ok(fitted) => analysis.isoflop = Some(fitted),
            Err(error) => analysis.notes.push(format!("no IsoFLOP fit: {error}")),
        }
    }
    Ok(analysis)
}

/// Losses of every run on every held-out window, where all runs kept them.
fn windows(source: &Source, evidence: &Evidence) -> Option<Vec<Vec<f32>>> {
    let folder = source.folder.as_ref()?;
    let all: Vec<Vec<f32>> = evidence.points.iter().map(|point| folder.window_losses(&point.run)).collect::<Option<_>>()?;
    let same = all.iter().all(|losses| losses.len() == all[0].len() && losses.iter().all(|loss| loss.is_finite()));
    same.then_some(all)
}

/// A value that every record has, averaged.
fn common(records: &[RunRecord], value: impl Fn(&RunRecord) -> Option<f64>) -> Option<f64> {
    let finished: Vec<&RunRecord> = records.iter().filter(|record| record.loss_nats.is_some()).collect();
    let values: Option<Vec<f64>> = finished.iter().map(|record| value(record)).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

fn tuning_notes(cells: &[TunedCell]) -> Vec<String> {
    if cells.is_empty() {
        return Vec::new();
    }
    let most = cells.iter().map(|cell| cell.tried).max().unwrap_or(0);
    let mut notes = vec![format!(
        "the best of up to {most} recipes is used in each of {} cells; the best of several noisy losses is a little too low",
        cells.len()
    )];
    notes.extend(cells.iter().filter_map(TunedCell::alarm));
    notes
}
