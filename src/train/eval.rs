//! Held-out loss: the mean of −ln p over the tokens of each fixed window, without a gradient.

use super::TrainError;
use super::learner::Learner;

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

/// Mean in f64, in order.
pub(crate) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64
}

/// Standard error of the mean of independent values, s/√n; none for fewer than two.
pub(crate) fn standard_error(values: &[f32]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_of_four_numbers_matches_a_count_by_hand() {
        // Mean 2.5, squares 2.25 + 0.25 + 0.25 + 2.25 = 5, variance 5/3, over 4: 5/12.
        assert!((standard_error(&[1.0, 2.0, 3.0, 4.0]).expect("four") - (5.0f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(standard_error(&[1.0]), None);
    }
}
