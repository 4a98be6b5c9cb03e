//! Laws of one's own: the arithmetic of a Python function, as Python saw it happen, or the function itself.

use crate::given::Arguments;
use crate::{Answer, Error, LAW, capsule};
use pyo3::prelude::*;
use scalelab::law::{AnyFormula, Called, Declared, Losses, Slopes, Step, Variable, Written};
use scalelab::study::LawName;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A law behind a capsule.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) formula: Arc<dyn AnyFormula>,
    /// Of a law that calls Python.
    pub(crate) calls: Option<Arc<Calls>>,
}

/// How calls of Python go.
#[derive(Default)]
pub(crate) struct Calls {
    /// Whether nobody waits for them any more.
    stopped: AtomicBool,
    /// What the first that failed raised.
    raised: Mutex<Option<PyErr>>,
}

impl Calls {
    /// Before work: what was raised in work that somebody interrupted is forgotten.
    pub(crate) fn begin(&self) {
        self.stopped.store(false, Ordering::Relaxed);
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From now on no call is made: whatever still asks is told no number, and comes to its end.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// What the first call that failed raised.
    pub(crate) fn raised(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What a call returns; nothing where it fails, or Python is gone.
    fn made<T>(&self, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Option<T> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        match Python::try_attach(call)? {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.stop();
                self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                None
            }
        }
    }
}

/// A list of numbers, as many as there are places.
fn numbers(answer: &Bound<'_, PyAny>, places: usize) -> PyResult<Vec<f64>> {
    let numbers: Vec<f64> = answer.extract()?;
    if numbers.len() == places { Ok(numbers) } else { Err(Error::new_err(format!("{} numbers for {places} places", numbers.len()))) }
}

/// A coefficient: its name, (low, high) or None, start or None.
type Given = (String, Option<(f64, f64)>, Option<f64>);

/// (name, [(coefficient, (low, high) or None, start or None)], [(what, x, y)]) → law; x and y are places of earlier steps, or a number, or
/// the name of a variable.
pub(crate) fn own_law(args: &Arguments<'_, '_>) -> Answer {
    let (name, coefficients): (String, Vec<Given>) = (args.get(0)?.extract()?, args.get(1)?.extract()?);
    let steps: Vec<(String, Bound<'_, PyAny>, usize)> = args.get(2)?.extract()?;
    check_name(&name)?;
    let declared: Vec<Declared> = coefficients.into_iter().map(declared).collect();
    let steps: Vec<Step> = steps.iter().map(|(what, x, y)| step(what, x, *y)).collect::<PyResult<_>>()?;
    let law = Written::new(&name, &declared, &steps).map_err(Error::new_err)?;
    behind_a_capsule(args, Arc::new(law), None)
}

/// (name, text, [(coefficient, (low, high), start or None)], variables, losses, slopes or None) → law; `losses` is called with a list of
/// coefficients and a list of values of each variable, `slopes` likewise, for a list for each coefficient.
pub(crate) fn called_law(args: &Arguments<'_, '_>) -> Answer {
    let (name, text): (String, String) = (args.get(0)?.extract()?, args.get(1)?.extract()?);
    let (coefficients, variables): (Vec<Given>, Vec<String>) = (args.get(2)?.extract()?, args.get(3)?.extract()?);
    check_name(&name)?;
    let declared: Vec<Declared> = coefficients.into_iter().map(declared).collect();
    let variables: Vec<Variable> = variables.iter().map(|name| variable(name)).collect::<PyResult<_>>()?;
    let calls = Arc::new(Calls::default());
    let (of_losses, function) = (calls.clone(), args.get(4)?.unbind());
    let losses: Losses = Box::new(move |c, columns| {
        let places = columns.first().map_or(0, Vec::len);
        let call = |py: Python<'_>| numbers(&function.bind(py).call1((c.to_vec(), columns.to_vec()))?, places);
        of_losses.made(call).unwrap_or_else(|| vec![f64::NAN; places])
    });
    let (of_slopes, count) = (calls.clone(), declared.len());
    let slopes = args.optional(5)?.map(Bound::unbind).map(|function| -> Slopes {
        Box::new(move |c, columns| {
            let places = columns.first().map_or(0, Vec::len);
            let call = |py: Python<'_>| {
                let all = function.bind(py).call1((c.to_vec(), columns.to_vec()))?;
                all.try_iter()?.map(|one| numbers(&one?, places)).collect::<PyResult<Vec<_>>>()
            };
            of_slopes.made(call).filter(|all| all.len() == count).unwrap_or_else(|| vec![vec![f64::NAN; places]; count])
        })
    });
    let law = Called::new(&name, &text, &declared, variables, losses, slopes).map_err(Error::new_err)?;
    behind_a_capsule(args, Arc::new(law), Some(calls))
}

/// A law as Python holds it, with its text and the names of its coefficients in their order.
fn behind_a_capsule(args: &Arguments<'_, '_>, formula: Arc<dyn AnyFormula>, calls: Option<Arc<Calls>>) -> Answer {
    let order: Vec<&str> = formula.coefficients().iter().map(|one| one.name).collect();
    let (text, capsule) = (formula.text(), capsule(args.py(), Own { formula: formula.clone(), calls }, LAW)?);
    Ok((capsule, text, order).into_pyobject(args.py())?.into_any().unbind())
}

fn check_name(name: &str) -> PyResult<()> {
    if LawName::all().contains(&name) || name == "all" {
        return Err(Error::new_err(format!("{name} is a law that there is already: call yours by another name")));
    }
    Ok(())
}

fn declared((name, range, start): Given) -> Declared {
    Declared { name, range: range.map(|(low, high)| [low, high]), start }
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
