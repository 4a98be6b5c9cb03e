//! The laws of a forecast, weighted by their record.

use super::average;
use super::origins::{Cut, Origin, cuts, is_design, without_copies};
use super::variance::Predictive;
use crate::fit::{Posterior, determines};
use crate::law::{Additive, Evidence, Gamma, Kaplan, Law, Point};
use rayon::prelude::*;

/// How laws are weighted before their record is known, and how much of one is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Weight of each law before its record is known.
    pub priors: Vec<f64>,
    /// Standard deviation of ln of compute by which a forecast is expected to go wrong, for each factor e of distance.
    pub expected: f64,
    /// How many origins that expectation is worth.
    pub worth: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { priors: vec![0.2, 0.4, 0.4], expected: 0.08, worth: 8.0 }
    }
}

/// The laws of a mixture, in the order of [`Settings::priors`].
fn laws() -> Vec<Law> {
    vec![Law::of(Additive, [1.0; 5]), Law::of(Gamma, [1.0; 6]), Law::of(Kaplan, [1.0; 4])]
}

/// Several laws fitted to the same runs and to those below each cut.
#[derive(Debug, Clone)]
pub struct Record {
    /// The laws, with their place among all laws of a mixture.
    pub laws: Vec<(usize, Posterior)>,
    /// Their record, nearest cut first; empty where no part of the runs is a design of its own.
    pub origins: Vec<Origin>,
    /// −d ln L/d ln C of each law at the best of the largest runs, N and D growing alike.
    pub slopes: Vec<f64>,
    /// Largest compute of the runs, FLOPs.
    pub largest: f64,
}

impl Record {
    /// Fits the laws to runs of N and D, and to the runs below each cut; `None` where the runs are no design for laws of N and D or no
    /// law could be fitted.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        let points = without_copies(&evidence.points);
        if !is_design(&points) {
            return None;
        }
        let laws = laws();
        // Below a cut N and D may move together although they do not among all.
        let cuts: Vec<Cut> = cuts(&points).into_iter().filter(|cut| determines(&laws[0], &cut.below)).collect();
        let sets: Vec<&[Point]> = std::iter::once(points.as_slice()).chain(cuts.iter().map(|cut| cut.below.as_slice())).collect();
        let jobs: Vec<(usize, usize)> = (0..sets.len()).flat_map(|set| (0..laws.len()).map(move |law| (set, law))).collect();
        let fitted: Vec<Option<Posterior>> = jobs.par_iter().map(|&(set, law)| Posterior::of(&laws[law], sets[set]).ok()).collect();
        let of = |set: usize, law: usize| fitted[set * laws.len() + law].as_ref();
        // A law that could not be fitted at every cut has no record to be weighted by.
        let whole = |law: &usize| (0..sets.len()).all(|set| of(set, *law).is_some());
        let usable: Vec<usize> = (0..laws.len()).filter(whole).collect();
        let at_cut = |number: usize| usable.iter().filter_map(|&law| of(number + 1, law)).collect::<Vec<_>>();
        let laws: Vec<(usize, Posterior)> = usable.iter().filter_map(|&law| Some((law, of(0, law)?.clone()))).collect();
        let largest = points.iter().map(|p| p.c).fold(0.0, f64::max);
        let slopes = laws.iter().map(|(_, law)| slope(law, &points, largest)).collect::<Option<Vec<f64>>>()?;
        let origins = cuts.iter().enumerate().map(|(number, cut)| Origin::of(cut, &at_cut(number))).collect();
        (!laws.is_empty()).then_some(Self { laws, origins, slopes, largest })
    }

    /// Prior weights over the mean, over origins, of the mean square error by the square of the distance.
    fn weights(&self, priors: &[f64]) -> Vec<f64> {
        let error = |at: usize| average(self.origins.iter().map(|origin| origin.errors[at].square / origin.ln_factor.powi(2)));
        // Laws without any error are all as good.
        let error = |at: usize| if self.origins.is_empty() { 1.0 } else { f64::max(error(at), LEAST_ERROR) };
        let raw = |(at, (law, _)): (usize, &(usize, Posterior))| priors[*law] / error(at);
        normalised(self.laws.iter().enumerate().map(raw))
    }
}

