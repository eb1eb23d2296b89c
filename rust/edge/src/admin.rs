//! The admin socket: figures, purges and reloads, as HTTP over a Unix socket in a folder nobody else can enter; and,
//! where that is wanted, over TCP with a token.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::edge::Core;
use crate::error::EdgeError;
use crate::prometheus;
use crate::purge::{Purge, is_allowed};

const LARGEST: usize = 16 << 20;

/// Listens on a socket, and on an address where one is given, on a thread of its own: a purge waits for no page. Returns
/// the address, and the listener for who is to pass it on. One that was passed on is used.
///
/// Who can enter the socket's folder may do all; over TCP the token is asked for, and without one only this machine is
/// listened to.
pub(crate) fn start(
    socket: &Path,
    address: Option<SocketAddr>,
    passed: Option<std::net::TcpListener>,
    core: &Arc<Core>,
) -> Result<(Option<SocketAddr>, Option<std::net::TcpListener>), EdgeError> {
    let io = |doing| move |source| EdgeError::Io { doing, source };
    // What an earlier server left; one that still runs has another folder.
    let _ = std::fs::remove_file(socket);
    let listener = std::os::unix::net::UnixListener::bind(socket).map_err(io("opening the admin socket"))?;
    listener.set_nonblocking(true).map_err(io("opening the admin socket"))?;
    let remote = address.map(|address| listen(address, passed, core)).transpose()?;
    let held = remote.as_ref().and_then(|listener| listener.try_clone().ok());
    let bound = remote.as_ref().and_then(|listener| listener.local_addr().ok());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("starting a thread"))?;
    let core = Arc::clone(core);
    let serve = move || {
        runtime.block_on(async {
            let remote = remote.and_then(|listener| TcpListener::from_std(listener).ok());
            if let Some(listener) = remote {
                let core = Arc::clone(&core);
                tokio::spawn(async move {
                    loop {
                        match listener.accept().await {
                            Ok((stream, _)) => connection(&core, stream, true),
                            // Out of descriptors or memory: a pause lets some come back.
                            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                        }
                    }
                });
            }
            let Ok(listener) = UnixListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                connection(&core, stream, false);
            }
        });
    };
    std::thread::Builder::new()
        .name("edge-admin".to_owned())
        .spawn(serve)
        .map_err(io("starting a thread"))?;
    Ok((bound, held))
}

fn listen(
    address: SocketAddr,
    passed: Option<std::net::TcpListener>,
    core: &Core,
) -> Result<std::net::TcpListener, EdgeError> {
    if core.shared().token.is_none() && !address.ip().is_loopback() {
        return Err(EdgeError::Config(format!(
            "the admin listener at {address} can be reached from other machines: it needs a token"
        )));
    }
    let listener = passed
        .map_or_else(|| std::net::TcpListener::bind(address), Ok)
        .map_err(|source| EdgeError::Listen {
            address: address.to_string(),
            source,
        })?;
    listener.set_nonblocking(true).map_err(|source| EdgeError::Io {
        doing: "opening the admin listener",
        source,
    })?;
    Ok(listener)
}

fn connection(core: &Arc<Core>, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, is_remote: bool) {
    let core = Arc::clone(core);
    tokio::spawn(async move {
        let service = service_fn(move |request| answer(Arc::clone(&core), request, is_remote));
        // Who asked may have gone.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
}

async fn answer(
    core: Arc<Core>,
    request: Request<Incoming>,
    is_remote: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if is_remote
        && let Some(token) = &core.shared().token
        && !is_allowed(&parts.headers, token)
    {
        let mut response = Response::new(Full::from("{\"error\":\"the token is missing or wrong\"}"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Ok(response);
    }
    if (&parts.method, parts.uri.path()) == (&Method::GET, "/metrics") {
        let mut response = Response::new(Full::from(prometheus::text(&core.stats())));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(prometheus::CONTENT_TYPE));
        return Ok(response);
    }
    let made = match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/healthz") => Ok(json!({"ok": true})),
        (&Method::GET, "/stats") => serde_json::to_value(core.stats()).map_err(|error| error.to_string()),
        (&Method::POST, "/reload") => {
            let results = core.reload_all().into_iter().map(|(site, result)| {
                let shown = match result {
                    Ok(changes) => serde_json::to_value(changes).unwrap_or_default(),
                    Err(error) => json!({"error": error.to_string()}),
                };
                (site, shown)
            });
            Ok(serde_json::Value::Object(results.collect()))
        }
        (&Method::POST, "/purge") => match Limited::new(body, LARGEST).collect().await {
            Ok(body) => match serde_json::from_slice::<Purge>(&body.to_bytes()) {
                Ok(purge) if purge.is_empty() => Err("this purge names nothing".to_owned()),
                Ok(purge) => Ok(json!({"purged": core.purge(&purge)})),
                Err(error) => Err(format!("this is no purge: {error}")),
            },
            Err(error) => Err(error.to_string()),
        },
        _ => {
            let mut response = Response::new(Full::from("{\"error\":\"there is no such command\"}"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    let (status, value) = match made {
        Ok(value) => (StatusCode::OK, value),
        Err(reason) => (StatusCode::BAD_REQUEST, json!({"error": reason})),
    };
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
