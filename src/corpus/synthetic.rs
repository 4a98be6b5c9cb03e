//! A source whose entropy is known exactly: records of a Zipf-distributed key and a fixed random
//! fact about it (a Santa Fe process, Dębowski 2512.13491). A learner must store facts to lower its
//! loss, which falls as a power law in both size and data.
//!
//! A record is four bytes, `[k1][64 + k2][128 + k3][192 + z]`, with k = 4096·k1 + 64·k2 + k3 and the
//! fact z = z(k) in 0..64. P(k) ∝ (k + 1)^-(1 + a). Losses are in nats per byte.

use super::{CorpusError, HeldOut};
use crate::spec::Random;
use sha2::{Digest, Sha256};

/// Most keys that three base-64 digits can name.
const MOST_KEYS: u64 = 64 * 64 * 64;
/// Bytes per record.
const RECORD: usize = 4;

/// The source with its tables.
#[derive(Debug)]
pub(super) struct ZipfFacts {
    name: String,
    /// P(K < k) for k in 0..=keys.
    cumulative: Vec<f64>,
    /// The fact of each key, 0..64.
    facts: Vec<u8>,
}

impl ZipfFacts {
    pub(super) fn new(a: f64, keys: u64, seed: u64) -> Result<Self, CorpusError> {
        if !(a.is_finite() && a > 0.0 && a <= 10.0) {
            return Err(CorpusError::Setting { field: "a", found: a.to_string(), allowed: "above 0 and up to 10" });
        }
        if !(2..=MOST_KEYS).contains(&keys) {
            return Err(CorpusError::Setting { field: "keys", found: keys.to_string(), allowed: "from 2 to 262144" });
        }
        let weights: Vec<f64> = (1..=keys).map(|rank| (rank as f64).powf(-1.0 - a)).collect();
        // Summed from the smallest, so that the tail keeps its digits.
        let total: f64 = weights.iter().rev().sum();
        let mut cumulative = Vec::with_capacity(weights.len() + 1);
        let mut sum = 0.0;
        cumulative.push(0.0);
        for weight in &weights {
            sum += weight / total;
            cumulative.push(sum);
        }
        let mut random = Random::new(seed, "zipf-facts: facts");
        let facts = (0..keys).map(|_| random.below(64) as u8).collect();
        Ok(Self { name: format!("zipf-facts v1 a={a:?} keys={keys} seed={seed}"), cumulative, facts })
    }

