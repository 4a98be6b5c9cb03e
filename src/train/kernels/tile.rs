//! Small matrix products on data that is in the first-level cache already: dst ← a·b with a's numbers taken one by one and
//! b's rows in whole registers, a tile of the result held in registers. No packing and no call overhead to speak of, which is what
//! products of a block of attention (some dozen rows by some dozen columns) lose by a general routine.

use super::ahead::Ahead;
use super::matmul::Into;
use super::simd::{LANES, counted, fma, vectorised};

/// a [m, k]: term l of row i is at i·`row` + l·`column` of `data`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a, T = f32> {
    pub(super) data: &'a [T],
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Rows of numbers, `stride` from one to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a, T = f32> {
    pub(super) data: &'a [T],
    pub(super) stride: usize,
}

/// Sizes of a product: m rows of n numbers, each a sum of k terms (or pairs of terms); n is a multiple of [`LANES`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
}

/// dst ← a·b or dst ← dst + a·b, with b [k, n] and dst [m, n] of rows `stride` apart.
pub(super) fn multiply_tile(dst: &mut [f32], stride: usize, into: Into, a: Left<'_>, b: Rows<'_>, size: Size) {
    checked(dst, stride, into, a, b, size, &mut Ahead::nothing());
}

/// The same on data that is not in the cache yet.
pub(super) fn multiply_tile_ahead((dst, stride): (&mut [f32], usize), into: Into, a: Left<'_>, b: Rows<'_>, size: Size, ahead: &mut Ahead) {
    checked(dst, stride, into, a, b, size, ahead);
}

/// Whether there is anything to multiply; panics where an operand does not lie within its data.
pub(super) fn lies_within<T>(dst: &[f32], stride: usize, a: Left<'_, T>, b: Rows<'_, T>, Size { m, n, k }: Size) -> bool {
    if m == 0 || n == 0 || k == 0 {
        return false;
    }
    assert!(n.is_multiple_of(LANES), "whole registers");
    assert!((m - 1) * a.row + (k - 1) * a.column < a.data.len(), "a lies within its data");
    assert!((k - 1) * b.stride + n <= b.data.len(), "b lies within its data");
    assert!((m - 1) * stride + n <= dst.len(), "the product lies within its destination");
    true
}

/// Most rows of a tile on any processor.
pub(super) const MOST_ROWS: usize = 12;

/// How terms are multiplied and added up.
pub(super) trait Terms {
    /// What a factor holds: a number, or a pair of numbers of two terms.
    type Factor: Copy;
    /// Most rows of a tile: with a row of b and a factor of a they fill the registers, 32 of sixteen numbers where wide, else 16 of eight
    /// with multiply-adds, else 16 of four.
    const MOST_ROWS: usize;
    /// Whether a tile is two registers of sixteen numbers wide where the product is.
    const WIDE: bool;

    /// sums ← sums + a·b.
    fn add(a: Self::Factor, b: &[Self::Factor; LANES], sums: &mut [f32; LANES]);
}

/// Numbers, one term at a time.
struct Singles<const FMA: bool, const WIDE: bool>;

impl<const FMA: bool, const WIDE: bool> Terms for Singles<FMA, WIDE> {
    type Factor = f32;
    const MOST_ROWS: usize = match (FMA, WIDE) {
        (true, true) => MOST_ROWS,
        (true, false) => 6,
        _ => 2,
    };
    const WIDE: bool = WIDE;

    #[inline(always)]
    fn add(a: f32, b: &[f32; LANES], sums: &mut [f32; LANES]) {
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum = fma::<FMA>(a, *b, *sum);
        }
    }
}

vectorised! {
    /// [`multiply_tile`] with the instructions of this processor.
    fn checked(dst: &mut [f32], stride: usize, into: Into, a: Left<'_>, b: Rows<'_>, size: Size, ahead: &mut Ahead) {
        tiles::<Singles<FMA, WIDE>>((dst, stride), into, a, b, size, ahead);
    }
}

