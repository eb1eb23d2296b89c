//! Requests of HTTP/1.1 that are not plain: with a body, of another method, or with a field that is seldom there.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use http::Method;
use http_body::Body as _;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::access::{Outcome, Told};
use crate::body::{InFlight, RequestBody};
use crate::client::Client;
use crate::config::Limits;
use crate::early;
use crate::fetch::Fetched;
use crate::framing::Framing;
use crate::identity::identify;
use crate::interim::{Interim, Step};
use crate::metrics::Source;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::request::{Manners, Noted, Request};
use crate::service::respond;
use crate::shared::ThreadState;
use crate::tunnel;
use crate::upload::{Rest, Upload};
use crate::write::{End, write_all, write_response};

/// How long, and for how many bytes, a connection that is to be closed is read from first: a client that still sends
/// would lose the response to a reset otherwise (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// Answers one request; `read` is what came after its head. Returns the connection and what came after the request, where
/// the connection goes on.
pub(crate) async fn answer(
    state: &Arc<ThreadState>,
    stream: Client,
    (mut request, manners): (Request, Manners),
    read: BytesMut,
    peer: &Arc<Peer>,
) -> Option<(Client, BytesMut)> {
    let limits = state.shared.limits;
    let peer = &state.shared.introduce(&mut request, peer);
    if manners.framing.left().is_some_and(|length| length > limits.body_bytes) {
        refuse(state, stream, Refusal::LargeBody, &peer.address).await;
        return None;
    }
    if tunnel::is_handshake(state, &request, &manners) {
        identify(&mut request.headers);
        tunnel::serve(state, stream, request, read, peer).await;
        return None;
    }
    let flight = InFlight::new(Arc::clone(state));
    let started = state.begin();
    identify(&mut request.headers);
    let noted = started.map(|started| (started, Noted::of(&request)));
    let is_head = request.method == Method::HEAD;
    let stream = Arc::new(stream);
    let rest = Arc::new(Mutex::new(Rest {
        read,
        framing: manners.framing,
        failed: None,
    }));
    let body: Option<RequestBody> = (manners.framing != Framing::End).then(|| {
        let upload = Upload::new(
            Arc::clone(&stream),
            Arc::clone(&rest),
            manners.awaits_continue,
            limits.body_bytes,
            Duration::from_millis(limits.body_time),
        );
        RequestBody::new(upload)
    });
    let fetched = {
        // A client of HTTP/1.0 takes what comes first for the answer (RFC 9110, section 15.2).
        let interim = (!manners.is_old).then(Arc::default);
        let answering = pin!(respond(state, peer, request, body, interim.as_ref()));
        if let Some(interim) = &interim {
            until_answered(&stream, interim, answering, &limits).await
        } else {
            tokio::select! {
                biased;
                fetched = answering => Ok(fetched),
                () = stream.gone() => return None,
            }
        }
    };
    let Fetched { response, source } = fetched.ok()?;
    let (is_over, failed) = {
        let mut rest = rest.lock();
        (rest.is_over(), rest.failed)
    };
    let close = manners.close || !is_over || state.shared.draining.load(Ordering::Relaxed);
    if let Some(refusal) = failed {
        drop(response);
        refuse(state, Arc::try_unwrap(stream).ok()?, refusal, &peer.address).await;
        return None;
    }
    let (status, size) = (response.status().as_u16(), response.body().size_hint().exact());
    let end = End {
        is_head,
        close,
        is_old: manners.is_old,
    };
    let written = write_response(&stream, response, end, &limits).await;
    if let Some((started, noted)) = &noted {
        let outcome = Outcome {
            source,
            status,
            bytes: size.unwrap_or(0),
            took: started.elapsed(),
        };
        let version = if manners.is_old { "HTTP/1.0" } else { "HTTP/1.1" };
        state.finish(&outcome, || noted.told(&peer.address, version));
    }
    drop(flight);
    let stream = Arc::try_unwrap(stream).ok()?;
    match written {
        Ok(is_closed) if !is_closed => {
            let read = std::mem::take(&mut rest.lock().read);
            Some((stream, read))
        }
        Ok(_) => {
            linger(stream).await;
            None
        }
        Err(error) => {
            if error.kind() == std::io::ErrorKind::TimedOut {
                note(state, Refusal::SlowReader, &peer.address);
            }
            None
        }
    }
}

/// Waits for an answer, and tells its client before it what is known early. An error means that the client has gone:
/// nobody would read what is made.
pub(crate) async fn until_answered<T>(
    stream: &Client,
    interim: &Interim,
    mut answering: Pin<&mut impl Future<Output = T>>,
    limits: &Limits,
) -> io::Result<T> {
    loop {
        let step = tokio::select! {
            biased;
            step = interim.next(answering.as_mut()) => step,
            () = stream.gone() => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        match step {
            Step::Answer(answer) => return Ok(answer),
            Step::Tell(links) => write_all(stream, [&early::head(&links)], limits).await?,
        }
    }
}

/// Answers a client that it is refused, and why, and closes its connection.
pub(crate) async fn refuse(state: &ThreadState, stream: Client, refusal: Refusal, peer: &str) {
    note(state, refusal, peer);
    // The client may have gone, which is what it is told to do.
    let _ = write_all(&stream, [refusal.response().as_bytes()], &state.shared.limits).await;
    linger(stream).await;
}

/// Counts a refusal, and tells the log of it.
pub(crate) fn note(state: &ThreadState, refusal: Refusal, peer: &str) {
    state.refuse(refusal, peer);
    if let Some(status) = refusal.status() {
        let outcome = Outcome {
            source: Source::Edge,
            status,
            bytes: 0,
            took: Duration::ZERO,
        };
        // What it asked for is not known, or not to be believed.
        state.finish(&outcome, || Told {
            peer,
            method: "-",
            target: "-",
            version: "-",
            ..Told::default()
        });
    }
}

/// Says that nothing more comes, and waits a while for the client to see it.
pub(crate) async fn linger(mut stream: Client) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut space = vec![0; 16 << 10];
    let reading = async {
        let mut left = LINGER_BYTES;
        while let Ok(count @ 1..) = stream.read(&mut space).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(LINGER, reading).await;
}
