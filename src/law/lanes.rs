//! Points side by side: what a formula is evaluated on where many points wait. Plain loops over as many numbers as fill a few
//! vector registers, of which compilers make vector instructions; the bits are the same on every machine.

use super::Point;
use super::vector::{self, Pass, vectorised};
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Points side by side: so many that compilers take their loops for loops, and do not write them out.
pub(crate) const LANES: usize = 16;

/// One number of each point of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f64; LANES]);

/// What a dual number is made of: one number, or one of each point of a block.
pub trait Scalar:
    Copy + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The same for every point.
    fn splat(value: f64) -> Self;
    /// What is read off each point.
    fn of_points(points: &[Point], read: impl Fn(&Point) -> f64) -> Self;
    /// A function of numbers of each point.
    fn zip<const N: usize>(of: [&Self; N], function: impl Fn([f64; N]) -> f64) -> Self;
    /// Runs a pass by the instructions that suit it.
    fn pass<P: Pass>(pass: P) -> P::Output;
    /// eˣ.
    fn exp(self) -> Self;
    /// ln x.
    fn ln(self) -> Self;

    /// A function of each number.
    #[inline(always)]
    fn each(self, of: impl Fn(f64) -> f64) -> Self {
        Self::zip([&self], |[x]| of(x))
    }

    /// `yes` where `left` ≤ `right`, else `no`.
    #[inline(always)]
    fn select_le(left: Self, right: Self, yes: Self, no: Self) -> Self {
        Self::zip([&left, &right, &yes, &no], |[left, right, yes, no]| if left <= right { yes } else { no })
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn of_points(points: &[Point], read: impl Fn(&Point) -> f64) -> Self {
        read(&points[0])
    }
    #[inline(always)]
    fn zip<const N: usize>(of: [&Self; N], function: impl Fn([f64; N]) -> f64) -> Self {
        function(of.map(|x| *x))
    }
    #[inline(always)]
    fn pass<P: Pass>(pass: P) -> P::Output {
        pass.run()
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
}

impl Lanes {
    /// Sum over the points.
    pub(crate) fn sum(self) -> f64 {
        self.0.iter().sum()
    }
}

impl Scalar for Lanes {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value; LANES])
    }
    fn of_points(points: &[Point], read: impl Fn(&Point) -> f64) -> Self {
        Self(std::array::from_fn(|lane| read(&points[lane])))
    }
    #[inline(always)]
    fn zip<const N: usize>(of: [&Self; N], function: impl Fn([f64; N]) -> f64) -> Self {
        let mut out = Self([0.0; LANES]);
        for lane in 0..LANES {
            let mut numbers = [0.0; N];
            for input in 0..N {
                numbers[input] = of[input].0[lane];
            }
            out.0[lane] = function(numbers);
        }
        out
    }
    /// Out of line: a formula is a row of calls, which is quick to compile for every number of directions.
    #[inline(never)]
    fn pass<P: Pass>(pass: P) -> P::Output {
        vectorised(pass)
    }
    /// Infinite above 700.
    fn exp(self) -> Self {
        Self::pass(Exp(self))
    }
    /// NaN but for normal positive numbers.
    fn ln(self) -> Self {
        Self::pass(Ln(self))
    }
}

/// eˣ of each number.
struct Exp(Lanes);

impl Pass for Exp {
    type Output = Lanes;
    #[inline(always)]
    fn run(self) -> Lanes {
        // A sum, where a choice would be a branch.
        self.0.each(|x| vector::exp_within(700.0, x) + if x > 700.0 { f64::INFINITY } else { 0.0 })
    }
}

/// ln x of each number.
struct Ln(Lanes);

impl Pass for Ln {
    type Output = Lanes;
    #[inline(always)]
    fn run(self) -> Lanes {
        let is_normal = |x: f64| (f64::MIN_POSITIVE..=f64::MAX).contains(&x);
        self.0.each(|x| vector::ln(x) + if is_normal(x) { 0.0 } else { f64::NAN })
    }
}

/// Implements an operator of two blocks and of a block and a number.
macro_rules! operator {
    ($operator:ident, $name:ident) => {
        impl $operator for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self::zip([&self, &other], |[x, y]| x.$name(y))
            }
        }

        impl $operator<f64> for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: f64) -> Self {
                self.each(|x| x.$name(other))
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.each(|x| -x)
    }
}

/// Points laid side by side, the last repeated to fill its block.
#[derive(Debug, Clone)]
pub struct Block {
    /// So many points.
    pub(crate) points: Vec<Point>,
    pub(crate) ln_n: Lanes,
    pub(crate) ln_d: Lanes,
}

impl Block {
    /// Points in their order.
    pub fn of(points: &[Point]) -> Vec<Self> {
        points.chunks(LANES).map(Self::filled).collect()
    }

    fn filled(points: &[Point]) -> Self {
        let filled: Vec<Point> = (0..LANES).map(|lane| points[lane.min(points.len() - 1)].clone()).collect();
        Self { ln_n: Lanes::of_points(&filled, |p| p.n.ln()), ln_d: Lanes::of_points(&filled, |p| p.d.ln()), points: filled }
    }
}

/// Numbers laid as the points of blocks are, `padding` in what is left of the last.
pub(crate) fn laid(numbers: impl Iterator<Item = f64>, padding: f64) -> Vec<Lanes> {
    let numbers: Vec<f64> = numbers.collect();
    let filled = |chunk: &[f64]| {
        let mut lanes = Lanes([padding; LANES]);
        lanes.0[..chunk.len()].copy_from_slice(chunk);
        lanes
    };
    numbers.chunks(LANES).map(filled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::vector::every_way;

    #[test]
    fn what_has_no_logarithm_has_none_and_what_is_too_large_is_infinite() {
        let of = |x: f64| (Lanes::splat(x).ln().0[3], Lanes::splat(x).exp().0[3]);
        for x in [0.0, -1.0, f64::INFINITY, f64::NAN, 1e-310] {
            assert!(of(x).0.is_nan(), "{x}");
        }
        assert_eq!((of(701.0).1, of(f64::INFINITY).1), (f64::INFINITY, f64::INFINITY));
        assert!(of(f64::NAN).1.is_nan());
        assert!(of(-1e9).1 < 1e-300);
    }

    #[test]
    fn bits_are_those_of_portable_instructions() {
        let x = Lanes(std::array::from_fn(|lane| 0.1 + 3.7 * lane as f64));
        let ways = every_way(|| Exp(x));
        assert!(ways.iter().all(|way| *way == ways[0]), "{ways:?}");
        let ways = every_way(|| Ln(x));
        assert!(ways.iter().all(|way| *way == ways[0]), "{ways:?}");
    }

    #[test]
    fn the_last_point_fills_a_block() {
        let points: Vec<Point> = (1..=LANES + 2).map(|n| Point::new(n as f64, 1.0, 1.0)).collect();
        let blocks = Block::of(&points);
        assert_eq!((blocks.len(), blocks[1].points.len()), (2, LANES));
        assert!((blocks[1].ln_n.0[LANES - 1] - (LANES as f64 + 2.0).ln()).abs() < 1e-15);
        assert_eq!(
            laid([1.0, 2.0].into_iter(), 0.5),
            vec![Lanes(std::array::from_fn(|lane| [1.0, 2.0].get(lane).copied().unwrap_or(0.5)))]
        );
    }
}
