//! A tier in an LMDB environment: memory that processes share, or a disk.
//!
//! Readers take no lock: a transaction that was used to read is kept, with its place in LMDB's table of readers, for the
//! next read. All writing, purges included, is done by one thread of each process, and LMDB lets one process write at a
//! time. Its mutex is a robust one: when a process is killed while it writes, the next writer is told, and what the dead
//! one had not committed is not there.

mod claim;
mod config;
#[expect(unsafe_code, reason = "LMDB is a library in C, and maps a file")]
mod env_unsafe;
mod folder;
#[expect(unsafe_code, reason = "a call of the system's library")]
mod fork_unsafe;
mod idle;
mod inspect;
mod lately;
mod layout;
mod store;
mod sweep;
mod trouble;
#[expect(unsafe_code, reason = "LMDB is a library in C")]
mod txn_unsafe;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

pub use config::{Durability, LmdbConfig};

use super::fault::{Fault, FaultKind, Faults};
use super::key_hash;
use super::record::{Damage, Record, RecordView, Slot};
use super::stats::{Counters, TierStats};
use super::tier::{News, Origin, PurgeOrder, Tier};
use lately::Lately;
use layout::{record_key, split_place};
use store::{Store, View};
use sweep::Sweep;
use trouble::Trouble;
use txn_unsafe::Txn;
use write::{Outcome, Writer};

