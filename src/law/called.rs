//! A law that is a function of somebody else's, called for losses at places: nothing is known of its arithmetic, and derivatives are
//! finite differences, unless it gives its own first ones.

use super::any::{AnyFormula, Jet};
use super::declared::{Declared, kept, kind};
use super::formula::{Centre, Coefficient, Kind, Prior, Source};
use super::lanes::{Block, LANES, Lanes, laid};
use super::{Chinchilla, Point, Variable};
use std::fmt;
use std::sync::Arc;

/// Losses at places from coefficients in their order; of each variable there is a list of its values, in the order of the variables.
pub type Losses = Box<dyn Fn(&[f64], &[Vec<f64>]) -> Vec<f64> + Send + Sync>;
/// Derivatives of the losses by each coefficient, a list for each.
pub type Slopes = Box<dyn Fn(&[f64], &[Vec<f64>]) -> Vec<Vec<f64>> + Send + Sync>;

/// A law behind a function. What it declares is kept as long as the program lives.
pub struct Called {
    name: &'static str,
    text: &'static str,
    coefficients: &'static [Coefficient],
    variables: &'static [Variable],
    losses: Losses,
    slopes: Option<Slopes>,
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Called").field("name", &self.name).field("coefficients", &self.coefficients).finish_non_exhaustive()
    }
}

/// Step of a coordinate, whose differences are of fourth order: an error of h⁴ stands against one of rounding over h, or h².
const STEP: f64 = 2e-3;
/// Step where first derivatives are given.
const STEP_OF_SLOPES: f64 = 1e-4;
/// Weights of f(x ± h) and f(x ± 2h) in f′·h, and of them and f(x) in f″·h².
const FIRST: [f64; 2] = [8.0 / 12.0, -1.0 / 12.0];
const SECOND: [f64; 3] = [-30.0 / 12.0, 16.0 / 12.0, -1.0 / 12.0];

impl Called {
    /// A law from its losses.
    ///
    /// # Errors
    /// Where nobody says where a coefficient lies, or it depends on no quantity of the runs; in words.
    pub fn new(
        name: &str,
        text: &str,
        declared: &[Declared],
        variables: Vec<Variable>,
        losses: Losses,
        slopes: Option<Slopes>,
    ) -> Result<Self, String> {
        if variables.is_empty() {
            return Err(format!("the formula of {name} depends on no quantity of the runs, such as N or D"));
        }
        let one = |one: &Declared| Ok(Coefficient { name: kept(&one.name), kind: kind(name, one, None)? });
        let coefficients: Vec<Coefficient> = declared.iter().map(one).collect::<Result<_, String>>()?;
        Ok(Self { name: kept(name), text: kept(text), coefficients: coefficients.leak(), variables: variables.leak(), losses, slopes })
    }

