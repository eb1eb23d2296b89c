//! `WebSocket` (RFC 6455): the handshake goes to a worker or origin like a request, and what follows in both directions as
//! it is.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::access::Outcome;
use crate::asked::{Asked, strip_connection};
use crate::body::{Body, BodyError, InFlight, Lease};
use crate::client::Client;
use crate::clock;
use crate::connection::{Begun, Connection};
use crate::exchange::{self, Exchange, Sending};
use crate::fetch::Fetched;
use crate::fields::{write_fields, write_status};
use crate::framing::Framing;
use crate::http1::linger;
use crate::identity::nonce;
use crate::metrics::{self, Source};
use crate::outgoing::{misdirected, passed_on, plain};
use crate::peer::Peer;
use crate::policy;
use crate::refusal::Refusal;
use crate::request::{Manners, Noted, Request};
use crate::responses::strip_internal;
use crate::shared::ThreadState;
use crate::site::Site;
use crate::upstream;
use crate::write::{End, write_all, write_response};

/// Bytes that are passed on at a time in either direction.
const BUFFER: usize = 8 << 10;
/// How often it is looked whether anything passes, and whether the edge is to stop.
const BEAT: Duration = Duration::from_millis(200);
/// What is said in place of the fields of a connection, on both sides.
const UPGRADED: &[u8] = b"connection: Upgrade\r\nupgrade: websocket\r\n\r\n";

/// Whether a request is the handshake of a `WebSocket` (section 4.2.1), for what is made at run time. One that is not
/// whole is a request like others, without its upgrade.
pub(crate) fn is_handshake(state: &ThreadState, request: &Request, manners: &Manners) -> bool {
    let has = |name, token: &str| policy::list(&request.headers, name).any(|one| one.eq_ignore_ascii_case(token));
    let is_field = |name, holds: fn(&[u8]) -> bool| {
        let mut values = request.headers.get_all(name).iter();
        matches!((values.next(), values.next()), (Some(one), None) if holds(one.as_bytes()))
    };
    request.method == Method::GET
        && !manners.is_old
        && manners.framing == Framing::End
        && has(&UPGRADE, "websocket")
        && has(&CONNECTION, "upgrade")
        && is_field(SEC_WEBSOCKET_VERSION, |value| value == b"13")
        // Sixteen bytes in Base64.
        && is_field(SEC_WEBSOCKET_KEY, |value| value.len() == 24 && value.ends_with(b"=="))
        && {
            let site = state.shared.sites.find(&request.host);
            let target = site.target(&request.target);
            target.is_some_and(|target| site.build.load().has_route(&target))
        }
}

/// Passes a handshake on, and what follows, until either side ends; `read` is what came after it.
pub(crate) async fn serve(state: &Arc<ThreadState>, mut client: Client, request: Request, read: BytesMut, peer: &Peer) {
    let started = Instant::now();
    let noted = state.begin().map(|_| Noted::of(&request));
    let (status, bytes) = pass(state, &mut client, request, read, peer).await;
    if let Some(noted) = noted {
        let outcome = Outcome {
            source: Source::Worker,
            status: status.as_u16(),
            bytes,
            took: started.elapsed(),
        };
        state.finish(&outcome, || noted.told(&peer.address, "HTTP/1.1"));
    }
    linger(client).await;
}

/// A tunnel that a worker or origin has opened.
struct Tunnel {
    /// What it answered, without what is of its connection.
    headers: HeaderMap,
    origin: Connection,
    lease: Lease,
}

/// Hands a handshake on; what is answered in place of a tunnel, where there is none.
async fn open(state: &Arc<ThreadState>, request: Request, peer: &Peer) -> Result<Tunnel, Response<Body>> {
    if !state.shared.may_answer(&request.host, peer) {
        return Err(misdirected());
    }
    let site = state.shared.sites.find(&request.host);
    let Some(target) = site.target(&request.target) else {
        return Err(plain(StatusCode::BAD_REQUEST, "This path names nothing here.\n"));
    };
    let asked = Asked::new(request.method, request.headers, &target, &request.host, peer);
    let opened = site
        .upstream
        .open(state.number, &state.shared.limits, &handshake(&asked, site))
        .await;
    let (begun, origin, (worker, lease)) =
        opened.map_err(|failed| passed_on(Err(failed), site, state.coder(&asked), ""))?;
    if begun.status != StatusCode::SWITCHING_PROTOCOLS || !accepts(&begun.headers) {
        let begun = Begun {
            is_reusable: false,
            ..begun
        };
        let response = upstream::response(begun, origin, worker, state.number, lease);
        return Err(passed_on(Ok(response), site, state.coder(&asked), ""));
    }
    let mut headers = begun.headers;
    strip_connection(&mut headers);
    strip_internal(&mut headers);
    Ok(Tunnel { headers, origin, lease })
}

