//! How often what is printed would hold on a design, whatever its runs follow, by simulation: the additive law alone is the family that
//! it fits, and an interval that holds there says nothing of runs that follow another.

use super::predictive::Mixture;
use super::truths::Truth;
use crate::fit::{Estimate, Estimator, FitOptions, Quantity, Search, SelftestOptions, fit};
use crate::law::{Additive, Cell, ComputeCount, Design, Evidence, Law, Point, simulate_with};
use crate::spec::sample::{mean, median};
use rayon::prelude::*;
use serde::Serialize;

/// How intervals fare at one factor of compute beyond a design where runs follow one truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trust {
    /// What the runs follow, in words.
    pub truth: String,
    /// Whether the runs can show it.
    pub shows: bool,
    /// Compute over the largest of the design.
    pub factor: f64,
    /// The run that is forecast: C, FLOPs.
    pub compute: f64,
    /// Its N, parameters.
    pub params: f64,
    /// Its D, tokens.
    pub tokens: f64,
    /// The interval of the loss of one run.
    pub one_run: HeldByRule,
    /// The interval of N* at that compute.
    pub optimum: HeldByRule,
}

/// How the intervals of one quantity fare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeldByRule {
    /// By several laws together, which is what is printed; absent where the design is none for them.
    pub together: Option<Held>,
    /// By the additive law alone, which is what `--law chinchilla` prints.
    pub alone: Option<Held>,
}

/// How many intervals hold what they are about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Held {
    /// Simulations with an interval.
    pub simulations: usize,
    /// Part of them that hold.
    pub coverage: f64,
    /// Median of upper over lower end, less one; infinite (null) where half have an end less.
    pub width: f64,
}

/// Factors of compute beyond the design.
pub const FACTORS: [f64; 3] = [2.0, 4.0, 10.0];
/// Runs that each interval of one run is held against.
const AHEAD: usize = 100;

/// Draws runs of a design from each truth and asks each interval whether it holds runs of that truth, and its optimum, at every factor
/// of compute in [`FACTORS`]; runs there have the best size under the law `options.truth`. `told` hears of each simulation.
pub fn trust(design: &Design, truths: &[Truth], options: &SelftestOptions, told: &(dyn Fn() + Sync)) -> Vec<Trust> {
    let ahead = places(design, &options.truth.into());
    let jobs: Vec<(&Truth, usize)> = truths.iter().flat_map(|truth| (0..options.simulations).map(move |number| (truth, number))).collect();
    let simulation = |&(truth, number): &(&Truth, usize)| {
        let scores = simulated(design, truth, &ahead, options, number as u64);
        told();
        scores
    };
    let scored: Vec<Vec<[Score; 2]>> = jobs.par_iter().map(simulation).collect();
    let of_truth = |(truth, scored): (&Truth, &[Vec<[Score; 2]>])| {
        let at = |place: usize| row(truth, &ahead[place], &scored.iter().map(|one| one[place]).collect::<Vec<_>>());
        (0..ahead.len()).map(at).collect::<Vec<_>>()
    };
    truths.iter().zip(scored.chunks(options.simulations.max(1))).flat_map(of_truth).collect()
}

/// A place beyond the design, and how compute is counted there.
struct Ahead {
    factor: f64,
    place: Point,
    count: ComputeCount,
}

fn places(design: &Design, law: &Law) -> Vec<Ahead> {
    let points: Vec<Point> = design.cells.iter().map(|cell| Point { c: cell.c, ..Point::new(cell.n, cell.d, 1.0) }).collect();
    let count = ComputeCount::of(&points);
    let largest = points.iter().map(|p| p.c).fold(0.0, f64::max);
    let at = |factor: f64| {
        let compute = factor * largest;
        let n = law.optimal_params(compute, &count);
        Ahead { factor, place: Point { c: compute, ..Point::new(n, count.tokens(n, compute), 1.0) }, count: count.clone() }
    };
    FACTORS.map(at).into()
}

/// What is said at a place: ends of the intervals of one run and of N*.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    one_run: Option<[f64; 2]>,
    optimum: Option<[f64; 2]>,
}

/// How it fared: the part that each interval holds, and upper over lower end, less one.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    one_run: Option<(f64, f64)>,
    optimum: Option<(f64, f64)>,
}

