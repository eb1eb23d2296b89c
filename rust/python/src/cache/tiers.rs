//! The tiers below memory, holding bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyperweb_cache::tiers::{
    Fault, LmdbConfig, LmdbTier, Purge, Reach, Record, RedisConfig, RedisTier, Slot, Stamp as Purges, Tags, Tier,
    TierRules, TieredCache, TieredConfig, Times, Writes, wall_clock,
};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyModule};

use super::key::with_key;
use super::memory::{FOR_EVER, MemoryCache, millis};

/// How long a server may take to answer at first; later it is a tier that is not there yet.
const SERVER_TIME: Duration = Duration::from_millis(500);
/// Faults that wait to be logged by Python, at most.
const MOST_FAULTS: usize = 64;

/// What was purged in the tiers when a value was asked for.
#[pyclass(frozen, module = "hyperweb._core")]
struct Stamp(Purges);

/// Tiers below a cache in memory.
#[pyclass(frozen, module = "hyperweb._core")]
struct Tiers {
    inner: TieredCache,
    faults: Arc<Mutex<Vec<String>>>,
}

/// What was found: the bytes, and for how many seconds they are fresh and may be used; none is for ever.
type Found<'py> = (Bound<'py, PyBytes>, Option<f64>, Option<f64>, Vec<String>);

#[pymethods]
impl Tiers {
    #[new]
    #[pyo3(signature = (memory, *, shared, shared_limit, disk, disk_limit, redis, namespace))]
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
    ) -> Self {
        let faults: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = {
            let faults = Arc::clone(&faults);
            Arc::new(move |fault: &Fault| {
                let mut faults = faults.lock();
                if faults.len() < MOST_FAULTS {
                    faults.push(fault.to_string());
                }
            })
        };
        let mut tiers: Vec<(Arc<dyn Tier>, TierRules)> = Vec::new();
        let mut remote = None;
        if let Some(folder) = shared {
            let config = LmdbConfig {
                fault_sink: sink.clone(),
                ..LmdbConfig::shared(folder, shared_limit)
            };
            tiers.push((Arc::new(LmdbTier::new(config)), TierRules::for_slot(Slot::Shared)));
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
            tiers.push((Arc::new(LmdbTier::new(config)), rules));
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
            let Some(cache) = above.upgrade() else { return };
            match purge {
                Purge::Key(key) => drop(cache.purge_key(key)),
                Purge::Tag(tag) => cache.purge_tags(std::str::from_utf8(tag).ok()),
                Purge::Prefix(prefix) => cache.purge_prefix(prefix),
                Purge::All => cache.purge_all(),
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
        Self { inner, faults }
    }

    fn stamp(&self) -> Stamp {
        Stamp(self.inner.stamp())
    }

    #[pyo3(signature = (key, *, remote))]
    fn get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, remote: bool) -> PyResult<Option<Found<'py>>> {
        let key = with_key(key, <[u8]>::to_vec)?;
        let reach = if remote { Reach::All } else { Reach::Machine };
        let now = wall_clock();
        let Some(record) = py.detach(|| self.inner.get(&key, now, reach)) else {
            return Ok(None);
        };
        let left =
            |until: u64| (until != FOR_EVER).then(|| Duration::from_millis(until.saturating_sub(now)).as_secs_f64());
        let tags = record
            .tags()
            .map(|tag| String::from_utf8_lossy(tag).into_owned())
            .collect();
        let times = record.times;
        Ok(Some((
            PyBytes::new(py, record.value()),
            left(times.fresh_until),
            left(times.dead_at),
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
        let fresh_until = wall_clock().saturating_add(millis(ttl, FOR_EVER)?);
        let times = Times {
            fresh_until,
            dead_at: fresh_until.saturating_add(millis(grace, 0)?),
        };
        let tags = Tags::new(tags.iter().map(String::as_str));
        let record = Record::new(key, Bytes::copy_from_slice(value), tags, times, stamp.0);
        py.detach(|| self.inner.put(&record));
        Ok(())
    }

    /// Hides what is meant in all tiers; returns the names of those that could not be told yet.
    #[pyo3(signature = (*, keys, tags, prefixes, all))]
    fn purge(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyList>,
        tags: Vec<String>,
        prefixes: Vec<String>,
        all: bool,
    ) -> PyResult<Vec<String>> {
        let mut purges = Vec::new();
        for key in keys.iter() {
            purges.push(with_key(&key, Purge::key)?);
        }
        purges.extend(tags.iter().map(|tag| Purge::tag(tag)));
        purges.extend(prefixes.iter().map(|prefix| Purge::prefix(prefix.as_bytes())));
        purges.extend(all.then_some(Purge::All));
        Ok(py.detach(|| self.inner.purge(&purges)).owed)
    }

    /// Waits until all is written; whether it was within `seconds`.
    fn flush(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let patience = Duration::from_millis(millis(Some(seconds), 0)?);
        Ok(py.detach(|| self.inner.flush(patience)))
    }

    /// What went wrong since this was last asked, for the log.
    fn faults(&self) -> Vec<String> {
        std::mem::take(&mut *self.faults.lock())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = py.detach(|| self.inner.stats());
        let all = PyDict::new(py);
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

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Stamp>()?;
    module.add_class::<Tiers>()
}
