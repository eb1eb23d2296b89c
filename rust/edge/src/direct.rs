//! The direct path: plain requests, each with one read and one write.
//!
//! What is plain: a GET or HEAD of HTTP/1.1 in origin form, with one Host and no body, for what is in the pack or has a
//! handler. Anything else is read by the same parser, and answered by [`http1`].

use std::io;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::Method;
use http_body::Body as _;
use hyperweb_pack::{Body, Variant};
use tokio::io::AsyncReadExt;
use tokio::time::{Sleep, sleep};

use crate::access::{Outcome, Told};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::body::InFlight;
use crate::client::Client;
use crate::clock;
use crate::config::{Limits, MOST_FIELDS};
use crate::fetch::{Fetched, fetch};
use crate::found::Found;
use crate::http1::{self, note, refuse, until_answered};
use crate::http2::{self, PREFACE};
use crate::identity::{REQUEST_ID, identify};
use crate::learning::{Learning, Page};
use crate::metrics::Source;
use crate::navigation::Navigation;
use crate::next_page::is_asked_for;
use crate::path::Target;
use crate::peer::Peer;
use crate::plain::Plain;
use crate::policy::request_may_use;
use crate::refusal::Refusal;
use crate::request::{self, Manners, Request, has_whole_line_ends, unparsed};
use crate::service::told_early;
use crate::shared::ThreadState;
use crate::site::Site;
use crate::visit::{Visit, is_html};
use crate::write::{End, write_all, write_response};

const FIRST_READ: usize = 8 << 10;

/// What becomes of the bytes at the beginning of the buffer.
enum Next {
    /// A response was written for so many bytes; the connection goes on, or not.
    Answered {
        used: usize,
        close: bool,
    },
    /// The head is not whole yet.
    More,
    /// This is not for here. Its head has so many bytes.
    General(Box<(Request, Manners)>, usize),
    /// This is HTTP/2.
    Http2,
    Refuse(Refusal),
}

/// Serves one connection to its end; `before` is what was read of it.
pub(crate) async fn connection(state: Arc<ThreadState>, mut stream: Client, peer: Arc<Peer>, before: Vec<u8>) {
    let (mut start, mut end) = (0, before.len());
    let mut buffer = before;
    buffer.resize(end.max(FIRST_READ), 0);
    let limits = state.shared.limits;
    let wait = sleep(Duration::from_millis(limits.head_time));
    tokio::pin!(wait);
    // What the wait ends: an idle connection, or a head that does not come to its end.
    let mut since = Instant::now();
    let mut in_head = false;
    let mut left = limits.requests;
    loop {
        while start < end {
            let Some(bytes) = buffer.get(start..end) else { return };
            left = left.saturating_sub(1);
            match respond(&state, &stream, bytes, &peer, left == 0).await {
                Ok(Next::Answered { used, close }) => {
                    start += used;
                    since = Instant::now();
                    in_head = false;
                    if close {
                        return;
                    }
                }
                Ok(Next::More) => {
                    left += 1;
                    if !in_head {
                        since = Instant::now();
                        in_head = true;
                    }
                    break;
                }
                Ok(Next::General(request, used)) => {
                    let read = BytesMut::from(bytes.get(used..).unwrap_or_default());
                    let Some((goes_on, read)) = http1::answer(&state, stream, *request, read, &peer).await else {
                        return;
                    };
                    stream = goes_on;
                    buffer.clear();
                    buffer.extend_from_slice(&read);
                    (start, end) = (0, read.len());
                    buffer.resize(end.max(FIRST_READ), 0);
                    since = Instant::now();
                    in_head = false;
                }
                Ok(Next::Http2) => {
                    let read = Bytes::copy_from_slice(bytes);
                    return Box::pin(http2::connection(state, stream, read, peer)).await;
                }
                Ok(Next::Refuse(refusal)) => return refuse(&state, stream, refusal, &peer.address).await,
                Err(error) => {
                    if error.kind() == io::ErrorKind::TimedOut {
                        note(&state, Refusal::SlowReader, &peer.address);
                    }
                    return;
                }
            }
        }
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        if end >= limits.head_bytes {
            return refuse(&state, stream, Refusal::LargeHead, &peer.address).await;
        }
        if end == buffer.len() {
            buffer.resize((buffer.len() * 2).min(limits.head_bytes), 0);
        }
        let space = buffer.get_mut(end..).unwrap_or_default();
        match read(&mut stream, space, wait.as_mut(), &mut since, in_head, &limits).await {
            Ok(0) => return,
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::TimedOut && in_head => {
                return refuse(&state, stream, Refusal::SlowHead, &peer.address).await;
            }
            Err(_) => return,
        }
    }
}

