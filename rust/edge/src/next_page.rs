//! The two addresses at which what was learned can be asked for.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use crate::body::Body;
use crate::learning::{Learning, Page};
use crate::path::Target;
use crate::site::Site;

/// What mostly comes after a page, with its probability.
pub(crate) const NEXT: &str = "/api/content/next-likely-page";
/// The same for browsers that fetch ahead.
pub(crate) const RULES: &str = "/api/content/speculation-rules";

/// Less likely pages are not told of.
const LEAST: f64 = 0.01;
const MOST: usize = 10;
/// Pages that a browser fetches ahead.
const MOST_AHEAD: usize = 3;

/// Whether a path is one of these.
pub(crate) fn is_asked_for(path: &str) -> bool {
    matches!(path.len(), 29 | 30) && (path == NEXT || path == RULES)
}

/// Answers a request for one of these.
pub(crate) fn answer(
    learning: &Learning,
    site: &Site,
    (method, host): (&Method, &str),
    target: &Target<'_>,
) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = made(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"error": "this can only be read"}),
        );
        response
            .headers_mut()
            .insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let asked = target.query.and_then(page_of);
    let Some(found) = asked.as_deref().and_then(|text| site.target(text)) else {
        let hint = json!({"error": "`page` names no page", "hint": format!("ask for {NEXT}?page=/a/path/")});
        return made(StatusCode::BAD_REQUEST, &hint);
    };
    let page = Page {
        site,
        host,
        path: &found.path,
    };
    let written = |path: &str| Page { path, ..page }.written();
    let mut response = if target.path == RULES {
        let next = learning.next(page, learning.config.threshold, MOST_AHEAD);
        let urls: Vec<String> = next.iter().map(|(path, _)| written(path)).collect();
        let rules = if urls.is_empty() {
            json!({})
        } else {
            json!({"prefetch": [{"source": "list", "urls": urls, "eagerness": "immediate"}]})
        };
        let mut response = made(StatusCode::OK, &rules);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/speculationrules+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        response
    } else {
        let next = learning.next(page, LEAST, MOST);
        let next: Vec<_> = next
            .iter()
            .map(|(path, probability)| json!({"page": written(path), "probability": rounded(*probability)}))
            .collect();
        made(StatusCode::OK, &json!({"page": page.written(), "next": next}))
    };
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

fn made(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let bytes = Bytes::from(value.to_string());
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// To three places: more is not known.
fn rounded(probability: f64) -> f64 {
    (probability * 1000.0).round() / 1000.0
}

/// The value of the parameter `page`, decoded.
fn page_of(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("page="))?;
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_by_its_parameter() {
        assert!(is_asked_for(NEXT) && is_asked_for(RULES) && !is_asked_for("/api/content/"));
        assert_eq!(page_of("page=/a/").as_deref(), Some("/a/"));
        assert_eq!(page_of("x=1&page=%2Fa%20b+c").as_deref(), Some("/a b+c"));
        for bad in ["", "pages=/a/", "page=%", "page=%2", "page=%zz", "page=%ff"] {
            assert_eq!(page_of(bad), None, "{bad}");
        }
    }
}
