//! The tiers below memory, holding bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyperweb_cache::tiers::{
    Fault, LmdbConfig, LmdbTier, Purge, Reach, Record, RedisConfig, RedisTier, Slot, Stamp as Purges, Tags, Tier,
    TierRules, TieredCache, TieredConfig, Times, Writes, wall_clock,
};
use parking_lot::RwLock;
use pyo3::exceptions::PyFileExistsError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyModule};

use super::key::with_key;
use super::memory::{FOR_EVER, MemoryCache, Objects, millis, now};

/// Times from here on are for ever: nobody lives to see them.
const NEVER: u64 = FOR_EVER / 2;
/// How long a server may take to answer at first; later it is a tier that is not there yet.
const SERVER_TIME: Duration = Duration::from_millis(500);
/// Faults that wait to be logged by Python, at most: who comes upon one does not wait.
const MOST_FAULTS: usize = 64;
/// How long those who read just now have to end, where the tiers are closed.
const LEAVING: Duration = Duration::from_secs(1);

/// What was purged in the tiers when a value was asked for.
#[pyclass(frozen, module = "hyperweb._core")]
struct Stamp(Purges);

/// Tiers below a cache in memory. Closed, they hold nothing and keep nothing.
#[pyclass(frozen, module = "hyperweb._core")]
struct Tiers {
    inner: RwLock<Option<Arc<TieredCache>>>,
    /// A process that was forked has neither the threads of its parent nor connections of its own.
    process: u32,
}

/// What was found: the bytes, for how many seconds they are fresh (none is for ever), their grace, and their tags.
type Found<'py> = (Bound<'py, PyBytes>, Option<f64>, f64, Vec<String>);

impl Tiers {
    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    fn open(&self) -> Option<Arc<TieredCache>> {
        if self.is_forked() {
            return None;
        }
        self.inner.read().clone()
    }
}

