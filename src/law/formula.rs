//! What one writes to add a law: a name, coefficients that say what they are, and the formula once, for any [`Number`].
//! Derivatives, coordinates of a search, starts and bounds follow from these; a law that knows better may say so.

use super::lanes::{Block, Lanes};
use super::number::Number;
use super::{Chinchilla, Point, Variable};
use std::fmt::Debug;
use std::ops::Range;

/// A coefficient: its name and what it is, from which a search knows where to look.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// Its name in files, on the screen and on the command line.
    pub name: &'static str,
    /// Whether it is a floor, a factor, an exponent or another number.
    pub kind: Kind,
}

/// What a coefficient is in its formula.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A loss that no size and no data remove, above 0.
    Floor,
    /// A in A/x^s, above 0.
    Factor {
        /// Variable x of the power A/x^s.
        of: Variable,
        /// Index of s among the coefficients.
        exponent: usize,
    },
    /// s in A/x^s.
    Exponent {
        /// Variable x of the power A/x^s.
        of: Variable,
    },
    /// The logarithm of the height of a term, of either sign: what a search solves for while the others are held.
    Level,
    /// A number above 0 that is searched by its logarithm.
    Positive {
        /// Where it means something; a fit that ends outside says so.
        range: Range<f64>,
        /// Values that a search starts from.
        tried: &'static [f64],
        /// What it means that a fit ended outside.
        outside: &'static str,
    },
    /// A number of either sign.
    Free {
        /// Values that a search starts from.
        tried: &'static [f64],
        /// Where it means something; a fit that ends outside says so.
        range: Range<f64>,
    },
}

/// What is said of a coefficient that ended outside its range.
pub(crate) const UNDETERMINED: &str = "the data do not determine it";

impl Coefficient {
    /// A floor of the loss, such as E.
    pub const fn floor(name: &'static str) -> Self {
        Self { name, kind: Kind::Floor }
    }

    /// A in A/x^s, s being the coefficient at index `exponent`.
    pub const fn factor(name: &'static str, of: Variable, exponent: usize) -> Self {
        Self { name, kind: Kind::Factor { of, exponent } }
    }

    /// s in A/x^s.
    pub const fn exponent(name: &'static str, of: Variable) -> Self {
        Self { name, kind: Kind::Exponent { of } }
    }

    /// A number above 0.
    pub const fn positive(name: &'static str, range: Range<f64>, tried: &'static [f64]) -> Self {
        Self { name, kind: Kind::Positive { range, tried, outside: UNDETERMINED } }
    }

    /// The logarithm of the height of a term.
    pub const fn level(name: &'static str) -> Self {
        Self { name, kind: Kind::Level }
    }

    /// A number of either sign.
    pub const fn free(name: &'static str, tried: &'static [f64]) -> Self {
        Self { name, kind: Kind::Free { tried, range: f64::NEG_INFINITY..f64::INFINITY } }
    }

    /// Whether a search can solve for it while the others are held.
    pub fn is_factor(&self) -> bool {
        matches!(self.kind, Kind::Floor | Kind::Level | Kind::Factor { .. })
    }
}

/// What is believed of a coordinate of a search before any run is seen: normal about a centre, and weak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Index of the coordinate.
    pub coordinate: usize,
    /// What of it is normal.
    pub of: Believed,
    /// Standard deviation.
    pub spread: f64,
}

/// What of a coordinate a [`Prior`] is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Believed {
    /// The coordinate itself is about this.
    About(f64),
    /// Its logarithm is about this.
    LnAbout(f64),
    /// It is the logarithm of a floor, about this much below that of the lowest loss.
    BelowLowest(f64),
}

/// Where a loss is asked for, in numbers that may carry derivatives and stand for several points.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a, T> {
    /// ln N.
    pub ln_n: T,
    /// ln D.
    pub ln_d: T,
    /// All else that is known of the points: compute, batch, steps, unique tokens, covariates, the curve that led to each.
    pub(super) points: &'a [Point],
}

impl<'a, T: Number> Place<'a, T> {
    /// A point as it is.
    pub fn of(point: &'a Point) -> Self {
        let points = std::slice::from_ref(point);
        Self { ln_n: T::read(points, |p| p.n.ln()), ln_d: T::read(points, |p| p.d.ln()), points }
    }

    /// What is read off each point by a function.
    #[inline(always)]
    pub fn read(&self, read: impl Fn(&Point) -> f64) -> T {
        T::read(self.points, read)
    }

    /// The logarithm of a quantity; NaN where the point does not carry it.
    #[inline(always)]
    pub fn ln(&self, variable: Variable) -> T {
        match variable {
            Variable::N => self.ln_n,
            Variable::D => self.ln_d,
            other => self.read(|point| other.of(point).map_or(f64::NAN, f64::ln)),
        }
    }

    /// x^(−s).
    #[inline(always)]
    pub fn power(&self, variable: Variable, exponent: T) -> T {
        (-(exponent * self.ln(variable))).exp()
    }
}

impl<'a, T: Number + From<Lanes>> Place<'a, T> {
    /// The points of a block as they are.
    #[inline(always)]
    pub(super) fn of_block(block: &'a Block) -> Self {
        Self { ln_n: T::from(block.ln_n), ln_d: T::from(block.ln_d), points: &block.points }
    }
}

/// Means and spreads of the logarithms of quantities over the data: a search stands in the middle of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Centre {
    entries: Vec<(Variable, f64, f64)>,
}

