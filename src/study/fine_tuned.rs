//! What runs of fine-tuning say: what more examples buy, from which size on pre-training helps and what it is worth in examples, what is
//! forgotten and which replay stops that, which base to take. By least squares of log loss, as the laws' authors fit.

use super::base_choice::{BaseChoice, Trials, choose};
use super::tuned_bases::{Groups, of};
use super::{MANY, StudyError, StudyOptions};
use crate::fit::{
    Estimate, Estimator, Fit, FitError, FitOptions, FittedLaw, Interval, Quantity, Resample, Search, Transfer, fit, transfer,
};
use crate::law::{Additive, Evidence, Exclusion, FineTuning, Forgetting, Formula, Law, Point, Rectified, Variable};
use crate::spec::sample::{extent, median};
use crate::spec::{BASE_LOSS_AFTER, BASE_LOSS_BEFORE, EXAMPLES, LossUnit, RANK, REPLAY, RunRecord, SizeMeasure};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Draws for intervals of what rests on two groups of runs.
const DRAWS: usize = 400;
/// How far beyond the sizes of the runs a size is looked for, as a factor.
const BEYOND: f64 = 10.0;

/// What runs of fine-tuning say.
#[derive(Debug, Serialize)]
pub struct FineTuned {
    /// Runs of networks that were pre-trained and then fine-tuned.
    pub runs: usize,
    /// Runs on the examples alone, from scratch.
    pub from_scratch: usize,
    /// Losses of bases before fine-tuning, which no law takes.
    pub before: usize,
    /// Runs that are left out, with the reason.
    pub excluded: Vec<Exclusion>,
    /// Each base, the one with the lowest loss on its most examples first.
    pub bases: Vec<TunedBase>,
    /// The law over bases and examples, where bases differ in size, tokens or rank.
    pub joint: Option<FittedLaw>,
    /// Pre-training against none, where there are runs from scratch.
    pub against_scratch: Option<AgainstScratch>,
    /// What pre-training is worth in examples.
    pub transfer: Option<Transferred>,
    /// What is forgotten, where losses on text of pre-training are known.
    pub forgetting: Option<Forgotten>,
    /// Which base to take for more examples.
    pub choice: Option<BaseChoice>,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// Confidence level of intervals.
    pub level: f64,
    /// What a reader must know, in words.
    pub notes: Vec<String>,
    /// Of every run from scratch its N, examples and loss.
    #[serde(skip)]
    pub scratch_by_run: Vec<(f64, f64, f64)>,
    /// What every run forgot, where losses on text of pre-training are known.
    #[serde(skip)]
    pub forgotten_by_run: Vec<ForgottenByRun>,
}

/// What one run forgot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForgottenByRun {
    /// N, parameters.
    pub n: f64,
    /// Examples that it was trained on.
    pub examples: f64,
    /// Share of text of pre-training, 0 to 1.
    pub replay: f64,
    /// Loss on such text after fine-tuning less that before.
    pub rise: f64,
}

/// One base on several numbers of examples.
#[derive(Debug, Serialize)]
pub struct TunedBase {
    /// What tells it from the others.
    pub name: String,
    /// N, parameters, where the table has sizes.
    pub params: Option<f64>,
    /// Runs.
    pub runs: usize,
    /// Fewest and most examples.
    pub examples: [f64; 2],
    /// Lowest loss on the most examples.
    pub lowest: f64,
    /// Examples and loss of every run.
    #[serde(skip)]
    pub losses: Vec<(f64, f64)>,
    /// The rectified law.
    pub law: Option<FittedLaw>,
    /// Why there is none.
    pub refusal: Option<String>,
    /// By how much twice the most examples lower the loss.
    pub doubling: Option<Estimate>,
}

/// Networks that were pre-trained against networks from scratch.
#[derive(Debug, Serialize)]
pub struct AgainstScratch {
    /// Pairs of runs of one size on as many examples.
    pub pairs: usize,
    /// In how many of them the pre-trained network's loss is lower.
    pub lower: usize,
    /// Examples on which laws of both are compared: the most that both have.
    pub examples: Option<f64>,
    /// The size from which on the loss is lower there, parameters; none where the laws do not cross within ten times the sizes.
    pub from_size: Option<Estimate>,
    /// Whether the largest networks gain there, by the laws.
    pub helps_largest: Option<bool>,
}

