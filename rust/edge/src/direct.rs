//! The direct path: plain requests, each with one read and one write.
//!
//! What is plain: a GET or HEAD of HTTP/1.1 in origin form, with one Host and no body, for what is in the pack or has a
//! handler. Anything else is read by the same parser, and answered by [`http1`].

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::Method;
use hyperweb_pack::{Body, Variant};
use tokio::time::{Sleep, sleep};

use crate::access::{Outcome, Told};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::body::InFlight;
use crate::client::Client;
use crate::clock;
use crate::config::{Limits, MOST_FIELDS};
use crate::fields::fill;
use crate::found::Moment;
use crate::http1::{self, note, refuse};
use crate::http2::{self, PREFACE};
use crate::identity::identify;
use crate::learning::{Learning, Page};
use crate::making::Making;
use crate::metrics::Source;
use crate::navigation::Navigation;
use crate::next_page::is_asked_for;
use crate::path::Target;
use crate::peer::Peer;
use crate::plain::Plain;
use crate::policy::request_may_use;
use crate::refusal::Refusal;
use crate::request::{self, Manners, Noted, Request, has_whole_line_ends, unparsed};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::spare;
use crate::store::Stored;
use crate::unsent::{Ending, Sent, Unsent};
use crate::visit::{Visit, is_html};

/// What becomes of the bytes at the beginning of the buffer.
enum Next {
    /// A response was sent for so many bytes; the connection goes on, or not.
    Answered {
        used: usize,
        close: bool,
    },
    /// The client has no room for all of it.
    Unsent(Box<Rest>, usize),
    /// It is for a worker, or for the cache with more to think of.
    Make(Box<Making>, usize),
    /// The head is not whole yet.
    More,
    /// This is not for here. Its head has so many bytes.
    General(Box<(Request, Manners)>, usize),
    /// This is HTTP/2.
    Http2,
    Refuse(Refusal),
}

/// What is left of a response, and of its request.
struct Rest {
    unsent: Unsent,
    ending: Option<Ending>,
    outcome: Sent,
    close: bool,
}

/// Serves one connection to its end; `before` is what was read of it.
///
/// What is seldom has its memory where it is needed, and not in every connection, most of which wait.
pub(crate) async fn connection(state: Arc<ThreadState>, mut stream: Client, peer: Arc<Peer>, before: Vec<u8>) {
    let (mut start, mut end) = (0, before.len());
    let mut buffer = before;
    if end > 0 {
        buffer.resize(end.max(spare::SIZE), 0);
    }
    let limits = &state.shared.limits;
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
            let (used, sent) = match respond(&state, &stream, bytes, &peer, left == 0) {
                Ok(Next::Answered { used, close }) => (used, Ok(close)),
                Ok(Next::Unsent(rest, used)) => (used, Box::pin(rest.send(&state, &stream)).await),
                Ok(Next::Make(making, used)) => (used, Box::pin(making.answer(&state, &stream)).await),
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
                    let answering = Box::pin(http1::answer(&state, stream, *request, read, &peer));
                    let Some((goes_on, read)) = answering.await else {
                        return;
                    };
                    stream = goes_on;
                    buffer.clear();
                    buffer.extend_from_slice(&read);
                    (start, end) = (0, read.len());
                    buffer.resize(end.max(spare::SIZE), 0);
                    since = Instant::now();
                    in_head = false;
                    continue;
                }
                Ok(Next::Http2) => {
                    let read = Bytes::copy_from_slice(bytes);
                    return Box::pin(http2::connection(state, stream, read, peer)).await;
                }
                Ok(Next::Refuse(refusal)) => {
                    return Box::pin(refuse(&state, stream, refusal, &peer.address)).await;
                }
                Err(error) => (0, Err(error)),
            };
            match sent {
                Ok(true) => return,
                Ok(false) => {
                    start += used;
                    since = Instant::now();
                    in_head = false;
                }
                Err(error) => {
                    if error.kind() == io::ErrorKind::TimedOut {
                        note(&state, Refusal::SlowReader, &peer.address);
                    }
                    return;
                }
            }
        }
        if start == end {
            spare::give(&mut buffer);
            (start, end) = (0, 0);
        } else {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if end >= limits.head_bytes {
                return Box::pin(refuse(&state, stream, Refusal::LargeHead, &peer.address)).await;
            }
            if end == buffer.len() {
                buffer.resize((buffer.len() * 2).min(limits.head_bytes), 0);
            }
        }
        match read(
            &mut stream,
            &mut buffer,
            end,
            wait.as_mut(),
            &mut since,
            in_head,
            limits,
        )
        .await
        {
            Ok(0) => return,
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::TimedOut && in_head => {
                return Box::pin(refuse(&state, stream, Refusal::SlowHead, &peer.address)).await;
            }
            Err(_) => return,
        }
    }
}

