//! Tiers below memory: a disk, and a server that machines share. What is kept is written to both and outlives the edge;
//! purges go to both, and those of other machines are heard.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use hyperweb_cache::tiers::{
    Fault, LmdbConfig, LmdbTier, Purge as Order, Reach, Record, RedisConfig, RedisTier, Slot, Stamp, Tags, Tier,
    TierRules, TieredCache, TieredConfig, Times as Until, Writes, wall_clock,
};
use hyperweb_cache::{FillToken, Inserted};
use serde::Deserialize;

use crate::clock;
use crate::error::EdgeError;
use crate::form::{Form, Parts, varying};
use crate::log;
use crate::metrics::TierFigures;
use crate::purge::Purge;
use crate::shared::Shared;
use crate::site::Site;
use crate::store::{Stored, variant_key};

/// How long a server may take to answer at first; later it is a tier that is not there yet.
const SERVER_TIME: Duration = Duration::from_millis(500);
/// How long what is waiting may still be written when the edge ends.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Which tiers there are.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TiersConfig {
    #[serde(default)]
    pub disk: Option<DiskConfig>,
    #[serde(default)]
    pub redis: Option<ServerConfig>,
}

/// A tier on a disk.
#[derive(Debug, Clone, Deserialize)]
pub struct DiskConfig {
    /// Its folder, of this edge alone.
    pub folder: PathBuf,
    /// The most bytes its file may have.
    pub bytes: u64,
}

/// A tier in Redis or Valkey.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerConfig {
    /// `redis://[user:password@]host[:port][/db]`, or `unix:///path`.
    pub url: String,
    /// Begins all keys on the server. Machines that share a cache give the same one.
    pub namespace: String,
}

/// The tiers below memory.
#[derive(Debug)]
pub(crate) struct Tiers {
    cache: TieredCache,
    /// Who hears of purges; set once it is there.
    above: Arc<OnceLock<Weak<Shared>>>,
}

/// What was known when a response was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    stamp: Stamp,
    version: Arc<String>,
}

impl Tiers {
    /// Opens what there is to be; none where there is nothing.
    pub(crate) fn open(config: &TiersConfig) -> Result<Option<Self>, EdgeError> {
        let told = Arc::new(|fault: &Fault| log::warn(&format!("the cache's {fault}")));
        let mut tiers: Vec<(Arc<dyn Tier>, TierRules)> = Vec::new();
        if let Some(disk) = &config.disk {
            let tier = LmdbTier::new_once(LmdbConfig {
                fault_sink: told.clone(),
                ..LmdbConfig::disk(&disk.folder, disk.bytes)
            });
            let tier = tier.map_err(|fault| EdgeError::Config(fault.detail))?;
            // What is in memory alone would be lost when the edge ends.
            let rules = TierRules {
                writes: Writes::OnPut,
                ..TierRules::for_slot(Slot::Disk)
            };
            tiers.push((Arc::new(tier), rules));
        }
        let mut server = None;
        if let Some(redis) = &config.redis {
            let tier = Arc::new(RedisTier::new(RedisConfig {
                fault_sink: told,
                ..RedisConfig::new(&redis.url, &redis.namespace)
            }));
            server = Some(Arc::clone(&tier));
            tiers.push((tier, TierRules::for_slot(Slot::Remote)));
        }
        if tiers.is_empty() {
            return Ok(None);
        }
        let above: Arc<OnceLock<Weak<Shared>>> = Arc::default();
        let hears = Arc::clone(&above);
        let listener = move |order: &Order| {
            if let Some(shared) = hears.get().and_then(Weak::upgrade) {
                shared.responses.obey(order, clock::now(), None);
            }
        };
        let cache = TieredCache::new(tiers, TieredConfig::default(), Arc::new(listener));
        // What is put before the server has told its last purge could have been purged, and would not be kept.
        let until = Instant::now() + SERVER_TIME;
        while server.as_ref().is_some_and(|tier| !tier.is_available()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Some(Self { cache, above }))
    }

    /// Says who hears of purges that others make.
    pub(crate) fn tell(&self, shared: &Arc<Shared>) {
        let _ = self.above.set(Arc::downgrade(shared));
    }

