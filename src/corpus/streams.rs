//! Token files: the training side and the held-out side of a corpus as two streams of ids in 8, 16 or 32 bits, mapped. Made
//! once in a cache under a name that hashes the text, the tokenizer and the settings; checked against a hash when opened.

use super::batches::window_at;
use super::source::{Bytes, map};
use super::text::choose;
use super::{CorpusError, HeldOut};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Token files of the training and the held-out side, as they are written.
pub(super) struct Streams {
    train: Ids,
    held_out: Ids,
    /// Stretches of the held-out side that windows lie in, and how many windows of a context end before each.
    spans: Vec<[u64; 2]>,
}

/// What is kept beside the two files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StreamsMeta {
    /// Bytes of an id.
    width: usize,
    spans: Vec<[u64; 2]>,
    pub(super) held_out_bytes: u64,
    pub(super) train_tokens: u64,
    pub(super) held_out_tokens: u64,
    /// Of both files and the spans.
    pub(super) sha256: String,
}

/// Names of the two files.
const SIDES: [&str; 2] = ["train", "held-out"];

/// Ids in a mapped file.
struct Ids {
    bytes: Bytes,
    width: usize,
}

impl Ids {
    fn len(&self) -> u64 {
        (self.bytes.len() / self.width) as u64
    }

    fn copy(&self, from: u64, into: &mut [u32]) {
        let bytes = &self.bytes[from as usize * self.width..][..into.len() * self.width];
        for (slot, id) in into.iter_mut().zip(bytes.chunks_exact(self.width)) {
            *slot = id.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        }
    }
}

impl Streams {
    /// Opens the files of a folder; none where they are not what was written.
    pub(super) fn open(folder: &Path, meta: &StreamsMeta) -> Option<Self> {
        let [train, held_out] = SIDES.map(|side| map(&folder.join(side)).ok());
        let (train, held_out) = (train?, held_out?);
        (meta.width > 0 && digest(&train, &held_out, &meta.spans) == meta.sha256).then(|| {
            let ids = |bytes| Ids { bytes, width: meta.width };
            Self { train: ids(train), held_out: ids(held_out), spans: meta.spans.clone() }
        })
    }

    /// Windows of context + 1 ids, one starting every context ids of the training side.
    pub(super) fn train_windows(&self, context: usize) -> u64 {
        self.train.len().saturating_sub(1) / context as u64
    }

    /// Fills `window` (context + 1 ids) with the training window at a position of the shuffled stream.
    pub(super) fn fill_train_window(&self, seed: u64, position: u64, window: &mut [u32]) {
        let context = window.len() - 1;
        let index = window_at(seed, position, self.train_windows(context));
        self.train.copy(index * context as u64, window);
    }

    /// Windows that lie within one stretch of the held-out side.
    pub(super) fn held_out_windows(&self, context: usize) -> u64 {
        self.spans.iter().map(|span| windows_in(*span, context)).sum()
    }

    pub(super) fn held_out(&self, seed: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        let available = self.held_out_windows(context);
        if windows as u64 > available {
            return Err(CorpusError::TooFewWindows { asked: windows, available, context });
        }
        let mut tokens = vec![0; windows * (context + 1)];
        let (mut spans, mut before) = (self.spans.iter(), 0);
        let mut span = [0, 0];
        for (row, chosen) in tokens.chunks_exact_mut(context + 1).zip(choose(seed, windows, available)) {
            while chosen >= before + windows_in(span, context) {
                before += windows_in(span, context);
                span = *spans.next().expect("as many windows as were counted");
            }
            self.held_out.copy(span[0] + (chosen - before) * context as u64, row);
        }
        Ok(HeldOut { tokens, windows, floor_nats: None })
    }
}

fn windows_in([start, end]: [u64; 2], context: usize) -> u64 {
    (end - start).saturating_sub(1) / context as u64
}

fn digest(train: &[u8], held_out: &[u8], spans: &[[u64; 2]]) -> String {
    let mut digest = Sha256::new_with_prefix(format!("scalelab tokens 1, {} + {} bytes, spans {spans:?}\n", train.len(), held_out.len()));
    digest.update(train);
    digest.update(held_out);
    format!("{:x}", digest.finalize())
}

