//! The frontier as figures show it: N*, D* and L* at increasing compute, by the law or by several, with the optima of budgets and
//! what others published.

use super::Range;
use crate::fit::{Estimate, Fit, FittedLaw, IsoflopFit, Quantity};
use crate::law::{Chinchilla, ComputeCount, PUBLISHED, Point};
use crate::recommend::optimum_together;
use crate::spec::sample::extent;
use crate::spec::{LossUnit, SizeMeasure};
use crate::study::{Mixture, Study};

/// N*, D* and, where known, L* at one compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrontierPoint {
    /// C, FLOPs.
    pub compute: f64,
    /// N*, parameters.
    pub n: Range,
    /// D*, tokens.
    pub d: Range,
    /// L*, nats per token.
    pub loss: Option<Range>,
}

/// A published frontier to compare with, in the same units.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReferenceFrontier {
    /// Short name.
    pub(super) name: String,
    /// (C, N*, D*) at increasing compute.
    pub(super) points: Vec<(f64, f64, f64)>,
}

/// What the figure of the frontier shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Frontier {
    /// Minima of the IsoFLOP parabolas.
    pub(super) optima: Vec<FrontierPoint>,
    /// The frontier at increasing compute by the law, or by several; see [`frontier_of`], [`frontier_together`].
    pub(super) law: Vec<FrontierPoint>,
    /// Whether it is what several laws and the IsoFLOP minima recommend.
    pub(super) together: bool,
    /// Least and largest compute of the runs, FLOPs; outside it the law is dashed.
    pub(super) evidence: Option<(f64, f64)>,
    /// Published frontiers; leave them out where their units differ.
    pub(super) published: Vec<ReferenceFrontier>,
}

/// The frontier of a fitted law at `count` computes from `low` to `high` FLOPs, with the intervals that the fit prints at a level
/// of confidence.
pub fn frontier_of(fit: &Fit, level: f64, (low, high): (f64, f64), count: usize) -> Vec<FrontierPoint> {
    let computes = evenly((low, high), count);
    let counted = ComputeCount::of(&fit.evidence.points);
    let quantities: Vec<Quantity> = computes.iter().flat_map(|&compute| Quantity::optimum(compute, &counted)).collect();
    let found = fit.intervals(&quantities, level);
    computes.iter().zip(found.chunks(3)).map(|(&compute, found)| FrontierPoint::of(compute, found)).collect()
}

/// That of several laws, as it is recommended; nothing where none of weight has an optimum.
pub fn frontier_together(mixture: &Mixture, level: f64, runs: &[Point], range: (f64, f64), count: usize) -> Vec<FrontierPoint> {
    let counted = ComputeCount::of(runs);
    let at = |compute: f64| Some(FrontierPoint::of(compute, &optimum_together(mixture, level, &counted, compute)?));
    evenly(range, count).into_iter().filter_map(at).collect()
}

/// Computes at even ratios.
pub(super) fn evenly((low, high): (f64, f64), count: usize) -> Vec<f64> {
    (0..count).map(|i| low * ((high / low).ln() * i as f64 / count.saturating_sub(1).max(1) as f64).exp()).collect()
}

impl FrontierPoint {
    /// From N*, D* and L*.
    fn of(compute: f64, found: &[Estimate]) -> Self {
        Self { compute, n: Range::from(&found[0]), d: Range::from(&found[1]), loss: Some(Range::from(&found[2])) }
    }
}

/// The frontier of a published law for C = k·N·D.
pub(super) fn reference_frontier(name: &str, law: &Chinchilla, k: f64, (low, high): (f64, f64)) -> ReferenceFrontier {
    let count = ComputeCount::Bilinear { k };
    let points = [low, high].map(|c| (c, law.optimal_params(c, &count), law.optimal_tokens(c, &count))).to_vec();
    ReferenceFrontier { name: name.to_owned(), points }
}