    /// Takes note of what is known, before a response of this version of a site is asked for.
    fn begin(&self, version: Arc<String>) -> Ticket {
        Ticket {
            stamp: self.cache.stamp(),
            version,
        }
    }

    /// Finds what answers a request with these fields. It may wait for a disk or a server.
    fn find(&self, primary: &[u8], version: &str, request: &HeaderMap) -> Option<Below> {
        let now = wall_clock();
        let get = |key: &[u8]| {
            let record = self.cache.get(key, now, Reach::All)?;
            let (until, tags) = (record.times, record.tags().filter_map(text).collect());
            Some((Form::decode(record.into_value())?, until, tags))
        };
        let key = key(primary, version);
        let mut found = get(&key)?;
        if let Form::Varies(names) = &found.0 {
            found = get(&variant_key(&key, names, request))?;
        }
        match found {
            (Form::Response(parts), until, tags) => Some(Below {
                parts: *parts,
                until,
                tags,
                found_at: now,
            }),
            (Form::Varies(_), ..) => None,
        }
    }

    /// Leaves a response to be written that was kept in memory just now.
    fn put(&self, primary: &[u8], stored: &Stored, ticket: &Ticket) {
        let now = wall_clock();
        let fresh_until = now.saturating_add(stored.times.ttl);
        let times = Until {
            fresh_until,
            dead_at: fresh_until.saturating_add(stored.times.grace()),
        };
        let key = key(primary, &ticket.version);
        let record = |key: Vec<u8>, value: Bytes| {
            let tags = Tags::new(stored.tags.iter().map(|tag| &**tag));
            Record::new(key.into(), value, tags, times, ticket.stamp)
        };
        let value = stored.parts(now).encode();
        if stored.varies.is_empty() {
            self.cache.put(&record(key, value));
            return;
        }
        // The variant was made of the key of the request in memory, with which this one begins.
        let fields = stored.variant.get(primary.len()..).unwrap_or_default();
        let place = [&key, fields].concat();
        self.cache.put(&record(key, varying(&stored.varies)));
        self.cache.put(&record(place, value));
    }

    /// Forgets what stands under a key of a version.
    fn invalidate(&self, primary: &[u8], version: &str) {
        self.cache.purge(&[Order::key(&key(primary, version))]);
    }

    /// Forgets what a purge names of these sites. Memory is purged after this returns.
    pub(crate) fn purge<'a>(
        &self,
        purge: &Purge,
        sites: impl Iterator<Item = &'a str>,
        find: impl Fn(&str) -> Option<Vec<u8>>,
    ) {
        let mut orders = Vec::new();
        if purge.all {
            orders.push(
                purge
                    .site
                    .as_ref()
                    .map_or(Order::All, |site| Order::prefix(&start(site, ""))),
            );
        }
        orders.extend(purge.tags.iter().map(|tag| Order::tag(tag)));
        orders.extend(purge.urls.iter().filter_map(|url| Some(Order::prefix(&find(url)?))));
        for site in sites {
            let whole = purge.paths.iter().map(|path| [&*start(site, path), &[0]].concat());
            orders.extend(whole.map(|start| Order::prefix(&start)));
            orders.extend(purge.prefix.iter().map(|prefix| Order::prefix(&start(site, prefix))));
        }
        if purge.soft {
            let now = wall_clock();
            orders = orders.into_iter().map(|order| order.softly(now)).collect();
        }
        let owed = self.cache.purge(&orders).owed;
        if !owed.is_empty() {
            // They are not read until they have been told.
            log::warn(&format!("a purge waits for {}", owed.join(", ")));
        }
    }

    /// Writes what is waiting.
    pub(crate) fn flush(&self) {
        self.cache.flush(LAST_WRITES);
    }

    /// The figures of each.
    pub(crate) fn stats(&self) -> Vec<TierFigures> {
        let tiers = self.cache.stats().tiers.into_iter();
        tiers.map(|(name, stats)| TierFigures::new(name, &stats)).collect()
    }
}

