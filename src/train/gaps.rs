//! What a run that fills gaps measures: a bound on −ln p of a token, which stands beside the losses of runs that predict the next token, and
//! the loss of a hidden token itself.
//!
//! The bound is −ln p(x) ≤ Σ over k = 1…T of the mean loss of k hidden tokens, over all choices of them (Uria 1310.1757, Nie 2502.09992
//! eq. 6; the same number as the integral over ratios r of 1/r times the losses of tokens hidden with probability r). Per token it is the
//! mean over k, uniform in 1…T, of the mean loss of k hidden tokens. Each window is read [`Objective::BOUND_PASSES`] times, in two halves
//! whose k lie evenly, so that how far the halves differ says what the choice of masks leaves uncertain.

use super::error::TrainError;
use super::eval::mean;
use super::learner::Learner;
use crate::corpus::Masks;
use crate::spec::{Nats, Objective, RunRecord, RunSpec};

/// Halves of the passes.
const HALVES: u64 = 2;

/// How gaps are made in the held-out windows of a run.
pub(crate) struct Gaps {
    masks: Masks,
    context: usize,
    at_once: usize,
}

/// A bound as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bound {
    /// That of every window, nats per token.
    pub(crate) windows: Vec<f32>,
    /// Standard error of their mean that is due to the choice of masks.
    pub(crate) masks_error: f64,
}

impl Gaps {
    /// Those of a run; none where it predicts the next token. `of_corpus`: distinct tokens of its corpus.
    pub(crate) fn of(spec: &RunSpec, of_corpus: usize) -> Option<Self> {
        let masks = Masks::of(&spec.objective, of_corpus, spec.seeds.eval)?;
        Some(Self { masks, context: spec.shape.context, at_once: spec.batch_sequences().max(1) })
    }

    /// The bound on held-out windows of `context + 1` ids each, of which the first is not read: every other is predicted, as by a network
    /// that predicts the next token. `places`: where each stands among all, by which its masks are drawn.
    pub(crate) fn bound(&self, learner: &mut dyn Learner, tokens: &[u32], places: &[usize]) -> Result<Bound, TrainError> {
        let masks = self.masks.of_bound();
        let passes = Objective::BOUND_PASSES / HALVES;
        let mut halves = Vec::with_capacity(HALVES as usize);
        for half in 0..HALVES {
            let series = format!("bound {half}");
            let mut sums = vec![0.0; places.len()];
            for pass in 0..passes {
                let of_pass = self.losses(learner, (masks, &series, (pass, passes)), tokens, places)?;
                sums.iter_mut().zip(of_pass).for_each(|(sum, loss)| *sum += loss / passes as f64);
            }
            halves.push(sums);
        }
        let windows = (0..places.len()).map(|at| (halves.iter().map(|half| half[at]).sum::<f64>() / HALVES as f64) as f32).collect();
        // The mean of two has a fourth of the squared difference as its variance, on average.
        let squares = halves[0].iter().zip(&halves[1]).map(|(a, b)| (a - b).powi(2) / 4.0).sum::<f64>();
        Ok(Bound { windows, masks_error: squares.sqrt() / places.len() as f64 })
    }

    /// Writes into a row what is read of a network at its end, of which the bound is known.
    pub(crate) fn tell(
        &self,
        record: &mut RunRecord,
        learner: &mut dyn Learner,
        tokens: &[u32],
        masks_error: f64,
    ) -> Result<(), TrainError> {
        let places: Vec<usize> = (0..tokens.len() / (self.context + 1)).collect();
        let losses = self.losses(learner, (self.masks, "as in training", (0, 1)), tokens, &places)?;
        record.masked_loss_nats = Some(Nats(mean(&losses.iter().map(|loss| *loss as f32).collect::<Vec<f32>>())));
        record.masks_se_nats = Some(masks_error);
        Ok(())
    }

