//! Checks of pages.

use hyperweb_build::check::{self, Place};
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// Where something stands: the line, and the source it was made from.
type Where = (u32, Option<String>);

/// What was found in a page.
#[pyclass(frozen, get_all, module = "hyperweb._core")]
struct CheckedPage {
    title: String,
    title_place: Where,
    anchors: Vec<String>,
    references: Vec<(String, &'static str, u32, Where)>,
    base: Option<String>,
    canonical: Option<String>,
    hidden: bool,
    problems: Vec<(&'static str, String, String, Where)>,
}

#[pyfunction]
#[pyo3(signature = (pages, *, threads = 0))]
fn check_pages(py: Python<'_>, pages: Vec<String>, threads: usize) -> Vec<CheckedPage> {
    let found = py.detach(|| check::check_pages(&pages, threads));
    found.into_iter().map(checked).collect()
}

#[pyfunction]
fn source_mark(source: &str, line: u32) -> String {
    check::mark(source, line)
}

fn checked(page: check::Page) -> CheckedPage {
    let references = page.references.into_iter();
    let problems = page.problems.into_iter();
    CheckedPage {
        title: page.title,
        title_place: place(page.title_place),
        anchors: page.anchors,
        references: references
            .map(|one| (one.url, one.kind.name(), one.choice, place(one.place)))
            .collect(),
        base: page.base,
        canonical: page.canonical,
        hidden: page.hidden,
        problems: problems
            .map(|one| (one.rule, one.message, one.hint, place(one.place)))
            .collect(),
    }
}

fn place(place: Place) -> Where {
    (place.line, place.source)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CheckedPage>()?;
    module.add_function(wrap_pyfunction!(check_pages, module)?)?;
    module.add_function(wrap_pyfunction!(source_mark, module)?)
}