    fn columns<'a>(&self, points: impl Iterator<Item = &'a Point> + Clone) -> Vec<Vec<f64>> {
        self.variables.iter().map(|variable| points.clone().map(|point| variable.of(point).unwrap_or(f64::NAN)).collect()).collect()
    }

    fn of_blocks(&self, blocks: &[Block]) -> Vec<Vec<f64>> {
        self.columns(blocks.iter().flat_map(|block| &block.points))
    }

    fn coefficients_of(&self, x: &[f64]) -> Vec<f64> {
        let one = |(x, coefficient): (&f64, &Coefficient)| if is_logarithm(coefficient) { x.exp() } else { *x };
        x.iter().zip(self.coefficients).map(one).collect()
    }

    /// ln L at every place, by coordinates.
    fn ln_losses_at(&self, x: &[f64], columns: &[Vec<f64>]) -> Vec<f64> {
        let losses = (self.losses)(&self.coefficients_of(x), columns);
        losses.into_iter().map(|loss| if loss > 0.0 { loss.ln() } else { f64::NAN }).collect()
    }

    /// The same with the coordinates `j` moved by so much each.
    fn moved(&self, x: &[f64], by: &[(usize, f64)], columns: &[Vec<f64>]) -> Vec<f64> {
        let mut x = x.to_vec();
        by.iter().for_each(|(j, by)| x[*j] += by);
        self.ln_losses_at(&x, columns)
    }

    /// Slopes of ln L by the coordinates `free`, as its author gives them.
    fn given(&self, slopes: &Slopes, x: &[f64], free: &[usize], columns: &[Vec<f64>], ln_losses: &[f64]) -> Vec<Vec<f64>> {
        let c = self.coefficients_of(x);
        let by_coefficient = slopes(&c, columns);
        let one = |&j: &usize| {
            let inner = if is_logarithm(&self.coefficients[j]) { c[j] } else { 1.0 };
            by_coefficient[j].iter().zip(ln_losses).map(|(slope, ln_loss)| slope * inner / ln_loss.exp()).collect()
        };
        free.iter().map(one).collect()
    }

    /// ln L, its slopes and, where asked for, its bends row by row, each with a number for every place.
    fn derivatives(&self, x: &[f64], free: &[usize], columns: &[Vec<f64>], second: bool) -> [Vec<Vec<f64>>; 3] {
        let here = self.ln_losses_at(x, columns);
        let Some(slopes) = &self.slopes else { return self.by_differences(x, free, columns, second, here) };
        let first = self.given(slopes, x, free, columns, &here);
        let mut bends = Vec::new();
        let at = |j: usize, by: f64| {
            let mut x = x.to_vec();
            x[j] += by;
            let there = self.ln_losses_at(&x, columns);
            self.given(slopes, &x, free, columns, &there)
        };
        for (row, &j) in free.iter().enumerate().filter(|_| second) {
            let h = step(x[j]) * STEP_OF_SLOPES / STEP;
            let [up, down] = [at(j, h), at(j, -h)];
            bends.extend((0..=row).map(|k| up[k].iter().zip(&down[k]).map(|(up, down)| (up - down) / (2.0 * h)).collect::<Vec<f64>>()));
        }
        [vec![here], first, bends]
    }

    fn by_differences(&self, x: &[f64], free: &[usize], columns: &[Vec<f64>], second: bool, here: Vec<f64>) -> [Vec<Vec<f64>>; 3] {
        let (mut first, mut bends) = (Vec::new(), Vec::new());
        for (row, &j) in free.iter().enumerate() {
            let h = step(x[j]);
            let [up, down, up_two, down_two] = [h, -h, 2.0 * h, -2.0 * h].map(|by| self.moved(x, &[(j, by)], columns));
            let slope = |at: usize| (FIRST[0] * (up[at] - down[at]) + FIRST[1] * (up_two[at] - down_two[at])) / h;
            first.push((0..here.len()).map(slope).collect());
            if !second {
                continue;
            }
            for &k in &free[..row] {
                bends.push(self.crossed(x, [(j, h), (k, step(x[k]))], columns));
            }
            let bend = |at: usize| SECOND[0] * here[at] + SECOND[1] * (up[at] + down[at]) + SECOND[2] * (up_two[at] + down_two[at]);
            bends.push((0..here.len()).map(|at| bend(at) / (h * h)).collect());
        }
        [vec![here], first, bends]
    }

    /// ∂² ln L by two coordinates: four thirds of the difference at one step less a third of that at two.
    fn crossed(&self, x: &[f64], [(j, h), (k, l)]: [(usize, f64); 2], columns: &[Vec<f64>]) -> Vec<f64> {
        let corner = |times: f64| {
            let at = |a: f64, b: f64| self.moved(x, &[(j, a * times * h), (k, b * times * l)], columns);
            let [same, opposite] = [[at(1.0, 1.0), at(-1.0, -1.0)], [at(1.0, -1.0), at(-1.0, 1.0)]];
            move |place: usize| (same[0][place] + same[1][place] - opposite[0][place] - opposite[1][place]) / (4.0 * times * times * h * l)
        };
        let (near, far) = (corner(1.0), corner(2.0));
        (0..columns[0].len()).map(|at| (4.0 * near(at) - far(at)) / 3.0).collect()
    }
}

/// Whether a coefficient is searched by its logarithm.
fn is_logarithm(coefficient: &Coefficient) -> bool {
    matches!(coefficient.kind, Kind::Positive { .. })
}

fn step(x: f64) -> f64 {
    STEP * x.abs().clamp(0.1, 1.0)
}

