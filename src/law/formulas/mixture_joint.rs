//! L = E + 1/Σ C_i·h_i^(γ_i) + A_h/N^α + B_h/D^β with A_h = (Σ a_i·h_i)^g and B_h = (Σ b_i·h_i)^k over the shares h_i that the parts
//! of the data have in training (Shukor 2507.09404; how A and B depend on h is written down from memory). Here the best mixture moves
//! with N and D. Which parts there are the runs say.

use super::shares::{OfPart, OverShares, exponent, factor, powered, read, varying};
use crate::law::formula::{Centre, Coefficient, Formula, Kind, Place, Source};
use crate::law::number::Number;
use crate::law::{Point, Variable};

/// The joint law of mixtures, over the shares of some parts of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointMixture(OverShares);

/// Coefficients that every such law has: E, alpha, beta, g, k.
const COMMON: [Coefficient; 5] = [
    Coefficient::floor("E"),
    Coefficient::exponent("alpha", Variable::N),
    Coefficient::exponent("beta", Variable::D),
    Coefficient::positive("g", 1e-2..1e2, &[1.0]),
    Coefficient::positive("k", 1e-2..1e2, &[1.0]),
];
/// Places of the exponents among them.
const ALPHA: usize = 1;
const BETA: usize = 2;
const G: usize = 3;
const K: usize = 4;

/// What each part has: its name before that of the part, and whether it is a factor of h, of A or of B, or an exponent.
const OF_A_PART: [(&str, OfPart); 4] = [("C", factor), ("gamma", exponent), ("a", height), ("b", height)];

/// a_i or b_i. A search stands at the height of the term where the part is alone, in the middle of the runs.
const fn height(name: &'static str) -> Coefficient {
    Coefficient::positive(name, f64::MIN_POSITIVE..f64::INFINITY, &[0.3])
}

impl JointMixture {
    /// The law before it is known which parts there are.
    pub const UNKNOWN: Self = Self(OverShares {
        shares: &[("share_NAME", 0)],
        coefficients: const {
            let [e, alpha, beta, g, k] = COMMON;
            &[e, alpha, beta, g, k, factor("C_NAME"), exponent("gamma_NAME"), height("a_NAME"), height("b_NAME")]
        },
        variables: &[Variable::N, Variable::D, Variable::Share("shares of its data")],
    });

    /// The law over the shares that vary among points; `None` where none does.
    pub fn of(points: &[Point]) -> Option<Self> {
        OverShares::of(varying(points).0, &COMMON, &OF_A_PART, &[Variable::N, Variable::D]).map(Self)
    }

    /// Of which variable a coefficient is the height, and where its two exponents stand.
    fn height_of(&self, at: usize) -> Option<(Variable, usize, usize)> {
        match at.checked_sub(COMMON.len())? / self.0.shares.len() {
            2 => Some((Variable::N, ALPHA, G)),
            3 => Some((Variable::D, BETA, K)),
            _ => None,
        }
    }
}