/// The product, tile after tile down the rows of a few columns.
#[inline(always)]
pub(super) fn tiles<T: Terms>(
    (dst, stride): (&mut [f32], usize),
    into: Into,
    a: Left<'_, T::Factor>,
    b: Rows<'_, T::Factor>,
    size: Size,
    ahead: &mut Ahead,
) {
    if !lies_within(dst, stride, a, b, size) {
        return;
    }
    let Size { m, n, k } = size;
    let tiles = m.div_ceil(T::MOST_ROWS);
    let mut column = 0;
    while column < n {
        let wide = T::WIDE && n - column >= 2 * LANES;
        let b = Rows { data: &b.data[column..], stride: b.stride };
        let mut row = 0;
        for tile in 0..tiles {
            // As even as can be: few rows leave the units that multiply waiting for their own results.
            let rows = (m - row).div_ceil(tiles - tile);
            let a = Left { data: &a.data[row * a.row..], ..a };
            let dst = &mut dst[row * stride + column..];
            ahead.before_tile(dst.as_ptr(), rows, stride, if wide { 2 * LANES } else { LANES });
            if wide {
                rows_of::<T, 2>(rows, dst, stride, into, a, b, k);
            } else {
                rows_of::<T, 1>(rows, dst, stride, into, a, b, k);
            }
            row += rows;
        }
        column += if wide { 2 * LANES } else { LANES };
    }
}

/// A tile of so many rows.
#[inline(always)]
fn rows_of<T: Terms, const N: usize>(
    rows: usize,
    dst: &mut [f32],
    stride: usize,
    into: Into,
    a: Left<'_, T::Factor>,
    b: Rows<'_, T::Factor>,
    k: usize,
) {
    match rows {
        1 => tile::<T, 1, N>(dst, stride, into, a, b, k),
        2 => tile::<T, 2, N>(dst, stride, into, a, b, k),
        3 if T::MOST_ROWS > 2 => tile::<T, 3, N>(dst, stride, into, a, b, k),
        4 if T::MOST_ROWS > 2 => tile::<T, 4, N>(dst, stride, into, a, b, k),
        5 if T::MOST_ROWS > 2 => tile::<T, 5, N>(dst, stride, into, a, b, k),
        6 if T::MOST_ROWS > 2 => tile::<T, 6, N>(dst, stride, into, a, b, k),
        7 if T::MOST_ROWS > 6 => tile::<T, 7, N>(dst, stride, into, a, b, k),
        8 if T::MOST_ROWS > 6 => tile::<T, 8, N>(dst, stride, into, a, b, k),
        9 if T::MOST_ROWS > 6 => tile::<T, 9, N>(dst, stride, into, a, b, k),
        10 if T::MOST_ROWS > 6 => tile::<T, 10, N>(dst, stride, into, a, b, k),
        11 if T::MOST_ROWS > 6 => tile::<T, 11, N>(dst, stride, into, a, b, k),
        12 if T::MOST_ROWS > 6 => tile::<T, 12, N>(dst, stride, into, a, b, k),
        _ => unreachable!("no tile has {rows} rows"),
    }
}

/// `M` rows by `N` times [`LANES`] columns of the product.
#[inline(always)]
fn tile<T: Terms, const M: usize, const N: usize>(
    dst: &mut [f32],
    stride: usize,
    into: Into,
    a: Left<'_, T::Factor>,
    b: Rows<'_, T::Factor>,
    k: usize,
) {
    let mut sums = [[[0.0f32; LANES]; N]; M];
    for l in 0..k {
        // SAFETY: the last index of each operand was checked ([`lies_within`]); all others are smaller.
        let b: [[T::Factor; LANES]; N] = unsafe { b.data.as_ptr().add(l * b.stride).cast::<[[T::Factor; LANES]; N]>().read_unaligned() };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let a = unsafe { *a.data.as_ptr().add(i * a.row + l * a.column) };
            for (sums, b) in sums.iter_mut().zip(&b) {
                T::add(a, b, sums);
            }
        }
    }
    let at = |i: usize, j: usize| i * stride + j * LANES;
    let to = dst.as_mut_ptr();
    // SAFETY: as above, of the destination.
    match into {
        Into::Replace => each(&sums, |i, j, sums| unsafe { write(to.add(at(i, j)), sums.map(counted)) }),
        Into::Add => each(&sums, |i, j, sums| unsafe {
            let to = to.add(at(i, j));
            let before = to.cast::<[f32; LANES]>().read_unaligned();
            write(to, std::array::from_fn(|l| counted(before[l] + sums[l])));
        }),
    }
}

