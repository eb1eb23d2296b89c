//! A tier in Redis or Valkey, for a fleet of machines.
//!
//! The blocking client of the `redis` crate is used, with timeouts on every call: tiers are called from threads of any
//! kind, and the threads that write are ours. A request waits for at most one timeout; after a few of these the breaker
//! is open and nobody waits, until our own thread finds that the server is back.
//!
//! A read fetches the record and the number of the last purge in one round trip. Where that number is new the purges in
//! between are fetched before the record is judged, so a purge counts for every read that the server answers after it,
//! whether its message arrived or not.

mod config;
mod log;
mod server;
mod subscriber;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use redis::{Connection, RedisResult, pipe};

pub use config::RedisConfig;

use super::fault::{Fault, FaultKind, Faults};
use super::ledger::{Ledger, Verdict};
use super::purge::Purge;
use super::record::{Record, Slot};
use super::stats::{Counters, TierStats};
use super::tier::{News, PurgeOrder, Tier};
use super::worker::Worker;
use log::Keys;
use server::{Server, Unanswered};

/// Keys of bad records that wait to be removed.
const SUSPECTS: usize = 1024;
/// How long the thread that hears of purges may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A tier in Redis or Valkey.
pub struct RedisTier {
    shared: Arc<Shared>,
    subscriber: Worker,
}

struct Shared {
    config: RedisConfig,
    keys: Keys,
    server: Server,
    ledger: Ledger,
    counters: Counters,
    faults: Faults,
    /// The purge that was obeyed on this machine before; what came after it is news when the log is first read.
    heard: AtomicU64,
    resumed: AtomicBool,
    catching_up: Mutex<()>,
    suspects: Mutex<Vec<Bytes>>,
    stopped: AtomicBool,
}

impl RedisTier {
    /// Makes the tier. Nothing is asked of the server before [`resume`](Tier::resume), which a
    /// [`TieredCache`](super::TieredCache) calls; until then the tier is empty.
    pub fn new(config: RedisConfig) -> Self {
        let faults = Faults::new(&config.name, config.fault_period, Arc::clone(&config.fault_sink));
        let shared = Arc::new(Shared {
            keys: Keys::new(&config.namespace),
            server: Server::new(&config, &faults),
            ledger: Ledger::new(),
            counters: Counters::default(),
            faults,
            heard: AtomicU64::new(0),
            resumed: AtomicBool::new(false),
            catching_up: Mutex::new(()),
            suspects: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
            config,
        });
        let listening = Arc::clone(&shared);
        let subscriber = Worker::start("purges", move || subscriber::listen(&listening));
        Self { shared, subscriber }
    }

    /// The faults of this tier.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Whether the server is asked at all just now.
    pub fn is_available(&self) -> bool {
        !self.shared.server.breaker.is_open() && self.shared.ledger.sequence() > 0
    }
}

impl Drop for RedisTier {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.subscriber.wait(FAREWELL);
    }
}

impl Shared {
    /// Learns all purges there are, in their order.
    fn catch_up(&self, connection: &mut Connection) -> RedisResult<()> {
        let _one = self.catching_up.lock();
        let known = self.ledger.sequence();
        let mut extract = self.keys.read(connection, known)?;
        if extract.last.is_none_or(|last| last < known) {
            // It lost its numbers. This begins them anew, with a purge of everything.
            self.keys.purge(connection, self.config.purge_log, known, &[])?;
            extract = self.keys.read(connection, known)?;
        }
        let Some(last) = extract.last else {
            return Ok(());
        };
        // What came after the counter was read is told the next time.
        extract.purges.retain(|(sequence, _)| *sequence <= last);
        let base = if known == 0 {
            self.heard.load(Ordering::Acquire)
        } else {
            known
        };
        let first = extract
            .purges
            .first()
            .map_or(last.saturating_add(1), |(sequence, _)| *sequence);
        if known == 0 || first > known.saturating_add(1) {
            // What is older than the log cannot be judged.
            self.ledger.raise_floor(first.saturating_sub(1));
        }
        let missed = base > 0 && last > base && first > base.saturating_add(1);
        if missed {
            self.faults.note(FaultKind::MissedPurges, || {
                format!("purges {base} to {first} are not in its log any more; everything is dropped")
            });
            self.ledger.tell(Purge::All, last);
        }
        for (sequence, purge) in extract.purges {
            if self.ledger.apply(&purge, sequence) && base > 0 && sequence > base && !missed {
                self.ledger.tell(purge, sequence);
            }
        }
        self.ledger.advance(last);
        self.forget_old();
        Ok(())
    }

