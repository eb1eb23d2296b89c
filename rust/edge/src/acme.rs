//! Certificates that the edge fetches and renews by itself (RFC 8555), one for each host.
//!
//! What is there stays until what replaces it was found good: a failure of whatever kind costs nothing but a later try.

use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::sync::{Semaphore, watch};

use crate::acme_order::Orders;
use crate::acme_store::Store;
use crate::certificate::Certificate;
use crate::certificates::Certificates;
use crate::challenges::{Challenges, Proof};
use crate::error::EdgeError;
use crate::log::warn;
use crate::shared::Shared;

/// Hosts that certificates are fetched for at a time.
const AT_ONCE: usize = 4;
/// The longest time between two tries.
const MOST_PAUSE: Duration = Duration::from_hours(12);
/// The longest sleep: what the clock says may change meanwhile.
const NAP: Duration = Duration::from_hours(1);
/// How long a fetch may take in all.
const LONGEST: Duration = Duration::from_mins(5);
/// How often it is looked whether another who fetches is done.
const BEAT: Duration = Duration::from_millis(500);

/// How certificates are fetched.
#[derive(Debug, Clone, Deserialize)]
pub struct AcmeConfig {
    /// The hosts, each of which gets a certificate.
    pub domains: Vec<String>,
    /// Where the authority writes to, as URLs: `mailto:`.
    #[serde(default)]
    pub contact: Vec<String>,
    /// The address of the authority's directory.
    pub directory: String,
    /// A PEM file of whom the directory's own certificate is checked by, in place of the system's authorities.
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// The folder where accounts and certificates are kept.
    pub storage: PathBuf,
    /// How it is proved that a host is served here.
    pub proof: Proof,
    /// The pause after a first failure, in milliseconds.
    pub retry: u64,
}

/// What the edge needs to fetch certificates.
pub(crate) struct Acme {
    pub(crate) config: AcmeConfig,
    pub(crate) store: Store,
    pub(crate) challenges: Arc<Challenges>,
    orders: Orders,
    renewed: AtomicU64,
    failed: AtomicU64,
}

