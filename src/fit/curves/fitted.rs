//! The fit of a law to curves, and what it is asked.

use super::laid::{Laid, Without};
use super::search::{End, ends, is_at_edge, minimise};
use super::training::TrainingCurve;
use crate::fit::estimate::{Estimate, Interval, Named, t_quantile};
use crate::fit::options::FitStatus;
use crate::law::{CurveFormula, CurveUnits, Rates, Track};
use crate::spec::sample::median;
use rayon::prelude::*;
use serde::Serialize;

/// Clusters from which intervals are taken over them.
const CLUSTERS: usize = 5;
/// Parts of a curve, where there are fewer.
const PARTS: usize = 10;

/// Over what intervals are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Each cluster of runs in turn.
    Clusters,
    /// Each tenth of all curves in turn.
    Parts,
}

/// Why a law of curves is not fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurveFitError {
    /// What the curves lack.
    #[error("{0}")]
    Needs(&'static str),
    /// There are fewer readings than numbers.
    #[error("{readings} readings are too few for {numbers} coefficients")]
    TooFew {
        /// Readings that there are.
        readings: usize,
        /// Coefficients of the law.
        numbers: usize,
    },
    /// No start gives losses above 0.
    #[error("no start of the search gives losses above 0")]
    NoStart,
}

/// A law fitted to curves.
#[derive(Debug, Clone)]
pub struct CurveFit {
    /// The law.
    pub law: &'static dyn CurveFormula,
    /// What its numbers count in.
    pub units: CurveUnits,
    /// Its numbers.
    pub theta: Vec<f64>,
    /// Its numbers without each cluster or part.
    pub without: Vec<Vec<f64>>,
    /// What was left out for each of those.
    pub left_out: LeftOut,
    /// Sum of Huber losses.
    pub objective: f64,
    /// Root mean square of the residuals of ln L.
    pub rms: f64,
    /// How many readings it was fitted to.
    pub readings: usize,
    /// And how many curves.
    pub curves: usize,
    /// How the search ended.
    pub status: FitStatus,
    /// What a deviation within runs of the same batches counts, over a mean of them.
    within: f64,
}

/// Fits a law to curves with the Huber loss of δ `delta` (1e-3 in the papers).
pub fn fit_curves(law: &'static dyn CurveFormula, curves: &[TrainingCurve], delta: f64) -> Result<CurveFit, CurveFitError> {
    let fell = curves.iter().any(|curve| curve.rates.lowest_share() < 0.98);
    if let Some(lacking) = law.needs(fell) {
        return Err(CurveFitError::Needs(lacking));
    }
    let most = |of: &dyn Fn(&TrainingCurve) -> f64| curves.iter().map(of).fold(0.0, f64::max);
    let units =
        CurveUnits { rate: most(&|one| one.rates.peak()), area: most(&|one| one.rates.area()), steps: most(&|one| one.rates.steps()) };
    let mut laid = Laid::new(curves, units, delta);
    let ((clusters, readings), numbers) = (laid.counts(), law.coefficients().len());
    if readings <= numbers {
        return Err(CurveFitError::TooFew { readings, numbers });
    }
    let mut found = ends(&laid, law, Without::Nothing);
    let first = found.first().cloned().ok_or(CurveFitError::NoStart)?;
    let [means, within] = laid.residuals(law, &first.ln_theta).ok_or(CurveFitError::NoStart)?;
    let size = |of: &[f64]| median(of.iter().map(|one| one.abs())).unwrap_or(0.0);
    if !within.is_empty() && size(&within) > delta {
        laid.within = (size(&means) / size(&within)).clamp(1.0, 100.0);
        found = ends(&laid, law, Without::Nothing);
        found.extend(minimise(&laid, law, first.ln_theta, Without::Nothing));
        found.sort_by(|a, b| a.value.total_cmp(&b.value));
    }
    let best = found.first().cloned().ok_or(CurveFitError::NoStart)?;
    let left_out = if clusters >= CLUSTERS { LeftOut::Clusters } else { LeftOut::Parts };
    let all = match left_out {
        LeftOut::Clusters => (0..clusters).map(Without::Cluster).collect::<Vec<_>>(),
        LeftOut::Parts => (0..PARTS).map(|part| Without::Part(part, PARTS)).collect(),
    };
    let refit = |without: Without| Some(exp(&minimise(&laid, law, best.ln_theta.clone(), without)?.ln_theta));
    let without: Vec<Vec<f64>> = all.into_par_iter().filter_map(refit).collect();
    let [means, within] = laid.residuals(law, &best.ln_theta).ok_or(CurveFitError::NoStart)?;
    let squares = |of: &[f64]| of.iter().map(|one| one * one).sum::<f64>() / of.len().max(1) as f64;
    let status = status(&found, &best);
    let rms = (squares(&means) + squares(&within)).sqrt();
    Ok(CurveFit {
        law,
        units,
        theta: exp(&best.ln_theta),
        without,
        left_out,
        objective: best.value,
        rms,
        readings,
        curves: curves.len(),
        status,
        within: laid.within,
    })
}

