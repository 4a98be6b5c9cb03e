//! What Python calls: the commands of scalelab as functions, studies and comparisons behind capsules. The module `scalelab` over it,
//! in Python, makes frames, figures and help of these.
//!
//! pyo3 stands here without its macros: these want a parser with more features than the rest of the program has, and every library would
//! be compiled a second time for the wheel.

mod given;
mod own;
mod waiting;

use given::{Arguments, refused, text_of};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyCapsule, PyCapsuleMethods, PyDict, PyTuple};
use scalelab::cli::calls::{self, Comparison, Heard, Runs, Studied};
use scalelab::study::LawName;
use std::ffi::{CStr, OsString};
use std::sync::Arc;
use waiting::waiting;

pyo3::create_exception!(scalelab, Error, PyValueError, "What was asked is refused, or the work failed; the words say what to do.");

/// What a function returns.
type Answer = PyResult<Py<PyAny>>;

const STUDY: &CStr = c"scalelab.study";
const COMPARISON: &CStr = c"scalelab.comparison";
const LAW: &CStr = c"scalelab.law";

/// An answer with what was said on the way.
fn with_said<'py, T: IntoPyObject<'py>>(py: Python<'py>, answer: T, said: Vec<String>) -> Answer {
    Ok((answer, said).into_pyobject(py)?.into_any().unbind())
}

/// The answer of a call, or its refusal as an exception.
fn answered<T>(heard: Heard<T>) -> PyResult<(T, Vec<String>)> {
    Ok((heard.answer.map_err(refused)?, heard.said))
}

fn capsule<T: 'static + Send>(py: Python<'_>, value: T, name: &'static CStr) -> PyResult<Py<PyAny>> {
    Ok(PyCapsule::new_with_value(py, value, name)?.into_any().unbind())
}

/// What an own capsule holds.
fn held<T: Clone + 'static>(object: &Bound<'_, PyAny>, name: &'static CStr) -> PyResult<T> {
    let capsule = object.cast::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(name))?.cast::<T>();
    // SAFETY: the capsule bears a name that is given to values of this type alone, and lives while it is borrowed.
    Ok(unsafe { pointer.as_ref() }.clone())
}

fn text<'py>(py: Python<'py>, value: &str) -> Answer {
    Ok(value.into_pyobject(py)?.into_any().unbind())
}

/// (path, table, columns, words, laws) → (study, said)
fn fit(args: &Arguments<'_, '_>) -> Answer {
    let (runs, words) = (args.runs(0)?, args.words(3)?);
    let (laws, calls) = match args.optional(4)? {
        Some(laws) => laws_of(&laws).map(|(laws, calls)| (Some(laws), calls))?,
        None => (None, Vec::new()),
    };
    calls.iter().for_each(|one| one.begin());
    let found = waiting(args.py(), move || calls::fit(runs, &words, laws)).inspect_err(|_| calls.iter().for_each(|one| one.stop()))?;
    if let Some(raised) = calls.iter().find_map(|one| one.raised()) {
        return Err(raised);
    }
    let (study, said) = answered(found)?;
    let study = capsule(args.py(), Arc::new(study), STUDY)?;
    with_said(args.py(), study, said)
}

/// Laws by their names, or own ones behind capsules, and how those of them go that call Python.
fn laws_of(laws: &Bound<'_, PyAny>) -> PyResult<(Vec<LawName>, Vec<Arc<own::Calls>>)> {
    let (mut named, mut calls) = (Vec::new(), Vec::new());
    for law in laws.try_iter()? {
        let law = law?;
        named.push(match text_of(&law) {
            Some(name) => name.parse::<LawName>().map_err(|why| Error::new_err(format!("law {name}: {why}")))?,
            None => {
                let own: own::Own = held(&law, LAW)?;
                calls.extend(own.calls);
                LawName::Formula(own.formula)
            }
        });
    }
    Ok((named, calls))
}

fn study(args: &Arguments<'_, '_>) -> PyResult<Arc<Studied>> {
    held(&args.get(0)?, STUDY)
}

/// (study, all) → text
fn screen(args: &Arguments<'_, '_>) -> Answer {
    let (study, all) = (study(args)?, args.get(1)?.extract()?);
    text(args.py(), &waiting(args.py(), move || study.screen(all))?)
}

/// (study) → JSON
fn document(args: &Arguments<'_, '_>) -> Answer {
    let study = study(args)?;
    let found = waiting(args.py(), move || study.as_json().map(|document| format!("{document:#}")))?;
    text(args.py(), &found.map_err(refused)?)
}

