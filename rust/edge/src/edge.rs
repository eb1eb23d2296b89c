//! The edge as a whole.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyperweb_cache::{Coalescer, FlightLimits, Governor, SizeWatch, SizingConfig, SystemReader};
use hyperweb_pack::{Unverified, diff};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::access::{AccessLog, Writer};
use crate::acme;
use crate::admin;
use crate::admission::Admission;
use crate::check;
use crate::config::Config;
use crate::error::EdgeError;
use crate::fetch::MOST_WAIT;
use crate::forwarded::Trusted;
use crate::learning::Learning;
use crate::metrics::Stats;
use crate::network::Network;
use crate::placement::places;
use crate::purge::Purge;
#[cfg(feature = "http3")]
use crate::quic::Quic;
use crate::responses::Responses;
use crate::shared::{Shared, ThreadState};
use crate::site::Sites;
use crate::sockets::{Sockets, descriptors, listeners};
use crate::stream::Address;
use crate::system_unsafe;
use crate::thread::{Doors, Entrance, run};
use crate::tiers::Tiers;
use crate::tls::Tls;

/// How long after its start the edge begins to check the bodies of its packs.
const CHECK_AFTER: Duration = Duration::from_millis(500);

/// How often what was learned is written down; once a day it counts half.
const SAVE_EVERY: Duration = Duration::from_mins(5);
const SAVES_A_DAY: u64 = 24 * 12;
/// How often it is looked how much memory there is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The share of the memory there is that the cache may take, in hundredths, where none is set.
const SHARE: u8 = 10;

/// What the taking up of a new build changed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reloaded {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// The tags of all of these.
    pub tags: Vec<String>,
}

/// A running edge. Dropped, it stops at once; [`drain`](Self::drain) stops it gently.
pub struct Edge {
    core: Arc<Core>,
    addresses: Vec<SocketAddr>,
    plain: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    /// What it listens on, to be passed on to another.
    held: Mutex<Vec<TcpListener>>,
    /// Writes what is left of the access log when it goes.
    writer: Mutex<Option<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Follows the memory there is.
    _watch: SizeWatch,
}

/// What the edge's own threads and its admin socket act on.
pub(crate) struct Core {
    shared: Arc<Shared>,
    states: Vec<Arc<ThreadState>>,
    /// What was found wrong with a build after it began to be served.
    damage: Mutex<Option<EdgeError>>,
}