/// Hands over the sums of a tile, a register at a time. Nothing in it branches, so it is unrolled whole and sums never leave their registers.
#[inline(always)]
fn each<const M: usize, const N: usize>(sums: &[[[f32; LANES]; N]; M], mut take: impl FnMut(usize, usize, [f32; LANES])) {
    for (i, sums) in sums.iter().enumerate() {
        for (j, sums) in sums.iter().enumerate() {
            take(i, j, *sums);
        }
    }
}

/// # Safety
/// `to` must lead to room for so many numbers.
#[inline(always)]
unsafe fn write(to: *mut f32, numbers: [f32; LANES]) {
    // SAFETY: the caller vouches for it.
    unsafe { to.cast::<[f32; LANES]>().write_unaligned(numbers) }
}

vectorised! {
    /// Copies rows of `width` numbers into rows of `padded`, the rest of which is left as it is.
    pub(super) fn pack(from: Rows<'_>, width: usize, count: usize, padded: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(padded).take(count).enumerate() {
            copy_row(&from.data[row * from.stride..][..width], &mut to[..width]);
        }
    }

    /// Copies or adds the first `width` numbers of `count` rows of `padded` to rows `stride` apart.
    pub(super) fn unpack(from: &[f32], padded: usize, width: usize, count: usize, into: Into, to: &mut [f32], stride: usize) {
        for (row, from) in from.chunks_exact(padded).take(count).enumerate() {
            let to = &mut to[row * stride..][..width];
            match into {
                Into::Replace => copy_row(&from[..width], to),
                Into::Add => to.iter_mut().zip(from).for_each(|(to, from)| *to = counted(*to + from)),
            }
        }
    }
}

/// A copy; of a row of one, two or four registers without a call.
#[inline(always)]
fn copy_row(from: &[f32], to: &mut [f32]) {
    match from.len() {
        16 => copy_whole::<1>(from, to),
        32 => copy_whole::<2>(from, to),
        64 => copy_whole::<4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_whole<const N: usize>(from: &[f32], to: &mut [f32]) {
    if let (Some(from), Some(to)) = (from.as_chunks::<LANES>().0.first_chunk::<N>(), to.as_chunks_mut::<LANES>().0.first_chunk_mut::<N>()) {
        *to = *from;
    }
}

/// Writes rows of `width` numbers (or pairs) as columns: number (i, j) goes to j·`stride` + i.
pub(super) fn pack_transposed<T: Copy>(from: Rows<'_, T>, width: usize, count: usize, stride: usize, to: &mut [T]) {
    const { assert!(size_of::<T>() == 4, "a number of 32 bits") };
    if count == 0 || width == 0 {
        return;
    }
    assert!((count - 1) * from.stride + width <= from.data.len(), "the rows lie within their data");
    assert!((width - 1) * stride + count <= to.len(), "the columns lie within their destination");
    let whole = turn_blocks(from, width, count, stride, to);
    for i in 0..count {
        for j in if i < whole.0 { whole.1 } else { 0 }..width {
            to[j * stride + i] = from.data[i * from.stride + j];
        }
    }
}

/// Transposes what is made of whole blocks, where the processor can; how many rows and columns that is.
fn turn_blocks<T: Copy>(from: Rows<'_, T>, width: usize, count: usize, stride: usize, to: &mut [T]) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if super::simd::width() != super::simd::Width::Plain {
        let (rows, columns) = (count - count % 8, width - width % 8);
        // SAFETY: the processor has AVX; rows and columns were checked by `pack_transposed`.
        unsafe { turn_all(from.data.as_ptr().cast(), from.stride, to.as_mut_ptr().cast(), stride, [rows, columns]) };
        return (rows, columns);
    }
    let _ = (from, width, count, stride, to);
    (0, 0)
}

/// Transposes `rows` rows of `columns` numbers of 32 bits, both multiples of eight; they are moved only.
///
/// # Safety
/// All of them must lie within `from` and, as columns, within `to`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn turn_all(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize, [rows, columns]: [usize; 2]) {
    for i in (0..rows).step_by(8) {
        for j in (0..columns).step_by(8) {
            // SAFETY: the caller vouches for this block too.
            unsafe { turn_8x8(from.add(i * from_stride + j), from_stride, to.add(j * to_stride + i), to_stride) };
        }
    }
}

