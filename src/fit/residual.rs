//! The residual bootstrap (Efron 1979; Davison & Hinkley 1997 §6.2.3) for estimators without a likelihood. Runs keep their
//! places, and their losses are drawn anew: the law's prediction and residuals taken at random. Drawing runs instead gives
//! an estimator that all but passes through as many points as it has coefficients (Huber's with a small δ, the absolute
//! deviation) some dozen distinct runs for five coefficients, and intervals that are too wide (LOG.md).
//!
//! Two corrections make it cover where runs are few. The residuals that such a fit has set to zero say nothing of the
//! noise and are not drawn. And noise is as uncertain as its sample is small: each draw is scaled so that its own
//! residuals, after a refit, have the size of those found, and refitted again, as Student's t does for squares.
//! Runs that share a trunk share a second residual, as large as their own: the working model of [`super::robust`].

use super::Estimator;
use super::bootstrap::{Groups, best};
use super::newton::End;
use super::objective::{Objective, Phi};
use super::varpro::settle;
use crate::spec::Random;
use rayon::prelude::*;

/// Newton steps of the second refit of a draw.
const STEPS: usize = 60;

/// Refits in order; `None` where no search ended at a finite objective, or where no residual is left to draw.
pub(crate) fn residual_refits(
    sum: &impl Objective,
    groups: &Groups,
    estimator: Estimator,
    basins: &[Phi],
    count: usize,
    seed: u64,
) -> Vec<Option<End>> {
    let Some(found) = basins.first().map(|best| Found::of(sum, estimator, best)) else { return vec![None; count] };
    let refit = |at: usize| {
        let mut random = Random::new(seed, &format!("residual {at}"));
        let noise = found.noise(groups, &mut random);
        let first_losses = found.losses(&noise, 1.0);
        let first_sum = sum.with_ln_losses(&first_losses);
        let first = best(&first_sum, estimator, basins)?;
        let size = size_of(&first_losses, &first_sum.ln_predictions(&first.phi), &found.weights);
        if !(size > 0.0 && found.size > 0.0) {
            return Some(first);
        }
        let scaled = sum.with_ln_losses(&found.losses(&noise, found.size / size));
        let free: Vec<usize> = (0..sum.dim()).collect();
        let ends = [first.phi, basins[0]].map(|phi| settle(&scaled, estimator, phi, &free, STEPS));
        ends.into_iter().filter(|end| end.value.is_finite()).min_by(|left, right| left.value.total_cmp(&right.value))
    };
    if found.pool.is_empty() { vec![None; count] } else { (0..count).into_par_iter().map(refit).collect() }
}

/// A fit as the draws see it.
struct Found {
    predicted: Vec<f64>,
    weights: Vec<f64>,
    /// Residuals of ln L times √weight that are drawn.
    pool: Vec<f64>,
    /// Mean size of all residuals, likewise.
    size: f64,
}

impl Found {
    fn of(sum: &impl Objective, estimator: Estimator, best: &Phi) -> Self {
        let predicted = sum.ln_predictions(best);
        let (losses, weights): (Vec<f64>, Vec<f64>) = sum.observed().into_iter().unzip();
        let size = size_of(&losses, &predicted, &weights);
        let mut pool: Vec<f64> =
            losses.iter().zip(&predicted).zip(&weights).map(|((loss, ln), weight)| weight.sqrt() * (loss - ln)).collect();
        pool.sort_by(|left, right| left.abs().total_cmp(&right.abs()));
        let interpolated = match estimator {
            Estimator::HuberLog { .. } | Estimator::AbsoluteLog => sum.dim(),
            Estimator::LeastSquaresLog | Estimator::LeastSquares => 0,
        };
        // With no more runs than coefficients nothing is known of the noise.
        let pool = if pool.len() > sum.dim() { pool.split_off(interpolated) } else { Vec::new() };
        Self { predicted, weights, pool, size }
    }

