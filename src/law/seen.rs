//! What coefficients are, seen in the arithmetic of their formula: a floor that is added, A and s of a term A/x^s.

use super::Variable;
use super::formula::Kind;
use super::steps::Step;

/// Which step rests on which.
pub(super) struct Seen<'a> {
    steps: &'a [Step],
    /// The place of each coefficient where it is a step once, with all that rests on it.
    above: Vec<Vec<usize>>,
    /// Places of each coefficient.
    places: Vec<Vec<usize>>,
}

impl<'a> Seen<'a> {
    /// Of the steps of a formula with so many coefficients.
    pub(super) fn of(steps: &'a [Step], count: usize) -> Self {
        let mut above = vec![Vec::new(); steps.len()];
        for (at, step) in steps.iter().enumerate() {
            step.parts().into_iter().flatten().for_each(|part: usize| above[part].push(at));
        }
        let places = |j: usize| (0..steps.len()).filter(|&at| steps[at] == Step::Coefficient(j)).collect();
        Self { steps, above, places: (0..count).map(places).collect() }
    }

    /// The one step that rests on another, if there is one alone.
    fn only(&self, at: usize) -> Option<usize> {
        if let [one] = self.above[at][..] { Some(one) } else { None }
    }

    /// The place of a coefficient that stands in the formula once.
    fn once(&self, coefficient: usize) -> Option<usize> {
        if let [one] = self.places[coefficient][..] { Some(one) } else { None }
    }

    /// The step that divides by x^s or multiplies by x^(−s), with x.
    fn as_exponent(&self, coefficient: usize) -> Option<(usize, Variable)> {
        let at = self.once(coefficient)?;
        let above = self.only(at)?;
        let (power, is_negative) = if self.steps[above] == Step::Negate(at) { (self.only(above)?, true) } else { (above, false) };
        let Step::PowerOf(of, _) = self.steps[power] else { return None };
        let term = self.only(power)?;
        match self.steps[term] {
            Step::Divide(_, below) if below == power && !is_negative => Some((term, of)),
            Step::Multiply(..) if is_negative => Some((term, of)),
            _ => None,
        }
    }

    /// The exponent that goes with a factor.
    fn as_factor(&self, coefficient: usize) -> Option<(Variable, usize)> {
        let at = self.once(coefficient)?;
        let term = self.only(at)?;
        let exponent =
            (0..self.places.len()).find_map(|j| self.as_exponent(j).filter(|(found, _)| *found == term).map(|(_, of)| (of, j)))?;
        match self.steps[term] {
            Step::Divide(x, _) if x == at => Some(exponent),
            Step::Multiply(x, y) if x == at || y == at => Some(exponent),
            _ => None,
        }
    }

    /// Whether a coefficient is added to all else.
    fn is_floor(&self, coefficient: usize) -> bool {
        let Some(mut at) = self.once(coefficient) else { return false };
        while at + 1 < self.steps.len() {
            let Some(above) = self.only(at).filter(|&above| matches!(self.steps[above], Step::Add(..))) else { return false };
            at = above;
        }
        true
    }

    /// What a coefficient is, where that is seen.
    pub(super) fn kind(&self, coefficient: usize) -> Option<Kind> {
        let has_factor = |term: usize| {
            (0..self.places.len()).any(|j| self.as_factor(j).is_some() && self.once(j).and_then(|at| self.only(at)) == Some(term))
        };
        if let Some((of, exponent)) = self.as_factor(coefficient) {
            return Some(Kind::Factor { of, exponent });
        }
        if let Some((_, of)) = self.as_exponent(coefficient).filter(|(term, _)| has_factor(*term)) {
            return Some(Kind::Exponent { of });
        }
        self.is_floor(coefficient).then_some(Kind::Floor)
    }
}

/// Whether a step is a sum of coefficients and of terms A/x^s alone, given that every coefficient is part of one.
pub(super) fn is_sum(steps: &[Step], at: usize) -> bool {
    let coefficient = |at: usize| matches!(steps[at], Step::Coefficient(_));
    let power = |at: usize| matches!(steps[at], Step::PowerOf(_, s) if coefficient(s));
    let inverse = |at: usize| matches!(steps[at], Step::PowerOf(_, s) if matches!(steps[s], Step::Negate(s) if coefficient(s)));
    match steps[at] {
        Step::Add(x, y) => is_sum(steps, x) && is_sum(steps, y),
        Step::Coefficient(_) => true,
        Step::Divide(x, y) => coefficient(x) && power(y),
        Step::Multiply(x, y) => coefficient(x) && inverse(y) || coefficient(y) && inverse(x),
        _ => false,
    }
}