/// Logs what comes, on a thread of its own: a fault is come upon where nobody may wait for Python.
fn log_all(faults: Receiver<String>, log: Py<PyAny>) -> PyResult<()> {
    let work = move || {
        for fault in faults {
            // None where the interpreter has ended.
            let logged = Python::try_attach(|py| {
                if let Err(error) = log.call1(py, (fault,)) {
                    error.write_unraisable(py, None);
                }
            });
            if logged.is_none() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("cache-faults".to_owned())
        .spawn(work)?;
    Ok(())
}

/// Does in memory what was purged elsewhere.
fn obey(cache: &Objects, purge: &Purge, softly: bool) {
    let text = |tag| std::str::from_utf8(tag).ok();
    match (purge, softly) {
        (Purge::Key(key), false) => drop(cache.purge_key(key)),
        (Purge::Key(key), true) => drop(cache.soft_purge_key(key, now())),
        (Purge::Tag(tag), false) => cache.purge_tags(text(tag)),
        (Purge::Tag(tag), true) => cache.soft_purge_tags(text(tag), now()),
        (Purge::Prefix(prefix), false) => cache.purge_prefix(prefix),
        (Purge::Prefix(prefix), true) => cache.soft_purge_prefix(prefix, now()),
        (Purge::All, false) => cache.purge_all(),
        (Purge::All, true) => cache.soft_purge_all(now()),
        (Purge::Soft { purge, .. }, _) => obey(cache, purge, true),
    }
}

#[pymethods]
impl Tiers {
    #[new]
    #[pyo3(signature = (memory, *, shared, shared_limit, disk, disk_limit, redis, namespace, log))]
    #[expect(clippy::too_many_arguments, reason = "each is a setting by name")]
    fn new(
        py: Python<'_>,
        memory: &MemoryCache,
        shared: Option<PathBuf>,
        shared_limit: u64,
        disk: Option<PathBuf>,
        disk_limit: u64,
        redis: Option<String>,
        namespace: String,
        log: Py<PyAny>,
    ) -> PyResult<Self> {
        let (told, faults) = sync_channel(MOST_FAULTS);
        log_all(faults, log)?;
        // More than fit are counted by the tier.
        let sink = Arc::new(move |fault: &Fault| drop(told.try_send(fault.to_string())));
        let open = |config| {
            py.detach(|| LmdbTier::new_once(config))
                .map_err(|fault| PyFileExistsError::new_err(fault.detail))
        };
        let mut tiers: Vec<(Arc<dyn Tier>, TierRules)> = Vec::new();
        let mut remote = None;
        if let Some(folder) = shared {
            let config = LmdbConfig {
                fault_sink: sink.clone(),
                ..LmdbConfig::shared(folder, shared_limit)
            };
            tiers.push((Arc::new(open(config)?), TierRules::for_slot(Slot::Shared)));
        }
        if let Some(folder) = disk {
            let config = LmdbConfig {
                fault_sink: sink.clone(),
                ..LmdbConfig::disk(folder, disk_limit)
            };
            // What memory evicts is an object by then, so a disk is written when a value is put.
            let rules = TierRules {
                writes: Writes::OnPut,
                ..TierRules::for_slot(Slot::Disk)
            };
            tiers.push((Arc::new(open(config)?), rules));
        }
        if let Some(url) = redis {
            let config = RedisConfig {
                fault_sink: sink,
                ..RedisConfig::new(url, namespace)
            };
            let tier = Arc::new(RedisTier::new(config));
            remote = Some(Arc::clone(&tier));
            tiers.push((tier, TierRules::for_slot(Slot::Remote)));
        }
        let above = Arc::downgrade(&memory.cache);
        let listener = move |purge: &Purge| {
            if let Some(cache) = above.upgrade() {
                obey(&cache, purge, false);
            }
        };
        let inner = py.detach(|| {
            let inner = TieredCache::new(tiers, TieredConfig::default(), Arc::new(listener));
            // What is put before the server has told its last purge could have been purged, and would not be kept.
            let until = Instant::now() + SERVER_TIME;
            while remote.as_ref().is_some_and(|tier| !tier.is_available()) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            inner
        });
        Ok(Self {
            inner: RwLock::new(Some(Arc::new(inner))),
            process: std::process::id(),
        })
    }

    fn stamp(&self, py: Python<'_>) -> Stamp {
        Stamp(py.detach(|| self.open().map(|tiers| tiers.stamp()).unwrap_or_default()))
    }

    #[pyo3(signature = (key, *, remote))]
    fn get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, remote: bool) -> PyResult<Option<Found<'py>>> {
        let Some(tiers) = self.open() else { return Ok(None) };
        let key = with_key(key, <[u8]>::to_vec)?;
        let reach = if remote { Reach::All } else { Reach::Machine };
        let now = wall_clock();
        let Some(record) = py.detach(move || tiers.get(&key, now, reach)) else {
            return Ok(None);
        };
        let seconds = |time: u64| Duration::from_millis(time).as_secs_f64();
        let times = record.times;
        // A tier may keep it for less than it is fresh.
        let fresh_until = times.fresh_until.min(times.dead_at);
        let tags = record
            .tags()
            .map(|tag| String::from_utf8_lossy(tag).into_owned())
            .collect();
        Ok(Some((
            PyBytes::new(py, record.value()),
            (fresh_until < NEVER).then(|| seconds(fresh_until.saturating_sub(now))),
            seconds(times.dead_at - fresh_until.max(now).min(times.dead_at)),
            tags,
        )))
    }

    #[pyo3(signature = (key, value, *, ttl, grace, tags, stamp))]
    #[expect(clippy::too_many_arguments, reason = "each is said of the value by name")]
    fn put(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        value: &[u8],
        ttl: Option<f64>,
        grace: Option<f64>,
        tags: Vec<String>,
        stamp: &Stamp,
    ) -> PyResult<()> {
        let key = Bytes::from(with_key(key, <[u8]>::to_vec)?);
        let Some(tiers) = self.open() else { return Ok(()) };
        let grace = millis(grace, 0)?;
        // What is fresh for ever ends before its grace does, so that a soft purge finds that.
        let fresh_until = wall_clock()
            .saturating_add(millis(ttl, FOR_EVER)?)
            .min(FOR_EVER - grace);
        let times = Times {
            fresh_until,
            dead_at: fresh_until.saturating_add(grace),
        };
        let tags = Tags::new(tags.iter().map(String::as_str));
        let record = Record::new(key, Bytes::copy_from_slice(value), tags, times, stamp.0);
        py.detach(move || tiers.put(&record));
        Ok(())
    }

    /// Hides what is meant in all tiers, or softly makes it stale; returns the names of those that could not be told yet.
    #[pyo3(signature = (*, keys, tags, prefixes, all, soft))]
    fn purge(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyList>,
        tags: Vec<String>,
        prefixes: Vec<String>,
        all: bool,
        soft: bool,
    ) -> PyResult<Vec<String>> {
        let Some(tiers) = self.open() else {
            return Ok(Vec::new());
        };
        let mut purges = Vec::new();
        for key in keys.iter() {
            purges.push(with_key(&key, Purge::key)?);
        }
        purges.extend(tags.iter().map(|tag| Purge::tag(tag)));
        purges.extend(prefixes.iter().map(|prefix| Purge::prefix(prefix.as_bytes())));
        purges.extend(all.then_some(Purge::All));
        if soft {
            let at = wall_clock();
            purges = purges.into_iter().map(|purge| purge.softly(at)).collect();
        }
        Ok(py.detach(move || tiers.purge(&purges)).owed)
    }

    /// Waits until all is written; whether it was within `seconds`.
    fn flush(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let patience = Duration::from_millis(millis(Some(seconds), 0)?);
        Ok(py.detach(|| self.open().is_none_or(|tiers| tiers.flush(patience))))
    }

    /// Gives the folders and the connections back. What waits to be written is, for a moment.
    fn close(&self, py: Python<'_>) {
        if self.is_forked() {
            // There is nobody to end, and the connections are the parent's.
            std::mem::forget(self.inner.try_write().and_then(|mut tiers| tiers.take()));
            return;
        }
        py.detach(|| {
            let taken = self.inner.write().take();
            let until = Instant::now() + LEAVING;
            // Who is the last to read closes it; it is closed when this returns unless that takes long.
            while taken.as_ref().is_some_and(|tiers| Arc::strong_count(tiers) > 1) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        let Some(tiers) = self.open() else { return Ok(all) };
        let found = py.detach(move || tiers.stats());
        let waiting = found.dropped.iter().zip(&found.queued).zip(&found.owed);
        for ((name, tier), ((dropped, queued), owed)) in found.tiers.iter().zip(waiting) {
            let table = PyDict::new(py);
            let figures = [
                ("hits", tier.hits),
                ("misses", tier.misses),
                ("writes", tier.writes),
                ("evictions", tier.evictions),
                ("refused", tier.refused),
                ("outrun", tier.outrun),
                ("purged", tier.purged),
                ("expired", tier.expired),
                ("bad_records", tier.bad_records),
                ("lost", tier.lost),
                ("recreated", tier.recreated),
                ("breaker_openings", tier.breaker_openings),
                ("unavailable", tier.unavailable),
                ("faults", tier.faults),
                ("bytes", tier.bytes),
                ("entries", tier.entries),
                ("dropped", *dropped),
                ("queued", *queued),
                ("owed", *owed),
            ];
            for (figure, value) in figures {
                table.set_item(figure, value)?;
            }
            all.set_item(name, table)?;
        }
        Ok(all)
    }
}

impl Drop for Tiers {
    fn drop(&mut self) {
        // What waits is written meanwhile, and Python need not wait for that.
        Python::try_attach(|py| self.close(py));
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Stamp>()?;
    module.add_class::<Tiers>()
}
