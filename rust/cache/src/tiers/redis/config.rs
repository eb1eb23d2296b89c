//! How a tier in Redis or Valkey is set up.

use std::sync::Arc;
use std::time::Duration;

use super::super::fault::FaultSink;

/// How a tier in Redis or Valkey is set up.
#[derive(Clone)]
pub struct RedisConfig {
    /// Its name, for figures and faults.
    pub name: String,
    /// `redis://[user:password@]host[:port][/db]`, or `unix:///path`.
    pub url: String,
    /// Begins all keys of this cache on the server. Machines that share a cache give the same one.
    pub namespace: String,
    /// The longest a record is kept.
    pub ttl: Option<Duration>,
    /// A record with more bytes is not kept. How many bytes all have is the server's matter (`maxmemory`, with a policy
    /// that evicts).
    pub largest_bytes: usize,
    /// How long one waits for a connection.
    pub connect_timeout: Duration,
    /// How long a read or a batch of writes waits for its answer.
    pub answer_timeout: Duration,
    /// Connections at most, besides the one that hears of purges. A read that finds none free is a miss.
    pub most_connections: usize,
    /// Failures in a row after which the server is left alone.
    pub breaker_after: u32,
    /// How long it is left alone at first; twice as long each time it fails again, up to 32 times.
    pub breaker_pause: Duration,
    /// Purges that the server remembers. Who missed more drops everything, and so does a record that is older.
    pub purge_log: u64,
    /// How often the number of the last purge is asked for where nothing is heard.
    pub heartbeat: Duration,
    /// How often at most a fault of one kind is told.
    pub fault_period: Duration,
    /// Where faults are told.
    pub fault_sink: FaultSink,
}

impl RedisConfig {
    /// A cache under a name on a server.
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            name: "redis".into(),
            url: url.into(),
            namespace: namespace.into(),
            ttl: None,
            largest_bytes: 8 << 20,
            connect_timeout: Duration::from_millis(200),
            answer_timeout: Duration::from_millis(50),
            most_connections: 16,
            breaker_after: 3,
            breaker_pause: Duration::from_millis(250),
            purge_log: 10_000,
            heartbeat: Duration::from_secs(1),
            fault_period: Duration::from_secs(10),
            fault_sink: Arc::new(|_| ()),
        }
    }
}
