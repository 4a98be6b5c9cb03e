//! Where one head of one sequence lies, for attention.

use super::simd::LANES;
use super::tile::Rows;

/// Queries computed together: the columns of a block of scores.
pub(super) const BLOCK: usize = 2 * LANES;

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sight {
    /// That of its own token and those of the tokens before it.
    #[default]
    Before,
    /// Those of the whole sequence.
    Whole,
}

impl Sight {
    /// Keys that any of `rows` queries from `first` on sees.
    pub(super) fn keys(self, first: usize, rows: usize, context: usize) -> usize {
        match self {
            Self::Before => first + rows,
            Self::Whole => context,
        }
    }

    /// The first of `keys` keys that not every query from `first` on sees.
    pub(super) fn seen_by_all(self, first: usize, keys: usize) -> usize {
        match self {
            Self::Before => first,
            Self::Whole => keys,
        }
    }
}

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
