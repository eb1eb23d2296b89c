//! Writing a built site.

use std::path::Path;

use hyperweb_build::SourceError;
use hyperweb_build::compress::Level;
use hyperweb_build::output::{self, Finish, Output};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::assets::Targets;
use crate::errors::source_error;
use crate::pack::{Pack, hex};

/// What a build wrote.
#[expect(clippy::struct_field_names, reason = "the names Python reads")]
#[pyclass(frozen, get_all, module = "hyperweb._core")]
struct Written {
    id: String,
    pack_bytes: u64,
    source_bytes: u64,
    files_written: usize,
    files_removed: usize,
}

/// Writes one build.
#[pyclass(module = "hyperweb._core", unsendable)]
struct SiteWriter {
    inner: Option<output::SiteWriter>,
}

impl SiteWriter {
    fn with<T: Send>(
        &mut self,
        py: Python<'_>,
        work: impl FnOnce(&mut output::SiteWriter) -> Result<T, SourceError> + Send,
    ) -> PyResult<T> {
        let writer = self.inner.as_mut().ok_or_else(finished)?;
        let mut writer = std::panic::AssertUnwindSafe(writer);
        work(&mut writer).map_err(|error| source_error(py, error))
    }
}

fn finished() -> PyErr {
    PyRuntimeError::new_err("this build is finished")
}

#[pymethods]
impl SiteWriter {
    #[new]
    #[pyo3(signature = (dist, previous, *, threads, large_file, targets))]
    fn new(
        py: Python<'_>,
        dist: &str,
        previous: Option<PyRef<'_, Pack>>,
        threads: usize,
        large_file: u64,
        targets: &Targets,
    ) -> PyResult<Self> {
        let previous = previous.map(|pack| pack.inner.clone());
        let made = output::SiteWriter::create(Path::new(dist), previous, threads, large_file, targets.inner);
        Ok(Self {
            inner: Some(made.map_err(|error| source_error(py, error))?),
        })
    }

    fn has(&self, path: &str) -> bool {
        self.inner.as_ref().is_some_and(|writer| writer.has(path))
    }

    #[pyo3(signature = (path, body, *, source, status, content_type, modified, headers, tags, finish, best, public))]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of the one response that is added"
    )]
    fn add(
        &mut self,
        py: Python<'_>,
        path: String,
        body: Vec<u8>,
        source: String,
        status: u16,
        content_type: String,
        modified: u64,
        headers: Vec<(String, String)>,
        tags: Vec<String>,
        finish: &str,
        best: bool,
        public: bool,
    ) -> PyResult<()> {
        let finish =
            Finish::by_name(finish).ok_or_else(|| PyValueError::new_err(format!("no finish is named {finish}")))?;
        let level = if best { Level::Best } else { Level::Fast };
        let output = Output {
            path,
            source,
            status,
            content_type,
            last_modified: modified,
            headers,
            tags,
            body,
            finish,
            level,
            public,
        };
        self.with(py, |writer| writer.add(output))
    }

    #[pyo3(signature = (path, source, *, name, content_type, modified, headers, best))]
    #[expect(clippy::too_many_arguments, reason = "each is a fact of the one file that is added")]
    fn add_file(
        &mut self,
        py: Python<'_>,
        path: String,
        source: &str,
        name: String,
        content_type: String,
        modified: u64,
        headers: Vec<(String, String)>,
        best: bool,
    ) -> PyResult<()> {
        let output = Output {
            path,
            source: name,
            status: 200,
            content_type,
            last_modified: modified,
            headers,
            tags: Vec::new(),
            body: Vec::new(),
            finish: Finish::None,
            level: if best { Level::Best } else { Level::Fast },
            public: true,
        };
        self.with(py, |writer| writer.add_file(output, Path::new(source)))
    }

    #[pyo3(signature = (path, *, public=true, modified=None))]
    fn reuse(&mut self, py: Python<'_>, path: &str, public: bool, modified: Option<u64>) -> PyResult<()> {
        self.with(py, |writer| writer.reuse(path, public, modified))
    }

    fn finish(&mut self, py: Python<'_>, router: Vec<u8>, manifest: Vec<u8>, meta: Vec<u8>) -> PyResult<Written> {
        let writer = self.inner.take().ok_or_else(finished)?;
        let written = writer
            .finish(router, manifest, meta)
            .map_err(|error| source_error(py, error))?;
        Ok(Written {
            id: hex(&written.id),
            pack_bytes: written.pack_bytes,
            source_bytes: written.source_bytes,
            files_written: written.files_written,
            files_removed: written.files_removed,
        })
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SiteWriter>()?;
    module.add_class::<Written>()
}