/// Returns the status, and the bytes that went to the client.
async fn pass(
    state: &Arc<ThreadState>,
    client: &mut Client,
    request: Request,
    read: BytesMut,
    peer: &Peer,
) -> (StatusCode, u64) {
    let flight = InFlight::new(Arc::clone(state));
    let mut tunnel = match open(state, request, peer).await {
        Ok(tunnel) => tunnel,
        Err(response) => return send(state, client, response).await,
    };
    let status = StatusCode::SWITCHING_PROTOCOLS;
    let mut head = Vec::with_capacity(512);
    write_status(&mut head, status);
    write_fields(&mut head, &tunnel.headers);
    head.extend_from_slice(UPGRADED);
    let first = tunnel.origin.read().split();
    let is_begun = write_all(client, [&head, &first], &state.shared.limits).await.is_ok()
        && tunnel.origin.write_all(&read).await.is_ok();
    // A drain waits for responses; this one is over, and its end is not known.
    drop(flight);
    if !is_begun {
        return (status, 0);
    }
    let sent = both_ways(state, client, &mut tunnel.origin).await;
    drop(tunnel.lease);
    (status, first.len() as u64 + sent)
}

/// Passes a `WebSocket` on that goes over a stream of HTTP/2 or HTTP/3 (RFC 8441, section 5; RFC 9220, section 3), until
/// either side ends it. `body` is what comes over the stream.
pub(crate) async fn over_stream<S: Sending>(
    mut exchange: Exchange<S>,
    head: Result<Request, Refusal>,
    is_websocket: bool,
    body: impl http_body::Body<Data = Bytes, Error = BodyError> + Send,
) {
    let state = Arc::clone(&exchange.state);
    let request = head.and_then(|mut request| {
        exchange.introduce(&mut request);
        extended(&state, request, is_websocket)
    });
    let request = match request {
        Ok(request) => request,
        Err(refusal) => {
            let Fetched { response, source } = exchange.refused(refusal);
            let _ = exchange.reply(response, source).await;
            return;
        }
    };
    let peer = Arc::clone(&exchange.peer);
    let opened = tokio::select! {
        biased;
        opened = open(&state, request, &peer) => opened,
        () = exchange.sending.gone() => return,
    };
    let mut tunnel = match opened {
        Ok(tunnel) => tunnel,
        Err(response) => {
            let _ = exchange.reply(response, Source::Worker).await;
            return;
        }
    };
    let mut head = Response::new(());
    *head.headers_mut() = std::mem::take(&mut tunnel.headers);
    // What a handshake of HTTP/1.1 is checked by has no place here (section 5).
    head.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
    head.headers_mut().remove(CONTENT_LENGTH);
    exchange::strip(head.headers_mut());
    if exchange.sending.begin(head, false).await.is_err() {
        return;
    }
    exchange.landed();
    let sent = stream_both_ways(&state, &mut exchange, body, &mut tunnel.origin).await;
    drop(tunnel.lease);
    let took = exchange.elapsed();
    exchange.finish(StatusCode::OK, Source::Worker, sent, took);
}

/// Passes on what comes and goes over a stream; how many bytes went to the client.
async fn stream_both_ways<S: Sending>(
    state: &ThreadState,
    exchange: &mut Exchange<S>,
    body: impl http_body::Body<Data = Bytes, Error = BodyError>,
    origin: &mut Connection,
) -> u64 {
    let passing = Passing::default();
    let first = origin.read().split().freeze();
    let (mut origin_reader, mut origin_writer) = split(origin.stream());
    let up = async {
        let mut body = pin!(body);
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            if origin_writer.write_all(&data).await.is_err() || origin_writer.flush().await.is_err() {
                break;
            }
            passing.passed();
        }
        // It may be closed already.
        let _ = origin_writer.shutdown().await;
    };
    let Exchange { sending, open, .. } = exchange;
    let down = async {
        let mut next = first;
        open.sends();
        loop {
            if !next.is_empty() {
                let count = next.len() as u64;
                open.waits();
                if let Err(why) = sending.send(next, false).await {
                    sending.abort(&why);
                    return;
                }
                open.waits_not();
                passing.passed();
                passing.sent.fetch_add(count, Ordering::Relaxed);
            }
            let mut buffer = BytesMut::with_capacity(BUFFER);
            match origin_reader.read_buf(&mut buffer).await {
                Ok(1..) => next = buffer.freeze(),
                _ => break,
            }
        }
        // It may be closed already.
        let _ = sending.finish().await;
    };
    let is_over = passing.until_over(state, up, down).await;
    if !is_over {
        // The client is told that nothing more comes.
        let _ = sending.finish().await;
    }
    passing.sent.into_inner()
}