    /// Takes in a purge from a message; false where one was missed before it.
    fn hear(&self, sequence: u64, purge: Purge) -> bool {
        let _one = self.catching_up.lock();
        let known = self.ledger.sequence();
        if sequence <= known {
            return true;
        }
        if known == 0 || sequence != known + 1 {
            return false;
        }
        if self.ledger.apply(&purge, sequence) {
            self.ledger.tell(purge, sequence);
        }
        self.ledger.advance(sequence);
        self.forget_old();
        true
    }

    /// The log has the latest purges only, for everyone alike.
    fn forget_old(&self) {
        if self.ledger.len() as u64 > self.config.purge_log.saturating_mul(2) {
            let floor = self.ledger.sequence().saturating_sub(self.config.purge_log);
            self.ledger.raise_floor(floor);
            self.ledger.trim(floor);
        }
    }

    fn read(&self, key: &[u8], now: u64) -> Result<Option<Record>, Unanswered> {
        let name = self.keys.record(key);
        let bytes = self.server.ask(&self.faults, |connection| {
            let known = self.ledger.sequence();
            // The record first: a purge after it shows in the number.
            let (bytes, last): (Option<Vec<u8>>, Option<u64>) = pipe()
                .cmd("GET")
                .arg(&name)
                .cmd("GET")
                .arg(&self.keys.counter)
                .query(connection)?;
            if last != Some(known) && last != Some(self.ledger.sequence()) {
                self.catch_up(connection)?;
            }
            Ok(bytes)
        })?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let mut record = match Record::decode(Bytes::from(bytes)) {
            Ok(record) if record.key() == key => record,
            Ok(_) => return Ok(None),
            Err(damage) => {
                self.counters.bad_records.one();
                self.faults.note(FaultKind::BadRecord, || {
                    format!("a record is not as it was written: {damage:?}")
                });
                self.suspect(name);
                return Ok(None);
            }
        };
        let made_at = record.stamp.get(Slot::Remote);
        match self.ledger.verdict(made_at, key, || record.tags()) {
            Verdict::Untouched => {}
            // The clock of who purged may be ahead of ours.
            Verdict::Stale(at) => record.times = record.times.softened(at.min(now)),
            Verdict::Dead => {
                self.counters.purged.one();
                self.suspect(name);
                return Ok(None);
            }
        }
        if record.times.dead_at <= now {
            self.counters.expired.one();
            return Ok(None);
        }
        Ok(Some(record))
    }

    fn suspect(&self, name: Vec<u8>) {
        let mut suspects = self.suspects.lock();
        if suspects.len() < SUSPECTS {
            suspects.push(name.into());
        }
    }
}

impl Tier for RedisTier {
    fn name(&self) -> &str {
        &self.shared.config.name
    }

    fn slot(&self) -> Slot {
        Slot::Remote
    }

    fn generation(&self) -> u64 {
        self.shared.ledger.sequence()
    }

    fn get(&self, key: &[u8], now: u64) -> Option<Record> {
        let shared = &self.shared;
        let found = if shared.ledger.sequence() == 0 {
            Err(Unanswered::NotAsked)
        } else {
            shared.read(key, now)
        };
        match found {
            Ok(Some(record)) => {
                shared.counters.hits.one();
                return Some(record);
            }
            Ok(None) | Err(Unanswered::Failed(_)) => {}
            Err(Unanswered::NotAsked) => shared.counters.unavailable.one(),
        }
        shared.counters.misses.one();
        None
    }

