//! The scan of a site's source files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyperweb_build::scan::{self, Changes};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyModule};

use crate::errors::source_errors;

/// The source files of a site.
#[pyclass(module = "hyperweb._core")]
struct Sources {
    inner: scan::Sources,
    skipped: Vec<PathBuf>,
}

#[pymethods]
impl Sources {
    #[new]
    #[pyo3(signature = (root, state, *, max_file))]
    fn new(root: &str, state: &str, max_file: u64) -> Self {
        Self {
            inner: scan::Sources::new(Path::new(root), Path::new(state), max_file),
            skipped: Vec::new(),
        }
    }

    #[pyo3(signature = (*, fresh=false))]
    fn scan(&mut self, py: Python<'_>, fresh: bool) -> PyResult<BTreeMap<String, String>> {
        py.detach(|| self.inner.scan(fresh))
            .map_err(|found| source_errors(py, found))
    }

    fn watch(&mut self, py: Python<'_>, skipped: Vec<String>) -> bool {
        self.skipped = skipped.into_iter().map(Into::into).collect();
        py.detach(|| self.inner.watch(&self.skipped))
    }

    fn wait(&self, py: Python<'_>, seconds: f64) -> bool {
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        py.detach(|| self.inner.wait(timeout))
    }

    fn look<'py>(&mut self, py: Python<'py>) -> PyResult<(bool, Bound<'py, PyDict>)> {
        let found = py
            .detach(|| self.inner.look(&self.skipped))
            .map_err(|found| source_errors(py, found))?;
        Ok(match found {
            Changes::Some(changed) => (false, changed.into_py_dict(py)?),
            Changes::All(files) => (true, files.into_py_dict(py)?),
        })
    }

    #[getter]
    fn changed(&self) -> bool {
        self.inner.changed()
    }

    #[getter]
    fn redated(&self) -> Vec<String> {
        self.inner.redated().to_vec()
    }

    #[getter]
    fn times(&self) -> BTreeMap<&str, u64> {
        self.inner.times().collect()
    }

    fn is_current(&self, py: Python<'_>) -> bool {
        py.detach(|| self.inner.is_current())
    }

    fn save(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.inner.save())?)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sources>()
}
