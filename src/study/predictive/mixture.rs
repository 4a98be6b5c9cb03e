//! The laws of a forecast, weighted by their record.

use super::average;
use super::origins::{Cut, Origin, cuts, is_design, without_copies};
use super::variance::Predictive;
use crate::fit::Posterior;
use crate::law::{Additive, Evidence, Gamma, Kaplan, Law, Point};
use rayon::prelude::*;

/// The laws with the weight that each has before its record is known.
fn laws() -> [(Law, f64); 3] {
    [(Law::of(Additive, [1.0; 5]), 0.15), (Law::of(Gamma, [1.0; 6]), 0.60), (Law::of(Kaplan, [1.0; 4]), 0.25)]
}

/// Discrepancy that is expected before any record is known: 5 % of compute for each factor e of distance, worth as much as eight
/// origins.
const EXPECTED: f64 = 0.05;
const WORTH: f64 = 8.0;

/// A law of the mixture.
#[derive(Debug, Clone)]
pub struct Member {
    /// The law and how sure its coefficients are.
    pub posterior: Posterior,
    /// Its weight; all sum to 1.
    pub weight: f64,
}

/// Several laws fitted to the same runs, and what their record says of how far they can be trusted.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The laws.
    pub members: Vec<Member>,
    /// Their record, nearest cut first; empty where no part of the runs is a design of its own.
    pub origins: Vec<Origin>,
    /// Standard deviation of ln of compute by which forecasts go wrong, for each factor e of distance.
    pub discrepancy: f64,
    /// Degrees of freedom of every interval.
    pub degrees: f64,
    /// Largest compute of the runs, FLOPs.
    pub largest: f64,
    /// −d ln L/d ln C at the best of the largest runs.
    slope: f64,
}

impl Mixture {
    /// Fits the laws to runs of N and D, and to the runs below each cut; `None` where the runs are no design for laws of N and D or no
    /// law could be fitted.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        let points = without_copies(&evidence.points);
        if !is_design(&points) {
            return None;
        }
        let cuts = cuts(&points);
        let sets: Vec<&[Point]> = std::iter::once(points.as_slice()).chain(cuts.iter().map(|cut| cut.below.as_slice())).collect();
        let laws = laws();
        let jobs: Vec<(usize, usize)> = (0..sets.len()).flat_map(|set| (0..laws.len()).map(move |law| (set, law))).collect();
        let fitted: Vec<Option<Posterior>> = jobs.par_iter().map(|&(set, law)| Posterior::of(&laws[law].0, sets[set]).ok()).collect();
        let of = |set: usize, law: usize| fitted[set * laws.len() + law].as_ref();
        // A law that cannot be fitted to all, or at any cut, has no record to stand on.
        let usable: Vec<usize> = (0..laws.len()).filter(|&law| (0..sets.len()).all(|set| of(set, law).is_some())).collect();
        let usable = if usable.is_empty() { (0..laws.len()).filter(|&law| of(0, law).is_some()).collect() } else { usable };
        let at_cut = |number: usize| usable.iter().filter_map(|&law| of(number + 1, law)).collect::<Vec<_>>();
        let records: Vec<Errors> = cuts.iter().enumerate().map(|(number, cut)| Errors::of(cut, &at_cut(number))).collect();
        let priors: Vec<f64> = usable.iter().map(|&law| laws[law].1).collect();
        let weights = weights(&priors, &records);
        let members: Vec<Member> =
            usable.iter().zip(&weights).filter_map(|(&law, &weight)| Some(Member { posterior: of(0, law)?.clone(), weight })).collect();
        let largest = points.iter().map(|p| p.c).fold(0.0, f64::max);
        let slope = slope(&members, &points, largest)?;
        let origins: Vec<Origin> = cuts.iter().zip(&records).map(|(cut, errors)| errors.origin(cut, &weights)).collect();
        let count = if origins.is_empty() { 0.0 } else { 1.0 + 0.5 * (origins.len() as f64 - 1.0) };
        let found = average(origins.iter().map(|origin| {
            let moved = (origin.bias.powi(2) - origin.sampling) / (slope * origin.ln_factor).powi(2);
            moved.max(0.0)
        }));
        let found = if count > 0.0 { count * found } else { 0.0 };
        let variance = (WORTH * EXPECTED * EXPECTED + found) / (WORTH + count);
        Some(Self { members, origins, discrepancy: variance.sqrt(), degrees: WORTH + count, largest, slope })
    }

    /// What is said of the mean loss over runs at a point.
    pub fn mean_loss(&self, point: &Point) -> Predictive {
        let said: Vec<(f64, f64, f64)> =
            self.members.iter().map(|one| (one.weight, one.posterior.ln_loss(point))).map(|(w, (l, s))| (w, l, s)).collect();
        let centre: f64 = said.iter().map(|(weight, ln_loss, _)| weight * ln_loss).sum();
        let distance = (point.c / self.largest).ln().max(0.0);
        Predictive {
            value: centre.exp(),
            noise: 0.0,
            statistics: said.iter().map(|(weight, _, se)| weight * se * se).sum(),
            between: said.iter().map(|(weight, ln_loss, _)| weight * (ln_loss - centre).powi(2)).sum(),
            discrepancy: (self.discrepancy * self.slope * distance).powi(2),
            degrees: self.degrees,
        }
    }

    /// What is said of the loss of one run at a point.
    pub fn one_run(&self, point: &Point) -> Predictive {
        let noise = self.members.iter().map(|one| one.weight * one.posterior.spread.powi(2)).sum();
        Predictive { noise, ..self.mean_loss(point) }
    }
}

