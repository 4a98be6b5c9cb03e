//! What is read off a curve: levels, noise, the course of the rate. Losses in nats per token, steps from 1.

use crate::spec::sample::{extent, median};
use crate::spec::{CurvePoint, RunRecord};

/// Fewest points of a curve that say anything.
pub const FEWEST_POINTS: usize = 20;

/// A curve prepared for the rules.
pub(super) struct CurveFeatures<'a> {
    /// (step, training loss) where it was measured.
    pub(super) losses: Vec<(f64, f64)>,
    /// The same, each loss the median of five neighbours.
    pub(super) smooth: Vec<(f64, f64)>,
    /// (step, norm of the gradient).
    pub(super) gradients: Vec<(f64, f64)>,
    /// (step, learning rate).
    pub(super) rates: Vec<(f64, f64)>,
    /// Steps of the run.
    pub(super) steps: f64,
    /// Loss of the first logged step, nats per token.
    pub(super) start: f64,
    /// Median loss of the last tenth.
    pub(super) end: f64,
    /// Standard deviation of a loss about its neighbours, over the second half.
    pub(super) noise: f64,
    pub(super) curve: &'a [CurvePoint],
    pub(super) record: &'a RunRecord,
}

impl<'a> CurveFeatures<'a> {
    /// The signs of a curve; `None` where it has too few losses.
    pub(super) fn of(curve: &'a [CurvePoint], record: &'a RunRecord) -> Option<Self> {
        let losses: Vec<(f64, f64)> = curve.iter().filter_map(|point| Some((point.step as f64, point.train_loss_nats?))).collect();
        let &(steps, _) = losses.last().filter(|_| losses.len() >= FEWEST_POINTS)?;
        let pick = |of: fn(&CurvePoint) -> Option<f64>| -> Vec<(f64, f64)> {
            curve.iter().filter_map(|point| Some((point.step as f64, of(point).filter(|value| value.is_finite())?))).collect()
        };
        Some(Self {
            smooth: smoothed(&losses),
            gradients: pick(|point| point.grad_norm),
            rates: pick(|point| Some(point.learning_rate)),
            start: losses[0].1,
            end: level(&losses, 0.9 * steps, steps)?,
            noise: noise(&losses, 0.5 * steps),
            losses,
            steps,
            curve,
            record,
        })
    }

    /// Median loss between two shares of the run.
    pub(super) fn level(&self, from: f64, to: f64) -> Option<f64> {
        level(&self.losses, from * self.steps, to * self.steps)
    }

    /// Whether the curve begins where the run does; else its first loss is not that of fresh weights.
    pub(super) fn has_its_start(&self) -> bool {
        self.losses[0].0 <= 0.02 * self.steps + 1.0
    }

    /// First step at the peak of the learning rate, and the peak.
    pub(super) fn peak(&self) -> Option<(f64, f64)> {
        let highest = extent(self.rates.iter().map(|rate| rate.1)).map_or(0.0, |rates| rates.1);
        self.rates.iter().copied().find(|rate| highest > 0.0 && rate.1 >= 0.999 * highest)
    }

    /// The smoothed loss at the first point from a step on.
    pub(super) fn smooth_at(&self, step: f64) -> Option<f64> {
        first_from(&self.smooth, step)
    }

    /// The learning rate at the first point from a step on.
    pub(super) fn rate_at(&self, step: f64) -> Option<f64> {
        first_from(&self.rates, step)
    }

    /// Whether the loss has come near the lowest that is possible, where that is known.
    pub(super) fn is_at_floor(&self) -> bool {
        self.record.floor_nats.or(self.record.entropy_nats).is_some_and(|floor| self.end < 1.15 * floor)
    }
}

/// Value of the first point from a step on; steps ascend.
fn first_from(points: &[(f64, f64)], step: f64) -> Option<f64> {
    points.get(points.partition_point(|point| point.0 < step)).map(|point| point.1)
}

fn level(losses: &[(f64, f64)], from: f64, to: f64) -> Option<f64> {
    median(losses.iter().filter(|point| (from..=to).contains(&point.0)).map(|point| point.1))
}

/// Standard deviation from the median of |differences of neighbours|, which single spikes and the slope do not move.
fn noise(losses: &[(f64, f64)], from: f64) -> f64 {
    let late: Vec<f64> = losses.iter().filter(|point| point.0 >= from).map(|point| point.1).collect();
    let steps = late.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    // A normal variable has a median |x| of 0.6745 σ, and a difference of two √2 σ.
    median(steps).unwrap_or(0.0) / 0.6745 / std::f64::consts::SQRT_2
}

fn smoothed(losses: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let around = |at: usize| {
        let window = &losses[at.saturating_sub(2)..(at + 3).min(losses.len())];
        median(window.iter().map(|point| point.1)).unwrap_or(losses[at].1)
    };
    losses.iter().enumerate().map(|(at, point)| (point.0, around(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_point_from_a_step_on_is_the_one_that_a_walk_finds() {
        let points: Vec<(f64, f64)> = (1..=20).map(|at| (f64::from(3 * at), f64::from(at))).collect();
        for step in 0..=61 {
            let walked = points.iter().find(|point| point.0 >= f64::from(step)).map(|point| point.1);
            assert_eq!(first_from(&points, f64::from(step)), walked, "{step}");
        }
        assert_eq!((first_from(&points, 60.0), first_from(&points, 60.5), first_from(&[], 0.0)), (Some(20.0), None, None));
    }

    #[test]
    fn noise_and_levels_of_a_known_curve_are_found() {
        // ±0.1 in turn around 2: neighbours differ by 0.2, so σ = 0.2/0.6745/√2.
        let wave: Vec<(f64, f64)> = (1..=100).map(|step| (f64::from(step), 2.0 + if step % 2 == 0 { 0.1 } else { -0.1 })).collect();
        assert!((noise(&wave, 50.0) - 0.2 / 0.6745 / 2f64.sqrt()).abs() < 1e-12);
        assert!((level(&wave, 0.0, 100.0).expect("points") - 2.0).abs() < 1e-12);
    }
}
