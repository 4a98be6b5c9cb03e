//! What a text is like before any network sees it: entropies of single bytes and of pairs, and how far a general
//! compressor gets. All in nats per byte; divided by ln 2 they are bits.

use serde::Serialize;
use std::io::{self, Write};

/// Numbers of a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// Bytes counted.
    pub bytes: u64,
    /// Byte values that occur.
    pub distinct_bytes: usize,
    /// Unicode characters; none where the text is no UTF-8.
    pub characters: Option<u64>,
    /// −Σ p(b) ln p(b), nats per byte.
    pub order_0_nats: f64,
    /// −Σ p(a, b) ln p(b | a), nats per byte: what is left when the byte before is known. Plug-in, so too low for short texts.
    pub order_1_nats: f64,
    /// Packed bytes over bytes, zstd at level 9.
    pub compression: f64,
}

impl Statistics {
    /// Counts the bytes of a text and the pairs of neighbours.
    pub fn of(text: &[u8]) -> Self {
        let mut pairs = vec![0u64; 1 << 16];
        text.windows(2).for_each(|pair| pairs[usize::from(pair[0]) << 8 | usize::from(pair[1])] += 1);
        let mut single = [0u64; 256];
        text.iter().for_each(|byte| single[usize::from(*byte)] += 1);
        let mut before = [0u64; 256];
        text.iter().rev().skip(1).for_each(|byte| before[usize::from(*byte)] += 1);
        Self {
            bytes: text.len() as u64,
            distinct_bytes: single.iter().filter(|count| **count > 0).count(),
            characters: std::str::from_utf8(text).ok().map(|text| text.chars().count() as u64),
            order_0_nats: entropy(&single),
            order_1_nats: (entropy(&pairs) - entropy(&before)).max(0.0),
            compression: packed_size(text) as f64 / text.len().max(1) as f64,
        }
    }
}

/// −Σ p ln p of counts.
fn entropy(counts: &[u64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let part = |count: &u64| *count as f64 / total;
    -counts.iter().filter(|count| **count > 0).map(|count| part(count) * part(count).ln()).sum::<f64>()
}

/// Bytes after zstd at level 9.
fn packed_size(text: &[u8]) -> u64 {
    struct Counter(u64);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    zstd::stream::copy_encode(text, &mut counter, 9).expect("memory does not fail");
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    #[test]
    fn entropies_are_those_of_a_count_by_hand() {
        // a and b alternate: one bit a byte, nothing left when the byte before is known.
        let found = Statistics::of(&b"ab".repeat(500));
        assert!((found.order_0_nats - std::f64::consts::LN_2).abs() < 1e-12);
        assert!(found.order_1_nats.abs() < 1e-12 && found.compression < 0.05);
        assert_eq!((found.bytes, found.distinct_bytes, found.characters), (1000, 2, Some(1000)));
        // aab aab …: after a follows a or b, each as often, after b always a: 2/3 of a bit.
        let found = Statistics::of(&b"aab".repeat(10_000));
        assert!((found.order_1_nats - 2.0 / 3.0 * std::f64::consts::LN_2).abs() < 1e-4, "{}", found.order_1_nats);
    }

    #[test]
    fn random_bytes_have_eight_bits_and_do_not_shrink() {
        let mut random = Random::new(1, "statistics");
        let found = Statistics::of(&(0..2_000_000).map(|_| random.below(256) as u8).collect::<Vec<_>>());
        assert!((found.order_0_nats - 256f64.ln()).abs() < 1e-3, "{}", found.order_0_nats);
        // The plug-in estimate of 65,536 cells from two million pairs is too low by about 65,280 / (2 · 2e6) = 0.016 nats.
        assert!((found.order_1_nats - (256f64.ln() - 0.01632)).abs() < 2e-3, "{}", found.order_1_nats);
        assert!(found.compression > 0.999 && found.characters.is_none());
    }
}
