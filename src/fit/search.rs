//! The fit of a law: two independent searches for the same minimum, refits for intervals, and the
//! certificate that goes with them.

use super::bootstrap::{FEW_CLUSTERS, Groups, drawing, groups, refits};
use super::decide::{decide, window_refits};
use super::identify::{check, distinct, name};
use super::multistart::{lbfgs_alone, multistart};
use super::newton::{End, eigenvalues};
use super::objective::{Fittable, Grid, Loss, Objective, Order, Phi};
use super::profile::Target;
use super::residual::{LEAST, residual_refits};
use super::varpro::varpro;
use super::{
    Basin, Diagnostics, Estimate, Estimator, FitError, FitOptions, FitStatus, FittedLaw, Interval, Method, Named, Search, StartEnd,
};
use crate::law::{Axis, Chinchilla, Evidence, Law, Point, PowerLaw, Variable};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Relative difference of objectives within which two searches agree.
const AGREEMENT: f64 = 1e-6;
/// Least δ of Huber's function: below it is the absolute deviation, which has a search of its own.
const SMALLEST_DELTA: f64 = 1e-6;
/// Ends kept in the list of basins.
const BASINS: usize = 8;
/// Basins that refits start from, within a factor of the minimum.
const REFIT_BASINS: usize = 3;
/// Draws of held-out windows.
const WINDOW_DRAWS: usize = 200;

/// Fits E + A/N^α + B/D^β, with a and b derived.
pub fn chinchilla(evidence: &Evidence, options: &FitOptions) -> Result<FittedLaw<Chinchilla>, FitError> {
    let mut fitted = fit(&Chinchilla::default(), evidence, options)?;
    derive_exponents(&mut fitted, evidence, options);
    Ok(fitted)
}

/// The same with the noise of held-out windows, common to all runs, in every interval. `windows` are the losses of each
/// run on each window, in the order of the points.
pub fn with_windows(
    mut fitted: FittedLaw<Chinchilla>,
    evidence: &Evidence,
    options: &FitOptions,
    windows: &[Vec<f32>],
) -> FittedLaw<Chinchilla> {
    fitted.windows = window_refits(&fitted, evidence, windows, WINDOW_DRAWS);
    fitted.coefficients = intervals(&fitted, evidence);
    derive_exponents(&mut fitted, evidence, options);
    fitted
}

fn derive_exponents(fitted: &mut FittedLaw<Chinchilla>, evidence: &Evidence, options: &FitOptions) {
    let target = |name: &str, of: fn(&Chinchilla) -> f64| Target { name: name.to_owned(), of: Box::new(of) };
    let targets = [target("a", Chinchilla::params_exponent), target("b", Chinchilla::tokens_exponent)];
    let estimates = if options.refits > 0 {
        decide(fitted, evidence, &targets)
    } else {
        targets.iter().map(|target| fitted.derive(&target.of)).collect()
    };
    fitted.derived = Named(targets.iter().map(|target| target.name.clone()).zip(estimates).collect());
}

/// Every coefficient with the interval that covers; one at its bound 0 keeps that of its refits.
fn intervals<L: Fittable>(fitted: &FittedLaw<L>, evidence: &Evidence) -> Named<Estimate> {
    let one = |(j, (name, estimate)): (usize, &(String, Estimate))| {
        let target = [Target { name: name.clone(), of: Box::new(move |law: &L| law.theta()[j]) }];
        let likelihood = estimate.value > 0.0 && fitted.estimator == Estimator::LeastSquaresLog;
        let decided = if likelihood {
            decide(fitted, evidence, &target)[0]
        } else {
            estimate.widened_by(fitted.windows.iter().map(&target[0].of).collect())
        };
        (name.clone(), decided)
    };
    Named(fitted.coefficients.0.par_iter().enumerate().map(one).collect())
}

/// Whether a single-variable law has an irreducible term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// E + A/x^α.
    Free,
    /// A/x^α.
    Zero,
}

/// Fits a power of one variable. Of C it is meant for runs along one ratio of tokens to weights.
pub fn power_law(axis: Axis, floor: Floor, evidence: &Evidence, options: &FitOptions) -> Result<FittedLaw<PowerLaw>, FitError> {
    fit(&PowerLaw::form(axis, floor == Floor::Free), evidence, options)
}

