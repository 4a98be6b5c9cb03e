//! What a machine is measured with: a square matrix product by the same GEMM that training uses, and a step of a run by itself.

use super::TrainError;
use super::adamw::Update;
use super::checkpoint::Checkpoint;
use super::flush::{CAN_FLUSH, flushing};
use super::fused::Fused;
use super::init::Layout;
use super::kernels::matmul::{Into, Matrix, multiply};
use super::learner::{Learner, Task};
use super::prefetch::BatchSource;
use super::training::{check, factors};
use crate::corpus::{Corpus, Order};
use crate::spec::{Device, RunSpec};

/// Two square matrices and room for their product.
#[derive(Debug)]
pub struct GemmProbe {
    size: usize,
    a: Vec<f32>,
    b: Vec<f32>,
    product: Vec<f32>,
}

impl GemmProbe {
    /// Matrices of `size` × `size`.
    pub fn new(size: usize) -> Self {
        let numbers = |factor: f32| (0..size * size).map(|at| ((at % 97) as f32 - 48.0) * factor).collect();
        Self { size, a: numbers(0.01), b: numbers(0.02), product: vec![0.0; size * size] }
    }

    /// Multiplies once, on one thread; returns the FLOPs of it, 2·size³.
    pub fn multiply(&mut self) -> f64 {
        let n = self.size;
        multiply(&mut self.product, n, Into::Replace, Matrix::new(&self.a, n, n), Matrix::new(&self.b, n, n));
        2.0 * (n as f64).powi(3)
    }
}

/// The steps of a run on the processor, one at a time, so that each can be timed by itself.
pub struct StepProbe<'a> {
    spec: &'a RunSpec,
    batches: BatchSource<'a>,
    learner: Fused,
    step: u64,
}

impl<'a> StepProbe<'a> {
    /// A run before its first step.
    pub fn new(spec: &'a RunSpec, corpus: &'a Corpus) -> Result<Self, TrainError> {
        check(spec, corpus, Device::Cpu)?;
        let order = Order { seed: spec.seeds.data, unique_tokens: spec.unique_tokens, interleaving: None, pairs: None };
        let batches = BatchSource::of(spec, corpus, order);
        let first = Checkpoint::first(spec, &Layout::of(&spec.shape));
        let learner =
            Fused::new(&spec.shape, &spec.recipe.groups, first.learner, factors(spec.recipe.dtype)?).of_task(Task::of(&spec.objective));
        Ok(Self { spec, batches, learner, step: 0 })
    }

    /// One step: batch, forward, backward, update. Returns the loss before it.
    pub fn step(&mut self) -> Result<f64, TrainError> {
        let mut batch = self.batches.empty();
        self.batches.fill(self.step, &mut batch);
        let update = Update::new(&self.spec.recipe.adamw, self.step, self.spec.learning_rate(self.step));
        let readings = self.learner.step(&batch.inputs, &batch.targets, &update, self.spec.recipe.grad_clip)?;
        self.step += 1;
        Ok(readings.last().map_or(f64::NAN, |reading| reading.loss))
    }

    /// Time of a step, while the processor reads and writes denormals as 0 or as it is.
    fn timed(&mut self, flushed: bool, seconds: &mut impl FnMut(&mut dyn FnMut()) -> f64) -> Result<f64, TrainError> {
        let mut outcome = Ok(0.0);
        let time = seconds(&mut || outcome = if flushed { flushing(|| self.step()) } else { self.step() });
        outcome.map(|_loss| time)
    }
}

/// What denormals cost a step: two runs alike, so that what is flushed in one is still there in the other.
pub struct FlushProbe<'a>([StepProbe<'a>; 2]);

impl<'a> FlushProbe<'a> {
    /// Two runs before their first step.
    pub fn new(spec: &'a RunSpec, corpus: &'a Corpus) -> Result<Self, TrainError> {
        Ok(Self([StepProbe::new(spec, corpus)?, StepProbe::new(spec, corpus)?]))
    }

    /// Times of a step as it is and of one while the processor reads and writes denormals as 0, alike where training makes none. Of two steps
    /// each, the shorter: the runs change parts in between, so that where their buffers lie favours neither. `seconds` does the work and times
    /// it; `None` where this program cannot tell the processor to.
    pub fn times(&mut self, mut seconds: impl FnMut(&mut dyn FnMut()) -> f64) -> Option<Result<[f64; 2], TrainError>> {
        CAN_FLUSH.then(|| {
            let Self([first, second]) = self;
            let (plain, flushed) = (first.timed(false, &mut seconds)?, second.timed(true, &mut seconds)?);
            let (again_flushed, again_plain) = (first.timed(true, &mut seconds)?, second.timed(false, &mut seconds)?);
            Ok([plain.min(again_plain), flushed.min(again_flushed)])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::tiny;
    use crate::train::train;
    use std::ops::ControlFlow;

    #[test]
    fn steps_by_themselves_are_those_of_the_run_and_are_timed_four_a_round() {
        let (spec, corpus) = tiny(9);
        let run = train(&spec, &corpus, &Device::Cpu, &mut |_| ControlFlow::Continue(())).expect("trains");
        let mut probe = StepProbe::new(&spec, &corpus).expect("opens");
        for point in &run.curve[..8] {
            assert_eq!(Some(probe.step().expect("computes")), point.train_loss_nats);
        }
        let mut calls = 0;
        let times = FlushProbe::new(&spec, &corpus).expect("opens").times(|work| {
            work();
            calls += 1;
            [3.0, 2.0, 4.0, 5.0][calls - 1]
        });
        let expected = CAN_FLUSH.then_some(([3.0, 2.0], 4));
        assert_eq!(times.map(|times| (times.expect("computes"), calls)), expected);
    }

    #[test]
    fn the_probe_computes_the_product_and_counts_its_flops() {
        let mut probe = GemmProbe::new(5);
        assert_eq!(probe.multiply(), 250.0);
        let exact: f32 = (0..5).map(|k| probe.a[2 * 5 + k] * probe.b[k * 5 + 3]).sum();
        assert!((probe.product[2 * 5 + 3] - exact).abs() < 1e-4);
    }
}
