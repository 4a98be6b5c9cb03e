//! Numbers that carry derivatives: a formula written once for [`Number`] yields its value on `f64` and its first two
//! derivatives on [`Dual`](super::Dual); on [`Lanes`] it does so at a block of points at once.

use super::Point;
use super::lanes::{Lanes, Scalar};
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a formula may be evaluated on.
pub trait Number:
    Copy
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// A number that does not vary.
    fn constant(value: f64) -> Self;
    /// What is read off the points that it stands for; it does not vary.
    fn read(points: &[Point], read: impl Fn(&Point) -> f64) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// ln x.
    fn ln(self) -> Self;
    /// 1 − e^(−x), which keeps the digits of a small x.
    fn saturating(self) -> Self;
    /// The larger of two, with its derivatives; itself where they are equal.
    fn max(self, other: Self) -> Self;
    /// The smaller of two, with its derivatives; itself where they are equal.
    fn min(self, other: Self) -> Self;
    /// x^p for x above 0.
    #[inline(always)]
    fn pow(self, p: Self) -> Self {
        (self.ln() * p).exp()
    }
}

/// Implements [`Number`] for what carries no derivatives.
macro_rules! plain {
    ($number:ty) => {
        impl Number for $number {
            #[inline(always)]
            fn constant(value: f64) -> Self {
                Self::splat(value)
            }
            #[inline(always)]
            fn read(points: &[Point], read: impl Fn(&Point) -> f64) -> Self {
                Self::of_points(points, read)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                Scalar::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                Scalar::ln(self)
            }
            #[inline(always)]
            fn saturating(self) -> Self {
                self.each(|x| -(-x).exp_m1())
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self::select_le(other, self, self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self::select_le(self, other, self, other)
            }
        }
    };
}

plain!(f64);
plain!(Lanes);