/// One simulation: by several laws and by one, at every place.
fn simulated(design: &Design, truth: &Truth, ahead: &[Ahead], options: &SelftestOptions, number: u64) -> Vec<[Score; 2]> {
    let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
    let evidence = Evidence::as_given(simulate_with(&truth.runs, design, options.noise, options.tails, seed));
    let together = by_several_laws(&evidence, ahead, options.level);
    let alone = by_one_law(evidence, ahead, options.level);
    let at = |(one, said): (&Ahead, [Said; 2])| {
        let (runs, optimum) = (runs_of(truth, one, options, seed), truth.ahead.optimal_params(one.place.c, &one.count));
        said.map(|said| Score {
            one_run: said.one_run.map(|ends| score(ends, &runs)),
            optimum: said.optimum.map(|ends| score(ends, &[optimum])),
        })
    };
    ahead.iter().zip(together.into_iter().zip(alone).map(|(together, alone)| [together, alone])).map(at).collect()
}

fn by_several_laws(evidence: &Evidence, ahead: &[Ahead], level: f64) -> Vec<Said> {
    let mixture = Mixture::of(evidence);
    let at = |one: &Ahead| {
        let mixture = mixture.as_ref()?;
        let optimum = mixture.optimal_params(one.place.c, &one.count).map(|said| said.interval(level));
        Some(Said { one_run: Some(mixture.one_run(&one.place).interval(level)), optimum })
    };
    ahead.iter().map(|one| at(one).unwrap_or_default()).collect()
}

/// As `--law chinchilla` says it under least squares of log loss: the residuals beside the interval of the mean.
fn by_one_law(evidence: Evidence, ahead: &[Ahead], level: f64) -> Vec<Said> {
    let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    let Ok(fit) = fit(&Additive.into(), evidence, &options) else { return vec![Said::default(); ahead.len()] };
    let asked: Vec<Quantity> =
        ahead.iter().flat_map(|one| [Quantity::loss_at("loss", one.place.clone()), Quantity::params(one.place.c, &one.count)]).collect();
    let ends = |one: Estimate| one.uncertainty.map(|known| [known.low, known.high]);
    let said = |two: &[Estimate]| Said { one_run: ends(two[0].of_new_run(fit.residual_spread())), optimum: ends(two[1]) };
    fit.intervals(&asked, level).chunks(2).map(said).collect()
}

/// Losses of runs at a place, each of a cluster of its own.
fn runs_of(truth: &Truth, ahead: &Ahead, options: &SelftestOptions, seed: u64) -> Vec<f64> {
    let cell =
        |number: usize| Cell { n: ahead.place.n, d: ahead.place.d, c: ahead.place.c, budget: None, cluster: Some(number.to_string()) };
    let cells = Design { name: "ahead".into(), cells: (0..AHEAD).map(cell).collect() };
    // Not the noise of the runs that were fitted.
    let points = simulate_with(&truth.ahead, &cells, options.noise, options.tails, !seed);
    points.into_iter().map(|point| point.loss).collect()
}

fn score([low, high]: [f64; 2], values: &[f64]) -> (f64, f64) {
    let inside = values.iter().filter(|value| (low..=high).contains(*value)).count();
    (inside as f64 / values.len() as f64, high / low.max(0.0) - 1.0)
}

fn row(truth: &Truth, ahead: &Ahead, scores: &[[Score; 2]]) -> Trust {
    let told = |of: fn(&Score) -> Option<(f64, f64)>| {
        let by = |which: usize| Held::of(&scores.iter().filter_map(|one| of(&one[which])).collect::<Vec<_>>());
        HeldByRule { together: by(0), alone: by(1) }
    };
    Trust {
        truth: truth.name.clone(),
        shows: truth.shows,
        factor: ahead.factor,
        compute: ahead.place.c,
        params: ahead.place.n,
        tokens: ahead.place.d,
        one_run: told(|score| score.one_run),
        optimum: told(|score| score.optimum),
    }
}

impl Held {
    /// Whether fewer intervals hold than would by chance in one of forty sets of simulations, were their level right.
    pub fn falls_short_of(&self, level: f64) -> bool {
        let error = (level * (1.0 - level) / self.simulations.max(1) as f64).sqrt();
        self.coverage < level - 2.0 * error
    }

    fn of(scores: &[(f64, f64)]) -> Option<Self> {
        Some(Self {
            simulations: scores.len(),
            coverage: mean(scores.iter().map(|score| score.0))?,
            width: median(scores.iter().map(|score| score.1))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_simulations_refute_an_interval_only_by_much() {
        let held = |simulations, coverage| Held { simulations, coverage, width: 1.0 };
        assert!(!held(10, 0.85).falls_short_of(0.95), "two errors of ten simulations are 14 of 100");
        assert!(held(10, 0.8).falls_short_of(0.95) && held(1000, 0.93).falls_short_of(0.95));
    }
}
