//! A plain request for what Python or an origin makes, on its way.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::Method;
use http_body::Body as _;

use crate::asked::Asked;
use crate::body::InFlight;
use crate::client::Client;
use crate::early;
use crate::fetch::{Fetched, fetch};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::unsent::Ending;
use crate::visit::Visit;
use crate::write::{End, write_all, write_response};

/// A request of HTTP/1.1 that is answered from the cache with more to think of, or by a worker.
pub(crate) struct Making {
    pub(crate) site: Arc<Site>,
    pub(crate) asked: Asked,
    pub(crate) visit: Option<Visit>,
    /// Where it matters to anyone what became of it.
    pub(crate) ending: Option<Ending>,
    /// Whether the connection ends with the response.
    pub(crate) close: bool,
}

impl Making {
    /// Answers it, and returns whether the connection ends.
    pub(crate) async fn answer(self: Box<Self>, state: &Arc<ThreadState>, stream: &Client) -> io::Result<bool> {
        let Self {
            site,
            asked,
            visit,
            ending,
            close,
        } = *self;
        let _flight = InFlight::new(Arc::clone(state));
        let is_head = asked.method == Method::HEAD;
        let is_secure = asked.is_secure;
        let mut fetching = pin!(fetch(state, &site, asked));
        let at_once = match &visit {
            Some(visit) => tell_early(state, stream, visit, fetching.as_mut()).await?,
            None => None,
        };
        let Fetched { mut response, source } = if let Some(fetched) = at_once {
            fetched
        } else {
            tokio::select! {
                biased;
                fetched = fetching => fetched,
                // Nobody would read what is made.
                () = stream.gone() => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        };
        if let Some(visit) = &visit {
            visit.answered(&mut response, source);
        }
        if is_secure {
            site.secured(response.headers_mut());
        }
        let (status, size) = (response.status().as_u16(), response.body().size_hint().exact());
        let end = End {
            is_head,
            close,
            is_old: false,
        };
        write_response(stream, response, end, &state.shared.limits).await?;
        if let Some(ending) = ending {
            ending.finish(state, (source, status, size.unwrap_or(0)));
        }
        Ok(close)
    }
}

/// Tells a browser what a page will need, where that is known and the page takes a while. The answer, where it does not.
async fn tell_early(
    state: &ThreadState,
    stream: &Client,
    visit: &Visit,
    mut fetching: Pin<&mut impl Future<Output = Fetched>>,
) -> io::Result<Option<Fetched>> {
    let Some(known) = visit.early() else { return Ok(None) };
    match poll_fn(|context| Poll::Ready(fetching.as_mut().poll(context))).await {
        Poll::Ready(fetched) => Ok(Some(fetched)),
        Poll::Pending => {
            write_all(stream, [&early::head(&known.links)], &state.shared.limits).await?;
            visit.told_early();
            Ok(None)
        }
    }
}