/// Takes note of what is known before a response is asked for, where it may be kept below memory.
pub(crate) fn begin(shared: &Shared, site: &Site) -> Option<Ticket> {
    site.version()
        .and_then(|version| Some(shared.tiers.as_ref()?.begin(version)))
}

/// Takes a response up into memory that a tier below has; whether one had it. `token` is from before.
pub(crate) async fn restore(
    shared: &Arc<Shared>,
    site: &Site,
    primary: &[u8],
    headers: &HeaderMap,
    token: FillToken,
) -> bool {
    let Some(version) = site.version().filter(|_| shared.tiers.is_some()) else {
        return false;
    };
    let (shared, primary, headers) = (Arc::clone(shared), primary.to_vec(), headers.clone());
    let look = move || {
        let below = shared.tiers.as_ref()?.find(&primary, &version, &headers)?;
        shared.responses.restore(&primary, below, token);
        Some(())
    };
    // It may wait for a disk or a server, and others have nothing to do with that.
    matches!(tokio::task::spawn_blocking(look).await, Ok(Some(())))
}

/// Leaves a response to the tiers that was kept in memory, unless the site became another meanwhile.
pub(crate) fn keep(
    shared: &Shared,
    site: &Site,
    primary: &[u8],
    stored: &Stored,
    (ticket, outcome): (Option<Ticket>, Inserted),
) {
    if let (Some(tiers), Some(ticket)) = (&shared.tiers, ticket)
        && outcome == Inserted::Kept
        && stored.times.ttl > 0
        && site.version().is_some_and(|version| version == ticket.version)
    {
        tiers.put(primary, stored, &ticket);
    }
}

/// Forgets what stands under keys of a site.
pub(crate) async fn invalidate(shared: &Arc<Shared>, site: &Site, keys: &[Vec<u8>]) {
    let Some(version) = site.version().filter(|_| shared.tiers.is_some()) else {
        return;
    };
    let (shared, keys) = (Arc::clone(shared), keys.to_vec());
    let purge = move || {
        for (tiers, key) in keys.iter().filter_map(|key| Some((shared.tiers.as_ref()?, key))) {
            tiers.invalidate(key, &version);
        }
    };
    // It may wait for a disk or a server.
    let _ = tokio::task::spawn_blocking(purge).await;
}

/// A response that was found in a tier.
#[derive(Debug)]
pub(crate) struct Below {
    pub(crate) parts: Parts,
    /// Until when it may be used, by the clock of the system.
    until: Until,
    pub(crate) tags: Vec<Box<str>>,
    found_at: u64,
}

impl Below {
    /// Sets its times right: a soft purge may have made it stale. Returns when it was kept, by the clock that never runs
    /// backwards.
    pub(crate) fn settle(&mut self, now: u64) -> u64 {
        let parts = &mut self.parts;
        // Another machine's clock may be ahead: nothing is kept in the future.
        let kept_at = parts.kept_at.min(self.found_at);
        let ttl = self.until.fresh_until.saturating_sub(kept_at);
        parts.times.ttl = parts.times.ttl.min(ttl);
        now.saturating_sub(self.found_at - kept_at)
    }
}

fn text(tag: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(tag).ok().map(Into::into)
}

/// The start of the keys of a site whose paths begin so.
fn start(site: &str, path: &str) -> Vec<u8> {
    [site.as_bytes(), &[0], path.as_bytes()].concat()
}

/// A key as it is below memory: another version of a site answers otherwise, but purges mean all of them.
fn key(primary: &[u8], version: &str) -> Vec<u8> {
    [primary, version.as_bytes(), &[0]].concat()
}

/// The key in memory of one below it.
pub(crate) fn primary_of(key: &[u8]) -> &[u8] {
    let version = key.strip_suffix(&[0]).unwrap_or(key);
    let end = version.iter().rposition(|byte| *byte == 0).map_or(0, |place| place + 1);
    key.get(..end).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again() {
        for is_secure in [false, true] {
            let primary = crate::store::key("site", "host", "/path", Some("query"), is_secure);
            assert_eq!(primary_of(&key(&primary, "version")), primary);
            assert_eq!(primary_of(&key(&primary, "")), primary);
        }
        assert_eq!(primary_of(b"damaged"), b"");
    }
}
