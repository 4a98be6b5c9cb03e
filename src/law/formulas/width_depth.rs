//! L = E + A/width^α + C/depth^γ + B/D^β: what width and depth are worth by themselves (Gemstones 2502.06857). Runs must differ in shape
//! at one size, else the two move together.

use crate::law::Variable;
use crate::law::formula::{Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::spec::{LAYERS, WIDTH};

/// The law of width, depth and data.
#[derive(Debug, Clone, Copy)]
pub struct WidthDepth;

/// Width and blocks as variables.
const OF_WIDTH: Variable = Variable::Named(WIDTH);
const OF_DEPTH: Variable = Variable::Named(LAYERS);

impl Formula for WidthDepth {
    const COUNT: usize = 7;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "width-depth"
    }

    fn text(&self) -> &'static str {
        "L = E + A/width^alpha + C/layers^gamma + B/D^beta, form unverified"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "McLeish et al. 2025 (Gemstones), arXiv 2502.06857",
            checked: None,
            known: "no N: width and blocks stand for it. Recovered from simulated runs; refused where width and depth move together, as in a ladder of one aspect ratio",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::floor("E"),
                Coefficient::factor("A", OF_WIDTH, 4),
                Coefficient::factor("C", OF_DEPTH, 5),
                Coefficient::factor("B", Variable::D, 6),
                Coefficient::exponent("alpha", OF_WIDTH),
                Coefficient::exponent("gamma", OF_DEPTH),
                Coefficient::exponent("beta", Variable::D),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[OF_WIDTH, OF_DEPTH, Variable::D] }
    }

    fn is_power_sum(&self) -> bool {
        true
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] + c[1] * at.power(OF_WIDTH, c[4]) + c[2] * at.power(OF_DEPTH, c[5]) + c[3] * at.power(Variable::D, c[6])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};

    fn of(width: f64, layers: f64, d: f64) -> Point {
        Point { covariates: vec![(LAYERS.to_owned(), layers), (WIDTH.to_owned(), width)], ..Point::new(1e8, d, 1.0) }
    }

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        assert_derivatives(&Law::of(WidthDepth, [1.7, 20.0, 3.0, 400.0, 0.6, 0.8, 0.3]), &of(512.0, 8.0, 1e10));
    }

    #[test]
    fn a_loss_worked_by_hand() {
        // 1 + 32/√256 + 6/√9 + 10/√100.
        let law = Law::of(WidthDepth, [1.0, 32.0, 6.0, 10.0, 0.5, 0.5, 0.5]);
        assert!((law.loss(&of(256.0, 9.0, 100.0)) - 6.0).abs() < 1e-12);
    }
}
