//! Low-rank additions to the matrices of a network (LoRA, Hu et al. 2106.09685): W = W₀ + B·A, with A [rank, in] drawn and B [out, rank]
//! zero before the first step. A and B alone are trained; their scale is 1.
//!
//! Exact and simple rather than cheap: the gradient of every W is computed as where all weights are trained, and those of its A and B from
//! it (dA = Bᵀ·dW, dB = dW·Aᵀ). What a rank saves here is trained numbers and not time.

use super::TrainError;
use super::adamw::{Update, factor_ranges};
use super::init::{Layout, Parameter};
use super::kernels::adamw as optimizer;
use super::learner::{Learner, LearnerState};
use crate::spec::{GroupFactors, ModelShape, OptimizerGroups};
use std::ops::Range;

/// A network with what is added to it.
pub(super) struct LowRank {
    /// The network with the sum of both.
    whole: Box<dyn Learner>,
    /// The weights that are added to, flat, in the order of the network's layout.
    base: Vec<f32>,
    additions: Vec<Addition>,
    /// Flat ranges of A and B that share their factors.
    factors: Vec<(Range<usize>, GroupFactors)>,
    /// A and B of every matrix with their moments, in the order of [`Layout::low_rank`].
    state: LearnerState,
    /// Of the same numbers.
    gradient: Vec<f32>,
}

/// What is added to one matrix.
struct Addition {
    matrix: Parameter,
    /// A [rank, in], B [out, rank].
    down: Range<usize>,
    up: Range<usize>,
}

impl LowRank {
    /// `whole`: the network with the weights `base`, whatever is added to them so far is in `state`.
    pub(super) fn new(
        (shape, groups): (&ModelShape, &OptimizerGroups),
        rank: usize,
        whole: Box<dyn Learner>,
        base: Vec<f32>,
        state: LearnerState,
    ) -> Result<Self, TrainError> {
        let layout = Layout::low_rank(shape, rank);
        let matrices = Layout::of(shape).parameters.into_iter().filter(Parameter::is_matrix);
        let additions = matrices
            .zip(layout.parameters.chunks_exact(2))
            .map(|(matrix, pair)| Addition { matrix, down: pair[0].range(), up: pair[1].range() })
            .collect();
        let gradient = vec![0.0; layout.total];
        let factors = factor_ranges(&layout, groups, shape.width);
        let mut network = Self { whole, base, additions, factors, state, gradient };
        network.put_sum()?;
        Ok(network)
    }

    /// W₀ + B·A of every matrix, and all other weights as they were.
    fn sum(&self) -> Vec<f32> {
        let mut sum = self.base.clone();
        for addition in &self.additions {
            let [down, up] = [&addition.down, &addition.up].map(|range| &self.state.weights[range.clone()]);
            addition.add(&mut sum[addition.matrix.range()], down, up);
        }
        sum
    }

    fn put_sum(&mut self) -> Result<(), TrainError> {
        self.whole.put(&self.sum())
    }
}

impl Addition {
    /// Adds B·A to a matrix.
    fn add(&self, matrix: &mut [f32], down: &[f32], up: &[f32]) {
        let columns = self.matrix.columns;
        for (row, of_row) in matrix.chunks_exact_mut(columns).zip(up.chunks_exact(down.len() / columns)) {
            for (factor, down) in of_row.iter().zip(down.chunks_exact(columns)) {
                row.iter_mut().zip(down).for_each(|(weight, down)| *weight += factor * down);
            }
        }
    }

    /// The gradients of A and B from that of W.
    fn chain(&self, of_matrix: &[f32], [down, up]: [&[f32]; 2], [of_down, of_up]: [&mut [f32]; 2]) {
        let columns = self.matrix.columns;
        let rank = down.len() / columns;
        of_down.fill(0.0);
        for ((of_row, up), of_up) in of_matrix.chunks_exact(columns).zip(up.chunks_exact(rank)).zip(of_up.chunks_exact_mut(rank)) {
            let each = up.iter().zip(of_up).zip(down.chunks_exact(columns).zip(of_down.chunks_exact_mut(columns)));
            for ((factor, of_factor), (down, of_down)) in each {
                *of_factor = of_row.iter().zip(down).map(|(g, down)| g * down).sum();
                of_down.iter_mut().zip(of_row).for_each(|(of_down, g)| *of_down += factor * g);
            }
        }
    }
}

impl Learner for LowRank {
    fn gradient(&mut self, inputs: &[u32], targets: &[u32]) -> Result<f64, TrainError> {
        let loss = self.whole.gradient(inputs, targets)?;
        let of_all = self.whole.flat_gradient()?;
        for addition in &self.additions {
            let factors = [&addition.down, &addition.up].map(|range| &self.state.weights[range.clone()]);
            let ranges = [addition.down.clone(), addition.up.clone()];
            let of_factors = self.gradient.get_disjoint_mut(ranges).expect("A and B lie apart");
            addition.chain(&of_all[addition.matrix.range()], factors, of_factors);
        }
        Ok(loss)
    }

    fn gradient_norm(&mut self) -> Result<f64, TrainError> {
        Ok(optimizer::sum_of_squares(&self.gradient).sqrt())
    }

    fn flat_gradient(&self) -> Result<Vec<f32>, TrainError> {
        Ok(self.gradient.clone())
    }

    fn update(&mut self, update: &Update) -> Result<(), TrainError> {
        let LearnerState { weights, mean, square } = &mut self.state;
        for (range, factors) in &self.factors {
            let range = || range.clone();
            optimizer::update(
                &update.times(*factors),
                &mut weights[range()],
                &self.gradient[range()],
                &mut mean[range()],
                &mut square[range()],
            );
        }
        self.put_sum()
    }

