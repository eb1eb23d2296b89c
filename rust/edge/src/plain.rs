//! A request of HTTP/1.1 with nothing unusual about it, read in place.

use crate::answer::Head;
use crate::navigation::Signs;
use crate::request::is_host;

/// A request with nothing unusual about it.
pub(crate) struct Plain<'a> {
    pub(crate) host: &'a str,
    pub(crate) head: Head<'a>,
    pub(crate) close: bool,
    /// A GET of the whole, without conditions of any kind.
    pub(crate) is_simple: bool,
    /// Whether it is a navigation.
    pub(crate) signs: Signs,
}

impl<'a> Plain<'a> {
    /// None where a field is not plain: it is there twice, or asks for what is not done here.
    pub(crate) fn read(request: &httparse::Request<'_, 'a>) -> Option<Self> {
        if request.version != Some(1) || !matches!(request.method, Some("GET" | "HEAD")) {
            return None;
        }
        if !request.path.is_some_and(|path| path.starts_with('/')) {
            return None;
        }
        let mut host = None;
        let mut head = Head {
            is_head: request.method == Some("HEAD"),
            ..Head::default()
        };
        let mut close = false;
        let mut is_simple = !head.is_head;
        let mut signs = Signs::default();
        for field in request.headers.iter() {
            let name = field.name.as_bytes();
            // Only names of these lengths matter; most fields of a browser are passed by on this alone.
            let slot = match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => &mut host,
                15 if name.eq_ignore_ascii_case(b"accept-encoding") => &mut head.accept_encoding,
                13 if name.eq_ignore_ascii_case(b"if-none-match") => &mut head.if_none_match,
                17 if name.eq_ignore_ascii_case(b"if-modified-since") => &mut head.if_modified_since,
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    if field.value.eq_ignore_ascii_case(b"close") {
                        close = true;
                    } else if !field.value.eq_ignore_ascii_case(b"keep-alive") {
                        return None;
                    }
                    continue;
                }
                13 if name.eq_ignore_ascii_case(b"cache-control") => {
                    is_simple = false;
                    continue;
                }
                5 if name.eq_ignore_ascii_case(b"range") => return None,
                6 if name.eq_ignore_ascii_case(b"expect") => return None,
                7 if name.eq_ignore_ascii_case(b"upgrade") => return None,
                // With an underscore they are refused.
                14 if is_either(name, b"content-length", b"content_length") => return None,
                14 => {
                    signs.see(name, field.value);
                    continue;
                }
                17 if is_either(name, b"transfer-encoding", b"transfer_encoding") => return None,
                _ => continue,
            };
            if slot.is_some() {
                return None;
            }
            *slot = Some(std::str::from_utf8(field.value).ok()?);
        }
        let host = host.filter(|host| is_host(host))?;
        is_simple &= head.if_none_match.is_none() && head.if_modified_since.is_none();
        Some(Self {
            host,
            head,
            close,
            is_simple,
            signs,
        })
    }
}

fn is_either(name: &[u8], one: &[u8], other: &[u8]) -> bool {
    name.eq_ignore_ascii_case(one) || name.eq_ignore_ascii_case(other)
}