/// Fits any separable law; the coefficients of `form` are not used.
pub fn fit<L: Fittable>(form: &L, evidence: &Evidence, options: &FitOptions) -> Result<FittedLaw<L>, FitError> {
    check_options(options)?;
    let points = &evidence.points;
    check(form, points)?;
    let sum = form.lay_out(points);
    let found = search(&sum, options).ok_or_else(|| FitError::NoMinimum { law: form.name() })?;
    let groups = groups(points, options.resample);
    let weights: Vec<f64> = points.iter().map(|p| p.weight).collect();
    let interval = drawing(&groups, options.estimator, options.resample);
    let ends = match interval {
        Interval::ResidualBootstrap => residual_refits(&sum, &groups, options.estimator, &found.warm, options.refits, options.seed),
        _ => refits(&sum, &weights, &groups, options.estimator, &found.warm, options.refits, options.seed),
    };
    let mut fitted = assemble(form, evidence, options, &sum, found, &groups, (interval, &ends));
    if options.refits > 0 {
        fitted.coefficients = intervals(&fitted, evidence);
    }
    Ok(fitted)
}

/// Every start of the multi-start search with its end and reason, in order.
pub fn start_ends<L: Fittable>(form: &L, evidence: &Evidence, estimator: Estimator) -> Result<Vec<StartEnd>, FitError> {
    check(form, &evidence.points)?;
    let sum = form.lay_out(&evidence.points);
    Ok(multistart(&sum, estimator).into_iter().map(|(start, _)| start).collect())
}

fn check_options(options: &FitOptions) -> Result<(), FitError> {
    if !(0.5..=0.9999).contains(&options.level) {
        return Err(FitError::Option {
            option: "level",
            value: options.level,
            allowed: "choose a confidence level from 0.5 to 0.9999, such as 0.95",
        });
    }
    match options.estimator {
        Estimator::HuberLog { delta } if !(delta.is_finite() && delta >= SMALLEST_DELTA) => Err(FitError::Option {
            option: "delta",
            value: delta,
            allowed: "choose a δ of at least 1e-6, such as 1e-3; --estimator absolute-log is the limit of a small one",
        }),
        _ => Ok(()),
    }
}

/// What the searches found.
struct Found {
    best: End,
    method: Method,
    warm: Vec<Phi>,
    diagnostics: Diagnostics,
}

fn search(sum: &impl Objective, options: &FitOptions) -> Option<Found> {
    let estimator = options.estimator;
    let projected = if options.search == Search::LbfgsOnly { Vec::new() } else { varpro(sum, estimator, Grid::Fine) };
    let started = if options.search == Search::VarproOnly { Vec::new() } else { multistart(sum, estimator) };
    let lowest = |ends: &mut dyn Iterator<Item = End>| {
        ends.filter(|end| end.value.is_finite()).min_by(|left, right| left.value.total_cmp(&right.value))
    };
    let by_varpro = lowest(&mut projected.iter().copied());
    let by_lbfgs = lowest(&mut started.iter().map(|(_, end)| *end));
    let (best, method) = match (by_varpro, by_lbfgs) {
        // Equal to rounding: the projected end, which is the sharper one, is reported.
        (Some(varpro), Some(lbfgs)) if lbfgs.value < varpro.value * (1.0 - 1e-9) => (lbfgs, Method::Lbfgs),
        (Some(varpro), _) => (varpro, Method::Varpro),
        (None, Some(lbfgs)) => (lbfgs, Method::Lbfgs),
        (None, None) => return None,
    };
    let noise = rounding(sum, estimator);
    let agreement = by_varpro.zip(by_lbfgs).map(|(one, other)| {
        let apart = (one.value - other.value).abs();
        if apart <= noise { 0.0 } else { apart / one.value.min(other.value) }
    });
    let ends = || projected.iter().chain(started.iter().map(|(_, end)| end));
    let (basins, warm) = basins(sum, ends().copied().collect(), best.value);
    let here = sum.evaluate(Loss::of(estimator, 1e-3), &best.phi, Order::Hessian);
    let eigen = eigenvalues(&here.hessian, sum.dim());
    let steepest = here.gradient[..sum.dim()].iter().fold(0.0, |most: f64, slope| most.max(slope.abs()));
    let smooth = estimator != Estimator::AbsoluteLog;
    let diagnostics = Diagnostics {
        varpro_objective: by_varpro.map(|end| end.value),
        lbfgs_objective: by_lbfgs.map(|end| end.value),
        lbfgs_alone_objective: if started.is_empty() { None } else { lbfgs_alone(sum, estimator) },
        agreement,
        relative_gradient: smooth.then(|| if best.value <= noise { 0.0 } else { steepest / best.value }),
        relative_decrement: if best.value <= noise { 0.0 } else { best.decrement },
        condition_number: if eigen[0] > 0.0 { eigen[sum.dim() - 1] / eigen[0] } else { f64::INFINITY },
        starts: started.len(),
        starts_at_minimum: started.iter().filter(|(_, end)| end.value <= best.value * (1.0 + AGREEMENT) + noise).count(),
        basins,
        ends: reasons(started.iter().map(|(start, _)| start.reason.as_str())),
        ..Diagnostics::default()
    };
    Some(Found { best, method, warm, diagnostics })
}