impl Edge {
    /// Starts the edge. When this returns it listens.
    pub fn start(config: &Config) -> Result<Self, EdgeError> {
        let threads = config.threads.max(1);
        let mut passed = Sockets::take(&config.passed)?;
        let doors = Entrances::open(config, &mut passed, threads)?;
        let tls = config.tls.as_ref().map(Tls::new).transpose()?;
        let http3 = tls.as_ref().and_then(|tls| tls.quic.as_ref());
        let told_port = http3.and_then(|_| doors.addresses.first()).map(SocketAddr::port);
        let (sites, unverified) = Sites::open(&config.sites, threads, told_port)?;
        let (access, writer) = config
            .access
            .as_ref()
            .map(|config| AccessLog::start(config, threads))
            .transpose()?
            .unzip();
        let (reader, mut governor) = (SystemReader::default(), governor(config));
        let (limit, _) = governor.decide(0, &reader.read());
        let (learning, warming) = config.learning.as_ref().map(Learning::open).unzip();
        let shared = Arc::new(Shared {
            sites,
            responses: Responses::limited(limit, config.limits.variants, config.compression.clone()),
            tiers: Tiers::open(&config.tiers)?,
            // No age limit: the worker's own time limit ends every lead.
            flights: Coalescer::with_limits(FlightLimits {
                wait: Some(MOST_WAIT),
                ..FlightLimits::default()
            }),
            limits: config.limits,
            admission: Admission::default(),
            proxies: config
                .proxies
                .iter()
                .map(|text| Network::read(text))
                .collect::<Result<_, _>>()?,
            trusted: Trusted::read(&config.trusted)?,
            handshakes: Arc::new(Semaphore::new(match config.limits.handshakes {
                0 => Semaphore::MAX_PERMITS,
                some => some,
            })),
            tls,
            measures: config.metrics,
            access,
            token: config.token.clone().filter(|token| !token.is_empty()),
            learning: learning.map(Arc::new),
            warming: Mutex::new(warming.filter(|_| config.learning.as_ref().is_some_and(|one| one.warm))),
            draining: AtomicBool::new(false),
            drain: watch::Sender::new(false),
            patience: AtomicU64::new(0),
        });
        if let Some(tiers) = &shared.tiers {
            tiers.tell(&shared);
        }
        let watch = watch(&shared, reader, governor)?;
        let states: Vec<_> = (0..threads)
            .map(|number| {
                Arc::new(ThreadState {
                    shared: Arc::clone(&shared),
                    number,
                    metrics: crate::metrics::Metrics::default(),
                })
            })
            .collect();
        let core = Arc::new(Core {
            shared,
            states,
            damage: Mutex::new(None),
        });
        let running = start_threads(&core, &doors, config)?;
        let remote = config.admin.map(|address| passed.passed(address).pop());
        let (admin, held) = admin::start(&config.admin_socket, config.admin, remote.flatten(), &core)?;
        passed.is_used_up()?;
        check::start(&core)?;
        keep_learning(&core.shared)?;
        if let Some(tls) = &core.shared.tls {
            tls.certificates.watch()?;
        }
        acme::start(&core.shared)?;
        core.check_in_background(unverified)?;
        Ok(Self {
            core,
            addresses: doors.addresses,
            plain: doors.plain,
            admin,
            held: Mutex::new(
                doors
                    .listeners
                    .into_iter()
                    .map(|(_, listener, _)| listener)
                    .chain(held)
                    .collect(),
            ),
            writer: Mutex::new(writer),
            threads: Mutex::new(running),
            _watch: watch,
        })
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses it listens on beside TLS, without it.
    pub fn plain_addresses(&self) -> &[SocketAddr] {
        &self.plain
    }

    /// Reads the certificates anew. Where one cannot be used, all stay what they were.
    pub fn reload_certificates(&self) -> Result<(), EdgeError> {
        self.core
            .shared
            .tls
            .as_ref()
            .map_or(Ok(()), |tls| tls.certificates.reload())
    }

    /// The descriptors of the sockets it listens on, for a process that is to take them over. They are closed once it
    /// [drains](Self::drain).
    pub fn descriptors(&self) -> Vec<i32> {
        descriptors(self.held.lock().iter())
    }

    /// The address of the admin listener, where there is one.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Sets where a site's workers or origins listen: `http://HOST:PORT`, `https://HOST`, `unix:PATH`, or the path of a socket.
    pub fn set_upstreams(&self, site: &str, addresses: &[String]) -> Result<(), EdgeError> {
        let read = addresses.iter().map(|text| Address::read(text));
        let addresses = read.collect::<Result<Vec<_>, _>>()?;
        self.core.shared.sites.by_name(site)?.upstream.set(&addresses)
    }

    /// Whether anything of a site's build is made at run time.
    pub fn has_routes(&self, site: &str) -> Result<bool, EdgeError> {
        Ok(self.core.shared.sites.by_name(site)?.build.load().has_routes())
    }

    /// Takes up a site's new build. Responses under way are those of the build they began with.
    pub fn reload(&self, site: &str) -> Result<Reloaded, EdgeError> {
        self.core.reload(site)
    }

    /// Says what a site's responses are made by from now on, after a build was taken up and what was made before is
    /// purged. Until then tiers below memory are not used for it.
    pub fn set_version(&self, site: &str, version: &str) -> Result<(), EdgeError> {
        self.core.shared.sites.by_name(site)?.set_version(version.to_owned());
        Ok(())
    }

    /// Forgets cached responses.
    pub fn purge(&self, purge: &Purge) -> usize {
        self.core.purge(purge)
    }

    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Requests that a site's workers have, or that wait for one.
    pub fn outstanding(&self, site: &str) -> Result<u64, EdgeError> {
        Ok(self.core.shared.sites.by_name(site)?.upstream.outstanding())
    }

    /// Says what was found wrong, since it started, with the packs it started with: they are answered from at once, and
    /// their bodies checked while they are. A build that is taken up later is checked before.
    pub fn check(&self) -> Result<(), EdgeError> {
        self.core.damage.lock().take().map_or(Ok(()), Err)
    }

    /// Accepts nothing new, lets what was begun be sent, and stops. True where all was sent in time.
    ///
    /// Connections on which nothing is under way are kept for `patience`: a request that is on its way already is
    /// answered, and its connection closed.
    pub fn drain(&self, longest: Duration, patience: Duration) -> bool {
        let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.core.shared.patience.store(milliseconds, Ordering::Release);
        self.held.lock().clear();
        self.core.shared.draining.store(true, Ordering::Release);
        self.core.shared.drain.send_replace(true);
        let deadline = Instant::now() + longest;
        let mut threads = self.threads.lock();
        while threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                self.core.shared.keep_learned();
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let all = threads.drain(..).all(|thread| thread.join().is_ok());
        self.writer.lock().take();
        self.core.shared.keep_learned();
        if let Some(tiers) = &self.core.shared.tiers {
            tiers.flush();
        }
        all
    }
}

fn governor(config: &Config) -> Governor {
    let usual = SizingConfig::default();
    Governor::new(SizingConfig {
        share: config.cache_share.unwrap_or(SHARE),
        fixed: config.cache_bytes,
        // What is set on purpose may be less than what is worth while.
        floor: config.cache_bytes.map_or(usual.floor, |bytes| bytes.min(usual.floor)),
        ..usual
    })
}

fn watch(shared: &Arc<Shared>, reader: SystemReader, governor: Governor) -> Result<SizeWatch, EdgeError> {
    let (held, limited) = (Arc::downgrade(shared), Arc::downgrade(shared));
    let held = move || held.upgrade().map_or(0, |shared| shared.responses.held());
    let set_limit = move |bytes| {
        if let Some(shared) = limited.upgrade() {
            shared.responses.set_limit(bytes);
        }
    };
    SizeWatch::start(reader, governor, LOOK_EVERY, held, set_limit).map_err(|source| EdgeError::Io {
        doing: "starting a thread",
        source,
    })
}

/// Writes down from time to time what was learned, on a thread of its own, until nobody needs it.
fn keep_learning(shared: &Arc<Shared>) -> Result<(), EdgeError> {
    if shared.learning.is_none() {
        return Ok(());
    }
    let held = Arc::downgrade(shared);
    let work = move || {
        for number in 1u64.. {
            std::thread::sleep(SAVE_EVERY);
            let Some(shared) = held.upgrade() else { return };
            let Some(learning) = &shared.learning else { return };
            if shared.draining.load(Ordering::Acquire) {
                return;
            }
            if number.is_multiple_of(SAVES_A_DAY) {
                learning.model.decay();
            }
            learning.save(&shared.responses);
        }
    };
    let spawned = std::thread::Builder::new().name("edge-learn".to_owned()).spawn(work);
    spawned.map(drop).map_err(|source| EdgeError::Io {
        doing: "starting a thread",
        source,
    })
}

/// Where clients come in, and what is spoken there.
struct Entrances {
    /// The addresses with TLS where that is set up, and those beside it.
    addresses: Vec<SocketAddr>,
    plain: Vec<SocketAddr>,
    /// What each thread listens on.
    listeners: Vec<(usize, TcpListener, Entrance)>,
}

impl Entrances {
    fn open(config: &Config, passed: &mut Sockets, threads: usize) -> Result<Self, EdgeError> {
        let mut open = |wanted: &SocketAddr| listeners(*wanted, &passed.passed(*wanted), threads, &config.tcp);
        let main = config.listen.iter().map(&mut open).collect::<Result<Vec<_>, _>>()?;
        let beside = config.plain.iter().map(&mut open).collect::<Result<Vec<_>, _>>()?;
        let port = main.first().map_or(0, |(address, _)| address.port());
        let is_secure = config.tls.is_some();
        let mut entrances = Self {
            addresses: main.iter().map(|(address, _)| *address).collect(),
            plain: beside.iter().map(|(address, _)| *address).collect(),
            listeners: Vec::new(),
        };
        for (address, all) in main {
            let entrance = if is_secure {
                Entrance::Tls(address.port())
            } else {
                Entrance::Plain
            };
            let all = all.into_iter().map(|(thread, listener)| (thread, listener, entrance));
            entrances.listeners.extend(all);
        }
        let entrance = if config.redirect && is_secure {
            Entrance::Redirect(port)
        } else {
            Entrance::Plain
        };
        for (_, all) in beside {
            let all = all.into_iter().map(|(thread, listener)| (thread, listener, entrance));
            entrances.listeners.extend(all);
        }
        Ok(entrances)
    }
}

/// Starts the threads, each with its listeners.
fn start_threads(core: &Arc<Core>, entrances: &Entrances, config: &Config) -> Result<Vec<JoinHandle<()>>, EdgeError> {
    let io = |doing| move |source| EdgeError::Io { doing, source };
    let allowed = system_unsafe::processors();
    let mut places = places(core.states.len(), config.tcp.pin, &allowed, &config.nodes);
    #[cfg(feature = "http3")]
    let (speaks, mut sockets) = Quic::start(core, &entrances.addresses)?;
    let mut running = Vec::new();
    for state in &core.states {
        let own = entrances
            .listeners
            .iter()
            .filter(|(thread, ..)| *thread == state.number);
        let own = own.map(|(_, listener, entrance)| Ok((listener.try_clone()?, *entrance)));
        let doors = Doors {
            listeners: own.collect::<std::io::Result<_>>().map_err(io("sharing a socket"))?,
            #[cfg(feature = "http3")]
            quic: sockets.remove(0),
            #[cfg(feature = "http3")]
            speaks: speaks.clone(),
            processors: places.get_mut(state.number).and_then(Option::take),
        };
        let state = Arc::clone(state);
        let name = format!("edge-{}", state.number);
        let spawned = std::thread::Builder::new().name(name).spawn(move || run(&state, doors));
        running.push(spawned.map_err(io("starting a thread"))?);
    }
    Ok(running)
}

impl Core {
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[cfg(feature = "http3")]
    pub(crate) const fn threads(&self) -> usize {
        self.states.len()
    }

