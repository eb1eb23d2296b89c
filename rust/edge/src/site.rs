//! The sites of the edge.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::header::{ALT_SVC, STRICT_TRANSPORT_SECURITY};
use hyperweb_pack::{Pack, Unverified};
use hyperweb_router::Router;

use crate::answer::{Answer, answer, not_found};
use crate::config::SiteConfig;
use crate::error::EdgeError;
use crate::head::Head;
use crate::path::{Target, as_it_stands, target};
use crate::upstream::Upstream;

/// A site.
pub(crate) struct Site {
    pub(crate) name: String,
    hosts: Vec<String>,
    pack_file: Option<PathBuf>,
    /// The folder with the files that are too large for the pack.
    pub(crate) files: PathBuf,
    pub(crate) headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The build that is served. Who answers a request holds on to the one it began with.
    pub(crate) build: ArcSwap<Build>,
    pub(crate) upstream: Upstream,
    /// What its responses are made by; none while that is changing.
    version: ArcSwapOption<String>,
    /// How long what is stale is used where nobody can be asked, in milliseconds.
    pub(crate) stale: u64,
    /// What browsers are told over TLS: to come so always (RFC 6797), and where there is HTTP/3 (RFC 7838).
    told: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The same as HTTP/1.1 has it.
    told_lines: &'static [u8],
}

/// A build of a site.
pub(crate) struct Build {
    /// None where there is no build, and all is asked of the site's origins.
    pub(crate) pack: Option<Pack>,
    router: Option<Router>,
    /// Whether the bodies have been checked, all of them.
    is_checked: AtomicBool,
}

impl Build {
    fn new(pack: Option<Pack>) -> Result<Self, EdgeError> {
        let routes = pack.as_ref().map(Pack::router).filter(|routes| !routes.is_empty());
        Ok(Self {
            router: routes.map(Router::from_bytes).transpose()?,
            pack,
            is_checked: AtomicBool::new(false),
        })
    }

    /// Says that all bodies have been checked, and none is damaged.
    pub(crate) fn set_checked(&self) {
        self.is_checked.store(true, Ordering::Relaxed);
    }

    /// Whether an answer may be sent. Before all bodies have been checked, its own is.
    pub(crate) fn may_send(&self, answer: &Answer<'_>) -> bool {
        self.is_checked.load(Ordering::Relaxed)
            || match answer {
                Answer::Whole { variant, .. } | Answer::Part { variant, .. } => variant.is_sound(),
                _ => true,
            }
    }

    /// Whether anything is made at run time.
    pub(crate) fn has_routes(&self) -> bool {
        self.pack.is_none() || self.router.is_some()
    }

    /// Whether what a target names is made at run time.
    pub(crate) fn has_route(&self, target: &Target<'_>) -> bool {
        let routed = |router: &Router| {
            let mut params = hyperweb_router::Params::new();
            router.find(target.raw, &mut params).is_some()
        };
        self.pack.is_none() || self.router.as_ref().is_some_and(routed)
    }

    /// Whether a decoded path is in the pack, to be sent with 200.
    pub(crate) fn has(&self, path: &str) -> bool {
        let entry = self.pack.as_ref().and_then(|pack| pack.get(path.as_bytes()));
        entry.is_some_and(|entry| entry.status() == 200)
    }

    /// What to send for a target.
    pub(crate) fn answer(&self, target: &Target<'_>, head: &Head<'_>) -> Answer<'_> {
        self.pack
            .as_ref()
            .map_or(Answer::Missing, |pack| answer(pack, target, head))
    }

    /// What to send where there is nothing.
    pub(crate) fn not_found(&self, head: &Head<'_>) -> Option<Answer<'_>> {
        not_found(self.pack.as_ref()?, head)
    }
}

impl Site {
    /// Opens a site, and returns with it what is still to be checked of its pack.
    fn open(config: &SiteConfig, threads: usize, http3: Option<u16>) -> Result<(Self, Option<Unverified>), EdgeError> {
        let (told, told_lines) = told(config.hsts, http3);
        let opened = config.pack.as_deref().map(Pack::open_deferred).transpose()?;
        let (pack, bodies) = opened.unzip();
        let headers = config.headers.iter().map(|(name, value)| {
            let bad = || EdgeError::Config(format!("the header {name}: {value} of {} is not valid", config.name));
            let checked: Result<(http::HeaderName, http::HeaderValue), EdgeError> = Ok((
                name.to_ascii_lowercase().parse().map_err(|_| bad())?,
                value.parse().map_err(|_| bad())?,
            ));
            checked?;
            // Static texts have no counts that all threads would write for each response. A site is opened once.
            let (name, value) = (name.to_ascii_lowercase().leak(), value.clone().leak());
            Ok((
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            ))
        });
        let site = Self {
            name: config.name.clone(),
            hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            pack_file: config.pack.clone(),
            files: config.files.clone(),
            headers: headers.collect::<Result<_, EdgeError>>()?,
            build: ArcSwap::from_pointee(Build::new(pack)?),
            stale: config.stale,
            version: ArcSwapOption::from_pointee(config.version.clone()),
            told,
            told_lines,
            upstream: Upstream::new(threads, config.origins.clone(), config.origin_tls.clone()),
        };
        Ok((site, bodies))
    }

