//! Sends who came without TLS to where there is TLS.

use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::outgoing::plain;
use crate::request::Request;

/// The port that a URL with `https` does not name.
const HTTPS: u16 = 443;

/// The answer to a request that is to come again over TLS, by the same method and with the same body (RFC 9110, section
/// 15.4.9).
pub(crate) fn redirect(request: &Request, port: u16) -> Response<Body> {
    let place = place(&request.host, &request.target, port);
    let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) else {
        return plain(StatusCode::BAD_REQUEST, "This can only be asked for over HTTPS.\n");
    };
    let mut response = plain(StatusCode::PERMANENT_REDIRECT, "This is served over HTTPS alone.\n");
    response.headers_mut().insert(LOCATION, place);
    response
}

fn place(host: &str, target: &str, port: u16) -> Option<String> {
    let end = match host.rfind(']') {
        Some(end) => end + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let name = host.get(..end).filter(|name| !name.is_empty())?;
    let path = if target.starts_with('/') { target } else { "/" };
    Some(if port == HTTPS {
        format!("https://{name}{path}")
    } else {
        format!("https://{name}:{port}{path}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_kept_and_its_port_is_not() {
        let place = |host, target, port| place(host, target, port).unwrap_or_default();
        assert_eq!(place("example.org", "/a?b=c", 443), "https://example.org/a?b=c");
        assert_eq!(place("example.org:80", "/", 8443), "https://example.org:8443/");
        assert_eq!(place("[::1]:80", "//x", 443), "https://[::1]//x");
        assert_eq!(place("[::1]", "*", 1), "https://[::1]:1/");
        assert_eq!(place(":80", "/", 443), "");
    }
}