/// Records that are known to be dead and wait to be removed.
const SUSPECTS: usize = 1024;
/// How long readers have to leave an environment that is given up.
const LEAVING: Duration = Duration::from_secs(1);
/// Times room is made for a batch before the environment is made anew.
const ATTEMPTS: u32 = 10;
/// How long a call of `maintain` looks for what is dead.
const SWEEPING: Duration = Duration::from_millis(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A tier in an LMDB environment.
pub struct LmdbTier {
    config: LmdbConfig,
    view: View,
    counters: Counters,
    faults: Faults,
    store: ArcSwapOption<Store>,
    /// The last transaction whose purges are all known.
    seen: AtomicUsize,
    lately: Lately,
    suspects: Mutex<Vec<(u64, u64)>>,
    sweep: Mutex<Sweep>,
    keeper: Mutex<Keeper>,
    /// Why the environment is made anew when it is opened the next time.
    discard: Mutex<Option<String>>,
}

/// What only the thread that writes looks at.
struct Keeper {
    retry_at: Instant,
    pause: Duration,
}

/// What a read came upon.
enum Found {
    Alive,
    Dead { hash: u64, place: u64 },
    Nothing,
}

impl LmdbTier {
    /// Opens the environment. Where that is not possible now the tier is empty, and it is tried again by
    /// [`maintain`](Tier::maintain).
    pub fn new(config: LmdbConfig) -> Self {
        let tier = Self::closed(config);
        tier.recover();
        tier
    }

    /// The same, but an error where this process has the folder open already: it may have it once.
    pub fn new_once(config: LmdbConfig) -> Result<Self, Fault> {
        let tier = Self::closed(config);
        match tier.open() {
            Ok(()) => {}
            Err(trouble @ Trouble::Taken(_)) => {
                let detail = tier.why_closed(&trouble);
                return Err(Fault {
                    detail,
                    ..tier.fault(&trouble)
                });
            }
            Err(trouble) => tier.cannot_open(&trouble),
        }
        Ok(tier)
    }

    fn closed(config: LmdbConfig) -> Self {
        let faults = Faults::new(&config.name, config.fault_period, Arc::clone(&config.fault_sink));
        Self {
            config,
            view: View::new(),
            counters: Counters::default(),
            faults,
            store: ArcSwapOption::empty(),
            seen: AtomicUsize::new(0),
            lately: Lately::new(),
            suspects: Mutex::new(Vec::new()),
            sweep: Mutex::new(Sweep::new()),
            keeper: Mutex::new(Keeper {
                retry_at: Instant::now(),
                pause: SHORTEST_PAUSE,
            }),
            discard: Mutex::new(None),
        }
    }

    /// Whether the environment is open.
    pub fn is_open(&self) -> bool {
        self.store.load().is_some()
    }

    /// The faults of this tier.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Opens the environment, and tells what keeps it from being opened.
    fn recover(&self) {
        if let Err(trouble) = self.open() {
            self.cannot_open(&trouble);
        }
    }

    fn cannot_open(&self, trouble: &Trouble) {
        let kind = match trouble {
            Trouble::Damaged(_) => FaultKind::Damaged,
            _ => FaultKind::Unreachable,
        };
        self.faults.note(kind, || self.why_closed(trouble));
    }

    fn why_closed(&self, trouble: &Trouble) -> String {
        format!(
            "{} cannot be opened: {}",
            self.config.folder.display(),
            trouble.detail()
        )
    }

    /// Opens the environment, unless it is open or that was tried a moment ago.
    fn open(&self) -> Result<(), Trouble> {
        let mut keeper = self.keeper.lock();
        if self.is_open() || Instant::now() < keeper.retry_at {
            return Ok(());
        }
        let opened = self.open_now();
        if opened.is_ok() {
            keeper.pause = SHORTEST_PAUSE;
        } else {
            keeper.retry_at = Instant::now() + keeper.pause;
            keeper.pause = (keeper.pause * 2).min(LONGEST_PAUSE);
        }
        opened
    }

    fn open_now(&self) -> Result<(), Trouble> {
        let discard = self.discard.lock().clone();
        let opened = Store::open(&self.config, discard.as_deref())?;
        if let Some(reason) = opened.replaced {
            self.counters.recreated.one();
            self.faults.note(FaultKind::Damaged, || {
                format!("{} was made anew: {reason}", self.config.folder.display())
            });
        }
        let store = opened.store;
        self.seen.store(0, Ordering::Release);
        self.lately.clear();
        self.learn(&store, &*store.env.read()?)?;
        self.store.store(Some(Arc::new(store)));
        *self.discard.lock() = None;
        Ok(())
    }

    fn fault(&self, trouble: &Trouble) -> Fault {
        Fault {
            tier: self.config.name.as_str().into(),
            kind: trouble.kind(),
            detail: trouble.detail().to_owned(),
            count: 1,
        }
    }

    /// Gives the environment up: nobody begins to read in it any more. It is opened again by the thread that writes.
    fn leave(&self, why: &str) {
        if let Some(store) = self.store.swap(None) {
            self.faults.note(FaultKind::Damaged, || {
                format!("{} was left: {why}", self.config.folder.display())
            });
            if store.watch.mend_lock() {
                *self.discard.lock() = Some("its lock file was cut short".into());
            }
            // The last of the readers closes it; until then it cannot be opened again, and that is tried again.
            drop(store);
        }
    }

    fn leave_and_wait(&self, why: &str) {
        let Some(store) = self.store.load_full() else {
            return;
        };
        self.leave(why);
        Store::close(store, LEAVING);
    }

    fn note(&self, trouble: &Trouble) {
        self.faults.note(trouble.kind(), || trouble.detail().to_owned());
    }

    /// Obeys what a fault asks for, on any thread.
    fn suffer(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Damaged(detail) => self.leave(detail),
            _ => self.note(trouble),
        }
    }

    /// Runs something with the environment, where it is open and its files are whole.
    fn with<T>(&self, now: u64, run: impl FnOnce(&Store) -> Result<T, Trouble>) -> Option<T> {
        let guard = self.store.load();
        let Some(store) = guard.as_deref() else {
            self.counters.unavailable.one();
            return None;
        };
        if !store.watch.is_whole(now) {
            self.leave("its files were replaced or cut short");
            return None;
        }
        run(store).inspect_err(|trouble| self.suffer(trouble)).ok()
    }

    /// Learns what others purged, where a transaction sees something new.
    fn learn(&self, store: &Store, txn: &Txn<'_>) -> Result<(), Trouble> {
        let id = txn.id();
        if id > self.seen.load(Ordering::Acquire) {
            store.catch_up(txn, &self.view)?;
            self.seen.fetch_max(id, Ordering::AcqRel);
        }
        Ok(())
    }

    fn refresh(&self, now: u64) {
        self.with(now, |store| {
            if store.env.info()?.last_transaction > self.seen.load(Ordering::Acquire) {
                self.learn(store, &*store.env.read()?)?;
            }
            Ok(())
        });
    }

    /// Looks for a record, and puts it where it is wanted, if it is: it is too large to be handed from one to the next.
    fn read(&self, store: &Store, key: &[u8], now: u64, wanted: Option<&mut Option<Record>>) -> Result<Found, Trouble> {
        let hash = record_key(key_hash(key));
        let txn = store.env.read()?;
        self.learn(store, &txn)?;
        self.lately.prefetch(hash);
        let Some(stored) = store.tables.records.get(&txn, hash)? else {
            return Ok(Found::Nothing);
        };
        let (place, bytes) = split_place(stored);
        let record = match self.judge(bytes, hash, place) {
            Ok(record) if record.key() == key => record,
            Ok(_) => return Ok(Found::Nothing),
            Err(damage) => {
                self.counters.bad_records.one();
                self.faults.note(FaultKind::BadRecord, || {
                    format!("a record is not as it was written: {damage:?}")
                });
                return Ok(Found::Dead { hash, place });
            }
        };
        let Some(times) = write::times_left(&self.view, self.config.slot, &record, now) else {
            self.counters.purged.one();
            return Ok(Found::Dead { hash, place });
        };
        if times.dead_at <= now {
            self.counters.expired.one();
            return Ok(Found::Dead { hash, place });
        }
        if let Some(wanted) = wanted {
            wanted.insert(record.to_record()).times = times;
        }
        Ok(Found::Alive)
    }

    /// Checks a stored record. One whose checksum was right a moment ago is not summed up again: that takes longer than
    /// all the rest for large values.
    fn judge<'a>(&self, bytes: &'a [u8], hash: u64, place: u64) -> Result<RecordView<'a>, Damage> {
        let record = RecordView::unchecked(bytes)?;
        if !self.lately.visit(hash, place) || self.config.check_every.is_zero() {
            record.check()?;
            self.lately.confirm(hash, place);
        }
        Ok(record)
    }

    fn find(&self, key: &[u8], now: u64, wanted: Option<&mut Option<Record>>) -> Found {
        let found = self
            .with(now, |store| self.read(store, key, now, wanted))
            .unwrap_or(Found::Nothing);
        if let Found::Dead { hash, place } = found {
            let mut suspects = self.suspects.lock();
            if suspects.len() < SUSPECTS {
                suspects.push((hash, place));
            }
        }
        found
    }

    fn writer<'a>(&'a self, store: &'a Store, now: u64) -> Writer<'a> {
        Writer {
            store,
            view: &self.view,
            config: &self.config,
            lately: &self.lately,
            now,
        }
    }

    fn count(&self, outcome: Outcome, evicted: &mut dyn FnMut(Record)) {
        self.counters.writes.add(outcome.written);
        self.counters.refused.add(outcome.refused);
        self.counters.outrun.add(outcome.outrun);
        self.counters.evictions.add(outcome.evicted);
        outcome.demoted.into_iter().for_each(evicted);
    }

    /// Runs a transaction that writes, and makes room for it where there is none.
    fn persist<T>(
        &self,
        now: u64,
        bytes: u64,
        evicted: &mut dyn FnMut(Record),
        run: impl Fn(&Writer<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let Some(store) = self.store.load_full() else {
            return Err(Trouble::Other("it is not open".into()));
        };
        if !store.watch.look() {
            drop(store);
            self.leave("its files were replaced or cut short");
            return Err(Trouble::Other("its files were replaced or cut short".into()));
        }
        let writer = self.writer(&store, now);
        let mut attempt = 0;
        loop {
            let trouble = match run(&writer) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            let Trouble::Full(detail) = trouble else {
                self.suffer(&trouble);
                return Err(trouble);
            };
            self.faults.note(FaultKind::Full, || detail.clone());
            attempt += 1;
            if attempt > ATTEMPTS {
                let why = "it was full, and nothing could be removed";
                *self.discard.lock() = Some(why.to_owned());
                self.leave(why);
                return Err(Trouble::Full(detail));
            }
            // Pages that a dead reader still holds are the first to come back. Those of a living one come back when it has
            // read, which the system may delay.
            let _ = store.env.clear_stale_readers();
            if attempt > 2 {
                std::thread::sleep(Duration::from_millis(1 << (attempt - 2).min(6)));
            }
            match writer.make_room(bytes.max(1 << 16) * u64::from(attempt.min(4))) {
                Ok(outcome) => self.count(outcome, evicted),
                Err(Trouble::Full(_)) => {}
                Err(trouble) => {
                    self.suffer(&trouble);
                    return Err(trouble);
                }
            }
        }
    }

    fn write_batch(&self, records: &[Record], now: u64, evicted: &mut dyn FnMut(Record)) {
        let bytes = records.iter().map(|record| record.encoded_len() as u64 + 4096).sum();
        match self.persist(now, bytes, evicted, |writer| writer.write(records)) {
            Ok(outcome) => self.count(outcome, evicted),
            Err(_) => self.counters.lost.add(records.len() as u64),
        }
    }
}

