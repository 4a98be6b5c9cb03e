//! Where one head of one sequence lies, for attention.

use super::simd::LANES;
use super::tile::Rows;

/// Queries computed together: the columns of a block of scores.
pub(super) const BLOCK: usize = 2 * LANES;

/// One head of one sequence in buffers of several: slices begin at its first number, strides lead from token to token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadView<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

impl<'a> HeadView<'a> {
    pub(super) fn rows(self, first: usize) -> Rows<'a> {
        Rows { data: &self.data[first * self.stride..], stride: self.stride }
    }
}
