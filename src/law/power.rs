//! Powers of one variable, with or without a floor: L = E + A/x^α for x one of N, D, C
//! (Kaplan 2001.08361 has no floor, Henighan 2010.14701 has one). L(C) remains when N and D move together.

use super::{Law, Point, SeparableLaw, Term, Variable};
use serde::{Deserialize, Serialize};

/// The variable of a [`PowerLaw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Axis {
    /// Weights.
    N,
    /// Tokens.
    D,
    /// FLOPs.
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

    fn variable(self) -> Variable {
        match self {
            Self::N => Variable::N,
            Self::D => Variable::D,
            Self::C => Variable::C,
        }
    }
}

/// L = E + A·x^(−α); without a floor E is 0 and no coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// What x is.
    pub axis: Axis,
    /// E, where the law has a floor.
    pub floor: Option<f64>,
    /// A.
    pub factor: f64,
    /// α.
    pub exponent: f64,
}

impl PowerLaw {
    /// A law of this form with placeholder coefficients, to be fitted.
    pub fn form(axis: Axis, with_floor: bool) -> Self {
        Self { axis, floor: with_floor.then_some(1.0), factor: 1.0, exponent: 0.5 }
    }

    /// Predicted loss at x, nats per token.
    pub fn at(&self, x: f64) -> f64 {
        self.floor.unwrap_or(0.0) + self.factor * x.powf(-self.exponent)
    }
}

impl Law for PowerLaw {
    fn name(&self) -> String {
        let axis = match self.axis {
            Axis::N => "n",
            Axis::D => "d",
            Axis::C => "c",
        };
        format!("power-{axis}{}", if self.floor.is_some() { "" } else { "-no-floor" })
    }

    fn formula(&self) -> &'static str {
        match (self.axis, self.floor) {
            (Axis::N, Some(_)) => "L(N) = E + A/N^alpha",
            (Axis::D, Some(_)) => "L(D) = E + A/D^alpha",
            (Axis::C, Some(_)) => "L(C) = E + A/C^alpha",
            (Axis::N, None) => "L(N) = A/N^alpha",
            (Axis::D, None) => "L(D) = A/D^alpha",
            (Axis::C, None) => "L(C) = A/C^alpha",
        }
    }

    fn variables(&self) -> Vec<Variable> {
        vec![self.axis.variable()]
    }

    fn coefficients(&self) -> &'static [&'static str] {
        if self.floor.is_some() { &["E", "A", "alpha"] } else { &["A", "alpha"] }
    }

    fn theta(&self) -> Vec<f64> {
        self.floor.into_iter().chain([self.factor, self.exponent]).collect()
    }

    fn with_theta(&self, theta: &[f64]) -> Self {
        let [factor, exponent] = [theta[theta.len() - 2], theta[theta.len() - 1]];
        Self { axis: self.axis, floor: self.floor.map(|_| theta[0]), factor, exponent }
    }

    fn loss(&self, point: &Point) -> f64 {
        self.at(self.axis.of(point))
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        let x = self.axis.of(point);
        let power = x.powf(-self.exponent);
        self.floor.map(|_| 1.0).into_iter().chain([power, -self.factor * power * x.ln()]).collect()
    }
}

impl SeparableLaw for PowerLaw {
    fn terms(&self) -> Vec<Term> {
        let floors = usize::from(self.floor.is_some());
        let floor = self.floor.map(|_| Term { variable: Variable::One, factor: 0, exponent: None });
        let power = Term { variable: self.axis.variable(), factor: floors, exponent: Some(floors + 1) };
        floor.into_iter().chain([power]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let point = Point { c: 1e18, ..Point::new(1e6, 1e8, 1.0) };
        for axis in [Axis::N, Axis::D, Axis::C] {
            for law in [
                PowerLaw { axis, floor: Some(1.7), factor: 30.0, exponent: 0.2 },
                PowerLaw { axis, floor: None, factor: 30.0, exponent: 0.05 },
            ] {
                let (theta, gradient) = (law.theta(), law.gradient(&point));
                assert_eq!((theta.len(), gradient.len()), (law.coefficients().len(), law.coefficients().len()));
                for j in 0..theta.len() {
                    let step = 1e-5 * theta[j];
                    let moved = |by: f64| {
                        let mut moved = theta.clone();
                        moved[j] += by;
                        law.with_theta(&moved).loss(&point)
                    };
                    let difference = (moved(step) - moved(-step)) / (2.0 * step);
                    assert!((difference / gradient[j] - 1.0).abs() < 1e-6, "{} {j}", law.name());
                }
            }
        }
    }
}
