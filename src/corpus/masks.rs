//! Which tokens of a window are hidden from a network that fills gaps: a pure function of a seed, of when it is asked and of the place of
//! the window. As many tokens are hidden as the ratio says, neither more nor fewer, so no window is without a hidden one.

use super::counted::NOT_COUNTED;
use crate::spec::{MaskRatio, Objective, Random};

/// The fractional part of the golden ratio: multiples of it, modulo 1, lie evenly however few are taken from wherever.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// How tokens are hidden.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masks {
    ratio: MaskRatio,
    /// Mean tokens of a span; 1 where each token is hidden by itself.
    span: u32,
    /// The id that stands for a hidden token.
    mask: u32,
    seed: u64,
}

impl Masks {
    /// Those of an objective, of a corpus of so many distinct tokens; none where nothing is hidden.
    pub fn of(objective: &Objective, of_corpus: usize, seed: u64) -> Option<Self> {
        let span = objective.span_length().unwrap_or(1);
        objective.ratio().map(|ratio| Self { ratio, span, mask: of_corpus as u32, seed })
    }

    /// Each token by itself, in every part of a window: what a bound is read with.
    pub fn of_bound(self) -> Self {
        Self { ratio: MaskRatio::Uniform, span: 1, ..self }
    }

    /// Hides tokens of one step's windows, which were filled for the next token to be predicted: `inputs` become the targets with some
    /// hidden, `targets` are not counted where nothing is hidden. Ratios that are drawn lie evenly over the windows of any part of a batch.
    pub fn hide_batch(self, step: u64, context: usize, inputs: &mut [u32], targets: &mut [u32]) {
        let first = Random::new(self.seed, &format!("masks: ratios of step {step}")).uniform();
        let rows = inputs.chunks_exact_mut(context).zip(targets.chunks_exact_mut(context));
        for (row, (input, target)) in rows.enumerate() {
            let drawn = (first + row as f64 * GOLDEN).fract();
            let mut random = Random::new(self.seed, &format!("masks: step {step} window {row}"));
            self.hide(self.ratio.hidden(context, drawn), &mut random, input, target);
        }
    }

    /// Hides tokens of the held-out window at a place, in pass `pass` of `passes` whose ratios lie evenly; `series` tells readings apart.
    pub fn hide_held_out(self, series: &str, (pass, passes): (u64, u64), place: usize, inputs: &mut [u32], targets: &mut [u32]) {
        let first = Random::new(self.seed, &format!("masks: held-out ratios of {series}")).uniform();
        let of_place = (first + place as f64 * GOLDEN).fract();
        let drawn = (pass as f64 + of_place) / passes as f64;
        let mut random = Random::new(self.seed, &format!("masks: held-out {series} {pass} window {place}"));
        self.hide(self.ratio.hidden(inputs.len(), drawn), &mut random, inputs, targets);
    }

    fn hide(self, hidden: usize, random: &mut Random, inputs: &mut [u32], targets: &mut [u32]) {
        inputs.copy_from_slice(targets);
        let mut is_hidden = vec![false; targets.len()];
        if self.span > 1 {
            spans(hidden, self.span, random, &mut is_hidden)
        } else {
            choose(hidden, random, &mut is_hidden)
        }
        for ((input, target), hidden) in inputs.iter_mut().zip(targets).zip(is_hidden) {
            *(if hidden { input } else { target }) = if hidden { self.mask } else { NOT_COUNTED };
        }
    }
}

/// Marks `count` of all places, every choice as likely as another (selection sampling, Knuth volume 2, algorithm 3.4.2 S).
fn choose(count: usize, random: &mut Random, places: &mut [bool]) {
    let (mut left, all) = (count.min(places.len()) as u64, places.len() as u64);
    for (at, place) in (0u64..).zip(places) {
        *place = random.below(all - at) < left;
        left -= u64::from(*place);
    }
}

/// Marks `count` of all places, in spans of `length` on average that do not touch: hidden and shown tokens are each cut into as many pieces
/// at random, every cut as likely as another (as T5's spans, Raffel 1910.10683 section 3.1.4). They are laid on a circle and that is turned
/// at random, so that every place is hidden alike; a span may go on at the other end. Fewer spans where there is no room.
fn spans(count: usize, length: u32, random: &mut Random, places: &mut [bool]) {
    let shown = places.len() - count;
    if shown == 0 {
        return places.fill(true);
    }
    let spans = ((count as f64 / f64::from(length)).round() as usize).clamp(1, count.min(shown));
    let (hidden, gaps) = (pieces(count, spans, random), pieces(shown, spans, random));
    let mut at = 0;
    for (gap, span) in gaps.into_iter().zip(hidden) {
        places[at + gap..][..span].fill(true);
        at += gap + span;
    }
    places.rotate_right(random.below(places.len() as u64) as usize);
}

