//! The residual bootstrap (Efron 1979; Davison & Hinkley 1997 §6.2.3) for estimators without a likelihood. Runs keep their
//! places, and their losses are drawn anew: the law's prediction and residuals taken at random. Drawing runs instead gives
//! an estimator that all but passes through as many points as it has coefficients (Huber's with a small δ, the absolute
//! deviation) some dozen distinct runs for five coefficients, and intervals that are too wide (LOG.md).
//!
//! Where runs are few residuals are smaller than the noise that they are left of. Those that such an estimator has set to
//! all but zero, one for each coefficient, say nothing of the noise and are not drawn; those of least squares are drawn
//! √(n/(n − p)) times as large. Runs that share a trunk share a second residual, as large as their own: the working model
//! of [`super::sandwich`], under which residuals hold both and are drawn smaller for it.

use super::bootstrap::{Clusters, Draws, Refitter};
use crate::fit::Estimator;
use crate::fit::linear::least_squares;
use crate::fit::objective::{Objective, Phi};
use crate::fit::search::End;
use crate::spec::Random;
use rayon::prelude::*;

/// Refits in order; `None` where no search ended at a finite objective, or where no residual is left to draw.
pub(crate) fn residual_refits(
    sum: &Objective,
    clusters: &Clusters,
    estimator: Estimator,
    basins: &[Phi],
    draws: Draws,
) -> Vec<Option<End>> {
    let Draws { count, seed } = draws;
    let Some(found) = basins.first().map(|best| Found::of(sum, clusters, estimator, best)) else { return vec![None; count] };
    let refitter = Refitter::of(sum, estimator, basins);
    let refit = |at: usize| {
        let mut random = Random::new(seed, &format!("residual {at}"));
        refitter.best(&sum.with_ln_losses(&found.losses(clusters, &mut random)))
    };
    if found.is_empty() { vec![None; count] } else { (0..count).into_par_iter().map(refit).collect() }
}

/// Fewest residuals beyond one for each coefficient that intervals are made of: of fewer they may hold a single one.
pub(crate) const LEAST: usize = 5;

/// A fit as the draws see it.
pub(crate) struct Found {
    predicted: Vec<f64>,
    weights: Vec<f64>,
    /// Residuals of ln L times √weight that are drawn.
    pool: Vec<f64>,
}

impl Found {
    pub(crate) fn of(sum: &Objective, clusters: &Clusters, estimator: Estimator, best: &Phi) -> Self {
        let predicted = sum.ln_predictions(best);
        let (losses, weights): (Vec<f64>, Vec<f64>) = sum.observed().into_iter().unzip();
        let residual = |((loss, ln), weight): ((&f64, &f64), &f64)| weight.sqrt() * (loss - ln);
        let mut pool: Vec<f64> = losses.iter().zip(&predicted).zip(&weights).map(residual).collect();
        let (n, p) = (pool.len(), sum.dim());
        if n < p + LEAST {
            // Next to nothing is known of the noise.
            pool.clear();
        } else if matches!(estimator, Estimator::HuberLog { .. } | Estimator::AbsoluteLog) {
            pool.sort_by(|left, right| left.abs().total_cmp(&right.abs()));
            pool.drain(..p);
        } else {
            let larger = (n as f64 / (n - p) as f64).sqrt();
            pool.iter_mut().for_each(|residual| *residual *= larger);
        }
        if clusters.clustered && !pool.is_empty() {
            let smaller = share_of_runs(sum, clusters, best, &weights).sqrt();
            pool.iter_mut().for_each(|residual| *residual *= smaller);
        }
        Self { predicted, weights, pool }
    }

    /// Whether no residual is left to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.pool.is_empty()
    }

    /// ln L of every run, drawn anew.
    pub(crate) fn losses(&self, clusters: &Clusters, random: &mut Random) -> Vec<f64> {
        let mut draw = || self.pool[random.below(self.pool.len() as u64) as usize];
        let mut members = vec![0; clusters.count];
        clusters.of.iter().for_each(|&group| members[group] += 1);
        let common: Vec<f64> = members.iter().map(|&members| if members > 1 { draw() } else { 0.0 }).collect();
        let of_run = |((ln, weight), &group): ((&f64, &f64), &usize)| ln + (draw() + common[group]) / weight.sqrt();
        self.predicted.iter().zip(&self.weights).zip(&clusters.of).map(of_run).collect()
    }
}