/// Eight rows of eight numbers become columns: pairs, then fours, then halves change places.
///
/// # Safety
/// Rows i·`from_stride` + 0..8 of `from` and i·`to_stride` + 0..8 of `to` for i in 0..8 must be valid.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
#[inline]
unsafe fn turn_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::{
        _mm256_castpd_ps, _mm256_castps_pd, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_storeu_ps, _mm256_unpackhi_pd,
        _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
    };
    // SAFETY: the caller vouches for eight rows of eight numbers.
    let r: [_; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * from_stride)) });
    let pairs: [_; 8] = std::array::from_fn(|i| {
        let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
        if i % 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) }
    });
    let fours: [_; 8] = std::array::from_fn(|i| {
        let (half, which) = (i / 4 * 4, i % 4);
        let (a, b) = (_mm256_castps_pd(pairs[half + which / 2]), _mm256_castps_pd(pairs[half + 2 + which / 2]));
        _mm256_castpd_ps(if which % 2 == 0 { _mm256_unpacklo_pd(a, b) } else { _mm256_unpackhi_pd(a, b) })
    });
    for i in 0..4 {
        let (a, b) = (fours[i], fours[i + 4]);
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(to.add(i * to_stride), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(to.add((i + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::kernels::numbers;

    /// Of the processor at hand and of every kind.
    #[test]
    fn tiles_of_any_size_match_a_triple_loop() {
        for product in [multiply_tile, of::<Singles<true, true>>, of::<Singles<true, false>>, of::<Singles<false, false>>] {
            for (m, n, k) in [(1, 16, 1), (3, 32, 5), (8, 48, 32), (12, 64, 9), (13, 16, 7), (21, 80, 24), (34, 32, 3)] {
                matches_a_triple_loop(product, (m, n, k));
            }
        }
    }

    fn of<T: Terms<Factor = f32>>(dst: &mut [f32], stride: usize, into: Into, a: Left<'_>, b: Rows<'_>, size: Size) {
        tiles::<T>((dst, stride), into, a, b, size, &mut Ahead::of_destination(size.k));
    }

    type Product = fn(&mut [f32], usize, Into, Left<'_>, Rows<'_>, Size);

    fn matches_a_triple_loop(product: Product, (m, n, k): (usize, usize, usize)) {
        let (a, b) = (numbers(m * k, 1), numbers(k * (n + 3), 2));
        for (row, column, into) in [(k, 1, Into::Replace), (1, m, Into::Add)] {
            let stride = n + 1;
            let mut found = numbers(m * stride, 3);
            let before = found.clone();
            product(&mut found, stride, into, Left { data: &a, row, column }, Rows { data: &b, stride: n + 3 }, Size { m, n, k });
            for (i, j) in (0..m).flat_map(|i| (0..stride).map(move |j| (i, j))).filter(|(i, j)| i * stride + j < found.len()) {
                let old = before[i * stride + j];
                let product: f32 = (0..k).map(|l| a[i * row + l * column] * b[l * (n + 3) + j.min(n - 1)]).sum();
                let expected = if j >= n {
                    old
                } else if into == Into::Add {
                    old + product
                } else {
                    product
                };
                assert!((found[i * stride + j] - expected).abs() < 1e-4, "{m} {n} {k}: ({i}, {j})");
            }
        }
    }

    #[test]
    fn packing_keeps_every_number_in_its_place() {
        for (width, count) in [(6, 7), (8, 16), (27, 35), (32, 24)] {
            let from = numbers(count * 40, 0);
            let rows = Rows { data: &from, stride: 40 };
            let (mut plain, mut turned, mut back) = (vec![9.0; count * 32], vec![9.0; width * 48], vec![1.0; count * 33]);
            pack(rows, width, count, 32, &mut plain);
            pack_transposed(rows, width, count, 48, &mut turned);
            unpack(&plain, 32, width, count, Into::Add, &mut back, 33);
            for (i, j) in (0..count).flat_map(|i| (0..width).map(move |j| (i, j))) {
                let number = from[i * 40 + j];
                assert_eq!([plain[i * 32 + j], turned[j * 48 + i], back[i * 33 + j]], [number, number, 1.0 + number], "{i} {j}");
            }
            assert_eq!([turned[count], back[width]], [9.0, 1.0]);
        }
    }
}