impl Centre {
    /// Weighted mean and standard deviation of ln x (of a share: of x) over points that carry x, for each of some variables. What
    /// does not vary has a spread of 1.
    pub fn of(points: &[Point], variables: &[Variable]) -> Self {
        let total: f64 = points.iter().map(|p| p.weight).sum();
        let entry = |variable: &Variable| {
            let ln = |p: &Point| variable.place(p);
            let mean = points.iter().map(|p| p.weight * ln(p)).sum::<f64>() / total;
            let square = points.iter().map(|p| p.weight * (ln(p) - mean).powi(2)).sum::<f64>() / total;
            (*variable, mean, if square > 0.0 { square.sqrt() } else { 1.0 })
        };
        Self { entries: variables.iter().map(entry).collect() }
    }

    /// Mean of ln x; 0 for a variable that it was not made for.
    pub fn mean(&self, variable: Variable) -> f64 {
        self.entry(variable).map_or(0.0, |entry| entry.1)
    }

    /// Spread of ln x; 1 for a variable that it was not made for.
    pub fn spread(&self, variable: Variable) -> f64 {
        self.entry(variable).map_or(1.0, |entry| entry.2)
    }

    fn entry(&self, variable: Variable) -> Option<&(Variable, f64, f64)> {
        self.entries.iter().find(|(known, ..)| *known == variable)
    }
}

/// Where a formula comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Authors, year and number of the paper.
    pub paper: &'static str,
    /// What the form was checked against; `None` where it was written down from memory of the paper, which the text of the formula says.
    pub checked: Option<&'static str>,
    /// What is known of it: what it needs of runs, which numbers it repeats, where it fails.
    pub known: &'static str,
}

/// A law as it is written down. Implement this and add the type to the list in `law/formulas/mod.rs`: the law can then be fitted,
/// compared, scrutinised, drawn and forecast, and it advises if it is a law of N and D.
pub trait Formula: Debug + Send + Sync + 'static {
    /// How many coefficients it has, so that derivatives are compiled for so many; as many as there may be where nothing is said.
    const COUNT: usize = usize::MAX;

    /// Whether all its derivatives are compiled into one pass. A law that few fits are of does with narrow passes, which take up to three
    /// times as long: a wide one is a tenth of a megabyte of code.
    const IS_WIDE: bool = true;

    /// Name used in files and on the command line.
    fn name(&self) -> &'static str;

    /// The formula, for a person.
    fn text(&self) -> &'static str;

    /// Coefficients in their order: floors and factors first.
    fn coefficients(&self) -> &'static [Coefficient];

    /// What of a point it depends on.
    fn variables(&self) -> &'static [Variable];

    /// Loss in nats per token at a place, from coefficients in the order of [`Formula::coefficients`].
    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T;

    /// Where it comes from; `None` for what was never published.
    fn source(&self) -> Option<Source> {
        None
    }

    /// The formula for runs that it is to be fitted to, where its coefficients depend on what those runs carry.
    fn over(&self, _points: &[Point]) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Whether it is a sum of its floor and of its factors' powers, Σ A/x^s: such laws have a faster search.
    fn is_power_sum(&self) -> bool {
        false
    }

    /// What is believed of its coordinates where runs say little of them.
    fn priors(&self) -> &'static [Prior] {
        &[]
    }

    /// The law E + A/N^α + B/D^β with the same N*(C) and D*(C), where there is one: its optima are known in closed form.
    fn same_optima(&self, _coefficients: &[f64]) -> Option<Chinchilla> {
        None
    }

    /// Coefficients from coordinates of a search: ln of floors and positive numbers, ln of a factor's term in the middle of the
    /// data, exponents times the spread of their variable.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let kinds = self.coefficients();
        let exponent = |j: usize, of: Variable| x[j] * (1.0 / centre.spread(of));
        let one = |(j, coefficient): (usize, &Coefficient)| match coefficient.kind {
            Kind::Floor | Kind::Positive { .. } => x[j].exp(),
            Kind::Factor { of, exponent: at } => (x[j] + exponent(at, of) * centre.mean(of)).exp(),
            Kind::Exponent { of } => exponent(j, of),
            Kind::Level | Kind::Free { .. } => x[j],
        };
        kinds.iter().enumerate().map(one).collect()
    }

    /// The inverse of [`Formula::coefficients_at`].
    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let one = |(j, coefficient): (usize, &Coefficient)| match coefficient.kind {
            Kind::Floor | Kind::Positive { .. } => c[j].ln(),
            Kind::Factor { of, exponent } => c[j].ln() - c[exponent] * centre.mean(of),
            Kind::Exponent { of } => c[j] * centre.spread(of),
            Kind::Level | Kind::Free { .. } => c[j],
        };
        self.coefficients().iter().enumerate().map(one).collect()
    }

    /// Coordinates that a scan tries for each coefficient that is no factor, in their order.
    fn scanned(&self, centre: &Centre) -> Vec<Vec<f64>> {
        const EXPONENTS: [f64; 7] = [0.03, 0.06, 0.12, 0.22, 0.4, 0.8, 1.5];
        let one = |coefficient: &Coefficient| match coefficient.kind {
            Kind::Exponent { of } => EXPONENTS.iter().map(|s| s * centre.spread(of)).collect(),
            Kind::Positive { tried, .. } => tried.iter().map(|value: &f64| value.ln()).collect(),
            Kind::Free { tried, .. } => tried.to_vec(),
            Kind::Floor | Kind::Level | Kind::Factor { .. } => Vec::new(),
        };
        self.coefficients().iter().filter(|coefficient| !coefficient.is_factor()).map(one).collect()
    }
}