/// Effective data transferred.
#[derive(Debug, Serialize)]
pub struct Transferred {
    /// The law.
    pub law: Option<Transfer>,
    /// Why there is none.
    pub refusal: Option<String>,
    /// N, examples, and what pre-training is worth there in examples.
    pub worth: Vec<(f64, f64, Estimate)>,
}

/// What is forgotten of pre-training.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// Runs with a loss on text of pre-training before and after.
    pub runs: usize,
    /// The largest rise that was seen, with N, examples and replay of that run.
    pub most: [f64; 4],
    /// The law.
    pub law: Option<FittedLaw>,
    /// Why there is none.
    pub refusal: Option<String>,
    /// N and examples at which the next is said: of the run that forgot most.
    pub place: [f64; 2],
    /// The rise without replay there.
    pub rise: Option<Estimate>,
    /// The share of replay that leaves a tenth of the rise, at any place.
    pub tenth: Option<Estimate>,
    /// Of each share of replay, what it leaves of the rise without, as a part of it: the median of the networks and examples that have
    /// both, from the least to the most.
    pub left: Vec<(f64, Estimate)>,
}

impl Forgotten {
    /// How far runs lie from the law, root mean square as a part of their loss, from which on it answers nothing.
    const LOOSE: f64 = 0.1;

    /// Whether the law lies near enough to the runs to be asked.
    pub fn law_holds(&self) -> bool {
        self.law.as_ref().is_some_and(|law| law.diagnostics.residual_rms < Self::LOOSE)
    }
}

/// The options of every fit here.
fn least_squares(seed: u64, refits: usize) -> FitOptions {
    FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits, resample: Resample::Residuals, seed }
}

/// How many draws are made of runs; of very many none, which leaves no intervals.
fn draws(points: &[Point]) -> usize {
    if points.len() > MANY { 0 } else { DRAWS }
}

/// Studies runs of fine-tuning.
///
/// # Errors
/// Where no base has enough runs for any law.
pub fn fine_tuned(records: &[RunRecord], options: &StudyOptions) -> Result<FineTuned, StudyError> {
    crate::fit::check_level(options.level)?;
    let (measure, rule) = options.conventions();
    let groups = Groups::of(records, measure, rule, options.own);
    let sizes_known = options.own || records.iter().any(|record| record.params_total.is_some());
    let evidence = |points: Vec<Point>| {
        let plain = Evidence::as_given(points);
        Arc::new(Evidence { size_measure: measure, flop_rule: rule, loss_unit: options.loss_unit, ..plain })
    };
    let trials: Vec<Trials> = groups.names().into_iter().zip(groups.without_replay()).map(|(name, (_, points))| (name, points)).collect();
    let mut bases: Vec<TunedBase> =
        trials.iter().map(|(name, points)| base(name, points, sizes_known, evidence(points.clone()), options)).collect();
    bases.sort_by(|a, b| a.lowest.total_cmp(&b.lowest));
    let all: Vec<Point> = trials.iter().flat_map(|(_, points)| points.iter().cloned()).collect();
    let mut notes = options.notes.clone();
    let joint = joint(&all, &evidence, options, &mut notes);
    if joint.is_none() && bases.iter().all(|base| base.law.is_none()) {
        let reasons = bases.iter().filter_map(|base| Some(format!("{}: {}", base.name, base.refusal.as_ref()?)));
        let reasons: Vec<String> = reasons.take(3).collect();
        let none = "no run is of a network that was pre-trained and then fine-tuned: every one is from scratch or before it".to_owned();
        return Err(StudyError::NoLaw(if reasons.is_empty() { vec![none] } else { reasons }));
    }
    let tuned_by_examples: Vec<Point> =
        all.iter().map(|point| Point { d: of(point, EXAMPLES).unwrap_or(f64::NAN), ..point.clone() }).collect();
    let forgotten_runs = before_and_after(groups.bases.values().flatten());
    let against_scratch = (!groups.scratch.is_empty()).then(|| against(&groups.scratch, &tuned_by_examples, joint.as_deref(), options));
    Ok(FineTuned {
        runs: groups.bases.values().map(Vec::len).sum(),
        from_scratch: groups.scratch.len(),
        before: groups.before,
        transfer: (!groups.scratch.is_empty()).then(|| transferred(&groups.scratch, &tuned_by_examples, options)),
        forgetting: forgotten(&forgotten_runs, &evidence, options),
        forgotten_by_run: forgotten_runs.iter().filter_map(|(point, rise)| forgotten_by(point, *rise)).collect(),
        scratch_by_run: groups.scratch.iter().map(|point| (point.n, point.d, point.loss)).collect(),
        choice: choose(&trials, options.level),
        excluded: groups.excluded,
        bases,
        joint,
        against_scratch,
        size_measure: measure,
        loss_unit: options.loss_unit,
        level: options.level,
        notes,
    })
}

