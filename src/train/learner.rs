//! What the training loop needs of a network, whichever way it is computed.
//! Targets that are [`NOT_COUNTED`](crate::corpus::NOT_COUNTED) add nothing to a loss or a gradient; means are over the others.

use super::TrainError;
use super::adamw::{Update, clip_factor};
use super::kernels::head::Sight;
use crate::corpus::{NOT_COUNTED, counted};
use crate::spec::Objective;

/// What was measured at a step: before its update, and before clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// Nats per token; may be anything.
    pub(crate) loss: f64,
    /// Norm of the gradient; may be anything.
    pub(crate) norm: f64,
}

impl Reading {
    pub(crate) fn is_finite(self) -> bool {
        self.loss.is_finite() && self.norm.is_finite()
    }
}

/// What a network computes: whose keys a query sees, and what the loss of a batch is the mean of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Task {
    /// The next token, from those before it: the mean of all targets that count.
    #[default]
    NextToken,
    /// Hidden tokens, from the whole sequence: the mean over sequences of the mean over the targets of each that count. Where the number of
    /// hidden tokens is uniform this is an unbiased reading of the bound on −ln p of a token (Sahoo 2406.07524, Nie 2502.09992 eq. 6).
    HiddenTokens,
}

impl Task {
    /// That of an objective.
    pub(crate) fn of(objective: &Objective) -> Self {
        if objective.hides() { Self::HiddenTokens } else { Self::NextToken }
    }

    /// Whose keys a query sees.
    pub(crate) fn sight(self) -> Sight {
        match self {
            Self::NextToken => Sight::Before,
            Self::HiddenTokens => Sight::Whole,
        }
    }

    /// What each target of a batch weighs in its loss, where the targets of every sequence are averaged first; 0 where it does not count.
    pub(crate) fn weights(self, targets: &[u32], context: usize) -> Option<Vec<f32>> {
        if self == Self::NextToken {
            return None;
        }
        let sequences = targets.chunks(context).filter(|sequence| counted(sequence) > 0).count().max(1);
        let weights_of = |sequence: &[u32]| {
            let weight = 1.0 / (sequences * counted(sequence).max(1)) as f32;
            sequence.iter().map(move |target| if *target == NOT_COUNTED { 0.0 } else { weight }).collect::<Vec<f32>>()
        };
        Some(targets.chunks(context).flat_map(weights_of).collect())
    }
}

/// A network with its gradient and optimizer moments on one device. Flat buffers are in the order of
/// [`Layout`](super::init::Layout); `inputs` and `targets` are whole sequences of one context each, row-major.
pub(crate) trait Learner {
    /// Computes the gradient of the mean loss of a batch, keeps it, and returns that loss in nats per token.
    fn gradient(&mut self, inputs: &[u32], targets: &[u32]) -> Result<f64, TrainError>;

    /// Euclidean norm of the kept gradient over all parameters, summed in f64 in a fixed order.
    fn gradient_norm(&mut self) -> Result<f64, TrainError>;

    /// The gradient of the last batch, flat, in the order of the layout.
    fn flat_gradient(&self) -> Result<Vec<f32>, TrainError>;

    /// One AdamW update with the kept gradient.
    fn update(&mut self, update: &Update) -> Result<(), TrainError>;

    /// One step: the gradient of a batch, shortened to `largest_norm` (0: as it is), and the update with it.
    /// Returns the readings, in order, that are known by now. A device need not be waited for: where it is not, several come at once, later.
    fn step(&mut self, inputs: &[u32], targets: &[u32], update: &Update, largest_norm: f64) -> Result<Vec<Reading>, TrainError> {
        let loss = self.gradient(inputs, targets)?;
        let reading = Reading { loss, norm: self.gradient_norm()? };
        if reading.is_finite() {
            self.update(&Update { clip: clip_factor(reading.norm, largest_norm), ..*update })?;
        }
        Ok(vec![reading])
    }

    /// The readings of all steps that are not known yet; waits for the device.
    fn settle(&mut self) -> Result<Vec<Reading>, TrainError> {
        Ok(Vec::new())
    }

    /// Takes these weights, flat, in the place of its own; moments stay.
    fn put(&mut self, weights: &[f32]) -> Result<(), TrainError>;

    /// The weights of the network, whichever numbers are trained.
    fn network_weights(&self) -> Result<Vec<f32>, TrainError> {
        Ok(self.state()?.weights)
    }

    /// What is trained, with moments, as it is.
    fn state(&self) -> Result<LearnerState, TrainError>;

    /// Whether each target is the likeliest token, without a gradient; one that is not counted is not.
    fn hits(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<bool>, TrainError>;

    /// Loss of every token in nats, without a gradient; 0 where the target is not counted.
    fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<f32>, TrainError>;
}

/// All numbers that training changes, each in the flat order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LearnerState {
    pub(crate) weights: Vec<f32>,
    /// Running mean of gradients (m).
    pub(crate) mean: Vec<f32>,
    /// Running mean of squared gradients (v).
    pub(crate) square: Vec<f32>,
}

impl LearnerState {
    /// The state before the first step.
    pub(crate) fn first(weights: Vec<f32>) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self { weights, mean: zeros.clone(), square: zeros }
    }
}
