//! Stylesheets, scripts and HTML.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hyperweb_build::css::Style;
use hyperweb_build::licenses::Licenses;
use hyperweb_build::{css, highlight, html, js, mime, svg, text};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use crate::bundle::licenses_of;
use crate::errors::source_error;

/// The browsers that stylesheets are lowered for.
#[pyclass(frozen, module = "hyperweb._core")]
pub(crate) struct Targets {
    pub(crate) inner: css::Targets,
}

#[pymethods]
impl Targets {
    #[new]
    fn new(py: Python<'_>, queries: Vec<String>) -> PyResult<Self> {
        let inner = css::targets(&queries).map_err(|error| source_error(py, error))?;
        Ok(Self { inner })
    }
}

impl Targets {
    /// Without any, nothing is lowered.
    pub(crate) fn of(targets: Option<&Self>) -> css::Targets {
        targets.map(|targets| targets.inner).unwrap_or_default()
    }
}

#[pyfunction]
fn css_references(py: Python<'_>, source: &str, filename: &str) -> PyResult<Vec<String>> {
    py.detach(|| css::references(source, filename))
        .map_err(|error| source_error(py, error))
}

/// What of stylesheets pages use.
#[pyclass(frozen, module = "hyperweb._core")]
struct UsedStyles {
    words: Arc<HashSet<String>>,
}

#[pymethods]
impl UsedStyles {
    #[new]
    fn new(scripts: Vec<String>) -> Self {
        let words = scripts
            .iter()
            .flat_map(|script| html::words(script).map(ToOwned::to_owned));
        Self {
            words: Arc::new(words.collect()),
        }
    }

    #[pyo3(signature = (page, sheets, *, first = None))]
    fn of(
        &self,
        py: Python<'_>,
        page: &str,
        sheets: Vec<(String, String)>,
        first: Option<usize>,
    ) -> PyResult<Vec<String>> {
        py.detach(|| {
            let mut names = html::Names::of(page, first);
            names.also = Arc::clone(&self.words);
            let made = sheets.iter().map(|(name, text)| css::used(text, name, &names));
            made.collect::<Result<Vec<_>, _>>()
        })
        .map_err(|error| source_error(py, error))
    }
}

/// What a name of a CSS module is composed of in other files: the import, and the name there.
type Composed = Vec<(String, String)>;

#[pyfunction]
fn css_names(py: Python<'_>, source: &str, filename: &str) -> PyResult<Vec<(String, Vec<String>, Composed)>> {
    let names = py
        .detach(|| css::names(source, filename))
        .map_err(|error| source_error(py, error))?;
    Ok(names
        .into_iter()
        .map(|name| (name.local, name.classes, name.from))
        .collect())
}

#[pyfunction]
#[pyo3(signature = (entry, sources, urls, *, minify, bundle = true, targets = None))]
fn transform_css(
    py: Python<'_>,
    entry: &str,
    sources: HashMap<String, String>,
    urls: HashMap<String, String>,
    minify: bool,
    bundle: bool,
    targets: Option<&Targets>,
) -> PyResult<String> {
    let style = Style {
        minify,
        bundle,
        targets: Targets::of(targets),
        keep_licenses: true,
        ..Style::default()
    };
    let lead = |file: &str, url: &str| urls.get(&format!("{file}\0{url}")).cloned();
    py.detach(|| css::transform(entry, &sources, &lead, style))
        .map_err(|error| source_error(py, error))
}

#[pyfunction]
fn js_imports(py: Python<'_>, source: &str, filename: &str) -> PyResult<Vec<String>> {
    py.detach(|| js::imports(source, filename))
        .map_err(|error| source_error(py, error))
}

#[pyfunction]
#[pyo3(signature = (source, urls, *, filename, minify))]
fn transform_js(
    py: Python<'_>,
    source: &str,
    urls: HashMap<String, String>,
    filename: &str,
    minify: bool,
) -> PyResult<String> {
    let lead = |url: &str| urls.get(url).cloned();
    py.detach(|| js::transform(source, filename, &lead, minify))
        .map_err(|error| source_error(py, error))
}

/// A text made smaller: what it is, its source map, and the licences that go elsewhere.
type Minified = (String, Option<String>, Vec<String>);