/// Reads what there is, or waits for it; it times out.
///
/// This is the stream's own read and not `try_read`: after one that did not fill the space it knows that there is no
/// more, and waits without asking the system again.
async fn read(
    stream: &mut Client,
    space: &mut [u8],
    mut wait: std::pin::Pin<&mut Sleep>,
    since: &mut Instant,
    in_head: bool,
    limits: &Limits,
) -> io::Result<usize> {
    let allowed = Duration::from_millis(if in_head { limits.head_time } else { limits.idle_time });
    if in_head {
        // The timer may still be that of an idle connection, which is allowed to wait longer.
        let end = tokio::time::Instant::from_std(*since) + allowed;
        if wait.deadline() > end {
            wait.as_mut().reset(end);
        }
    }
    loop {
        tokio::select! {
            biased;
            count = stream.read(space) => return count,
            () = wait.as_mut() => {
                // One timer for the whole connection: it is set anew only when it runs out.
                let left = allowed.checked_sub(since.elapsed()).filter(|left| !left.is_zero());
                let left = left.ok_or(io::ErrorKind::TimedOut)?;
                wait.as_mut().reset(tokio::time::Instant::now() + left);
            }
        }
    }
}

async fn respond(
    state: &Arc<ThreadState>,
    stream: &Client,
    bytes: &[u8],
    peer: &Peer,
    is_last: bool,
) -> io::Result<Next> {
    let limits = &state.shared.limits;
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let used = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(unfinished(bytes, limits)),
        Err(_) if PREFACE.starts_with(bytes.get(..PREFACE.len()).unwrap_or(bytes)) => {
            let is_whole = bytes.len() >= PREFACE.len();
            return Ok(if is_whole { Next::Http2 } else { Next::More });
        }
        Err(error) => return Ok(Next::Refuse(unparsed(bytes, error))),
    };
    let head = bytes.get(..used).unwrap_or(bytes);
    if let Some(refusal) = refused(&request, head, limits) {
        return Ok(Next::Refuse(refusal));
    }
    let general = || match Request::of(&request, head) {
        Ok((asked, mut manners)) => {
            manners.close |= is_last;
            Next::General(Box::new((asked, manners)), used)
        }
        Err(refusal) => Next::Refuse(refusal),
    };
    let target = request.path.unwrap_or_default();
    let is_challenge = state
        .shared
        .challenges()
        .is_some_and(|challenges| challenges.concerns(target));
    let Some(mut plain) = Plain::read(&request).filter(|_| !is_challenge) else {
        return Ok(general());
    };
    let told = peer
        .is_trusted
        .then(|| state.shared.trusted.told(|name| all(&request, name)));
    let client = told.flatten().map(|told| {
        plain.host = told.host.unwrap_or(plain.host);
        told.peer(peer)
    });
    let peer = client.as_ref().unwrap_or(peer);
    if peer.sent_to.is_some() || !state.shared.may_answer(plain.host, peer) {
        return Ok(general());
    }
    let site = state.shared.sites.find(plain.host);
    let Some(target) = request.path.and_then(|path| site.target(path)) else {
        return Ok(general());
    };
    let learning = state.shared.learning.as_ref();
    if learning.is_some() && is_asked_for(&target.path) {
        return Ok(general());
    }
    let asking = Asking {
        request: &request,
        plain: &plain,
        site,
        target: &target,
        peer,
        // A response that could be sent before a drain began is the last of its connection.
        close: plain.close || is_last || state.shared.draining.load(Ordering::Relaxed),
        started: state.begin(),
    };
    let build = site.build.load();
    let mut found = build.answer(&target, &plain.head);
    if matches!(found, Answer::Missing) {
        if build.has_route(&target) {
            drop(build);
            if let Some(hit) = asking.hit(state) {
                send_hit(state, stream, &hit, &asking).await?;
                let close = asking.close;
                return Ok(Next::Answered { used, close });
            }
            let is_answered = at_run_time(state, stream, &asking, head).await?;
            let close = asking.close;
            return Ok(if is_answered {
                Next::Answered { used, close }
            } else {
                general()
            });
        }
        found = build.not_found(&plain.head).unwrap_or(Answer::Missing);
    }
    if !build.may_send(&found) {
        return Ok(general());
    }
    let Some((status, line, sent, bytes)) = parts_of(&found, plain.head.is_head) else {
        return Ok(general());
    };
    let _flight = InFlight::new(Arc::clone(state));
    let secured: &[u8] = if peer.is_secure { site.secured_line() } else { b"" };
    let mut space = [0; 256];
    let beginning = beginning(&mut space, line, secured, asking.close);
    match asking.hints(state, |page| matches!(status, 200 | 304) && page.is_packed_html()) {
        None => write_all(stream, [beginning, sent], &state.shared.limits).await?,
        Some(hints) => write_all(stream, [beginning, &hints, sent], &state.shared.limits).await?,
    }
    asking.finish(state, Source::Pack, status, bytes);
    let close = asking.close;
    Ok(Next::Answered { used, close })
}

