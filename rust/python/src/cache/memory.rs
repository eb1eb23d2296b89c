//! The memory tier, holding Python objects.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperweb_cache::{
    Cache, Config, FillToken, Governor, Inserted, Options, Policy, SizeWatch, SizingConfig, SystemReader,
};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyModule};

use super::key::{decode, with_key};
use super::object_unsafe::Object;

/// How often time is given to what is over, and the machine looked at.
const BEAT: Duration = Duration::from_secs(1);
/// For ever, in milliseconds.
pub(super) const FOR_EVER: u64 = u64::MAX;

pub(super) type Objects = Cache<Object>;

/// What was purged when a value was asked for.
#[pyclass(frozen, module = "hyperweb._core")]
pub(crate) struct Fill(pub(crate) FillToken);

/// A cache of Python objects.
#[pyclass(frozen, subclass, module = "hyperweb._core")]
pub(super) struct MemoryCache {
    pub(super) cache: Arc<Objects>,
    ttl: u64,
    grace: u64,
    /// Misses that were a second look at what had been missed already.
    second_looks: AtomicU64,
    _watch: Option<SizeWatch>,
}

/// Milliseconds of a clock that never runs backwards. It is read for each hit, so it is the coarse one: it moves with
/// the kernel's tick, every 1 to 10 ms.
#[inline]
pub(super) fn now() -> u64 {
    let ticks = coarsetime::Instant::now_without_cache_update().as_ticks();
    coarsetime::Duration::from_ticks(ticks).as_millis()
}

/// Seconds as milliseconds; none is `otherwise`.
pub(super) fn millis(seconds: Option<f64>, otherwise: u64) -> PyResult<u64> {
    let Some(seconds) = seconds else { return Ok(otherwise) };
    if seconds.is_nan() || seconds < 0.0 {
        return Err(PyValueError::new_err(format!(
            "{seconds} is no length of time in seconds"
        )));
    }
    Ok(
        u64::try_from(Duration::try_from_secs_f64(seconds).map_or(u128::from(FOR_EVER), |time| time.as_millis()))
            .unwrap_or(FOR_EVER),
    )
}

impl MemoryCache {
    #[inline]
    fn fresh(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        with_key(key, |bytes| {
            let now = now();
            let reader = self.cache.pin();
            let found = reader.get(bytes, now).filter(|entry| entry.is_fresh(now));
            found.map(|entry| entry.value().0.clone_ref(py))
        })
    }
}

#[pymethods]
impl MemoryCache {
    #[new]
    #[pyo3(signature = (limit, *, policy, shards, largest_part, ttl, grace, share))]
    fn new(
        limit: Option<u64>,
        policy: &str,
        shards: usize,
        largest_part: u64,
        ttl: Option<f64>,
        grace: Option<f64>,
        share: u8,
    ) -> PyResult<Self> {
        let named = Policy::named(policy).ok_or_else(|| {
            PyValueError::new_err(format!(
                "there is no policy {policy:?}; the policies are auto, s3-fifo, w-tinylfu, lru and lfu"
            ))
        })?;
        if !shards.is_power_of_two() {
            return Err(PyValueError::new_err(format!(
                "{shards} shards: their number must be a power of two"
            )));
        }
        let reader = SystemReader::default();
        let sizing = SizingConfig {
            share,
            ..SizingConfig::default()
        };
        let mut governor = Governor::new(sizing);
        let limit_bytes = limit.unwrap_or_else(|| governor.decide(0, &reader.read()).0);
        let cache = Arc::new(Objects::new(Config {
            limit_bytes,
            shards,
            largest_part,
            policy: named,
            ..Config::default()
        }));
        tend(&cache)?;
        let watch = if limit.is_none() {
            let (held, set) = (Arc::downgrade(&cache), Arc::downgrade(&cache));
            let held = move || held.upgrade().map_or(0, |cache| cache.stats().memory);
            let set = move |bytes| {
                if let Some(cache) = set.upgrade() {
                    cache.set_limit(bytes);
                }
            };
            Some(SizeWatch::start(reader, governor, BEAT, held, set)?)
        } else {
            None
        };
        Ok(Self {
            cache,
            ttl: millis(ttl, FOR_EVER)?,
            grace: millis(grace, 0)?,
            second_looks: AtomicU64::new(0),
            _watch: watch,
        })
    }