/// An objective this small is rounding of the data (1e-13 nats for each unit of weight), not misfit.
fn rounding(sum: &impl Objective, estimator: Estimator) -> f64 {
    let residual = 1e-13;
    let each = if estimator == Estimator::AbsoluteLog { residual } else { residual * residual };
    each * sum.total_weight()
}

fn reasons<'a>(all: impl Iterator<Item = &'a str>) -> Named<usize> {
    let mut counts = std::collections::BTreeMap::new();
    all.for_each(|reason| *counts.entry(reason.to_owned()).or_insert(0) += 1);
    Named(counts.into_iter().collect())
}

/// Distinct ends, best first, and the coordinates of the best of them. Ends are one when their objectives
/// agree to 1e-4: flat ridges end in a smear of values.
fn basins(sum: &impl Objective, mut ends: Vec<End>, lowest: f64) -> (Vec<Basin>, Vec<Phi>) {
    ends.retain(|end| end.value.is_finite());
    ends.sort_by(|left, right| left.value.total_cmp(&right.value));
    let groups: Vec<&[End]> = ends.chunk_by(|left, right| right.value <= left.value * (1.0 + 1e-4) + 1e-300).collect();
    let basin = |group: &&[End]| {
        let theta = sum.to_theta(&group[0].phi);
        Basin { objective: group[0].value, theta, starts: group.len(), forecast: f64::NAN }
    };
    let near = |group: &&&[End]| group[0].value <= 3.0 * lowest;
    let warm = groups.iter().filter(near).take(REFIT_BASINS).map(|group| group[0].phi).collect();
    (groups.iter().take(BASINS).map(basin).collect(), warm)
}

fn assemble<L: Fittable>(
    form: &L,
    evidence: &Evidence,
    options: &FitOptions,
    sum: &impl Objective,
    found: Found,
    groups: &Groups,
    (interval, refitted): (Interval, &[Option<End>]),
) -> FittedLaw<L> {
    let (theta, mut warnings) = sum.at_bounds(&found.best.phi, form.coefficients());
    let at_bound = !warnings.is_empty();
    let draws: Vec<Vec<f64>> = refitted.iter().flatten().map(|end| sum.to_theta(&end.phi)).collect();
    let coefficient = |j: usize| {
        let values =
            draws.iter().map(|draw| sum.unbounded(j, draw[j])).chain(refitted.iter().filter(|end| end.is_none()).map(|_| f64::NAN));
        Estimate::from_draws(theta[j], values.collect(), options.level, interval)
    };
    let coefficients = form.coefficients().iter().enumerate().map(|(j, name)| ((*name).to_owned(), coefficient(j)));
    let residuals: Vec<f64> = evidence.points.iter().zip(sum.ln_predictions(&found.best.phi)).map(|(p, ln)| p.loss.ln() - ln).collect();
    let failed = refitted.iter().filter(|end| end.is_none()).count();
    let mut basins = found.diagnostics.basins;
    if let Some(far) = evidence.points.iter().max_by(|a, b| a.c.total_cmp(&b.c)).map(ten_times) {
        basins.iter_mut().for_each(|basin| basin.forecast = form.with_theta(&basin.theta).loss(&far));
    }
    let mut diagnostics = Diagnostics {
        basins,
        refits: refitted.len(),
        failed_refits: failed,
        clusters: groups.count,
        residual_rms: (residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64).sqrt(),
        residual_max: residuals.iter().fold(0.0, |most, r| r.abs().max(most)),
        ..found.diagnostics
    };
    let status = status(&diagnostics, evidence.points.len(), theta.len(), at_bound);
    warnings.extend(cautions(form, evidence, options, groups, &mut diagnostics));
    FittedLaw {
        name: form.name(),
        law: form.with_theta(&theta),
        status,
        points: evidence.points.len(),
        estimator: options.estimator,
        method: found.method,
        objective: found.best.value,
        coefficients: Named(coefficients.collect()),
        derived: Named(Vec::new()),
        covariance: covariance(&draws, theta.len()),
        size_measure: evidence.size_measure,
        flop_rule: evidence.flop_rule,
        excluded: evidence.excluded.clone(),
        diagnostics,
        warnings,
        resample: options.resample,
        seed: options.seed,
        data_sha256: data_sha256(&evidence.points),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        draws: draws.iter().map(|draw| form.with_theta(draw)).collect(),
        windows: Vec::new(),
        residuals,
    }
}

