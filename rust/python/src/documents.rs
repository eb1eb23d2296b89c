//! Markdown.

use std::path::Path;

use hyperweb_build::frontmatter;
use hyperweb_build::markdown::{self, Reading};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyModule};

use crate::errors::{source_error, source_object};

/// A parsed file of content.
#[pyclass(frozen, get_all, module = "hyperweb._core")]
struct Document {
    front_matter: String,
    html: String,
    summary: String,
    toc: Vec<(u8, String, String)>,
    words: usize,
    references: Vec<(String, u32)>,
}

#[pyfunction]
#[pyo3(signature = (root, paths, *, threads, max_file, marked = false))]
fn parse_documents<'py>(
    py: Python<'py>,
    root: &str,
    paths: Vec<String>,
    threads: usize,
    max_file: u64,
    marked: bool,
) -> PyResult<Bound<'py, PyList>> {
    let reading = Reading {
        threads,
        max_file,
        marked,
    };
    let found = py.detach(|| markdown::parse_all(Path::new(root), &paths, reading));
    let made = PyList::empty(py);
    for one in found {
        match one {
            Ok(document) => {
                let rendered = document.rendered;
                made.append(Bound::new(
                    py,
                    Document {
                        front_matter: document.front_matter,
                        html: rendered.html,
                        summary: rendered.summary,
                        toc: rendered
                            .toc
                            .into_iter()
                            .map(|one| (one.level, one.id, one.text))
                            .collect(),
                        words: rendered.words,
                        references: rendered.references,
                    },
                )?)?;
            }
            Err(error) => made.append(source_object(py, error)?)?,
        }
    }
    Ok(made)
}

#[pyfunction]
fn render_markdown(py: Python<'_>, text: &str) -> String {
    py.detach(|| markdown::render(text, 1)).html
}

#[pyfunction]
fn yaml_to_json(py: Python<'_>, text: &str, file: &str) -> PyResult<String> {
    frontmatter::yaml_to_json(text, file).map_err(|error| source_error(py, error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Document>()?;
    module.add_function(wrap_pyfunction!(parse_documents, module)?)?;
    module.add_function(wrap_pyfunction!(render_markdown, module)?)?;
    module.add_function(wrap_pyfunction!(yaml_to_json, module)?)
}