/// A base with its law.
fn base(name: &str, points: &[Point], sizes_known: bool, evidence: Arc<Evidence>, options: &StudyOptions) -> TunedBase {
    let examples = |point: &Point| of(point, EXAMPLES).unwrap_or(f64::NAN);
    let ends = points.iter().map(examples).fold([f64::INFINITY, 0.0], |[low, high], x| [f64::min(low, x), f64::max(high, x)]);
    let lowest = points.iter().filter(|point| examples(point) == ends[1]).map(|point| point.loss).fold(f64::INFINITY, f64::min);
    let found = fit(&Rectified.into(), evidence, &least_squares(options.seed, 0)).and_then(|fit| fit.at(options.level));
    let at = |examples: f64| Point { covariates: vec![(EXAMPLES.to_owned(), examples)], ..Point::new(1.0, 1.0, 1.0) };
    let (now, twice) = (at(ends[1]), at(2.0 * ends[1]));
    let doubling = Quantity::new("doubling", move |law| law.loss(&now) - law.loss(&twice));
    let (law, refusal) = match found {
        Ok(law) => (Some(law), None),
        Err(error) => (None, Some(error.to_string())),
    };
    TunedBase {
        name: name.to_owned(),
        params: points.first().filter(|_| sizes_known).map(|point| point.n),
        runs: points.len(),
        examples: ends,
        losses: points.iter().map(|point| (examples(point), point.loss)).collect(),
        lowest,
        doubling: law.as_ref().map(|law| law.interval(&doubling, options.level)),
        law,
        refusal,
    }
}

/// The law over bases and examples; none where the bases do not differ in what it is about.
fn joint(
    all: &[Point],
    evidence: &dyn Fn(Vec<Point>) -> Arc<Evidence>,
    options: &StudyOptions,
    notes: &mut Vec<String>,
) -> Option<FittedLaw> {
    let form = FineTuning { size: Variable::N }.over(all).filter(|form| varies(all, form.size))?;
    let used: Vec<Point> = all.iter().filter(|point| form.size.of(point).is_some_and(|size| size > 0.0)).cloned().collect();
    let fitted = fit(&form.into(), evidence(used), &least_squares(options.seed, draws(all))).and_then(|fit| fit.at(options.level));
    match fitted {
        Ok(fitted) => {
            let others: Vec<&str> = [(Variable::N, "sizes"), (Variable::D, "tokens of pre-training"), (Variable::Named(RANK), "ranks")]
                .into_iter()
                .filter(|(variable, _)| *variable != form.size && varies(all, *variable))
                .map(|(_, name)| name)
                .collect();
            if !others.is_empty() {
                let others = others.join(" and ");
                notes.push(format!(
                    "the law over bases is about {} alone, and the bases differ in {others} as well: keep one of each with --where",
                    form.size.name()
                ));
            }
            Some(fitted)
        }
        Err(FitError::NoVariation { .. }) => None,
        Err(error) => {
            notes.push(format!("no law over bases: {error}"));
            None
        }
    }
}

