//! Any formula behind one type, so that laws stand in one list: what a search, a figure or a forecast asks of a formula,
//! made for every [`Formula`] from the one that its author wrote.

use super::dual::Dual;
use super::formula::{Centre, Coefficient, Formula, Place, Prior, Source};
use super::lanes::{Block, Lanes, Scalar};
use super::number::Number;
use super::{Chinchilla, Point, Variable};
use std::fmt::Debug;
use std::sync::Arc;

/// ln L at the points of a block with its derivatives by some coordinates of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Jet {
    /// ln L.
    pub value: Lanes,
    /// ∂ ln L/∂x.
    pub gradient: Vec<Lanes>,
    /// ∂² ln L/∂xⱼ∂xₖ for k ≤ j, row by row; empty unless asked for.
    pub hessian: Vec<Lanes>,
}

/// A formula of any kind. Every [`Formula`] is one; by hand it is implemented where no arithmetic is known ([`Called`](super::Called)) alone.
pub trait AnyFormula: Debug + Send + Sync {
    /// [`Formula::name`].
    fn name(&self) -> &'static str;
    /// [`Formula::text`].
    fn text(&self) -> &'static str;
    /// [`Formula::coefficients`].
    fn coefficients(&self) -> &'static [Coefficient];
    /// [`Formula::variables`].
    fn variables(&self) -> &'static [Variable];
    /// [`Formula::source`].
    fn source(&self) -> Option<Source>;
    /// [`Formula::over`].
    fn over(&self, points: &[Point]) -> Option<Arc<dyn AnyFormula>>;
    /// [`Formula::is_power_sum`].
    fn is_power_sum(&self) -> bool;
    /// [`Formula::priors`].
    fn priors(&self) -> &'static [Prior];
    /// [`Formula::same_optima`].
    fn same_optima(&self, coefficients: &[f64]) -> Option<Chinchilla>;
    /// [`Formula::coordinates_of`].
    fn coordinates_of(&self, coefficients: &[f64], centre: &Centre) -> Vec<f64>;
    /// [`Formula::coefficients_at`].
    fn coefficients_at(&self, x: &[f64], centre: &Centre) -> Vec<f64>;
    /// [`Formula::scanned`].
    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>>;
    /// Loss at a point, nats per token.
    fn loss(&self, coefficients: &[f64], point: &Point) -> f64;
    /// ln L at the points of each block, by the coordinates of a search.
    fn ln_losses(&self, x: &[f64], centre: &Centre, blocks: &[Block]) -> Vec<Lanes>;
    /// Hands ln L of every block with its derivatives by the coordinates `free` to `take`, in order.
    fn jets(&self, x: &[f64], free: &[usize], centre: &Centre, blocks: &[Block], second: bool, take: &mut dyn FnMut(usize, &Jet));
    /// Derivatives of the loss by each coefficient.
    fn gradient(&self, coefficients: &[f64], point: &Point) -> Vec<f64>;
    /// ln L and its first two derivatives by ln N where ln D, given with its own two derivatives, follows from it; all else is
    /// as at the point.
    fn along(&self, coefficients: &[f64], ln_n: f64, ln_d: [f64; 3], point: &Point) -> [f64; 3];
}

/// Directions that one of several passes differentiates by, and their second derivatives.
const WIDTH: usize = 9;
const TRIANGLE: usize = WIDTH * (WIDTH + 1) / 2;
/// The same of a law that is not [wide](Formula::IS_WIDE).
const NARROW: usize = 4;

