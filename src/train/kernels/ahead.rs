//! Lines of the cache that are asked for before they are needed. Activations and gradients of a step lie beyond the second-level cache, and
//! the processor foresees neither rows that end after a few lines nor columns that are rows apart: such products then wait for memory.
//! Asking changes no result, and may name memory that is not there.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_ET0 as TO_WRITE, _MM_HINT_T1 as TO_READ};

/// Other processors are asked for nothing.
#[cfg(not(target_arch = "x86_64"))]
const TO_READ: i32 = 0;
#[cfg(not(target_arch = "x86_64"))]
const TO_WRITE: i32 = 1;

/// Bytes of a line.
const LINE: usize = 64;
/// Fewer terms are over before a line that was asked for has come.
const FEWEST_TERMS: usize = 64;

/// What a product asks for while it multiplies, a few lines before each tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// Whether the tile's own place in the destination.
    destination: bool,
    /// The line that is asked for next, and of how many of its row.
    next: *const u8,
    line: usize,
    lines: usize,
    /// Bytes from one row to the next, and rows that are left.
    stride: usize,
    rows: usize,
    /// Lines before each tile.
    share: usize,
}

impl Ahead {
    /// Nothing, where all is in the first-level cache.
    pub(super) const fn nothing() -> Self {
        Self { destination: false, next: std::ptr::null(), line: 0, lines: 0, stride: 0, rows: 0, share: 0 }
    }

    /// The destination of products of so many terms alone.
    pub(super) fn of_destination(terms: usize) -> Self {
        Self { destination: terms >= FEWEST_TERMS, ..Self::nothing() }
    }

    /// Besides, `rows` rows of `width` numbers, `stride` from one to the next, all of them within so many tiles.
    pub(super) fn and_rows(self, data: &[f32], width: usize, stride: usize, rows: usize, tiles: usize) -> Self {
        let lines = (width * size_of::<f32>()).div_ceil(LINE);
        let share = (lines * rows).div_ceil(tiles.max(1));
        Self { next: data.as_ptr().cast(), line: 0, lines, stride: stride * size_of::<f32>(), rows, share, ..self }
    }

    /// Asks for what a tile wants: `rows` rows of `width` numbers of the destination from `dst` on, and its share of the rest.
    #[inline(always)]
    pub(super) fn before_tile(&mut self, dst: *const f32, rows: usize, stride: usize, width: usize) {
        if self.destination {
            for row in 0..rows {
                let row = dst.wrapping_add(row * stride);
                (0..width).step_by(LINE / size_of::<f32>()).for_each(|at| fetch::<TO_WRITE>(row.wrapping_add(at).cast()));
                // A row that does not begin with a line ends in one more.
                fetch::<TO_WRITE>(row.wrapping_add(width - 1).cast());
            }
        }
        for _ in 0..self.share {
            if self.rows == 0 {
                return;
            }
            fetch::<TO_READ>(self.next.wrapping_add(self.line * LINE));
            self.line += 1;
            if self.line == self.lines {
                (self.line, self.next, self.rows) = (0, self.next.wrapping_add(self.stride), self.rows - 1);
            }
        }
    }
}

/// Asks for a line, into the second-level cache where it is to be read.
#[inline(always)]
fn fetch<const FOR: i32>(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, of which no address is an error.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<FOR>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_row_is_asked_for_once_in_even_shares() {
        let data = vec![0.0f32; 1000];
        // Five rows of 40 numbers are fifteen lines at most; within four tiles that is four a tile.
        let mut ahead = Ahead::of_destination(8).and_rows(&data, 40, 100, 5, 4);
        assert_eq!((ahead.lines, ahead.share, ahead.destination), (3, 4, false));
        for tile in 1..=4 {
            ahead.before_tile(data.as_ptr(), 1, 16, 16);
            let asked = (5 - ahead.rows) * 3 + ahead.line;
            assert_eq!(asked, 15.min(tile * 4));
            let row = data.as_ptr().wrapping_add(100 * (5 - ahead.rows));
            assert_eq!(ahead.next, row.cast());
        }
        assert!(Ahead::of_destination(FEWEST_TERMS).destination);
    }
}