impl AnyFormula for Called {
    fn name(&self) -> &'static str {
        self.name
    }

    fn text(&self) -> &'static str {
        self.text
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        self.coefficients
    }

    fn variables(&self) -> &'static [Variable] {
        self.variables
    }

    fn source(&self) -> Option<Source> {
        None
    }

    fn over(&self, _points: &[Point]) -> Option<Arc<dyn AnyFormula>> {
        None
    }

    fn is_power_sum(&self) -> bool {
        false
    }

    fn priors(&self) -> &'static [Prior] {
        &[]
    }

    fn same_optima(&self, _coefficients: &[f64]) -> Option<Chinchilla> {
        None
    }

    fn coordinates_of(&self, coefficients: &[f64], _centre: &Centre) -> Vec<f64> {
        let one = |(c, coefficient): (&f64, &Coefficient)| if is_logarithm(coefficient) { c.ln() } else { *c };
        coefficients.iter().zip(self.coefficients).map(one).collect()
    }

    fn coefficients_at(&self, x: &[f64], _centre: &Centre) -> Vec<f64> {
        self.coefficients_of(x)
    }

    fn scanned(&self, _centre: &Centre) -> Vec<Vec<f64>> {
        let one = |coefficient: &Coefficient| match coefficient.kind {
            Kind::Positive { tried, .. } => tried.iter().map(|value: &f64| value.ln()).collect(),
            Kind::Free { tried, .. } => tried.to_vec(),
            _ => Vec::new(),
        };
        self.coefficients.iter().map(one).collect()
    }

    fn loss(&self, coefficients: &[f64], point: &Point) -> f64 {
        (self.losses)(coefficients, &self.columns(std::iter::once(point))).first().copied().unwrap_or(f64::NAN)
    }

    fn ln_losses(&self, x: &[f64], _centre: &Centre, blocks: &[Block]) -> Vec<Lanes> {
        laid(self.ln_losses_at(x, &self.of_blocks(blocks)).into_iter(), f64::NAN)
    }

    fn jets(&self, x: &[f64], free: &[usize], _centre: &Centre, blocks: &[Block], second: bool, take: &mut dyn FnMut(usize, &Jet)) {
        let [here, first, bends] = self.derivatives(x, free, &self.of_blocks(blocks), second);
        let of_block = |numbers: &Vec<f64>, at: usize| Lanes(std::array::from_fn(|lane| numbers[at * LANES + lane]));
        for at in 0..blocks.len() {
            let all = |rows: &[Vec<f64>]| rows.iter().map(|row| of_block(row, at)).collect::<Vec<Lanes>>();
            take(at, &Jet { value: of_block(&here[0], at), gradient: all(&first), hessian: all(&bends) });
        }
    }

    fn gradient(&self, coefficients: &[f64], point: &Point) -> Vec<f64> {
        let columns = self.columns(std::iter::once(point));
        if let Some(slopes) = &self.slopes {
            return slopes(coefficients, &columns).iter().map(|slope| slope.first().copied().unwrap_or(f64::NAN)).collect();
        }
        let one = |j: usize| {
            let h = step(coefficients[j].abs().min(1.0)) * coefficients[j].abs().max(1.0);
            let at = |by: f64| {
                let mut moved = coefficients.to_vec();
                moved[j] += by;
                (self.losses)(&moved, &columns).first().copied().unwrap_or(f64::NAN)
            };
            (FIRST[0] * (at(h) - at(-h)) + FIRST[1] * (at(2.0 * h) - at(-2.0 * h))) / h
        };
        (0..coefficients.len()).map(one).collect()
    }

    fn along(&self, coefficients: &[f64], ln_n: f64, [ln_d, slope, bend]: [f64; 3], point: &Point) -> [f64; 3] {
        let at = |by: f64| {
            let d = (ln_d + by * (slope + 0.5 * by * bend)).exp();
            Point { n: (ln_n + by).exp(), d, ..point.clone() }
        };
        let places = [0.0, STEP, -STEP, 2.0 * STEP, -2.0 * STEP].map(at);
        let losses = (self.losses)(coefficients, &self.columns(places.iter()));
        let ln: Vec<f64> = losses.into_iter().map(f64::ln).collect();
        let [here, up, down, up_two, down_two] = ln[..] else { return [f64::NAN; 3] };
        let first = (FIRST[0] * (up - down) + FIRST[1] * (up_two - down_two)) / STEP;
        let second = (SECOND[0] * here + SECOND[1] * (up + down) + SECOND[2] * (up_two + down_two)) / (STEP * STEP);
        [here, first, second]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Additive;

    /// The additive law behind a function, with its slopes or without.
    /// Of coefficients, N and D.
    type OfPlace = fn(&[f64], f64, f64) -> f64;

    fn additive(given: bool) -> Called {
        let declared = [("E", 0.1, 10.0), ("A", 1.0, 1e5), ("B", 1.0, 1e5), ("alpha", 0.01, 3.0), ("beta", -1.0, 3.0)];
        let declared = declared.map(|(name, low, high)| Declared { name: name.to_owned(), range: Some([low, high]), start: None });
        let each = |of: OfPlace| {
            move |c: &[f64], columns: &[Vec<f64>]| columns[0].iter().zip(&columns[1]).map(|(n, d)| of(c, *n, *d)).collect::<Vec<f64>>()
        };
        let losses = each(|c, n, d| c[0] + c[1] * n.powf(-c[3]) + c[2] * d.powf(-c[4]));
        let slopes = move |c: &[f64], columns: &[Vec<f64>]| {
            let all: [OfPlace; 5] = [
                |_, _, _| 1.0,
                |c, n, _| n.powf(-c[3]),
                |c, _, d| d.powf(-c[4]),
                |c, n, _| -c[1] * n.ln() * n.powf(-c[3]),
                |c, _, d| -c[2] * d.ln() * d.powf(-c[4]),
            ];
            all.into_iter().map(|of| each(of)(c, columns)).collect()
        };
        let slopes: Option<Slopes> = given.then(|| Box::new(slopes) as Slopes);
        let variables = vec![Variable::N, Variable::D];
        Called::new("called", "L(N, D) = called(N, D)", &declared, variables, Box::new(losses), slopes).expect("a law")
    }

    const C: [f64; 5] = [1.7, 400.0, 420.0, 0.34, 0.28];

    /// 20 points, more than a block.
    fn points() -> Vec<Point> {
        (0..20).map(|at| Point::new(1e7 * 1.5f64.powi(at), 1e9 * 1.3f64.powi(at), 2.0)).collect()
    }

    #[test]
    fn differences_are_the_derivatives_of_the_additive_law() {
        let (points, free) = (points(), [0, 1, 2, 3, 4]);
        let blocks = Block::of(&points);
        // Coordinates of the additive law at no centre: exponents as they are, where this one has ln alpha.
        let (centre, exact) = (Centre::default(), &Additive as &dyn AnyFormula);
        let mut jets = Vec::new();
        exact.jets(&exact.coordinates_of(&C, &centre), &free, &centre, &blocks, true, &mut |_, jet| jets.push(jet.clone()));
        for (given, slope_error, bend_error) in [(false, 1e-7, 1e-4), (true, 1e-13, 1e-5)] {
            let law = additive(given);
            let x = law.coordinates_of(&C, &centre);
            let mut seen = 0;
            law.jets(&x, &free, &centre, &blocks, true, &mut |at, jet| {
                seen += 1;
                let close = |found: f64, expected: f64, allowed: f64, what: &str| {
                    assert!((found - expected).abs() <= allowed * (1.0 + expected.abs()), "{what} {given}: {found} {expected}");
                };
                close(jet.value.0[3], jets[at].value.0[3], 1e-14, "value");
                for j in 0..5 {
                    let inner = |j: usize| if j == 3 { C[3] } else { 1.0 };
                    close(jet.gradient[j].0[3], jets[at].gradient[j].0[3] * inner(j), slope_error, "slope");
                    for k in 0..=j {
                        let place = j * (j + 1) / 2 + k;
                        let more = if j == 3 && k == 3 { jets[at].gradient[3].0[3] * C[3] } else { 0.0 };
                        close(jet.hessian[place].0[3], jets[at].hessian[place].0[3] * inner(j) * inner(k) + more, bend_error, "bend");
                    }
                }
            });
            assert_eq!(seen, 2);
            for (found, expected) in law.gradient(&C, &points[0]).iter().zip(exact.gradient(&C, &points[0])) {
                assert!((found / expected - 1.0).abs() < 1e-7, "{found} {expected}");
            }
            let (found, expected) = ([0, 1, 2], exact.along(&C, 18.0, [23.0, -1.0, 0.1], &points[0]));
            let along = law.along(&C, 18.0, [23.0, -1.0, 0.1], &points[0]);
            found.into_iter().for_each(|at| assert!((along[at] - expected[at]).abs() < 1e-8, "{along:?} {expected:?}"));
        }
    }

    #[test]
    fn a_coefficient_of_which_nobody_says_where_it_lies_is_refused() {
        let of = |declared: &[Declared], variables| Called::new("mine", "", declared, variables, Box::new(|_, _| Vec::new()), None);
        let one = [Declared { name: "s".into(), ..Declared::default() }];
        assert!(of(&one, vec![Variable::N]).expect_err("refused").contains("say where it lies"));
        assert!(of(&[], Vec::new()).expect_err("refused").contains("no quantity"));
    }
}
