//! Paths to routes.

use hyperweb_router as router;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use crate::errors::router_error;

fn table(patterns: &[String]) -> PyResult<Vec<u8>> {
    let mut table = router::RouteTable::new();
    for (id, pattern) in (0..).zip(patterns) {
        table.add(pattern, id).map_err(|error| router_error(&error))?;
    }
    Ok(table.compile())
}

#[pyfunction]
fn compile_routes(py: Python<'_>, patterns: Vec<String>) -> PyResult<Bound<'_, PyBytes>> {
    Ok(PyBytes::new(py, &table(&patterns)?))
}

/// Finds the route of a path.
#[pyclass(frozen, module = "hyperweb._core")]
struct Router {
    inner: router::Router,
}

#[pymethods]
impl Router {
    #[new]
    fn new(patterns: Vec<String>) -> PyResult<Self> {
        let inner = router::Router::from_bytes(table(&patterns)?).map_err(|error| router_error(&error))?;
        Ok(Self { inner })
    }

    fn find(&self, path: &str) -> Option<(u32, Vec<(String, String)>)> {
        let mut params = router::Params::new();
        let id = self.inner.find(path, &mut params)?;
        Some((
            id,
            params
                .as_slice()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        ))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(compile_routes, module)?)?;
    module.add_class::<Router>()
}
