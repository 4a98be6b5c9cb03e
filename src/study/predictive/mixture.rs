//! The laws of a forecast, weighted by their record.

use super::frontier::{ByFrontier, Frontier};
use super::optimum::{Optima, OptimumAhead, said};
use super::origins::{Cut, Origin, cuts, is_design, without_copies};
use super::settings::{LEAST_ERROR, Settings};
use super::share::{Share, error_of, rms_of_frontier};
use super::variance::Predictive;
use super::walls::Walls;
use super::{average, cuts_in_words, normalised};
use crate::fit::{Drift, Posterior, determines};
use crate::law::{Additive, ComputeCount, Evidence, Gamma, Kaplan, Law, Point};
use rayon::prelude::*;

/// The laws of a mixture, in the order of [`Settings::priors`].
fn laws() -> Vec<Law> {
    vec![Additive.into(), Gamma.into(), Kaplan.into()]
}

/// Which of them says how far runs lie above the lowest loss of their compute: that of most forms.
const FOR_WALLS: usize = 1;

/// Several laws fitted to the same runs and to those below each cut.
#[derive(Debug, Clone)]
pub struct Record {
    /// The laws, with their place among all laws of a mixture.
    pub laws: Vec<(usize, Posterior)>,
    /// How their noise grows away from the lowest loss of a compute, where it does.
    pub walls: Option<Walls>,
    /// The frontier through minima of budgets, where runs have three or more.
    pub frontier: Option<Frontier>,
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
        let evidence = evidence.with_points(without_copies(&evidence.points));
        if !is_design(&evidence.points) {
            return None;
        }
        let laws = laws();
        let walls = Walls::of(&laws[FOR_WALLS], &evidence.points);
        let points = walls.as_ref().map_or_else(|| evidence.points.clone(), |walls| walls.weighted(&evidence.points));
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
        let frontier = Frontier::of(&evidence);
        let origins = cuts.par_iter().enumerate().map(|(number, cut)| origin(cut, &at_cut(number), &evidence, frontier.as_ref())).collect();
        (!laws.is_empty()).then_some(Self { laws, walls, frontier, origins, slopes, largest })
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

/// What laws fitted below a cut, and the frontier below it, say of the runs and of the minima of budgets above.
fn origin(cut: &Cut, laws: &[&Posterior], evidence: &Evidence, whole: Option<&Frontier>) -> Origin {
    let count = ComputeCount::of(&cut.below);
    let below = whole.and_then(|_| Frontier::below(evidence, cut.largest));
    let minima = whole.map_or_else(Vec::new, |whole| whole.above(1.02 * cut.largest));
    let ahead = |minimum| OptimumAhead::of(minimum, cut.largest, said(laws, below.as_ref(), minimum.compute, &count));
    Origin::of(cut, laws, below.as_ref(), minima.into_iter().map(ahead).collect())
}

/// Power of the spread of runs about a law by which it loses weight among them. What fits the runs best need not forecast best.
const CLOSENESS: i32 = 8;
/// Least fall of ln L with ln C: runs whose losses hardly fall say nothing in compute.
const LEAST_SLOPE: f64 = 1e-3;
/// Name of the line through minima of budgets among laws.
const FRONTIER: &str = "frontier";
/// Factor of compute beyond which no forecast was ever scored.
const UNCHECKED: f64 = 30.0;
/// ln of the factor of compute at which the record alone decides.
const RECORD_ALONE: f64 = std::f64::consts::LN_2;

/// A law of the mixture.
#[derive(Debug, Clone)]
pub struct Member {
    /// The law and how sure its coefficients are.
    pub posterior: Posterior,
    /// Its weight among the laws beyond the runs, by its record; all sum to 1.
    pub weight: f64,
    /// Its weight among the runs, by how closely they lie about it; all sum to 1.
    pub inside: f64,
}

/// Several laws weighted by their record, and what the record says of how far they can be trusted.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The laws with their posteriors and weights.
    pub members: Vec<Member>,
    /// How noise grows away from the lowest loss of a compute, where it does.
    pub walls: Option<Walls>,
    /// The frontier through minima of budgets with its share in losses beyond the runs, which is largest at the lowest loss of a
    /// compute: that is its own, and what a run lies above it is the laws'. Of three or four budgets it has none.
    pub frontier: Option<(Frontier, Share)>,
    /// How laws and frontier are weighted in the optimum of a budget.
    pub optima: Optima,
    /// Errors at the rolling origins.
    pub origins: Vec<Origin>,
    /// How far forecasts go wrong, in ln of compute.
    pub drift: Drift,
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
        let knows = record.frontier.as_ref().is_some_and(Frontier::knows_losses);
        let share = if knows { Share::of(&record.origins, &weights, settings) } else { Share::NOTHING };
        let moved = |origin: &Origin| {
            let (bias, sampling) = error_of(origin, &weights, &share);
            Drift::square_per_e(bias, sampling, slope * origin.ln_factor)
        };
        let moved: Vec<f64> = record.origins.iter().map(moved).collect();
        let drift = Drift::learnt(settings.expected, settings.worth, &moved);
        let priors: Vec<f64> = record.laws.iter().map(|(law, _)| settings.priors[*law]).collect();
        let ahead: Vec<&[OptimumAhead]> = record.origins.iter().map(|one| one.optima.as_slice()).collect();
        let optima = Optima::of(&ahead, &priors, &weights, record.frontier.is_some(), settings);
        let inside = normalised(record.laws.iter().zip(&priors).map(|((_, one), prior)| prior / one.spread.powi(CLOSENESS)));
        let member = |((_, posterior), (weight, inside)): ((usize, Posterior), (f64, f64))| Member { posterior, weight, inside };
        Self {
            members: record.laws.into_iter().zip(weights.into_iter().zip(inside)).map(member).collect(),
            walls: record.walls,
            frontier: record.frontier.map(|frontier| (frontier, share)),
            optima,
            origins: record.origins,
            drift,
            largest: record.largest,
            slope,
        }
    }

    /// Mean error of ln L, forecast − found, over the runs above a cut, and its variance by noise and coefficients.
    pub fn error_at(&self, origin: &Origin) -> (f64, f64) {
        let weights: Vec<f64> = self.members.iter().map(|one| one.weight).collect();
        error_of(origin, &weights, self.frontier.as_ref().map_or(&Share::NOTHING, |(_, share)| share))
    }

    /// Root mean square error of ln L by the frontier below a cut over the runs above it, where there is one.
    pub fn frontier_rms(&self, origin: &Origin) -> Option<f64> {
        let weights: Vec<f64> = self.members.iter().map(|one| one.weight).collect();
        rms_of_frontier(origin, &weights)
    }

    /// Each law, and the frontier where there is one, with its weight in the lowest loss of a budget beyond the runs; all sum to 1.
    pub fn weights(&self) -> Vec<(&'static str, f64)> {
        let share = self.frontier.as_ref().filter(|(frontier, _)| frontier.knows_losses()).map(|(_, share)| share.at(0.0));
        let of_laws = self.members.iter().map(|one| (one.posterior.law.name(), (1.0 - share.unwrap_or(0.0)) * one.weight));
        of_laws.chain(share.map(|share| (FRONTIER, share))).collect()
    }

    /// Names and weights, the heaviest first, in words; `at_most` stands before the weight of the frontier.
    fn weights_text(&self, mut weights: Vec<(&'static str, f64)>, at_most: &str) -> String {
        weights.sort_by(|left, right| right.1.total_cmp(&left.1));
        let named = |(name, weight): &(&str, f64)| match (&self.frontier, *name) {
            (Some((frontier, _)), FRONTIER) => {
                format!("the IsoFLOP frontier ({} budgets) {at_most}{:.0} %", frontier.budgets, 100.0 * weight)
            }
            _ => format!("{name} {:.0} %", 100.0 * weight),
        };
        weights.iter().filter(|one| one.1 >= 0.005).map(named).collect::<Vec<_>>().join(", ")
    }

    /// In one line: which laws say where the optimum of a budget lies, and what they were held against.
    pub fn optima_text(&self) -> String {
        let names = self.members.iter().map(|one| one.posterior.law.name()).chain([FRONTIER]);
        let weights = self.weights_text(names.zip(self.optima.weights.iter().copied()).collect(), "");
        match self.optima.checked {
            0 => format!("{weights}; unchecked: no larger budget of these runs has an IsoFLOP minimum"),
            1 => format!("{weights}; checked against 1 larger budget of these runs"),
            checked => format!("{weights}; checked against larger budgets of these runs {checked} times"),
        }
    }

    /// N* of a compute, weights; `None` where no law of weight has one.
    pub fn optimal_params(&self, compute: f64, count: &ComputeCount) -> Option<Predictive> {
        let laws: Vec<&Posterior> = self.members.iter().map(|one| &one.posterior).collect();
        let said = said(&laws, self.frontier.as_ref().map(|(frontier, _)| frontier), compute, count);
        self.optima.at(&said, (compute / self.largest).ln().max(0.0))
    }

    /// The farthest factor of compute that the record spans; 1 without a record.
    pub fn spans(&self) -> f64 {
        self.origins.iter().map(|origin| origin.ln_factor.exp()).fold(1.0, f64::max)
    }

    /// In one line: which laws carry the weight, and what their record was.
    pub fn describe(&self) -> String {
        // The weight of the frontier is that at the lowest loss of a compute, and less above.
        format!("{}; {}", self.weights_text(self.weights(), "up to "), self.record())
    }

    /// How forecasts from smaller parts of the runs fared on the larger ones, in words.
    pub fn record(&self) -> String {
        if self.origins.is_empty() {
            return "unchecked: no smaller part of these runs is a design that laws can be fitted to".to_owned();
        }
        let bias = average(self.origins.iter().map(|origin| self.error_at(origin).0));
        let ([direction, worth], sign) = if bias > 0.0 { (["high", "more"], 1.0) } else { (["low", "less"], -1.0) };
        let compute = Some(100.0 * (bias / self.slope).exp_m1().abs()).filter(|compute| compute.is_finite());
        let percent = 100.0 * sign * bias.exp_m1();
        if !percent.is_finite() {
            return "unchecked: what a part of these runs forecasts is no number".to_owned();
        }
        let worth = compute.map_or(String::new(), |compute| format!(", equivalent to {compute:.0} % {worth} compute"));
        format!(
            "rolling-origin check at {}, up to {:.1}x: predictions {:.2} % too {direction} on average{worth}",
            cuts_in_words(self.origins.len()),
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
        if beyond && self.origins.is_empty() {
            return Some(format!("no record checks it: at {factor:.1}x the largest run the interval is what is expected of any runs"));
        }
        beyond.then(|| format!("the record reaches {:.1}x; at {factor:.1}x the largest run the interval follows its trend", self.spans()))
    }

    /// Standard deviation of a run at a point over that of one at the lowest loss of its compute.
    fn scale(&self, point: &Point) -> f64 {
        self.walls.as_ref().map_or(1.0, |walls| walls.scale(point))
    }

    /// ln of how far a point lies beyond the runs in compute; 0 among them.
    fn distance(&self, point: &Point) -> f64 {
        (point.c / self.largest).ln().max(0.0)
    }

    /// By how much the record decides at a point: not at all among the runs, alone from some way beyond them.
    fn by_record(&self, point: &Point) -> f64 {
        (self.distance(point) / RECORD_ALONE).min(1.0)
    }

    /// Weights of the laws at a point: of those inside the runs, then more and more of those by record.
    fn weights_at(&self, point: &Point) -> Vec<f64> {
        let record = self.by_record(point);
        normalised(self.members.iter().map(|one| one.inside.powf(1.0 - record) * one.weight.powf(record)))
    }

    /// What is said of the mean loss over runs at a point.
    pub fn mean_loss(&self, point: &Point) -> Predictive {
        let weights = self.weights_at(point);
        let told: Vec<(f64, f64)> = self.members.iter().map(|one| one.posterior.ln_loss(point)).collect();
        let weighted =
            |of: &dyn Fn(f64, f64) -> f64| weights.iter().zip(&told).map(|(weight, (ln_loss, se))| weight * of(*ln_loss, *se)).sum();
        let centre: f64 = weighted(&|ln_loss, _| ln_loss);
        let by_laws = Predictive {
            value: centre.exp(),
            noise: 0.0,
            statistics: weighted(&|_, se| se * se),
            between: weighted(&|ln_loss, _| (ln_loss - centre).powi(2)),
            discrepancy: (self.drift.per_e * self.slope * self.distance(point)).powi(2),
            degrees: self.drift.degrees,
        };
        self.with_frontier(&by_laws, point, &weights).unwrap_or(by_laws)
    }

    /// The same with the frontier, beyond the runs and where it knows losses.
    fn with_frontier(&self, by_laws: &Predictive, point: &Point, weights: &[f64]) -> Option<Predictive> {
        let (frontier, share) = self.frontier.as_ref().filter(|_| self.distance(point) > 0.0)?;
        let laws: Vec<&Posterior> = self.members.iter().map(|one| &one.posterior).collect();
        let said = ByFrontier::of(frontier, &laws, point)?.said(weights);
        let (centre, share) = (by_laws.value.ln(), share.at(said.rise) * self.by_record(point));
        let apart = said.ln_loss - centre;
        Some(Predictive {
            value: (centre + share * apart).exp(),
            statistics: (1.0 - share) * by_laws.statistics + share * said.statistics,
            between: (1.0 - share) * by_laws.between + share * said.between + share * (1.0 - share) * apart * apart,
            ..*by_laws
        })
    }

    /// What each law alone says of the loss of one run at a point: by how runs lie about it and how sure its coefficients are, with
    /// the degrees of freedom of them together.
    pub fn one_run_by_law(&self, point: &Point) -> Vec<(&'static str, Predictive)> {
        let alone = |Member { posterior, .. }: &Member| {
            let (ln_loss, se) = posterior.ln_loss(point);
            let (noise, statistics) = ((self.scale(point) * posterior.spread).powi(2), se * se);
            let said = Predictive { value: ln_loss.exp(), noise, statistics, between: 0.0, discrepancy: 0.0, degrees: self.drift.degrees };
            (posterior.law.name(), said)
        };
        self.members.iter().map(alone).collect()
    }

    /// What is said of the loss of one run at a point.
    pub fn one_run(&self, point: &Point) -> Predictive {
        let weights = self.weights_at(point);
        let noise: f64 = self.members.iter().zip(weights).map(|(one, weight)| weight * one.posterior.spread.powi(2)).sum();
        Predictive { noise: noise * self.scale(point).powi(2), ..self.mean_loss(point) }
    }
}

/// −d ln L/d ln C of a law at the best of the largest runs, N and D growing alike.
fn slope(law: &Posterior, points: &[Point], largest: f64) -> Option<f64> {
    let top = points.iter().filter(|p| p.c > largest / 1.5).min_by(|left, right| left.loss.total_cmp(&right.loss))?;
    let step = 0.1f64;
    let further = Point { n: top.n * (0.5 * step).exp(), d: top.d * (0.5 * step).exp(), ..top.clone() };
    Some((law.ln_loss(top).0 - law.ln_loss(&further).0) / step)
}
