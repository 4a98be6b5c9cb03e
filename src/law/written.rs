//! A law that is written down while the program runs: arithmetic as a list of steps, of which what its coefficients are is read off where
//! that can be seen. It is a [`Formula`] like those of `formulas/`, with the same derivatives.

use super::declared::{Declared, kept, kind};
use super::formula::{Coefficient, Formula, Kind, Place};
use super::number::Number;
use super::seen::{Seen, is_sum};
use super::spelt::spelt;
use super::steps::{Step, needed, variables};
use super::{Chinchilla, Variable};

/// A law that is written down while the program runs. What it declares is kept as long as the program lives.
#[derive(Debug, Clone)]
pub struct Written {
    name: &'static str,
    text: &'static str,
    coefficients: &'static [Coefficient],
    variables: &'static [Variable],
    steps: Vec<Step>,
    /// Whether it is a sum of a floor and of powers, no more.
    is_sum: bool,
}

impl Written {
    /// A law from its steps, the last of which is the loss. Floors and factors come first among its coefficients, whatever their order.
    ///
    /// # Errors
    /// Where a coefficient is unused or nobody says where it lies, or the loss depends on no quantity of the runs; in words.
    pub fn new(name: &str, declared: &[Declared], steps: &[Step]) -> Result<Self, String> {
        let steps = needed(steps)?;
        let used = |j: usize| steps.contains(&Step::Coefficient(j));
        if let Some((_, one)) = declared.iter().enumerate().find(|(j, _)| !used(*j)) {
            return Err(format!("the formula of {name} does not use the coefficient {}", one.name));
        }
        let variables = variables(&steps);
        if variables.is_empty() {
            return Err(format!("the formula of {name} depends on no quantity of the runs, such as N or D"));
        }
        let seen = Seen::of(&steps, declared.len());
        let kinds: Vec<Kind> = declared.iter().enumerate().map(|(j, one)| kind(name, one, seen.kind(j))).collect::<Result<_, _>>()?;
        // Floors, then factors, then the others; within each as declared.
        let rank = |j: &usize| match kinds[*j] {
            Kind::Floor => 0,
            Kind::Factor { .. } => 1,
            _ => 2,
        };
        let mut order: Vec<usize> = (0..declared.len()).collect();
        order.sort_by_key(rank);
        let place = |j: usize| order.iter().position(|other| *other == j).expect("each has its place");
        let coefficient = |&j: &usize| Coefficient {
            name: kept(&declared[j].name),
            kind: match kinds[j].clone() {
                Kind::Factor { of, exponent } => Kind::Factor { of, exponent: place(exponent) },
                other => other,
            },
        };
        let coefficients: Vec<Coefficient> = order.iter().map(coefficient).collect();
        let steps: Vec<Step> =
            steps.into_iter().map(|step| if let Step::Coefficient(j) = step { Step::Coefficient(place(j)) } else { step }).collect();
        let is_plain = |one: &Coefficient| matches!(one.kind, Kind::Floor | Kind::Factor { .. } | Kind::Exponent { .. });
        let is_sum = coefficients.iter().all(is_plain) && is_sum(&steps, steps.len() - 1);
        let text = kept(&spelt(&steps, &coefficients, &variables));
        Ok(Self { name: kept(name), text, coefficients: coefficients.leak(), variables: variables.leak(), steps, is_sum })
    }
}

/// Largest whole exponent that is multiplied out.
const WHOLE: f64 = 8.0;

/// x^p; of a small whole p for any x.
fn power<T: Number>(x: T, p: T, exponent: Step) -> T {
    match exponent {
        Step::Number(p) if p.fract() == 0.0 && (1.0..=WHOLE).contains(&p) => (1..p as usize).fold(x, |product, _| product * x),
        _ => x.pow(p),
    }
}

impl Formula for Written {
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