/// Points of the frontier: a smooth curve in logarithms, of which each point costs three intervals.
const FRONTIER_POINTS: usize = 25;

impl Frontier {
    /// The frontier that is recommended over the evidence and well beyond, with the optima of the parabolas.
    pub(super) fn of(study: &Study, fit: &FittedLaw) -> Self {
        let points = &study.evidence.points;
        let (low, high) = extent(points.iter().map(|point| point.c)).expect("a law was fitted to runs");
        let shown = (low / 3.0, high * 1000.0);
        let comparable = study.evidence.size_measure == SizeMeasure::AsGiven && study.evidence.loss_unit == LossUnit::Nats;
        let published = PUBLISHED.iter().filter(|_| comparable).map(|law| reference_frontier(law.name, &law.law, 6.0, shown)).collect();
        let together = study.mixture().map(|mixture| frontier_together(mixture, fit.level, points, shown, FRONTIER_POINTS));
        let together = together.filter(|points| !points.is_empty());
        Self {
            optima: study.isoflop.as_ref().map(optima).unwrap_or_default(),
            together: together.is_some(),
            law: together.unwrap_or_else(|| frontier_of(fit, fit.level, shown, FRONTIER_POINTS)),
            evidence: Some((low, high)),
            published,
        }
    }
}

fn optima(fit: &IsoflopFit) -> Vec<FrontierPoint> {
    let range = |estimate: &Estimate| Range::from(estimate);
    fit.profiles
        .iter()
        .map(|profile| FrontierPoint { compute: profile.compute, n: range(&profile.params), d: range(&profile.tokens), loss: None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_the_interval_that_a_fit_prints() {
        use crate::fit::{Estimator, FitOptions, Search, fit};
        use crate::law::{Additive, Design, Evidence, Noise, simulate};
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.003, cluster: 0.0 }, 4));
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 40, ..FitOptions::default() };
        let fitted = fit(&Additive.into(), evidence, &options).expect("a fit").at(0.95).expect("a level");
        let band = frontier_of(&fitted, 0.95, (1e18, 1e21), 4);
        let printed = fitted.intervals(&Quantity::optimum(band[3].compute, &ComputeCount::Bilinear { k: 6.0 }), 0.95);
        assert_eq!(printed[0].method(), "profile");
        let shown = [band[3].n, band[3].d, band[3].loss.expect("a law has a loss")];
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        for (shown, printed) in shown.iter().zip(&printed) {
            assert!(close(shown.value, printed.value) && close(shown.low, printed.low()) && close(shown.high, printed.high()), "{shown:?}");
        }
        // The cloud's cross is that of the table of coefficients.
        let cloud = super::super::exponents::ExponentCloud::of(&fitted).expect("two exponents");
        assert_eq!(cloud.alpha, Range::from(fitted.coefficients.get("alpha").expect("fitted")));
    }

    #[test]
    fn the_band_of_several_laws_is_what_they_recommend() {
        use crate::fit::{Estimator, FitOptions, Search, fit};
        use crate::law::{Additive, Design, Evidence, Noise, simulate};
        use crate::recommend::{Known, allocate};
        let design = Design::isoflop(&[1e17, 3e17, 1e18, 3e18, 1e19], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.003, cluster: 0.0 }, 4));
        let mixture = Mixture::of(&evidence).expect("a design");
        let band = frontier_together(&mixture, 0.95, &evidence.points, (1e18, 1e21), 4);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let fitted = fit(&Additive.into(), evidence, &options).expect("a fit");
        let known = Known { mixture: Some(&mixture), ..Known::default() };
        assert_eq!(band.len(), 4);
        for point in band {
            let one = allocate(&fitted, 0.95, &known, crate::spec::Flops(point.compute));
            assert_eq!([point.n, point.d], [Range::from(&one.params), Range::from(&one.tokens)]);
            assert_eq!(point.loss, Some(Range::from(&one.loss)));
        }
    }
}
