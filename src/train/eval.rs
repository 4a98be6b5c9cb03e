//! Held-out loss: the mean of −ln p over the tokens of each fixed window, without a gradient.

use super::TrainError;
use super::learner::Learner;
use crate::spec::sample;

/// Mean loss of every window, nats per token. `tokens` holds `context + 1` ids a window: all but the
/// last are read, all but the first are predicted. `at_once` windows are computed together.
pub(crate) fn window_losses(learner: &mut dyn Learner, tokens: &[u32], context: usize, at_once: usize) -> Result<Vec<f32>, TrainError> {
    let mut losses = Vec::with_capacity(tokens.len() / (context + 1));
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for chunk in tokens.chunks((context + 1) * at_once.max(1)) {
        inputs.clear();
        targets.clear();
        for window in chunk.chunks_exact(context + 1) {
            inputs.extend_from_slice(&window[..context]);
            targets.extend_from_slice(&window[1..]);
        }
        let of_tokens = learner.token_losses(&inputs, &targets)?;
        losses.extend(of_tokens.chunks_exact(context).map(|window| mean(window) as f32));
    }
    Ok(losses)
}

/// Mean in f64, in order; not a number where there are none.
pub(crate) fn mean(values: &[f32]) -> f64 {
    sample::mean(values.iter().map(|value| f64::from(*value))).unwrap_or(f64::NAN)
}