    fn is_power_sum(&self) -> bool {
        self.is_sum
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let mut values: Vec<T> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            values.push(match *step {
                Step::Coefficient(j) => c[j],
                Step::Variable(variable) => at.ln(variable).exp(),
                Step::Number(value) => T::constant(value),
                Step::Add(x, y) => values[x] + values[y],
                Step::Subtract(x, y) => values[x] - values[y],
                Step::Multiply(x, y) => values[x] * values[y],
                Step::Divide(x, y) => values[x] / values[y],
                Step::Power(x, y) => power(values[x], values[y], self.steps[y]),
                Step::PowerOf(variable, s) => (values[s] * at.ln(variable)).exp(),
                Step::Negate(x) => -values[x],
                Step::Exp(x) => values[x].exp(),
                Step::Ln(x) => values[x].ln(),
                Step::Max(x, y) => values[x].max(values[y]),
                Step::Min(x, y) => values[x].min(values[y]),
            });
        }
        values[values.len() - 1]
    }

    /// Of a floor and one term each of N and D it is the additive law itself.
    fn same_optima(&self, c: &[f64]) -> Option<Chinchilla> {
        let kinds: Vec<&Kind> = self.coefficients.iter().map(|one| &one.kind).collect();
        let (n, d) = (Variable::N, Variable::D);
        match kinds[..] {
            [Kind::Floor, Kind::Factor { of: first, exponent: s }, Kind::Factor { of: second, exponent: t }, _, _] if self.is_sum => {
                let of = |variable| if *first == variable { (c[1], c[*s]) } else { (c[2], c[*t]) };
                let ((a, alpha), (b, beta)) = (of(n), of(d));
                ([*first, *second] == [n, d] || [*first, *second] == [d, n]).then_some(Chinchilla { e: c[0], a, b, alpha, beta })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Additive, AnyFormula, Gamma, Law, Point, assert_derivatives};
    use proptest::prelude::*;

    fn declared(names: &[&str]) -> Vec<Declared> {
        names.iter().map(|name| Declared { name: (*name).to_owned(), ..Declared::default() }).collect()
    }

    /// E + A/N**alpha + B·D**(−beta), with the sum of the terms to the power gamma where it is asked for.
    fn steps(gamma: bool) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..5).map(Step::Coefficient).collect();
        steps.extend([Step::Variable(Variable::N), Step::Power(5, 3), Step::Divide(1, 6), Step::Variable(Variable::D), Step::Negate(4)]);
        steps.extend([Step::Power(8, 9), Step::Multiply(2, 10), Step::Add(7, 11)]);
        steps.extend(if gamma { vec![Step::Coefficient(5), Step::Power(12, 13), Step::Add(0, 14)] } else { vec![Step::Add(0, 12)] });
        steps
    }

    const NAMES: [&str; 6] = ["E", "A", "B", "alpha", "beta", "gamma"];

    #[test]
    fn a_sum_of_powers_is_seen_to_be_the_additive_law() {
        let law = Written::new("mine", &declared(&NAMES[..5]), &steps(false)).expect("a law");
        assert_eq!(Formula::coefficients(&law), Formula::coefficients(&Additive));
        assert!(Formula::is_power_sum(&law));
        assert_eq!(Formula::text(&law), "L(N, D) = E + A/N^alpha + B*D^(-beta)");
        let c = [1.7, 400.0, 420.0, 0.34, 0.28];
        assert_eq!(Formula::same_optima(&law, &c), Formula::same_optima(&Additive, &c));
        let point = Point::new(1e9, 3e10, 2.0);
        let apart = AnyFormula::loss(&law, &c, &point) / AnyFormula::loss(&Additive, &c, &point) - 1.0;
        assert!(apart.abs() < 1e-14, "{apart}");
    }

    #[test]
    fn coefficients_are_put_in_order_and_told_by_their_place_in_the_formula() {
        let mut all = declared(&NAMES);
        all[5].range = Some([0.02, 20.0]);
        let law = Written::new("mine", &all, &steps(true)).expect("a law");
        let (c, point) = ([1.7, 400.0, 420.0, 0.34, 0.28, 0.6], Point::new(1e9, 3e10, 2.0));
        assert!((AnyFormula::loss(&law, &c, &point) / AnyFormula::loss(&Gamma, &c, &point) - 1.0).abs() < 1e-13);
        assert!(!Formula::is_power_sum(&law) && Formula::same_optima(&law, &c).is_none());
        // The floor last, and first in the law.
        let steps: Vec<Step> = steps(false)
            .into_iter()
            .map(|step| if let Step::Coefficient(j) = step { Step::Coefficient((j + 4) % 5) } else { step })
            .collect();
        let law = Written::new("turned", &declared(&["A", "B", "alpha", "beta", "E"]), &steps).expect("a law");
        assert_eq!(Formula::coefficients(&law).iter().map(|one| one.name).collect::<Vec<_>>(), ["E", "A", "B", "alpha", "beta"]);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused_in_words() {
        let refused = |names: &[&str], steps: &[Step]| Written::new("mine", &declared(names), steps).expect_err("refused");
        assert!(refused(&NAMES, &steps(true)).contains("gamma is seen to be neither"));
        assert!(refused(&NAMES, &steps(false)).contains("does not use the coefficient gamma"));
        assert!(refused(&["E"], &[Step::Coefficient(0)]).contains("depends on no quantity"));
        assert!(refused(&[], &[]).contains("a list of steps"));
        assert!(refused(&[], &[Step::Negate(0)]).contains("earlier"));
        let within = |range: [f64; 2], start| {
            let mut all = declared(&NAMES);
            (all[5].range, all[5].start) = (Some(range), start);
            Written::new("mine", &all, &steps(true)).map(|law| Formula::coefficients(&law)[5].kind.clone())
        };
        assert!(within([2.0, 1.0], None).expect_err("refused").contains("the first must be the lower"));
        assert!(within([1.0, 2.0], Some(3.0)).expect_err("refused").contains("outside its bounds"));
        assert!(within([0.0, 2.0], None).expect_err("refused").contains("a value to start from"));
        assert!(matches!(within([-1.0, 2.0], None), Ok(Kind::Free { tried: [a, b, _], .. }) if *a == -0.5 && *b == 0.5));
        assert!(matches!(within([0.0, 2.0], Some(1.5)), Ok(Kind::Positive { tried: [a, b, c], .. }) if [*a, *b, *c] == [0.5, 1.5, 2.0]));
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(gamma in 0.3..1.5, alpha in 0.2..0.6, ln_n in 12.0..24.0, ln_d in 14.0..27.0) {
            let mut all = declared(&NAMES);
            all[5].range = Some([0.02, 20.0]);
            let law = Law::of(Written::new("mine", &all, &steps(true)).expect("a law"), [1.5, 300.0, 350.0, alpha, 0.3, gamma]);
            assert_derivatives(&law, &Point::new(f64::exp(ln_n), f64::exp(ln_d), 1.0));
        }

        #[test]
        fn no_list_of_steps_makes_it_panic(kinds in proptest::collection::vec((0..14usize, 0..12usize, 0..12usize), 0..12)) {
            let step = |(kind, x, y): (usize, usize, usize)| match kind {
                0 => Step::Coefficient(x % 3), 1 => Step::Variable(Variable::N), 2 => Step::Number(y as f64 - 3.0), 3 => Step::Add(x, y),
                4 => Step::Subtract(x, y), 5 => Step::Multiply(x, y), 6 => Step::Divide(x, y), 7 => Step::Power(x, y), 8 => Step::Negate(x),
                9 => Step::Exp(x), 10 => Step::Ln(x), 11 => Step::Max(x, y), 12 => Step::Min(x, y), _ => Step::Variable(Variable::D),
            };
            let steps: Vec<Step> = kinds.into_iter().map(step).collect();
            let all: Vec<Declared> = declared(&["a", "b", "c"]).into_iter().map(|one| Declared { range: Some([0.1, 1.0]), ..one }).collect();
            if let Ok(law) = Written::new("mine", &all, &steps) {
                AnyFormula::loss(&law, &[0.5, 0.4, 0.3], &Point::new(1e8, 1e9, 1.0));
            }
        }
    }
}
