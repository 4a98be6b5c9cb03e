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

/// Some of the held-out windows: what is measured while a run trains.
pub(crate) struct SomeWindows {
    /// Their places among all.
    places: Vec<usize>,
    /// Their tokens, as those of all.
    pub(crate) tokens: Vec<u32>,
}

impl SomeWindows {
    /// `count` of all windows of `context + 1` tokens, at even distances.
    pub(crate) fn of(tokens: &[u32], context: usize, count: usize) -> Self {
        let all = tokens.len() / (context + 1);
        let count = count.min(all);
        let places: Vec<usize> = (0..count).map(|at| at * all / count).collect();
        let tokens = places.iter().flat_map(|at| &tokens[at * (context + 1)..][..context + 1]).copied().collect();
        Self { places, tokens }
    }

    /// What the mean loss of all windows is above that of these.
    pub(crate) fn differ(&self, of_all: &[f32]) -> f64 {
        let these: Vec<f32> = self.places.iter().filter_map(|at| of_all.get(*at)).copied().collect();
        mean(of_all) - mean(&these)
    }
}

/// Mean in f64, in order; not a number where there are none.
pub(crate) fn mean(values: &[f32]) -> f64 {
    sample::mean(values.iter().map(|value| f64::from(*value))).unwrap_or(f64::NAN)
}

/// Standard error of the mean of independent values; none for fewer than two.
pub(crate) fn standard_error(values: &[f32]) -> Option<f64> {
    sample::standard_error(&values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_windows_lie_at_even_distances_and_are_moved_to_the_mean_of_all() {
        let tokens: Vec<u32> = (0..12).collect();
        let some = SomeWindows::of(&tokens, 2, 2);
        assert_eq!((&some.places[..], &some.tokens[..]), (&[0, 2][..], &[0, 1, 2, 6, 7, 8][..]));
        assert_eq!(some.differ(&[1.0, 2.0, 3.0, 4.0]), 0.5);
        assert_eq!(SomeWindows::of(&tokens, 2, 9).differ(&[1.0, 2.0, 3.0, 4.0]), 0.0, "all of them");
    }
}