impl<F: Formula> AnyFormula for F {
    fn name(&self) -> &'static str {
        Formula::name(self)
    }

    fn text(&self) -> &'static str {
        Formula::text(self)
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        Formula::coefficients(self)
    }

    fn variables(&self) -> &'static [Variable] {
        Formula::variables(self)
    }

    fn source(&self) -> Option<Source> {
        Formula::source(self)
    }

    fn over(&self, points: &[Point]) -> Option<Arc<dyn AnyFormula>> {
        Formula::over(self, points).map(|formula| Arc::new(formula) as Arc<dyn AnyFormula>)
    }

    fn is_power_sum(&self) -> bool {
        Formula::is_power_sum(self)
    }

    fn priors(&self) -> &'static [Prior] {
        Formula::priors(self)
    }

    fn same_optima(&self, coefficients: &[f64]) -> Option<Chinchilla> {
        Formula::same_optima(self, coefficients)
    }

    fn coordinates_of(&self, coefficients: &[f64], centre: &Centre) -> Vec<f64> {
        Formula::coordinates_of(self, coefficients, centre)
    }

    fn coefficients_at(&self, x: &[f64], centre: &Centre) -> Vec<f64> {
        Formula::coefficients_at(self, x, centre)
    }

    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>> {
        Formula::scanned(self, centre)
    }

    fn loss(&self, coefficients: &[f64], point: &Point) -> f64 {
        Formula::loss(self, coefficients, &Place::of(point))
    }

    fn ln_losses(&self, x: &[f64], centre: &Centre, blocks: &[Block]) -> Vec<Lanes> {
        let x: Vec<Lanes> = x.iter().map(|&value| Lanes::splat(value)).collect();
        let coefficients = Formula::coefficients_at(self, &x, centre);
        blocks.iter().map(|block| Scalar::ln(Formula::loss(self, &coefficients, &Place::of_block(block)))).collect()
    }

    fn jets(&self, x: &[f64], free: &[usize], centre: &Centre, blocks: &[Block], second: bool, take: &mut dyn FnMut(usize, &Jet)) {
        Derivatives { form: self, x, free, centre, blocks, second, take }.run();
    }

    fn gradient(&self, coefficients: &[f64], point: &Point) -> Vec<f64> {
        let mut gradient = Vec::with_capacity(coefficients.len());
        for first in (0..coefficients.len()).step_by(WIDTH) {
            let seeded: Vec<Dual<WIDTH, 0>> =
                coefficients.iter().enumerate().map(|(j, &value)| Dual::variable(value, j.wrapping_sub(first))).collect();
            let loss = Formula::loss(self, &seeded, &Place::of(point));
            gradient.extend_from_slice(&loss.gradient[..WIDTH.min(coefficients.len() - first)]);
        }
        gradient
    }

    fn along(&self, coefficients: &[f64], ln_n: f64, [ln_d, slope, bend]: [f64; 3], point: &Point) -> [f64; 3] {
        let constants: Vec<Dual<1, 1>> = coefficients.iter().map(|&value| Dual::constant(value)).collect();
        let t = Dual::<1, 1>::variable(ln_n, 0);
        let place = Place { ln_n: t, ln_d: t.map(ln_d, slope, bend), points: std::slice::from_ref(point) };
        let ln_loss = Formula::loss(self, &constants, &place).ln();
        [ln_loss.value, ln_loss.gradient[0], ln_loss.hessian[0]]
    }
}

/// ln L with its derivatives.
struct Derivatives<'a, F> {
    form: &'a F,
    x: &'a [f64],
    /// Coordinates to differentiate by.
    free: &'a [usize],
    centre: &'a Centre,
    blocks: &'a [Block],
    second: bool,
    take: &'a mut dyn FnMut(usize, &Jet),
}

