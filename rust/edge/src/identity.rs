//! What a request is found again by: an id of ours, and the trace it belongs to.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Gives a request an id, whatever its client called it, and takes off a trace that is none: it is passed on as it is or
/// not at all (W3C Trace Context, section 4.3).
pub(crate) fn identify(headers: &mut HeaderMap) {
    match HeaderValue::from_str(&request_id()) {
        Ok(id) => drop(headers.insert(REQUEST_ID, id)),
        Err(_) => drop(headers.remove(REQUEST_ID)),
    }
    let mut parents = headers.get_all(TRACE_PARENT).iter();
    let is_one = match (parents.next(), parents.next()) {
        (Some(one), None) => is_trace_parent(one.as_bytes()),
        _ => false,
    };
    if !is_one {
        headers.remove(TRACE_PARENT);
        headers.remove(TRACE_STATE);
    }
}

/// Whether this is a version, a trace id, a parent id and flags, none of which is nought all over (section 3.2). Versions
/// that are to come may say more behind them.
fn is_trace_parent(value: &[u8]) -> bool {
    let fields: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    let hex = |field: &[u8], length: usize| {
        field.len() == length && field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |field: &[u8]| field.iter().any(|byte| *byte != b'0');
    let [version, trace, parent, flags, rest @ ..] = fields.as_slice() else {
        return false;
    };
    hex(version, 2)
        && *version != b"ff"
        && hex(trace, 32)
        && is_set(trace)
        && hex(parent, 16)
        && is_set(parent)
        && hex(flags, 2)
        && (rest.is_empty() || *version != b"00")
}

/// Sixteen bytes in Base64 for the handshake of a `WebSocket` (RFC 6455, section 4.1), which makes them hard to guess
/// only for caches between, and there is none.
pub(crate) fn nonce() -> String {
    let mut made: String = request_id().chars().take(22).collect();
    // The last of 22 digits has two bits.
    made.replace_range(21.., "A");
    made + "=="
}

/// A number for a request: time and count, made hard to guess by a random start.
fn request_id() -> String {
    use std::hash::BuildHasher;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: OnceLock<std::hash::RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let seed = SEED.get_or_init(std::hash::RandomState::new);
    format!("{:016x}{:016x}", seed.hash_one((count, 0)), seed.hash_one((count, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_passed_on_or_taken_off() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_trace_parent(good.as_bytes()));
        assert!(is_trace_parent(format!("cc{}-more", &good[2..]).as_bytes()));
        for bad in [
            "",
            "00",
            &good[..50],
            &good.to_uppercase(),
            &format!("ff{}", &good[2..]),
            &format!("{good}-more"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert!(!is_trace_parent(bad.as_bytes()), "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, HeaderValue::from_static("mine"));
        headers.append(
            TRACE_PARENT,
            HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        );
        headers.append(TRACE_STATE, HeaderValue::from_static("a=b"));
        identify(&mut headers);
        assert_eq!((headers.len(), headers[REQUEST_ID].len()), (3, 32));
        headers.append(TRACE_PARENT, HeaderValue::from_static("x"));
        identify(&mut headers);
        assert_eq!(headers.len(), 1);
    }
}
