//! L = E + A/N'^α + B/D'^β when data are repeated (Muennighoff 2305.16264): of R_D = D/U − 1 repetitions of U unique tokens
//! the later ones are worth less, D' = U + U·R_D*·(1 − e^(−R_D/R_D*)), and so are weights beyond what U tokens can use,
//! N' = U_N + U_N·R_N*·(1 − e^(−R_N/R_N*)) with U_N = min(N, the size for which U tokens are compute-optimal).
//!
//! The law of unrepeated data is given and held; R_D* and R_N* are fitted.

use crate::law::formula::{Coefficient, Formula, Kind, Place, Source};
use crate::law::number::Number;
use crate::law::{Chinchilla, Point, Variable};

/// The law of repeated data on a law of data that are not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataConstrained {
    /// The law of data that are not repeated, held.
    pub base: Chinchilla,
}

const fn worth(name: &'static str, outside: &'static str) -> Coefficient {
    /// Repetitions from a fifth to some thousands, in steps of 0.8 of their logarithm.
    const TRIED: [f64; 14] = [
        0.201_896_517_994_655_4,
        0.449_328_964_117_221_6,
        1.0,
        2.225_540_928_492_468,
        4.953_032_424_395_115,
        11.023_176_380_641_605,
        24.532_530_197_109_352,
        54.598_150_033_144_236,
        121.510_417_518_735,
        270.426_407_426_153,
        601.845_037_872_082_3,
        1_339.430_764_394_418,
        2_980.957_987_041_727,
        6_634.244_006_277_874,
    ];
    Coefficient { name, kind: Kind::Positive { range: 1e-2..1e4, tried: &TRIED, outside } }
}

const COEFFICIENTS: [Coefficient; 2] = [
    worth("R_D*", "within these repetitions the data show no worth, or no loss of worth, of repeated tokens"),
    worth("R_N*", "within these sizes the data show no worth, or no loss of worth, of excess parameters"),
];

impl DataConstrained {
    /// R_D* and R_N* that 2305.16264 found on C4.
    pub const PUBLISHED: [f64; 2] = [15.387_756, 5.309_743];

    /// Size for which `unique` tokens are compute-optimal under the base law (C = k·N·D, any k): G·(G·U)^(a/b).
    pub fn matching_params(&self, unique: f64) -> f64 {
        let g = self.base.scale();
        g * (g * unique).powf(self.base.params_exponent() / self.base.tokens_exponent())
    }
}

/// x' = U + U·R*·(1 − e^(−R/R*)) for R = x/U − 1: what x of which U are new is worth. The difference 1 − e^(−r) is taken whole;
/// taken apart it sends optimisers to a spurious minimum at R* near 1e17.
fn effective<T: Number>(new: T, all: T, half: T) -> T {
    let repeats = (all / new - 1.0).max(T::constant(0.0));
    new + new * half * (repeats / half).saturating()
}

impl Formula for DataConstrained {
    const COUNT: usize = 2;

    fn name(&self) -> &'static str {
        "data-constrained"
    }

    fn text(&self) -> &'static str {
        "L = E + A/N'^alpha + B/D'^beta, D' = U + U R_D* (1 - exp(-(D/U - 1)/R_D*)), N' likewise"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Muennighoff et al. 2023, arXiv 2305.16264",
            checked: Some("its authors' code and data"),
            known: "about runs that see their data more than once, with a law of unrepeated data held (--base). On 182 runs of C4 the best known minimum is R_D* 95.4, R_N* 1.71; the published 15.4, 5.31 is a local one, and the runs hardly bound R_D*",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        &COEFFICIENTS
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::N, Variable::D, Variable::Unique]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let Chinchilla { e, a, b, alpha, beta } = self.base;
        let [n, d] = [at.ln_n.exp(), at.ln_d.exp()];
        let unique = d.min(at.read(|point| point.unique_tokens.unwrap_or(f64::INFINITY)));
        let g = self.base.scale();
        let matching = (unique * g).pow(T::constant(self.base.params_exponent() / self.base.tokens_exponent())) * g;
        let tokens = effective(unique, d, c[0]);
        let params = effective(matching.min(n), n, c[1]);
        params.pow(T::constant(-alpha)) * a + tokens.pow(T::constant(-beta)) * b + e
    }
}

/// D', tokens that D tokens of which `unique` are distinct are worth, at R_D*.
#[cfg(test)]
fn effective_tokens(d: f64, unique: f64, r_d: f64) -> f64 {
    effective(unique.min(d), d, r_d)
}

/// A place where D tokens are seen, of which `unique` are distinct.
pub fn repeated(n: f64, d: f64, unique: f64) -> Point {
    Point { unique_tokens: Some(unique), ..Point::new(n, d, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, assert_derivatives, published};
    use proptest::prelude::*;

    fn on_c4() -> DataConstrained {
        DataConstrained { base: published("datablations").expect("listed").law }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(ln_rd in 0.0..5.0, ln_rn in 0.0..4.0, epochs in 1.5..60.0, ln_n in 16.0..22.0) {
            let law = Law::of(on_c4(), [f64::exp(ln_rd), f64::exp(ln_rn)]);
            assert_derivatives(&law, &repeated(f64::exp(ln_n), 1e9 * epochs, 1e9));
        }
    }

    #[test]
    fn data_seen_once_follow_the_base_law_where_the_size_fits_them() {
        let law = on_c4();
        // 2305.16264 appendix A: U_N = 0.051·U_D.
        assert!((law.matching_params(1e10) / 0.051e10 - 1.0).abs() < 2e-3, "{}", law.matching_params(1e10));
        let once = Law::of(law, DataConstrained::PUBLISHED).loss(&repeated(1e8, 1e10, 1e10));
        assert!((once / law.base.at(1e8, 1e10) - 1.0).abs() < 1e-14);
        // One repetition of two tokens with R* = 1: 1 + (1 − 1/e).
        assert!((effective_tokens(2.0, 1.0, 1.0) - (2.0 - (-1f64).exp())).abs() < 1e-15);
        // So large an R* that repeated tokens are worth new ones.
        assert!((effective_tokens(40.0, 1.0, 1e17) - 40.0).abs() < 1e-12);
    }
}
