//! The curve of a run: what happened at a choice of its steps, dense at the beginning where the loss moves fast.

use super::adamw::clip_factor;
use super::learner::Reading;
use crate::spec::{CurvePoint, RunSpec};

/// Largest number of points.
const POINTS: u64 = 200;

/// What happened at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepFacts {
    /// Loss of the batch, nats per token; may be anything.
    pub(crate) loss: f64,
    /// Norm of the gradient before clipping; may be anything.
    pub(crate) norm: f64,
    pub(crate) clipped: bool,
    /// In tokens, where it was measured.
    pub(crate) noise_scale: Option<f64>,
    /// On the held-out windows after this step, nats per token, where it was measured.
    pub(crate) held_out_loss: Option<f64>,
}

impl StepFacts {
    /// A step of which nothing but loss and norm was measured; gradients longer than `largest_norm` are clipped, unless it is 0.
    pub(crate) fn of(reading: Reading, largest_norm: f64) -> Self {
        let Reading { loss, norm } = reading;
        Self { loss, norm, clipped: clip_factor(norm, largest_norm) < 1.0, noise_scale: None, held_out_loss: None }
    }
}

/// Collects a run's curve and the sums that its record needs.
pub(crate) struct Curve {
    /// Every step so far: what a longer or shorter run of the same trunk makes its own curve of.
    history: Vec<StepFacts>,
    chosen: Vec<u64>,
    points: Vec<CurvePoint>,
    steps: u64,
    done: u64,
    clipped: u64,
    clips: bool,
    last_sum: f64,
    last_count: u64,
    noise_scale: Option<f64>,
}

impl Curve {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let chosen = chosen_steps(spec.steps);
        let points = Vec::with_capacity(chosen.len());
        let clips = spec.recipe.grad_clip > 0.0;
        let history = Vec::new();
        Self { history, chosen, points, steps: spec.steps, done: 0, clipped: 0, clips, last_sum: 0.0, last_count: 0, noise_scale: None }
    }

    /// The curve of a run whose first steps were made before.
    pub(crate) fn resumed(spec: &RunSpec, history: &[StepFacts]) -> Self {
        let mut curve = Self::new(spec);
        (0..).zip(history).for_each(|(step, facts)| curve.record(spec, step, facts));
        curve
    }

    /// Every step so far.
    pub(crate) fn history(&self) -> &[StepFacts] {
        &self.history
    }

    /// Loss of the latest step that is known.
    pub(crate) fn latest_loss(&self) -> Option<f64> {
        self.history.last().map(|facts| facts.loss)
    }

    /// Takes note of step `step` (from 0).
    pub(crate) fn record(&mut self, spec: &RunSpec, step: u64, facts: &StepFacts) {
        let StepFacts { loss, norm, clipped, noise_scale, held_out_loss } = *facts;
        self.history.push(*facts);
        let finite = loss.is_finite() && norm.is_finite();
        self.done += 1;
        self.clipped += u64::from(clipped);
        if step >= self.steps - last_steps(self.steps) {
            self.last_sum += loss;
            self.last_count += 1;
        }
        self.noise_scale = noise_scale.or(self.noise_scale);
        if finite && noise_scale.is_none() && held_out_loss.is_none() && self.chosen.binary_search(&(step + 1)).is_err() {
            return;
        }
        self.points.push(CurvePoint {
            step: step + 1,
            tokens: (step + 1) * spec.recipe.batch_tokens,
            learning_rate: spec.learning_rate(step),
            train_loss_nats: loss.is_finite().then_some(loss),
            val_loss_nats: held_out_loss.filter(|loss| loss.is_finite()),
            grad_norm: norm.is_finite().then_some(norm),
            clipped: self.clips.then_some(clipped),
            noise_scale,
        });
    }

    /// Fraction of the steps at which the gradient was clipped; none where there is no limit.
    pub(crate) fn clip_fraction(&self) -> Option<f64> {
        (self.clips && self.done > 0).then(|| self.clipped as f64 / self.done as f64)
    }

    /// The latest running estimate of the gradient noise scale, tokens.
    pub(crate) fn noise_scale(&self) -> Option<f64> {
        self.noise_scale
    }

    /// Mean training loss over the last 5 % of the steps, at least one.
    pub(crate) fn last_losses(&self) -> Option<f64> {
        (self.last_count > 0).then(|| self.last_sum / self.last_count as f64)
    }

    /// Moves held-out losses that were measured on some windows after the given steps by what these differ from all.
    pub(crate) fn moved(mut self, by: f64, is_of_some: impl Fn(u64) -> bool) -> Self {
        for point in self.points.iter_mut().filter(|point| is_of_some(point.step)) {
            point.val_loss_nats = point.val_loss_nats.map(|loss| loss + by);
        }
        self
    }

    /// The points, the last of them with the held-out loss.
    pub(crate) fn points(mut self, val_loss_nats: Option<f64>) -> Vec<CurvePoint> {
        if let Some(last) = self.points.last_mut() {
            last.val_loss_nats = val_loss_nats;
        }
        self.points
    }
}

fn last_steps(steps: u64) -> u64 {
    (steps / 20).max(1)
}

/// The steps (from 1) that are kept: all of a short run; of a longer one half of [`POINTS`] evenly spaced
/// and half in geometric progression, first and last included.
fn chosen_steps(steps: u64) -> Vec<u64> {
    if steps <= POINTS {
        return (1..=steps).collect();
    }
    let half = POINTS / 2;
    let even = (1..=half).map(|i| (i * steps).div_ceil(half));
    let geometric = (0..half).map(|i| (steps as f64).powf(i as f64 / half as f64).round() as u64);
    let mut chosen: Vec<u64> = even.chain(geometric).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_first_and_last_step_and_at_most_200_points() {
        for steps in [1, 7, 200, 201, 5000, 1_000_000] {
            let chosen = chosen_steps(steps);
            assert_eq!((chosen.first(), chosen.last()), (Some(&1), Some(&steps)));
            assert!(chosen.len() <= 200 && chosen.is_sorted());
        }
        assert_eq!(chosen_steps(150).len(), 150);
    }
}
