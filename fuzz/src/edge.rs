//! Requests as the edge reads them, beside how another server does.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A request as the other server understood it.
#[derive(Debug, PartialEq, Eq)]
struct Other {
    method: String,
    target: String,
    body: Vec<u8>,
}

/// Reads a stream of requests: however it is cut into pieces it says the same; what is sent on to an origin is one request
/// again, the same one; and hyper sees in both what the edge sees, or less.
pub fn requests(data: &[u8]) {
    let seen = hyperweb_edge::fuzzing::requests(data);
    let Some((_, stream)) = data.split_first() else { return };
    for (one, other) in seen.iter().zip(others(stream)) {
        assert_eq!(
            (&one.method, &one.body),
            (&other.method, &other.body),
            "two servers read two requests"
        );
        let target = other
            .target
            .split_once("://")
            .map_or(other.target.as_str(), |(_, rest)| {
                rest.find(['/', '?']).map_or("/", |at| &rest[at..])
            });
        assert_eq!(one.target, target, "two servers read two targets");
    }
    for one in &seen {
        let Some(sent) = &one.sent else { continue };
        let others = others(sent);
        assert!(others.len() <= 1, "what was one request are {others:?}");
        if let Some(other) = others.first() {
            assert_eq!(
                (&one.method, &one.target, &one.body),
                (&other.method, &other.target, &other.body)
            );
        }
    }
}

/// The requests that hyper reads whole.
fn others(stream: &[u8]) -> Vec<Other> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return Vec::new();
    };
    let seen: Arc<Mutex<Vec<Other>>> = Arc::default();
    let answer = |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(Other {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    body: body.to_bytes().to_vec(),
                });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    };
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serving =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service_fn(answer));
        let asking = async {
            let _ = client.write_all(stream).await;
            let _ = client.shutdown().await;
            let _ = client.read_to_end(&mut Vec::new()).await;
        };
        let _ = tokio::join!(serving, asking);
    });
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}