impl Acme {
    pub(crate) fn new(config: &AcmeConfig, challenges: Arc<Challenges>) -> Result<Self, EdgeError> {
        Ok(Self {
            store: Store::open(&config.storage, &config.directory)?,
            orders: Orders::new(config)?,
            config: config.clone(),
            challenges,
            renewed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// How many certificates were fetched, and how often that failed.
    pub(crate) fn figures(&self) -> (u64, u64) {
        (
            self.renewed.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }

    /// When a host's certificate is to be renewed; none is now.
    async fn due(&self, host: &str) -> Option<SystemTime> {
        let held = self.store.certificate(host)?;
        let planned = planned(&held);
        let wanted = self.orders.wanted(&self.store, &held).await;
        Some(wanted.map_or(planned, |wanted| wanted.min(last_call(&held))))
    }

    /// Fetches a host's certificate. False where another who shares the folder has done it.
    async fn renew(&self, host: &str, is_first: bool) -> Result<bool, String> {
        let before = self.store.certificate(host).map(|held| held.ends);
        let _held = loop {
            match self.store.lock() {
                Ok(Some(held)) => break held,
                Ok(None) => tokio::time::sleep(BEAT).await,
                Err(error) => return Err(error.to_string()),
            }
        };
        let held = self.store.certificate(host);
        if held.as_ref().is_some_and(|held| Some(held.ends) != before) {
            return Ok(false);
        }
        // A certificate that replaces another is told to be one, unless the authority did not like that.
        let replaced = held.as_ref().filter(|_| is_first);
        let (key, chain) = self.orders.fetch(self, host, replaced).await?;
        self.store.keep(host, &key, &chain).map_err(|error| error.to_string())?;
        Ok(true)
    }
}

/// Begins to keep the certificates young, on a thread of its own.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<(), EdgeError> {
    let Some(tls) = &shared.tls else { return Ok(()) };
    let Some(acme) = &tls.acme else { return Ok(()) };
    let failed = |source| EdgeError::Io {
        doing: "starting a thread",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (acme, certificates) = (Arc::clone(acme), Arc::clone(&tls.certificates));
    let draining = shared.drain.subscribe();
    let work = move || {
        runtime.block_on(async {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            let hosts = acme.config.domains.iter().map(|host| {
                let keeper = Keeper {
                    acme: Arc::clone(&acme),
                    certificates: Arc::clone(&certificates),
                    places: Arc::clone(&places),
                    host: host.clone(),
                };
                tokio::spawn(keeper.keep(draining.clone()))
            });
            for task in hosts.collect::<Vec<_>>() {
                // One that ends has nothing left to do.
                let _ = task.await;
            }
        });
    };
    let spawned = std::thread::Builder::new().name("edge-acme".to_owned()).spawn(work);
    spawned.map(drop).map_err(failed)
}

/// Keeps the certificate of one host young.
struct Keeper {
    acme: Arc<Acme>,
    certificates: Arc<Certificates>,
    places: Arc<Semaphore>,
    host: String,
}

impl Keeper {
    async fn keep(self, mut draining: watch::Receiver<bool>) {
        tokio::select! {
            () = self.work() => {}
            _ = draining.wait_for(|is_draining| *is_draining) => {}
        }
    }

    async fn work(&self) {
        let mut failures = 0;
        loop {
            if failures == 0 {
                while let Some(due) = self.acme.due(&self.host).await {
                    let Ok(left) = due.duration_since(SystemTime::now()) else {
                        break;
                    };
                    if left.is_zero() {
                        break;
                    }
                    tokio::time::sleep(left.min(NAP)).await;
                }
            } else {
                tokio::time::sleep(pause(self.acme.config.retry, failures)).await;
            }
            let Ok(_place) = self.places.acquire().await else {
                return;
            };
            let fetching = tokio::time::timeout(LONGEST, self.acme.renew(&self.host, failures == 0));
            let fetched = fetching.await.unwrap_or_else(|_| Err("it took too long".to_owned()));
            match fetched {
                Ok(is_ours) => {
                    self.take_up(is_ours);
                    failures = 0;
                    // One that is to be renewed at once, by a clock that is wrong, is not asked for without end.
                    tokio::time::sleep(pause(self.acme.config.retry, 1)).await;
                }
                Err(why) => {
                    failures += 1;
                    self.acme.failed.fetch_add(1, Ordering::Relaxed);
                    let now = if self.acme.store.certificate(&self.host).is_some() {
                        "the old one stays"
                    } else {
                        "there is none"
                    };
                    warn(&format!("no certificate for {} was fetched, {now}: {why}", self.host));
                }
            }
        }
    }

    fn take_up(&self, is_ours: bool) {
        if let Err(error) = self.certificates.reload() {
            // It is fetched all the same, and used once the others can be.
            warn(&format!("the certificates cannot be used, the old ones stay: {error}"));
        }
        if is_ours {
            self.acme.renewed.fetch_add(1, Ordering::Relaxed);
            warn(&format!("a certificate for {} was fetched and is used", self.host));
        }
    }
}

/// When two thirds of a certificate's time are over, but for a thirtieth less at most, which is another for each one:
/// those of one day are not renewed in one hour.
fn planned(held: &Certificate) -> SystemTime {
    let life = held.ends.duration_since(held.begins).unwrap_or_default();
    held.ends - life / 3 - (life / 30).mul_f64(held.lot())
}

/// The latest time a certificate is renewed at, whatever its authority says.
fn last_call(held: &Certificate) -> SystemTime {
    held.ends - held.ends.duration_since(held.begins).unwrap_or_default() / 6
}

/// How long to wait after so many failures in a row: twice as long after each, and a fifth more or less.
fn pause(first: u64, failures: u32) -> Duration {
    let doubled = first.saturating_mul(1 << (failures - 1).min(20));
    let random = std::hash::RandomState::new().hash_one(failures) % 400;
    let least = Duration::from_millis(doubled).min(MOST_PAUSE);
    least.mul_f64(0.8 + f64::from(u32::try_from(random).unwrap_or(0)) / 1000.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::CertificateConfig;
    use crate::self_signed::self_signed;

    #[test]
    fn a_certificate_is_renewed_before_its_last_third_and_not_with_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.pem");
        let mut moments = Vec::new();
        for _ in 0..8 {
            let (chain, key) = self_signed(&["one.example".to_owned()]).unwrap();
            std::fs::write(&file, key + &chain).unwrap();
            let held = Certificate::read(&CertificateConfig::kept(file.clone(), "one.example")).unwrap();
            let life = held.ends.duration_since(held.begins).unwrap();
            let share = planned(&held)
                .duration_since(held.begins)
                .unwrap()
                .div_duration_f64(life);
            assert!((0.63..=0.667).contains(&share), "{share}");
            assert!(planned(&held) < last_call(&held) && last_call(&held) < held.ends);
            moments.push(planned(&held));
        }
        moments.sort();
        moments.dedup();
        assert!(moments.len() > 4, "they are spread");
    }

    #[test]
    fn failures_make_pauses_longer_up_to_half_a_day() {
        for (failures, least, most) in [(1, 48, 72), (2, 96, 144), (5, 768, 1152), (30, 34_560, 51_840)] {
            let pause = pause(60_000, failures);
            assert!((least..=most).contains(&pause.as_secs()), "{failures}: {pause:?}");
        }
    }
}