/// Cuts `whole` into so many pieces of 1 or more.
fn pieces(whole: usize, count: usize, random: &mut Random) -> Vec<usize> {
    let mut cuts = vec![false; whole - 1];
    choose(count - 1, random, &mut cuts);
    let mut pieces = vec![1];
    for cut in cuts {
        if cut { pieces.push(1) } else { pieces.last_mut().into_iter().for_each(|piece| *piece += 1) }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MASK: u32 = 9;

    fn masks(ratio: MaskRatio, span: u32) -> Masks {
        Masks { ratio, span, mask: MASK, seed: 3 }
    }

    /// How many tokens each of some windows hides, where every position holds what the kind says.
    fn hidden(masks: Masks, step: u64, context: usize, windows: usize) -> Vec<Vec<bool>> {
        let (mut inputs, mut targets) = (vec![0; windows * context], (0..windows * context).map(|at| at as u32 % 7).collect::<Vec<_>>());
        let tokens = targets.clone();
        masks.hide_batch(step, context, &mut inputs, &mut targets);
        let of = |at: usize| {
            let is_hidden = inputs[at] == MASK;
            assert_eq!((inputs[at], targets[at]), if is_hidden { (MASK, tokens[at]) } else { (tokens[at], NOT_COUNTED) });
            is_hidden
        };
        (0..windows).map(|window| (window * context..(window + 1) * context).map(of).collect()).collect()
    }

    fn count(window: &[bool]) -> usize {
        window.iter().filter(|hidden| **hidden).count()
    }

    fn runs(window: &[bool]) -> usize {
        window.chunk_by(|a, b| a == b).filter(|run| run[0]).count()
    }

    #[test]
    fn ratios_of_a_batch_and_of_its_parts_lie_evenly() {
        let hidden: Vec<usize> = hidden(masks(MaskRatio::Uniform, 1), 5, 64, 64).iter().map(|window| count(window)).collect();
        for part in [&hidden[..], &hidden[..16], &hidden[40..56]] {
            let mean = part.iter().sum::<usize>() as f64 / part.len() as f64;
            assert!((mean / 32.5 - 1.0).abs() < 2.0 / part.len() as f64 + 0.02, "{mean} of 64 in {} windows", part.len());
        }
        assert!(hidden.iter().any(|count| *count <= 2) && hidden.iter().any(|count| *count >= 63), "{hidden:?}");
    }

    #[test]
    fn masks_depend_on_seed_step_and_window_alone() {
        let of = |seed, step| hidden(Masks { seed, ..masks(MaskRatio::Fixed(0.3), 1) }, step, 40, 3);
        assert_eq!(of(1, 2), of(1, 2));
        assert!(of(1, 2) != of(2, 2) && of(1, 2) != of(1, 3));
        let windows = of(1, 2);
        assert!(windows[0] != windows[1] && windows.iter().all(|window| count(window) == 12));
    }

    #[test]
    fn every_place_is_hidden_as_often_as_the_ratio_says() {
        for span in [1, 4] {
            let windows = hidden(masks(MaskRatio::Fixed(0.25), span), 0, 32, 4000);
            for at in 0..32 {
                let share = windows.iter().filter(|window| window[at]).count() as f64 / 4000.0;
                // Standard error of a share of 0.25 in 4000 draws: 0.007.
                assert!((share - 0.25).abs() < 0.035, "spans of {span}, place {at}: {share}");
            }
        }
    }

    #[test]
    fn spans_have_the_mean_length_that_was_asked_for() {
        for (length, spans) in [(2, 12), (3, 8), (8, 3), (1000, 1)] {
            for window in hidden(masks(MaskRatio::Fixed(0.25), length), 0, 96, 50) {
                // One that reaches over to the other end is seen as two.
                let wraps = usize::from(window[0] && window[95]);
                assert_eq!((count(&window), runs(&window)), (24, spans + wraps));
            }
        }
        let lengths = hidden(masks(MaskRatio::Fixed(0.25), 3), 0, 96, 50);
        assert!(lengths.iter().any(|window| window != &lengths[0]), "they are drawn");
    }

    proptest! {
        #[test]
        fn as_many_as_the_ratio_says_are_hidden_whatever_is_asked(
            ratio in prop_oneof![Just(MaskRatio::Uniform), (1e-9..=1.0f64).prop_map(MaskRatio::Fixed)],
            span in 1u32..2000, context in 1usize..90, windows in 1usize..4, step: u64, pass in 0u64..8,
        ) {
            let masks = masks(ratio, span);
            for window in hidden(masks, step, context, windows) {
                let found = count(&window);
                prop_assert!((1..=context).contains(&found));
                if let MaskRatio::Fixed(ratio) = ratio {
                    prop_assert_eq!(found, ((ratio * context as f64).round() as usize).max(1));
                }
            }
            let (mut inputs, mut targets) = (vec![0; context], vec![1; context]);
            masks.hide_held_out("a reading", (pass, 8), windows, &mut inputs, &mut targets);
            let found = inputs.iter().filter(|input| **input == MASK).count();
            if ratio == MaskRatio::Uniform && context % 8 == 0 {
                prop_assert!((pass as usize * context / 8..=(pass as usize + 1) * context / 8).contains(&(found - 1)));
            }
            prop_assert!(found >= 1);
        }
    }
}
