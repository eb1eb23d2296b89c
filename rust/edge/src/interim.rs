//! What a client is told before it is answered (103, RFC 8297), and bounds to it: what is known of a page, and what its
//! origin says while it makes it (RFC 9110, section 15.2).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http::header::LINK;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use parking_lot::Mutex;

/// Links that a client is told of one answer.
const MOST: usize = 16;

/// Links on their way to a client that waits for an answer.
///
/// Whoever finds one tells it here; whoever serves the client looks each time the answer is not there yet. Both are one
/// task, so nobody has to be woken.
#[derive(Debug, Default)]
pub(crate) struct Interim(Mutex<Links>);

#[derive(Debug, Default)]
struct Links {
    /// All that there were, the told ones first.
    all: Vec<Box<str>>,
    /// How many of them the client was told.
    told: usize,
}

/// What comes next for a client.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// These are to be told it.
    Tell(Vec<Box<str>>),
    /// This is its answer.
    Answer(T),
}

impl Interim {
    /// Tells some links, those that were not told yet.
    pub(crate) fn tell<'a>(&self, links: impl IntoIterator<Item = &'a Box<str>>) {
        let mut found = self.0.lock();
        for link in links {
            if found.all.len() < MOST && !found.all.contains(link) {
                found.all.push(link.clone());
            }
        }
    }

    fn take(&self) -> Option<Vec<Box<str>>> {
        let mut found = self.0.lock();
        let links = found.all.get(found.told..).filter(|links| !links.is_empty())?.to_vec();
        found.told = found.all.len();
        Some(links)
    }

    /// Waits for the answer, or for what is to be told before it.
    pub(crate) async fn next<T>(&self, mut answering: Pin<&mut impl Future<Output = T>>) -> Step<T> {
        poll_fn(|context| match answering.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Step::Answer(answer)),
            Poll::Pending => self
                .take()
                .map_or(Poll::Pending, |links| Poll::Ready(Step::Tell(links))),
        })
        .await
    }
}

/// A 103 with some links.
pub(crate) fn response(links: &[Box<str>]) -> Response<()> {
    let mut headers = HeaderMap::with_capacity(links.len());
    for link in links {
        if let Ok(link) = HeaderValue::from_str(link) {
            headers.append(LINK, link);
        }
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::EARLY_HINTS;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn each_link_is_told_once_and_no_more_than_so_many() {
        let interim = Interim::default();
        let links = |range: std::ops::Range<usize>| -> Vec<Box<str>> {
            range.map(|number| format!("</{number}>").into()).collect()
        };
        let mut turn = 0;
        let mut answering = pin!(poll_fn(|context| {
            turn += 1;
            match turn {
                1 => interim.tell(&links(0..3)),
                2 => interim.tell(&links(1..4)),
                3 => interim.tell(&links(0..100)),
                4 => interim.tell(&links(100..200)),
                _ => return Poll::Ready("answered"),
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        let mut told = Vec::new();
        let answer = loop {
            match interim.next(answering.as_mut()).await {
                Step::Tell(links) => told.push(links),
                Step::Answer(answer) => break answer,
            }
        };
        assert_eq!(answer, "answered");
        assert_eq!(told, [links(0..3), links(3..4), links(4..MOST)]);
    }
}
