//! Dual numbers: a value with its first derivatives by some directions and, where they are asked for, its second, by forward-mode
//! differentiation (Griewank & Walther 2008, ch. 3 and 10).

use super::Point;
use super::lanes::{Lanes, Scalar};
use super::number::Number;
use super::vector::Pass;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number with its gradient by `K` directions and `T` second derivatives by them: the lower triangle, K·(K + 1)/2 of them, or
/// none where the first are enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual<const K: usize, const T: usize, S = f64> {
    /// Value of the function.
    pub value: S,
    /// First derivatives.
    pub gradient: [S; K],
    /// Second derivatives by j and k ≤ j at j·(j + 1)/2 + k.
    pub hessian: [S; T],
    /// Whether any derivative may differ from 0: products with constants are cheap.
    varies: bool,
}

impl<const K: usize, const T: usize, S: Scalar> Dual<K, T, S> {
    const COMPLETE: () = assert!(T == 0 || T == K * (K + 1) / 2, "no second derivatives or a triangle of them");

    /// The variable of direction `k` (none varies for a `k` of `K` or more).
    pub fn variable(value: f64, k: usize) -> Self {
        let mut number = <Self as Number>::constant(value);
        if k < K {
            number.gradient[k] = S::splat(1.0);
            number.varies = true;
        }
        number
    }

    #[inline(always)]
    fn fixed(value: S) -> Self {
        const { Self::COMPLETE };
        Self { value, gradient: [S::splat(0.0); K], hessian: [S::splat(0.0); T], varies: false }
    }

    /// f of it, from f, f′ and f″ at its value.
    #[inline(always)]
    pub fn map(self, value: S, slope: S, curvature: S) -> Self {
        if self.varies { S::pass(Mapped { x: &self, value, slope, curvature }) } else { Self { value, ..self } }
    }

    /// Another value, and all derivatives times a factor.
    #[inline(always)]
    fn scaled(self, value: S, factor: S) -> Self {
        if self.varies { S::pass(Scaled { x: &self, value, factor }) } else { Self { value, ..self } }
    }

    /// Itself where `least` ≤ `most`, else the other.
    #[inline(always)]
    fn where_le(self, least: S, most: S, other: Self) -> Self {
        S::pass(Chosen { least, most, yes: &self, no: &other })
    }
}

/// What fills a dual number from its parts, by index of direction and of second derivative.
#[inline(always)]
fn filled<const K: usize, const T: usize, S: Scalar>(
    value: S,
    gradient: impl Fn(usize) -> S,
    hessian: impl Fn(usize, usize, usize) -> S,
) -> Dual<K, T, S> {
    let mut out = Dual { varies: true, ..Dual::fixed(value) };
    for j in 0..K {
        out.gradient[j] = gradient(j);
    }
    for j in 0..if T == 0 { 0 } else { K } {
        for k in 0..=j {
            let at = j * (j + 1) / 2 + k;
            out.hessian[at] = hessian(at, j, k);
        }
    }
    out
}

/// f(x): ∂f = f′·∂x, ∂²f = f′·∂²x + f″·∂x·∂xᵀ.
struct Mapped<'a, const K: usize, const T: usize, S> {
    x: &'a Dual<K, T, S>,
    value: S,
    slope: S,
    curvature: S,
}

impl<const K: usize, const T: usize, S: Scalar> Pass for Mapped<'_, K, T, S> {
    type Output = Dual<K, T, S>;
    #[inline(always)]
    fn run(self) -> Dual<K, T, S> {
        let Self { x, value, slope, curvature } = self;
        filled(
            value,
            |j| slope * x.gradient[j],
            |at, j, k| {
                let parts = [&slope, &x.hessian[at], &curvature, &x.gradient[j], &x.gradient[k]];
                S::zip(parts, |[slope, bend, curvature, left, right]| slope * bend + curvature * left * right)
            },
        )
    }
}

/// Derivatives times a factor.
struct Scaled<'a, const K: usize, const T: usize, S> {
    x: &'a Dual<K, T, S>,
    value: S,
    factor: S,
}

impl<const K: usize, const T: usize, S: Scalar> Pass for Scaled<'_, K, T, S> {
    type Output = Dual<K, T, S>;
    #[inline(always)]
    fn run(self) -> Dual<K, T, S> {
        filled(self.value, |j| self.x.gradient[j] * self.factor, |at, _, _| self.x.hessian[at] * self.factor)
    }
}

