//! Heads as they are written (RFC 9112, section 2.1). No socket.

use http::{HeaderMap, StatusCode};

/// Writes a status line.
pub(crate) fn write_status(head: &mut Vec<u8>, status: StatusCode) {
    for part in [
        "HTTP/1.1 ",
        status.as_str(),
        " ",
        status.canonical_reason().unwrap_or_default(),
        "\r\n",
    ] {
        head.extend_from_slice(part.as_bytes());
    }
}

/// Writes fields as they stand in a head.
pub(crate) fn write_fields(head: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
}

/// Writes parts into a space, one after another, as far as they fit; how many bytes that is.
pub(crate) fn fill(space: &mut [u8], parts: &[&[u8]]) -> usize {
    let mut at = 0;
    for part in parts {
        if let Some(slot) = space.get_mut(at..at + part.len()) {
            slot.copy_from_slice(part);
            at += part.len();
        }
    }
    at
}
