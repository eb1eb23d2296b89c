//! The certificates of all hosts, which change while the edge runs.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Serialize;

use crate::certificate::Certificate;
use crate::challenges::{ACME_TLS, Challenges};
use crate::config::CertificateConfig;
use crate::error::EdgeError;
use crate::log::warn;

/// How often it is looked whether the files changed.
const BEAT: Duration = Duration::from_secs(1);

/// A certificate among the figures.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateStats {
    /// The host names it is used for.
    pub names: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// What is used now.
#[derive(Debug)]
struct Set {
    all: Vec<Certificate>,
    /// The places in `all` of those for a name: one may have an RSA key, and another an ECDSA key.
    by_name: HashMap<String, Vec<usize>>,
}

/// The certificates, read from files.
pub(crate) struct Certificates {
    configs: Vec<CertificateConfig>,
    /// What authorities that look are answered.
    challenges: Arc<Challenges>,
    set: ArcSwap<Set>,
    /// What the files were when they were last read.
    read: Mutex<Vec<Stamp>>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(u64, u64, i64, i64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let found = fs::metadata(path).ok();
        Self(found.map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec())))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Certificates")
            .field("configs", &self.configs)
            .finish_non_exhaustive()
    }
}

impl Set {
    fn read(configs: &[CertificateConfig]) -> Result<Self, EdgeError> {
        let mut all = Vec::new();
        for config in configs {
            match Certificate::read(config) {
                Ok(one) => all.push(one),
                // It is fetched, or fetched anew.
                Err(_) if config.awaited && !config.cert.exists() => {}
                Err(error) if config.awaited => warn(&format!("{error}\n  it is fetched anew")),
                Err(error) => return Err(error),
            }
        }
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, one) in all.iter().enumerate() {
            for name in &one.names {
                by_name.entry(name.clone()).or_default().push(number);
            }
        }
        Ok(Self { all, by_name })
    }

    /// Those for a host: by its name, else by the wildcard it is of, else the first of all.
    fn for_host(&self, host: Option<&str>) -> &[usize] {
        let found = host.and_then(|host| {
            self.by_name.get(host).or_else(|| {
                let (_, rest) = host.split_once('.')?;
                self.by_name.get(&format!("*.{rest}"))
            })
        });
        found.map_or(&[0], Vec::as_slice)
    }
}

impl Certificates {
    /// Reads them all.
    pub(crate) fn read(configs: &[CertificateConfig], challenges: Arc<Challenges>) -> Result<Arc<Self>, EdgeError> {
        if configs.is_empty() {
            return Err(EdgeError::Config("TLS has no certificate".to_owned()));
        }
        let stamps = stamps(configs);
        let made = Self {
            set: ArcSwap::from_pointee(Set::read(configs)?),
            configs: configs.to_vec(),
            challenges,
            read: Mutex::new(stamps),
        };
        made.tell();
        Ok(Arc::new(made))
    }

    /// Reads them anew. Where one cannot be used, all stay what they were. Connections keep what they began with.
    pub(crate) fn reload(&self) -> Result<(), EdgeError> {
        *self.read.lock() = stamps(&self.configs);
        self.set.store(Arc::new(Set::read(&self.configs)?));
        self.tell();
        Ok(())
    }

    /// Looks from time to time whether the files changed, on a thread of its own, until nobody uses them.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<(), EdgeError> {
        let watched = Arc::downgrade(self);
        let spawned = std::thread::Builder::new()
            .name("edge-tls".to_owned())
            .spawn(move || look(&watched));
        spawned.map(drop).map_err(|source| EdgeError::Io {
            doing: "starting a thread",
            source,
        })
    }

    /// Whether a connection that was made for a host may be asked for another: a certificate is for both, or none is for
    /// the other but the one that is for all the rest.
    pub(crate) fn serve_both(&self, name: &str, host: &str) -> bool {
        let bare = host
            .rsplit_once(':')
            .map_or(host, |(bare, port)| if port.contains(']') { host } else { bare });
        if bare.eq_ignore_ascii_case(name) {
            return true;
        }
        let set = self.set.load();
        let ours = set.for_host(Some(name));
        let theirs = set.for_host(Some(&bare.to_ascii_lowercase()));
        theirs.iter().any(|at| ours.contains(at))
    }

    pub(crate) fn stats(&self) -> Vec<CertificateStats> {
        let stats = |one: &Certificate| CertificateStats {
            names: one.names.clone(),
            expires: one
                .ends
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |ends| ends.as_secs()),
        };
        self.set.load().all.iter().map(stats).collect()
    }

    fn tell(&self) {
        let now = SystemTime::now();
        for warning in self.set.load().all.iter().filter_map(|one| one.warning(now)) {
            warn(&warning);
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_challenge = hello.alpn().is_some_and(|mut names| names.any(|name| name == ACME_TLS));
        if is_challenge {
            return self.challenges.certificate(hello.server_name()?);
        }
        let set = self.set.load();
        let mut found = set
            .for_host(hello.server_name())
            .iter()
            .filter_map(|at| set.all.get(*at));
        let first = found.clone().next();
        let usable = found.find(|one| one.key.key.choose_scheme(hello.signature_schemes()).is_some());
        usable.or(first).map(|one| Arc::clone(&one.key))
    }
}

fn stamps(configs: &[CertificateConfig]) -> Vec<Stamp> {
    let files = configs
        .iter()
        .flat_map(|one| [Some(&one.cert), Some(&one.key), one.ocsp.as_ref()]);
    files.flatten().map(|file| Stamp::of(file)).collect()
}

fn look(watched: &Weak<Certificates>) {
    let mut before = None;
    loop {
        std::thread::sleep(BEAT);
        let Some(certificates) = watched.upgrade() else { return };
        let now = stamps(&certificates.configs);
        // Who writes a certificate writes its key too: they are read once both have been left alone for a beat.
        let is_settled = before.as_ref() == Some(&now);
        if is_settled && *certificates.read.lock() != now {
            match certificates.reload() {
                Ok(()) => warn("the certificates changed and are used anew"),
                Err(error) => warn(&format!(
                    "the certificates changed and cannot be used, the old ones stay: {error}"
                )),
            }
        }
        before = Some(now);
    }
}
