//! Every way to compute a network against PyTorch: logits, loss and all gradients of two tiny networks.
//! The numbers come from tests/data/transformer.py in float64, so what differs is the rounding of f32.

use super::TrainError;
use super::composed::Composed;
use super::fused::Fused;
use super::init::Layout;
use super::kernels::panels::Factors;
use super::learner::{Learner, LearnerState, Task};
use super::transformer::{Positions, Transformer};
use crate::corpus::NOT_COUNTED;
use crate::spec::{Dtype, ModelShape, OptimizerGroups, ParamGroup};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Reference {
    shape: ModelShape,
    sequences: usize,
    loss: f64,
    logits: Vec<f64>,
    gradient: Vec<f64>,
    masked_loss: f64,
    masked_gradient: Vec<f64>,
}

/// A few roundings of 2⁻²⁴ each, on sums of up to a few dozen terms; found: 1e-6.
const TOLERANCE: f64 = 4e-6;

fn references() -> BTreeMap<String, Reference> {
    serde_json::from_str(include_str!("../../tests/data/transformer.json")).expect("checked in")
}

/// The weights of tests/data/transformer.py.
fn state(layout: &Layout) -> LearnerState {
    let number = |i: usize| 0.4 * (0.37 * (i * i) as f64 + i as f64).sin();
    let mut weights: Vec<f32> = (0..layout.total).map(|i| number(i) as f32).collect();
    for parameter in layout.parameters.iter().filter(|parameter| parameter.group == ParamGroup::Norm) {
        parameter.range().for_each(|i| weights[i] = (number(i) + 1.0) as f32);
    }
    LearnerState::first(weights)
}

/// The tokens of tests/data/transformer.py: inputs and targets.
fn tokens(reference: &Reference) -> (Vec<u32>, Vec<u32>) {
    let n = reference.sequences * reference.shape.context;
    let all: Vec<u32> = (0..=n).map(|i| ((7 * i + i * i / 3) % reference.shape.vocabulary) as u32).collect();
    (all[..n].to_vec(), all[1..].to_vec())
}

/// Largest difference over the largest magnitude.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest
}

fn matches_pytorch(open: impl Fn(&ModelShape, &LearnerState) -> Result<Box<dyn Learner>, TrainError>) {
    for (name, reference) in references() {
        let layout = Layout::of(&reference.shape);
        let mut learner = open(&reference.shape, &state(&layout)).expect("opens");
        let (inputs, targets) = tokens(&reference);
        let loss = learner.gradient(&inputs, &targets).expect("computes");
        assert!((loss / reference.loss - 1.0).abs() < TOLERANCE, "{name}: {loss} instead of {}", reference.loss);
        let gradient = learner.flat_gradient().expect("kept");
        for parameter in &layout.parameters {
            let distance = distance(&gradient[parameter.range()], &reference.gradient[parameter.range()]);
            assert!(distance < TOLERANCE, "{name}: gradient of {} is off by {distance:e}", parameter.name);
        }
        let losses = learner.token_losses(&inputs, &targets).expect("computes");
        let mean = super::eval::mean(&losses);
        assert!((mean / reference.loss - 1.0).abs() < TOLERANCE, "{name}: {mean} without a gradient");
    }
}

/// Tokens of which some are hidden, and the hidden ones, as in tests/data/transformer.py.
fn gaps(reference: &Reference) -> (Vec<u32>, Vec<u32>) {
    let (n, mask) = (reference.sequences * reference.shape.context, reference.shape.vocabulary - 1);
    let all: Vec<u32> = (0..n).map(|i| ((7 * i + i * i / 3) % mask) as u32).collect();
    let hidden = |i: usize| matches!(i % 7, 0 | 2 | 3);
    let inputs = all.iter().enumerate().map(|(i, token)| if hidden(i) { mask as u32 } else { *token }).collect();
    (inputs, all.iter().enumerate().map(|(i, token)| if hidden(i) { *token } else { NOT_COUNTED }).collect())
}

fn fills_gaps_as_pytorch(open: impl Fn(&ModelShape, &LearnerState) -> Result<Box<dyn Learner>, TrainError>) {
    for (name, reference) in references() {
        let layout = Layout::of(&reference.shape);
        let mut learner = open(&reference.shape, &state(&layout)).expect("opens");
        let (inputs, targets) = gaps(&reference);
        let loss = learner.gradient(&inputs, &targets).expect("computes");
        assert!((loss / reference.masked_loss - 1.0).abs() < TOLERANCE, "{name}: {loss} instead of {}", reference.masked_loss);
        let gradient = learner.flat_gradient().expect("kept");
        for parameter in &layout.parameters {
            let distance = distance(&gradient[parameter.range()], &reference.masked_gradient[parameter.range()]);
            assert!(distance < TOLERANCE, "{name}: gradient of {} is off by {distance:e}", parameter.name);
        }
        let losses = learner.token_losses(&inputs, &targets).expect("computes");
        let weights = Task::HiddenTokens.weights(&targets, reference.shape.context).expect("are averaged");
        let mean: f64 = losses.iter().zip(&weights).map(|(loss, weight)| f64::from(loss * weight)).sum();
        assert!((mean / reference.masked_loss - 1.0).abs() < TOLERANCE, "{name}: {mean} without a gradient");
    }
}

#[test]
fn the_composed_network_fills_gaps_as_pytorch_in_loss_and_every_gradient() {
    fills_gaps_as_pytorch(|shape, state| {
        let composed = Composed::new(shape, &OptimizerGroups::default(), state, &Device::Cpu, Dtype::F32)?;
        Ok(Box::new(composed.of_task(Task::HiddenTokens)?))
    });
}

#[test]
fn the_fused_network_fills_gaps_as_pytorch_in_loss_and_every_gradient() {
    fills_gaps_as_pytorch(|shape, state| {
        Ok(Box::new(Fused::new(shape, &OptimizerGroups::default(), state.clone(), Factors::F32).of_task(Task::HiddenTokens)))
    });
}

#[test]
fn the_composed_network_matches_pytorch_in_loss_and_every_gradient() {
    matches_pytorch(|shape, state| Ok(Box::new(Composed::new(shape, &OptimizerGroups::default(), state, &Device::Cpu, Dtype::F32)?)));
}

#[test]
fn the_fused_network_matches_pytorch_in_loss_and_every_gradient() {
    matches_pytorch(|shape, state| Ok(Box::new(Fused::new(shape, &OptimizerGroups::default(), state.clone(), Factors::F32))));
}

#[test]
fn the_composed_logits_match_pytorch() {
    for (name, reference) in references() {
        let layout = Layout::of(&reference.shape);
        let weights = Tensor::new(state(&layout).weights, &Device::Cpu).expect("made");
        let parameters: Vec<Tensor> = super::composed::variables(&layout, &weights, DType::F32)
            .expect("made")
            .iter()
            .map(candle_core::Var::as_detached_tensor)
            .collect();
        let positions = Positions::new(&reference.shape, &Device::Cpu).expect("made");
        let transformer =
            Transformer { shape: &reference.shape, layout: &layout, parameters: &parameters, positions: &positions, products: DType::F32 };
        let inputs = Tensor::new(tokens(&reference).0, &Device::Cpu).expect("made");
        let logits = transformer.logits(&inputs).and_then(|z| z.flatten_all()?.to_vec1::<f32>()).expect("computes");
        let distance = distance(&logits, &reference.logits);
        assert!(distance < TOLERANCE, "{name}: {distance:e}");
    }
}
