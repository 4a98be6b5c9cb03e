//! Records of TensorFlow: length (8 bytes, little-endian), its checksum, the bytes, their checksum. Checksums are CRC-32C, rotated and
//! shifted so that one over another is none.

use super::cut::{Cut, filled};
use std::io::Read;

/// What is added to a rotated checksum.
const MASK: u32 = 0xa282_ead8;
const HEADER: usize = 12;
const FOOTER: usize = 4;

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// Records one after the other.
pub(super) struct Records<R> {
    from: R,
    /// Bytes that are left; no record is longer.
    left: u64,
    read: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Records<R> {
    /// Records of so many bytes.
    pub(super) fn of(from: R, bytes: u64) -> Self {
        Self { from, left: bytes, read: 0, buffer: Vec::new() }
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Option<Result<&[u8], Cut>> {
        let mut header = [0; HEADER];
        match filled(&mut self.from, &mut header) {
            Ok(0) => return None,
            Ok(HEADER) => {}
            Ok(_) => return Some(Err(self.cut("is cut off"))),
            Err(error) => return Some(Err(self.cut(&error.to_string()))),
        }
        let (length, sum) = header.split_at(8);
        if masked(length).to_le_bytes() != sum {
            return Some(Err(self.cut("has a length with another checksum")));
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let room = self.left.saturating_sub((HEADER + FOOTER) as u64);
        if length > room {
            return Some(Err(self.cut("is cut off")));
        }
        self.buffer.resize(length as usize + FOOTER, 0);
        match filled(&mut self.from, &mut self.buffer) {
            Ok(read) if read == self.buffer.len() => {}
            Ok(_) => return Some(Err(self.cut("is cut off"))),
            Err(error) => return Some(Err(self.cut(&error.to_string()))),
        }
        let (record, sum) = self.buffer.split_at(length as usize);
        if masked(record).to_le_bytes() != sum {
            return Some(Err(self.cut("has another checksum than its bytes")));
        }
        self.left -= length + (HEADER + FOOTER) as u64;
        self.read += 1;
        Some(Ok(record))
    }

    fn cut(&self, what: &str) -> Cut {
        Cut { record: self.read + 1, what: what.to_owned() }
    }
}

/// A record as it is written.
pub(super) fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), bytes, &masked(bytes).to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::cut::drained;
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Cut>) {
        let mut records = Records::of(bytes, bytes.len() as u64);
        drained(|| records.next().map(|record| record.map(<[u8]>::to_vec)))
    }

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4: thirty-two bytes of zero.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(MASK));
    }

    #[test]
    fn records_are_read_as_they_are_written_and_a_cut_one_is_said() {
        let written = [record(b"one"), record(b""), record(&[7; 5000])].concat();
        assert_eq!(read(&written), (vec![b"one".to_vec(), Vec::new(), vec![7; 5000]], None));
        for end in 1..written.len() {
            let (whole, cut) = read(&written[..end]);
            let at_end = [19, 35].contains(&end);
            assert_eq!(cut.is_none(), at_end, "{end}");
            assert_eq!(whole.len(), [19, 35].iter().filter(|boundary| end >= **boundary).count(), "{end}");
        }
        let mut broken = written;
        broken[13] ^= 1;
        assert_eq!(read(&broken).1, Some(Cut { record: 1, what: "has another checksum than its bytes".into() }));
        // A length that would fill memory is not believed.
        let huge = u64::MAX.to_le_bytes();
        assert_eq!(read(&[&huge[..], &masked(&huge).to_le_bytes()].concat()).1.map(|cut| cut.what), Some("is cut off".into()));
    }
}