fn exp(ln: &[f64]) -> Vec<f64> {
    ln.iter().map(|x| x.exp()).collect()
}

fn status(found: &[End], best: &End) -> FitStatus {
    let agree = found.iter().filter(|end| end.value <= best.value * 1.001 + 1e-20).count();
    match () {
        () if is_at_edge(best) => FitStatus::AtBound,
        () if !best.converged => FitStatus::MaxIterations,
        () if 2 * agree < found.len() => FitStatus::StartsDisagree,
        () => FitStatus::Converged,
    }
}

impl CurveFit {
    /// The law's numbers by other curves, searched from those of these.
    pub(super) fn refitted(&self, curves: &[TrainingCurve], delta: f64) -> Option<Vec<f64>> {
        let mut laid = Laid::new(curves, self.units, delta);
        laid.within = self.within;
        let start = self.theta.iter().map(|x| x.ln()).collect();
        Some(exp(&minimise(&laid, self.law, start, Without::Nothing)?.ln_theta))
    }

    /// Losses of a training after so many steps each, by numbers of the law.
    pub fn losses(&self, theta: &[f64], rates: &Rates, steps: &[f64]) -> Vec<f64> {
        self.law.losses(theta, &Track::new(rates, steps, self.units)).iter().map(|one| one.loss).collect()
    }

    /// Any quantity of the law's numbers with its interval: t of the jackknife's standard error. Where a few refits make most of it, as
    /// where a quantity hangs on the runs of one schedule, its degrees are theirs: 3·(Σd²)²/Σd⁴ − 1, that of as many normal deviations d.
    pub fn estimate(&self, level: f64, of: impl Fn(&[f64]) -> f64) -> Estimate {
        let (value, others): (f64, Vec<f64>) = (of(&self.theta), self.without.iter().map(|theta| of(theta)).collect());
        let count = others.len() as f64;
        if others.len() < 2 {
            return Estimate::exact(value);
        }
        let mean = others.iter().sum::<f64>() / count;
        let sum = |power: i32| others.iter().map(|one| (one - mean).powi(power)).sum::<f64>();
        let se = (sum(2) * (count - 1.0) / count).sqrt();
        let degrees = (3.0 * sum(2).powi(2) / sum(4) - 1.0).clamp(1.0, count - 1.0);
        let width = t_quantile(level, if degrees.is_nan() { count - 1.0 } else { degrees }) * se;
        Estimate::new(value, se, [value - width, value + width], level, Interval::Jackknife)
    }

    /// Loss at the end of a training.
    pub fn final_loss(&self, rates: &Rates, level: f64) -> Estimate {
        self.estimate(level, |theta| self.losses(theta, rates, &[rates.steps()])[0])
    }

    /// Loss at the end of one training less that of another.
    pub fn difference(&self, one: &Rates, other: &Rates, level: f64) -> Estimate {
        let end = |theta: &[f64], rates: &Rates| self.losses(theta, rates, &[rates.steps()])[0];
        self.estimate(level, |theta| end(theta, one) - end(theta, other))
    }

    /// Coefficients as published.
    pub fn coefficients(&self, level: f64) -> Named<Estimate> {
        let one =
            |(at, name): (usize, &&str)| ((*name).to_owned(), self.estimate(level, |theta| self.law.published(theta, self.units)[at]));
        Named(self.law.coefficients().iter().enumerate().map(one).collect())
    }
}
