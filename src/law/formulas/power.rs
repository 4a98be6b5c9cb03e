//! Powers of one variable, with or without a floor: L = E + A/x^α for x one of N, D, C
//! (Kaplan 2001.08361 has no floor, Henighan 2010.14701 has one). L(C) remains when N and D move together.

use crate::law::formula::{Believed, Coefficient, Formula, Place, Prior, Source};
use crate::law::number::Number;
use crate::law::{Point, Variable};

/// The variable of a [`PowerLaw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// N, parameters.
    N,
    /// D, tokens.
    D,
    /// C, FLOPs.
    C,
}

impl Axis {
    /// Its value at a point.
    pub fn of(self, point: &Point) -> f64 {
        match self {
            Self::N => point.n,
            Self::D => point.d,
            Self::C => point.c,
        }
    }

    pub(super) const fn variable(self) -> Variable {
        match self {
            Self::N => Variable::N,
            Self::D => Variable::D,
            Self::C => Variable::C,
        }
    }
}

/// L = E + A·x^(−α), E absent where there is no floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLaw {
    /// What x is.
    pub axis: Axis,
    /// Whether there is a floor.
    pub floor: bool,
}

const fn with_floor(of: Variable) -> [Coefficient; 3] {
    [Coefficient::floor("E"), Coefficient::factor("A", of, 2), Coefficient::exponent("alpha", of)]
}

const fn without_floor(of: Variable) -> [Coefficient; 2] {
    [Coefficient::factor("A", of, 1), Coefficient::exponent("alpha", of)]
}

impl Formula for PowerLaw {
    const COUNT: usize = 3;

    fn name(&self) -> &'static str {
        match (self.axis, self.floor) {
            (Axis::N, true) => "power-n",
            (Axis::D, true) => "power-d",
            (Axis::C, true) => "power-c",
            (Axis::N, false) => "power-n-no-floor",
            (Axis::D, false) => "power-d-no-floor",
            (Axis::C, false) => "power-c-no-floor",
        }
    }

    fn text(&self) -> &'static str {
        match (self.axis, self.floor) {
            (Axis::N, true) => "L(N) = E + A/N^alpha",
            (Axis::D, true) => "L(D) = E + A/D^alpha",
            (Axis::C, true) => "L(C) = E + A/C^alpha",
            (Axis::N, false) => "L(N) = A/N^alpha",
            (Axis::D, false) => "L(D) = A/D^alpha",
            (Axis::C, false) => "L(C) = A/C^alpha",
        }
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Kaplan et al. 2020, arXiv 2001.08361; with a floor Henighan et al. 2020, arXiv 2010.14701",
            checked: Some("other papers that print it"),
            known: "the law of one variable while the other is held, or of compute along a frontier; the floor is found only over several decades",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        match (self.axis, self.floor) {
            (Axis::N, true) => const { &with_floor(Variable::N) },
            (Axis::D, true) => const { &with_floor(Variable::D) },
            (Axis::C, true) => const { &with_floor(Variable::C) },
            (Axis::N, false) => const { &without_floor(Variable::N) },
            (Axis::D, false) => const { &without_floor(Variable::D) },
            (Axis::C, false) => const { &without_floor(Variable::C) },
        }
    }

    fn variables(&self) -> &'static [Variable] {
        match self.axis {
            Axis::N => &[Variable::N],
            Axis::D => &[Variable::D],
            Axis::C => &[Variable::C],
        }
    }

    fn is_power_sum(&self) -> bool {
        true
    }

    /// The floor of a law of compute is about half of the lowest loss, as wide as those of the laws of N and D.
    fn priors(&self) -> &'static [Prior] {
        match (self.axis, self.floor) {
            (Axis::C, true) => const { &[Prior { coordinate: 0, of: Believed::BelowLowest(0.7), spread: 1.0 }] },
            _ => &[],
        }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        match self.floor {
            true => c[0] + c[1] * at.power(self.axis.variable(), c[2]),
            false => c[0] * at.power(self.axis.variable(), c[1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, assert_derivatives};

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let point = Point { c: 1e18, ..Point::new(1e6, 1e8, 1.0) };
        for axis in [Axis::N, Axis::D, Axis::C] {
            assert_derivatives(&Law::of(PowerLaw { axis, floor: true }, [1.7, 30.0, 0.2]), &point);
            assert_derivatives(&Law::of(PowerLaw { axis, floor: false }, [30.0, 0.05]), &point);
        }
    }
}
