//! L = E + A·x^(−c0)·Π (1 + (x/d_i)^(1/f_i))^(−c_i·f_i) for x one of N, D, C (Caballero 2210.14891): a power whose exponent changes by
//! c_i about d_i, the more sharply the smaller f_i is. One break or two.

use super::Axis;
use crate::law::Variable;
use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;

/// A power law with so many breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken<const BREAKS: usize> {
    /// What x is.
    pub axis: Axis,
}

/// Coefficients before those of the breaks, and of each break.
const FIRST: usize = 3;
const OF_BREAK: usize = 3;
/// Change of the exponent, place and width of a break.
const NAMES: [[&str; OF_BREAK]; 2] = [["c1", "d1", "f1"], ["c2", "d2", "f2"]];

const fn coefficients<const COUNT: usize>(of: Variable) -> [Coefficient; COUNT] {
    let mut all = [const { Coefficient::floor("E") }; COUNT];
    all[1] = Coefficient::factor("A", of, 2);
    all[2] = Coefficient::exponent("c0", of);
    let mut at = FIRST;
    while at < COUNT {
        let names = NAMES[(at - FIRST) / OF_BREAK];
        all[at] = Coefficient::free(names[0], &[]);
        all[at + 1] = Coefficient::positive(names[1], 1e-6..1e40, &[]);
        all[at + 2] = Coefficient::positive(names[2], 1e-4..1e2, &[]);
        at += OF_BREAK;
    }
    all
}

/// ln(1 + e^u), which neither overflows nor loses the digits of a large u.
fn softplus<T: Number>(u: T) -> T {
    let above = u.max(T::constant(0.0));
    let magnitude = above * 2.0 - u;
    above + ((-magnitude).exp() + 1.0).ln()
}

impl<const BREAKS: usize> Broken<BREAKS> {
    const fn of_axis(self) -> usize {
        match self.axis {
            Axis::N => 0,
            Axis::D => 1,
            Axis::C => 2,
        }
    }
}