    fn check_in_background(self: &Arc<Self>, unverified: Vec<Option<Unverified>>) -> Result<(), EdgeError> {
        let core = Arc::clone(self);
        let first: Vec<_> = core.shared.sites.iter().map(|site| site.build.load_full()).collect();
        let work = move || {
            // It takes all processors for a moment, and the first requests come before it.
            std::thread::sleep(CHECK_AFTER);
            for ((site, build), bodies) in core.shared.sites.iter().zip(first).zip(unverified) {
                let checked = bodies.map_or(Ok(()), Unverified::verify);
                match checked {
                    Ok(()) => build.set_checked(),
                    // A build that was replaced by now harms nobody.
                    Err(error) if Arc::ptr_eq(&build, &site.build.load()) => {
                        core.damage.lock().get_or_insert(error.into());
                    }
                    Err(_) => {}
                }
            }
        };
        let spawned = std::thread::Builder::new().name("edge-verify".to_owned()).spawn(work);
        spawned.map(drop).map_err(|source| EdgeError::Io {
            doing: "starting a thread",
            source,
        })
    }

    pub(crate) fn reload(&self, site: &str) -> Result<Reloaded, EdgeError> {
        let (old, new) = self.shared.sites.by_name(site)?.reload()?;
        let (Some(old), Some(new)) = (&old.pack, &new.pack) else {
            return Ok(Reloaded::default());
        };
        let found = diff(old, new);
        Ok(Reloaded {
            added: found.added,
            changed: found.changed,
            removed: found.removed,
            tags: found.tags,
        })
    }

