//! Text files read as bytes. The file is cut into blocks of 4 KiB; the hash of a block's content
//! says whether it is held out, so equal blocks always fall on the same side and neither the order of
//! the file (alphabetical, chronological) nor its length moves a block across.

use super::batches::window_at;
use super::source::{Bytes, map};
use super::{CorpusError, HeldOut};
use crate::spec::Random;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes per block of the split.
pub(super) const BLOCK: usize = 4096;
/// One block in this many is held out.
const HELD_OUT_SHARE: u64 = 10;
/// Least size of a corpus: below it, no block may be held out at all.
pub(super) const LEAST_BYTES: u64 = 64 * BLOCK as u64;

/// A text file, mapped and split. The training side is the concatenation of its training blocks.
pub(super) struct Text {
    bytes: Bytes,
    train_blocks: Vec<u32>,
    held_out_blocks: Vec<u32>,
}

impl Text {
    pub(super) fn open(path: &Path) -> Result<Self, CorpusError> {
        let bytes = map(path)?;
        if (bytes.len() as u64) < LEAST_BYTES {
            return Err(CorpusError::TooShort { path: path.to_owned(), bytes: bytes.len() as u64, least: LEAST_BYTES });
        }
        let whole_blocks = 0..(bytes.len() / BLOCK) as u32;
        let (held_out_blocks, train_blocks) = whole_blocks.partition(|&block| is_held_out(&bytes[block as usize * BLOCK..][..BLOCK]));
        Ok(Self { bytes, train_blocks, held_out_blocks })
    }

    pub(super) fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(&self.bytes[..]))
    }

    /// Windows of context + 1 bytes, one starting every context bytes of the training side.
    pub(super) fn train_windows(&self, context: usize) -> u64 {
        ((self.train_blocks.len() * BLOCK).saturating_sub(1) / context) as u64
    }

    /// Windows of context + 1 bytes that lie within one held-out block.
    pub(super) fn held_out_windows(&self, context: usize) -> u64 {
        self.held_out_blocks.len() as u64 * windows_per_block(context)
    }

    /// Fills `window` (context + 1 bytes) with the training window at a position of the endless shuffled stream.
    pub(super) fn fill_train_window(&self, seed: u64, position: u64, window: &mut [u8]) {
        let context = window.len() - 1;
        let index = window_at(seed, position, self.train_windows(context));
        let mut at = index as usize * context;
        let mut rest = window;
        while !rest.is_empty() {
            let (block, offset) = (self.train_blocks[at / BLOCK] as usize, at % BLOCK);
            let length = rest.len().min(BLOCK - offset);
            let (now, later) = rest.split_at_mut(length);
            now.copy_from_slice(&self.bytes[block * BLOCK + offset..][..length]);
            at += length;
            rest = later;
        }
    }

    pub(super) fn held_out(&self, seed: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        if context >= BLOCK {
            return Err(CorpusError::ContextTooLong { context, block: BLOCK });
        }
        let available = self.held_out_windows(context);
        if windows as u64 > available {
            return Err(CorpusError::TooFewWindows { asked: windows, available, context });
        }
        let per_block = windows_per_block(context);
        let mut tokens = Vec::with_capacity(windows * (context + 1));
        for chosen in choose(seed, windows, available) {
            let block = self.held_out_blocks[(chosen / per_block) as usize] as usize;
            let start = block * BLOCK + (chosen % per_block) as usize * context;
            tokens.extend(self.bytes[start..=start + context].iter().map(|&byte| u32::from(byte)));
        }
        Ok(HeldOut { tokens, windows, floor_nats: None })
    }
}

fn windows_per_block(context: usize) -> u64 {
    ((BLOCK - 1) / context) as u64
}

pub(super) fn is_held_out(block: &[u8]) -> bool {
    let digest = Sha256::digest(block);
    let number = u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
    number.is_multiple_of(HELD_OUT_SHARE)
}

