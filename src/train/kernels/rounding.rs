//! Tests of products with factors in bf16: every unit that this processor has against the scalar one, that one against f64.

use super::attention::{HeadGradients, Scores, attend, attend_backward};
use super::bf16::{Pair, Unit, halves, pair};
use super::head::{HeadView, Sight};
use super::matmul::{Into, Matrix};
use super::pairs::{multiply_pairs, pair_columns, pair_rows, pair_transposed, pair_within_rows};
use super::panels::{Factors, Panels, multiply_panels};
use super::tile::{Rows, Size};
use crate::spec::Random;
use std::io::Write;

/// The scalar unit and what the processor has; says aloud what is left out.
fn units() -> Vec<Unit> {
    let of_processor = Unit::of_processor();
    #[cfg(target_arch = "x86_64")]
    let others = [
        (Unit::Avx512, super::simd::width() == super::simd::Width::Avx512 && is_x86_feature_detected!("avx512bf16")),
        (Unit::Amx, of_processor == Some(Unit::Amx)),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let others = [(Unit::Avx512, false), (Unit::Amx, of_processor == Some(Unit::Amx))];
    for (unit, _) in others.iter().filter(|(_, there)| !there) {
        // Not by a macro: what those print is caught by the test program.
        _ = writeln!(std::io::stderr(), "skipped: products of bf16 by {}, which this processor lacks", unit.name());
    }
    std::iter::once(Unit::Scalar).chain(others.into_iter().filter(|(_, there)| *there).map(|(unit, _)| unit)).collect()
}

fn normal(name: &str, count: usize) -> Vec<f32> {
    let mut random = Random::new(3, name);
    (0..count).map(|_| random.normal() as f32).collect()
}

fn rounded(x: f32) -> f64 {
    f64::from(halves(pair(x, 0.0))[0])
}

#[test]
fn numbers_are_rounded_to_the_nearest_and_to_even() {
    // 1 + 2^-8 lies between 1 and 1 + 2^-7; so does 1 + 3·2^-8 between two, the upper of which is even.
    let unit = 2f32.powi(-8);
    let cases = [
        (1.0 + unit, 1.0),
        (1.0 + 1.01 * unit, 1.0 + 2.0 * unit),
        (1.0 + 3.0 * unit, 1.0 + 4.0 * unit),
        (-1.0 - unit, -1.0),
        (0.0, 0.0),
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
    ];
    for (x, expected) in cases {
        assert_eq!(halves(pair(x, expected)), [expected; 2], "{x}");
    }
    for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(u32::MAX)] {
        assert!(halves(pair(nan, nan)).iter().all(|half| half.is_nan()), "{nan}");
    }
}

#[test]
fn pairs_stand_where_a_product_reads_them() {
    for (count, width) in [(1, 1), (5, 7), (8, 16), (33, 50)] {
        let from = normal("pairs", count * (width + 2));
        let rows = Rows { data: &from, stride: width + 2 };
        let at = |i: usize, j: usize| if i < count && j < width { rounded(from[i * (width + 2) + j]) as f32 } else { 0.0 };
        let (within, across) = (width.div_ceil(2) + 1, count.div_ceil(2) + 1);
        let mut room = vec![7; 3];
        let (mut along, mut turned) = (vec![9; count * within], vec![9; within * count]);
        pair_within_rows(rows, width, count, within, &mut along);
        pair_transposed(rows, width, count, within, count, &mut turned, &mut room);
        let (mut stacked, mut columns) = (vec![9; across * width], vec![9; width * across]);
        pair_rows(rows, width, count, width, &mut stacked);
        pair_columns(rows, width, count, across, &mut columns, &mut room);
        for (i, l) in (0..count).flat_map(|i| (0..within).map(move |l| (i, l))) {
            let expected = [at(i, 2 * l), at(i, 2 * l + 1)];
            assert_eq!([halves(along[i * within + l]), halves(turned[l * count + i])], [expected; 2], "{i} {l}");
        }
        for (l, j) in (0..across).flat_map(|l| (0..width).map(move |j| (l, j))) {
            let expected = [at(2 * l, j), at(2 * l + 1, j)];
            assert_eq!([halves(stacked[l * width + j]), halves(columns[j * across + l])], [expected; 2], "{l} {j}");
        }
    }
}

/// Both ways to lay b out, both ways in which a may lie, odd sizes, more terms and rows than are taken at once. Units add up in different
/// orders, each addition wrong by 2^-24 of what is added up so far at most.
#[test]
fn products_are_those_of_rounded_factors() {
    for unit in units() {
        for (m, n, k) in [(1, 1, 1), (5, 7, 3), (6, 16, 8), (33, 17, 31), (128, 48, 64), (121, 40, 300), (250, 100, 129), (33, 70, 1100)] {
            let (a, b, stride) = (normal("a", m * k), normal("b", k * n), n + 3);
            for (turned, into) in [(false, Into::Replace), (true, Into::Add)] {
                let (a_of, b_of) = if turned {
                    (Matrix::new(&a, k, m).t(), Matrix::new(&b, n, k).t())
                } else {
                    (Matrix::new(&a, m, k), Matrix::new(&b, k, n))
                };
                let mut panels = Panels::new(Factors::Bf16(unit));
                // What was there before leaves nothing behind.
                panels.lay_out(Matrix::new(&normal("before", 300 * 500), 300, 500));
                panels.lay_out(b_of);
                let before = normal("dst", m * stride);
                let mut found = before.clone();
                multiply_panels(&mut found, stride, into, a_of, &panels);
                let of = |data: &[f32], row: usize, column: usize, rows: usize, columns: usize| {
                    rounded(if turned { data[column * rows + row] } else { data[row * columns + column] })
                };
                for (i, j) in (0..m).flat_map(|i| (0..stride).map(move |j| (i, j))) {
                    let (was, is) = (before[i * stride + j], found[i * stride + j]);
                    if j >= n {
                        assert_eq!(was, is, "{unit:?} {m} {n} {k}: beside the product at {i} {j}");
                        continue;
                    }
                    let terms = (0..k).map(|l| of(&a, i, l, m, k) * of(&b, l, j, k, n));
                    let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + f64::abs(term)));
                    let (sum, size) = if into == Into::Add { (sum + f64::from(was), size + f64::from(was.abs())) } else { (sum, size) };
                    let far = (f64::from(is) - sum).abs();
                    assert!(far <= (k + 1) as f64 * 2f64.powi(-23) * size, "{unit:?} {m} {n} {k} {into:?}: {is}, not {sum} at {i} {j}");
                }
            }
        }
    }
}

