//! Laws that runs are drawn from and that no command fits: what speaks against a forecast is a truth that its laws do not hold.

use super::formula::{Centre, Coefficient, Formula, Place};
use super::formulas::{Additive, Farseer, Gamma};
use super::number::Number;
use super::{Chinchilla, Variable};

/// A departure from the additive law, whose five coefficients it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Departure {
    /// E + (A/N^α + B/D^β)^γ with a given γ.
    Outer(f64),
    /// From a bend on the reducible loss falls less steeply: it is that of the additive law times (1 + (N·D/at)²)^(slower/2), a
    /// smoothly broken power (Caballero 2210.14891, one break of sharpness ½).
    Bend {
        /// N·D at the bend, weights × tokens.
        at: f64,
        /// By how much the power of compute is less beyond it.
        slower: f64,
    },
    /// Larger networks are tuned worse: losses of the additive law times 1 + part·log₁₀(N/smallest).
    Mistuned {
        /// Weights of the network that is tuned well.
        smallest: f64,
        /// What every factor of ten in weights adds to the loss, as a part of it.
        part: f64,
    },
}

impl Departure {
    fn gamma(self) -> f64 {
        if let Self::Outer(gamma) = self { gamma } else { 1.0 }
    }
}

impl Formula for Departure {
    const COUNT: usize = Additive::COUNT;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        match self {
            Self::Outer(_) => "held-gamma",
            Self::Bend { .. } => "bend",
            Self::Mistuned { .. } => "mistuned",
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Outer(_) => "L(N, D) = E + (A/N^alpha + B/D^beta)^gamma, gamma held",
            Self::Bend { .. } => "L(N, D) = E + (A/N^alpha + B/D^beta) (1 + (N D/at)^2)^(slower/2)",
            Self::Mistuned { .. } => "L(N, D) = (E + A/N^alpha + B/D^beta) (1 + part log10(N/smallest))",
        }
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        Formula::coefficients(&Additive)
    }

    fn variables(&self) -> &'static [Variable] {
        Formula::variables(&Additive)
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let plain = Additive.loss(c, at);
        match *self {
            Self::Outer(gamma) => c[0] + (plain - c[0]).pow(T::constant(gamma)),
            Self::Bend { at: bend, slower } => {
                let beyond = ((at.ln_n + at.ln_d + -bend.ln()) * 2.0).exp() + 1.0;
                c[0] + (plain - c[0]) * (beyond.ln() * (0.5 * slower)).exp()
            }
            Self::Mistuned { smallest, part } => plain * ((at.ln_n + -smallest.ln()) * (part / std::f64::consts::LN_10) + 1.0),
        }
    }

    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        matches!(self, Self::Outer(_)).then(|| Chinchilla::from_coefficients(c))
    }

    /// Those of [`Gamma`].
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let mut with_gamma = x.to_vec();
        with_gamma.push(T::constant(self.gamma().ln()));
        let mut all = Formula::coefficients_at(&Gamma, &with_gamma, centre);
        all.truncate(x.len());
        all
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let mut all = Formula::coordinates_of(&Gamma, &[c, &[self.gamma()]].concat(), centre);
        all.truncate(c.len());
        all
    }

    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>> {
        let mut all = Formula::scanned(&Gamma, centre);
        all.truncate(2);
        all
    }
}

/// Farseer's law at other sizes: N and D are counted in these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FarseerMoved {
    /// Weights that stand for one.
    pub params: f64,
    /// Tokens that stand for one.
    pub tokens: f64,
}

impl Formula for FarseerMoved {
    const COUNT: usize = Farseer::COUNT;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "farseer-moved"
    }

    fn text(&self) -> &'static str {
        "L(N, D) of Farseer at N/params, D/tokens"
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        Formula::coefficients(&Farseer)
    }

    fn variables(&self) -> &'static [Variable] {
        Formula::variables(&Farseer)
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        Farseer.loss(c, &Place { ln_n: at.ln_n + -self.params.ln(), ln_d: at.ln_d + -self.tokens.ln(), ..*at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{ComputeCount, Law, Point, assert_derivatives};

    fn law(departure: Departure) -> Law {
        let plain = Chinchilla::default();
        Law::of(departure, [plain.e, plain.a, plain.b, plain.alpha, plain.beta])
    }

    #[test]
    fn departures_are_as_large_as_they_say() {
        let plain = Chinchilla::default();
        let bend = law(Departure::Bend { at: 1e18, slower: 0.06 });
        let part = |n: f64, d: f64| (bend.at(n, d) - plain.e) / (plain.at(n, d) - plain.e);
        assert!((part(1e8, 1e10) / 2f64.powf(0.03) - 1.0).abs() < 1e-12, "at the bend");
        assert!((part(1e11, 1e13) / part(1e10, 1e12) / 100f64.powf(0.06) - 1.0).abs() < 1e-6 && (part(1e5, 1e7) - 1.0).abs() < 1e-9);
        let mistuned = law(Departure::Mistuned { smallest: 1e7, part: 0.005 });
        assert!(
            (mistuned.at(1e9, 1e10) / plain.at(1e9, 1e10) - 1.01).abs() < 1e-12
                && (mistuned.at(1e7, 1e9) / plain.at(1e7, 1e9) - 1.0).abs() < 1e-12
        );
        // 1 + (4/√4 + 14/√4)^½ = 1 + 3.
        assert!((Law::of(Departure::Outer(0.5), [1.0, 4.0, 14.0, 0.5, 0.5]).at(4.0, 4.0) - 4.0).abs() < 1e-14);
        let optimum = |law: &Law| law.optimal_params(1e21, &ComputeCount::Bilinear { k: 6.0 });
        assert!((optimum(&bend) / optimum(&plain.into()) - 1.0).abs() < 1e-6, "what falls with compute alone moves no optimum");
        assert!(optimum(&mistuned) < 0.97 * optimum(&plain.into()));
    }

    #[test]
    fn derivatives_are_those_of_finite_differences_and_a_law_that_was_moved_is_the_same_elsewhere() {
        let place = Point::new(3e8, 5e9, 1.0);
        for one in [Departure::Outer(0.4), Departure::Bend { at: 1e18, slower: 0.05 }, Departure::Mistuned { smallest: 1e7, part: 0.005 }] {
            assert_derivatives(&law(one), &place);
        }
        let moved = Law::of(FarseerMoved { params: 1e-3, tokens: 1e-2 }, Farseer::PUBLISHED);
        assert!((moved.at(1e6, 1e9) - Law::of(Farseer, Farseer::PUBLISHED).at(1e9, 1e11)).abs() < 1e-12);
        let optimum = |law: &Law, compute: f64| law.optimal_params(compute, &ComputeCount::Bilinear { k: 6.0 });
        let found = 1e3 * optimum(&moved, 1e16) / optimum(&Law::of(Farseer, Farseer::PUBLISHED), 1e21);
        assert!((found - 1.0).abs() < 1e-6, "{found}");
    }
}