/// A plain request, and what it is for.
struct Asking<'a> {
    request: &'a httparse::Request<'a, 'a>,
    plain: &'a Plain<'a>,
    site: &'a Arc<Site>,
    target: &'a Target<'a>,
    peer: &'a Peer,
    close: bool,
    started: Option<Instant>,
}

impl Asking<'_> {
    /// What a browser is told that came to a page with a link, where the answer is at hand and `is_page`.
    fn hints(&self, state: &ThreadState, is_page: impl FnOnce(&Page<'_>) -> bool) -> Option<Vec<u8>> {
        let learning = self.learning(state)?;
        let page = Page {
            site: self.site,
            host: self.plain.host,
            path: &self.target.path,
        };
        if !is_page(&page) {
            return None;
        }
        let hints = learning.visited(page, &self.navigation(), self.peer.is_secure)?;
        Some(hints.lines())
    }

    /// What is kept and answers it as it is.
    fn hit(&self, state: &ThreadState) -> Option<Found> {
        let (site, host) = (&self.site.name, self.plain.host);
        if !self.plain.is_simple {
            return None;
        }
        state.shared.responses.hit(site, host, self.target, self.peer.is_secure)
    }

    /// What is learned from it, where it is a navigation.
    fn learning<'s>(&self, state: &'s ThreadState) -> Option<&'s Arc<Learning>> {
        let learning = state.shared.learning.as_ref()?;
        (self.plain.signs.are_there() && !self.plain.head.is_head).then_some(learning)
    }

    fn navigation(&self) -> Navigation {
        Navigation::read(|name| field(self.request, name), self.plain.host)
    }

    fn finish(&self, state: &ThreadState, source: Source, status: u16, bytes: u64) {
        if let Some(started) = self.started {
            let outcome = Outcome {
                source,
                status,
                bytes,
                took: started.elapsed(),
            };
            state.finish(&outcome, || told(self.request, self.plain.host, &self.peer.address));
        }
    }
}

/// Answers a request for what Python made or is to make; false where it is not for here.
async fn at_run_time(state: &Arc<ThreadState>, stream: &Client, asking: &Asking<'_>, head: &[u8]) -> io::Result<bool> {
    let Asking {
        request,
        plain,
        site,
        target,
        peer,
        close,
        started,
    } = *asking;
    let Some(mut headers) = request::fields(request, head) else {
        return Ok(false);
    };
    let method = if plain.head.is_head { Method::HEAD } else { Method::GET };
    if !request_may_use(&method, &headers) {
        return Ok(false);
    }
    identify(&mut headers);
    let id = headers.get(REQUEST_ID).cloned();
    let visit = asking.learning(state).map(|learning| {
        Visit::begin(
            learning,
            asking.navigation(),
            (site, plain.host),
            target,
            peer,
            &headers,
        )
    });
    let asked = Asked::new(method, headers, target, plain.host, peer);
    let outcome = make(state, stream, (site, asked), visit, close, started).await?;
    if let Some(outcome) = outcome {
        let id = id.as_ref().map_or(&b""[..], |id| id.as_bytes());
        state.finish(&outcome, || Told {
            id,
            ..told(request, plain.host, &peer.address)
        });
    }
    Ok(true)
}

/// The status, its line, what follows the fields that change, and the bytes of the body, of what is sent from the pack with
/// one call.
fn parts_of<'v>(found: &'v Answer<'_>, is_head: bool) -> Option<(u16, &'static [u8], &'v [u8], u64)> {
    match found {
        Answer::Whole {
            status: status @ (200 | 404),
            variant,
        } if !is_file(variant) => {
            let line: &[u8] = if *status == 200 {
                b"HTTP/1.1 200 OK\r\n"
            } else {
                b"HTTP/1.1 404 Not Found\r\n"
            };
            let (sent, bytes) = if is_head {
                (variant.head(), 0)
            } else {
                (variant.head_and_body(), variant.length())
            };
            Some((*status, line, sent, bytes))
        }
        Answer::NotModified(variant) => Some((304, b"HTTP/1.1 304 Not Modified\r\n", variant.not_modified_head(), 0)),
        _ => None,
    }
}