    fn state(&self) -> Result<LearnerState, TrainError> {
        Ok(self.state.clone())
    }

    fn put(&mut self, weights: &[f32]) -> Result<(), TrainError> {
        self.state.weights.copy_from_slice(weights);
        self.put_sum()
    }

    fn network_weights(&self) -> Result<Vec<f32>, TrainError> {
        Ok(self.sum())
    }

    fn hits(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<bool>, TrainError> {
        self.whole.hits(inputs, targets)
    }

    fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<f32>, TrainError> {
        self.whole.token_losses(inputs, targets)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::super::training::network;
    use super::*;
    use crate::spec::{Device, Random, RunSpec};

    const RANK: usize = 3;

    /// Additions to a network that was drawn, none of them zero.
    fn added(device: Device) -> (RunSpec, LowRank, Vec<f32>) {
        let (spec, _) = tiny(3);
        let base = Layout::of(&spec.shape).first_weights(5);
        let mut random = Random::new(6, "additions");
        let drawn: Vec<f32> = (0..Layout::low_rank(&spec.shape, RANK).total).map(|_| 0.1 * random.normal() as f32).collect();
        let opened = device.open().expect("opens");
        let whole = network(&spec, LearnerState::first(base.clone()), device, &opened).expect("built");
        let state = LearnerState::first(drawn);
        let network = LowRank::new((&spec.shape, &spec.recipe.groups), RANK, whole, base.clone(), state).expect("built");
        (spec, network, base)
    }

    fn batch(spec: &RunSpec) -> [Vec<u32>; 2] {
        let mut random = Random::new(7, "batch");
        std::array::from_fn(|_| (0..2 * spec.shape.context).map(|_| random.below(spec.shape.vocabulary as u64) as u32).collect())
    }

    #[test]
    fn nothing_is_added_before_the_first_step_and_matrices_alone_have_additions() {
        let (spec, _) = tiny(3);
        let layout = Layout::low_rank(&spec.shape, RANK);
        let first = layout.first_weights(1);
        let matrices = Layout::of(&spec.shape).parameters.into_iter().filter(Parameter::is_matrix).count();
        assert_eq!(layout.parameters.len(), 2 * matrices);
        assert_eq!(matrices, 7 * spec.shape.layers);
        for pair in layout.parameters.chunks_exact(2) {
            assert!(first[pair[0].range()].iter().all(|value| *value != 0.0), "{} is drawn", pair[0].name);
            assert!(first[pair[1].range()].iter().all(|value| *value == 0.0), "{} is zero", pair[1].name);
        }
        let base = Layout::of(&spec.shape).first_weights(5);
        let whole = network(&spec, LearnerState::first(base.clone()), Device::Cpu, &Device::Cpu.open().expect("opens")).expect("built");
        let state = LearnerState::first(first);
        let added = LowRank::new((&spec.shape, &spec.recipe.groups), RANK, whole, base.clone(), state).expect("built");
        assert_eq!(added.network_weights().expect("known"), base);
    }

    /// Loss of W₀ + B·A by finite differences in A and B, on both ways to compute a network.
    #[test]
    fn gradients_of_both_factors_are_those_of_finite_differences() {
        for device in [Device::Cpu, Device::CpuComposed] {
            let (spec, mut network, _) = added(device);
            let [inputs, targets] = batch(&spec);
            network.gradient(&inputs, &targets).expect("computed");
            let gradient = network.flat_gradient().expect("kept");
            let at = network.state().expect("kept").weights;
            let mut loss_of = |weights: &[f32]| {
                network.put(weights).expect("put");
                let losses = network.token_losses(&inputs, &targets).expect("computed");
                losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64
            };
            let largest = gradient.iter().fold(0.0f32, |most, g| most.max(g.abs()));
            let mut random = Random::new(8, "which");
            for _ in 0..60 {
                let i = random.below(at.len() as u64) as usize;
                let step = 1e-2f32;
                let moved =
                    |by: f32| at.iter().enumerate().map(|(j, value)| if i == j { value + by } else { *value }).collect::<Vec<f32>>();
                let by_difference = (loss_of(&moved(step)) - loss_of(&moved(-step))) / f64::from(2.0 * step);
                let distance = (by_difference - f64::from(gradient[i])).abs();
                assert!(distance < 2e-2 * f64::from(largest), "{device} {i}: {by_difference} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn an_update_moves_the_factors_alone_and_the_network_is_their_sum() {
        let (spec, mut network, base) = added(Device::Cpu);
        let [inputs, targets] = batch(&spec);
        let before = network.state().expect("kept");
        network.step(&inputs, &targets, &Update::new(&spec.recipe.adamw, 0, 1e-2), 1.0).expect("made");
        let after = network.state().expect("kept");
        assert!(before.weights.iter().zip(&after.weights).all(|(before, after)| before != after));
        let layout = Layout::of(&spec.shape);
        let weights = network.network_weights().expect("known");
        for parameter in &layout.parameters {
            let same = weights[parameter.range()] == base[parameter.range()];
            assert_eq!(same, !parameter.is_matrix(), "{}", parameter.name);
        }
        assert_eq!(network.whole.state().expect("kept").weights, weights);
        // B·A of the first matrix, written out.
        let (matrix, [down, up]) = (&network.additions[0].matrix, [&network.additions[0].down, &network.additions[0].up]);
        let (row, column) = (3, 5);
        let sum: f32 =
            (0..RANK).map(|k| after.weights[up.start + row * RANK + k] * after.weights[down.start + k * matrix.columns + column]).sum();
        let at = matrix.offset + row * matrix.columns + column;
        assert!((weights[at] - base[at] - sum).abs() < 1e-6);
    }
}
