//! Noise that grows up the walls of a valley: runs far above the lowest loss of their compute lie less closely about any law than those
//! near it, because laws miss more there and such runs train worse. Laws are fitted to runs by the weights that this gives them, and one
//! run is forecast with the noise of its own place.

use crate::fit::Posterior;
use crate::law::{ComputeCount, Law, Point};

/// Growths that are tried: standard deviation over that at the bottom, less one, in units of the rise of ln L (in squares).
const GROWTHS: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];
/// ln of the likelihood that growing noise must gain over noise that is everywhere the same.
const LEAST_GAIN: f64 = 3.0;

/// How noise grows with the rise of a place over the lowest loss of its compute.
#[derive(Debug, Clone)]
pub struct Walls {
    growth: f64,
    law: Law,
    count: ComputeCount,
}

impl Walls {
    /// By the residuals of a law fitted to runs as if all had the same noise, and again as noise was found; `None` where nothing speaks
    /// against the same noise, or the law gives computes no optimum.
    pub(super) fn of(form: &Law, points: &[Point]) -> Option<Self> {
        let first = Self::about(&Posterior::of(form, points).ok()?, points)?;
        Self::about(&Posterior::of(form, &first.weighted(points)).ok()?, points)
    }

    fn about(first: &Posterior, points: &[Point]) -> Option<Self> {
        let count = ComputeCount::of(points);
        let rises: Vec<f64> = points.iter().map(|run| rise(&first.law, &count, run)).collect::<Option<_>>()?;
        let residuals: Vec<f64> = points.iter().map(|run| run.weight.sqrt() * (run.loss.ln() - first.ln_loss(run).0)).collect();
        let likelihood = |growth: f64| {
            let scales: Vec<f64> = rises.iter().map(|rise| scale(growth, *rise)).collect();
            let scaled = residuals.iter().zip(&scales).map(|(residual, scale)| residual / scale);
            let bottom = Posterior::spread_of(scaled.collect());
            -(scales.iter().map(|scale| scale.ln()).sum::<f64>() + points.len() as f64 * bottom.ln())
        };
        let flat = likelihood(0.0);
        let (growth, best) = GROWTHS.map(|growth| (growth, likelihood(growth))).into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best - flat >= LEAST_GAIN).then(|| Self { growth, law: first.law.clone(), count })
    }

    /// Standard deviation of a run at a place over that of one at the bottom; 1 where the law knows no bottom.
    pub fn scale(&self, place: &Point) -> f64 {
        rise(&self.law, &self.count, place).map_or(1.0, |rise| scale(self.growth, rise))
    }

    /// The same runs, by as much less weight as they are noisier.
    pub(super) fn weighted(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|run| Point { weight: run.weight / self.scale(run).powi(2), ..run.clone() }).collect()
    }
}

fn scale(growth: f64, rise: f64) -> f64 {
    1.0f64.hypot(growth * rise)
}

/// ln L of a place over the lowest of its compute.
fn rise(law: &Law, count: &ComputeCount, place: &Point) -> Option<f64> {
    let rise = (law.at(place.n, place.d) / law.optimal_loss(place.c, count)).ln();
    rise.is_finite().then(|| rise.max(0.0))
}