    pub(crate) fn reload_all(&self) -> Vec<(String, Result<Reloaded, EdgeError>)> {
        let names: Vec<String> = self.shared.sites.iter().map(|site| site.name.clone()).collect();
        names
            .into_iter()
            .map(|name| (name.clone(), self.reload(&name)))
            .collect()
    }

    pub(crate) fn purge(&self, purge: &Purge) -> usize {
        self.shared.purge(purge)
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::sum(self.states.iter().map(|state| &state.metrics));
        let cache = self.shared.responses.stats();
        stats.certificates = self
            .shared
            .tls
            .as_ref()
            .map_or_else(Vec::new, |tls| tls.certificates.stats());
        stats.learning = self
            .shared
            .learning
            .as_ref()
            .map_or_else(Default::default, |learning| learning.counts.stats());
        let acme = self.shared.tls.as_ref().and_then(|tls| tls.acme.as_ref());
        (stats.certificates_fetched, stats.certificates_failed) = acme.map_or((0, 0), |acme| acme.figures());
        stats.log_dropped = self.shared.access.as_ref().map_or(0, |log| log.dropped());
        stats.cache_entries = cache.entries;
        stats.cache_bytes = cache.bytes;
        stats.cache_limit = cache.limit;
        stats.cache_evictions = cache.evictions;
        stats.tiers = self.shared.tiers.as_ref().map(Tiers::stats).unwrap_or_default();
        stats.outstanding = self.shared.sites.iter().map(|site| site.upstream.outstanding()).sum();
        stats.origins = self
            .shared
            .sites
            .iter()
            .flat_map(|site| site.upstream.origins())
            .collect();
        stats.workers = self.shared.sites.iter().map(|site| site.upstream.workers()).sum();
        stats
    }
}
