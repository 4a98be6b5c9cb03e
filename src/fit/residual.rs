//! The residual bootstrap (Efron 1979; Davison & Hinkley 1997 §6.2.3) for estimators without a likelihood. Runs keep their
//! places, and their losses are drawn anew: the law's prediction and residuals taken at random. Drawing runs instead gives
//! an estimator that all but passes through as many points as it has coefficients (Huber's with a small δ, the absolute
//! deviation) some dozen distinct runs for five coefficients, and intervals that are too wide (LOG.md).
//!
//! Where runs are few residuals are smaller than the noise that they are left of. Those that such an estimator has set to
//! all but zero, one for each coefficient, say nothing of the noise and are not drawn; those of least squares are drawn
//! √(n/(n − p)) times as large. Runs that share a trunk share a second residual, as large as their own: the working model
//! of [`super::robust`].

use super::Estimator;
use super::bootstrap::{Groups, best};
use super::newton::End;
use super::objective::{Objective, Phi};
use crate::spec::Random;
use rayon::prelude::*;

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
        best(&sum.with_ln_losses(&found.losses(groups, &mut random)), estimator, basins)
    };
    if found.is_empty() { vec![None; count] } else { (0..count).into_par_iter().map(refit).collect() }
}

/// A fit as the draws see it.
pub(super) struct Found {
    predicted: Vec<f64>,
    weights: Vec<f64>,
    /// Residuals of ln L times √weight that are drawn.
    pool: Vec<f64>,
}

impl Found {
    pub(super) fn of(sum: &impl Objective, estimator: Estimator, best: &Phi) -> Self {
        let predicted = sum.ln_predictions(best);
        let (losses, weights): (Vec<f64>, Vec<f64>) = sum.observed().into_iter().unzip();
        let residual = |((loss, ln), weight): ((&f64, &f64), &f64)| weight.sqrt() * (loss - ln);
        let mut pool: Vec<f64> = losses.iter().zip(&predicted).zip(&weights).map(residual).collect();
        let (n, p) = (pool.len(), sum.dim());
        if n <= p {
            // Nothing is known of the noise.
            pool.clear();
        } else if matches!(estimator, Estimator::HuberLog { .. } | Estimator::AbsoluteLog) {
            pool.sort_by(|left, right| left.abs().total_cmp(&right.abs()));
            pool.drain(..p);
        } else {
            let larger = (n as f64 / (n - p) as f64).sqrt();
            pool.iter_mut().for_each(|residual| *residual *= larger);
        }
        Self { predicted, weights, pool }
    }

    /// Whether no residual is left to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.pool.is_empty()
    }

    /// ln L of every run, drawn anew.
    pub(super) fn losses(&self, groups: &Groups, random: &mut Random) -> Vec<f64> {
        let mut draw = || self.pool[random.below(self.pool.len() as u64) as usize];
        let mut members = vec![0; groups.count];
        groups.of.iter().for_each(|&group| members[group] += 1);
        let common: Vec<f64> = members.iter().map(|&members| if members > 1 { draw() } else { 0.0 }).collect();
        let of_run = |((ln, weight), &group): ((&f64, &f64), &usize)| ln + (draw() + common[group]) / weight.sqrt();
        self.predicted.iter().zip(&self.weights).zip(&groups.of).map(of_run).collect()
    }
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
    fn on_a_straight_line_draws_spread_as_theory_says() {
        let points = line(0.01);
        let sum = PowerLaw::form(Axis::N, false).lay_out(&points);
        let estimator = Estimator::LeastSquaresLog;
        let best = varpro(&sum, estimator, crate::fit::objective::Grid::Fine)[0];
        let found = residual_refits(&sum, &groups(&points, Resample::Auto), estimator, &[best.phi], 2000, 0);
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
    fn no_more_runs_than_coefficients_leave_nothing_to_draw() {
        let points = &line(0.01)[..2];
        let sum = PowerLaw::form(Axis::N, false).lay_out(points);
        let best = varpro(&sum, Estimator::default(), crate::fit::objective::Grid::Fine)[0];
        let found = residual_refits(&sum, &groups(points, Resample::Auto), Estimator::default(), &[best.phi], 30, 0);
        assert!(found.iter().all(Option::is_none) && found.len() == 30);
    }
}
