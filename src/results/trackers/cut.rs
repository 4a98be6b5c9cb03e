//! Where a file of records ends before its time, and how much of it is read.

use std::fmt;
use std::io::{self, Read};

/// Bytes of a buffer between a file and its records.
pub(super) const BUFFER: usize = 256 * 1024;

/// Why no further record can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// Number of the record, from 1.
    pub(super) record: u64,
    pub(super) what: String,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} {}, as after a crash: read up to there", self.record, self.what)
    }
}

/// Fills a buffer as far as a file goes; how many bytes that were.
pub(super) fn filled(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match from.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// All that a reader of records gives, and why it ended before the file did.
#[cfg(test)]
pub(super) fn drained(mut next: impl FnMut() -> Option<Result<Vec<u8>, Cut>>) -> (Vec<Vec<u8>>, Option<Cut>) {
    let mut all = Vec::new();
    loop {
        match next() {
            None => return (all, None),
            Some(Ok(record)) => all.push(record),
            Some(Err(cut)) => return (all, Some(cut)),
        }
    }
}