/// Numbers over their sum.
fn normalised(raw: impl Iterator<Item = f64>) -> Vec<f64> {
    let raw: Vec<f64> = raw.collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|weight| weight / total).collect()
}

/// Power of the spread of runs about a law by which it loses weight among them. What fits the runs best need not forecast best.
const CLOSENESS: i32 = 8;
/// Least mean square error of ln L by the square of the distance: rounding of losses.
const LEAST_ERROR: f64 = 1e-12;
/// Least fall of ln L with ln C: runs whose losses hardly fall say nothing in compute.
const LEAST_SLOPE: f64 = 1e-3;
/// Factor of compute beyond which no forecast was ever scored.
const UNCHECKED: f64 = 30.0;
/// ln of the factor of compute at which the record alone decides.
const RECORD_ALONE: f64 = std::f64::consts::LN_2;

/// A law of the mixture.
#[derive(Debug, Clone)]
pub struct Member {
    /// The law and how sure its coefficients are.
    pub posterior: Posterior,
    /// Its weight beyond the runs, by its record; all sum to 1.
    pub weight: f64,
    /// Its weight among the runs, by how closely they lie about it; all sum to 1.
    pub inside: f64,
}

/// Several laws weighted by their record, and what the record says of how far they can be trusted.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The laws.
    pub members: Vec<Member>,
    /// Their record.
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
    /// The mixture of some runs; `None` where they are no design for laws of N and D.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        Some(Self::weighted(Record::of(evidence)?, &Settings::default()))
    }

    /// The mixture of laws with a record.
    pub fn weighted(record: Record, settings: &Settings) -> Self {
        let weights = record.weights(&settings.priors);
        let slope: f64 = weights.iter().zip(&record.slopes).map(|(weight, slope)| weight * slope).sum();
        let slope = slope.max(LEAST_SLOPE);
        let origins = record.origins;
        // Origins share runs: each beyond the first counts half.
        let count = if origins.is_empty() { 0.0 } else { 0.5 * (origins.len() as f64 + 1.0) };
        let moved = |origin: &Origin| {
            let (bias, sampling) = origin.weighted(&weights);
            ((bias * bias - sampling) / (slope * origin.ln_factor).powi(2)).max(0.0)
        };
        let found = average(origins.iter().map(moved));
        let variance = (settings.worth * settings.expected.powi(2) + count * found) / (settings.worth + count);
        let inside = normalised(record.laws.iter().map(|(law, one)| settings.priors[*law] / one.spread.powi(CLOSENESS)));
        let member = |((_, posterior), (weight, inside)): ((usize, Posterior), (f64, f64))| Member { posterior, weight, inside };
        Self {
            members: record.laws.into_iter().zip(weights.into_iter().zip(inside)).map(member).collect(),
            origins,
            discrepancy: variance.sqrt(),
            degrees: settings.worth + count,
            largest: record.largest,
            slope,
        }
    }

    /// The farthest factor of compute that the record spans; 1 without a record.
    pub fn spans(&self) -> f64 {
        self.origins.iter().map(|origin| origin.ln_factor.exp()).fold(1.0, f64::max)
    }

    /// In one line: which laws carry the weight, and what their record was.
    pub fn told(&self) -> String {
        let mut by_weight: Vec<&Member> = self.members.iter().collect();
        by_weight.sort_by(|left, right| right.weight.total_cmp(&left.weight));
        let laws: Vec<String> = by_weight.iter().map(|one| format!("{} {:.0} %", one.posterior.law.name(), 100.0 * one.weight)).collect();
        let laws = laws.join(", ");
        if self.origins.is_empty() {
            return format!("{laws}; no part of these runs is a design of its own, so none of its forecasts can be checked");
        }
        let weights: Vec<f64> = self.members.iter().map(|one| one.weight).collect();
        let bias = average(self.origins.iter().map(|origin| origin.weighted(&weights).0));
        let ([direction, worth], sign) = if bias > 0.0 { (["high", "more"], 1.0) } else { (["low", "less"], -1.0) };
        let compute = 100.0 * (bias / self.slope).exp_m1().abs();
        let percent = 100.0 * sign * bias.exp_m1();
        format!(
            "{laws}; fitted to the smaller of these runs alone, {} times, they put the larger, up to {:.1}x, {:.2} % too {direction} on average, as if those had had {compute:.0} % {worth} compute",
            self.origins.len(),
            self.spans(),
            percent,
        )
    }

    /// What is to be said of a forecast at a factor of compute that the record does not reach.
    pub fn caution(&self, factor: f64) -> Option<String> {
        if factor > UNCHECKED {
            return Some(format!("nothing checks a forecast at {factor:.0}x the largest run"));
        }
        let beyond = factor > self.spans() && factor > 1.0;
        beyond.then(|| format!("the record reaches {:.1}x; at {factor:.1}x the largest run the interval follows its trend", self.spans()))
    }

    /// Weights of the laws at ln of a factor of compute: of those inside the runs, then more and more of those by record.
    fn weights_at(&self, distance: f64) -> Vec<f64> {
        let record = (distance / RECORD_ALONE).min(1.0);
        normalised(self.members.iter().map(|one| one.inside.powf(1.0 - record) * one.weight.powf(record)))
    }

    /// ln of how far a point lies beyond the runs in compute; 0 among them.
    fn distance(&self, point: &Point) -> f64 {
        (point.c / self.largest).ln().max(0.0)
    }

    /// What is said of the mean loss over runs at a point.
    pub fn mean_loss(&self, point: &Point) -> Predictive {
        let distance = self.distance(point);
        let weights = self.weights_at(distance);
        let said: Vec<(f64, f64)> = self.members.iter().map(|one| one.posterior.ln_loss(point)).collect();
        let weighted =
            |of: &dyn Fn(f64, f64) -> f64| weights.iter().zip(&said).map(|(weight, (ln_loss, se))| weight * of(*ln_loss, *se)).sum();
        let centre: f64 = weighted(&|ln_loss, _| ln_loss);
        Predictive {
            value: centre.exp(),
            noise: 0.0,
            statistics: weighted(&|_, se| se * se),
            between: weighted(&|ln_loss, _| (ln_loss - centre).powi(2)),
            discrepancy: (self.discrepancy * self.slope * distance).powi(2),
            degrees: self.degrees,
        }
    }

    /// What each law alone says of the loss of one run at a point: by how runs lie about it and how sure its coefficients are, with
    /// the degrees of freedom of them together.
    pub fn one_run_by_law(&self, point: &Point) -> Vec<(&'static str, Predictive)> {
        let alone = |Member { posterior, .. }: &Member| {
            let (ln_loss, se) = posterior.ln_loss(point);
            let (noise, statistics) = (posterior.spread.powi(2), se * se);
            let said = Predictive { value: ln_loss.exp(), noise, statistics, between: 0.0, discrepancy: 0.0, degrees: self.degrees };
            (posterior.law.name(), said)
        };
        self.members.iter().map(alone).collect()
    }

    /// What is said of the loss of one run at a point.
    pub fn one_run(&self, point: &Point) -> Predictive {
        let weights = self.weights_at(self.distance(point));
        let noise = self.members.iter().zip(weights).map(|(one, weight)| weight * one.posterior.spread.powi(2)).sum();
        Predictive { noise, ..self.mean_loss(point) }
    }
}

/// −d ln L/d ln C of a law at the best of the largest runs, N and D growing alike.
fn slope(law: &Posterior, points: &[Point], largest: f64) -> Option<f64> {
    let top = points.iter().filter(|p| p.c > largest / 1.5).min_by(|left, right| left.loss.total_cmp(&right.loss))?;
    let step = 0.1f64;
    let further = Point { n: top.n * (0.5 * step).exp(), d: top.d * (0.5 * step).exp(), ..top.clone() };
    Some((law.ln_loss(top).0 - law.ln_loss(&further).0) / step)
}
