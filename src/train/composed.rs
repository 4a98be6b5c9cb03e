//! A network trained by candle's own operations, on any device: the reference of the fused CPU path.
//!
//! The weights are one flat tensor, as are gradient and both moments, so that an update is two dozen launches and not two
//! dozen a parameter; each parameter has a variable of its own beside it (so that gradients exist), copied from the flat weights
//! after every update. Nothing waits for the device but [`Composed::read`]: clipping is computed there, losses and norms stay there
//! and are read [`UNREAD_STEPS`] steps at a time.

use super::TrainError;
use super::adamw::{Update, factor_ranges};
use super::init::{Layout, Parameter};
use super::learner::{Learner, LearnerState, Reading, Task};
use super::transformer::{Positions, Transformer};
use crate::corpus::{NOT_COUNTED, counted};
use crate::spec::{Dtype, ModelShape, OptimizerGroups, ParamGroup};
use candle_core::{DType, Device, Result, Tensor, Var};
use std::cell::Cell;

/// Steps whose loss and norm may stay on the device.
const UNREAD_STEPS: usize = 16;
/// Numbers of a row that one block of threads of a GPU adds up.
const ROW: usize = 1024;

pub(crate) struct Composed {
    shape: ModelShape,
    layout: Layout,
    device: Device,
    positions: Positions,
    /// Number format of matrix products.
    products: DType,
    /// Number format of sums over all parameters: f64 where the device has it.
    wide: DType,
    /// Flat f32, as the five below.
    weights: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    /// What the learning rate is multiplied by.
    rates: Tensor,
    /// What learning rate times weight decay is multiplied by.
    decays: Tensor,
    variables: Vec<Var>,
    /// Loss and norm [2] of every step that is not read yet.
    unread: Vec<Tensor>,
    /// How often the device was waited for.
    reads: Cell<u64>,
    task: Task,
}