    /// Mean loss of the hidden tokens of every window.
    fn losses(
        &self,
        learner: &mut dyn Learner,
        (masks, series, pass): (Masks, &str, (u64, u64)),
        tokens: &[u32],
        places: &[usize],
    ) -> Result<Vec<f64>, TrainError> {
        let context = self.context;
        let mut means = Vec::with_capacity(places.len());
        for (chunk, places) in tokens.chunks((context + 1) * self.at_once).zip(places.chunks(self.at_once)) {
            let (mut inputs, mut targets) = (vec![0; places.len() * context], vec![0; places.len() * context]);
            let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
            for ((window, (input, target)), place) in chunk.chunks_exact(context + 1).zip(rows).zip(places) {
                target.copy_from_slice(&window[1..]);
                masks.hide_held_out(series, pass, *place, input, target);
            }
            let losses = learner.token_losses(&inputs, &targets)?;
            let of_windows = losses.chunks_exact(context).zip(targets.chunks_exact(context));
            means.extend(of_windows.map(|(losses, targets)| {
                losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / crate::corpus::counted(targets).max(1) as f64
            }));
        }
        Ok(means)
    }
}

#[cfg(test)]
mod tests {
    use super::super::adamw::Update;
    use super::super::learner::LearnerState;
    use super::super::tests::tiny;
    use super::*;
    use crate::corpus::NOT_COUNTED;
    use crate::spec::{MaskRatio, Random, sample};

    /// Distinct tokens of the source below.
    const TOKENS: u32 = 3;

    /// Knows the true conditionals of a source: a Markov chain of three tokens that stays with probability 0.8, begun evenly.
    struct Knowing {
        context: usize,
    }

    fn step(from: u32, to: u32) -> f64 {
        if from == to { 0.8 } else { 0.1 }
    }

    /// p(token at each position | all tokens of the sequence that are not hidden), by sums forward and backward.
    fn conditionals(sequence: &[u32]) -> Vec<[f64; TOKENS as usize]> {
        let seen = |at: usize, token: u32| if sequence[at] == TOKENS || sequence[at] == token { 1.0 } else { 0.0 };
        let all = sequence.len();
        let mut forward = vec![[0.0; TOKENS as usize]; all];
        let mut backward = vec![[1.0; TOKENS as usize]; all];
        for at in 0..all {
            for token in 0..TOKENS {
                let before =
                    if at == 0 { 1.0 / 3.0 } else { (0..TOKENS).map(|from| forward[at - 1][from as usize] * step(from, token)).sum() };
                forward[at][token as usize] = before * seen(at, token);
            }
            let sum: f64 = forward[at].iter().sum();
            forward[at].iter_mut().for_each(|p| *p /= sum);
        }
        for at in (0..all - 1).rev() {
            for token in 0..TOKENS {
                backward[at][token as usize] =
                    (0..TOKENS).map(|to| step(token, to) * seen(at + 1, to) * backward[at + 1][to as usize]).sum();
            }
        }
        let both = |at: usize| {
            let weights: [f64; TOKENS as usize] = std::array::from_fn(|token| forward[at][token] * backward[at][token]);
            let sum: f64 = weights.iter().sum();
            weights.map(|weight| weight / sum)
        };
        (0..all).map(both).collect()
    }

    impl Learner for Knowing {
        fn gradient(&mut self, _: &[u32], _: &[u32]) -> Result<f64, TrainError> {
            Ok(0.0)
        }

        fn gradient_norm(&mut self) -> Result<f64, TrainError> {
            Ok(0.0)
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
            Ok(LearnerState::first(Vec::new()))
        }

        fn hits(&mut self, _: &[u32], _: &[u32]) -> Result<Vec<bool>, TrainError> {
            Ok(Vec::new())
        }

        fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<f32>, TrainError> {
            let of = |(inputs, targets): (&[u32], &[u32])| {
                let p = conditionals(inputs);
                let loss = |at: usize| if targets[at] == NOT_COUNTED { 0.0 } else { -p[at][targets[at] as usize].ln() as f32 };
                (0..targets.len()).map(loss).collect::<Vec<f32>>()
            };
            Ok(inputs.chunks(self.context).zip(targets.chunks(self.context)).flat_map(of).collect())
        }
    }