/// What part of the mean square of residuals is noise of the runs themselves, where clusters share as much again: the fit
/// leaves n − p of n squares of the one, and of the other Σ over clusters of m − 1ᵀH1, H the projection on the law's slopes.
fn share_of_runs(sum: &Objective, clusters: &Clusters, best: &Phi, weights: &[f64]) -> f64 {
    let (n, p) = (weights.len(), sum.dim());
    let rows: Vec<Vec<f64>> = sum.jacobian(best).iter().map(|row| row.to_vec()).collect();
    let Some(line) = least_squares(&rows, &vec![0.0; n], weights) else { return 1.0 };
    let mut each = vec![(0.0, vec![0.0; p]); clusters.count];
    for ((row, weight), &group) in rows.iter().zip(weights).zip(&clusters.of) {
        let (members, slopes) = &mut each[group];
        *members += 1.0;
        slopes.iter_mut().zip(row).for_each(|(sum, slope)| *sum += weight.sqrt() * slope);
    }
    let taken = |slopes: &[f64]| -> f64 {
        let along = |row: &Vec<f64>| row.iter().zip(slopes).map(|(a, b)| a * b).sum::<f64>();
        line.inverse.iter().zip(slopes).map(|(row, slope)| slope * along(row)).sum()
    };
    let shared: f64 = each.iter().filter(|(members, _)| *members > 1.0).map(|(members, slopes)| members - taken(slopes)).sum();
    let own = (n - p) as f64;
    own / (own + shared.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Resample;
    use crate::fit::interval::clusters;
    use crate::fit::objective::Scan;
    use crate::fit::search::varpro;
    use crate::law::{Axis, Law, Point, PowerLaw};
    use crate::spec::Random;

    fn line_form() -> Law {
        PowerLaw { axis: Axis::N, floor: false }.into()
    }

    /// Runs about ln L = 0.5 − 0.1·ln x by least squares of log loss, where theory is exact: a straight line.
    fn line(noise: f64) -> Vec<Point> {
        let mut random = Random::new(3, "line");
        let at = |i: i32| (20.0 + 0.5 * f64::from(i), noise * random.normal());
        (0..12).map(at).map(|(ln_n, noise)| Point::new(ln_n.exp(), 1e9, (0.5 - 0.1 * ln_n + noise).exp())).collect()
    }

    #[test]
    fn on_a_straight_line_draws_spread_as_theory_says() {
        let points = line(0.01);
        let sum = Objective::new(&line_form(), &points);
        let estimator = Estimator::LeastSquaresLog;
        let best = varpro(&sum, estimator, Scan::Fine).remove(0);
        let found = residual_refits(
            &sum,
            &clusters(&points, Resample::Auto),
            estimator,
            std::slice::from_ref(&best.phi),
            Draws { count: 2000, seed: 0 },
        );
        let slopes: Vec<f64> = found.iter().flatten().map(|end| sum.to_theta(&end.phi)[1]).collect();
        let centre = sum.to_theta(&best.phi)[1];
        let spread = (slopes.iter().map(|slope| (slope - centre).powi(2)).sum::<f64>() / slopes.len() as f64).sqrt();
        // s.e. of a slope: √(RSS/(n − 2))/√Σ(x − x̄)².
        let (mean, ln) = (20.0 + 0.5 * 5.5, |i: usize| 20.0 + 0.5 * i as f64);
        let across: f64 = (0..12).map(|i| (ln(i) - mean).powi(2)).sum();
        let expected = (best.value / 10.0 / across).sqrt();
        // 2000 draws know a spread to 1.6 %, and residuals about a line have mean zero: five standard errors.
        assert!((spread / expected - 1.0).abs() < 0.08, "{spread} {expected}");
    }

    #[test]
    fn clusters_that_differ_in_size_alone_share_what_the_law_leaves_of_them() {
        // Six sizes, four runs each, of A/N^α: both slopes are constant in a cluster, so H takes 2·4 of Σ m = 24.
        let at = |i: u32| Point { cluster: Some((i / 4).to_string()), ..Point::new(f64::from(1 + i / 4), 1.0, 2.0 + f64::from(i % 3)) };
        let points: Vec<Point> = (0..24).map(at).collect();
        let sum = Objective::new(&line_form(), &points);
        let share = share_of_runs(&sum, &clusters(&points, Resample::Auto), &sum.to_phi(&[3.0, 0.1]), &[1.0; 24]);
        assert!((share - 22.0 / (22.0 + 16.0)).abs() < 1e-9, "{share}");
    }

    #[test]
    fn hardly_more_runs_than_coefficients_leave_nothing_to_draw() {
        let points = &line(0.01)[..6];
        let sum = Objective::new(&line_form(), points);
        let best = varpro(&sum, Estimator::default(), Scan::Fine).remove(0);
        let found =
            residual_refits(&sum, &clusters(points, Resample::Auto), Estimator::default(), &[best.phi], Draws { count: 30, seed: 0 });
        assert!(found.iter().all(Option::is_none) && found.len() == 30);
    }
}