/// Sends a response from the cache as it was encoded when it was kept.
async fn send_hit(state: &Arc<ThreadState>, stream: &Client, hit: &Found, asking: &Asking<'_>) -> io::Result<()> {
    let _flight = InFlight::new(Arc::clone(state));
    let mut space = [0; 128];
    let tail = hit.tail(&mut space, asking.close);
    let (head, body) = hit.stored.whole(asking.plain.head.accept_encoding);
    match asking.hints(state, |_| is_html(&hit.stored.headers)) {
        None => write_all(stream, [head, tail, &body], &state.shared.limits).await?,
        Some(hints) => write_all(stream, [head, &hints, tail, &body], &state.shared.limits).await?,
    }
    asking.finish(state, Source::Cache, 200, body.len() as u64);
    Ok(())
}

/// Answers a request from the cache of what Python made, or from a worker. Returns what became of it, where that matters
/// to anyone.
async fn make(
    state: &Arc<ThreadState>,
    stream: &Client,
    (site, asked): (&Arc<Site>, Asked),
    visit: Option<Visit>,
    close: bool,
    started: Option<Instant>,
) -> io::Result<Option<Outcome>> {
    let _flight = InFlight::new(Arc::clone(state));
    let is_head = asked.method == Method::HEAD;
    let is_secure = asked.is_secure;
    let interim = Arc::default();
    let mut fetching = pin!(fetch(state, site, asked.telling(Some(&interim))));
    let answering = pin!(told_early(&interim, visit.as_ref(), fetching.as_mut()));
    let limits = &state.shared.limits;
    let Fetched { mut response, source } = until_answered(stream, &interim, answering, limits).await?;
    if let Some(visit) = &visit {
        visit.answered(&mut response, source);
    }
    if is_secure {
        site.secured(response.headers_mut());
    }
    let (status, size) = (response.status().as_u16(), response.body().size_hint().exact());
    let outcome = started.map(|started| Outcome {
        source,
        status,
        bytes: size.unwrap_or(0),
        took: started.elapsed(),
    });
    let end = End {
        is_head,
        close,
        is_old: false,
    };
    write_response(stream, response, end, limits).await?;
    Ok(outcome)
}

/// The values of all fields of a name.
fn all<'a, 'r>(request: &'r httparse::Request<'_, 'a>, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'r> {
    let name = name.to_owned();
    let fields = request.headers.iter();
    let found = fields.filter(move |field| field.name.eq_ignore_ascii_case(&name));
    found.map(|field| field.value)
}

/// The value of the first field of a name.
fn field<'a>(request: &httparse::Request<'_, 'a>, name: &str) -> Option<&'a [u8]> {
    let mut fields = request.headers.iter();
    let found = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(found.value)
}

/// Who asked for what, for the access log.
fn told<'a>(request: &httparse::Request<'_, 'a>, host: &'a str, peer: &'a str) -> Told<'a> {
    let field = |name: &str| field(request, name).unwrap_or_default();
    Told {
        peer,
        method: request.method.unwrap_or_default(),
        target: request.path.unwrap_or_default(),
        version: "HTTP/1.1",
        host,
        referer: field("referer"),
        agent: field("user-agent"),
        id: b"",
        trace: field("traceparent"),
    }
}

/// Why a head that was parsed is refused all the same, whatever it asks for.
pub(crate) fn refused(request: &httparse::Request<'_, '_>, head: &[u8], limits: &Limits) -> Option<Refusal> {
    if !has_whole_line_ends(head) {
        return Some(Refusal::Malformed);
    }
    if request.headers.len() > limits.fields {
        return Some(Refusal::ManyFields);
    }
    let is_long = request.path.is_some_and(|path| path.len() > limits.target_bytes);
    is_long.then_some(Refusal::LongTarget)
}

/// What becomes of a head that is not whole: a target that is too long is not waited for.
fn unfinished(bytes: &[u8], limits: &Limits) -> Next {
    // The method, the version and what is between them have less than this.
    let longest = limits.target_bytes + 64;
    let is_long = bytes.len() > longest && !bytes.iter().take(longest).any(|byte| *byte == b'\n');
    if is_long {
        Next::Refuse(Refusal::LongTarget)
    } else {
        Next::More
    }
}

fn is_file(variant: &Variant<'_>) -> bool {
    matches!(variant.body(), Body::File { .. })
}

/// The beginning of a head: the status line, and the fields that change.
fn beginning<'s>(space: &'s mut [u8; 256], line: &[u8], secured: &[u8], close: bool) -> &'s [u8] {
    let length = clock::with_date(|date| {
        let connection: &[u8] = if close { b"\r\nconnection: close\r\n" } else { b"\r\n" };
        fill(space, &[line, b"date: ", date, connection, secured])
    });
    space.get(..length).unwrap_or(&[])
}

fn fill(space: &mut [u8], parts: &[&[u8]]) -> usize {
    let mut at = 0;
    for part in parts {
        if let Some(slot) = space.get_mut(at..at + part.len()) {
            slot.copy_from_slice(part);
            at += part.len();
        }
    }
    at
}