    fn draw(windows: usize, context: usize) -> (Vec<u32>, Vec<usize>) {
        let mut random = Random::new(1, "a chain");
        let mut tokens = Vec::new();
        for _ in 0..windows {
            // The first id of a window is not read.
            tokens.push(0);
            let mut last = random.below(3) as u32;
            tokens.push(last);
            for _ in 1..context {
                let u = random.uniform();
                last = if u < 0.8 { last } else { (last + if u < 0.9 { 1 } else { 2 }) % TOKENS };
                tokens.push(last);
            }
        }
        (tokens, (0..windows).collect())
    }

    fn gaps(context: usize, ratio: MaskRatio) -> Gaps {
        let masks = Masks::of(&Objective::Masked { ratio }, TOKENS as usize, 5).expect("hides");
        Gaps { masks, context, at_once: 7 }
    }

    #[test]
    fn with_the_true_conditionals_the_bound_is_the_entropy() {
        let (context, windows) = (12, 4000);
        let (tokens, places) = draw(windows, context);
        let exact: Vec<f64> = tokens
            .chunks_exact(context + 1)
            .map(|window| {
                let later = window[1..].windows(2).map(|pair| -step(pair[0], pair[1]).ln()).sum::<f64>();
                (3f64.ln() + later) / context as f64
            })
            .collect();
        let surprise = sample::mean(exact.iter().copied()).expect("some");
        let bound = gaps(context, MaskRatio::Fixed(0.15)).bound(&mut Knowing { context }, &tokens, &places).expect("computes");
        let found = mean(&bound.windows);
        assert!(bound.masks_error > 0.0 && bound.masks_error < 0.005, "{}", bound.masks_error);
        assert!((found - surprise).abs() < 4.0 * bound.masks_error, "{found} for {surprise} ± {}", bound.masks_error);
        let of_hand = -(0.8 * 0.8f64.ln() + 0.2 * 0.1f64.ln());
        let entropy = (3f64.ln() + (context - 1) as f64 * of_hand) / context as f64;
        let differences: Vec<f64> = bound.windows.iter().map(|loss| f64::from(*loss)).collect();
        let error = sample::standard_error(&differences).expect("many");
        assert!(error > bound.masks_error && (found - entropy).abs() < 4.0 * error, "{found} for {entropy} ± {error}");
    }

    #[test]
    fn the_error_of_masks_is_how_far_readings_with_other_masks_scatter() {
        let (context, windows) = (12, 200);
        let (tokens, places) = draw(windows, context);
        let readings: Vec<Bound> = (0..40)
            .map(|seed| {
                let masks = Masks::of(&Objective::Masked { ratio: MaskRatio::Uniform }, TOKENS as usize, seed).expect("hides");
                Gaps { masks, context, at_once: 50 }.bound(&mut Knowing { context }, &tokens, &places).expect("computes")
            })
            .collect();
        let means: Vec<f64> = readings.iter().map(|bound| mean(&bound.windows)).collect();
        let scatter = sample::standard_error(&means).expect("many") * 40f64.sqrt();
        let said = sample::mean(readings.iter().map(|bound| bound.masks_error)).expect("many");
        // A scatter of 40 readings is known to 11 %.
        assert!((0.6..1.7).contains(&(said / scatter)), "{said} for {scatter}");
    }

    #[test]
    fn windows_have_their_masks_by_their_place_however_many_are_read_together() {
        let context = 10;
        let (tokens, places) = draw(9, context);
        let of = |at_once, places: &[usize]| {
            let tokens: Vec<u32> = places.iter().flat_map(|at| &tokens[at * (context + 1)..][..context + 1]).copied().collect();
            let gaps = Gaps { at_once, ..gaps(context, MaskRatio::Uniform) };
            gaps.bound(&mut Knowing { context }, &tokens, places).expect("computes").windows
        };
        let all = of(4, &places);
        assert_eq!(of(9, &places), all);
        assert_eq!(of(2, &[1, 5]), [all[1], all[5]]);
    }

    #[test]
    fn runs_that_predict_the_next_token_have_no_gaps() {
        assert!(Gaps::of(&tiny(1).0, 256).is_none());
    }
}
