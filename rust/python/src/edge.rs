//! The edge.

use std::time::Duration;

use hyperweb_edge as edge;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use crate::errors::edge_error;

/// A running edge.
#[pyclass(frozen, module = "hyperweb._core")]
struct Edge {
    inner: edge::Edge,
}

fn json<'py>(py: Python<'py>, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = serde_json::to_vec(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &[u8]) -> PyResult<T> {
    serde_json::from_slice(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

#[pymethods]
impl Edge {
    #[new]
    fn new(py: Python<'_>, config: &[u8]) -> PyResult<Self> {
        let config: edge::Config = from_json(config)?;
        let inner = py
            .detach(|| edge::Edge::start(&config))
            .map_err(|error| edge_error(&error))?;
        Ok(Self { inner })
    }

    fn addresses(&self) -> Vec<String> {
        self.inner.addresses().iter().map(ToString::to_string).collect()
    }

    fn plain_addresses(&self) -> Vec<String> {
        self.inner.plain_addresses().iter().map(ToString::to_string).collect()
    }

    fn reload_certificates(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.reload_certificates())
            .map_err(|error| edge_error(&error))
    }

    fn set_upstreams(&self, site: &str, addresses: Vec<String>) -> PyResult<()> {
        self.inner
            .set_upstreams(site, &addresses)
            .map_err(|error| edge_error(&error))
    }

    fn has_routes(&self, site: &str) -> PyResult<bool> {
        self.inner.has_routes(site).map_err(|error| edge_error(&error))
    }

    fn reload<'py>(&self, py: Python<'py>, site: &str) -> PyResult<Bound<'py, PyBytes>> {
        let found = py
            .detach(|| self.inner.reload(site))
            .map_err(|error| edge_error(&error))?;
        json(py, &found)
    }

    fn set_version(&self, site: &str, version: &str) -> PyResult<()> {
        self.inner
            .set_version(site, version)
            .map_err(|error| edge_error(&error))
    }

    fn purge(&self, py: Python<'_>, purge: &[u8]) -> PyResult<usize> {
        let purge: edge::Purge = from_json(purge)?;
        Ok(py.detach(|| self.inner.purge(&purge)))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        json(py, &self.inner.stats())
    }

    fn outstanding(&self, site: &str) -> PyResult<u64> {
        self.inner.outstanding(site).map_err(|error| edge_error(&error))
    }

    fn check(&self) -> PyResult<()> {
        self.inner.check().map_err(|error| edge_error(&error))
    }

    fn descriptors(&self) -> Vec<i32> {
        self.inner.descriptors()
    }

    #[pyo3(signature = (seconds, patience = 0.0))]
    fn drain(&self, py: Python<'_>, seconds: f64, patience: f64) -> bool {
        let time = |seconds: f64| Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0));
        py.detach(|| self.inner.drain(time(seconds), time(patience)))
    }
}

/// A certificate for development, and its key.
#[pyfunction]
fn self_signed(py: Python<'_>, hosts: Vec<String>) -> PyResult<(String, String)> {
    py.detach(|| edge::self_signed(&hosts))
        .map_err(|error| edge_error(&error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(self_signed, module)?)?;
    module.add_class::<Edge>()
}
