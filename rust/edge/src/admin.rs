//! The admin socket: figures, purges and reloads, as HTTP over a Unix socket in a folder nobody else can enter.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::UnixListener;

use crate::edge::Core;
use crate::error::EdgeError;
use crate::purge::Purge;

const LARGEST: usize = 16 << 20;

/// Listens on a socket, on a thread of its own: a purge waits for no page.
pub(crate) fn start(socket: &Path, core: Arc<Core>) -> Result<(), EdgeError> {
    let io = |doing| move |source| EdgeError::Io { doing, source };
    // What an earlier server left; one that still runs has another folder.
    let _ = std::fs::remove_file(socket);
    let listener = std::os::unix::net::UnixListener::bind(socket).map_err(io("opening the admin socket"))?;
    listener.set_nonblocking(true).map_err(io("opening the admin socket"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("starting a thread"))?;
    let serve = move || {
        runtime.block_on(async {
            let Ok(listener) = UnixListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let core = Arc::clone(&core);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&core), request));
                    // Who asked may have gone.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
    };
    std::thread::Builder::new()
        .name("edge-admin".to_owned())
        .spawn(serve)
        .map_err(io("starting a thread"))?;
    Ok(())
}

async fn answer(core: Arc<Core>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
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
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    Ok(response)
}
