//! Products with factors in bf16 and sums in f32, and how matrices are laid out for them.

use super::ahead::Ahead;
#[cfg(target_arch = "x86_64")]
use super::amx::{self, Operands, Tiles};
use super::bf16::{Pair, Unit, halves, pair};
use super::matmul::Into;
use super::simd::{LANES, vectorised};
use super::tile::{Left, Rows, Size, Terms, pack_transposed, tiles};
#[cfg(target_arch = "x86_64")]
use super::{simd::counted, tile::unpack};

/// [`multiply_tile`](super::tile::multiply_tile) with factors in bf16 and sums in f32, a's pairs one behind the other. What fills a
/// and b up ([`Unit::pairs_of`], [`Unit::rows_of`]) must be there, and 0 or paired with zeros.
pub(super) fn multiply_pairs(unit: Unit, dst: &mut [f32], stride: usize, into: Into, a: Rows<'_, Pair>, b: Rows<'_, Pair>, size: Size) {
    let left = Left { data: a.data, row: a.stride, column: 1 };
    match unit {
        #[cfg(target_arch = "x86_64")]
        Unit::Amx => {
            let tiles = Tiles::set_up();
            // SAFETY: `in_blocks` checks that all rows lie within their data.
            in_blocks(dst, stride, into, (a, b), size, |operands, sums| unsafe { tiles.multiply(operands, sums) });
        }
        // SAFETY: the unit is only ever chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Unit::Avx512 => unsafe { with_avx512_bf16(dst, stride, into, left, b, size) },
        _ => tiles::<ScalarPairs>((dst, stride), into, left, b, size, &mut Ahead::nothing()),
    }
}

/// The product by tiles, a block of sums at a time (at the right edge half a block, where the second half of b is the first again).
/// b's columns and all pairs come in sixteens, and a has room for whole blocks of rows.
#[cfg(target_arch = "x86_64")]
pub(super) fn in_blocks(
    dst: &mut [f32],
    stride: usize,
    into: Into,
    (a, b): (Rows<'_, Pair>, Rows<'_, Pair>),
    Size { m, n, k }: Size,
    multiply: impl Fn(Operands, &mut [f32; amx::BLOCK * amx::BLOCK]),
) {
    const BLOCK: usize = amx::BLOCK;
    if !super::tile::lies_within(dst, stride, Left { data: a.data, row: a.stride, column: 1 }, b, Size { m, n, k }) {
        return;
    }
    assert!(k.is_multiple_of(amx::TILE) && n.is_multiple_of(amx::TILE), "whole tiles");
    assert!((m.next_multiple_of(BLOCK) - 1) * a.stride + k <= a.data.len(), "a is filled up to whole blocks");
    let mut sums = [0.0; BLOCK * BLOCK];
    for row in (0..m).step_by(BLOCK) {
        for column in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - column);
            let b_at = [column, column + width - amx::TILE].map(|column| b.data[column..].as_ptr());
            let operands = Operands { a: a.data[row * a.stride..].as_ptr(), a_stride: a.stride, b: b_at, b_stride: b.stride, pairs: k };
            multiply(operands, &mut sums);
            sums.iter_mut().for_each(|sum| *sum = counted(*sum));
            unpack(&sums, BLOCK, width, BLOCK.min(m - row), into, &mut dst[row * stride + column..], stride);
        }
    }
}

/// Pairs of bf16 numbers, a number at a time.
struct ScalarPairs;

impl Terms for ScalarPairs {
    type Factor = Pair;
    const MOST_ROWS: usize = 2;
    const WIDE: bool = false;

    #[inline(always)]
    fn add(a: Pair, b: &[Pair; LANES], sums: &mut [f32; LANES]) {
        let a = halves(a);
        for (sum, b) in sums.iter_mut().zip(b) {
            let b = halves(*b);
            *sum += a[0] * b[0] + a[1] * b[1];
        }
    }
}

/// Pairs of bf16 numbers, sixteen sums an instruction. Only for functions compiled with AVX512-BF16.
#[cfg(target_arch = "x86_64")]
struct Avx512Pairs;