/// One or the other, point by point.
struct Chosen<'a, const K: usize, const T: usize, S> {
    least: S,
    most: S,
    yes: &'a Dual<K, T, S>,
    no: &'a Dual<K, T, S>,
}

impl<const K: usize, const T: usize, S: Scalar> Pass for Chosen<'_, K, T, S> {
    type Output = Dual<K, T, S>;
    #[inline(always)]
    fn run(self) -> Dual<K, T, S> {
        let Self { least, most, yes, no } = self;
        let one = |yes: S, no: S| S::select_le(least, most, yes, no);
        let out =
            filled(one(yes.value, no.value), |j| one(yes.gradient[j], no.gradient[j]), |at, _, _| one(yes.hessian[at], no.hessian[at]));
        Dual { varies: yes.varies || no.varies, ..out }
    }
}

/// x + y.
struct Sum<'a, const K: usize, const T: usize, S> {
    x: &'a Dual<K, T, S>,
    y: &'a Dual<K, T, S>,
}

impl<const K: usize, const T: usize, S: Scalar> Pass for Sum<'_, K, T, S> {
    type Output = Dual<K, T, S>;
    #[inline(always)]
    fn run(self) -> Dual<K, T, S> {
        let Self { x, y } = self;
        filled(x.value + y.value, |j| x.gradient[j] + y.gradient[j], |at, _, _| x.hessian[at] + y.hessian[at])
    }
}

/// x·y: ∂(xy) = x·∂y + y·∂x, ∂²(xy) = x·∂²y + y·∂²x + ∂x·∂yᵀ + ∂y·∂xᵀ.
struct Product<'a, const K: usize, const T: usize, S> {
    x: &'a Dual<K, T, S>,
    y: &'a Dual<K, T, S>,
}

impl<const K: usize, const T: usize, S: Scalar> Pass for Product<'_, K, T, S> {
    type Output = Dual<K, T, S>;
    #[inline(always)]
    fn run(self) -> Dual<K, T, S> {
        let Self { x, y } = self;
        filled(
            x.value * y.value,
            |j| S::zip([&x.value, &y.gradient[j], &y.value, &x.gradient[j]], |[x, dy, y, dx]| x * dy + y * dx),
            |at, j, k| {
                let outer = [&x.gradient[j], &y.gradient[k], &y.gradient[j], &x.gradient[k]];
                let parts = [&x.value, &y.hessian[at], &y.value, &x.hessian[at], outer[0], outer[1], outer[2], outer[3]];
                S::zip(parts, |[x, ddy, y, ddx, xj, yk, yj, xk]| x * ddy + y * ddx + xj * yk + yj * xk)
            },
        )
    }
}

impl<const K: usize, const T: usize> From<Lanes> for Dual<K, T, Lanes> {
    #[inline(always)]
    fn from(value: Lanes) -> Self {
        Self::fixed(value)
    }
}

impl<const K: usize, const T: usize, S: Scalar> Number for Dual<K, T, S> {
    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self::fixed(S::splat(value))
    }
    #[inline(always)]
    fn read(points: &[Point], read: impl Fn(&Point) -> f64) -> Self {
        Self::fixed(S::of_points(points, read))
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let value = Scalar::exp(self.value);
        self.map(value, value, value)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        let inverse = S::splat(1.0) / self.value;
        self.map(Scalar::ln(self.value), inverse, -(inverse * inverse))
    }
    #[inline(always)]
    fn saturating(self) -> Self {
        let left = Scalar::exp(-self.value);
        self.map(self.value.each(|x| -(-x).exp_m1()), left, -left)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.where_le(other.value, self.value, other)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.where_le(self.value, other.value, other)
    }
}

impl<const K: usize, const T: usize, S: Scalar> Add for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        if !other.varies {
            return Self { value: self.value + other.value, ..self };
        }
        if !self.varies {
            return Self { value: self.value + other.value, ..other };
        }
        S::pass(Sum { x: &self, y: &other })
    }
}

impl<const K: usize, const T: usize, S: Scalar> Mul for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        if !other.varies {
            return self.scaled(self.value * other.value, other.value);
        }
        if !self.varies {
            return other.scaled(self.value * other.value, self.value);
        }
        S::pass(Product { x: &self, y: &other })
    }
}

