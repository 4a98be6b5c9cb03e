//! Held-out loss: the mean of −ln p over the tokens of each fixed window, without a gradient.

use super::TrainError;
use super::learner::Learner;
use crate::corpus::{NOT_COUNTED, counted, split_window};
use crate::spec::{PartRecord, run_loss, sample, windows_of_parts};
use std::ops::Range;

/// Mean loss of every window, nats per token. `tokens` holds `context + 1` ids a window: all but the
/// last are read, all but the first are predicted. `at_once` windows are computed together.
///
/// Where not every target counts, what a window loses is divided by the targets that count in a window on average, so that the mean over
/// windows is the loss of a counted token.
pub(crate) fn window_losses(learner: &mut dyn Learner, tokens: &[u32], context: usize, at_once: usize) -> Result<Vec<f32>, TrainError> {
    let windows = tokens.len() / (context + 1);
    let mut sums = Vec::with_capacity(windows);
    let mut all_counted = 0;
    for chunk in tokens.chunks((context + 1) * at_once.max(1)) {
        let length = chunk.len() / (context + 1) * context;
        let (mut inputs, mut targets) = (vec![0; length], vec![0; length]);
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        chunk.chunks_exact(context + 1).zip(rows).for_each(|(window, (input, target))| split_window(window, input, target));
        all_counted += counted(&targets);
        let of_tokens = learner.token_losses(&inputs, &targets)?;
        sums.extend(of_tokens.chunks_exact(context).map(|window| window.iter().map(|loss| f64::from(*loss)).sum::<f64>()));
    }
    let in_a_window = all_counted as f64 / windows as f64;
    Ok(sums.into_iter().map(|sum| (sum / in_a_window) as f32).collect())
}

/// Standard error of the loss of a counted token: windows, which are taken to be independent, hold different numbers of them, so the loss is
/// a ratio of two sums over windows, and its error that of its linear part.
pub(crate) fn ratio_error(losses: &[f32], tokens: &[u32], context: usize) -> Option<f64> {
    let (mut input, mut target) = (vec![0; context], vec![0; context]);
    let mut counts = Vec::with_capacity(losses.len());
    for window in tokens.chunks_exact(context + 1) {
        split_window(window, &mut input, &mut target);
        counts.push(counted(&target) as f64);
    }
    let (loss, usual) = (mean(losses), sample::mean(counts.iter().copied())?);
    let residuals: Vec<f64> = losses.iter().zip(counts).map(|(window, count)| f64::from(*window) - loss * count / usual).collect();
    sample::standard_error(&residuals)
}

/// Responses of which every token is the likeliest after all that stands before it, and all responses. A response is what counts without
/// a gap, so something that does not count must stand between two.
pub(crate) fn exact_matches(learner: &mut dyn Learner, tokens: &[u32], context: usize, at_once: usize) -> Result<(u64, u64), TrainError> {
    let (mut exact, mut all) = (0, 0);
    for chunk in tokens.chunks((context + 1) * at_once.max(1)) {
        let length = chunk.len() / (context + 1) * context;
        let (mut inputs, mut targets) = (vec![0; length], vec![0; length]);
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        chunk.chunks_exact(context + 1).zip(rows).for_each(|(window, (input, target))| split_window(window, input, target));
        let hits = learner.hits(&inputs, &targets)?;
        for (targets, hits) in targets.chunks_exact(context).zip(hits.chunks_exact(context)) {
            let marked: Vec<(bool, bool)> = targets.iter().map(|target| *target != NOT_COUNTED).zip(hits.iter().copied()).collect();
            for response in marked.chunk_by(|a, b| a.0 == b.0).filter(|some| some[0].0) {
                all += 1;
                exact += u64::from(response.iter().all(|(_, hit)| *hit));
            }
        }
    }
    Ok((exact, all))
}

/// Some of the held-out windows: what is measured while a run trains.
pub(crate) struct SomeWindows {
    /// Their places among all.
    pub(crate) places: Vec<usize>,
    /// Their tokens, as those of all.
    pub(crate) tokens: Vec<u32>,
}

impl SomeWindows {
    /// About `count` of all windows of `context + 1` tokens, at even distances; where they are of several parts, as many of each.
    pub(crate) fn of(tokens: &[u32], context: usize, count: usize, parts: usize) -> Self {
        let all: Vec<Range<usize>> = windows_of_parts(tokens.len() / (context + 1), parts.max(1)).collect();
        let least = all.iter().map(Range::len).min().unwrap_or(0);
        let each = (count / all.len()).clamp(usize::from(least > 0), least.max(1)).min(least);
        let places: Vec<usize> = all.iter().flat_map(|part| (0..each).map(|at| part.start + at * part.len() / each)).collect();
        let tokens = places.iter().flat_map(|at| &tokens[at * (context + 1)..][..context + 1]).copied().collect();
        Self { places, tokens }
    }

    /// What the loss on all windows is above that on these, parts counted by their weights.
    pub(crate) fn differ(&self, parts: &[PartRecord], of_all: &[f32]) -> f64 {
        let these: Vec<f32> = self.places.iter().filter_map(|at| of_all.get(*at)).copied().collect();
        run_loss(parts, of_all) - run_loss(parts, &these)
    }
}

