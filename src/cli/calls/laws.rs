//! The laws by name, as a program lists and evaluates them.

use super::Refusal;
use crate::law::{AnyFormula, DataConstrained, Kind, Law, PUBLISHED, Point, Variable, formula, published};
use serde_json::{Value, json};
use std::sync::Arc;

/// Every formula with its text, variables and coefficients.
pub fn formulas() -> Value {
    let coefficient = |one: &crate::law::Coefficient| {
        let kind = match one.kind {
            Kind::Floor => "floor",
            Kind::Factor { .. } => "factor",
            Kind::Exponent { .. } => "exponent",
            Kind::Level => "level",
            Kind::Positive { .. } => "positive",
            Kind::Free { .. } => "free",
        };
        json!({ "name": one.name, "kind": kind })
    };
    let one = |formula: &Arc<dyn AnyFormula>| {
        let variables: Vec<&str> = formula.variables().iter().map(|one| one.name()).collect();
        let coefficients: Vec<Value> = formula.coefficients().iter().map(coefficient).collect();
        json!({ "name": formula.name(), "formula": formula.text(), "variables": variables, "coefficients": coefficients })
    };
    crate::law::formulas().iter().map(one).collect()
}

/// Every published law with its coefficients and its source.
pub fn published_laws() -> Value {
    let one = |law: &crate::law::PublishedLaw| {
        let c = law.law;
        let coefficients = json!({ "E": c.e, "A": c.a, "B": c.b, "alpha": c.alpha, "beta": c.beta });
        json!({ "name": law.name, "law": "chinchilla", "coefficients": coefficients, "source": law.source })
    };
    PUBLISHED.iter().map(one).collect()
}

/// Losses of a formula by name at places, each a variable by its name with a value a place; `base` is the published law that
/// `data-constrained` rests on.
///
/// # Errors
/// Where there is no such law, it has other coefficients, or a variable that it depends on is missing or not above 0.
pub fn losses(name: &str, coefficients: &[f64], places: &[(String, Vec<f64>)], base: Option<&str>) -> Result<Vec<f64>, Refusal> {
    let known = formula(name).ok_or_else(|| Refusal(format!("there is no law {name}; choose from {}", names().join(", "))))?;
    let formula = match (name, base) {
        ("data-constrained", Some(base)) => {
            let law = published(base).ok_or_else(|| Refusal(format!("there is no published law `{base}`")))?;
            Arc::new(DataConstrained { base: law.law })
        }
        ("data-constrained", None) => {
            return Err(Refusal("data-constrained rests on a law of data seen once: name a published one, base=\"hoffmann\"".into()));
        }
        _ => known,
    };
    let needed = formula.coefficients().len();
    if coefficients.len() != needed {
        return Err(Refusal(format!("{name} has {needed} coefficients, and {} are given", coefficients.len())));
    }
    check(&formula, places)?;
    Ok(losses_at(&Law::new(formula, coefficients.to_vec()), places))
}

/// Losses of a law with its coefficients at places, as of [`losses`].
///
/// # Errors
/// Where a variable that it depends on is missing or not above 0.
pub fn losses_of(law: &Law, places: &[(String, Vec<f64>)]) -> Result<Vec<f64>, Refusal> {
    check(law.formula(), places)?;
    Ok(losses_at(law, places))
}

fn losses_at(law: &Law, places: &[(String, Vec<f64>)]) -> Vec<f64> {
    let count = places.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    (0..count).map(|at| law.loss(&point(places, at))).collect()
}

fn check(formula: &Arc<dyn AnyFormula>, places: &[(String, Vec<f64>)]) -> Result<(), Refusal> {
    for variable in formula.variables() {
        let given = places.iter().find(|(known, _)| known == variable.name());
        let values = &given.ok_or_else(|| Refusal(format!("{} depends on {}, which is not given", formula.name(), variable.name())))?.1;
        if let Some(value) = values.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return Err(Refusal(format!("{} is {value}; it must be a finite number above 0", variable.name())));
        }
    }
    Ok(())
}

fn names() -> Vec<&'static str> {
    crate::law::formulas().iter().map(|formula| formula.name()).collect()
}

/// The point of the variables at one place.
fn point(places: &[(String, Vec<f64>)], at: usize) -> Point {
    let of = |variable: Variable| places.iter().find(|(name, _)| name == variable.name()).and_then(|(_, values)| values.get(at).copied());
    let (n, d) = (of(Variable::N).unwrap_or(f64::NAN), of(Variable::D).unwrap_or(f64::NAN));
    Point {
        c: of(Variable::C).unwrap_or(6.0 * n * d),
        batch: of(Variable::Batch),
        steps: of(Variable::Steps),
        unique_tokens: of(Variable::Unique),
        ..Point::new(n, d, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, coefficients: &[f64], places: &[(&str, f64)], base: Option<&str>) -> Result<Vec<f64>, Refusal> {
        let places: Vec<(String, Vec<f64>)> = places.iter().map(|(name, value)| ((*name).to_owned(), vec![*value])).collect();
        losses(name, coefficients, &places, base)
    }

    #[test]
    fn a_law_by_its_name_is_the_law() {
        // 1.69 + 406.4/10^(10·0.34) + 410.7/10^(11·0.28).
        let found = at("chinchilla", &[1.69, 406.4, 410.7, 0.34, 0.28], &[("N", 1e10), ("D", 1e11)], None).expect("a loss")[0];
        assert!((found - (1.69 + 406.4 * 10f64.powf(-3.4) + 410.7 * 10f64.powf(-3.08))).abs() < 1e-12, "{found}");
        let places = [("N", 1e9), ("D", 4e10), ("unique tokens", 4e10)];
        let once = at("data-constrained", &[5.0, 15.0], &places, Some("datablations")).expect("a loss")[0];
        assert!((once - published("datablations").expect("known").law.at(1e9, 4e10)).abs() < 0.05, "{once}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |name: &str, c: &[f64], places: &[(&str, f64)]| at(name, c, places, None).expect_err("refused").0;
        assert!(refused("chinchila", &[], &[]).contains("choose from chinchilla"));
        assert!(refused("chinchilla", &[1.0], &[]).contains("has 5 coefficients, and 1 are given"));
        assert!(refused("chinchilla", &[1.0; 5], &[("N", 1e9)]).contains("depends on D"));
        assert!(refused("chinchilla", &[1.0; 5], &[("N", 1e9), ("D", -1.0)]).contains("D is -1"));
        assert!(refused("data-constrained", &[1.0; 2], &[]).contains("base="));
    }
}