    fn __getitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.fresh(py, key)?
            .ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    #[pyo3(signature = (key, default = None, /))]
    fn get(&self, py: Python<'_>, key: &Bound<'_, PyAny>, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        Ok(self
            .fresh(py, key)?
            .unwrap_or_else(|| default.unwrap_or_else(|| py.None())))
    }

    /// The value of a key and whether it is fresh, or none.
    fn find(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Option<(Py<PyAny>, bool)>> {
        with_key(key, |bytes| {
            let now = now();
            let reader = self.cache.pin();
            reader
                .get(bytes, now)
                .map(|entry| (entry.value().0.clone_ref(py), entry.is_fresh(now)))
        })
    }

    /// The fresh value of a key that was missed a moment ago, or `default`; a miss counts once with the one before.
    fn find_again(&self, py: Python<'_>, key: &Bound<'_, PyAny>, default: Py<PyAny>) -> PyResult<Py<PyAny>> {
        let found = self.find(py, key)?;
        if found.is_none() {
            self.second_looks.fetch_add(1, Ordering::Relaxed);
        }
        Ok(found
            .filter(|(_, is_fresh)| *is_fresh)
            .map_or(default, |(value, _)| value))
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        with_key(key, |bytes| {
            let now = now();
            self.cache
                .pin()
                .get(bytes, now)
                .is_some_and(|entry| entry.is_fresh(now))
        })
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(key, value, None, None, Vec::new(), None, None).map(drop)
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if with_key(key, |bytes| self.cache.purge_key(bytes))? {
            Ok(())
        } else {
            Err(PyKeyError::new_err(key.clone().unbind()))
        }
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.cache.stats().entries).unwrap_or(usize::MAX)
    }

    fn begin(&self) -> Fill {
        Fill(self.cache.begin_fill())
    }

    #[pyo3(signature = (key, value, *, ttl = None, grace = None, tags = Vec::new(), weight = None, fill = None))]
    #[expect(clippy::too_many_arguments, reason = "each is said of the value by name")]
    fn set(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        ttl: Option<f64>,
        grace: Option<f64>,
        tags: Vec<String>,
        weight: Option<u64>,
        fill: Option<&Fill>,
    ) -> PyResult<bool> {
        let token = fill.map_or_else(|| self.cache.begin_fill(), |fill| fill.0);
        let options = Options {
            weight: match weight {
                Some(weight) => weight,
                None => weigh(value)?,
            },
            ttl: millis(ttl, self.ttl)?,
            grace: millis(grace, self.grace)?,
            tags: tags.into_iter().map(String::into_boxed_str).collect(),
        };
        let held = value.clone().unbind();
        let kept = with_key(key, |bytes| {
            self.cache.insert(bytes, Object(held), &options, token, now())
        })?;
        Ok(kept == Inserted::Kept)
    }

    /// Forgets keys, and what has some tags or begins with a text; softly, it only counts as stale from now on. Returns
    /// how many of the keys were there.
    #[pyo3(name = "_purge", signature = (*, keys, tags, prefixes, all, soft))]
    fn purge(
        &self,
        keys: &Bound<'_, PyList>,
        tags: Vec<String>,
        prefixes: Vec<String>,
        all: bool,
        soft: bool,
    ) -> PyResult<usize> {
        let now = now();
        let mut gone = 0;
        for key in keys.iter() {
            let found = with_key(&key, |bytes| {
                if soft {
                    self.cache.soft_purge_key(bytes, now)
                } else {
                    self.cache.purge_key(bytes)
                }
            })?;
            gone += usize::from(found);
        }
        let tags = tags.iter().map(String::as_str);
        if soft {
            self.cache.soft_purge_tags(tags, now);
        } else {
            self.cache.purge_tags(tags);
        }
        for prefix in &prefixes {
            if soft {
                self.cache.soft_purge_prefix(prefix.as_bytes(), now);
            } else {
                self.cache.purge_prefix(prefix.as_bytes());
            }
        }
        match (all, soft) {
            (true, true) => self.cache.soft_purge_all(now),
            (true, false) => self.cache.purge_all(),
            (false, _) => {}
        }
        Ok(gone)
    }

