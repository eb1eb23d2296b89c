//! Scripts with all they import.

use std::collections::HashMap;
use std::path::PathBuf;

use hyperweb_build::bundle::{self, Job, Kind, Naming, Output};
use hyperweb_build::licenses::Licenses;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyList, PyModule};

use crate::assets::Targets;
use crate::errors::{source_errors, source_object};

/// A file that came of bundling.
#[pyclass(frozen, module = "hyperweb._core")]
struct BundleOutput {
    inner: Output,
}

#[pymethods]
impl BundleOutput {
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn url(&self) -> &str {
        &self.inner.url
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.inner.kind {
            Kind::Script => "script",
            Kind::Worker => "worker",
            Kind::Style => "style",
            Kind::Map => "map",
            Kind::Licenses => "licenses",
        }
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.bytes)
    }

    #[getter]
    fn entry(&self) -> Option<&str> {
        self.inner.entry.as_deref()
    }

    #[getter]
    fn imports(&self) -> Vec<String> {
        self.inner.imports.clone()
    }

    #[getter]
    fn dynamic(&self) -> Vec<String> {
        self.inner.dynamic.clone()
    }

    #[getter]
    fn styles(&self) -> Vec<String> {
        self.inner.styles.clone()
    }

    #[getter]
    fn modules(&self) -> Vec<(String, usize)> {
        self.inner.modules.clone()
    }
}

/// What came of bundling.
#[pyclass(frozen, module = "hyperweb._core")]
struct Bundle {
    #[pyo3(get)]
    outputs: Vec<Py<BundleOutput>>,
    #[pyo3(get)]
    inputs: Vec<String>,
    #[pyo3(get)]
    files: Vec<(String, String)>,
    #[pyo3(get)]
    led: Vec<String>,
    #[pyo3(get)]
    warnings: Py<PyList>,
}

#[pyfunction]
#[pyo3(signature = (folder, imports))]
fn script_aliases(py: Python<'_>, folder: PathBuf, imports: Vec<(PathBuf, String)>) -> Vec<Option<String>> {
    let found = py.detach(|| bundle::aliases(&folder, &imports));
    found
        .into_iter()
        .map(|file| Some(file?.to_string_lossy().into_owned()))
        .collect()
}

#[pyfunction(name = "bundle")]
#[pyo3(signature = (root, entries, sheets, urls, texts, *, define, external, naming, minify_js, minify_css, source_maps, licenses, targets, threads))]
#[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
fn make(
    py: Python<'_>,
    root: PathBuf,
    entries: Vec<(String, String)>,
    sheets: Vec<(String, String)>,
    urls: HashMap<String, String>,
    texts: HashMap<String, String>,
    define: Vec<(String, String)>,
    external: Vec<String>,
    naming: &str,
    minify_js: bool,
    minify_css: bool,
    source_maps: bool,
    licenses: &str,
    targets: Option<&Targets>,
    threads: usize,
) -> PyResult<Bundle> {
    let job = Job {
        root,
        entries,
        sheets,
        urls,
        texts,
        define,
        external,
        naming: match naming {
            "plain" => Naming::Plain,
            "mapped" => Naming::Mapped,
            "hashed" => Naming::Hashed,
            other => return Err(PyValueError::new_err(format!("no way to name files: {other}"))),
        },
        minify_js,
        minify_css,
        source_maps,
        licenses: licenses_of(licenses)?,
        targets: Targets::of(targets),
        threads,
    };
    let made = py
        .detach(|| bundle::bundle(&job))
        .map_err(|found| source_errors(py, found))?;
    let warnings = PyList::empty(py);
    for warning in made.warnings {
        let warning: Bound<'_, PyAny> = source_object(py, warning)?;
        warnings.append(warning)?;
    }
    let outputs = made
        .outputs
        .into_iter()
        .map(|inner| Py::new(py, BundleOutput { inner }));
    Ok(Bundle {
        outputs: outputs.collect::<PyResult<_>>()?,
        inputs: made.inputs,
        files: made.files,
        led: made.led,
        warnings: warnings.unbind(),
    })
}

/// Reads what to do with the comments that state a licence.
pub(crate) fn licenses_of(name: &str) -> PyResult<Licenses> {
    match name {
        "keep" => Ok(Licenses::Keep),
        "drop" => Ok(Licenses::Drop),
        "extern" => Ok(Licenses::Extern),
        other => Err(PyValueError::new_err(format!("nothing to do with licences: {other}"))),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Bundle>()?;
    module.add_class::<BundleOutput>()?;
    module.add_function(wrap_pyfunction!(script_aliases, module)?)?;
    module.add_function(wrap_pyfunction!(make, module)?)
}