/// Mean in f64, in order; not a number where there are none.
pub(crate) fn mean(values: &[f32]) -> f64 {
    sample::mean(values.iter().map(|value| f64::from(*value))).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    /// Loses as much at every counted target as the target is.
    struct Literal;

    impl Learner for Literal {
        fn gradient(&mut self, _: &[u32], _: &[u32]) -> Result<f64, TrainError> {
            Ok(0.0)
        }

        fn gradient_norm(&mut self) -> Result<f64, TrainError> {
            Ok(0.0)
        }

        fn flat_gradient(&self) -> Result<Vec<f32>, TrainError> {
            Ok(Vec::new())
        }

        fn update(&mut self, _: &super::super::adamw::Update) -> Result<(), TrainError> {
            Ok(())
        }

        fn put(&mut self, _: &[f32]) -> Result<(), TrainError> {
            unreachable!("it has no weights")
        }

        fn state(&self) -> Result<super::super::learner::LearnerState, TrainError> {
            Ok(super::super::learner::LearnerState::first(Vec::new()))
        }

        fn hits(&mut self, _: &[u32], targets: &[u32]) -> Result<Vec<bool>, TrainError> {
            Ok(targets.iter().map(|target| target.is_multiple_of(2)).collect())
        }

        fn token_losses(&mut self, _: &[u32], targets: &[u32]) -> Result<Vec<f32>, TrainError> {
            Ok(targets.iter().map(|target| if *target == NOT_COUNTED { 0.0 } else { *target as f32 }).collect())
        }
    }

    #[test]
    fn the_mean_over_windows_is_the_loss_of_a_counted_token() {
        const MARK: u32 = 1 << 31;
        let all = [1, 2, 3, 4, 5, 6];
        assert_eq!(window_losses(&mut Literal, &all, 2, 1).expect("computes"), [2.5, 5.5]);
        // Three of four targets count, 3 + 5 + 6 together; windows of 3 and of 11 over one and a half targets each.
        let some = [1, 2 | MARK, 3, 4, 5, 6];
        for at_once in [1, 2, 9] {
            let losses = window_losses(&mut Literal, &some, 2, at_once).expect("computes");
            assert_eq!(losses, [2.0, 11.0 / 1.5f32]);
            assert!((mean(&losses) - 14.0 / 3.0).abs() < 1e-6);
        }
    }

    /// Where every target counts it is the usual error of a mean; else that of simulated windows, whose length and loss vary.
    #[test]
    fn the_error_of_a_ratio_is_its_spread() {
        const MARK: u32 = 1 << 31;
        let losses = [1.0, 2.0, 4.0];
        let usual = ratio_error(&losses, &[0; 9], 2).expect("three windows");
        assert!((usual - sample::standard_error(&[1.0, 2.0, 4.0]).expect("three")).abs() < 1e-12);
        let mut random = Random::new(3, "windows");
        let (context, windows) = (64, 400);
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let mut tokens = Vec::new();
            let mut sums = Vec::new();
            for _ in 0..windows {
                let counted = 4 + random.below(60) as usize;
                tokens.extend((0..=context).map(|at| if (1..=counted).contains(&at) { 0 } else { MARK }));
                sums.push((0..counted).map(|_| 2.0 + random.normal()).sum::<f64>());
            }
            let all: f64 = tokens.iter().filter(|token| **token == 0).count() as f64;
            let losses: Vec<f32> = sums.iter().map(|sum| (sum / (all / windows as f64)) as f32).collect();
            found.push(mean(&losses));
            errors.push(ratio_error(&losses, &tokens, context).expect("many windows"));
        }
        let (spread, said) = (sample::standard_deviation(&found).expect("many"), sample::mean(errors).expect("many"));
        assert!((said / spread - 1.0).abs() < 0.12, "{said} {spread}");
        let taken_alike = 2.0 * (60.0f64 / 12f64.sqrt()) / 33.5 / (windows as f64).sqrt();
        assert!(taken_alike > 3.0 * spread, "windows taken alike would say {taken_alike}");
    }

    #[test]
    fn responses_are_exact_where_every_token_is_the_likeliest() {
        const MARK: u32 = 1 << 31;
        // The literal learner finds even targets: of 4 6 | 8 5 | 2 the first and the last response are exact.
        let tokens = [1 | MARK, 4, 6, 1 | MARK, 8, 5, 7 | MARK, 3 | MARK, 2, 9 | MARK];
        for (context, at_once) in [(4, 1), (4, 2)] {
            let rows = [&tokens[..5], &tokens[5..]].concat();
            let found = exact_matches(&mut Literal, &rows, context, at_once).expect("computes");
            assert_eq!(found, (3, 3), "4 6, 8 and 2; 5 is the first of a window");
        }
        assert_eq!(exact_matches(&mut Literal, &tokens, 9, 1).expect("computes"), (2, 3));
    }

    #[test]
    fn some_windows_lie_at_even_distances_and_are_moved_to_the_mean_of_all() {
        let tokens: Vec<u32> = (0..12).collect();
        let some = SomeWindows::of(&tokens, 2, 2, 0);
        assert_eq!((&some.places[..], &some.tokens[..]), (&[0, 2][..], &[0, 1, 2, 6, 7, 8][..]));
        assert_eq!(some.differ(&[], &[1.0, 2.0, 3.0, 4.0]), 0.5);
        assert_eq!(SomeWindows::of(&tokens, 2, 9, 0).differ(&[], &[1.0, 2.0, 3.0, 4.0]), 0.0, "all of them");
        // Two parts of two windows: the first of each, though one was asked for.
        let of_parts = SomeWindows::of(&tokens, 2, 1, 2);
        assert_eq!(of_parts.places, [0, 2]);
        let part = |weight: f64| PartRecord { weight: Some(weight), ..PartRecord::default() };
        assert_eq!(of_parts.differ(&[part(0.75), part(0.25)], &[1.0, 2.0, 3.0, 5.0]), 0.75 * 0.5 + 0.25);
    }
}