impl<F: Formula> Derivatives<'_, F> {
    /// In passes as wide as the formula has coefficients: each width is code of its own for each formula.
    fn run(self) {
        match const { if F::IS_WIDE { F::COUNT } else { 0 } } {
            0 => self.paired::<NARROW, { NARROW * (NARROW + 1) / 2 }>(),
            1..=3 => self.pass::<3, 6>(),
            4 => self.pass::<4, 10>(),
            5 => self.pass::<5, 15>(),
            6 => self.pass::<6, 21>(),
            7 => self.pass::<7, 28>(),
            8..=WIDTH => self.pass::<WIDTH, TRIANGLE>(),
            _ if self.free.len() <= WIDTH => self.pass::<WIDTH, TRIANGLE>(),
            _ => self.paired::<WIDTH, TRIANGLE>(),
        }
    }

    /// One pass, with second derivatives where they are asked for.
    fn pass<const K: usize, const T: usize>(mut self) {
        if self.second { self.narrow::<K, T>() } else { self.narrow::<K, 0>() }
    }

    fn jet(&self) -> Jet {
        let (zero, dim) = (Lanes::splat(0.0), self.free.len());
        Jet { value: zero, gradient: vec![zero; dim], hessian: vec![zero; if self.second { dim * (dim + 1) / 2 } else { 0 }] }
    }

    /// Coefficients that vary with coordinates, each by the direction that `direction` gives it.
    fn seeded<const K: usize, const T: usize>(&self, direction: impl Fn(usize) -> Option<usize>) -> Vec<Dual<K, T, Lanes>> {
        let one = |(j, &value): (usize, &f64)| Dual::variable(value, direction(j).unwrap_or(K));
        self.form.coefficients_at(&self.x.iter().enumerate().map(one).collect::<Vec<_>>(), self.centre)
    }

    /// All derivatives in one pass.
    fn narrow<const K: usize, const T: usize>(&mut self) {
        let dim = self.free.len();
        assert!(dim <= K, "{} has more coefficients than its COUNT of {K}", Formula::name(self.form));
        let coefficients = self.seeded::<K, T>(|j| self.free.iter().position(|free| *free == j));
        let mut jet = self.jet();
        for (at, block) in self.blocks.iter().enumerate() {
            let ln_loss = self.form.loss(&coefficients, &Place::of_block(block)).ln();
            jet.value = ln_loss.value;
            jet.gradient.copy_from_slice(&ln_loss.gradient[..dim]);
            // A triangle begins with that of fewer coordinates.
            jet.hessian.copy_from_slice(&ln_loss.hessian[..if T == 0 { 0 } else { dim * (dim + 1) / 2 }]);
            (self.take)(at, &jet);
        }
    }

    /// Any number of coordinates: one pass for every pair of blocks of half a width, for a single block where there are no two.
    fn paired<const K: usize, const T: usize>(self) {
        let (half, dim) = (K / 2, self.free.len());
        let starts: Vec<usize> = (0..dim.max(1)).step_by(half).collect();
        let alone = [[starts[0], starts[0] + half]];
        let all: Vec<[usize; 2]> = starts.iter().enumerate().flat_map(|(i, &a)| starts[i + 1..].iter().map(move |&b| [a, b])).collect();
        let pairs = if all.is_empty() { &alone[..] } else { &all };
        // The coordinate of each direction of a pair.
        let coordinate = |[a, b]: [usize; 2], k: usize| if k < half { a + k } else { b + k - half };
        let direction = |pair: [usize; 2], j: usize| (0..K).find(|&k| self.free.get(coordinate(pair, k)) == Some(&j));
        let seeded: Vec<_> = pairs.iter().map(|&pair| self.seeded::<K, T>(|j| direction(pair, j))).collect();
        let mut jet = self.jet();
        for (at, block) in self.blocks.iter().enumerate() {
            for (pair, coefficients) in pairs.iter().zip(&seeded) {
                let ln_loss = self.form.loss(coefficients, &Place::of_block(block)).ln();
                jet.value = ln_loss.value;
                for j in (0..K).filter(|&j| coordinate(*pair, j) < dim) {
                    let row = coordinate(*pair, j);
                    jet.gradient[row] = ln_loss.gradient[j];
                    // Coordinates of a pair rise with its directions, so what is below the diagonal here is there too.
                    for k in (0..=j).filter(|_| self.second) {
                        jet.hessian[row * (row + 1) / 2 + coordinate(*pair, k)] = ln_loss.hessian[j * (j + 1) / 2 + k];
                    }
                }
            }
            (self.take)(at, &jet);
        }
    }
}