/// (study, words) → JSON
fn recommend(args: &Arguments<'_, '_>) -> Answer {
    let (study, words) = (study(args)?, args.words(1)?);
    let found = waiting(args.py(), move || study.recommend(&words).map(|advice| advice.to_string()))?;
    text(args.py(), &found.map_err(refused)?)
}

/// (study, N, D, level) → JSON
fn predict(args: &Arguments<'_, '_>) -> Answer {
    let (study, n, d, level): (_, Vec<f64>, Vec<f64>, Option<f64>) =
        (study(args)?, args.get(1)?.extract()?, args.get(2)?.extract()?, args.get(3)?.extract()?);
    let places: Vec<(f64, f64)> = n.into_iter().zip(d).collect();
    let found = waiting(args.py(), move || study.predict(&places, level).map(|ahead| serde_json::json!(ahead).to_string()))?;
    text(args.py(), &found.map_err(refused)?)
}

/// (study) → JSON or None
fn together(args: &Arguments<'_, '_>) -> Answer {
    let study = study(args)?;
    let found = waiting(args.py(), move || study.together().map(|one| serde_json::json!(one).to_string()))?;
    Ok(found.into_pyobject(args.py())?.into_any().unbind())
}

/// (study) → texts
fn warnings(args: &Arguments<'_, '_>) -> Answer {
    Ok(study(args)?.warnings().into_pyobject(args.py())?.into_any().unbind())
}

/// (study, name) → PNG
fn figure(args: &Arguments<'_, '_>) -> Answer {
    let (study, name): (_, String) = (study(args)?, args.get(1)?.extract()?);
    let picture = waiting(args.py(), move || study.figure(&name))?.map_err(refused)?;
    Ok(PyBytes::new(args.py(), &picture).into_any().unbind())
}

/// (study) → names of its laws, the one that speaks first
fn laws(args: &Arguments<'_, '_>) -> Answer {
    let study = study(args)?;
    let names: Vec<&str> = study.laws().map(|law| law.name()).collect();
    Ok(names.into_pyobject(args.py())?.into_any().unbind())
}

/// (study, name of a law, {variable: values}) → its losses
fn law_losses(args: &Arguments<'_, '_>) -> Answer {
    let (study, name, places): (_, String, _) = (study(args)?, args.get(1)?.extract()?, args.places(2)?);
    let law = study.laws().find(|law| law.name() == name).ok_or_else(|| Error::new_err(format!("{name} was not fitted")))?.clone();
    let losses = waiting(args.py(), move || calls::losses_of(&law, &places))?.map_err(refused)?;
    Ok(losses.into_pyobject(args.py())?.into_any().unbind())
}

/// (names, runs, words) → (comparison, said)
fn compare(args: &Arguments<'_, '_>) -> Answer {
    let (all, words) = (args.named_runs(0)?, args.words(1)?);
    let (found, said) = answered(waiting(args.py(), move || calls::compare(all, &words))?)?;
    let found = capsule(args.py(), Arc::new(found), COMPARISON)?;
    with_said(args.py(), found, said)
}

/// (path, table, columns, words) → (comparison, said)
fn fit_by(args: &Arguments<'_, '_>) -> Answer {
    let (runs, words): (Runs, _) = (args.runs(0)?, args.words(3)?);
    let (found, said) = answered(waiting(args.py(), move || calls::fit_by(runs, &words))?)?;
    let found = capsule(args.py(), Arc::new(found), COMPARISON)?;
    with_said(args.py(), found, said)
}

fn comparison(args: &Arguments<'_, '_>) -> PyResult<Arc<Comparison>> {
    held(&args.get(0)?, COMPARISON)
}

/// (comparison, all) → text
fn comparison_screen(args: &Arguments<'_, '_>) -> Answer {
    let (found, all) = (comparison(args)?, args.get(1)?.extract()?);
    text(args.py(), &waiting(args.py(), move || found.screen(all))?)
}

/// (comparison) → JSON
fn comparison_document(args: &Arguments<'_, '_>) -> Answer {
    let document = comparison(args)?.as_json().map_err(refused)?;
    text(args.py(), &format!("{document:#}"))
}

/// (comparison) → PNG
fn comparison_figure(args: &Arguments<'_, '_>) -> Answer {
    let found = comparison(args)?;
    let picture = waiting(args.py(), move || found.figure())?.map_err(refused)?;
    Ok(PyBytes::new(args.py(), &picture).into_any().unbind())
}

/// (names, runs, words) → ((text, JSON), said)
fn speedup(args: &Arguments<'_, '_>) -> Answer {
    let (all, words) = (args.named_runs(0)?, args.words(1)?);
    let (found, said) = answered(waiting(args.py(), move || calls::speedup(all, &words))?)?;
    with_said(args.py(), (found.text, format!("{:#}", found.document)), said)
}

