//! Windows of pairs: which pairs stand in which, and their tokens. A pair stands in one window whole; what is left of a window is filled up
//! with tokens that no loss counts.

use super::batches::window_at;
use super::counted::read_alone;
use super::pairs::{Pair, Pairs};
use super::text::choose;
use super::{CorpusError, HeldOut};

/// Seed of the order of which the first pairs are the fewer examples.
const SUBSETS: u64 = 0x7061_6972_73;
/// What a window is filled up with.
const FILLER: u32 = 0;

/// The windows of some pairs in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairWindows {
    /// Places of the pairs among those of their side, in the order of the files.
    pairs: Vec<u32>,
    /// Where among them each window begins, and where the last ends.
    begins: Vec<u32>,
}

impl PairWindows {
    /// The windows of the first so many of one seeded order of the pairs that fit; of all where there are no more.
    pub(super) fn of_some(all: &Pairs, examples: u64, context: usize) -> Self {
        let fit: Vec<u32> = fitting(&all.train, context);
        let n = fit.len() as u64;
        let mut some: Vec<u32> = if examples >= n {
            fit
        } else {
            (0..examples).map(|position| fit[window_at(SUBSETS, position, n) as usize]).collect()
        };
        some.sort_unstable();
        Self::new(&all.train, some, context, all.packed)
    }

    fn of_held_out(all: &Pairs, context: usize) -> Self {
        Self::new(&all.held_out, fitting(&all.held_out, context), context, all.packed)
    }

    fn new(side: &[Pair], pairs: Vec<u32>, context: usize, packed: bool) -> Self {
        let mut begins = Vec::new();
        let mut room = 0;
        for (at, pair) in pairs.iter().enumerate() {
            let tokens = side[*pair as usize].tokens.len();
            if !packed || tokens > room {
                begins.push(at as u32);
                room = context + 1;
            }
            room -= tokens;
        }
        begins.push(pairs.len() as u32);
        Self { pairs, begins }
    }

    /// Pairs that stand in them.
    pub fn examples(&self) -> u64 {
        self.pairs.len() as u64
    }

    /// How many windows there are.
    pub fn windows(&self) -> u64 {
        self.begins.len() as u64 - 1
    }

    /// The tokens of a window, those that no loss counts marked.
    fn fill(&self, side: &[Pair], at: u64, window: &mut [u32]) {
        let mut rest = window;
        let [begin, end] = [at as usize, at as usize + 1].map(|at| self.begins[at] as usize);
        for pair in &self.pairs[begin..end] {
            let tokens = &side[*pair as usize].tokens;
            let (now, later) = rest.split_at_mut(tokens.len());
            now.copy_from_slice(tokens);
            rest = later;
        }
        rest.fill(read_alone(FILLER));
    }
}

fn fitting(side: &[Pair], context: usize) -> Vec<u32> {
    (0..side.len() as u32).filter(|at| side[*at as usize].fits(context)).collect()
}

impl Pairs {
    /// Fills `window` (context + 1 tokens) with the training window at a position of the shuffled stream.
    pub(super) fn fill_train_window(&self, windows: &PairWindows, seed: u64, position: u64, window: &mut [u32]) {
        windows.fill(&self.train, window_at(seed, position, windows.windows()), window);
    }

    /// Windows of the pairs that no run trains on.
    pub(super) fn held_out_windows(&self, context: usize) -> u64 {
        PairWindows::of_held_out(self, context).windows()
    }

    pub(super) fn held_out(&self, seed: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        let all = PairWindows::of_held_out(self, context);
        let available = all.windows();
        if windows as u64 > available {
            return Err(CorpusError::TooFewWindows { asked: windows, available, context });
        }
        let mut tokens = vec![0; windows * (context + 1)];
        for (row, chosen) in tokens.chunks_exact_mut(context + 1).zip(choose(seed, windows, available)) {
            all.fill(&self.held_out, chosen, row);
        }
        Ok(HeldOut { tokens, windows, floor_nats: None })
    }
}
