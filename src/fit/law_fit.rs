//! The fit of a law: two independent searches for the same minimum, refits, and the certificate that goes with them. A fit
//! owns the runs that it was made of and the laws of its refits; what it says of a quantity at a level of confidence is
//! asked of it afterwards ([`Fit::interval`]).

use super::certificate::{Found, search};
use super::identify::{check, distinct, narrow_ratio};
use super::interval::{Clusters, Draws, FEW_CLUSTERS, LEAST, clusters, drawing, refits, residual_refits};
use super::objective::{Objective, Phi};
use super::search::{End, multistart};
use super::{Diagnostics, Estimate, Estimator, FitError, FitOptions, FitStatus, Interval, Method, Resample, StartEnd};
use crate::law::{Evidence, Law, Point, Variable};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Least δ of Huber's function: below it is the absolute deviation, which has a search of its own.
const SMALLEST_DELTA: f64 = 1e-6;

/// A law with estimated coefficients, the runs it was estimated from, and everything needed to judge it.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The law with the estimated coefficients.
    pub law: Law,
    /// Runs that the law was fitted to, with their conventions.
    pub evidence: Arc<Evidence>,
    /// How the fit ended.
    pub status: FitStatus,
    /// What was minimised.
    pub estimator: Estimator,
    /// How the reported coefficients were found.
    pub method: Method,
    /// The minimum: a sum over runs.
    pub objective: f64,
    /// What both methods, all starts and all refits did.
    pub diagnostics: Diagnostics,
    /// Anything a reader must know, in words.
    pub warnings: Vec<String>,
    /// What is resampled.
    pub resample: Resample,
    /// Seed of the resampling.
    pub seed: u64,
    /// SHA-256 of the fitted numbers (N, D, C, L, weight of each point as bits).
    pub data_sha256: String,
    /// The law of every successful refit.
    pub draws: Vec<Law>,
    /// The law refitted on other held-out windows; empty where the losses of windows are not known.
    pub windows: Vec<Law>,
    /// Residual of each point, ln L − ln prediction, in the order of the points.
    pub residuals: Vec<f64>,
    /// How intervals of refits are called.
    pub(super) drawn: Interval,
    /// The law laid over the runs.
    pub(super) objective_at: Objective,
    /// Coordinates of the lowest minima, from which refits start.
    pub(super) basins: Vec<Phi>,
}

/// Fits a law; the coefficients of `form` are not used.
///
/// # Errors
/// Where the runs cannot determine the law, an option is out of range, or no search ends at a finite objective.
pub fn fit(form: &Law, evidence: impl Into<Arc<Evidence>>, options: &FitOptions) -> Result<Fit, FitError> {
    let evidence = evidence.into();
    check_options(options)?;
    check(form, &evidence.points)?;
    let objective = Objective::new(form, &evidence.points);
    let found = search(&objective, options).ok_or_else(|| FitError::NoMinimum { law: form.name().to_owned() })?;
    let clusters = clusters(&evidence.points, options.resample);
    let drawn = drawing(&clusters, options.estimator, options.resample);
    let draws = Draws { count: options.refits, seed: options.seed };
    let ends = match drawn {
        Interval::ResidualBootstrap => residual_refits(&objective, &clusters, options.estimator, &found.warm, draws),
        _ => refits(&objective, &clusters, options.estimator, &found.warm, draws),
    };
    Ok(assemble(form, evidence, options, objective, found, &clusters, &ends))
}

/// Every start of the multi-start search with its end and reason, in order.
///
/// # Errors
/// Where the runs cannot determine the law.
pub fn start_ends(form: &Law, evidence: &Evidence, estimator: Estimator) -> Result<Vec<StartEnd>, FitError> {
    check(form, &evidence.points)?;
    let objective = Objective::new(form, &evidence.points);
    Ok(multistart(&objective, estimator).into_iter().map(|(start, _)| start).collect())
}

fn check_options(options: &FitOptions) -> Result<(), FitError> {
    match options.estimator {
        Estimator::HuberLog { delta } if !(delta.is_finite() && delta >= SMALLEST_DELTA) => Err(FitError::Option {
            option: "delta",
            value: delta,
            allowed: "choose a δ of at least 1e-6, such as 1e-3; --estimator absolute-log is the limit of a small one",
        }),
        _ => Ok(()),
    }
}

