//! A plain request for what Python or an origin makes, on its way.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use http::Method;
use http_body::Body as _;

use crate::asked::Asked;
use crate::body::InFlight;
use crate::client::Client;
use crate::fetch::{Fetched, fetch};
use crate::http1::until_answered;
use crate::service::told_early;
use crate::shared::ThreadState;
use crate::site::Site;
use crate::unsent::Ending;
use crate::visit::Visit;
use crate::write::{End, write_response};

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
        let interim = Arc::default();
        let mut fetching = pin!(fetch(state, &site, asked.telling(Some(&interim))));
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
        let end = End {
            is_head,
            close,
            is_old: false,
        };
        write_response(stream, response, end, limits).await?;
        if let Some(ending) = ending {
            ending.finish(state, (source, status, size.unwrap_or(0)));
        }
        Ok(close)
    }
}