/// Writes the two files of a folder.
pub(super) struct StreamsWriter {
    folder: PathBuf,
    files: [BufWriter<File>; 2],
    tokens: [u64; 2],
    meta: StreamsMeta,
}

impl StreamsWriter {
    pub(super) fn new(folder: &Path, vocabulary: usize) -> io::Result<Self> {
        let [train, held_out] = SIDES.map(|side| File::create(folder.join(side)).map(BufWriter::new));
        let width = match vocabulary {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let meta = StreamsMeta { width, ..StreamsMeta::default() };
        Ok(Self { folder: folder.to_owned(), files: [train?, held_out?], tokens: [0, 0], meta })
    }

    /// Appends ids of `bytes` bytes of text to a side; `apart`: no window may reach from or to other held-out text.
    pub(super) fn write(&mut self, held_out: bool, ids: &[u32], bytes: usize, apart: bool) -> io::Result<()> {
        let side = usize::from(held_out);
        for id in ids {
            self.files[side].write_all(&id.to_le_bytes()[..self.meta.width])?;
        }
        let start = self.tokens[side];
        self.tokens[side] += ids.len() as u64;
        if held_out {
            self.meta.held_out_bytes += bytes as u64;
            match self.meta.spans.last_mut() {
                Some(span) if !apart => span[1] = self.tokens[side],
                _ => self.meta.spans.push([start, self.tokens[side]]),
            }
        }
        Ok(())
    }

    /// Flushes and hashes.
    pub(super) fn finish(self) -> Result<StreamsMeta, CorpusError> {
        let Self { folder, files, tokens: [train_tokens, held_out_tokens], meta } = self;
        for file in files {
            file.into_inner().map_err(|error| CorpusError::Cache { path: folder.clone(), source: error.into_error() })?;
        }
        let [train, held_out] = SIDES.map(|side| map(&folder.join(side)));
        let sha256 = digest(&train?, &held_out?, &meta.spans);
        Ok(StreamsMeta { train_tokens, held_out_tokens, sha256, ..meta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(vocabulary: usize, apart: bool) -> (tempfile::TempDir, StreamsMeta, Streams) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut writer = StreamsWriter::new(folder.path(), vocabulary).expect("opens");
        let top = vocabulary as u32 - 1;
        writer.write(false, &(0..100).map(|i| top - i).collect::<Vec<_>>(), 100, apart).expect("writes");
        for start in [0, 10, 20] {
            writer.write(true, &(start..start + 10).collect::<Vec<_>>(), 20, apart).expect("writes");
        }
        let meta = writer.finish().expect("hashes");
        let opened = Streams::open(folder.path(), &meta).expect("opens");
        (folder, meta, opened)
    }

    #[test]
    fn ids_of_every_width_come_back() {
        for vocabulary in [256, 258, 65_536, 100_000] {
            let (_folder, meta, streams) = streams(vocabulary, false);
            assert_eq!((meta.train_tokens, meta.held_out_tokens, meta.held_out_bytes), (100, 30, 60));
            let mut window = [0; 100];
            streams.fill_train_window(0, 0, &mut window);
            assert_eq!(window.map(|id| vocabulary as u32 - 1 - id), std::array::from_fn(|i| i as u32));
        }
    }

    #[test]
    fn held_out_windows_stay_within_their_stretch() {
        let (_folder, _, apart) = streams(256, true);
        assert_eq!(apart.held_out_windows(4), 6, "two in each of three");
        let all = apart.held_out(0, 6, 4).expect("six").tokens;
        let starts: Vec<u32> = all.chunks_exact(5).map(|window| window[0]).collect();
        assert_eq!(starts, [0, 4, 10, 14, 20, 24]);
        assert!(all.chunks_exact(5).all(|window| window.windows(2).all(|pair| pair[1] == pair[0] + 1)));
        let (_folder, _, joined) = streams(256, false);
        assert_eq!(joined.held_out_windows(4), 7);
        assert!(matches!(joined.held_out(0, 8, 4), Err(CorpusError::TooFewWindows { available: 7, .. })));
    }

    #[test]
    fn a_file_that_was_changed_is_not_opened() {
        let (folder, meta, _) = streams(256, false);
        let path = folder.path().join("train");
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[5] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert!(Streams::open(folder.path(), &meta).is_none());
    }
}