impl Formula for JointMixture {
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "mixture-joint"
    }

    fn text(&self) -> &'static str {
        "L(N, D, h) = E + 1/sum_i C_i h_i^gamma_i + (sum_i a_i h_i)^g/N^alpha + (sum_i b_i h_i)^k/D^beta, form unverified"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Shukor et al. 2025, arXiv 2507.09404",
            checked: None,
            known: "that A and B depend on the mixture is the paper's; how they do is from memory. 5 + 4 coefficients a part: 17 of three parts, so it needs many runs that vary size, length and mixture. The best mixture moves with N and D. Recovered from simulated runs",
        })
    }

    fn over(&self, points: &[Point]) -> Option<Self> {
        Self::of(points)
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        self.0.coefficients
    }

    fn variables(&self) -> &'static [Variable] {
        self.0.variables
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let parts = self.0.shares.len();
        let of = |which: usize, part: usize| c[COMMON.len() + which * parts + part];
        let sum = |term: &dyn Fn(usize) -> T| (0..parts).map(term).reduce(|sum, part| sum + part).unwrap_or_else(|| T::constant(f64::NAN));
        let of_mixture = T::constant(1.0) / sum(&|part| of(0, part) * powered(at, self.0.shares[part], of(1, part)));
        let a = sum(&|part| of(2, part) * read(at, self.0.shares[part]));
        let b = sum(&|part| of(3, part) * read(at, self.0.shares[part]));
        c[0] + of_mixture + a.pow(c[G]) * at.power(Variable::N, c[ALPHA]) + b.pow(c[K]) * at.power(Variable::D, c[BETA])
    }

    /// As of every law, but that heights are those of their terms: a_i = (e^x·N̄^α)^(1/g), N̄ the middle of the sizes.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let exponent = |at: usize, of: Variable| x[at] * (1.0 / centre.spread(of));
        let one = |(at, coefficient): (usize, &Coefficient)| match (self.height_of(at), &coefficient.kind) {
            (Some((of, power, outer)), _) => ((x[at] + exponent(power, of) * centre.mean(of)) / x[outer].exp()).exp(),
            (None, Kind::Exponent { of }) => exponent(at, *of),
            (None, _) => x[at].exp(),
        };
        self.0.coefficients.iter().enumerate().map(one).collect()
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let one = |(at, coefficient): (usize, &Coefficient)| match (self.height_of(at), &coefficient.kind) {
            (Some((of, power, outer)), _) => c[outer] * c[at].ln() - c[power] * centre.mean(of),
            (None, Kind::Exponent { of }) => c[at] * centre.spread(*of),
            (None, _) => c[at].ln(),
        };
        self.0.coefficients.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, assert_derivatives};

    fn of(n: f64, d: f64, web: f64) -> Point {
        let covariates = [("share_web", web), ("share_code", 1.0 - web)].map(|(name, share)| (name.to_owned(), share)).into();
        Point { covariates, ..Point::new(n, d, 1.0) }
    }

    fn formula() -> JointMixture {
        JointMixture::of(&[of(1.0, 1.0, 0.5), of(1.0, 1.0, 0.2)]).expect("shares")
    }

    /// E, alpha, beta, g, k, C, gamma, a, b.
    const THETA: [f64; 13] = [1.0, 0.5, 0.5, 2.0, 0.5, 4.0, 3.0, 0.5, 1.0, 2.0, 6.0, 16.0, 48.0];

    #[test]
    fn a_loss_worked_by_hand() {
        // 1 + 1/(4·√.25 + 3·.75) + (2/4 + 18/4)²/√16 + √(16/4 + 144/4)/√9.
        let expected = 1.0 + 1.0 / 4.25 + 25.0 / 4.0 + 40f64.sqrt() / 3.0;
        assert!((Law::of(formula(), THETA).loss(&of(16.0, 9.0, 0.25)) - expected).abs() < 1e-13);
    }

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let theta = [1.7, 0.34, 0.28, 1.3, 0.8, 2.0, 1.5, 0.4, 0.9, 90.0, 120.0, 1.5e3, 2.5e3];
        assert_derivatives(&Law::of(formula(), theta), &of(1e6, 1e8, 0.3));
        assert_derivatives(&Law::of(formula(), theta), &of(1e7, 1e9, 0.0));
    }

    #[test]
    fn coordinates_of_a_search_and_coefficients_are_each_others_inverse() {
        let points: Vec<Point> = (0..9).map(|i| of(1e5 * 3f64.powi(i % 3), 1e7 * 3f64.powi(i / 3), 0.1 * f64::from(i))).collect();
        let centre = Centre::of(&points, formula().variables());
        let x = formula().coordinates_of(&THETA, &centre);
        let back: Vec<f64> = formula().coefficients_at(&x, &centre);
        assert!(back.iter().zip(THETA).all(|(back, c)| (back / c - 1.0).abs() < 1e-12), "{back:?}");
    }
}
