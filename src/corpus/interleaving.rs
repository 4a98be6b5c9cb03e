//! In which order the windows of a mixture's parts come: whose window stands at any position is known without walking there, and of
//! the first n windows each part has its share of n, to within one window, for every n. So runs that differ in length alone see the
//! same prefix, and batches differ in their shares as little as they can.

use crate::spec::{MixedPart, WHOLE};

/// The order of parts: a cycle, over which every part has a whole number of windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interleaving {
    /// Whose window stands at each place of the cycle, and how many of the same part stand before it.
    places: Vec<(u16, u32)>,
    /// Windows of each part in a cycle.
    in_cycle: Vec<u64>,
}

impl Interleaving {
    /// The order of a mixture's parts under a seed of the data; none where there are no parts.
    ///
    /// A part with k of the cycle's M windows is due its j-th between ⌊j·M/k⌋ and ⌈(j + 1)·M/k⌉. The earliest due of those that may
    /// come is always in time, for one window stands at each place and the shares add up to 1 (Liu and Layland 1973; windows as of
    /// Baruah et al. 1996). The seed decides between parts that are due alike.
    pub fn of(parts: &[MixedPart], seed: u64) -> Option<Self> {
        let shares: Vec<u64> = parts.iter().map(|part| u64::from(part.share)).collect();
        let divisor = shares.iter().copied().fold(u64::from(WHOLE), greatest_common_divisor);
        if shares.iter().sum::<u64>() != u64::from(WHOLE) {
            return None;
        }
        let cycle = u64::from(WHOLE) / divisor;
        let in_cycle: Vec<u64> = shares.iter().map(|share| share / divisor).collect();
        let mut given = vec![0u64; in_cycle.len()];
        let mut places = Vec::with_capacity(cycle as usize);
        for place in 0..cycle {
            let may_come = |part: &usize| in_cycle[*part] > 0 && given[*part] * cycle / in_cycle[*part] <= place;
            let due = |part: &usize| ((given[*part] + 1) * cycle).div_ceil(in_cycle[*part]);
            let first = (0..in_cycle.len()).filter(may_come).min_by_key(|part| (due(part), lot(seed, *part as u64, place)))?;
            places.push((first as u16, given[first] as u32));
            given[first] += 1;
        }
        Some(Self { places, in_cycle })
    }

    /// Whose window stands at a position, and which of that part's windows it is.
    pub fn at(&self, position: u64) -> (usize, u64) {
        let cycle = self.places.len() as u64;
        let (part, before) = self.places[(position % cycle) as usize];
        (usize::from(part), position / cycle * self.in_cycle[usize::from(part)] + u64::from(before))
    }

    /// How many of the first so many windows are of each part.
    pub fn counts(&self, windows: u64) -> Vec<u64> {
        let cycle = self.places.len() as u64;
        let mut counts: Vec<u64> = self.in_cycle.iter().map(|count| windows / cycle * count).collect();
        self.places[..(windows % cycle) as usize].iter().for_each(|(part, _)| counts[usize::from(*part)] += 1);
        counts
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A number that decides between parts (the finaliser of SplitMix64, Steele 2014).
fn lot(seed: u64, part: u64, place: u64) -> u64 {
    let mix = |value: u64| {
        let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(seed ^ mix(place ^ mix(part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::apportioned;
    use proptest::prelude::*;

    fn order(shares: &[f64], seed: u64) -> Interleaving {
        let parts = apportioned(shares).expect("shares").into_iter().map(|share| MixedPart { name: String::new(), share, weight: 0 });
        Interleaving::of(&parts.collect::<Vec<_>>(), seed).expect("adds up")
    }

    #[test]
    fn a_cycle_is_as_short_as_its_shares_allow_and_the_seed_decides_between_equals() {
        let half = order(&[0.5, 0.3, 0.2], 0);
        assert_eq!((half.places.len(), half.in_cycle.as_slice()), (10, &[5, 3, 2][..]));
        assert_eq!(half.counts(10), [5, 3, 2]);
        assert_eq!(half.counts(1_000_003).iter().sum::<u64>(), 1_000_003);
        let firsts: Vec<usize> = (0..20).map(|seed| order(&[0.5, 0.5], seed).at(0).0).collect();
        assert!(firsts.contains(&0) && firsts.contains(&1), "{firsts:?}");
        assert_eq!(order(&[0.0, 1.0], 3).at(77), (1, 77));
        assert_eq!(Interleaving::of(&[], 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_prefix_has_every_share_to_within_one_window_and_each_window_of_a_part_once(
            weights in prop::collection::vec(0.0f64..1.0, 1..9), seed in any::<u64>()
        ) {
            prop_assume!(weights.iter().sum::<f64>() > 1e-3);
            let order = order(&weights, seed);
            let cycle = order.places.len() as u64;
            let shares: Vec<f64> = order.in_cycle.iter().map(|count| *count as f64 / cycle as f64).collect();
            let mut seen = vec![0u64; shares.len()];
            for position in 0..cycle + 100 {
                let (part, index) = order.at(position);
                prop_assert_eq!(index, seen[part]);
                seen[part] += 1;
                for (count, share) in seen.iter().zip(&shares) {
                    prop_assert!((*count as f64 - share * (position + 1) as f64).abs() < 1.0, "at {}", position);
                }
            }
            prop_assert_eq!(order.counts(cycle + 100), seen);
        }
    }
}
