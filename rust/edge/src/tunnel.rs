//! `WebSocket` (RFC 6455): the handshake goes to a worker or origin like a request, and what follows in both directions as
//! it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::access::Outcome;
use crate::asked::{Asked, strip_connection};
use crate::body::{Body, Counted, InFlight, Lease};
use crate::client::Client;
use crate::clock;
use crate::connection::{Begun, Connection};
use crate::fields::{write_fields, write_status};
use crate::framing::Framing;
use crate::http1::linger;
use crate::identity::{identify, nonce};
use crate::metrics::{self, Source};
use crate::outgoing::{misdirected, passed_on, plain};
use crate::peer::Peer;
use crate::policy;
use crate::refusal::Refusal;
use crate::request::{Manners, Noted, Request};
use crate::responses::strip_internal;
use crate::service::head_of;
use crate::shared::ThreadState;
use crate::site::Site;
use crate::streams::Open;
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

/// Whether a request of HTTP/2 is for a stream of another protocol (RFC 8441, section 4).
pub(crate) fn is_extended(request: &http::Request<hyper::body::Incoming>) -> bool {
    request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_some()
}

/// Passes a `WebSocket` on that goes over a stream of HTTP/2 (RFC 8441, section 5), until either side ends it.
pub(crate) async fn over_http2(
    state: &Arc<ThreadState>,
    peer: &Arc<Peer>,
    stream: Open,
    mut request: http::Request<hyper::body::Incoming>,
) -> Response<Counted> {
    let started = state.begin().map(|_| Instant::now());
    let flight = InFlight::new(Arc::clone(state));
    let upgrade = hyper::upgrade::on(&mut request);
    let (request, peer, noted) = match extended(state, request) {
        Ok(mut request) => {
            let peer = &state.shared.introduce(&mut request, peer);
            let noted = started.map(|started| (started, Noted::of(&request)));
            (request, Arc::clone(peer), noted)
        }
        Err(refusal) => {
            state.refuse(refusal, &peer.address);
            return refusal.answer().map(|body| Counted::new(body, Some(flight), stream));
        }
    };
    let finish = |state: &ThreadState, noted: Option<(Instant, Noted)>, status: StatusCode, bytes: u64, peer: &Peer| {
        if let Some((started, noted)) = noted {
            let outcome = Outcome {
                source: Source::Worker,
                status: status.as_u16(),
                bytes,
                took: started.elapsed(),
            };
            state.finish(&outcome, || noted.told(&peer.address, "HTTP/2.0"));
        }
    };
    let Tunnel {
        mut headers,
        mut origin,
        lease,
    } = match open(state, request, &peer).await {
        Ok(tunnel) => tunnel,
        Err(response) => {
            let bytes = response.body().size_hint().exact().unwrap_or(0);
            finish(state, noted, response.status(), bytes, &peer);
            return response.map(|body| Counted::new(body, Some(flight), stream));
        }
    };
    // What a handshake of HTTP/1.1 is checked by has no place here (section 5).
    headers.remove(SEC_WEBSOCKET_ACCEPT);
    let (task_state, task_peer) = (Arc::clone(state), peer);
    // The stream is counted until the tunnel ends, and the response until it is said that there is one.
    let (stream, said) = stream.shared();
    tokio::spawn(async move {
        let mut sent = 0;
        if let Ok(upgraded) = upgrade.await {
            let mut client = TokioIo::new(upgraded);
            let first = origin.read().split();
            if client.write_all(&first).await.is_ok() {
                sent = first.len() as u64 + both_ways(&task_state, &mut client, &mut origin).await;
            }
            // It may be closed already.
            let _ = client.shutdown().await;
        }
        drop((lease, stream));
        finish(&task_state, noted, StatusCode::OK, sent, &task_peer);
    });
    let mut response = Response::new(Counted::new(Body::empty(), Some(flight), said));
    *response.headers_mut() = headers;
    response
}

/// The handshake of HTTP/1.1 that a stream of HTTP/2 stands for.
fn extended(state: &ThreadState, request: http::Request<hyper::body::Incoming>) -> Result<Request, Refusal> {
    let (parts, _) = request.into_parts();
    let is_websocket = parts
        .extensions
        .get::<Protocol>()
        .is_some_and(|protocol| protocol.as_str() == "websocket");
    let mut request = head_of(parts, &state.shared.limits)?;
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
    identify(&mut request.headers);
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

/// Passes bytes on in both directions until both have ended, nothing passed for too long, or the edge is to stop. Returns
/// how many went to the client.
async fn both_ways(
    state: &ThreadState,
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    origin: &mut Connection,
) -> u64 {
    metrics::add(&state.metrics.tunnels, 1);
    let longest = state.shared.limits.tunnel_time;
    let last = AtomicU64::new(clock::now());
    let (client_reader, client_writer) = split(client);
    let (origin_reader, origin_writer) = split(origin.stream());
    let sent = AtomicU64::new(0);
    let received = AtomicU64::new(0);
    let up = pump(client_reader, origin_writer, &last, &received);
    let down = pump(origin_reader, client_writer, &last, &sent);
    let watch = async {
        loop {
            tokio::time::sleep(BEAT).await;
            let quiet = clock::now().saturating_sub(last.load(Ordering::Relaxed));
            if quiet > longest || state.shared.draining.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    tokio::select! {
        _ = async { tokio::join!(up, down) } => {}
        () = watch => {}
    }
    metrics::sub(&state.metrics.tunnels, 1);
    sent.load(Ordering::Relaxed)
}

/// Passes on in one direction. What the reader ends, the writer ends too.
async fn pump(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    last: &AtomicU64,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read) else { break };
        if writer.write_all(bytes).await.is_err() || writer.flush().await.is_err() {
            break;
        }
        last.store(clock::now(), Ordering::Relaxed);
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    // It may be closed already.
    let _ = writer.shutdown().await;
}
