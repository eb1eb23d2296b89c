//! Asks the origins from time to time whether they are well, so that no client has to find out.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::edge::Core;
use crate::error::EdgeError;
use crate::shared::Shared;
use crate::upstream::Worker;

/// Begins to check the origins of all sites, on a thread of its own.
pub(crate) fn start(core: &Arc<Core>) -> Result<(), EdgeError> {
    let shared = core.shared();
    if !shared.sites.iter().any(|site| site.upstream.health().is_some()) {
        return Ok(());
    }
    let io = |source| EdgeError::Io {
        doing: "starting a thread",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io)?;
    let shared = Arc::clone(shared);
    let spawned = std::thread::Builder::new()
        .name("edge-check".to_owned())
        .spawn(move || runtime.block_on(run(&shared)));
    spawned.map(drop).map_err(io)
}

async fn run(shared: &Arc<Shared>) {
    let loops = shared.sites.iter().enumerate().map(|(number, site)| {
        let shared = Arc::clone(shared);
        let every = site.upstream.health().map(|health| health.interval);
        tokio::spawn(async move {
            let (Some(every), Some(site)) = (every, shared.sites.iter().nth(number)) else {
                return;
            };
            let mut beat = interval(Duration::from_millis(every.max(10)));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                site.upstream.check().await;
            }
        })
    });
    for task in loops.collect::<Vec<_>>() {
        // One that ends has nothing to check.
        let _ = task.await;
    }
}

/// Whether an origin answers a GET of a path with a success or a redirection; without a path, whether it takes
/// connections.
pub(crate) async fn is_well(worker: &Worker, path: Option<&str>, longest: Duration) -> bool {
    let until = Instant::now() + longest;
    let Ok(Ok(mut connection)) = timeout(longest, worker.open()).await else {
        return false;
    };
    let Some(path) = path else { return true };
    let host = worker.address().host();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: hyperweb-health\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n"
    );
    let asking = connection.exchange(head.as_bytes(), false, None, None);
    let answered = tokio::time::timeout_at(until, asking).await;
    answered.is_ok_and(|begun| begun.is_ok_and(|begun| begun.status < StatusCode::BAD_REQUEST))
}
