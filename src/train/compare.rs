//! A device beside the processor: the same initialisation and batches on both, losses step by step, and the gradient of
//! every parameter at weights that are the same on both.

use super::adamw::Update;
use super::error::TrainError;
use super::init::Layout;
use super::learner::{Learner, LearnerState, Reading};
use super::prefetch::{BatchSource, Batches};
use super::training::{check, network};
use crate::corpus::{Corpus, Order};
use crate::spec::{Device, Dtype, RunSpec};
use candle_core::Device as Opened;

/// How far a device is from the processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Loss of every step, nats per token: of the processor (f32) and of the device.
    pub losses: Vec<[f64; 2]>,
    /// The parameter whose gradients differ most.
    pub worst_parameter: String,
    /// Euclidean norm of that difference over the norm of the processor's gradient.
    pub gradient_distance: f64,
}

impl Comparison {
    /// Largest difference of a step's losses over the processor's.
    pub fn loss_distance(&self) -> f64 {
        self.losses.iter().map(|[cpu, device]| (device / cpu - 1.0).abs()).fold(0.0, f64::max)
    }
}

/// Makes the first `steps` of a run on the processor and on a device, then one gradient on each at the processor's weights.
pub fn compare(spec: &RunSpec, corpus: &Corpus, device: Device, steps: u64) -> Result<Comparison, TrainError> {
    check(spec, corpus, device)?;
    let layout = Layout::of(&spec.shape);
    let opened = device.open()?;
    let first = LearnerState::first(layout.first_weights(spec.seeds.init));
    let mut exact = spec.clone();
    exact.recipe.dtype = Dtype::F32;
    let mut on_processor = network(&exact, first.clone(), Device::Cpu, &Opened::Cpu)?;
    let mut on_device = network(spec, first, device, &opened)?;
    let order = Order { seed: spec.seeds.data, unique_tokens: spec.unique_tokens, interleaving: None, pairs: None };
    let source = BatchSource::of(spec, corpus, order);
    let [expected, found] = [
        readings(&mut *on_processor, &exact, Batches::in_place(source), steps)?,
        readings(&mut *on_device, spec, Batches::in_place(source), steps)?,
    ];

    let mut on_device = network(spec, on_processor.state()?, device, &opened)?;
    let mut batches = Batches::in_place(source);
    let batch = batches.of(steps);
    let [expected_gradient, gradient] = [&mut on_processor, &mut on_device].map(|learner| -> Result<Vec<f32>, TrainError> {
        learner.gradient(&batch.inputs, &batch.targets)?;
        learner.flat_gradient()
    });
    let (worst_parameter, gradient_distance) = worst(&layout, &expected_gradient?, &gradient?);
    let losses = expected.iter().zip(&found).map(|(a, b)| [a.loss, b.loss]).collect();
    Ok(Comparison { losses, worst_parameter, gradient_distance })
}

fn readings(learner: &mut dyn Learner, spec: &RunSpec, mut batches: Batches<'_>, steps: u64) -> Result<Vec<Reading>, TrainError> {
    let mut readings = Vec::new();
    for step in 0..steps {
        let batch = batches.of(step);
        let update = Update::new(&spec.recipe.adamw, step, spec.learning_rate(step));
        readings.extend(learner.step(&batch.inputs, &batch.targets, &update, spec.recipe.grad_clip)?);
    }
    readings.extend(learner.settle()?);
    Ok(readings)
}

/// The parameter with the largest relative distance, and that distance; no number is farther than any.
fn worst(layout: &Layout, expected: &[f32], found: &[f32]) -> (String, f64) {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let distance = |range: std::ops::Range<usize>| {
        let (a, b) = (&found[range.clone()], &expected[range]);
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
    };
    let distances = layout.parameters.iter().map(|parameter| (parameter.name.clone(), distance(parameter.range())));
    distances.max_by(|a, b| a.1.total_cmp(&b.1)).expect("every network has parameters")
}