/// A run of ten times the compute.
fn ten_times(run: &Point) -> Point {
    let root = 10f64.sqrt();
    Point { n: root * run.n, d: root * run.d, c: 10.0 * run.c, steps: run.steps.map(|steps| root * steps), ..run.clone() }
}

fn status(diagnostics: &Diagnostics, points: usize, coefficients: usize, at_bound: bool) -> FitStatus {
    if at_bound {
        FitStatus::AtBound
    } else if points <= coefficients {
        FitStatus::TooFewPoints
    } else if diagnostics.agreement.is_some_and(|agreement| agreement > AGREEMENT) {
        FitStatus::StartsDisagree
    } else if diagnostics.relative_decrement > AGREEMENT {
        FitStatus::MaxIterations
    } else {
        FitStatus::Converged
    }
}

/// What a reader must know besides the status.
fn cautions(form: &impl Law, evidence: &Evidence, options: &FitOptions, groups: &Groups, diagnostics: &mut Diagnostics) -> Vec<String> {
    let mut words = Vec::new();
    let needed = form.coefficients().len();
    if evidence.points.len() <= needed {
        words.push(format!("{} points for {needed} coefficients leave nothing to judge the fit by", evidence.points.len()));
    }
    if groups.clustered && groups.count < FEW_CLUSTERS {
        let instead = if options.estimator == Estimator::LeastSquaresLog {
            "intervals are those of the cluster-robust sandwich"
        } else {
            "intervals draw residuals and take noise common to a cluster for as large as that of its runs"
        };
        words.push(format!(
            "{} clusters are fewer than {FEW_CLUSTERS}: a bootstrap over clusters is not to be trusted; {instead}",
            groups.count
        ));
    }
    // So many have one refit beyond each end.
    let enough = (2.0 / (1.0 - options.level) - 1.0).ceil().max(20.0) as usize;
    if options.refits < 20 {
        words.push(format!("{} refits give no interval; ask for at least {enough}", options.refits));
    } else if options.refits < enough {
        let level = 100.0 * options.level;
        words.push(format!("an interval of {} refits holds less than {level} %; ask for at least {enough}", options.refits));
    }
    for variable in form.variables().into_iter().filter(|variable| *variable != Variable::Unique) {
        let distinct = distinct(evidence, variable);
        if distinct < 3 {
            words.push(format!(
                "{} takes {distinct} values in these runs, so its exponent and the floor cannot be told apart: what follows from them is a guess between these values and none beyond",
                name(variable)
            ));
        }
    }
    let spare = evidence.points.len().saturating_sub(needed);
    if spare < LEAST && drawing(groups, options.estimator, options.resample) == Interval::ResidualBootstrap {
        words.push(format!("{spare} points more than coefficients are too few to draw residuals from, so there are no intervals"));
    }
    if diagnostics.failed_refits > 0 && diagnostics.failed_refits < diagnostics.refits {
        words.push(format!("{} of {} refits found no minimum; they widen the intervals", diagnostics.failed_refits, diagnostics.refits));
    }
    words
}

fn covariance(draws: &[Vec<f64>], dim: usize) -> Vec<Vec<f64>> {
    let n = draws.len() as f64;
    let mean: Vec<f64> = (0..dim).map(|j| draws.iter().map(|draw| draw[j]).sum::<f64>() / n).collect();
    let entry = |j: usize, k: usize| draws.iter().map(|draw| (draw[j] - mean[j]) * (draw[k] - mean[k])).sum::<f64>() / (n - 1.0);
    if draws.len() < 2 { Vec::new() } else { (0..dim).map(|j| (0..dim).map(|k| entry(j, k)).collect()).collect() }
}

/// SHA-256 over the bits of N, D, C, L and weight of every point.
fn data_sha256(points: &[Point]) -> String {
    let mut hasher = Sha256::new();
    for p in points {
        [p.n, p.d, p.c, p.loss, p.weight].iter().for_each(|value| hasher.update(value.to_bits().to_le_bytes()));
    }
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