    /// Noise of ln L of every run.
    fn noise(&self, groups: &Groups, random: &mut Random) -> Vec<f64> {
        let mut draw = || self.pool[random.below(self.pool.len() as u64) as usize];
        let members = |group: usize| groups.of.iter().filter(|&&of| of == group).count();
        let common: Vec<f64> =
            if groups.clustered { (0..groups.count).map(|group| if members(group) > 1 { draw() } else { 0.0 }).collect() } else { vec![] };
        let of_run = |(weight, &group): (&f64, &usize)| (draw() + common.get(group).copied().unwrap_or(0.0)) / weight.sqrt();
        self.weights.iter().zip(&groups.of).map(of_run).collect()
    }

    fn losses(&self, noise: &[f64], factor: f64) -> Vec<f64> {
        self.predicted.iter().zip(noise).map(|(ln, noise)| ln + factor * noise).collect()
    }
}

/// Mean of √weight·|ln L − ln prediction|.
fn size_of(losses: &[f64], predicted: &[f64], weights: &[f64]) -> f64 {
    losses.iter().zip(predicted).zip(weights).map(|((loss, ln), weight)| weight.sqrt() * (loss - ln).abs()).sum::<f64>()
        / losses.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::bootstrap::groups;
    use crate::fit::objective::Fittable;
    use crate::fit::{Resample, varpro::varpro};
    use crate::law::{Axis, Point, PowerLaw};
    use crate::spec::Random;

    /// Runs about ln L = 0.5 − 0.1·ln x by least squares of log loss, where theory is exact: a straight line.
    fn line(noise: f64) -> Vec<Point> {
        let mut random = Random::new(3, "line");
        let at = |i: i32| (20.0 + 0.5 * f64::from(i), noise * random.normal());
        (0..12).map(at).map(|(ln_n, noise)| Point::new(ln_n.exp(), 1e9, (0.5 - 0.1 * ln_n + noise).exp())).collect()
    }

    #[test]
    fn on_a_straight_line_draws_spread_as_students_t_says() {
        let points = line(0.01);
        let sum = PowerLaw::form(Axis::N, false).lay_out(&points);
        let estimator = Estimator::LeastSquaresLog;
        let best = varpro(&sum, estimator, crate::fit::objective::Grid::Fine)[0];
        let found = residual_refits(&sum, &groups(&points, Resample::Auto), estimator, &[best.phi], 2000, 0);
        let slopes: Vec<f64> = found.iter().flatten().map(|end| sum.to_theta(&end.phi)[1]).collect();
        let centre = sum.to_theta(&best.phi)[1];
        let spread = (slopes.iter().map(|slope| (slope - centre).powi(2)).sum::<f64>() / slopes.len() as f64).sqrt();
        // s.e. of a slope: √(RSS/(n − 2))/√Σ(x − x̄)², times √(ν/(ν − 2)) of Student's t with ν = 10.
        let (mean, ln) = (20.0 + 0.5 * 5.5, |i: usize| 20.0 + 0.5 * i as f64);
        let across: f64 = (0..12).map(|i| (ln(i) - mean).powi(2)).sum();
        let expected = (best.value / 10.0 / across).sqrt() * (10.0f64 / 8.0).sqrt();
        // 2000 draws know a spread to 1.6 %; twelve residuals are not normal.
        assert!((spread / expected - 1.0).abs() < 0.1, "{spread} {expected}");
    }

    #[test]
    fn no_more_runs_than_coefficients_leave_nothing_to_draw() {
        let points = &line(0.01)[..2];
        let sum = PowerLaw::form(Axis::N, false).lay_out(points);
        let best = varpro(&sum, Estimator::default(), crate::fit::objective::Grid::Fine)[0];
        let found = residual_refits(&sum, &groups(points, Resample::Auto), Estimator::default(), &[best.phi], 30, 0);
        assert!(found.iter().all(Option::is_none) && found.len() == 30);
    }
}
