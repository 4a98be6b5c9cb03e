//! Numbers that carry derivatives: a formula written once for [`Number`] yields its value on `f64` and its first two
//! derivatives on [`Dual`], by forward-mode differentiation (Griewank & Walther 2008, ch. 3 and 10).

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
    /// Its value.
    fn value(self) -> f64;
    /// f of it, from f, f′ and f″ at its value.
    fn map(self, value: f64, slope: f64, curvature: f64) -> Self;

    /// eˣ.
    #[inline(always)]
    fn exp(self) -> Self {
        let value = self.value().exp();
        self.map(value, value, value)
    }
    /// ln x.
    #[inline(always)]
    fn ln(self) -> Self {
        let x = self.value();
        self.map(x.ln(), 1.0 / x, -1.0 / (x * x))
    }
    /// x^p for x above 0.
    #[inline(always)]
    fn pow(self, p: Self) -> Self {
        (self.ln() * p).exp()
    }
    /// 1 − e^(−x), which keeps the digits of a small x.
    #[inline(always)]
    fn saturating(self) -> Self {
        let left = (-self.value()).exp();
        self.map(-(-self.value()).exp_m1(), left, -left)
    }
    /// The larger of two, with its derivatives.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self.value() >= other.value() { self } else { other }
    }
    /// The smaller of two, with its derivatives.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self.value() <= other.value() { self } else { other }
    }
}

impl Number for f64 {
    #[inline(always)]
    fn constant(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }
    #[inline(always)]
    fn map(self, value: f64, _: f64, _: f64) -> Self {
        value
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
}

/// A number with its gradient by `K` directions and as many rows of its Hessian, `H`: all of them, or none where first derivatives
/// are enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual<const K: usize, const H: usize = K> {
    /// The value.
    pub value: f64,
    /// First derivatives.
    pub gradient: [f64; K],
    /// Second derivatives, both triangles.
    pub hessian: [[f64; K]; H],
    /// Whether any derivative may differ from 0: products with constants are cheap.
    varies: bool,
}

impl<const K: usize, const H: usize> Dual<K, H> {
    /// The variable of direction `k` (none varies for a `k` of `K` or more).
    pub fn variable(value: f64, k: usize) -> Self {
        let mut number = Self::constant(value);
        if k < K {
            number.gradient[k] = 1.0;
            number.varies = true;
        }
        number
    }

    /// Both derivatives times a factor.
    #[inline(always)]
    fn scaled(mut self, value: f64, factor: f64) -> Self {
        self.value = value;
        self.gradient.iter_mut().for_each(|slope| *slope *= factor);
        self.hessian.iter_mut().flatten().for_each(|bend| *bend *= factor);
        self
    }
}

impl<const K: usize, const H: usize> Number for Dual<K, H> {
    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self { value, gradient: [0.0; K], hessian: [[0.0; K]; H], varies: false }
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self.value
    }
    /// ∂f = f′·∂x, ∂²f = f′·∂²x + f″·∂x·∂xᵀ.
    #[inline(always)]
    fn map(self, value: f64, slope: f64, curvature: f64) -> Self {
        if !self.varies {
            return Self { value, ..self };
        }
        let mut out = self;
        out.value = value;
        for j in 0..K {
            out.gradient[j] = slope * self.gradient[j];
        }
        for j in 0..H {
            let bend = curvature * self.gradient[j];
            for k in 0..K {
                out.hessian[j][k] = slope * self.hessian[j][k] + bend * self.gradient[k];
            }
        }
        out
    }
}

impl<const K: usize, const H: usize> Add for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        if !other.varies {
            return self + other.value;
        }
        if !self.varies {
            return other + self.value;
        }
        let mut out = self;
        out.value += other.value;
        for j in 0..K {
            out.gradient[j] += other.gradient[j];
        }
        for j in 0..H {
            for k in 0..K {
                out.hessian[j][k] += other.hessian[j][k];
            }
        }
        out
    }
}

impl<const K: usize, const H: usize> Mul for Dual<K, H> {
    type Output = Self;
    /// ∂(xy) = x·∂y + y·∂x, ∂²(xy) = x·∂²y + y·∂²x + ∂x·∂yᵀ + ∂y·∂xᵀ.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        if !other.varies {
            return self * other.value;
        }
        if !self.varies {
            return other * self.value;
        }
        let mut out = self;
        out.value = self.value * other.value;
        for j in 0..K {
            out.gradient[j] = self.value * other.gradient[j] + other.value * self.gradient[j];
        }
        for j in 0..H {
            for k in 0..K {
                out.hessian[j][k] = self.value * other.hessian[j][k]
                    + other.value * self.hessian[j][k]
                    + self.gradient[j] * other.gradient[k]
                    + other.gradient[j] * self.gradient[k];
            }
        }
        out
    }
}

impl<const K: usize, const H: usize> Div for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let inverse = 1.0 / other.value;
        self * other.map(inverse, -inverse * inverse, 2.0 * inverse * inverse * inverse)
    }
}

impl<const K: usize, const H: usize> Neg for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl<const K: usize, const H: usize> Sub for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const K: usize, const H: usize> Add<f64> for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: f64) -> Self {
        Self { value: self.value + other, ..self }
    }
}

impl<const K: usize, const H: usize> Sub<f64> for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: f64) -> Self {
        self + -other
    }
}

impl<const K: usize, const H: usize> Mul<f64> for Dual<K, H> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: f64) -> Self {
        if self.varies { self.scaled(self.value * other, other) } else { Self { value: self.value * other, ..self } }
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
            let dual = all(Dual::<2, 2>::variable(x, 0), Dual::variable(y, 1));
            prop_assert!((dual.value / all(x, y) - 1.0).abs() < 1e-12);
            let h = 1e-4;
            let at = |i: f64, j: f64| all(x + i * h, y + j * h);
            let first = [(at(1.0, 0.0) - at(-1.0, 0.0)) / (2.0 * h), (at(0.0, 1.0) - at(0.0, -1.0)) / (2.0 * h)];
            let mixed = (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / (4.0 * h * h);
            let second = [
                [(at(1.0, 0.0) - 2.0 * at(0.0, 0.0) + at(-1.0, 0.0)) / (h * h), mixed],
                [mixed, (at(0.0, 1.0) - 2.0 * at(0.0, 0.0) + at(0.0, -1.0)) / (h * h)],
            ];
            for j in 0..2 {
                prop_assert!((dual.gradient[j] - first[j]).abs() < 1e-6 * (1.0 + first[j].abs()), "{j}: {} {}", dual.gradient[j], first[j]);
                for (k, (found, expected)) in dual.hessian[j].into_iter().zip(second[j]).enumerate() {
                    prop_assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{j} {k}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_vary_has_no_derivatives_whatever_is_done_with_it() {
        let constant = all(Dual::<3, 3>::constant(0.4), Dual::constant(0.3));
        assert_eq!((constant.gradient, constant.hessian), ([0.0; 3], [[0.0; 3]; 3]));
        assert_eq!(Dual::<2, 2>::variable(1.0, 5), Dual::constant(1.0));
    }

    #[test]
    fn a_product_of_variables_worked_by_hand() {
        // x²·y at (3, 5): ∂ = (30, 9), ∂² = ((10, 6), (6, 0)).
        let (x, y) = (Dual::<2, 2>::variable(3.0, 0), Dual::variable(5.0, 1));
        let product = x * x * y;
        assert_eq!((product.value, product.gradient, product.hessian), (45.0, [30.0, 9.0], [[10.0, 6.0], [6.0, 0.0]]));
    }
}