/// The loop over tiles with a stand-in for the instructions: what is read of the factors, and what is written where.
#[cfg(target_arch = "x86_64")]
#[test]
fn blocks_of_tiles_cover_a_product() {
    use super::amx::{BLOCK, Operands, TILE};
    use super::pairs::in_blocks;
    let stand_in = |Operands { a, a_stride, b, b_stride, pairs }: Operands, sums: &mut [f32; BLOCK * BLOCK]| {
        for (i, j) in (0..BLOCK).flat_map(|i| (0..BLOCK).map(move |j| (i, j))) {
            sums[i * BLOCK + j] = (0..pairs)
                .map(|l| {
                    // SAFETY: what `Operands` says of its pointers.
                    let (a, b) = unsafe { (*a.add(i * a_stride + l), *b[j / TILE].add(l * b_stride + j % TILE)) };
                    let (a, b) = (halves(a), halves(b));
                    a[0] * b[0] + a[1] * b[1]
                })
                .sum();
        }
    };
    for (m, n, k) in [(1usize, 16, 16), (31, 32, 16), (32, 48, 32), (70, 80, 48)] {
        let numbers = |name: &str, count: usize| -> Vec<Pair> { normal(name, count).iter().map(|x| pair(*x, -x / 3.0)).collect() };
        let (a, b) = (numbers("a", m.next_multiple_of(BLOCK) * (k + 1)), numbers("b", k * (n + 2)));
        let (a, b) = (Rows { data: &a[..], stride: k + 1 }, Rows { data: &b[..], stride: n + 2 });
        for into in [Into::Replace, Into::Add] {
            let (mut found, mut expected) = (normal("dst", m * (n + 1)), normal("dst", m * (n + 1)));
            in_blocks(&mut found, n + 1, into, (a, b), Size { m, n, k }, stand_in);
            multiply_pairs(Unit::Scalar, &mut expected, n + 1, into, a, b, Size { m, n, k });
            let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-3, "{m} {n} {k} {into:?}: off by {far}");
        }
    }
}

/// Attention of bf16 factors is that of f32 but for their rounding, on blocks that are whole and not, and alike on every unit.
#[test]
fn attention_is_that_of_f32_but_for_rounding() {
    let sizes = [(83, 6), (128, 32), (40, 33)];
    for ((context, width), sight) in sizes.into_iter().flat_map(|size| [Sight::Before, Sight::Whole].map(|sight| (size, sight))) {
        let stride = 3 * width;
        let (x, w) = (normal("qkv", context * stride).iter().map(|x| 0.5 * x).collect::<Vec<f32>>(), normal("w", context * width));
        let [exact, exact_gradient] = attention(&x, &w, (context, width), sight, Factors::F32);
        for unit in units() {
            let [mixed, gradient] = attention(&x, &w, (context, width), sight, Factors::Bf16(unit));
            for (name, found, expected) in [("mixed", mixed, &exact), ("gradient", gradient, &exact_gradient)] {
                let size = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                let (far, all) = (size(&mut found.iter().zip(expected).map(|(a, b)| a - b)), size(&mut expected.iter().copied()));
                // A factor is off by 2^-9 at most, so a product of two by 2^-8 and a sum of many by less; not by nothing, either.
                assert!(
                    far < 2f64.powi(-7) * all && far > 1e-5 * all,
                    "{unit:?} {context} {width} {sight:?}: {name} off by {far} of {all}"
                );
            }
        }
    }
}

/// What attention yields and its gradient for queries, keys and values side by side.
fn attention(x: &[f32], w: &[f32], (context, width): (usize, usize), sight: Sight, factors: Factors) -> [Vec<f32>; 2] {
    let (stride, mut scores) = (3 * width, Scores::new(context, width, factors).seeing(sight));
    let (mut mixed, mut log_sums, mut dx) = (vec![0.0; context * width], vec![0.0; context], vec![f32::NAN; x.len()]);
    let views = [0, 1, 2].map(|i| HeadView { data: &x[i * width..], stride });
    // Twice, so that what the first head leaves in the buffers is seen to do no harm.
    for _ in 0..2 {
        attend(views, width, &mut mixed, width, &mut log_sums, &mut scores);
        let gradients = HeadGradients { data: &mut dx, stride, offsets: [0, width, 2 * width], keys_and_values: Into::Replace };
        let [mixed, w] = [&mixed[..], w].map(|data| HeadView { data, stride: width });
        attend_backward(views, width, mixed, w, &log_sums, gradients, &mut scores);
    }
    [mixed, dx]
}
