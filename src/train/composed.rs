//! A network trained by candle's own operations, on any device: the reference of the fused CPU path.
//! Weights are one variable each (so that gradients exist); gradient and moments are flat tensors, so
//! that an update is a dozen operations and not a dozen a parameter.

use super::TrainError;
use super::adamw::{Update, factor_ranges};
use super::init::{Layout, Parameter};
use super::learner::{Learner, LearnerState};
use super::transformer::{Positions, Transformer};
use crate::spec::{ModelShape, OptimizerGroups, ParamGroup};
use candle_core::{DType, Device, Result, Tensor, Var};

pub(crate) struct Composed {
    shape: ModelShape,
    layout: Layout,
    device: Device,
    positions: Positions,
    variables: Vec<Var>,
    /// Flat, as the three below.
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    /// What the learning rate is multiplied by.
    rates: Tensor,
    /// What learning rate times weight decay is multiplied by.
    decays: Tensor,
}

impl Composed {
    pub(crate) fn new(shape: &ModelShape, groups: &OptimizerGroups, state: &LearnerState, device: &Device) -> Result<Self> {
        let layout = Layout::of(shape);
        let (mut rates, mut decays) = (Vec::with_capacity(layout.total), Vec::with_capacity(layout.total));
        for (range, factors) in factor_ranges(&layout, groups, shape.width) {
            rates.extend(std::iter::repeat_n(factors.rate as f32, range.len()));
            decays.extend(std::iter::repeat_n((factors.rate * factors.decay) as f32, range.len()));
        }
        let flat = |values: &[f32]| Tensor::from_slice(values, values.len(), device);
        Ok(Self {
            shape: shape.clone(),
            device: device.clone(),
            positions: Positions::new(shape, device)?,
            variables: variables(&layout, &state.weights, device)?,
            gradient: Tensor::zeros(layout.total, DType::F32, device)?,
            mean: flat(&state.mean)?,
            square: flat(&state.square)?,
            rates: flat(&rates)?,
            decays: flat(&decays)?,
            layout,
        })
    }

    fn losses(&self, inputs: &[u32], targets: &[u32], parameters: &[Tensor]) -> Result<Tensor> {
        let transformer = Transformer { shape: &self.shape, layout: &self.layout, parameters, positions: &self.positions };
        let tokens = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &self.device);
        transformer.token_losses(&tokens(inputs)?, &tokens(targets)?)
    }

    fn loss_and_gradient(&mut self, inputs: &[u32], targets: &[u32]) -> Result<f64> {
        let parameters: Vec<Tensor> = self.variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let loss = self.losses(inputs, targets, &parameters)?.mean_all()?;
        let gradients = loss.backward()?;
        let flat: Result<Vec<Tensor>> = parameters
            .iter()
            .map(|parameter| match gradients.get(parameter) {
                // A missing gradient stays zero here and is refused, by name, at the first step.
                Some(gradient) => gradient.flatten_all(),
                None => parameter.zeros_like()?.flatten_all(),
            })
            .collect();
        self.gradient = Tensor::cat(&flat?, 0)?.detach();
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    fn flat_weights(&self) -> Result<Tensor> {
        let flat: Result<Vec<Tensor>> = self.variables.iter().map(|variable| variable.as_detached_tensor().flatten_all()).collect();
        Tensor::cat(&flat?, 0)
    }

    fn apply(&mut self, update: &Update) -> Result<()> {
        let gradient = (&self.gradient * update.clip)?;
        self.mean = ((&self.mean * update.beta1)? + (&gradient * (1.0 - update.beta1))?)?;
        self.square = ((&self.square * update.beta2)? + (gradient.sqr()? * (1.0 - update.beta2))?)?;
        let denominator = ((self.square.sqrt()? * update.root_correction)? + update.eps)?;
        let move_by = ((&self.mean / denominator)?.mul(&self.rates)? * update.rate)?;
        let kept = self.decays.affine(-update.decay, 1.0)?;
        let weights = ((self.flat_weights()? * kept)? - move_by)?;
        for (parameter, variable) in self.layout.parameters.iter().zip(&self.variables) {
            let range = parameter.range();
            variable.set(&weights.narrow(0, range.start, range.len())?.reshape(variable.shape())?)?;
        }
        Ok(())
    }

    /// Sum of squares in f64 where the device has it.
    fn norm(&self) -> Result<f64> {
        let gradient = if self.device.is_metal() { self.gradient.clone() } else { self.gradient.to_dtype(DType::F64)? };
        let sum = gradient.sqr()?.sum_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        Ok(sum.to_scalar::<f64>()?.sqrt())
    }
}

impl Learner for Composed {
    fn gradient(&mut self, inputs: &[u32], targets: &[u32]) -> std::result::Result<f64, TrainError> {
        Ok(self.loss_and_gradient(inputs, targets)?)
    }

    fn gradient_norm(&mut self) -> std::result::Result<f64, TrainError> {
        Ok(self.norm()?)
    }

    fn flat_gradient(&self) -> std::result::Result<Vec<f32>, TrainError> {
        Ok(self.gradient.to_vec1()?)
    }

    fn update(&mut self, update: &Update) -> std::result::Result<(), TrainError> {
        Ok(self.apply(update)?)
    }

    fn state(&self) -> std::result::Result<LearnerState, TrainError> {
        let [weights, mean, square] = [&self.flat_weights()?, &self.mean, &self.square].map(Tensor::to_vec1);
        Ok(LearnerState { weights: weights?, mean: mean?, square: square? })
    }

    fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> std::result::Result<Vec<f32>, TrainError> {
        // Detached parameters: without them every intermediate result would be kept for a backward pass.
        let parameters: Vec<Tensor> = self.variables.iter().map(Var::as_detached_tensor).collect();
        let losses = self.losses(inputs, targets, &parameters)?;
        debug_assert!(!losses.track_op());
        Ok(losses.to_vec1()?)
    }
}

/// One variable a parameter: matrices [out, in], gains [columns].
pub(super) fn variables(layout: &Layout, weights: &[f32], device: &Device) -> Result<Vec<Var>> {
    let variable = |parameter: &Parameter| {
        let values = &weights[parameter.range()];
        let tensor = match parameter.group {
            ParamGroup::Norm => Tensor::from_slice(values, parameter.columns, device)?,
            _ => Tensor::from_slice(values, (parameter.rows, parameter.columns), device)?,
        };
        Var::from_tensor(&tensor)
    };
    layout.parameters.iter().map(variable).collect()
}
