//! Tests that no kernel reads or writes behind its buffers: each ends where a page begins that may not be touched, so that a number too
//! many ends the program.
#![cfg(unix)]

use super::bf16::{Pair, Unit};
use super::matmul::{Into, Matrix};
use super::pairs::multiply_pairs;
use super::panels::{Factors, Panels, multiply_panels};
use super::tile::{Left, Rows, Size, multiply_tile, pack_transposed};
use std::ops::{Deref, DerefMut};

/// Numbers that end at a page that may not be touched.
struct Guarded<T> {
    pages: *mut libc::c_void,
    bytes: usize,
    first: *mut T,
    count: usize,
}

impl<T: Copy> Guarded<T> {
    fn new(values: &[T]) -> Self {
        // SAFETY: asks for fresh pages, takes the right to the last one away, and writes the values before it.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).expect("pages have a size");
            let size = size_of_val(values).next_multiple_of(page);
            let bytes = size + page;
            let pages =
                libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            assert_ne!(pages, libc::MAP_FAILED, "pages are to be had");
            assert_eq!(libc::mprotect(pages.byte_add(size), page, libc::PROT_NONE), 0, "a page can be closed");
            let first = pages.byte_add(size - size_of_val(values)).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), first, values.len());
            Self { pages, bytes, first, count: values.len() }
        }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: so many values were written there and live as long as this.
        unsafe { std::slice::from_raw_parts(self.first, self.count) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.count) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the pages of `new`, which nothing points to any more.
        unsafe { libc::munmap(self.pages, self.bytes) };
    }
}

fn numbers(count: usize) -> Guarded<f32> {
    Guarded::new(&super::numbers(count, 1))
}

#[test]
fn tiles_and_transposes_stay_within_their_buffers() {
    for (m, n, k) in [(1, 16, 1), (7, 48, 5), (12, 32, 9), (13, 16, 33)] {
        let (a, b, mut dst) = (numbers(m * k), numbers((k - 1) * (n + 5) + n), numbers((m - 1) * (n + 3) + n));
        let b = Rows { data: &b[..], stride: n + 5 };
        multiply_tile(&mut dst, n + 3, Into::Add, Left { data: &a, row: k, column: 1 }, b, Size { m, n, k });
        multiply_tile(&mut dst, n + 3, Into::Replace, Left { data: &a, row: 1, column: m }, b, Size { m, n, k });
        let mut turned = numbers((k - 1) * (m + 1) + m);
        pack_transposed(Rows { data: &a[..], stride: k }, k, m, m + 1, &mut turned);
        assert!(dst.iter().chain(turned.iter()).all(|number| number.is_finite()));
    }
}

#[test]
fn pairs_stay_within_their_buffers_on_every_unit() {
    for unit in [Some(Unit::Scalar), Unit::of_processor()].into_iter().flatten() {
        for (m, n, terms) in [(1, 16, 1), (7, 48, 10), (13, 16, 66), (40, 32, 31)] {
            let pairs = |count: usize| -> Guarded<Pair> { Guarded::new(&vec![0x3f80_3f80; count]) };
            let k = unit.pairs_of(terms);
            let (a, b, mut dst) = (pairs(unit.rows_of(m) * k), pairs((k - 1) * (n + 5) + n), numbers((m - 1) * (n + 3) + n));
            let (a, b) = (Rows { data: &a[..], stride: k }, Rows { data: &b[..], stride: n + 5 });
            multiply_pairs(unit, &mut dst, n + 3, Into::Replace, a, b, Size { m, n, k });
            for row in dst.chunks(n + 3) {
                assert_eq!(row[..n], vec![2.0 * k as f32; n], "{unit:?} {m} {n} {k}");
            }
        }
    }
}

#[test]
fn panels_of_odd_sizes_stay_within_their_buffers() {
    let factors = [Some(Factors::F32), Some(Factors::Bf16(Unit::Scalar)), Unit::of_processor().map(Factors::Bf16)];
    for factors in factors.into_iter().flatten() {
        for (m, n, k) in [(1, 1, 1), (5, 7, 3), (33, 17, 31), (121, 40, 300)] {
            let (a, b, mut dst) = (numbers(m * k), numbers(k * n), numbers((m - 1) * (n + 3) + n));
            for (a, b) in [(Matrix::new(&a, m, k), Matrix::new(&b, k, n)), (Matrix::new(&a, k, m).t(), Matrix::new(&b, n, k).t())] {
                let mut panels = Panels::new(factors);
                panels.lay_out(b);
                multiply_panels(&mut dst, n + 3, Into::Add, a, &panels);
            }
            assert!(dst.iter().all(|number| number.is_finite()), "{factors:?} {m} {n} {k}");
        }
    }
}