#[pyfunction]
#[pyo3(signature = (source, filename, *, source_map = false, licenses = "drop"))]
fn minify_js(py: Python<'_>, source: &str, filename: &str, source_map: bool, licenses: &str) -> PyResult<Minified> {
    let licenses = licenses_of(licenses)?;
    let made = py
        .detach(|| js::minify_with(source, filename, source_map, licenses))
        .map_err(|error| source_error(py, error))?;
    Ok((made.code, made.map, made.licenses))
}

#[pyfunction]
#[pyo3(signature = (source, filename, *, targets = None, source_map = false, licenses = "keep"))]
fn minify_css(
    py: Python<'_>,
    source: &str,
    filename: &str,
    targets: Option<&Targets>,
    source_map: bool,
    licenses: &str,
) -> PyResult<Minified> {
    let licenses = licenses_of(licenses)?;
    let style = Style {
        minify: true,
        targets: Targets::of(targets),
        bundle: false,
        source_map,
        keep_licenses: licenses == Licenses::Keep,
    };
    // The names of a CSS module are in other files too, which are not here.
    let filename = &filename.replace(".module.css", ".css");
    let sources = HashMap::from([(filename.to_owned(), source.to_owned())]);
    let imports = HashMap::new();
    let sheets = css::Sheets {
        sources: &sources,
        imports: &imports,
    };
    let made = py
        .detach(|| css::compile(filename, sheets, &|_, url| Some(url.to_owned()), style))
        .map_err(|error| source_error(py, error))?;
    let beside = if licenses == Licenses::Extern {
        made.licenses
    } else {
        Vec::new()
    };
    let beside = beside.iter().map(|one| format!("/*{one}*/")).collect();
    Ok((made.code, made.map, beside))
}

#[pyfunction]
fn highlight_stylesheet() -> String {
    highlight::stylesheet()
}

#[pyfunction]
fn media_type(path: &str) -> Option<&'static str> {
    mime::media_type(path)
}

#[pyfunction]
#[pyo3(signature = (text, *, targets = None))]
fn minify_html(py: Python<'_>, text: &str, targets: Option<&Targets>) -> String {
    let targets = Targets::of(targets);
    py.detach(|| html::minify(text, targets))
}

#[pyfunction]
fn minify_json(py: Python<'_>, text: &str) -> Option<String> {
    py.detach(|| text::json(text))
}

#[pyfunction]
fn minify_xml(py: Python<'_>, text: &str) -> String {
    py.detach(|| text::xml(text))
}

#[pyfunction]
#[pyo3(signature = (text, *, targets = None))]
fn minify_svg(py: Python<'_>, text: &str, targets: Option<&Targets>) -> String {
    let targets = Targets::of(targets);
    py.detach(|| svg::minify(text, targets))
}

#[pyfunction]
fn rewrite_urls(py: Python<'_>, text: &str, changes: HashMap<String, String>) -> String {
    py.detach(|| html::rewrite_urls(text, &changes))
}

#[pyfunction]
fn page_parts<'py>(py: Python<'py>, text: &str, id: &str) -> PyResult<Bound<'py, PyDict>> {
    let parts = py.detach(|| html::parts(text, id));
    let made = PyDict::new(py);
    made.set_item("title", parts.title)?;
    made.set_item("head", parts.head)?;
    made.set_item("body", parts.body)?;
    made.set_item("assets", parts.assets)?;
    made.set_item("lang", parts.lang)?;
    Ok(made)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Targets>()?;
    module.add_class::<UsedStyles>()?;
    module.add_function(wrap_pyfunction!(css_names, module)?)?;
    module.add_function(wrap_pyfunction!(css_references, module)?)?;
    module.add_function(wrap_pyfunction!(transform_css, module)?)?;
    module.add_function(wrap_pyfunction!(js_imports, module)?)?;
    module.add_function(wrap_pyfunction!(transform_js, module)?)?;
    module.add_function(wrap_pyfunction!(minify_js, module)?)?;
    module.add_function(wrap_pyfunction!(minify_css, module)?)?;
    module.add_function(wrap_pyfunction!(highlight_stylesheet, module)?)?;
    module.add_function(wrap_pyfunction!(media_type, module)?)?;
    module.add_function(wrap_pyfunction!(minify_html, module)?)?;
    module.add_function(wrap_pyfunction!(minify_json, module)?)?;
    module.add_function(wrap_pyfunction!(minify_xml, module)?)?;
    module.add_function(wrap_pyfunction!(minify_svg, module)?)?;
    module.add_function(wrap_pyfunction!(rewrite_urls, module)?)?;
    module.add_function(wrap_pyfunction!(page_parts, module)?)
}
