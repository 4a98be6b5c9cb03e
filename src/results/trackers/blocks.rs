//! The log of W&B: after seven bytes of its own, blocks of 32 KiB as LevelDB writes them, with chunks that begin with checksum (CRC-32 of
//! kind and bytes), length and kind. A record is one chunk, or several of them.

use super::cut::{Cut, filled};
use std::io::Read;

const BLOCK: usize = 32 * 1024;
const CHUNK_HEADER: usize = 7;
/// `:W&B`, a magic number, and version 0.
pub(super) const FILE_HEADER: [u8; 7] = [b':', b'W', b'&', b'B', 0xe1, 0xbe, 0];

const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// Records one after the other.
pub(super) struct Records<R> {
    from: R,
    block: Vec<u8>,
    /// Bytes of the block that are filled, and where the next chunk begins.
    filled: usize,
    at: usize,
    read: u64,
    record: Vec<u8>,
}

impl<R: Read> Records<R> {
    /// Records of a file; `None` where it does not begin as one.
    pub(super) fn of(mut from: R) -> Option<Self> {
        let mut block = vec![0; BLOCK];
        let filled = filled(&mut from, &mut block).ok()?;
        block[..filled].starts_with(&FILE_HEADER).then_some(Self {
            from,
            block,
            filled,
            at: FILE_HEADER.len(),
            read: 0,
            record: Vec::new(),
        })
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Option<Result<&[u8], Cut>> {
        self.record.clear();
        let mut is_open = false;
        loop {
            let (kind, from, to) = match self.chunk() {
                Ok(Some(chunk)) => chunk,
                Ok(None) if is_open => return Some(Err(self.cut("is cut off"))),
                Ok(None) => return None,
                Err(what) => return Some(Err(self.cut(what))),
            };
            match (kind, is_open) {
                (WHOLE | LAST, _) if (kind == WHOLE) != is_open => {
                    self.record.extend_from_slice(&self.block[from..to]);
                    self.read += 1;
                    return Some(Ok(&self.record));
                }
                (FIRST, false) | (MIDDLE, true) => self.record.extend_from_slice(&self.block[from..to]),
                _ => return Some(Err(self.cut("has its parts out of order"))),
            }
            is_open = true;
        }
    }

    /// Kind of the next chunk, and where in the block its bytes stand.
    fn chunk(&mut self) -> Result<Option<(u8, usize, usize)>, &'static str> {
        if BLOCK - self.at < CHUNK_HEADER || self.at >= self.filled && self.filled == BLOCK {
            // What is left of a block is padding.
            self.filled = filled(&mut self.from, &mut self.block).map_err(|_| "cannot be read")?;
            self.at = 0;
        }
        if self.at >= self.filled {
            return Ok(None);
        }
        let header = self.block[..self.filled].get(self.at..self.at + CHUNK_HEADER).ok_or("is cut off")?;
        let sum = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let kind = header[6];
        let (from, to) = (self.at + CHUNK_HEADER, self.at + CHUNK_HEADER + length);
        if to > self.filled {
            return Err("is cut off");
        }
        let mut hash = crc32fast::Hasher::new();
        hash.update(&[kind]);
        hash.update(&self.block[from..to]);
        if hash.finalize() != sum {
            return Err("has another checksum than its bytes");
        }
        self.at = to;
        Ok(Some((kind, from, to)))
    }

    fn cut(&self, what: &str) -> Cut {
        Cut { record: self.read + 1, what: what.to_owned() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::cut::drained;
    use super::*;

    /// Records as W&B writes them.
    pub(in super::super) fn written(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = FILE_HEADER.to_vec();
        for record in records {
            let (mut left, mut is_first) = (record.as_slice(), true);
            loop {
                let room = BLOCK - file.len() % BLOCK;
                if room < CHUNK_HEADER {
                    file.resize(file.len() + room, 0);
                    continue;
                }
                let (chunk, rest) = left.split_at(left.len().min(room - CHUNK_HEADER));
                let kind = match (is_first, rest.is_empty()) {
                    (true, true) => WHOLE,
                    (true, false) => FIRST,
                    (false, true) => LAST,
                    (false, false) => MIDDLE,
                };
                let mut hash = crc32fast::Hasher::new();
                hash.update(&[kind]);
                hash.update(chunk);
                file.extend(hash.finalize().to_le_bytes());
                file.extend((chunk.len() as u16).to_le_bytes());
                file.push(kind);
                file.extend(chunk);
                (left, is_first) = (rest, false);
                if left.is_empty() {
                    break;
                }
            }
        }
        file
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Cut>) {
        let mut records = Records::of(bytes).expect("a log");
        drained(|| records.next().map(|record| record.map(<[u8]>::to_vec)))
    }

    #[test]
    fn records_that_run_over_blocks_are_read_and_a_cut_one_is_said() {
        let long = |length: usize, byte: u8| vec![byte; length];
        // A chunk ends two bytes before its block does, another goes over three.
        let records = [long(10, 1), long(BLOCK - 7 - 17 - 7 - 2, 2), long(3 * BLOCK, 3), long(0, 4), long(500, 5)];
        let file = written(&records);
        assert_eq!(read(&file), (records.to_vec(), None));
        let (whole, cut) = read(&file[..file.len() - 1]);
        assert_eq!((whole.len(), cut.map(|cut| cut.record)), (4, Some(5)));
        let mut broken = file;
        broken[20] ^= 1;
        assert_eq!(read(&broken), (Vec::new(), Some(Cut { record: 1, what: "has another checksum than its bytes".into() })));
        assert!(Records::of(&b"run,step,loss\n"[..]).is_none());
    }
}