    fn write(&self, records: &[Record], now: u64, _evicted: &mut dyn FnMut(Record)) {
        let shared = &self.shared;
        let mut batch = pipe();
        let mut kept = 0_u64;
        for record in records {
            let ttl = shared
                .config
                .ttl
                .map_or(u64::MAX, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
            let mut times = record.times;
            times.dead_at = times.dead_at.min(now.saturating_add(ttl));
            // The longest that the server takes, in milliseconds.
            let left = times.dead_at.saturating_sub(now).min(1 << 52);
            let made_at = record.stamp.get(Slot::Remote);
            if record.encoded_len() > shared.config.largest_bytes || left == 0 {
                shared.counters.refused.one();
            } else if made_at == 0 || shared.ledger.is_purged(made_at, record.key(), record.tags()) {
                shared.counters.outrun.one();
            } else {
                let mut record = record.clone();
                record.times = times;
                batch
                    .cmd("SET")
                    .arg(shared.keys.record(record.key()))
                    .arg(record.encode())
                    .arg("PX")
                    .arg(left)
                    .ignore();
                kept += 1;
            }
        }
        if kept == 0 {
            return;
        }
        match shared
            .server
            .ask_patiently(&shared.faults, |connection| batch.query::<()>(connection))
        {
            Ok(()) => shared.counters.writes.add(kept),
            Err(_) => shared.counters.lost.add(kept),
        }
    }

    fn purge(&self, orders: &[PurgeOrder]) -> Result<Vec<u64>, Fault> {
        let shared = &self.shared;
        let purges: Vec<_> = orders.iter().filter_map(|order| order.purge.as_ref()).collect();
        let answer = shared.server.ask_patiently(&shared.faults, |connection| {
            // Its message may be here before its answer.
            let _one = shared.catching_up.lock();
            let last = shared
                .keys
                .purge(connection, shared.config.purge_log, shared.ledger.sequence(), &purges)?;
            // They are known here: when they are heard they are not news.
            let first = last.saturating_sub(purges.len() as u64) + 1;
            for (sequence, purge) in (first..).zip(&purges) {
                shared.ledger.apply(purge, sequence);
            }
            Ok((first, last))
        });
        match answer {
            Ok((first, last)) => {
                let mut next = first;
                Ok(orders
                    .iter()
                    .map(|order| {
                        let number = next.min(last);
                        next += u64::from(order.purge.is_some());
                        number
                    })
                    .collect())
            }
            Err(unanswered) => Err(Fault {
                tier: shared.config.name.as_str().into(),
                kind: FaultKind::Unreachable,
                detail: match unanswered {
                    Unanswered::NotAsked => "it is away".into(),
                    Unanswered::Failed(detail) => detail,
                },
                count: 1,
            }),
        }
    }

    fn news(&self, _look: bool) -> Vec<News> {
        self.shared.ledger.take_news()
    }

    fn resume(&self, heard: u64) -> bool {
        let shared = &self.shared;
        if !shared.resumed.swap(true, Ordering::AcqRel) {
            shared.heard.store(heard, Ordering::Release);
        }
        if shared.ledger.sequence() == 0 {
            // The thread that hears of purges goes on trying.
            let _ = shared
                .server
                .ask_patiently(&shared.faults, |connection| shared.catch_up(connection));
        }
        true
    }

    fn maintain(&self, _now: u64, _evicted: &mut dyn FnMut(Record)) {
        let shared = &self.shared;
        let suspects = std::mem::take(&mut *shared.suspects.lock());
        if shared.server.breaker.is_open() || !suspects.is_empty() {
            let mut batch = pipe();
            batch.cmd("PING").ignore();
            for name in &suspects {
                batch.cmd("DEL").arg(&name[..]).ignore();
            }
            // What is not removed now expires.
            let _ = shared
                .server
                .ask_patiently(&shared.faults, |connection| batch.query::<()>(connection));
        }
    }

    fn stats(&self) -> TierStats {
        TierStats {
            faults: self.shared.faults.total(),
            breaker_openings: self.shared.server.breaker.openings(),
            generation: self.shared.ledger.sequence(),
            ..self.shared.counters.stats()
        }
    }
}

impl fmt::Debug for RedisTier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisTier")
            .field("name", &self.shared.config.name)
            .field("namespace", &self.shared.config.namespace)
            .finish_non_exhaustive()
    }
}
