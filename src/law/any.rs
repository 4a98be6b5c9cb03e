//! Any formula behind one type, so that laws stand in one list: what a search, a figure or a forecast asks of a formula,
//! made for every [`Formula`] from the one that its author wrote.

use super::formula::{Centre, Coefficient, Formula, Place};
use super::number::{Dual, Number};
use super::{Chinchilla, Point, Variable};
use std::fmt::Debug;

/// ln L at a point with its derivatives by the coordinates of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Jet {
    /// ln L.
    pub value: f64,
    /// ∂ ln L/∂x.
    pub gradient: Vec<f64>,
    /// ∂² ln L/∂x∂y, row by row.
    pub hessian: Vec<f64>,
}

/// A formula of any kind. Not implemented by hand: every [`Formula`] is one.
pub trait AnyFormula: Debug + Send + Sync {
    /// [`Formula::name`].
    fn name(&self) -> &'static str;
    /// [`Formula::text`].
    fn text(&self) -> &'static str;
    /// [`Formula::coefficients`].
    fn coefficients(&self) -> &'static [Coefficient];
    /// [`Formula::variables`].
    fn variables(&self) -> &'static [Variable];
    /// [`Formula::is_power_sum`].
    fn is_power_sum(&self) -> bool;
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
    /// Losses at several points.
    fn losses(&self, coefficients: &[f64], points: &[Point]) -> Vec<f64>;
    /// Hands ln L of every point with its derivatives by the coordinates to `take`, in order; the second are 0 unless asked for.
    fn jets(&self, x: &[f64], centre: &Centre, points: &[Point], second: bool, take: &mut dyn FnMut(usize, &Jet));
    /// Derivatives of the loss by each coefficient.
    fn gradient(&self, coefficients: &[f64], point: &Point) -> Vec<f64>;
    /// ln L and its first two derivatives by ln N where ln D, given with its own two derivatives, follows from it; all else is
    /// as at the point.
    fn along(&self, coefficients: &[f64], ln_n: f64, ln_d: [f64; 3], point: &Point) -> [f64; 3];
}

/// Directions that one pass differentiates by.
const WIDTH: usize = 8;

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

    fn is_power_sum(&self) -> bool {
        Formula::is_power_sum(self)
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

    fn losses(&self, coefficients: &[f64], points: &[Point]) -> Vec<f64> {
        points.iter().map(|point| Formula::loss(self, coefficients, &Place::of(point))).collect()
    }

    fn jets(&self, x: &[f64], centre: &Centre, points: &[Point], second: bool, take: &mut dyn FnMut(usize, &Jet)) {
        match (x.len(), second) {
            (0..=4, false) => narrow::<F, 4, 0>(self, x, centre, points, take),
            (5..=12, false) => narrow::<F, 12, 0>(self, x, centre, points, take),
            (0..=2, true) => narrow::<F, 2, 2>(self, x, centre, points, take),
            (3..=4, true) => narrow::<F, 4, 4>(self, x, centre, points, take),
            (5..=WIDTH, true) => narrow::<F, WIDTH, WIDTH>(self, x, centre, points, take),
            (9..=12, true) => narrow::<F, 12, 12>(self, x, centre, points, take),
            _ => wide(self, x, centre, points, take),
        }
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
        let constants: Vec<Dual<1>> = coefficients.iter().map(|&value| Dual::constant(value)).collect();
        let t = Dual::<1, 1>::variable(ln_n, 0);
        let place = Place { ln_n: t, ln_d: t.map(ln_d, slope, bend), point };
        let ln_loss = Formula::loss(self, &constants, &place).ln();
        [ln_loss.value, ln_loss.gradient[0], ln_loss.hessian[0][0]]
    }
}

/// All derivatives in one pass, the second if `H` is `K`.
fn narrow<F: Formula, const K: usize, const H: usize>(
    form: &F,
    x: &[f64],
    centre: &Centre,
    points: &[Point],
    take: &mut dyn FnMut(usize, &Jet),
) {
    let dim = x.len();
    let seeded: Vec<Dual<K, H>> = x.iter().enumerate().map(|(j, &value)| Dual::variable(value, j)).collect();
    let coefficients = form.coefficients_at(&seeded, centre);
    let mut jet = Jet { value: 0.0, gradient: vec![0.0; dim], hessian: vec![0.0; dim * dim] };
    for (at, point) in points.iter().enumerate() {
        let ln_loss = form.loss(&coefficients, &Place::of(point)).ln();
        jet.value = ln_loss.value;
        jet.gradient.copy_from_slice(&ln_loss.gradient[..dim]);
        for (to, row) in jet.hessian.chunks_exact_mut(dim).zip(&ln_loss.hessian) {
            to.copy_from_slice(&row[..dim]);
        }
        take(at, &jet);
    }
}

/// Any number of coordinates: one pass for every pair of blocks of half a width.
fn wide<F: Formula>(form: &F, x: &[f64], centre: &Centre, points: &[Point], take: &mut dyn FnMut(usize, &Jet)) {
    const HALF: usize = WIDTH / 2;
    let dim = x.len();
    let blocks: Vec<usize> = (0..dim).step_by(HALF).collect();
    let pairs: Vec<[usize; 2]> = blocks.iter().enumerate().flat_map(|(i, &a)| blocks[i + 1..].iter().map(move |&b| [a, b])).collect();
    // The coordinate of each direction of a pair.
    let coordinate = |[a, b]: [usize; 2], k: usize| if k < HALF { a + k } else { b + k - HALF };
    let seeds = |pair: &[usize; 2]| {
        let one = |(j, &value): (usize, &f64)| {
            let direction = (0..WIDTH).find(|&k| coordinate(*pair, k) == j).unwrap_or(WIDTH);
            Dual::<WIDTH, WIDTH>::variable(value, direction)
        };
        form.coefficients_at(&x.iter().enumerate().map(one).collect::<Vec<_>>(), centre)
    };
    let seeded: Vec<Vec<Dual<WIDTH>>> = pairs.iter().map(seeds).collect();
    let mut jet = Jet { value: 0.0, gradient: vec![0.0; dim], hessian: vec![0.0; dim * dim] };
    for (at, point) in points.iter().enumerate() {
        for (pair, coefficients) in pairs.iter().zip(&seeded) {
            let ln_loss = form.loss(coefficients, &Place::of(point)).ln();
            jet.value = ln_loss.value;
            for j in (0..WIDTH).filter(|&j| coordinate(*pair, j) < dim) {
                jet.gradient[coordinate(*pair, j)] = ln_loss.gradient[j];
                for k in (0..WIDTH).filter(|&k| coordinate(*pair, k) < dim) {
                    jet.hessian[coordinate(*pair, j) * dim + coordinate(*pair, k)] = ln_loss.hessian[j][k];
                }
            }
        }
        take(at, &jet);
    }
}