    /// Whether all of it is made by others: there is no build of it here.
    pub(crate) fn is_origin(&self) -> bool {
        self.pack_file.is_none()
    }

    /// Says in a response that goes over TLS that browsers are to come so always (RFC 6797, section 7.2), and where there
    /// is HTTP/3.
    pub(crate) fn secured(&self, headers: &mut http::HeaderMap) {
        for (name, value) in &self.told {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }

    /// The same as a line of HTTP/1.1, or nothing.
    pub(crate) fn secured_line(&self) -> &'static [u8] {
        self.told_lines
    }

    /// Takes a request target apart. An origin may give what is encoded in a path a meaning of its own, so it is asked for
    /// paths as they stand.
    pub(crate) fn target<'a>(&self, text: &'a str) -> Option<Target<'a>> {
        if self.is_origin() {
            as_it_stands(text)
        } else {
            target(text)
        }
    }

    /// What its responses are made by; none while that is changing.
    pub(crate) fn version(&self) -> Option<Arc<String>> {
        self.version.load_full()
    }

    /// Says what its responses are made by from now on, once none that another made is kept.
    pub(crate) fn set_version(&self, version: String) {
        self.version.store(Some(Arc::new(version)));
    }

    /// Takes up the build that stands at the pack's place, and returns the one before with it. One that is damaged is
    /// refused, and the one before stays. From here on it has no version: old workers may still answer.
    pub(crate) fn reload(&self) -> Result<(Arc<Build>, Arc<Build>), EdgeError> {
        let pack = self.pack_file.as_deref().map(Pack::open).transpose()?;
        let new = Arc::new(Build::new(pack)?);
        new.set_checked();
        self.version.store(None);
        let old = self.build.swap(Arc::clone(&new));
        Ok((old, new))
    }
}

/// For how long browsers remember that there is HTTP/3, in seconds.
const REMEMBERED: u32 = 86_400;

fn told(hsts: u64, http3: Option<u16>) -> (Vec<(http::HeaderName, http::HeaderValue)>, &'static [u8]) {
    let hsts = (hsts > 0).then(|| (STRICT_TRANSPORT_SECURITY, format!("max-age={hsts}")));
    let http3 = http3.map(|port| (ALT_SVC, format!("h3=\":{port}\"; ma={REMEMBERED}")));
    let all: Vec<_> = hsts.into_iter().chain(http3).collect();
    let mut lines = Vec::new();
    for (name, text) in &all {
        lines.extend([name.as_str(), ": ", text, "\r\n"].concat().into_bytes());
    }
    // A site is opened once.
    let fields = all
        .into_iter()
        .map(|(name, text)| (name, http::HeaderValue::from_static(text.leak())));
    (fields.collect(), lines.leak())
}

/// All sites, found by host.
pub(crate) struct Sites {
    all: Vec<Arc<Site>>,
    first: Arc<Site>,
}

impl Sites {
    /// Opens the sites, and returns with them what is still to be checked of their packs, in their order.
    pub(crate) fn open(
        configs: &[SiteConfig],
        threads: usize,
        http3: Option<u16>,
    ) -> Result<(Self, Vec<Option<Unverified>>), EdgeError> {
        let opened = configs
            .iter()
            .map(|config| Site::open(config, threads, http3))
            .collect::<Result<Vec<_>, _>>()?;
        let (all, unverified): (Vec<_>, Vec<_>) = opened
            .into_iter()
            .map(|(site, bodies)| (Arc::new(site), bodies))
            .unzip();
        let first = all
            .first()
            .cloned()
            .ok_or_else(|| EdgeError::Config("there is no site to serve".to_owned()))?;
        Ok((Self { all, first }, unverified))
    }

    /// The site that names a host; else the first that names none; else the first.
    pub(crate) fn find(&self, host: &str) -> &Arc<Site> {
        if self.all.len() == 1 {
            return &self.first;
        }
        let bare = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.contains(']') { host } else { name });
        let named = self
            .all
            .iter()
            .find(|site| site.hosts.iter().any(|one| one.eq_ignore_ascii_case(bare)));
        named
            .or_else(|| self.all.iter().find(|site| site.hosts.is_empty()))
            .unwrap_or(&self.first)
    }

    pub(crate) fn by_name(&self, name: &str) -> Result<&Arc<Site>, EdgeError> {
        self.all
            .iter()
            .find(|site| site.name == name)
            .ok_or_else(|| EdgeError::NoSite(name.to_owned()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.all.iter()
    }
}