/// Whether points that carry a variable differ in it.
fn varies(points: &[Point], variable: Variable) -> bool {
    points.iter().filter_map(|point| variable.of(point)).map(f64::to_bits).collect::<BTreeSet<_>>().len() > 1
}

/// Pre-trained networks against those from scratch; the D of points are examples.
fn against(scratch: &[Point], pretrained: &[Point], joint: Option<&Fit>, options: &StudyOptions) -> AgainstScratch {
    let lowest = |of: &Point| {
        let same = pretrained.iter().filter(|other| other.n == of.n && other.d == of.d);
        same.map(|other| other.loss).min_by(f64::total_cmp)
    };
    let pairs: Vec<(f64, f64)> = scratch.iter().filter_map(|point| Some((point.loss, lowest(point)?))).collect();
    let most = |points: &[Point]| points.iter().map(|point| point.d).fold(0.0, f64::max);
    let examples = most(scratch).min(most(pretrained));
    let by_size = joint.filter(|fit| fit.law.formula().variables().contains(&Variable::N));
    let from_zero = by_size
        .and_then(|_| fit(&Additive.into(), Evidence::as_given(scratch.to_vec()), &least_squares(options.seed, draws(pretrained))).ok());
    let laws = by_size.zip(from_zero.as_ref());
    let (low, high) = crate::spec::sample::extent(pretrained.iter().map(|point| point.n)).unwrap_or((f64::NAN, f64::NAN));
    let gain = |pretrained: &Law, scratch: &Law, n: f64| {
        let place = Point { covariates: vec![(EXAMPLES.to_owned(), examples)], ..Point::new(n, examples, 1.0) };
        scratch.loss(&place) - pretrained.loss(&place)
    };
    let crossing = |pretrained: &Law, scratch: &Law| crossed(low / BEYOND, high * BEYOND, |n| gain(pretrained, scratch, n));
    let from_size = laws.and_then(|(tuned, zero)| {
        let value = crossing(&tuned.law, &zero.law)?;
        let draws = tuned.draws.iter().zip(&zero.draws).map(|(tuned, zero)| crossing(tuned, zero).unwrap_or(f64::NAN));
        Some(Estimate::from_draws(value, draws.collect(), options.level, Interval::Bootstrap))
    });
    AgainstScratch {
        pairs: pairs.len(),
        lower: pairs.iter().filter(|(scratch, pretrained)| pretrained < scratch).count(),
        examples: laws.map(|_| examples),
        from_size,
        helps_largest: laws.map(|(tuned, zero)| gain(&tuned.law, &zero.law, high) > 0.0),
    }
}

/// Where a gain that is below 0 at the low end of sizes comes to be above 0, by halving in logarithms; none where it does not.
fn crossed(low: f64, high: f64, gain: impl Fn(f64) -> f64) -> Option<f64> {
    if !(gain(low) < 0.0 && gain(high) > 0.0) {
        return None;
    }
    let (mut below, mut above) = (low.ln(), high.ln());
    for _ in 0..60 {
        let middle = 0.5 * (below + above);
        if gain(middle.exp()) < 0.0 { below = middle } else { above = middle }
    }
    Some((0.5 * (below + above)).exp())
}

/// What pre-training is worth in examples, at the ends of sizes and examples.
fn transferred(scratch: &[Point], pretrained: &[Point], options: &StudyOptions) -> Transferred {
    match transfer(scratch, pretrained, draws(pretrained), options.seed, options.level) {
        Ok(law) => {
            let ends = |of: fn(&Point) -> f64| crate::spec::sample::extent(pretrained.iter().map(of)).unwrap_or((f64::NAN, f64::NAN));
            let ((small, large), (few, many)) = (ends(|point| point.n), ends(|point| point.d));
            let mut places = vec![(large, few), (large, many), (small, few), (small, many)];
            places.dedup();
            places.truncate(if small == large { 2 } else { 4 });
            let worth = places.into_iter().map(|(n, examples)| (n, examples, law.worth(n, examples))).collect();
            Transferred { law: Some(law), refusal: None, worth }
        }
        Err(error) => Transferred { law: None, refusal: Some(error.to_string()), worth: Vec::new() },
    }
}