    /// Hides all entries with a tag that a condition holds for, and returns how many tags that were.
    #[pyo3(name = "_purge_tags_where")]
    fn purge_tags_where(&self, condition: &Bound<'_, PyAny>) -> PyResult<usize> {
        let failure = RefCell::new(None);
        let count = self.cache.purge_tags_where(|tag| {
            if failure.borrow().is_some() {
                return false;
            }
            let found = condition.call1((tag,)).and_then(|found| found.is_truthy());
            found.unwrap_or_else(|error| {
                failure.replace(Some(error));
                false
            })
        });
        failure.into_inner().map_or(Ok(count), Err)
    }

    #[getter]
    fn limit(&self) -> u64 {
        self.cache.stats().limit
    }

    #[setter]
    fn set_limit(&self, py: Python<'_>, bytes: u64) {
        py.detach(|| self.cache.set_limit(bytes));
    }

    #[getter]
    fn policy(&self) -> &'static str {
        self.cache.policy().name()
    }

    /// The keys asked for most and how often, roughly, the most first.
    fn hottest<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<(Bound<'py, PyAny>, u8)>> {
        let found = py.detach(|| self.cache.hottest(most));
        found
            .into_iter()
            .map(|(key, frequency)| Ok((decode(py, &key)?, frequency)))
            .collect()
    }

    /// Gives back what is over or hidden, all at once.
    fn reclaim(&self, py: Python<'_>) {
        py.detach(|| {
            self.cache.reclaim();
            settle(&self.cache);
        });
    }

    #[pyo3(name = "_stats")]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Before the misses that they are among.
        let second_looks = self.second_looks.load(Ordering::Relaxed);
        let found = py.detach(|| self.cache.stats());
        let table = PyDict::new(py);
        let figures = [
            ("hits", found.hits),
            ("stale_hits", found.stale_hits),
            ("misses", found.misses.saturating_sub(second_looks)),
            ("inserts", found.inserts),
            ("evictions", found.evictions),
            ("expired", found.expired),
            ("purged", found.purged),
            ("refused", found.refused),
            ("outrun", found.outrun),
            ("bytes", found.bytes),
            ("memory", found.memory),
            ("limit", found.limit),
            ("entries", found.entries),
        ];
        for (name, figure) in figures {
            table.set_item(name, figure)?;
        }
        Ok(table)
    }
}

/// Bytes an object takes: what it says of itself, and what a plain list, tuple, dict or set of it holds is not counted.
fn weigh(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().len() as u64 + 33);
    }
    value.call_method0("__sizeof__")?.extract()
}

/// Turns at most in which what is over is let go, before others may have the processor again.
const MOST_TURNS: usize = 4096;

/// Lets go what is over or hidden.
fn settle(cache: &Objects) {
    for _ in 0..MOST_TURNS {
        if cache.maintain(now()) {
            return;
        }
    }
}

/// A thread that lets go what is over, for as long as the cache lives.
fn tend(cache: &Arc<Objects>) -> PyResult<()> {
    let cache = Arc::downgrade(cache);
    let work = move || {
        loop {
            std::thread::sleep(BEAT);
            let Some(cache) = cache.upgrade() else { return };
            settle(&cache);
        }
    };
    std::thread::Builder::new().name("cache-tend".to_owned()).spawn(work)?;
    Ok(())
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Fill>()?;
    module.add_class::<MemoryCache>()
}
