//! Responses as they go to clients: without what is for the edge alone, with what the site gives each, and smaller where
//! they may be.

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, DATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::asked::{Asked, strip_connection};
use crate::body::Body;
use crate::clock;
use crate::compression::{Compression, Wish, mark, vary};
use crate::connection::Failed;
use crate::encoder::Encoder;
use crate::framing::number;
use crate::incoming::Incoming;
use crate::refusal::Refusal;
use crate::responses::{cache_status, strip_internal};
use crate::shared::ThreadState;
use crate::site::Site;

/// A worker's response as it goes to the client, or what is said where there is none.
pub(crate) fn passed_on(
    sent: Result<Response<Incoming>, Failed>,
    site: &Site,
    coder: Coder<'_>,
    status: &str,
) -> Response<Body> {
    match sent {
        Ok(response) => {
            let response = response.map(|rest| Body::Worker { first: None, rest });
            coded(finished(response, site, status), coder)
        }
        Err(Failed::TooLate) => plain(StatusCode::GATEWAY_TIMEOUT, "The page took too long to make.\n"),
        Err(Failed::NoWorker) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nobody is here to make this page yet.\n",
        ),
        Err(Failed::Overloaded) => Refusal::Overload.answer(),
        Err(Failed::Broken) => plain(StatusCode::BAD_GATEWAY, "Making this page failed.\n"),
        Err(Failed::TooLarge) => plain(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large.\n"),
        Err(Failed::TooSlow) => plain(
            StatusCode::REQUEST_TIMEOUT,
            "The request's body did not come in time.\n",
        ),
        Err(Failed::NoBody) => plain(StatusCode::BAD_REQUEST, "The request's body did not come to its end.\n"),
    }
}

/// Who may make a body smaller, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Coder<'a> {
    compression: &'a Compression,
    wish: Wish,
    is_head: bool,
}

impl ThreadState {
    pub(crate) fn coder(&self, asked: &Asked) -> Coder<'_> {
        Coder {
            compression: &self.shared.responses.compression,
            wish: Wish::of(&asked.headers),
            is_head: asked.method == Method::HEAD,
        }
    }
}

/// A response that is kept for nobody, made smaller where it may be.
pub(crate) fn coded(mut response: Response<Body>, coder: Coder<'_>) -> Response<Body> {
    let length = http_body::Body::size_hint(response.body()).exact();
    let encoding = coder
        .compression
        .of_passed(coder.wish, response.status(), response.headers(), length);
    // The head alone does not tell how long the body would be.
    let encoding = encoding.filter(|_| !coder.is_head && length != Some(0));
    let Some((encoding, encoder)) = encoding.and_then(|encoding| Some((encoding, Encoder::new(encoding)?))) else {
        return response;
    };
    mark(response.headers_mut(), encoding);
    vary(response.headers_mut());
    response.map(|plain| Body::Coded {
        encoder: Some(encoder),
        plain: Box::new(plain),
    })
}

/// Takes off what is not for clients and adds what the site gives every response.
pub(crate) fn finished(mut response: Response<Body>, site: &Site, status: &str) -> Response<Body> {
    let headers = response.headers_mut();
    strip_connection(headers);
    strip_internal(headers);
    if headers.get(AGE).is_some_and(|age| number(age.as_bytes()).is_none()) {
        // What is no age is passed on to nobody (RFC 9111, section 5.1).
        headers.remove(AGE);
    }
    if !site.is_origin() {
        // Which server our own Python runs behind is nobody's business.
        headers.remove(http::header::SERVER);
    }
    for (name, value) in &site.headers {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    cache_status(headers, status);
    response
}

/// A short answer of the edge's own.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
    ) {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// What is said where a host has no right to a connection's certificate (RFC 9110, section 15.5.20).
pub(crate) fn misdirected() -> Response<Body> {
    plain(
        StatusCode::MISDIRECTED_REQUEST,
        "This host has another certificate than this connection.\n",
    )
}

/// Notes when a response came, where it does not say when it was made (RFC 9110, section 6.6.1).
pub(crate) fn dated(headers: &mut HeaderMap) {
    if !headers.contains_key(DATE) {
        clock::with_date(|date| {
            if let Ok(value) = HeaderValue::from_bytes(date) {
                headers.insert(DATE, value);
            }
        });
    }
}
