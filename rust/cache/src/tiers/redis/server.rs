//! The connections to a server, and what is left of them when it fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Client, Connection, ConnectionLike, ErrorKind, IntoConnectionInfo, RedisError, RedisResult};

use super::super::breaker::Breaker;
use super::super::fault::{FaultKind, Faults};
use super::config::RedisConfig;

/// Why nothing came.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It is known to be away, or all connections are in use; it was not asked.
    NotAsked,
    /// It was asked, and failed.
    Failed(String),
}

/// A server and a few connections to it.
pub(super) struct Server {
    client: Option<Client>,
    idle: Mutex<Vec<Connection>>,
    open: AtomicUsize,
    most: usize,
    connect_timeout: Duration,
    answer_timeout: Duration,
    pub(super) breaker: Breaker,
}

impl Server {
    pub(super) fn new(config: &RedisConfig, faults: &Faults) -> Self {
        let client = config
            .url
            .as_str()
            .into_connection_info()
            .and_then(|info| {
                let redis = info.redis_settings().clone().set_skip_set_lib_name();
                let tcp = info.tcp_settings().clone().set_nodelay(true);
                Client::open(info.set_redis_settings(redis).set_tcp_settings(tcp))
            })
            .inspect_err(|error| faults.note(FaultKind::Other, || format!("its address cannot be used: {error}")))
            .ok();
        Self {
            client,
            idle: Mutex::new(Vec::new()),
            open: AtomicUsize::new(0),
            most: config.most_connections.max(1),
            connect_timeout: config.connect_timeout,
            answer_timeout: config.answer_timeout,
            breaker: Breaker::new(
                config.breaker_after,
                config.breaker_pause,
                config.breaker_pause.saturating_mul(32),
            ),
        }
    }

    /// Asks the server something, for a request: never while it is known to be away.
    pub(super) fn ask<T>(
        &self,
        faults: &Faults,
        question: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Unanswered> {
        if self.breaker.is_open() {
            return Err(Unanswered::NotAsked);
        }
        self.call(faults, self.answer_timeout, question)
    }

    /// Asks the server something, for a thread that may wait: it is also what finds out that the server is back.
    pub(super) fn ask_patiently<T>(
        &self,
        faults: &Faults,
        question: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Unanswered> {
        if !self.breaker.allows() {
            return Err(Unanswered::NotAsked);
        }
        self.call(faults, self.answer_timeout * 4, question)
    }

    fn call<T>(
        &self,
        faults: &Faults,
        timeout: Duration,
        question: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Unanswered> {
        let Some(mut connection) = self.take() else {
            return Err(Unanswered::NotAsked);
        };
        let answer = connection
            .open(self)
            .and_then(|open| {
                open.set_read_timeout(Some(timeout))?;
                open.set_write_timeout(Some(timeout))?;
                Ok(open)
            })
            .and_then(question);
        match answer {
            Ok(answer) => {
                self.breaker.succeeded();
                connection.give_back();
                Ok(answer)
            }
            Err(error) if is_refusal(&error) => {
                // The server is there, and says no: out of memory, still loading, no rights.
                self.breaker.succeeded();
                faults.note(FaultKind::Other, || format!("it refuses: {error}"));
                connection.give_back();
                Err(Unanswered::Failed(error.to_string()))
            }
            Err(error) => {
                // What might still come over this connection is the answer to another question. The others are no better.
                self.idle.lock().clear();
                let kind = if error.is_timeout() {
                    FaultKind::TimedOut
                } else {
                    FaultKind::Unreachable
                };
                // Told before it has effects: who finds the server left alone finds in the log why.
                faults.note(kind, || error.to_string());
                self.breaker.failed();
                Err(Unanswered::Failed(error.to_string()))
            }
        }
    }

    fn take(&self) -> Option<Lent<'_>> {
        let taken = self.open.fetch_add(1, Ordering::AcqRel);
        // It gives its place back when it is dropped, here already where there is none.
        let mut lent = Lent {
            server: self,
            connection: None,
        };
        if taken >= self.most {
            return None;
        }
        lent.connection = self.idle.lock().pop();
        Some(lent)
    }

    /// A connection of one's own.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| RedisError::from((ErrorKind::InvalidClientConfig, "its address cannot be used")))?;
        client.get_connection_with_timeout(self.connect_timeout)
    }
}

/// Whether the server answered, though not what was wished for.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some() && !error.is_io_error()
}

/// A place among the connections, given back when dropped.
struct Lent<'a> {
    server: &'a Server,
    connection: Option<Connection>,
}

impl Lent<'_> {
    fn open(&mut self, server: &Server) -> RedisResult<&mut Connection> {
        if self.connection.as_ref().is_none_or(|open| !open.is_open()) {
            self.connection = Some(server.connect()?);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| RedisError::from((ErrorKind::Io, "no connection")))
    }

    fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.server.idle.lock().push(connection);
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.server.open.fetch_sub(1, Ordering::AcqRel);
    }
}