/// The handshake of HTTP/1.1 that a stream of HTTP/2 or HTTP/3 stands for.
fn extended(state: &ThreadState, mut request: Request, is_websocket: bool) -> Result<Request, Refusal> {
    let is_known = request
        .headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_some_and(|version| version == "13");
    let site = state.shared.sites.find(&request.host);
    let is_made = site
        .target(&request.target)
        .is_some_and(|target| site.build.load().has_route(&target));
    if !is_websocket || !is_known || !is_made {
        return Err(Refusal::Method);
    }
    request.method = Method::GET;
    let key = HeaderValue::from_str(&nonce()).map_err(|_| Refusal::Malformed)?;
    request.headers.insert(SEC_WEBSOCKET_KEY, key);
    Ok(request)
}

/// The head of the handshake as it goes to a worker or origin.
fn handshake(asked: &Asked, site: &Site) -> Vec<u8> {
    let mut head = asked.head(false, site.is_origin());
    head.truncate(head.len() - 2);
    head.extend_from_slice(UPGRADED);
    head
}

fn accepts(headers: &HeaderMap) -> bool {
    policy::list(headers, &UPGRADE).any(|one| one.eq_ignore_ascii_case("websocket"))
}

/// Sends what is answered in place of an upgrade, and ends the connection with it: what follows may be meant for the other
/// protocol, and is no request.
async fn send(state: &ThreadState, client: &Client, response: Response<Body>) -> (StatusCode, u64) {
    let (status, bytes) = (response.status(), response.body().size_hint().exact().unwrap_or(0));
    let end = End {
        is_head: false,
        close: true,
        is_old: false,
    };
    // The client may have gone.
    let _ = write_response(client, response, end, &state.shared.limits).await;
    (status, bytes)
}

/// Passes bytes on in both directions; how many went to the client.
async fn both_ways(state: &ThreadState, client: &mut Client, origin: &mut Connection) -> u64 {
    let passing = Passing::default();
    let (client_reader, client_writer) = split(client);
    let (origin_reader, origin_writer) = split(origin.stream());
    let received = AtomicU64::new(0);
    let up = pump(client_reader, origin_writer, &passing, &received);
    let down = pump(origin_reader, client_writer, &passing, &passing.sent);
    passing.until_over(state, up, down).await;
    passing.sent.into_inner()
}

/// What passes through a tunnel.
struct Passing {
    /// When something last did.
    last: AtomicU64,
    /// Bytes that went to the client.
    sent: AtomicU64,
}

impl Default for Passing {
    fn default() -> Self {
        Self {
            last: AtomicU64::new(clock::now()),
            sent: AtomicU64::new(0),
        }
    }
}

impl Passing {
    fn passed(&self) {
        self.last.store(clock::now(), Ordering::Relaxed);
    }

    /// Waits until both directions have ended, nothing passed for too long, or the edge is to stop. Whether both have.
    async fn until_over(
        &self,
        state: &ThreadState,
        up: impl Future<Output = ()>,
        down: impl Future<Output = ()>,
    ) -> bool {
        metrics::add(&state.metrics.tunnels, 1);
        let longest = state.shared.limits.tunnel_time;
        let watch = async {
            loop {
                tokio::time::sleep(BEAT).await;
                let quiet = clock::now().saturating_sub(self.last.load(Ordering::Relaxed));
                if quiet > longest || state.shared.draining.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        let is_over = tokio::select! {
            _ = async { tokio::join!(up, down) } => true,
            () = watch => false,
        };
        metrics::sub(&state.metrics.tunnels, 1);
        is_over
    }
}

/// Passes on in one direction. What the reader ends, the writer ends too.
async fn pump(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    passing: &Passing,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read) else { break };
        if writer.write_all(bytes).await.is_err() || writer.flush().await.is_err() {
            break;
        }
        passing.passed();
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    // It may be closed already.
    let _ = writer.shutdown().await;
}