fn assemble(
    form: &Law,
    evidence: Arc<Evidence>,
    options: &FitOptions,
    objective: Objective,
    found: Found,
    clusters: &Clusters,
    ends: &[Option<End>],
) -> Fit {
    let (theta, mut warnings) = objective.at_bounds(&found.best.phi);
    let at_bound = !warnings.is_empty();
    let draws: Vec<Law> = ends.iter().flatten().map(|end| form.with_theta(&objective.to_theta(&end.phi))).collect();
    let residuals: Vec<f64> =
        evidence.points.iter().zip(objective.ln_predictions(&found.best.phi)).map(|(p, ln)| p.loss.ln() - ln).collect();
    let mut basins = found.diagnostics.basins;
    if let Some(far) = evidence.points.iter().max_by(|a, b| a.c.total_cmp(&b.c)).map(ten_times) {
        basins.iter_mut().for_each(|basin| basin.forecast = form.with_theta(&basin.theta).loss(&far));
    }
    let diagnostics = Diagnostics {
        basins,
        refits: ends.len(),
        failed_refits: ends.len() - draws.len(),
        clusters: clusters.count,
        residual_rms: (residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64).sqrt(),
        residual_max: residuals.iter().fold(0.0, |most, r| r.abs().max(most)),
        ..found.diagnostics
    };
    let status = status(&diagnostics, evidence.points.len(), theta.len(), at_bound);
    warnings.extend(narrow_ratio(&form.with_theta(&theta), &evidence.points));
    warnings.extend(cautions(form, &evidence, options, clusters, &diagnostics));
    Fit {
        law: form.with_theta(&theta),
        status,
        estimator: options.estimator,
        method: found.method,
        objective: found.best.value,
        diagnostics,
        warnings,
        resample: options.resample,
        seed: options.seed,
        data_sha256: data_sha256(form, &evidence.points),
        draws,
        windows: Vec::new(),
        residuals,
        drawn: drawing(clusters, options.estimator, options.resample),
        objective_at: objective,
        basins: found.warm,
        evidence,
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
    } else if diagnostics.agreement.is_some_and(|agreement| agreement > super::certificate::AGREEMENT) {
        FitStatus::StartsDisagree
    } else if diagnostics.relative_decrement > super::certificate::AGREEMENT {
        FitStatus::MaxIterations
    } else {
        FitStatus::Converged
    }
}

/// What a reader must know besides the status.
fn cautions(form: &Law, evidence: &Evidence, options: &FitOptions, clusters: &Clusters, diagnostics: &Diagnostics) -> Vec<String> {
    let mut words = Vec::new();
    let needed = form.coefficients().len();
    if evidence.points.len() <= needed {
        words.push(format!("{} points for {needed} coefficients leave nothing to judge the fit by", evidence.points.len()));
    }
    if clusters.clustered && clusters.count < FEW_CLUSTERS {
        let instead = if options.estimator == Estimator::LeastSquaresLog {
            "intervals are those of the cluster-robust sandwich"
        } else {
            "intervals draw residuals and take noise common to a cluster for as large as that of its runs"
        };
        words.push(format!(
            "{} clusters (runs that share steps) are fewer than {FEW_CLUSTERS}, too few to resample: {instead}; other seeds make more",
            clusters.count
        ));
    }
    // No power is taken of the others.
    let is_power = |variable: &&Variable| !matches!(variable, Variable::Unique | Variable::Share(_) | Variable::Given(_));
    for variable in form.formula().variables().iter().filter(is_power) {
        let distinct = distinct(evidence, *variable);
        if distinct < 3 {
            words.push(format!(
                "{} takes {distinct} values in these runs, so its exponent and the floor cannot be told apart: what follows from them is a guess between these values and none beyond",
                variable.name()
            ));
        }
    }
    let spare = evidence.points.len().saturating_sub(needed);
    if spare < LEAST && drawing(clusters, options.estimator, options.resample) == Interval::ResidualBootstrap {
        words.push(format!("{spare} points more than coefficients are too few to draw residuals from, so there are no intervals"));
    }
    if diagnostics.failed_refits > 0 && diagnostics.failed_refits < diagnostics.refits {
        words.push(format!("{} of {} refits found no minimum; they widen the intervals", diagnostics.failed_refits, diagnostics.refits));
    }
    words
}

/// SHA-256 over the bits of N, D, C, L and weight of every point, and of the covariates and shares that the law is about.
fn data_sha256(form: &Law, points: &[Point]) -> String {
    let is_more = |variable: &&Variable| matches!(variable, Variable::Named(_) | Variable::Share(_) | Variable::Given(_));
    let more: Vec<Variable> = form.formula().variables().iter().filter(is_more).copied().collect();
    let mut hasher = Sha256::new();
    for p in points {
        let covariates = more.iter().map(|variable| variable.of(p).unwrap_or(f64::NAN));
        [p.n, p.d, p.c, p.loss, p.weight].into_iter().chain(covariates).for_each(|value| hasher.update(value.to_bits().to_le_bytes()));
    }
    format!("{:x}", hasher.finalize())
}

impl Fit {
    /// Estimate and interval of anything that follows from the coefficients, by the refits alone.
    pub fn by_refits(&self, quantity: &super::Quantity, level: f64) -> Estimate {
        let draws: Vec<f64> = self.draws.iter().map(|law| quantity.of(law)).collect();
        Estimate::from_draws(quantity.of(&self.law), draws, level, self.drawn)
    }

    /// Standard deviation of ln L of one run about the law, by the residuals.
    pub fn residual_spread(&self) -> f64 {
        let spare = self.evidence.points.len().saturating_sub(self.law.theta().len()).max(1) as f64;
        (self.residuals.iter().map(|r| r * r).sum::<f64>() / spare).sqrt()
    }

    /// Covariance of the coefficients in their order, from the refits; empty with fewer than two.
    pub fn covariance(&self) -> Vec<Vec<f64>> {
        let (n, dim) = (self.draws.len() as f64, self.law.theta().len());
        let mean: Vec<f64> = (0..dim).map(|j| self.draws.iter().map(|law| law.theta()[j]).sum::<f64>() / n).collect();
        let part = |law: &Law, j: usize| law.theta()[j] - mean[j];
        let entry = |j: usize, k: usize| self.draws.iter().map(|law| part(law, j) * part(law, k)).sum::<f64>() / (n - 1.0);
        if self.draws.len() < 2 { Vec::new() } else { (0..dim).map(|j| (0..dim).map(|k| entry(j, k)).collect()).collect() }
    }
}
