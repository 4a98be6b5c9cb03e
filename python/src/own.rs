//! Laws of one's own: the arithmetic of a Python function, as Python saw it happen.

use crate::given::Arguments;
use crate::{Answer, Error, LAW, capsule};
use pyo3::prelude::*;
use scalelab::law::{AnyFormula, Declared, Step, Variable, Written};
use scalelab::study::LawName;
use std::sync::Arc;

/// A law behind a capsule.
#[derive(Clone)]
pub(crate) struct Own(pub(crate) Arc<dyn AnyFormula>);

/// (name, [(coefficient, (low, high) or None, start or None)], [(what, x, y)]) → law; x and y are places of earlier steps, or a number, or
/// the name of a variable.
pub(crate) fn own_law(args: &Arguments<'_, '_>) -> Answer {
    let (name, coefficients, steps): (String, Vec<(String, Option<(f64, f64)>, Option<f64>)>, Vec<(String, Bound<'_, PyAny>, usize)>) =
        (args.get(0)?.extract()?, args.get(1)?.extract()?, args.get(2)?.extract()?);
    if LawName::all().contains(&name.as_str()) || name == "all" {
        return Err(Error::new_err(format!("{name} is a law that there is already: call yours by another name")));
    }
    let declared = |(name, range, start): (String, Option<(f64, f64)>, Option<f64>)| Declared {
        name,
        range: range.map(|(low, high)| [low, high]),
        start,
    };
    let declared: Vec<Declared> = coefficients.into_iter().map(declared).collect();
    let steps: Vec<Step> = steps.iter().map(|(what, x, y)| step(what, x, *y)).collect::<PyResult<_>>()?;
    let law = Written::new(&name, &declared, &steps).map_err(Error::new_err)?;
    let formula: Arc<dyn AnyFormula> = Arc::new(law);
    let order: Vec<&str> = formula.coefficients().iter().map(|one| one.name).collect();
    let (text, capsule) = (formula.text(), capsule(args.py(), Own(formula.clone()), LAW)?);
    Ok((capsule, text, order).into_pyobject(args.py())?.into_any().unbind())
}

fn step(what: &str, x: &Bound<'_, PyAny>, y: usize) -> PyResult<Step> {
    let place = || x.extract::<usize>();
    Ok(match what {
        "coefficient" => Step::Coefficient(place()?),
        "variable" => Step::Variable(variable(&x.extract::<String>()?)?),
        "number" => Step::Number(x.extract()?),
        "add" => Step::Add(place()?, y),
        "subtract" => Step::Subtract(place()?, y),
        "multiply" => Step::Multiply(place()?, y),
        "divide" => Step::Divide(place()?, y),
        "power" => Step::Power(place()?, y),
        "negate" => Step::Negate(place()?),
        "exp" => Step::Exp(place()?),
        "ln" => Step::Ln(place()?),
        "max" => Step::Max(place()?, y),
        "min" => Step::Min(place()?, y),
        other => return Err(Error::new_err(format!("{other} is no step of a formula"))),
    })
}

fn variable(name: &str) -> PyResult<Variable> {
    let known = [Variable::N, Variable::D, Variable::C, Variable::Batch, Variable::Steps, Variable::Unique];
    let found = known.into_iter().find(|variable| variable.name() == name);
    found.ok_or_else(|| Error::new_err(format!("{name} is no quantity of a run; there are {}", known.map(Variable::name).join(", "))))
}
