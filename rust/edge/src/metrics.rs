//! Figures of what was served. Each thread has its own, which no other writes, so that counting costs no waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperweb_cache::tiers::TierStats;
use serde::Serialize;

use crate::certificates::CertificateStats;
use crate::histogram::{Histogram, Latencies};
use crate::learning::LearningStats;
use crate::refusal::{Refusal, Refused};

/// The counters of one thread.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Metrics {
    requests: AtomicU64,
    pack_hits: AtomicU64,
    cache_hits: AtomicU64,
    misses: AtomicU64,
    bytes: AtomicU64,
    statuses: [AtomicU64; 6],
    latencies: Histogram,
    refused: [AtomicU64; Refusal::COUNT],
    pub(crate) connections: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    /// Tunnels of `WebSocket` that are open.
    pub(crate) tunnels: AtomicU64,
    /// Connections of HTTP/2 that are open.
    pub(crate) http2: AtomicU64,
    /// Connections of HTTP/3 that are open.
    pub(crate) http3: AtomicU64,
    /// TLS handshakes that came to their end, and those of them that resumed a session.
    pub(crate) handshakes: AtomicU64,
    pub(crate) resumed: AtomicU64,
}

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Pack,
    Cache,
    Worker,
    Edge,
}

impl Source {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Cache => "cache",
            Self::Worker => "worker",
            Self::Edge => "edge",
        }
    }
}

impl Metrics {
    pub(crate) fn count(&self, source: Source, status: u16, bytes: u64, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        add(&self.requests, 1);
        match source {
            Source::Pack => add(&self.pack_hits, 1),
            Source::Cache => add(&self.cache_hits, 1),
            Source::Worker => add(&self.misses, 1),
            Source::Edge => {}
        }
        add(&self.bytes, bytes);
        if let Some(class) = self.statuses.get(usize::from(status / 100)) {
            add(class, 1);
        }
        self.latencies.record(microseconds);
    }

    /// Counts what was refused, also where requests are not counted: it is seldom.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        if let Some(counter) = self.refused.get(refusal as usize) {
            add(counter, 1);
        }
    }
}

/// Adds to a counter that only this thread writes: a plain store is enough, and costs less than a locked one.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// As [`add`], the other way.
pub(crate) fn sub(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).saturating_sub(count), Ordering::Relaxed);
}

/// Figures of one origin.
#[derive(Debug, Clone, Serialize)]
pub struct OriginStats {
    pub address: String,
    /// Whether it is asked.
    pub is_up: bool,
    /// Requests it has now.
    pub outstanding: u64,
    /// Requests it was given, and those of them that failed.
    pub requests: u64,
    pub failures: u64,
}

/// Figures of a tier below memory.
#[derive(Debug, Default, Clone, Serialize)]
pub struct TierFigures {
    pub name: String,
    pub hits: u64,
    pub misses: u64,
    pub writes: u64,
    /// Writes that were lost to a fault.
    pub lost: u64,
    pub evictions: u64,
    pub faults: u64,
    /// What it holds now, where it knows.
    pub entries: u64,
    pub bytes: u64,
}

impl TierFigures {
    pub(crate) fn new(name: String, stats: &TierStats) -> Self {
        Self {
            name,
            hits: stats.hits,
            misses: stats.misses + stats.unavailable,
            writes: stats.writes,
            lost: stats.lost,
            evictions: stats.evictions,
            faults: stats.faults,
            entries: stats.entries,
            bytes: stats.bytes,
        }
    }
}

/// Figures of the edge since it was started, all threads together.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Stats {
    pub requests: u64,
    /// Answered from the pack.
    pub pack_hits: u64,
    /// Answered from the cache of what Python made.
    pub cache_hits: u64,
    /// Answered by a worker.
    pub misses: u64,
    /// Bytes of bodies sent.
    pub bytes: u64,
    /// Responses by the hundreds of their status: 1xx to 5xx.
    pub statuses: [u64; 5],
    /// Open connections, and those of them that speak `WebSocket`.
    pub connections: u64,
    pub websockets: u64,
    /// Open connections that speak HTTP/2.
    pub http2: u64,
    /// Open connections that speak HTTP/3.
    pub http3: u64,
    /// TLS handshakes that came to their end, and those of them that resumed a session.
    pub handshakes: u64,
    pub handshakes_resumed: u64,
    /// Half of the requests took no longer, in microseconds, to an eighth.
    pub p50_us: u64,
    pub p99_us: u64,
    #[serde(skip)]
    pub(crate) latencies: Latencies,
    /// Entries, bytes and limit of the cache of what Python made, and what became of them.
    pub cache_entries: u64,
    pub cache_bytes: u64,
    pub cache_limit: u64,
    pub cache_evictions: u64,
    /// What tiers below memory have done, and what they hold, each with its name.
    pub tiers: Vec<TierFigures>,
    /// What was learned from navigations, and what was made of it.
    pub learning: LearningStats,
    /// Requests now with workers.
    pub outstanding: u64,
    pub workers: u64,
    /// Lines of the access log that were dropped.
    pub log_dropped: u64,
    /// The origins, where there are any.
    pub origins: Vec<OriginStats>,
    /// The certificates, where there is TLS.
    pub certificates: Vec<CertificateStats>,
    /// Certificates that were fetched, and how often that failed.
    pub certificates_fetched: u64,
    pub certificates_failed: u64,
    /// What was refused, by its reason.
    pub refused: Refused,
    /// Requests of each thread.
    pub threads: Vec<u64>,
}

impl Stats {
    pub(crate) fn sum<'m>(threads: impl Iterator<Item = &'m Metrics>) -> Self {
        let mut stats = Self::default();
        for thread in threads {
            let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            stats.threads.push(get(&thread.requests));
            stats.requests += get(&thread.requests);
            stats.pack_hits += get(&thread.pack_hits);
            stats.cache_hits += get(&thread.cache_hits);
            stats.misses += get(&thread.misses);
            stats.bytes += get(&thread.bytes);
            stats.connections += get(&thread.connections);
            stats.websockets += get(&thread.tunnels);
            stats.http2 += get(&thread.http2);
            stats.http3 += get(&thread.http3);
            stats.handshakes += get(&thread.handshakes);
            stats.handshakes_resumed += get(&thread.resumed);
            for (sum, counter) in stats.statuses.iter_mut().zip(thread.statuses.iter().skip(1)) {
                *sum += get(counter);
            }
            for (number, counter) in thread.refused.iter().enumerate() {
                stats.refused.add(number, get(counter));
            }
            stats.latencies.add(&thread.latencies);
        }
        stats.p50_us = stats.latencies.quantile(50);
        stats.p99_us = stats.latencies.quantile(99);
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_over_threads() {
        let (one, two) = (Metrics::default(), Metrics::default());
        for _ in 0..99 {
            one.count(Source::Pack, 200, 10, Duration::from_micros(3));
        }
        two.count(Source::Worker, 502, 1, Duration::from_millis(5));
        let stats = Stats::sum([&one, &two].into_iter());
        assert_eq!(
            (stats.requests, stats.pack_hits, stats.misses, stats.bytes),
            (100, 99, 1, 991)
        );
        assert_eq!((stats.statuses, stats.p50_us, stats.p99_us), ([0, 99, 0, 0, 1], 3, 3));
        assert_eq!(stats.threads, [99, 1]);
    }
}