impl Tier for LmdbTier {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn slot(&self) -> Slot {
        self.config.slot
    }

    fn generation(&self) -> u64 {
        self.refresh(super::wall_clock());
        self.view.ledger.sequence()
    }

    fn get(&self, key: &[u8], now: u64) -> Option<Record> {
        let mut found = None;
        self.find(key, now, Some(&mut found));
        if found.is_some() {
            self.counters.hits.one();
        } else {
            self.counters.misses.one();
        }
        found
    }

    fn contains(&self, key: &[u8], now: u64) -> bool {
        matches!(self.find(key, now, None), Found::Alive)
    }

    fn write(&self, records: &[Record], now: u64, evicted: &mut dyn FnMut(Record)) {
        // A batch that is large for the map would replace more pages at once than it has.
        let most = (self.config.map_size() / 16).max(1);
        let mut rest = records;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest
                .iter()
                .take_while(|record| {
                    bytes += record.encoded_len() + 4096;
                    bytes <= most
                })
                .count()
                .max(1);
            let (batch, after) = rest.split_at(fits);
            self.write_batch(batch, now, evicted);
            rest = after;
        }
    }

    fn purge(&self, orders: &[PurgeOrder]) -> Result<Vec<u64>, Fault> {
        let done = self.persist(super::wall_clock(), 0, &mut |_| (), |writer| {
            let store = writer.store;
            let mut txn = store.env.write()?;
            let mut state = store.catch_up(&txn, writer.view)?;
            let mut numbers = Vec::with_capacity(orders.len());
            for order in orders {
                let obeyed = match order.origin {
                    Origin::Here => false,
                    Origin::Sent(number) => {
                        let heard = number <= state.heard;
                        if !heard {
                            store.tables.sent.put(&mut txn, number, &[])?;
                        }
                        heard
                    }
                    Origin::Heard(number) => {
                        let obeyed = number <= state.heard || store.tables.sent.get(&txn, number)?.is_some();
                        store.tables.sent.delete_upto(&mut txn, number)?;
                        state.heard = state.heard.max(number);
                        obeyed
                    }
                };
                if let (Some(purge), false) = (&order.purge, obeyed) {
                    store.log_purge(&mut txn, &mut state, writer.view, purge, self.config.purge_log)?;
                }
                numbers.push(state.sequence);
            }
            store.tables.save(&mut txn, &state)?;
            txn.commit()?;
            Ok(numbers)
        });
        match done {
            Ok(numbers) => {
                self.view.ledger.advance(numbers.last().copied().unwrap_or(0));
                Ok(numbers)
            }
            Err(trouble) => Err(self.fault(&trouble)),
        }
    }

    fn news(&self, look: bool) -> Vec<News> {
        if look {
            self.refresh(super::wall_clock());
        }
        self.view.ledger.take_news()
    }

    fn heard(&self) -> u64 {
        self.with(super::wall_clock(), |store| {
            let txn = store.env.read()?;
            Ok(store.tables.state(&txn)?.heard)
        })
        .unwrap_or(0)
    }

    fn maintain(&self, now: u64, evicted: &mut dyn FnMut(Record)) {
        if self.store.load().as_deref().is_some_and(|store| !store.watch.look()) {
            self.leave_and_wait("its files were replaced or cut short");
        }
        self.recover();
        self.lately.forget(now, self.config.check_every);
        let suspects = std::mem::take(&mut *self.suspects.lock());
        if !suspects.is_empty() {
            // What cannot be removed now is met again, or swept.
            let _ = self.persist(now, 0, evicted, |writer| {
                let mut txn = writer.store.env.write()?;
                let mut state = writer.store.catch_up(&txn, writer.view)?;
                for (hash, place) in &suspects {
                    writer.remove(&mut txn, &mut state, *hash, Some(*place))?;
                }
                writer.store.tables.save(&mut txn, &state)?;
                txn.commit()
            });
        }
        self.with(now, |store| {
            store.note_size();
            let until = Instant::now() + SWEEPING;
            let mut sweep = self.sweep.lock();
            while sweep.slice(&self.writer(store, now))? && Instant::now() < until {}
            Ok(())
        });
    }

    fn stats(&self) -> TierStats {
        let state = self.with(super::wall_clock(), |store| {
            let txn = store.env.read()?;
            store.tables.state(&txn)
        });
        let state = state.unwrap_or_default();
        TierStats {
            faults: self.faults.total(),
            bytes: state.bytes,
            entries: state.entries,
            generation: self.view.ledger.sequence(),
            ..self.counters.stats()
        }
    }
}

impl fmt::Debug for LmdbTier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LmdbTier")
            .field("name", &self.config.name)
            .field("folder", &self.config.folder)
            .finish_non_exhaustive()
    }
}
