//! In which order a run sees its windows: a function of its seed and of what limits or mixes its data.

use super::batches::window_at;
use super::interleaving::Interleaving;
use super::pair_windows::PairWindows;

/// In which order a run sees its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order<'a> {
    /// Seed of the order.
    pub seed: u64,
    /// Distinct tokens of the run, where fewer than the corpus has. They are the first of the order, so that a run sees in its
    /// first epoch what every run of its seed sees, and the same in another order in each later one.
    pub unique_tokens: Option<u64>,
    /// In which order the parts of a mixture come; each part alone is in the order of the seed. Of fine-tuning the pairs and the text of
    /// the base are such parts, in this order.
    pub interleaving: Option<&'a Interleaving>,
    /// The windows of the pairs that a run is fine-tuned on.
    pub pairs: Option<&'a PairWindows>,
}

impl Order<'_> {
    /// Where in the order of the whole corpus the window at `position` of this order stands.
    pub(super) fn position(self, position: u64, context: usize) -> u64 {
        match self.unique_tokens.map(|unique| (unique / context as u64).max(1)) {
            Some(windows) if position >= windows => window_at(self.seed ^ REPEATED, position, windows),
            _ => position,
        }
    }
}

/// Tells the order of repetitions from that of the corpus.
const REPEATED: u64 = 0x5851_f42d_4c95_7f2d;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_run_sees_its_first_epoch_as_all_do_and_the_same_windows_in_every_later_one() {
        let order = Order { seed: 3, unique_tokens: Some(40 * 16), ..Order::default() };
        let epoch = |e: u64| (0..40).map(|i| order.position(e * 40 + i, 16)).collect::<Vec<_>>();
        assert_eq!(epoch(0), (0..40).collect::<Vec<_>>());
        for e in 1..4 {
            let mut seen = epoch(e);
            assert!(seen != epoch(e - 1), "another order");
            seen.sort_unstable();
            assert_eq!(seen, (0..40).collect::<Vec<_>>());
        }
        assert_eq!(Order { seed: 3, ..Order::default() }.position(1000, 16), 1000);
    }
}
