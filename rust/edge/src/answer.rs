//! What to send for a request, from a pack alone: no clock, no socket, no state.

use hyperweb_pack::{Body, Encoding, Entry, Pack, Variant};

pub use crate::head::Head;
pub use crate::path::{Target, target};

use crate::conditional::{not_modified, range_applies};
use crate::negotiate::choose;
use crate::range::{Asked, asked};

/// Where the page for what is not found is packed.
const NOT_FOUND: &[u8] = b"/404.html";

/// What to send.
#[derive(Debug, Clone)]
pub enum Answer<'p> {
    /// A whole response, with the status it was packed with.
    Whole { status: u16, variant: Variant<'p> },
    /// 304: the client has it.
    NotModified(Variant<'p>),
    /// 206: the bytes from `start` to the one before `end`.
    Part { variant: Variant<'p>, start: u64, end: u64 },
    /// 416: the range lies behind the end.
    Unsatisfiable { length: u64 },
    /// 308 to the same path with a slash at the end.
    AddSlash,
    /// 406: the client refuses every coding there is.
    NotAcceptable,
    /// The pack has nothing at this path.
    Missing,
}

/// Finds what to send for a GET or HEAD of `target`.
pub fn answer<'p>(pack: &'p Pack, target: &Target<'_>, head: &Head<'_>) -> Answer<'p> {
    match pack.get(target.path.as_bytes()) {
        Some(entry) => for_entry(&entry, head),
        None if needs_slash(pack, target) => Answer::AddSlash,
        None => Answer::Missing,
    }
}

/// The site's page for what is not found, with status 404.
pub fn not_found<'p>(pack: &'p Pack, head: &Head<'_>) -> Option<Answer<'p>> {
    let entry = pack.get(NOT_FOUND)?;
    let variant = choose(&entry, head.accept_encoding).or_else(|| entry.variant(Encoding::Identity))?;
    Some(Answer::Whole { status: 404, variant })
}

fn for_entry<'p>(entry: &Entry<'p>, head: &Head<'_>) -> Answer<'p> {
    let Some(mut variant) = choose(entry, head.accept_encoding) else {
        return Answer::NotAcceptable;
    };
    let (status, modified) = (entry.status(), entry.last_modified());
    if status != 200 {
        return Answer::Whole { status, variant };
    }
    if (head.if_none_match.is_some() || head.if_modified_since.is_some())
        && not_modified(head.if_none_match, head.if_modified_since, variant.etag(), modified)
    {
        return Answer::NotModified(variant);
    }
    if let Some(range) = head.range.filter(|_| !head.is_head) {
        // Ranges are of the plain bytes: what a player or a download manager can put together.
        let Some(plain) = entry.variant(Encoding::Identity) else {
            return Answer::Whole { status, variant };
        };
        let applies = range_applies(head.if_range, plain.etag(), modified);
        match asked(range, plain.length()) {
            Asked::Part(start, end) if applies => {
                return Answer::Part {
                    variant: plain,
                    start,
                    end,
                };
            }
            Asked::Nothing if applies => return Answer::Unsatisfiable { length: plain.length() },
            Asked::Part(..) => variant = plain,
            Asked::Whole | Asked::Nothing => {}
        }
    }
    Answer::Whole { status, variant }
}

/// Whether the path with a slash at the end is there. A path that could be read as a host is never redirected to.
fn needs_slash(pack: &Pack, target: &Target<'_>) -> bool {
    !target.path.ends_with('/')
        && !target.path.starts_with("//")
        && pack
            .get(format!("{}/", target.path).as_bytes())
            .is_some_and(|entry| entry.status() == 200)
}

/// Where [`Answer::AddSlash`] leads: the path as the client wrote it, a slash, and its query.
pub fn with_slash(target: &Target<'_>) -> String {
    match target.query {
        Some(query) => format!("{}/?{query}", target.raw),
        None => format!("{}/", target.raw),
    }
}

/// A response in full, for whoever does not write to a socket.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// Where a reply's body is.
#[derive(Debug, Clone)]
pub enum ReplyBody {
    Bytes(bytes::Bytes),
    /// A part of a file, relative to the folder the pack is in: the bytes from the first to the one before the second.
    File(String, u64, u64),
}

/// Makes a reply of an answer; none where the pack has nothing.
pub fn reply(answer: &Answer<'_>, target: &Target<'_>, head: &Head<'_>) -> Option<Reply> {
    let empty = ReplyBody::Bytes(bytes::Bytes::new());
    let plain = |status, headers: Vec<(String, String)>| {
        Some(Reply {
            status,
            headers,
            body: empty.clone(),
        })
    };
    match answer {
        Answer::Whole { status, variant } => {
            let body = if head.is_head {
                empty
            } else {
                body_of(variant, 0, variant.length())
            };
            Some(Reply {
                status: *status,
                headers: lines(variant.head()),
                body,
            })
        }
        Answer::NotModified(variant) => plain(304, lines(variant.not_modified_head())),
        Answer::Part { variant, start, end } => {
            let mut headers = lines(variant.head());
            headers.retain(|(name, _)| name != "content-length");
            headers.push(("content-length".into(), (end - start).to_string()));
            headers.push((
                "content-range".into(),
                format!("bytes {start}-{}/{}", end - 1, variant.length()),
            ));
            Some(Reply {
                status: 206,
                headers,
                body: body_of(variant, *start, *end),
            })
        }
        Answer::Unsatisfiable { length } => plain(416, vec![("content-range".into(), format!("bytes */{length}"))]),
        Answer::AddSlash => plain(308, vec![("location".into(), with_slash(target))]),
        Answer::NotAcceptable => plain(406, vec![("vary".into(), "accept-encoding".into())]),
        Answer::Missing => None,
    }
}

fn body_of(variant: &Variant<'_>, start: u64, end: u64) -> ReplyBody {
    match variant.body() {
        Body::Bytes(_) => {
            let bytes = variant.body_bytes();
            let (start, end) = (
                usize::try_from(start).unwrap_or(0),
                usize::try_from(end).unwrap_or(usize::MAX),
            );
            ReplyBody::Bytes(bytes.slice(start.min(bytes.len())..end.min(bytes.len())))
        }
        Body::File { hash, .. } => ReplyBody::File(format!("large/{hash}"), start, end),
    }
}

/// The lines of a packed head as names and values.
fn lines(head: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(head).unwrap_or("");
    let fields = text.split("\r\n").filter_map(|line| line.split_once(": "));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