/// Reads what there is, or waits for it; it times out.
async fn read(
    stream: &mut Client,
    buffer: &mut Vec<u8>,
    end: usize,
    mut wait: Pin<&mut Sleep>,
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
        if let Some(read) = spare::read(stream, buffer, end, wait.as_mut()).await {
            return read;
        }
        // One timer for the whole connection: it is set anew only when it runs out.
        let left = allowed.checked_sub(since.elapsed()).filter(|left| !left.is_zero());
        let left = left.ok_or(io::ErrorKind::TimedOut)?;
        wait.as_mut().reset(tokio::time::Instant::now() + left);
    }
}

/// Answers what is plain and at hand without waiting for anything.
fn respond(state: &Arc<ThreadState>, stream: &Client, bytes: &[u8], peer: &Peer, is_last: bool) -> io::Result<Next> {
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
    if let Some(next) = respond_plainly(state, stream, &request, head, peer, is_last)? {
        return Ok(next);
    }
    Ok(match Request::of(&request, head) {
        Ok((asked, mut manners)) => {
            manners.close |= is_last;
            Next::General(Box::new((asked, manners)), used)
        }
        Err(refusal) => Next::Refuse(refusal),
    })
}

/// The same of a request that was parsed; none where it is not for here.
fn respond_plainly<'r>(
    state: &Arc<ThreadState>,
    stream: &Client,
    request: &httparse::Request<'r, 'r>,
    head: &[u8],
    peer: &Peer,
    is_last: bool,
) -> io::Result<Option<Next>> {
    let used = head.len();
    let text = request.path.unwrap_or_default();
    let is_challenge = state
        .shared
        .challenges()
        .is_some_and(|challenges| challenges.concerns(text));
    let Some(mut plain) = Plain::read(request).filter(|_| !is_challenge) else {
        return Ok(None);
    };
    let told = peer
        .is_trusted
        .then(|| state.shared.trusted.told(|name| all(request, name)));
    let client = told.flatten().map(|told| {
        plain.host = told.host.unwrap_or(plain.host);
        told.peer(peer)
    });
    let peer = client.as_ref().unwrap_or(peer);
    if peer.sent_to.is_some() || !state.shared.may_answer(plain.host, peer) {
        return Ok(None);
    }
    let site = state.shared.sites.find(plain.host);
    let Some(target) = site.target(text) else {
        return Ok(None);
    };
    if state.shared.learning.is_some() && is_asked_for(&target.path) {
        return Ok(None);
    }
    let asking = Asking {
        request,
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
            if let Some(sent) = asking.send_hit(state, stream) {
                return sent.map(|(unsent, outcome)| Some(asking.next(state, used, unsent, outcome)));
            }
            return Ok(asking.make(state, head).map(|making| Next::Make(making, used)));
        }
        found = build.not_found(&plain.head).unwrap_or(Answer::Missing);
    }
    if !build.may_send(&found) {
        return Ok(None);
    }
    let Some(parts) = Parts::of(&found, plain.head.is_head) else {
        return Ok(None);
    };
    let Parts {
        status,
        line,
        sent,
        body,
    } = parts;
    let secured: &[u8] = if peer.is_secure { site.secured_line() } else { b"" };
    let mut space = [0; 256];
    let beginning = beginning(&mut space, line, secured, asking.close);
    let bytes = body.map_or(0, Variant::length);
    let body = || body.map_or_else(Bytes::new, Variant::body_bytes);
    let unsent = match asking.hints(state, |page| matches!(status, 200 | 304) && page.is_packed_html()) {
        None => Unsent::send(stream, [beginning, sent], body)?,
        Some(hints) => Unsent::send(stream, [beginning, &hints, sent], body)?,
    };
    Ok(Some(asking.next(state, used, unsent, (Source::Pack, status, bytes))))
}

/// A plain request, and what it is for.
struct Asking<'a, 'r> {
    request: &'a httparse::Request<'r, 'r>,
    plain: &'a Plain<'a>,
    site: &'a Arc<Site>,
    target: &'a Target<'a>,
    peer: &'a Peer,
    close: bool,
    started: Option<Instant>,
}

impl Asking<'_, '_> {
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