/// `count` of 0..n without repetition, ascending: the first of a seeded shuffle (Fisher–Yates).
pub(super) fn choose(seed: u64, count: usize, n: u64) -> Vec<u64> {
    let mut random = Random::new(seed, "held-out windows");
    let mut all: Vec<u64> = (0..n).collect();
    for i in 0..count {
        let j = i + random.below(n - i as u64) as usize;
        all.swap(i, j);
    }
    all.truncate(count);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::Write;

    /// 200 blocks of letters drawn from a seed, with blocks 0..10 repeated at the end.
    fn sample() -> (tempfile::NamedTempFile, Vec<u8>) {
        let mut random = Random::new(1, "sample text");
        let mut bytes: Vec<u8> = (0..200 * BLOCK).map(|_| b'a' + random.below(26) as u8).collect();
        bytes.extend_from_within(..10 * BLOCK);
        bytes.extend_from_slice(b"an end shorter than a block");
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(&bytes).expect("written");
        (file, bytes)
    }

    #[test]
    fn held_out_windows_share_no_text_with_training_windows() {
        let (file, _) = sample();
        let text = Text::open(file.path()).expect("opens");
        let held_out = text.held_out(0, text.held_out_windows(64) as usize, 64).expect("enough");
        let mut training = HashSet::new();
        let mut window = [0u8; 65];
        for position in 0..text.train_windows(64) {
            text.fill_train_window(3, position, &mut window);
            // Sixteen letters of 26 do not meet by chance: 26^16 is 4e22.
            training.extend((0..50).map(|at| window[at..at + 16].to_vec()));
        }
        for row in held_out.tokens.chunks_exact(65) {
            let row: Vec<u8> = row.iter().map(|&t| t as u8).collect();
            assert!((0..50).all(|at| !training.contains(&row[at..at + 16])));
        }
    }

    #[test]
    fn an_epoch_of_training_windows_covers_the_training_side_once() {
        let (file, _) = sample();
        let text = Text::open(file.path()).expect("opens");
        let windows = text.train_windows(256);
        let mut window = [0u8; 257];
        let mut seen: Vec<Vec<u8>> = (0..windows)
            .map(|position| {
                text.fill_train_window(9, position, &mut window);
                window[..256].to_vec()
            })
            .collect();
        let mut expected: Vec<Vec<u8>> = (0..windows as usize)
            .map(|index| {
                let at = |i: usize| text.bytes[text.train_blocks[i / BLOCK] as usize * BLOCK + i % BLOCK];
                (index * 256..(index + 1) * 256).map(at).collect()
            })
            .collect();
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }

    #[test]
    fn about_a_tenth_is_held_out_and_the_choice_depends_on_the_seed_alone() {
        let (file, bytes) = sample();
        let text = Text::open(file.path()).expect("opens");
        let share = text.held_out_blocks.len() as f64 / (text.held_out_blocks.len() + text.train_blocks.len()) as f64;
        assert!((0.04..0.18).contains(&share), "{share}");
        let draw = |seed| text.held_out(seed, 100, 64).expect("enough");
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        assert_eq!(text.sha256(), format!("{:x}", Sha256::digest(&bytes)));
    }

    #[test]
    fn what_cannot_be_split_is_refused_with_the_reason() {
        let (file, _) = sample();
        let text = Text::open(file.path()).expect("opens");
        let available = text.held_out_windows(64);
        assert!(matches!(text.held_out(0, available as usize + 1, 64), Err(CorpusError::TooFewWindows { .. })));
        assert!(matches!(text.held_out(0, 1, 4096), Err(CorpusError::ContextTooLong { .. })));
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(Text::open(folder.path()), Err(CorpusError::NotAFile { .. })));
        assert!(matches!(Text::open(&folder.path().join("none")), Err(CorpusError::Unreadable { .. })));
        let empty = tempfile::NamedTempFile::new().expect("temporary file");
        assert!(matches!(Text::open(empty.path()), Err(CorpusError::TooShort { bytes: 0, .. })));
    }
}