impl Composed {
    pub(crate) fn new(shape: &ModelShape, groups: &OptimizerGroups, state: &LearnerState, device: &Device, dtype: Dtype) -> Result<Self> {
        let layout = Layout::of(shape);
        let (mut rates, mut decays) = (Vec::with_capacity(layout.total), Vec::with_capacity(layout.total));
        for (range, factors) in factor_ranges(&layout, groups, shape.width) {
            rates.extend(std::iter::repeat_n(factors.rate as f32, range.len()));
            decays.extend(std::iter::repeat_n((factors.rate * factors.decay) as f32, range.len()));
        }
        let flat = |values: &[f32]| Tensor::from_slice(values, values.len(), device);
        let products = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::Bf16 => DType::BF16,
        };
        let weights = flat(&state.weights)?;
        Ok(Self {
            shape: shape.clone(),
            device: device.clone(),
            positions: Positions::new(shape, device)?,
            products,
            wide: if device.is_metal() { DType::F32 } else { DType::F64 },
            variables: variables(&layout, &weights, products)?,
            gradient: weights.zeros_like()?,
            weights,
            mean: flat(&state.mean)?,
            square: flat(&state.square)?,
            rates: flat(&rates)?,
            decays: flat(&decays)?,
            layout,
            unread: Vec::with_capacity(UNREAD_STEPS),
            reads: Cell::new(0),
            task: Task::default(),
        })
    }

    /// The same for another task.
    pub(crate) fn of_task(mut self, task: Task) -> Result<Self> {
        self.positions = Positions::new(&self.shape, &self.device)?.seeing(task.sight());
        Ok(Self { task, ..self })
    }

    fn transformer<'a>(&'a self, parameters: &'a [Tensor]) -> Transformer<'a> {
        let Self { shape, layout, positions, products, .. } = self;
        Transformer { shape, layout, parameters, positions, products: *products }
    }

    /// Loss of every token [B·T]; 0 where the target is not counted.
    fn losses(&self, inputs: &[u32], targets: &[u32], parameters: &[Tensor]) -> Result<Tensor> {
        let transformer = self.transformer(parameters);
        let tokens = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &self.device);
        if counted(targets) == targets.len() {
            return transformer.token_losses(&tokens(inputs)?, &tokens(targets)?);
        }
        let some_token: Vec<u32> = targets.iter().map(|target| if *target == NOT_COUNTED { 0 } else { *target }).collect();
        let mask: Vec<f32> = targets.iter().map(|target| if *target == NOT_COUNTED { 0.0 } else { 1.0 }).collect();
        let losses = transformer.token_losses(&tokens(inputs)?, &tokens(&some_token)?)?;
        losses * Tensor::from_slice(&mask, mask.len(), &self.device)?
    }

    /// Mean of the losses that count.
    fn mean_loss(&self, losses: &Tensor, targets: &[u32]) -> Result<Tensor> {
        if let Some(weights) = self.task.weights(targets, self.shape.context) {
            return (losses * Tensor::from_slice(&weights, weights.len(), &self.device)?)?.sum_all();
        }
        let counted = counted(targets);
        if counted == targets.len() { losses.mean_all() } else { losses.sum_all()? / counted.max(1) as f64 }
    }

    /// Keeps the gradient of the mean loss of a batch; that loss, still on the device.
    fn backward(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Tensor> {
        let parameters: Vec<Tensor> = self.variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let loss = self.mean_loss(&self.losses(inputs, targets, &parameters)?, targets)?;
        let gradients = loss.backward()?;
        let flat: Result<Vec<Tensor>> = parameters
            .iter()
            .map(|parameter| match gradients.get(parameter) {
                // A missing gradient stays zero here and is refused, by name, at the first step.
                Some(gradient) => gradient.flatten_all()?.to_dtype(DType::F32),
                None => parameter.zeros_like()?.flatten_all()?.to_dtype(DType::F32),
            })
            .collect();
        self.gradient = Tensor::cat(&flat?, 0)?.detach();
        Ok(loss.detach())
    }

    /// One AdamW update with the gradient times `clip`, a number on the device.
    fn apply(&mut self, update: &Update, clip: &Tensor) -> Result<()> {
        let gradient = self.gradient.broadcast_mul(clip)?;
        self.mean = ((&self.mean * update.beta1)? + (&gradient * (1.0 - update.beta1))?)?;
        self.square = ((&self.square * update.beta2)? + (gradient.sqr()? * (1.0 - update.beta2))?)?;
        let denominator = ((self.square.sqrt()? * update.root_correction)? + update.eps)?;
        let move_by = ((&self.mean / denominator)?.mul(&self.rates)? * update.rate)?;
        let kept = self.decays.affine(-update.decay, 1.0)?;
        self.weights = ((&self.weights * kept)? - move_by)?;
        self.set_variables()
    }

    /// Copies the flat weights to the variables.
    fn set_variables(&self) -> Result<()> {
        for (parameter, variable) in self.layout.parameters.iter().zip(&self.variables) {
            variable.set(&view(parameter, &self.weights)?.to_dtype(variable.dtype())?)?;
        }
        Ok(())
    }

    /// Norm of the gradient, on the device. Rows first: a reduction to one number is the work of a single block of threads.
    fn norm(&self) -> Result<Tensor> {
        let squares = self.gradient.to_dtype(self.wide)?.sqr()?;
        let (whole, rest) = (self.layout.total / ROW * ROW, self.layout.total % ROW);
        let mut sums = Vec::with_capacity(2);
        if whole > 0 {
            sums.push(squares.narrow(0, 0, whole)?.reshape((whole / ROW, ROW))?.sum(1)?);
        }
        if rest > 0 {
            sums.push(squares.narrow(0, whole, rest)?);
        }
        Tensor::cat(&sums, 0)?.sum_all()?.sqrt()
    }

    /// min(1, largest / norm), on the device; a norm that is no number makes a factor that is none.
    fn clip(&self, norm: &Tensor, largest: f64) -> Result<Tensor> {
        let factor = if largest > 0.0 { norm.affine(0.0, largest)?.div(norm)?.minimum(1.0)? } else { norm.ones_like()? };
        factor.to_dtype(DType::F32)?.reshape(1)
    }

    fn make_step(&mut self, inputs: &[u32], targets: &[u32], update: &Update, largest_norm: f64) -> Result<()> {
        let loss = self.backward(inputs, targets)?;
        let norm = self.norm()?;
        self.apply(update, &self.clip(&norm, largest_norm)?)?;
        self.unread.push(Tensor::stack(&[loss.to_dtype(self.wide)?, norm], 0)?);
        Ok(())
    }

    fn read_steps(&mut self) -> Result<Vec<Reading>> {
        if self.unread.is_empty() {
            return Ok(Vec::new());
        }
        let steps = Tensor::cat(&std::mem::take(&mut self.unread), 0)?;
        let numbers = self.read::<f64>(&steps)?;
        Ok(numbers.chunks_exact(2).map(|pair| Reading { loss: pair[0], norm: pair[1] }).collect())
    }

    /// Waits for the device and copies numbers from it; nothing else here does.
    fn read<T: candle_core::WithDType>(&self, numbers: &Tensor) -> Result<Vec<T>> {
        self.reads.set(self.reads.get() + 1);
        // Metal has no f64: numbers are widened on this side.
        numbers.to_device(&Device::Cpu)?.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()
    }
}