    /// Sends what is kept and answers it as it is; none where nothing does.
    fn send_hit(&self, state: &ThreadState, stream: &Client) -> Option<io::Result<(Option<Unsent>, Sent)>> {
        if !self.plain.is_simple {
            return None;
        }
        let key = (&*self.site.name, self.plain.host);
        let hit = |stored: &Stored, moment: Moment| {
            let mut space = [0; 128];
            let tail = moment.tail(&mut space, self.close);
            let (head, body) = stored.whole(self.plain.head.accept_encoding);
            let bytes = body.len() as u64;
            let kept = || Bytes::clone(&body);
            let unsent = match self.hints(state, |_| is_html(&stored.headers)) {
                None => Unsent::send(stream, [head, tail, &body], kept)?,
                Some(hints) => Unsent::send(stream, [head, &hints, tail, &body], kept)?,
            };
            Ok((unsent, (Source::Cache, 200, bytes)))
        };
        state.shared.responses.hit(key, self.target, self.peer.is_secure, hit)
    }

    /// What comes after a response was sent, as far as there was room for it.
    fn next(&self, state: &ThreadState, used: usize, unsent: Option<Unsent>, outcome: Sent) -> Next {
        let close = self.close;
        let Some(unsent) = unsent else {
            self.finish(state, outcome);
            return Next::Answered { used, close };
        };
        let noted = || {
            let noted = Noted::of_parsed(self.request, self.plain.host);
            (noted, self.peer.address.clone())
        };
        let rest = Rest {
            unsent,
            ending: Ending::new(state, self.started, noted),
            outcome,
            close,
        };
        Next::Unsent(Box::new(rest), used)
    }

    /// What is to be made, or to be found with more to think of; none where it is not for here.
    fn make(&self, state: &ThreadState, head: &[u8]) -> Option<Box<Making>> {
        let mut headers = request::fields(self.request, head)?;
        let is_head = self.plain.head.is_head;
        let method = if is_head { Method::HEAD } else { Method::GET };
        if !request_may_use(&method, &headers) {
            return None;
        }
        identify(&mut headers);
        let noted = || {
            let noted = Noted::of_parsed(self.request, self.plain.host);
            (noted.identified(&headers), self.peer.address.clone())
        };
        let ending = Ending::new(state, self.started, noted);
        let (site, host) = (self.site, self.plain.host);
        let visit = self.learning(state).map(|learning| {
            Visit::begin(
                learning,
                self.navigation(),
                (site, host),
                self.target,
                self.peer,
                &headers,
            )
        });
        Some(Box::new(Making {
            site: Arc::clone(site),
            asked: Asked::new(method, headers, self.target, host, self.peer),
            visit,
            ending,
            close: self.close,
        }))
    }

    /// What is learned from it, where it is a navigation.
    fn learning<'s>(&self, state: &'s ThreadState) -> Option<&'s Arc<Learning>> {
        let learning = state.shared.learning.as_ref()?;
        (self.plain.signs.are_there() && !self.plain.head.is_head).then_some(learning)
    }

    fn navigation(&self) -> Navigation {
        Navigation::read(|name| field(self.request, name), self.plain.host)
    }

    fn finish(&self, state: &ThreadState, (source, status, bytes): Sent) {
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

impl Rest {
    /// Sends it, and returns whether the connection ends.
    async fn send(self: Box<Self>, state: &Arc<ThreadState>, stream: &Client) -> io::Result<bool> {
        let Self {
            unsent,
            ending,
            outcome,
            close,
        } = *self;
        let _flight = InFlight::new(Arc::clone(state));
        unsent.finish(stream, &state.shared.limits).await?;
        if let Some(ending) = ending {
            ending.finish(state, outcome);
        }
        Ok(close)
    }
}

/// What is sent from the pack with one call.
struct Parts<'v, 'p> {
    status: u16,
    /// The line of the status.
    line: &'static [u8],
    /// What follows the fields that change.
    sent: &'p [u8],
    /// What that ends with the body of, where it has one.
    body: Option<&'v Variant<'p>>,
}

impl<'v, 'p> Parts<'v, 'p> {
    fn of(found: &'v Answer<'p>, is_head: bool) -> Option<Self> {
        match found {
            Answer::Whole {
                status: status @ (200 | 404),
                variant,
            } if !is_file(variant) => Some(Self {
                status: *status,
                line: if *status == 200 {
                    b"HTTP/1.1 200 OK\r\n"
                } else {
                    b"HTTP/1.1 404 Not Found\r\n"
                },
                sent: if is_head {
                    variant.head()
                } else {
                    variant.head_and_body()
                },
                body: (!is_head).then_some(variant),
            }),
            Answer::NotModified(variant) => Some(Self {
                status: 304,
                line: b"HTTP/1.1 304 Not Modified\r\n",
                sent: variant.not_modified_head(),
                body: None,
            }),
            _ => None,
        }
    }
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
fn told<'a>(request: &'a httparse::Request<'_, '_>, host: &'a str, peer: &'a str) -> Told<'a> {
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
