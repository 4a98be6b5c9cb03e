//! A keyed permutation of training windows that needs no memory, so that the window at any position of any epoch is known without
//! walking there.

/// The window at `position` of an endless stream over `windows` windows: every epoch visits each
/// window once, in an order that depends on (seed, epoch) alone.
pub(crate) fn window_at(seed: u64, position: u64, windows: u64) -> u64 {
    let (epoch, index) = (position / windows, position % windows);
    permuted(index, windows, mix(seed ^ mix(epoch)))
}

/// A bijection of 0..n chosen by `key`: a four-round Feistel network on the smallest even number of
/// bits that holds n, walked until the value falls below n (Black & Rogaway 2002, cycle walking).
fn permuted(index: u64, n: u64, key: u64) -> u64 {
    let half = (64 - (n - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut value = index;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..4u64 {
            let mixed = mix(key ^ mix(round ^ (right << 8)));
            (left, right) = (right, left ^ (mixed & mask));
        }
        value = (left << half) | right;
        if value < n {
            return value;
        }
    }
}

/// The finaliser of SplitMix64 (Steele 2014): spreads every bit of its input over its output.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_visits_each_window_once_in_another_order() {
        for windows in [1, 2, 3, 7, 64, 65, 1000] {
            let epoch = |e: u64| (0..windows).map(|i| window_at(5, e * windows + i, windows)).collect::<Vec<_>>();
            for e in 0..3 {
                let mut seen = epoch(e);
                seen.sort_unstable();
                assert_eq!(seen, (0..windows).collect::<Vec<_>>(), "{windows} windows, epoch {e}");
            }
            assert!(windows < 7 || epoch(0) != epoch(1));
        }
    }

    #[test]
    fn order_differs_between_seeds_and_looks_random() {
        let n = 10_000;
        let order: Vec<u64> = (0..n).map(|i| window_at(1, i, n)).collect();
        assert_ne!(order, (0..n).map(|i| window_at(2, i, n)).collect::<Vec<_>>());
        // A random permutation has on average one fixed point and n/2 ascents; the standard deviation of the ascents is √(n/12) = 29.
        let fixed = order.iter().enumerate().filter(|(i, w)| *i as u64 == **w).count();
        let ascents = order.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(fixed < 8 && ascents.abs_diff(5000) < 150, "{fixed} {ascents}");
    }
}