    pub(super) fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(&self.name))
    }

    /// H(K)/4 nats per byte: the fact follows from the key, and keys are independent.
    pub(super) fn entropy_nats(&self) -> f64 {
        let entropy: f64 = (0..self.facts.len()).map(|key| self.probability(key, 1)).map(|p| -p * p.ln()).sum();
        entropy / RECORD as f64
    }

    /// Fills `window` with the training window at a position of the endless stream of a data seed.
    pub(super) fn fill_train_window(&self, seed: u64, position: u64, window: &mut [u8]) {
        self.fill(&mut self.stream("train", seed, position), window, None);
    }

    pub(super) fn held_out(&self, seed: u64, windows: usize, context: usize) -> HeldOut {
        let mut tokens = Vec::with_capacity(windows * (context + 1));
        let mut floors = Vec::with_capacity(windows);
        let mut window = vec![0u8; context + 1];
        let mut surprise = vec![0f64; context + 1];
        for index in 0..windows {
            self.fill(&mut self.stream("held-out", seed, index as u64), &mut window, Some(&mut surprise));
            tokens.extend(window.iter().map(|&byte| u32::from(byte)));
            // The first byte is never a target.
            floors.push((surprise[1..].iter().sum::<f64>() / context as f64) as f32);
        }
        HeldOut { tokens, windows, floor_nats: Some(floors) }
    }

    /// The generator of one window: each window is drawn afresh, from record boundary on.
    fn stream(&self, side: &str, seed: u64, index: u64) -> Random {
        Random::new(seed, &format!("{}: {side} window {index}", self.name))
    }

    /// Draws records into `window`; where asked, −ln p(byte | earlier bytes of its record) into `surprise`.
    fn fill(&self, random: &mut Random, window: &mut [u8], mut surprise: Option<&mut [f64]>) {
        for start in (0..window.len()).step_by(RECORD) {
            let key = self.draw(random);
            let length = RECORD.min(window.len() - start);
            window[start..start + length].copy_from_slice(&self.record(key)[..length]);
            if let Some(surprise) = surprise.as_deref_mut() {
                surprise[start..start + length].copy_from_slice(&self.surprise(key)[..length]);
            }
        }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let u = random.uniform();
        self.cumulative[1..].partition_point(|&c| c <= u).min(self.facts.len() - 1)
    }

    fn record(&self, key: usize) -> [u8; RECORD] {
        let [k1, k2, k3] = [key / 4096, key / 64 % 64, key % 64].map(|digit| digit as u8);
        [k1, 64 + k2, 128 + k3, 192 + self.facts[key]]
    }

    /// −ln p of each byte of a key's record given the bytes before it; they add up to −ln P(k).
    fn surprise(&self, key: usize) -> [f64; RECORD] {
        let [first, second, third] = [4096, 64, 1].map(|span| self.probability(key, span));
        [-first.ln(), (first / second).ln(), (second / third).ln(), 0.0]
    }

    /// P(K in the group of `span` keys that holds `key`).
    fn probability(&self, key: usize, span: usize) -> f64 {
        let start = key / span * span;
        let end = (start + span).min(self.facts.len());
        self.cumulative[end] - self.cumulative[start]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entropy_rate_of_the_default_source_is_the_published_one() {
        // Computed independently with numpy: a = 0.5, 262144 keys, 0.79687 nats per byte.
        let source = ZipfFacts::new(0.5, 262_144, 0).expect("valid");
        assert!((source.entropy_nats() - 0.79687).abs() < 5e-6, "{}", source.entropy_nats());
    }

    #[test]
    fn surprises_of_a_record_add_up_to_the_surprise_of_its_key() {
        let source = ZipfFacts::new(0.5, 100_000, 0).expect("valid");
        let total: f64 = (1..=100_000).map(|rank| f64::from(rank).powf(-1.5)).sum();
        for key in [0, 1, 63, 64, 4095, 4096, 77_777, 99_999] {
            let exact = 1.5 * (key as f64 + 1.0).ln() + total.ln();
            let sum: f64 = source.surprise(key).iter().sum();
            assert!((sum - exact).abs() < 1e-7, "{key}: {sum} {exact}");
            assert!(source.surprise(key).iter().all(|&s| s >= 0.0));
        }
    }

    #[test]
    fn the_mean_floor_of_many_windows_is_near_the_entropy_rate() {
        let source = ZipfFacts::new(0.5, 4096, 3).expect("valid");
        let held_out = source.held_out(0, 4000, 64);
        let floors = held_out.floor_nats.expect("known source");
        let mean = floors.iter().map(|&f| f64::from(f)).sum::<f64>() / 4000.0;
        let sd = (floors.iter().map(|&f| (f64::from(f) - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        // 64 scored bytes of 16 records, less the first byte and with the first byte of a 17th: whole records again.
        let standard_error = sd / 4000f64.sqrt();
        assert!((mean - source.entropy_nats()).abs() < 5.0 * standard_error, "{mean} {} ± {standard_error}", source.entropy_nats());
    }

    #[test]
    fn windows_start_on_a_record_and_show_the_place_in_it() {
        let source = ZipfFacts::new(0.5, 262_144, 0).expect("valid");
        let mut window = [0u8; 18];
        source.fill_train_window(0, 5, &mut window);
        window.iter().enumerate().for_each(|(at, byte)| assert_eq!(byte / 64, (at % 4) as u8));
        let mut again = [0u8; 18];
        source.fill_train_window(0, 5, &mut again);
        assert_eq!(window, again);
        source.fill_train_window(1, 5, &mut again);
        assert_ne!(window, again);
    }

    #[test]
    fn keys_come_as_often_as_their_probability_says() {
        let source = ZipfFacts::new(1.0, 100, 0).expect("valid");
        let mut random = Random::new(0, "test");
        let first = (0..100_000).filter(|_| source.draw(&mut random) == 0).count() as f64 / 1e5;
        // Standard error of a share near 0.61 in 100,000 draws: 0.0015.
        assert!((first - source.probability(0, 1)).abs() < 0.008, "{first}");
    }

    #[test]
    fn settings_out_of_range_name_the_field() {
        for (a, keys) in [(0.0, 10), (f64::NAN, 10), (0.5, 1), (0.5, 300_000)] {
            assert!(matches!(ZipfFacts::new(a, keys, 0), Err(CorpusError::Setting { .. })), "{a} {keys}");
        }
    }
}