/// Errors of laws over the runs above a cut.
struct Errors {
    ln_factor: f64,
    /// Forecast − found of ln L, law by law.
    of_laws: Vec<Vec<f64>>,
    /// Variance of the mean error of each law by noise and coefficients.
    sampling: Vec<f64>,
}

impl Errors {
    fn of(cut: &Cut, laws: &[&Posterior]) -> Self {
        let runs = cut.above.len() as f64;
        let of_law = |law: &&Posterior| cut.above.iter().map(|p| law.ln_loss(p).0 - p.loss.ln()).collect();
        // Coefficients move all runs above together.
        let sampling = |law: &&Posterior| law.spread.powi(2) / runs + average(cut.above.iter().map(|p| law.ln_loss(p).1.powi(2)));
        Self { ln_factor: cut.ln_factor(), of_laws: laws.iter().map(of_law).collect(), sampling: laws.iter().map(sampling).collect() }
    }

    fn mean_square(&self, law: usize) -> f64 {
        average(self.of_laws[law].iter().map(|error| error * error))
    }

    fn origin(&self, cut: &Cut, weights: &[f64]) -> Origin {
        let bias = self.of_laws.iter().zip(weights).map(|(errors, weight)| weight * average(errors.iter().copied())).sum();
        Origin {
            largest: cut.largest,
            runs: [cut.below.len(), cut.above.len()],
            ln_factor: self.ln_factor,
            rms: (0..self.of_laws.len()).map(|law| self.mean_square(law).sqrt()).collect(),
            bias,
            sampling: self.sampling.iter().zip(weights).map(|(variance, weight)| weight * variance).sum(),
        }
    }
}

/// Prior weights over the mean, over origins, of the mean square error by the square of the distance.
fn weights(priors: &[f64], records: &[Errors]) -> Vec<f64> {
    let error = |law: usize| average(records.iter().map(|errors| errors.mean_square(law) / errors.ln_factor.powi(2)));
    let raw: Vec<f64> =
        priors.iter().enumerate().map(|(law, prior)| if records.is_empty() { *prior } else { prior / error(law) }).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|weight| weight / total).collect()
}

/// −d ln L/d ln C of the weighted laws at the best of the largest runs, N and D growing alike.
fn slope(members: &[Member], points: &[Point], largest: f64) -> Option<f64> {
    let top = points.iter().filter(|p| p.c > largest / 1.5).min_by(|left, right| left.loss.total_cmp(&right.loss))?;
    let step = 0.1f64;
    let further = Point { n: top.n * (0.5 * step).exp(), d: top.d * (0.5 * step).exp(), ..top.clone() };
    let fall = |one: &Member| one.posterior.ln_loss(top).0 - one.posterior.ln_loss(&further).0;
    Some(members.iter().map(|one| one.weight * fall(one)).sum::<f64>() / step)
}