impl<const K: usize, const T: usize, S: Scalar> Div for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let inverse = S::splat(1.0) / other.value;
        let square = inverse * inverse;
        // The value as plain numbers have it, to the last bit.
        Self { value: self.value / other.value, ..self * other.map(inverse, -square, S::splat(2.0) * square * inverse) }
    }
}

impl<const K: usize, const T: usize, S: Scalar> Neg for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl<const K: usize, const T: usize, S: Scalar> Sub for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const K: usize, const T: usize, S: Scalar> Add<f64> for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: f64) -> Self {
        Self { value: self.value + S::splat(other), ..self }
    }
}

impl<const K: usize, const T: usize, S: Scalar> Sub<f64> for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: f64) -> Self {
        self + -other
    }
}

impl<const K: usize, const T: usize, S: Scalar> Mul<f64> for Dual<K, T, S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: f64) -> Self {
        self.scaled(self.value * S::splat(other), S::splat(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A formula with every operation in it.
    fn all<T: Number>(x: T, y: T) -> T {
        let power = (x * 0.7 + 1.3).pow(-y);
        power + (x * y).exp() / (y + 2.0) - (x - y * 0.5).saturating() + (x * x + 1.0).ln().max(y - 9.0)
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(x in 0.1..1.5f64, y in -1.0..1.5f64) {
            let dual = all(Dual::<2, 3>::variable(x, 0), Dual::variable(y, 1));
            prop_assert!((dual.value / all(x, y) - 1.0).abs() < 1e-12);
            let h = 1e-4;
            let at = |i: f64, j: f64| all(x + i * h, y + j * h);
            let first = [(at(1.0, 0.0) - at(-1.0, 0.0)) / (2.0 * h), (at(0.0, 1.0) - at(0.0, -1.0)) / (2.0 * h)];
            let mixed = (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / (4.0 * h * h);
            let second = [
                (at(1.0, 0.0) - 2.0 * at(0.0, 0.0) + at(-1.0, 0.0)) / (h * h),
                mixed,
                (at(0.0, 1.0) - 2.0 * at(0.0, 0.0) + at(0.0, -1.0)) / (h * h),
            ];
            for (j, (found, expected)) in dual.gradient.into_iter().zip(first).enumerate() {
                prop_assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{j}: {found} {expected}");
            }
            for (at, (found, expected)) in dual.hessian.into_iter().zip(second).enumerate() {
                prop_assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{at}: {found} {expected}");
            }
        }

        #[test]
        fn lanes_are_points_one_by_one(xs in proptest::array::uniform16(0.1..1.5f64), y in -1.0..1.5f64) {
            let x = Dual::<2, 3, Lanes> { value: Lanes(xs), ..Dual::variable(0.0, 0) };
            let (together, plain) = (all(x, Dual::variable(y, 1)), all(Lanes(xs), Lanes::splat(y)));
            prop_assert_eq!(together.value, plain);
            for (lane, &x) in xs.iter().enumerate() {
                let apart = all(Dual::<2, 3>::variable(x, 0), Dual::variable(y, 1));
                let close = |found: f64, expected: f64| (found - expected).abs() < 1e-13 * (1.0 + expected.abs());
                prop_assert!(close(together.value.0[lane], apart.value), "{} {}", together.value.0[lane], apart.value);
                (0..2).for_each(|j| assert!(close(together.gradient[j].0[lane], apart.gradient[j])));
                (0..3).for_each(|at| assert!(close(together.hessian[at].0[lane], apart.hessian[at])));
            }
        }
    }

    #[test]
    fn what_does_not_vary_has_no_derivatives_whatever_is_done_with_it() {
        let constant = all(Dual::<3, 6>::constant(0.4), Dual::constant(0.3));
        assert_eq!((constant.gradient, constant.hessian), ([0.0; 3], [0.0; 6]));
        assert_eq!(Dual::<2, 3>::variable(1.0, 5), Dual::constant(1.0));
    }

    #[test]
    fn a_product_of_variables_worked_by_hand() {
        // x²·y at (3, 5): ∂ = (30, 9), ∂² = 10 by x, 6 by both, 0 by y.
        let (x, y) = (Dual::<2, 3>::variable(3.0, 0), Dual::variable(5.0, 1));
        let product = x * x * y;
        assert_eq!((product.value, product.gradient, product.hessian), (45.0, [30.0, 9.0], [10.0, 6.0, 0.0]));
    }
}