/// (words) → ((text, JSON), said)
fn plan(args: &Arguments<'_, '_>) -> Answer {
    let words = args.words(0)?;
    let (found, said) = answered(waiting(args.py(), move || calls::plan(&words))?)?;
    with_said(args.py(), (found.text, format!("{:#}", found.document)), said)
}

/// () → JSON
fn formulas(args: &Arguments<'_, '_>) -> Answer {
    text(args.py(), &calls::formulas().to_string())
}

/// () → JSON
fn published(args: &Arguments<'_, '_>) -> Answer {
    text(args.py(), &calls::published_laws().to_string())
}

/// () → [(name, caption)]
fn figures(args: &Arguments<'_, '_>) -> Answer {
    Ok(calls::figures().into_pyobject(args.py())?.into_any().unbind())
}

/// (name, coefficients, {variable: values}, base) → losses
fn losses(args: &Arguments<'_, '_>) -> Answer {
    let (name, coefficients, places, base): (String, Vec<f64>, _, Option<String>) =
        (args.get(0)?.extract()?, args.get(1)?.extract()?, args.places(2)?, args.get(3)?.extract()?);
    let losses = calls::losses(&name, &coefficients, &places, base.as_deref()).map_err(refused)?;
    Ok(losses.into_pyobject(args.py())?.into_any().unbind())
}

/// (law, words) → (JSON, said)
fn recommend_published(args: &Arguments<'_, '_>) -> Answer {
    let (name, words): (String, _) = (args.get(0)?.extract()?, args.words(1)?);
    let (advice, said) = answered(waiting(args.py(), move || calls::recommend_published(&name, &words))?)?;
    with_said(args.py(), advice.to_string(), said)
}

/// (words of the line, words that start the program, file of this module) → exit code
fn main(args: &Arguments<'_, '_>) -> Answer {
    let words = |at: usize| args.words(at).map(|words| words.into_iter().map(OsString::from).collect::<Vec<OsString>>());
    let (line, start, file): (_, _, String) = (words(0)?, words(1)?, args.get(2)?.extract()?);
    scalelab::cli::hosted_by(start, file.into());
    let code = args.py().detach(|| scalelab::cli::run(line));
    Ok(code.into_pyobject(args.py())?.into_any().unbind())
}

/// A function of the module.
type Function = fn(&Arguments<'_, '_>) -> Answer;

const FUNCTIONS: [(&CStr, Function); 22] = [
    (c"fit", fit),
    (c"screen", screen),
    (c"document", document),
    (c"recommend", recommend),
    (c"predict", predict),
    (c"together", together),
    (c"warnings", warnings),
    (c"figure", figure),
    (c"laws", laws),
    (c"law_losses", law_losses),
    (c"compare", compare),
    (c"fit_by", fit_by),
    (c"comparison_screen", comparison_screen),
    (c"comparison_document", comparison_document),
    (c"comparison_figure", comparison_figure),
    (c"speedup", speedup),
    (c"plan", plan),
    (c"formulas", formulas),
    (c"published", published),
    (c"figures", figures),
    (c"losses", losses),
    (c"recommend_published", recommend_published),
];

fn filled(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("Error", py.get_type::<Error>())?;
    module.add("version", env!("CARGO_PKG_VERSION"))?;
    for (name, function) in FUNCTIONS.into_iter().chain([
        (c"main", main as Function),
        (c"own_law", own::own_law as Function),
        (c"called_law", own::called_law as Function),
    ]) {
        let called = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| function(&Arguments(args));
        module.add(name.to_str().expect("a name of ours"), PyCFunction::new_closure(py, Some(name), None, called)?)?;
    }
    Ok(())
}

static mut DEFINITION: ffi::PyModuleDef = ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"_scalelab".as_ptr(),
    m_doc: c"The Rust side of scalelab.".as_ptr(),
    m_size: -1,
    m_methods: std::ptr::null_mut(),
    m_slots: std::ptr::null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// What Python calls to make the module; null with an exception set where it cannot be made.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__scalelab() -> *mut ffi::PyObject {
    Python::attach(|py| {
        // SAFETY: Python holds its lock while it imports, and the definition lives as long as the program and is only Python's to change.
        let module = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyModule_Create(&raw mut DEFINITION)) };
        let module = module.and_then(|module| {
            let module = module.cast_into::<PyModule>()?;
            filled(&module)?;
            Ok(module)
        });
        match module {
            Ok(module) => module.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
    })
}