impl Learner for Composed {
    fn gradient(&mut self, inputs: &[u32], targets: &[u32]) -> std::result::Result<f64, TrainError> {
        let loss = self.backward(inputs, targets)?;
        Ok(self.read::<f64>(&loss)?[0])
    }

    fn gradient_norm(&mut self) -> std::result::Result<f64, TrainError> {
        let norm = self.norm()?;
        Ok(self.read::<f64>(&norm)?[0])
    }

    fn flat_gradient(&self) -> std::result::Result<Vec<f32>, TrainError> {
        Ok(self.read(&self.gradient)?)
    }

    fn update(&mut self, update: &Update) -> std::result::Result<(), TrainError> {
        let clip = Tensor::new(&[update.clip as f32], &self.device)?;
        Ok(self.apply(update, &clip)?)
    }

    fn step(
        &mut self,
        inputs: &[u32],
        targets: &[u32],
        update: &Update,
        largest_norm: f64,
    ) -> std::result::Result<Vec<Reading>, TrainError> {
        self.make_step(inputs, targets, update, largest_norm)?;
        if self.unread.len() < UNREAD_STEPS { Ok(Vec::new()) } else { self.settle() }
    }

    fn settle(&mut self) -> std::result::Result<Vec<Reading>, TrainError> {
        Ok(self.read_steps()?)
    }

    fn put(&mut self, weights: &[f32]) -> std::result::Result<(), TrainError> {
        self.weights = Tensor::from_slice(weights, weights.len(), &self.device)?;
        Ok(self.set_variables()?)
    }

    fn state(&self) -> std::result::Result<LearnerState, TrainError> {
        let [weights, mean, square] = [&self.weights, &self.mean, &self.square].map(|numbers| self.read(numbers));
        Ok(LearnerState { weights: weights?, mean: mean?, square: square? })
    }

    fn hits(&mut self, inputs: &[u32], targets: &[u32]) -> std::result::Result<Vec<bool>, TrainError> {
        let parameters: Vec<Tensor> = self.variables.iter().map(Var::as_detached_tensor).collect();
        let inputs = Tensor::from_slice(inputs, inputs.len(), &self.device)?;
        let likeliest = self.transformer(&parameters).logits(&inputs)?.argmax(1)?;
        Ok(self.read::<u32>(&likeliest)?.iter().zip(targets).map(|(likeliest, target)| likeliest == target).collect())
    }

    fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> std::result::Result<Vec<f32>, TrainError> {
        // Detached parameters: without them every intermediate result would be kept for a backward pass.
        let parameters: Vec<Tensor> = self.variables.iter().map(Var::as_detached_tensor).collect();
        let losses = self.losses(inputs, targets, &parameters)?;
        debug_assert!(!losses.track_op());
        Ok(self.read(&losses)?)
    }
}

/// One variable a parameter, a copy of its part of the flat weights: matrices [out, in] in the number format of products, the embedding
/// and gains [columns] in f32.
pub(super) fn variables(layout: &Layout, weights: &Tensor, products: DType) -> Result<Vec<Var>> {
    let format = |parameter: &Parameter| match parameter.group {
        ParamGroup::Matrix | ParamGroup::Head => products,
        ParamGroup::Embedding | ParamGroup::Norm => DType::F32,
    };
    layout.parameters.iter().map(|parameter| Var::from_tensor(&view(parameter, weights)?.to_dtype(format(parameter))?)).collect()
}

/// The part of the flat weights that is a parameter, in its shape.
fn view(parameter: &Parameter, weights: &Tensor) -> Result<Tensor> {
    let range = parameter.range();
    let part = weights.narrow(0, range.start, range.len())?;
    if parameter.group == ParamGroup::Norm { Ok(part) } else { part.reshape((parameter.rows, parameter.columns)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{AdamW, Random};

    /// So small that gradients are clipped.
    const LARGEST_NORM: f64 = 0.05;

    fn tokens(seed: u64, count: usize) -> Vec<u32> {
        let mut random = Random::new(seed, "composed");
        (0..count).map(|_| random.below(16) as u32 * random.below(16) as u32).collect()
    }

    fn learner(dtype: Dtype) -> (Composed, Layout) {
        let shape = ModelShape { context: 32, ..ModelShape::derived(2, 32) };
        let layout = Layout::of(&shape);
        let state = LearnerState::first(layout.first_weights(3));
        (Composed::new(&shape, &OptimizerGroups::default(), &state, &Device::Cpu, dtype).expect("opens"), layout)
    }

    fn steps(learner: &mut Composed, count: u64) -> Vec<Reading> {
        let mut readings = Vec::new();
        for step in 0..count {
            let tokens = tokens(step, 8 * 32 + 1);
            let update = Update::new(&AdamW::default(), step, 4e-3);
            readings.extend(learner.step(&tokens[..256], &tokens[1..], &update, LARGEST_NORM).expect("steps"));
        }
        readings.extend(learner.settle().expect("reads"));
        readings
    }

    #[test]
    fn the_device_is_waited_for_once_in_sixteen_steps() {
        let (mut composed, _) = learner(Dtype::F32);
        let readings = steps(&mut composed, 40);
        assert_eq!((readings.len(), composed.reads.get()), (40, 3));
        assert!(readings.iter().all(|reading| reading.is_finite()) && readings[39].loss < readings[0].loss);
    }

    #[test]
    fn clipping_on_the_device_is_that_of_the_host() {
        let (mut composed, _) = learner(Dtype::F32);
        let (mut by_hand, _) = learner(Dtype::F32);
        let readings = steps(&mut composed, 12);
        for (step, reading) in (0..12).zip(readings) {
            let tokens = tokens(step, 8 * 32 + 1);
            let loss = by_hand.gradient(&tokens[..256], &tokens[1..]).expect("computes");
            let norm = by_hand.gradient_norm().expect("computes");
            assert_eq!(reading, Reading { loss, norm }, "step {step}");
            let clip = super::super::adamw::clip_factor(norm, LARGEST_NORM);
            assert!(step > 0 || clip < 1.0, "the first gradient is clipped");
            by_hand.update(&Update { clip, ..Update::new(&AdamW::default(), step, 4e-3) }).expect("updates");
        }
        assert_eq!(composed.state().expect("reads"), by_hand.state().expect("reads"));
        let none = Tensor::new(0.0f64, &Device::Cpu).expect("made");
        let factor = |norm: f64, largest| composed.clip(&(&none + norm).expect("adds"), largest).and_then(|clip| clip.to_vec1::<f32>());
        assert_eq!(factor(0.0, 1.0).expect("computes"), [1.0]);
        assert_eq!(factor(4.0, 0.0).expect("computes"), [1.0]);
        assert!(factor(f64::NAN, 1.0).expect("computes")[0].is_nan());
    }

    /// Rounding to bf16 is off by at most 2⁻⁹ = 0.2 %; the loss, a mean over many tokens near ln V, by far less; gradients, sums of
    /// hundreds of rounded products, by a few roundings; those of a few gains, of thousands that cancel, by more.
    #[test]
    fn bf16_products_give_the_loss_and_every_gradient_of_f32_but_for_rounding() {
        let ((mut exact, layout), (mut rounded, _)) = (learner(Dtype::F32), learner(Dtype::Bf16));
        // Beyond the first steps the head is no longer near zero.
        let readings = [steps(&mut exact, 20), steps(&mut rounded, 20)];
        let difference = readings[0].iter().zip(&readings[1]).map(|(a, b)| (a.loss / b.loss - 1.0).abs()).fold(0.0, f64::max);
        assert!(difference > 0.0 && difference < 2e-3, "{difference:e}");
        let state = exact.state().expect("reads");
        let shape = exact.shape.clone();
        let mut rounded = Composed::new(&shape, &OptimizerGroups::default(), &state, &Device::Cpu, Dtype::Bf16).expect("opens");
        let tokens = tokens(99, 8 * 32 + 1);
        let losses = [&mut exact, &mut rounded].map(|learner| learner.gradient(&tokens[..256], &tokens[1..]).expect("computes"));
        assert!((losses[0] / losses[1] - 1.0).abs() < 1e-3, "{losses:?}");
        let (expected, found) = (exact.flat_gradient().expect("kept"), rounded.flat_gradient().expect("kept"));
        for parameter in &layout.parameters {
            let (a, b) = (&found[parameter.range()], &expected[parameter.range()]);
            let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let distance = norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied());
            let allowed = if parameter.group == ParamGroup::Norm { 0.1 } else { 0.05 };
            assert!(distance > 0.0 && distance < allowed, "gradient of {} is off by {distance:e}", parameter.name);
        }
    }

    #[test]
    fn master_weights_stay_f32_under_bf16() {
        let (mut composed, layout) = learner(Dtype::Bf16);
        let before = composed.state().expect("reads").weights;
        // A move that bf16 could not show: 8 bits of mantissa of a weight about 0.1 end at 2e-4.
        let tokens = tokens(0, 8 * 32 + 1);
        composed.step(&tokens[..256], &tokens[1..], &Update::new(&AdamW::default(), 0, 1e-6), 0.0).expect("steps");
        let after = composed.state().expect("reads").weights;
        for parameter in &layout.parameters {
            let moved = parameter.range().filter(|&i| before[i] != after[i]).count();
            assert!(2 * moved > parameter.range().len() || parameter.name == "embedding", "{}: {moved} moved", parameter.name);
        }
        let formats: Vec<DType> = composed.variables.iter().map(|variable| variable.dtype()).collect();
        for (parameter, format) in layout.parameters.iter().zip(formats) {
            let matrix = matches!(parameter.group, ParamGroup::Matrix | ParamGroup::Head);
            assert_eq!(format == DType::BF16, matrix, "{}", parameter.name);
        }
        for flat in [&composed.weights, &composed.gradient, &composed.mean, &composed.square] {
            assert_eq!(flat.dtype(), DType::F32);
        }
    }
}