#[cfg(target_arch = "x86_64")]
impl Terms for Avx512Pairs {
    type Factor = Pair;
    const MOST_ROWS: usize = 12;
    const WIDE: bool = true;

    #[inline(always)]
    fn add(a: Pair, b: &[Pair; LANES], sums: &mut [f32; LANES]) {
        use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps};
        // SAFETY: arrays of 64 bytes are what such registers hold; the function that this is inlined into has the instruction.
        unsafe {
            let a = std::mem::transmute::<[Pair; LANES], __m512bh>([a; LANES]);
            let b = std::mem::transmute::<[Pair; LANES], __m512bh>(*b);
            let sum = std::mem::transmute::<[f32; LANES], __m512>(*sums);
            *sums = std::mem::transmute::<__m512, [f32; LANES]>(_mm512_dpbf16_ps(sum, a, b));
        }
    }
}

/// The product of pairs with the instructions of such a processor.
///
/// # Safety
/// The processor must have these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")]
unsafe fn with_avx512_bf16(dst: &mut [f32], stride: usize, into: Into, a: Left<'_, Pair>, b: Rows<'_, Pair>, size: Size) {
    tiles::<Avx512Pairs>((dst, stride), into, a, b, size, &mut Ahead::nothing());
}

vectorised! {
    /// Pairs within rows: row i of `width` numbers becomes `to[i·stride..]`, filled up with zeros.
    pub(super) fn pair_within_rows(from: Rows<'_>, width: usize, count: usize, stride: usize, to: &mut [Pair]) {
        for (row, to) in to.chunks_exact_mut(stride).take(count).enumerate() {
            let (pairs, last) = from.data[row * from.stride..][..width].as_chunks::<2>();
            let (whole, rest) = to.split_at_mut(pairs.len());
            whole.iter_mut().zip(pairs).for_each(|(to, [first, second])| *to = pair(*first, *second));
            rest.fill(0);
            if let ([last], Some(to)) = (last, rest.first_mut()) {
                *to = pair(*last, 0.0);
            }
        }
    }

    /// Pairs of rows: rows 2l and 2l + 1 of `width` numbers become `to[l·stride..]`; rows after the last count as 0. What lies between
    /// `width` and `stride` is left as it is.
    pub(super) fn pair_rows(from: Rows<'_>, width: usize, count: usize, stride: usize, to: &mut [Pair]) {
        for (l, to) in to.chunks_mut(stride).enumerate() {
            let to = &mut to[..width];
            if 2 * l + 1 < count {
                let first = &from.data[2 * l * from.stride..][..width];
                let second = &from.data[(2 * l + 1) * from.stride..][..width];
                to.iter_mut().zip(first).zip(second).for_each(|((to, first), second)| *to = pair(*first, *second));
            } else if 2 * l < count {
                let first = &from.data[2 * l * from.stride..][..width];
                to.iter_mut().zip(first).for_each(|(to, first)| *to = pair(*first, 0.0));
            } else {
                to.fill(0);
            }
        }
    }
}

/// Rows of `width` numbers as columns of pairs: pair l of row i goes to l·`stride` + i; `room` is overwritten. Pairs up to `depth` are filled
/// up with zeros.
pub(super) fn pair_transposed(
    from: Rows<'_>,
    width: usize,
    count: usize,
    depth: usize,
    stride: usize,
    to: &mut [Pair],
    room: &mut Vec<Pair>,
) {
    room.resize(room.len().max(count * depth), 0);
    pair_within_rows(from, width, count, depth, &mut room[..count * depth]);
    pack_transposed(Rows { data: &*room, stride: depth }, depth, count, stride, to);
}

/// Columns of a matrix of `count` rows as rows of pairs: terms 2l and 2l + 1 of column i go to i·`stride` + l; `room` is overwritten.
pub(super) fn pair_columns(from: Rows<'_>, width: usize, count: usize, stride: usize, to: &mut [Pair], room: &mut Vec<Pair>) {
    room.resize(room.len().max(stride * width), 0);
    pair_rows(from, width, count, width, &mut room[..stride * width]);
    pack_transposed(Rows { data: &*room, stride: width }, width, stride, stride, to);
}
