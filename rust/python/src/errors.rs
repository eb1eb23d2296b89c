//! Errors, as Python raises them. The stable ABI cannot subclass exceptions with fields, so the facts of an error are
//! attributes of the instance.

use hyperweb_build::SourceError as Found;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyModule};

create_exception!(_core, EdgeError, PyException);
create_exception!(_core, PackError, PyException);
create_exception!(_core, RouterError, PyException);
create_exception!(_core, SourceError, PyException);
create_exception!(_core, SourceErrors, PyException);

/// Makes Python's error of one of the build's.
pub(crate) fn source_object(py: Python<'_>, found: Found) -> PyResult<Bound<'_, PyAny>> {
    let made = py.get_type::<SourceError>().call1((&found.message,))?;
    made.setattr("message", found.message)?;
    made.setattr("file", found.file)?;
    made.setattr("line", found.line)?;
    made.setattr("column", found.column)?;
    made.setattr("hint", found.hint)?;
    made.setattr("frame", found.frame)?;
    Ok(made)
}

pub(crate) fn source_error(py: Python<'_>, found: Found) -> PyErr {
    match source_object(py, found) {
        Ok(made) => PyErr::from_value(made),
        Err(error) => error,
    }
}

pub(crate) fn source_errors(py: Python<'_>, found: Vec<Found>) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let errors = PyList::empty(py);
        for one in found {
            errors.append(source_object(py, one)?)?;
        }
        let made = py
            .get_type::<SourceErrors>()
            .call1((format!("{} source files are wrong", errors.len()),))?;
        made.setattr("errors", errors)?;
        Ok(PyErr::from_value(made))
    };
    made().unwrap_or_else(|error| error)
}

pub(crate) fn pack_error(error: &hyperweb_pack::PackError) -> PyErr {
    PackError::new_err(error.to_string())
}

pub(crate) fn edge_error(error: &hyperweb_edge::EdgeError) -> PyErr {
    EdgeError::new_err(error.to_string())
}

pub(crate) fn router_error(error: &hyperweb_router::RouterError) -> PyErr {
    RouterError::new_err(error.to_string())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("EdgeError", py.get_type::<EdgeError>())?;
    module.add("PackError", py.get_type::<PackError>())?;
    module.add("RouterError", py.get_type::<RouterError>())?;
    module.add("SourceError", py.get_type::<SourceError>())?;
    module.add("SourceErrors", py.get_type::<SourceErrors>())
}