/// Runs with their loss on text of pre-training, and by how much that rose.
fn before_and_after<'a>(all: impl Iterator<Item = &'a Point>) -> Vec<(Point, f64)> {
    let with_losses = |point: &Point| {
        let (before, after) = (of(point, BASE_LOSS_BEFORE)?, of(point, BASE_LOSS_AFTER)?);
        let mut point = Point { loss: after, ..point.clone() };
        if of(&point, REPLAY).is_none() {
            point.covariates.push((REPLAY.to_owned(), 0.0));
        }
        (before > 0.0 && after > 0.0).then_some((point, after - before))
    };
    all.filter_map(with_losses).collect()
}

fn forgotten_by(point: &Point, rise: f64) -> Option<ForgottenByRun> {
    Some(ForgottenByRun { n: point.n, examples: of(point, EXAMPLES)?, replay: of(point, REPLAY).unwrap_or(0.0), rise })
}

/// What is forgotten.
fn forgotten(runs: &[(Point, f64)], evidence: &dyn Fn(Vec<Point>) -> Arc<Evidence>, options: &StudyOptions) -> Option<Forgotten> {
    let (worst, rise) = runs.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let examples = of(worst, EXAMPLES)?;
    let most = [*rise, worst.n, examples, of(worst, REPLAY).unwrap_or(0.0)];
    let place = Point {
        covariates: vec![(EXAMPLES.to_owned(), examples), (REPLAY.to_owned(), 0.0), (BASE_LOSS_BEFORE.to_owned(), 0.0)],
        ..Point::new(worst.n, worst.d, 1.0)
    };
    let form: Law = Forgetting.into();
    let fitted = fit(&form, evidence(runs.iter().map(|(point, _)| point.clone()).collect()), &least_squares(options.seed, 0));
    let (law, refusal) = match fitted.and_then(|fit| fit.at(options.level)) {
        Ok(law) => (Some(law), None),
        Err(error) => (None, Some(error.to_string())),
    };
    // (1 + B·p)^α = 10.
    let tenth = Quantity::new("tenth", |law| {
        let [alpha, b] = ["alpha", "B"].map(|name| law.get(name).unwrap_or(f64::NAN));
        (10f64.powf(1.0 / alpha) - 1.0) / b
    });
    let asked = [Quantity::new("rise", move |law| law.loss(&place)), tenth];
    let found = law.as_ref().map(|law| law.intervals(&asked, options.level));
    let at = |at: usize| found.as_ref().map(|found| found[at]);
    let (rise, tenth) = (at(0), at(1));
    Some(Forgotten { runs: runs.len(), most, law, refusal, place: [most[1], most[2]], rise, tenth, left: left(runs) })
}

/// What each share of replay leaves of the rise of the same base on as many examples without.
fn left(runs: &[(Point, f64)]) -> Vec<(f64, Estimate)> {
    // Share, base and examples, rise.
    type Run = (f64, [u64; 3], f64);
    let one = |(point, rise): &(Point, f64)| {
        let place = [point.n, point.d, of(point, EXAMPLES)?].map(f64::to_bits);
        Some((of(point, REPLAY).unwrap_or(0.0), place, *rise))
    };
    let all: Vec<Run> = runs.iter().filter_map(one).collect();
    let mut shares: Vec<f64> = all.iter().map(|run| run.0).filter(|share| *share > 0.0).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let without = |of: &Run| all.iter().find(|run| run.0 == 0.0 && run.1 == of.1).map(|run| run.2).filter(|rise| *rise > 0.0);
    let one = |share: f64| {
        let parts: Vec<f64> = all.iter().filter(|run| run.0 == share).filter_map(|run| Some(run.2 / without(run)?)).collect();
        let (low, high) = extent(parts.iter().copied())?;
        Some((share, Estimate::range(median(parts)?, [low, high])))
    };
    shares.into_iter().filter_map(one).collect()
}
