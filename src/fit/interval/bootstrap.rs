//! Refits to resampled runs or clusters (Efron 1979). Each refit has its own stream of random numbers, so results do
//! not depend on the number of threads, and each searches the basins anew: from every listed one and from a grid.

use crate::fit::objective::{Objective, Phi, ResidualLoss, Scan};
use crate::fit::search::{End, Grid, SMOOTHEST, settle};
use crate::fit::{Estimator, Interval, Resample};
use crate::law::Point;
use crate::spec::Random;
use rayon::prelude::*;

/// Newton steps of one refit.
const STEPS: usize = 60;

/// Which points are drawn together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clusters {
    /// Group of each point.
    pub(crate) of: Vec<usize>,
    /// Number of groups.
    pub(crate) count: usize,
    /// Whether any group holds several points by name.
    pub(crate) clustered: bool,
}

/// Clusters points by their clusters; a point without one stands alone.
pub(crate) fn clusters(points: &[Point], resample: Resample) -> Clusters {
    let mut of = Vec::with_capacity(points.len());
    let mut count = 0;
    let mut index: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for point in points {
        let group = match (&point.cluster, resample) {
            (Some(name), Resample::Auto | Resample::Clusters | Resample::Residuals) => *index.entry(name).or_insert_with(|| {
                count += 1;
                count - 1
            }),
            _ => {
                count += 1;
                count - 1
            }
        };
        of.push(group);
    }
    Clusters { of, count, clustered: count < points.len() }
}

/// Fewer clusters than this make a bootstrap over clusters too narrow (Cameron, Gelbach & Miller 2008).
pub(crate) const FEW_CLUSTERS: usize = 20;
/// From this many runs on refits to resampled runs cover under Huber's function too (LOG.md), whatever the noise.
const MANY_RUNS: usize = 100;

/// How intervals of refits are made.
pub(crate) fn drawing(clusters: &Clusters, estimator: Estimator, resample: Resample) -> Interval {
    let enough = if clusters.clustered { FEW_CLUSTERS } else { MANY_RUNS };
    let few = estimator != Estimator::LeastSquaresLog && clusters.count < enough;
    match resample {
        Resample::Residuals => Interval::ResidualBootstrap,
        Resample::Auto if few => Interval::ResidualBootstrap,
        _ if clusters.clustered => Interval::ClusterBootstrap,
        _ => Interval::Bootstrap,
    }
}

/// How many refits, and their seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

/// Refits in order; `None` where no search ended at a finite objective.
pub(crate) fn refits(sum: &Objective, clusters: &Clusters, estimator: Estimator, basins: &[Phi], draws: Draws) -> Vec<Option<End>> {
    let Draws { count, seed } = draws;
    let weights: Vec<f64> = sum.observed().into_iter().map(|(_, weight)| weight).collect();
    let refitter = Refitter::of(sum, estimator, basins);
    (0..count)
        .into_par_iter()
        .map(|refit| {
            let mut random = Random::new(seed, &format!("bootstrap {refit}"));
            let mut drawn = vec![0.0; clusters.count];
            (0..clusters.count).for_each(|_| drawn[random.below(clusters.count as u64) as usize] += 1.0);
            refitter.best(&sum.reweighted(|at| weights[at] * drawn[clusters.of[at]]))
        })
        .collect()
}

/// Basins of the coarse grid that a refit follows.
const BASINS: usize = 2;

/// What refits of one fit begin from.
pub(crate) struct Refitter<'a> {
    estimator: Estimator,
    basins: &'a [Phi],
    /// A coarse grid of exponents with the factors of the fit's own runs: near enough to those of a refit to tell where its
    /// basins are.
    grid: Grid,
}

impl<'a> Refitter<'a> {
    pub(crate) fn of(sum: &Objective, estimator: Estimator, basins: &'a [Phi]) -> Self {
        Self { estimator, basins, grid: Grid::of(sum, ResidualLoss::of(estimator, SMOOTHEST), Scan::Coarse) }
    }

    /// The lowest end of searches from the basins and from the basins of the grid.
    pub(crate) fn best(&self, sum: &Objective) -> Option<End> {
        let basins = self.grid.valued(sum, ResidualLoss::of(self.estimator, SMOOTHEST)).basins().take(BASINS);
        // A term that vanished for the fit's own runs begins where it can come back.
        lowest(sum, self.estimator, self.basins.iter().cloned().chain(basins.map(|phi| sum.lift_vanished_terms(phi))))
    }
}

/// The lowest end of searches from some starts.
pub(crate) fn lowest(sum: &Objective, estimator: Estimator, starts: impl Iterator<Item = Phi>) -> Option<End> {
    let free: Vec<usize> = (0..sum.dim()).collect();
    let ends = starts.map(|phi| settle(sum, estimator, phi, &free, STEPS)).filter(|end| end.value.is_finite());
    ends.min_by(|left, right| left.value.total_cmp(&right.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_cluster_are_drawn_together_and_others_alone() {
        let named = |name: Option<&str>| Point { cluster: name.map(str::to_owned), ..Point::new(1.0, 1.0, 1.0) };
        let points = [named(Some("a")), named(None), named(Some("b")), named(Some("a"))];
        assert_eq!(clusters(&points, Resample::Auto), Clusters { of: vec![0, 1, 2, 0], count: 3, clustered: true });
        assert_eq!(clusters(&points, Resample::Runs).count, 4);
    }

    #[test]
    fn few_runs_or_clusters_without_a_likelihood_draw_residuals() {
        let of = |count: usize, clustered: bool| Clusters { of: (0..count).collect(), count, clustered };
        let auto = |clusters: Clusters, estimator| drawing(&clusters, estimator, Resample::Auto);
        assert_eq!(auto(of(99, false), Estimator::default()), Interval::ResidualBootstrap);
        assert_eq!(auto(of(100, false), Estimator::default()), Interval::Bootstrap);
        assert_eq!(auto(of(19, true), Estimator::AbsoluteLog), Interval::ResidualBootstrap);
        assert_eq!(auto(of(20, true), Estimator::AbsoluteLog), Interval::ClusterBootstrap);
        assert_eq!(auto(of(30, false), Estimator::LeastSquaresLog), Interval::Bootstrap);
        assert_eq!(drawing(&of(30, false), Estimator::default(), Resample::Runs), Interval::Bootstrap);
    }
}
