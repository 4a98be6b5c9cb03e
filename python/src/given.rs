//! What Python hands over, as Rust takes it.

use crate::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use scalelab::cli::calls::{Refusal, Runs};

/// The arguments of a call, by their places.
pub(crate) struct Arguments<'a, 'py>(pub(crate) &'a Bound<'py, PyTuple>);

impl<'py> Arguments<'_, 'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.0.py()
    }

    pub(crate) fn get(&self, at: usize) -> PyResult<Bound<'py, PyAny>> {
        self.0.get_item(at).map_err(|_| PyTypeError::new_err(format!("argument {at} is missing")))
    }

    /// What stands there unless it is `None`.
    pub(crate) fn optional(&self, at: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(Some(self.get(at)?).filter(|one| !one.is_none()))
    }

    pub(crate) fn words(&self, at: usize) -> PyResult<Vec<String>> {
        self.get(at)?.extract()
    }

    /// Path, table and columns, from a place on.
    pub(crate) fn runs(&self, at: usize) -> PyResult<Runs> {
        let (path, table, columns): (String, Option<Vec<u8>>, _) = (self.get(at)?.extract()?, self.bytes(at + 1)?, self.words(at + 2)?);
        Ok(Runs { path: path.into(), table, columns })
    }

    fn bytes(&self, at: usize) -> PyResult<Option<Vec<u8>>> {
        self.optional(at)?.map(|bytes| Ok(bytes.extract::<&[u8]>()?.to_vec())).transpose()
    }

    /// A list of (name, path, table, columns).
    pub(crate) fn named_runs(&self, at: usize) -> PyResult<Vec<(String, Runs)>> {
        let one = |given: PyResult<Bound<'py, PyAny>>| {
            let given = given?.cast_into::<PyTuple>()?;
            let one = Arguments(&given);
            Ok((one.get(0)?.extract()?, one.runs(1)?))
        };
        self.get(at)?.try_iter()?.map(one).collect()
    }

    /// Values of variables by their names.
    pub(crate) fn places(&self, at: usize) -> PyResult<Vec<(String, Vec<f64>)>> {
        let places = self.get(at)?.cast_into::<PyDict>()?;
        places.iter().map(|(name, values)| Ok((name.extract()?, values.extract()?))).collect()
    }
}

/// The text that an object is, if it is one.
pub(crate) fn text_of(object: &Bound<'_, PyAny>) -> Option<String> {
    object.extract().ok()
}

/// A refusal as an exception.
pub(crate) fn refused(refusal: Refusal) -> PyErr {
    Error::new_err(refusal.0)
}
