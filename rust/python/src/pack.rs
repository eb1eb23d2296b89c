//! Packs.

use std::path::{Path, PathBuf};

use hyperweb_edge::answer::{Head, Reply, ReplyBody, answer, not_found, reply, target};
use hyperweb_pack as pack;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use crate::errors::pack_error;

/// An open pack.
#[pyclass(frozen, module = "hyperweb._core")]
#[derive(Clone)]
pub(crate) struct Pack {
    pub(crate) inner: pack::Pack,
    files: PathBuf,
}

/// A response: status, header fields, body, and, of a body that stays a file, its path and the bytes from and to.
type Found<'py> = (
    u16,
    Vec<(String, String)>,
    Bound<'py, PyBytes>,
    Option<(String, u64, u64)>,
);

/// The size of a response: path, media type, and for each coding the bytes.
type Sizes = (String, String, Vec<(&'static str, u64)>);

#[pymethods]
impl Pack {
    #[getter]
    fn id(&self) -> String {
        hex(&self.inner.id())
    }

    #[getter]
    fn manifest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.manifest())
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __contains__(&self, path: &str) -> bool {
        self.inner.get(path.as_bytes()).is_some()
    }

    fn paths(&self) -> Vec<String> {
        self.inner.iter().map(|entry| entry.path().to_owned()).collect()
    }

    /// The size of every body: path, media type, and coding with length for each variant.
    fn sizes(&self, py: Python<'_>) -> Vec<Sizes> {
        py.detach(|| {
            let entries = self.inner.iter().map(|entry| {
                let variants = entry.variants().map(|one| (one.encoding().token(), one.length()));
                (
                    entry.path().to_owned(),
                    entry.content_type().to_owned(),
                    variants.collect(),
                )
            });
            entries.collect()
        })
    }

    /// Answers a GET or HEAD, or None where the pack has nothing at the path. With `missing` it is then the site's
    /// page for what is not found.
    #[pyo3(signature = (path, *, is_head=false, accept_encoding=None, if_none_match=None, if_modified_since=None,
                        range=None, if_range=None, missing=false))]
    #[expect(clippy::too_many_arguments, reason = "each is a header field of the request")]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        is_head: bool,
        accept_encoding: Option<&str>,
        if_none_match: Option<&str>,
        if_modified_since: Option<&str>,
        range: Option<&str>,
        if_range: Option<&str>,
        missing: bool,
    ) -> Option<Found<'py>> {
        let head = Head {
            is_head,
            accept_encoding,
            if_none_match,
            if_modified_since,
            range,
            if_range,
        };
        let target = target(path)?;
        let mut found = answer(&self.inner, &target, &head);
        if missing {
            found = not_found(&self.inner, &head).unwrap_or(found);
        }
        let Reply { status, headers, body } = reply(&found, &target, &head)?;
        Some(match body {
            ReplyBody::Bytes(bytes) => (status, headers, PyBytes::new(py, &bytes), None),
            ReplyBody::File(path, start, end) => {
                let file = self.files.join(path).display().to_string();
                (status, headers, PyBytes::new(py, b""), Some((file, start, end)))
            }
        })
    }
}

#[pyfunction]
fn open_pack(py: Python<'_>, path: &str) -> PyResult<Pack> {
    let inner = py
        .detach(|| pack::Pack::open(Path::new(path)))
        .map_err(|error| pack_error(&error))?;
    let files = Path::new(path).with_file_name("");
    Ok(Pack { inner, files })
}

#[pyfunction]
fn pack_id(path: &str) -> PyResult<String> {
    pack::read_id(Path::new(path))
        .map(|id| hex(&id))
        .map_err(|error| pack_error(&error))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Pack>()?;
    module.add_function(wrap_pyfunction!(open_pack, module)?)?;
    module.add_function(wrap_pyfunction!(pack_id, module)?)
}
