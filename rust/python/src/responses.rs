//! Responses that are kept, for a worker that faces the clients itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use hyperweb_edge::Purge;
use hyperweb_edge::responses::{self, Question, Usable};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use crate::cache::Fill;

type Fields = Vec<(String, String)>;
type Sent<'py> = (u16, Fields, Bound<'py, PyBytes>);

/// The responses that are kept.
#[pyclass(frozen, module = "hyperweb._core")]
struct Responses {
    // In a box: Python aligns its objects to 16 bytes, and counters inside want more.
    inner: Box<responses::Responses>,
}

#[pymethods]
impl Responses {
    #[new]
    fn new(limit_bytes: u64) -> Self {
        Self {
            inner: Box::new(responses::Responses::new(limit_bytes)),
        }
    }

    /// Finds what answers a request; how it may be used, and the response.
    fn find<'py>(
        &self,
        py: Python<'py>,
        host: &str,
        path: &str,
        query: &str,
        headers: Fields,
        method: &str,
    ) -> Option<(&'static str, Sent<'py>)> {
        let headers = fields(&headers);
        let method = method.parse::<Method>().ok()?;
        let (usable, response) = self.inner.find(&question(host, path, query, &headers, &method))?;
        let usable = match usable {
            Usable::Fresh => "fresh",
            Usable::WhileRevalidating => "while-revalidating",
            Usable::IfError | Usable::IfGone | Usable::Validated => "if-error",
        };
        Some((usable, sent(py, &response)))
    }

    fn begin(&self) -> Fill {
        Fill(self.inner.begin())
    }

    /// Keeps a response where that is allowed; the response as it is sent, and whether it was kept.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a part of the request or of the response"
    )]
    fn offer<'py>(
        &self,
        py: Python<'py>,
        host: &str,
        path: &str,
        query: &str,
        headers: Fields,
        status: u16,
        response_headers: Fields,
        body: &[u8],
        fill: &Fill,
    ) -> PyResult<(Sent<'py>, bool)> {
        let headers = fields(&headers);
        let question = question(host, path, query, &headers, &Method::GET);
        let mut response = Response::new(Bytes::copy_from_slice(body));
        *response.status_mut() = status
            .try_into()
            .map_err(|_| PyValueError::new_err(format!("{status} is no status of a response")))?;
        *response.headers_mut() = fields(&response_headers);
        let (response, kept) = self.inner.offer(&question, response, fill.0);
        Ok((sent(py, &response), kept))
    }

    fn purge(&self, py: Python<'_>, purge: &[u8]) -> PyResult<usize> {
        let purge: Purge = serde_json::from_slice(purge).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(py.detach(|| self.inner.purge(&purge, |url| responses::key_of("", url))))
    }
}

fn question<'a>(
    host: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    method: &'a Method,
) -> Question<'a> {
    Question {
        // A worker serves one site.
        site: "",
        is_secure: false,
        host,
        path,
        query: Some(query),
        method,
        headers,
    }
}

fn fields(pairs: &[(String, String)]) -> HeaderMap {
    pairs
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .collect()
}

fn sent<'py>(py: Python<'py>, response: &Response<Bytes>) -> Sent<'py> {
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    (
        response.status().as_u16(),
        headers.collect(),
        PyBytes::new(py, response.body()),
    )
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Responses>()
}
