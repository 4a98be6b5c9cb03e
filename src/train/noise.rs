//! The gradient noise scale, from which a critical batch size follows (McCandlish 1812.06162, Appendix A.1).
//!
//! The gradient g_B of a batch of B tokens has E|g_B|² = |G|² + S/B: G the true gradient, S the sum of the
//! variances of its components for one token. Two batch sizes give both; the noise scale is S/|G|², in tokens. Here the large
//! batch is that of the step and the small ones are its parts, whole sequences each, so the tokens of a sequence count as they come: correlated.
//! Measuring costs the time of one more gradient and changes nothing of the run.

use super::TrainError;
use super::learner::Learner;

/// Parts that a batch is split into, at most.
const PARTS: usize = 8;
/// What an earlier measurement weighs beside the next one in the running means (a single one is far too noisy).
const MEMORY: f64 = 0.9;

/// Running means of S and |G|².
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct NoiseScale {
    pub(crate) variance: f64,
    pub(crate) gradient: f64,
}

/// A batch size and the mean squared norm of gradients of such batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SquaredNorm {
    pub(crate) tokens: f64,
    pub(crate) mean: f64,
}

impl NoiseScale {
    /// Takes the squared norms at two batch sizes in; the noise scale so far in tokens, absent while the
    /// noise hides the gradient.
    pub(crate) fn take(&mut self, small: SquaredNorm, large: SquaredNorm) -> Option<f64> {
        let variance = (small.mean - large.mean) / (1.0 / small.tokens - 1.0 / large.tokens);
        let gradient = (large.tokens * large.mean - small.tokens * small.mean) / (large.tokens - small.tokens);
        self.variance = MEMORY * self.variance + (1.0 - MEMORY) * variance;
        self.gradient = MEMORY * self.gradient + (1.0 - MEMORY) * gradient;
        let scale = self.variance / self.gradient;
        (self.gradient > 0.0 && self.variance > 0.0 && scale.is_finite()).then_some(scale)
    }
}

/// The mean squared norm over the parts of a batch; none for a batch of a single sequence.
pub(crate) fn of_parts(
    learner: &mut dyn Learner,
    inputs: &[u32],
    targets: &[u32],
    context: usize,
) -> Result<Option<SquaredNorm>, TrainError> {
    let sequences = inputs.len() / context;
    let parts = sequences.min(PARTS);
    if parts < 2 {
        return Ok(None);
    }
    let tokens = sequences / parts * context;
    let mut sum = 0.0;
    for (inputs, targets) in inputs.chunks(tokens).zip(targets.chunks(tokens)).take(parts) {
        learner.gradient(inputs, targets)?;
        sum += learner.gradient_norm()?.powi(2);
    }
    Ok(Some(SquaredNorm { tokens: tokens as f64, mean: sum / parts as f64 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;
    use crate::train::adamw::Update;
    use crate::train::learner::LearnerState;

    /// Gradients are drawn: a true one of squared norm `signal`, noise of variance `noise` a token over all components.
    struct Drawn {
        random: Random,
        signal: f64,
        noise: f64,
        latest: f64,
    }

    const COMPONENTS: usize = 20;

    impl Learner for Drawn {
        fn gradient(&mut self, inputs: &[u32], _: &[u32]) -> Result<f64, TrainError> {
            let deviation = (self.noise / (COMPONENTS * inputs.len()) as f64).sqrt();
            let mean = (self.signal / COMPONENTS as f64).sqrt();
            self.latest = (0..COMPONENTS).map(|_| (mean + deviation * self.random.normal()).powi(2)).sum();
            Ok(1.0)
        }
        fn gradient_norm(&mut self) -> Result<f64, TrainError> {
            Ok(self.latest.sqrt())
        }
        fn flat_gradient(&self) -> Result<Vec<f32>, TrainError> {
            Ok(Vec::new())
        }
        fn update(&mut self, _: &Update) -> Result<(), TrainError> {
            Ok(())
        }
        fn put(&mut self, _: &[f32]) -> Result<(), TrainError> {
            unreachable!("it has no weights")
        }

        fn state(&self) -> Result<LearnerState, TrainError> {
            unreachable!("no state is asked for")
        }

        fn hits(&mut self, _: &[u32], _: &[u32]) -> Result<Vec<bool>, TrainError> {
            Ok(Vec::new())
        }

        fn token_losses(&mut self, _: &[u32], _: &[u32]) -> Result<Vec<f32>, TrainError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn two_batch_sizes_give_signal_and_noise_exactly() {
        // |G|² = 3, S = 500: 3 + 500/100 = 8 at 100 tokens, 3 + 500/1000 = 3.5 at 1000.
        let [small, large] = [(100.0, 8.0), (1000.0, 3.5)].map(|(tokens, mean)| SquaredNorm { tokens, mean });
        let scale = NoiseScale::default().take(small, large).expect("a signal");
        assert!((scale / (500.0 / 3.0) - 1.0).abs() < 1e-12, "{scale}");
        let [small, large] = [(100.0, 8.0), (1000.0, 0.5)].map(|(tokens, mean)| SquaredNorm { tokens, mean });
        assert_eq!(NoiseScale::default().take(small, large), None, "the noise hides the gradient");
    }

    #[test]
    fn the_running_estimate_finds_a_known_noise_scale() {
        let (signal, noise, context, batch) = (0.5f64, 400.0, 16, 16 * 24);
        let mut learner = Drawn { random: Random::new(3, "noise"), signal, noise, latest: 0.0 };
        let ids = vec![0; batch];
        let (mut scale, mut logs) = (NoiseScale::default(), Vec::new());
        for measurement in 0..4000 {
            let small = of_parts(&mut learner, &ids, &ids, context).expect("computes").expect("parts");
            assert_eq!(small.tokens, 48.0);
            learner.gradient(&ids, &ids).expect("computes");
            let large = SquaredNorm { tokens: batch as f64, mean: learner.latest };
            if let (true, Some(found)) = (measurement > 100, scale.take(small, large)) {
                logs.push(found.ln());
            }
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        // Twenty measurements are averaged at a time; the logarithm of a ratio of such means is biased by a few per cent.
        assert!((mean - (noise / signal).ln()).abs() < 0.1, "{}", mean.exp());
        assert!(of_parts(&mut learner, &ids[..16], &ids[..16], 16).expect("computes").is_none());
    }
}
