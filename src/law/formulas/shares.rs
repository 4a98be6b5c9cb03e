//! The shares that laws of mixtures are about: which parts there are the runs say.

use crate::law::formula::{Coefficient, Place};
use crate::law::number::Number;
use crate::law::{Point, Variable};
use crate::spec::{SHARE, is_share};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Shares that add up to 1 but for rounding.
const ROUNDING: f64 = 0.02;

/// A column of shares, with its place among the covariates of a point.
pub(super) type Share = (&'static str, usize);

/// A coefficient of a part by its name.
pub(super) type OfPart = fn(&'static str) -> Coefficient;

/// C of a part in Σ C·h^γ.
pub(super) const fn factor(name: &'static str) -> Coefficient {
    Coefficient::positive(name, 1e-6..1e6, &[2.0])
}

/// γ of a part in Σ C·h^γ.
pub(super) const fn exponent(name: &'static str) -> Coefficient {
    Coefficient::positive(name, 1e-3..10.0, &[0.3])
}

/// What a law over shares declares: the shares, some coefficients of its own and then those of each part, some variables and the shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct OverShares {
    /// Columns of the shares that have coefficients, with their places among the covariates of a point.
    pub(super) shares: &'static [Share],
    pub(super) coefficients: &'static [Coefficient],
    pub(super) variables: &'static [Variable],
}

impl OverShares {
    /// For shares, of which there must be one; what a formula declares lives as long as the program. A coefficient of a part is called by
    /// its letter and the part.
    pub(super) fn of(shares: Vec<Share>, own: &[Coefficient], of_part: &[(&str, OfPart)], variables: &[Variable]) -> Option<Self> {
        let named = |letter: &str, share: &Share| kept(&format!("{letter}_{}", &share.0[SHARE.len()..]));
        let of_parts = of_part.iter().flat_map(|(letter, of)| shares.iter().map(move |share| of(named(letter, share))));
        let coefficients: Vec<Coefficient> = own.iter().cloned().chain(of_parts).collect();
        let variables: Vec<Variable> = variables.iter().copied().chain(shares.iter().map(|(name, _)| Variable::Share(name))).collect();
        let some = !shares.is_empty();
        some.then(|| Self { shares: shares.leak(), coefficients: coefficients.leak(), variables: variables.leak() })
    }
}

/// Columns of the shares that vary among points, in their order, and whether all shares of each point add up to 1.
pub(super) fn varying(points: &[Point]) -> (Vec<Share>, bool) {
    let Some(first) = points.first() else { return (Vec::new(), false) };
    let varies = |at: &usize| {
        let name = &first.covariates[*at].0;
        is_share(name) && points.iter().any(|point| value(point, name, *at) != first.covariates[*at].1)
    };
    let shares = (0..first.covariates.len()).filter(varies).map(|at| (kept(&first.covariates[at].0), at)).collect();
    let sum = |point: &Point| point.covariates.iter().filter(|(name, _)| is_share(name)).map(|(_, share)| share).sum::<f64>();
    (shares, points.iter().all(|point| (sum(point) - 1.0).abs() <= ROUNDING))
}

/// A name for as long as the program runs, kept once: what a formula declares lives as long.
pub(super) fn kept(name: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(name) {
        return known;
    }
    let name: &'static str = name.to_owned().leak();
    all.insert(name);
    name
}

/// The share of a name, which mostly stands at a place.
pub(super) fn value(point: &Point, name: &str, at: usize) -> f64 {
    let is = |entry: &&(String, f64)| entry.0 == name;
    point.covariates.get(at).filter(is).or_else(|| point.covariates.iter().find(is)).map_or(f64::NAN, |entry| entry.1)
}

/// A share at a place.
pub(super) fn read<T: Number>(at: &Place<'_, T>, share: Share) -> T {
    at.read(|point| value(point, share.0, share.1))
}

/// h^g of a share h for g above 0, with derivatives in g; 0 of none.
pub(super) fn powered<T: Number>(at: &Place<'_, T>, share: Share, exponent: T) -> T {
    // ln 0 times the derivative of e^x at −∞ would be no number.
    let is_there = at.read(|point| match value(point, share.0, share.1) {
        0.0 => 0.0,
        _ => 1.0,
    });
    let ln = at.read(|point| match value(point, share.0, share.1) {
        0.0 => 0.0,
        share => share.ln(),
    });
    (exponent * ln).exp() * is_there
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shares: &[(&str, f64)]) -> Point {
        Point { covariates: shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect(), ..Point::new(1e6, 1e9, 1.0) }
    }

    #[test]
    fn shares_that_vary_are_found_with_whether_they_are_all() {
        let whole =
            [of(&[("experts", 1.0), ("share_a", 0.2), ("share_b", 0.8)]), of(&[("experts", 1.0), ("share_a", 0.5), ("share_b", 0.5)])];
        assert_eq!(varying(&whole), (vec![("share_a", 1), ("share_b", 2)], true));
        let part = [of(&[("share_a", 0.2)]), of(&[("share_a", 0.5)])];
        assert_eq!(varying(&part), (vec![("share_a", 0)], false));
        assert_eq!((varying(&part[..1]).0, varying(&[])), (Vec::new(), (Vec::new(), false)));
        assert!(std::ptr::eq(kept("t_web"), kept("t_web")));
    }

    #[test]
    fn a_power_of_no_share_is_nothing() {
        let power = |share: f64, exponent: f64| powered(&Place::of(&of(&[("share_a", share)])), ("share_a", 0), exponent);
        assert_eq!([power(0.0, 0.5), power(0.25, 0.5), power(1.0, 0.3)], [0.0, 0.5, 1.0]);
        assert!(power(f64::NAN, 1.0).is_nan(), "a share that is not known");
    }
}