impl<const BREAKS: usize> Formula for Broken<BREAKS> {
    const COUNT: usize = FIRST + OF_BREAK * BREAKS;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        let one = ["broken-n", "broken-d", "broken-c"];
        let two = ["broken-n-2", "broken-d-2", "broken-c-2"];
        (if BREAKS == 1 { one } else { two })[self.of_axis()]
    }

    fn text(&self) -> &'static str {
        let one = [
            "L(N) = E + A N^-c0 (1 + (N/d1)^(1/f1))^(-c1 f1), form unverified",
            "L(D) = E + A D^-c0 (1 + (D/d1)^(1/f1))^(-c1 f1), form unverified",
            "L(C) = E + A C^-c0 (1 + (C/d1)^(1/f1))^(-c1 f1), form unverified",
        ];
        let two = [
            "L(N) = E + A N^-c0 (1 + (N/d1)^(1/f1))^(-c1 f1) (1 + (N/d2)^(1/f2))^(-c2 f2), d1 < d2, form unverified",
            "L(D) = E + A D^-c0 (1 + (D/d1)^(1/f1))^(-c1 f1) (1 + (D/d2)^(1/f2))^(-c2 f2), d1 < d2, form unverified",
            "L(C) = E + A C^-c0 (1 + (C/d1)^(1/f1))^(-c1 f1) (1 + (C/d2)^(1/f2))^(-c2 f2), d1 < d2, form unverified",
        ];
        (if BREAKS == 1 { one } else { two })[self.of_axis()]
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Caballero et al. 2022, arXiv 2210.14891",
            checked: None,
            known: "the law of one variable while the other is held. Recovered from simulated runs of one break and of two; a break needs several runs on either side of it, and one beyond the runs is not seen",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        match (BREAKS, self.axis) {
            (1, Axis::N) => const { &coefficients::<6>(Variable::N) },
            (1, Axis::D) => const { &coefficients::<6>(Variable::D) },
            (1, Axis::C) => const { &coefficients::<6>(Variable::C) },
            (_, Axis::N) => const { &coefficients::<9>(Variable::N) },
            (_, Axis::D) => const { &coefficients::<9>(Variable::D) },
            (_, Axis::C) => const { &coefficients::<9>(Variable::C) },
        }
    }

    fn variables(&self) -> &'static [Variable] {
        match self.axis {
            Axis::N => &[Variable::N],
            Axis::D => &[Variable::D],
            Axis::C => &[Variable::C],
        }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let ln_x = at.ln(self.axis.variable());
        let mut ln_term = c[1].ln() - c[2] * ln_x;
        for of in c[FIRST..].chunks_exact(OF_BREAK) {
            ln_term = ln_term - of[0] * of[2] * softplus((ln_x - of[1].ln()) / of[2]);
        }
        c[0] + ln_term.exp()
    }

    /// In spreads of ln x about its middle: exponents and their changes times a spread, the first break from the middle, the logarithm
    /// of the distance from it to the second, so that the two keep their order, and the logarithm of the width.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let (mean, spread) = (centre.mean(self.axis.variable()), centre.spread(self.axis.variable()));
        let first = x[2] * (1.0 / spread);
        let mut all = vec![x[0].exp(), (x[1] + first * mean).exp(), first];
        let mut ln_break = T::constant(mean);
        for (at, of) in x[FIRST..].chunks_exact(OF_BREAK).enumerate() {
            ln_break = ln_break + (if at == 0 { of[1] } else { of[1].exp() }) * spread;
            all.extend([of[0] * (1.0 / spread), ln_break.exp(), of[2].exp() * spread]);
        }
        all
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let (mean, spread) = (centre.mean(self.axis.variable()), centre.spread(self.axis.variable()));
        let mut all = vec![c[0].ln(), c[1].ln() - c[2] * mean, c[2] * spread];
        let mut before = mean;
        for (at, of) in c[FIRST..].chunks_exact(OF_BREAK).enumerate() {
            let away = (of[1].ln() - before) / spread;
            before = of[1].ln();
            all.extend([of[0] * spread, if at == 0 { away } else { away.ln() }, (of[2] / spread).ln()]);
        }
        all
    }

    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>> {
        let spread = centre.spread(self.axis.variable());
        let scaled = |exponents: &[f64]| exponents.iter().map(|s| s * spread).collect::<Vec<_>>();
        let changes = || scaled(&[-0.1, 0.08, 0.4]);
        let (one, two) = (vec![-0.7, 0.0, 0.7], vec![-0.7, 0.2]);
        let mut axes = vec![scaled(&[0.05, 0.2, 0.6]), changes(), if BREAKS == 1 { one } else { vec![-0.8, -0.2] }, vec![-2.5, -1.0]];
        if BREAKS == 2 {
            axes.extend([changes(), two, vec![-2.5, -1.0]]);
        }
        axes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};

    #[test]
    fn derivatives_are_those_of_finite_differences_on_either_side_of_breaks() {
        for axis in [Axis::N, Axis::D, Axis::C] {
            for x in [1e5, 9e6, 1.1e7, 1e8, 1e11] {
                let point = Point { c: x, ..Point::new(x, x, 1.0) };
                assert_derivatives(&Law::of(Broken::<1> { axis }, [1.5, 40.0, 0.2, 0.15, 1e7, 0.5]), &point);
                assert_derivatives(&Law::of(Broken::<2> { axis }, [1.5, 40.0, 0.2, 0.15, 1e7, 0.5, -0.1, 1e9, 0.8]), &point);
            }
        }
    }

    #[test]
    fn far_from_a_break_it_is_a_power_and_losses_worked_by_hand() {
        // f = 1: 1 + 8·4^(−½)·(1 + 4/4)^(−2) = 1 + 8/2/4.
        let law = Law::of(Broken::<1> { axis: Axis::N }, [1.0, 8.0, 0.5, 2.0, 4.0, 1.0]);
        assert!((law.at(4.0, 1.0) - 2.0).abs() < 1e-14);
        // f = ½, two breaks: 12·(1 + (2/2)²)^(−1)·(1 + (2/1)^2/3…): x = 2, d2 = 2√2: (1 + ½)^(−½).
        let law = Law::of(Broken::<2> { axis: Axis::D }, [1.0, 12.0, 1.0, 2.0, 2.0, 0.5, 1.0, 8f64.sqrt(), 0.5]);
        assert!((law.at(1.0, 2.0) - (1.0 + 6.0 * 0.5 / 1.5f64.sqrt())).abs() < 1e-13);
        let sharp = Law::of(Broken::<1> { axis: Axis::C }, [0.5, 100.0, 0.2, 0.3, 1e10, 1e-3]);
        let of = |c: f64| sharp.loss(&Point { c, ..Point::new(1.0, 1.0, 1.0) });
        assert!((of(1e6) - 0.5 - 100.0 * 1e6f64.powf(-0.2)).abs() < 1e-12);
        assert!((of(1e15) - 0.5 - 100.0 * 1e10f64.powf(-0.2) * 1e5f64.powf(-0.5)).abs() < 1e-12, "{}", of(1e15));
    }
}
