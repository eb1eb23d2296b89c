//! How the edge is set up.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::acme::AcmeConfig;
use crate::compression::Compression;
use crate::health::Breaker;
use crate::origin_tls::OriginTlsConfig;
use crate::sockets::Tcp;
use crate::tiers::TiersConfig;

/// There is room for so many header fields; a limit may be lower.
pub(crate) const MOST_FIELDS: usize = 128;

/// The edge's settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// Addresses to listen on, for TLS where that is set up; port 0 takes any that is free.
    pub listen: Vec<SocketAddr>,
    /// Where TLS is set up: addresses that are listened on for HTTP without it.
    #[serde(default)]
    pub plain: Vec<SocketAddr>,
    /// Whether who comes there is only sent to the first address with TLS.
    #[serde(default)]
    pub redirect: bool,
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// How TCP is spoken.
    #[serde(default)]
    pub tcp: Tcp,
    /// The processors of each node of memory, by which threads are placed.
    #[serde(default)]
    pub nodes: Vec<Vec<usize>>,
    /// Descriptors of sockets that this process was started with, which listen already.
    #[serde(default)]
    pub passed: Vec<i32>,
    /// Threads, each with a listener and a runtime of its own.
    pub threads: usize,
    /// The Unix socket for stats, purges and reloads.
    pub admin_socket: PathBuf,
    /// The address where the same is had over TCP, with the token.
    #[serde(default)]
    pub admin: Option<SocketAddr>,
    /// What a purge by the method PURGE, and the admin listener, have to be asked with.
    #[serde(default)]
    pub token: Option<String>,
    /// Bytes the cache of what Python made may hold; without it so many hundredths of the memory there is, which is
    /// followed. Where memory is short it holds less in any case.
    #[serde(default)]
    pub cache_bytes: Option<u64>,
    #[serde(default)]
    pub cache_share: Option<u8>,
    /// Tiers below memory.
    #[serde(default)]
    pub tiers: TiersConfig,
    /// Whether requests are counted.
    #[serde(default)]
    pub metrics: bool,
    /// Networks whose connections begin with a header of the PROXY protocol, which says whom they are from.
    #[serde(default)]
    pub proxies: Vec<String>,
    /// Who is believed about the requests that come by them.
    #[serde(default)]
    pub trusted: TrustedConfig,
    /// What of the responses of workers and origins is compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The access log.
    #[serde(default)]
    pub access: Option<AccessConfig>,
    #[serde(default)]
    pub limits: Limits,
    /// What is learned from navigations; none is nothing.
    #[serde(default)]
    pub learning: Option<LearningConfig>,
    /// The sites; the first answers hosts that none names.
    pub sites: Vec<SiteConfig>,
}

/// TLS.
#[derive(Debug, Clone, Deserialize)]
pub struct TlsConfig {
    /// The certificates; the first is used for names that none is for.
    #[serde(default)]
    pub certificates: Vec<CertificateConfig>,
    /// How the edge fetches certificates by itself.
    #[serde(default)]
    pub acme: Option<AcmeConfig>,
    /// Whether HTTP/3 is spoken too, by UDP on the same ports.
    #[serde(default)]
    pub http3: bool,
    /// The least version that is spoken.
    #[serde(default)]
    pub least: TlsVersion,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V12,
    #[serde(rename = "1.3")]
    V13,
}

/// Where a certificate is, and what for.
#[derive(Debug, Clone, Deserialize)]
pub struct CertificateConfig {
    /// The PEM file of the certificate, with those that lead to its issuer.
    pub cert: PathBuf,
    /// The PEM file of its private key.
    pub key: PathBuf,
    /// Host names it is used for; none is those it names itself.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A file with an OCSP response to staple (RFC 6066, section 8), in DER.
    #[serde(default)]
    pub ocsp: Option<PathBuf>,
    /// Whether it is one that the edge fetches, which may not be there yet.
    #[serde(skip)]
    pub(crate) awaited: bool,
}

impl CertificateConfig {
    /// One that the edge fetches for a host, with its key in the same file.
    pub(crate) fn kept(file: PathBuf, host: &str) -> Self {
        Self {
            cert: file.clone(),
            key: file,
            hosts: vec![host.to_owned()],
            ocsp: None,
            awaited: true,
        }
    }
}

/// The access log.
#[derive(Debug, Clone, Deserialize)]
pub struct AccessConfig {
    /// Its file, or `-` for standard output.
    pub path: PathBuf,
    pub form: LogForm,
    /// The share of requests that have a line, from nought to one.
    pub sample: f64,
}

/// Proxies that are believed about the requests they pass on.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TrustedConfig {
    /// Their networks.
    pub proxies: Vec<String>,
    /// What they say it by.
    pub field: TrustedField,
}

/// The fields by which proxies say whom a request is from, and what it was for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustedField {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    #[serde(rename = "x-forwarded")]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What is learned from navigations, and what for.
#[derive(Debug, Clone, Deserialize)]
pub struct LearningConfig {
    /// The folder where it outlives the edge.
    pub folder: PathBuf,
    /// How likely a page must be, from nought to one, for browsers to be told of it and the cache to be warmed with it.
    pub threshold: f64,
    /// Whether browsers are told.
    pub prefetch: bool,
    /// Of so many spans of ten minutes they are told nothing of a page in one, so that their steps can be counted; nought is
    /// none.
    pub control: u64,
    /// Whether they are told early what a page needs that takes a while.
    pub early_hints: bool,
    /// Whether likely pages are fetched into the cache, and after a restart those that were hot.
    pub warm: bool,
    /// How many in a second, at most.
    pub warm_rate: f64,
}

impl LearningConfig {
    /// The file of the model.
    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join("next-pages")
    }

    /// The file of the keys that are hot.
    pub(crate) fn hot(&self) -> PathBuf {
        self.folder.join("hot-pages")
    }
}

/// How a line of the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    Common,
    Combined,
    Json,
}

/// One site.
#[derive(Debug, Clone, Deserialize)]
pub struct SiteConfig {
    pub name: String,
    /// Host names it answers to; none is all the others.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Its packed build; without one everything is asked of its origins.
    #[serde(default)]
    pub pack: Option<PathBuf>,
    /// The folder with the files that are too large for the pack.
    #[serde(default)]
    pub files: PathBuf,
    /// Header fields added to what Python answers, where it does not set them itself.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// How long what is stale is used where nobody can be asked, in milliseconds.
    #[serde(default)]
    pub stale: u64,
    /// What its responses are made by, as a name: those that another version made are not used again. Without it none
    /// are but from memory.
    #[serde(default)]
    pub version: Option<String>,
    /// For how long browsers are told to come by TLS alone (RFC 6797), in seconds; nought does not tell them.
    #[serde(default)]
    pub hsts: u64,
    /// Says that those who are asked are origins, which others run, and how it is known that they are well.
    #[serde(default)]
    pub origins: Option<Health>,
    /// How TLS is spoken to them.
    #[serde(default)]
    pub origin_tls: OriginTlsConfig,
}

/// How it is known that origins are well.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Health {
    /// What all of them are asked for. Without it those that failed are tried with a connection.
    pub path: Option<String>,
    /// Time between two checks, in milliseconds.
    pub interval: u64,
    pub breaker: Breaker,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: None,
            interval: 2000,
            breaker: Breaker::default(),
        }
    }
}

/// Bounds on what a client may ask for. Times are in milliseconds, and zero connections are any number.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of the request target.
    pub target_bytes: usize,
    /// Bytes of the request line and all header fields.
    pub head_bytes: usize,
    /// Header fields of a request.
    pub fields: usize,
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// TLS handshakes at a time; those beyond wait for the time that one may take.
    pub handshakes: usize,
    /// How long a TLS handshake may take.
    pub handshake_time: u64,
    /// How long a head may take to arrive.
    pub head_time: u64,
    /// How long a client may send nothing of a body.
    pub body_time: u64,
    /// How long a connection may be idle.
    pub idle_time: u64,
    /// How long a client may take nothing of what it is sent.
    pub write_time: u64,
    /// How long a worker may take to begin its answer.
    pub worker_time: u64,
    /// How long nothing may pass over a `WebSocket`.
    pub tunnel_time: u64,
    /// How long a request waits for a worker when there is none.
    pub no_worker_time: u64,
    /// Connections at a time.
    pub connections: u64,
    /// Connections at a time of one address.
    pub address_connections: u64,
    /// Requests of a site at a time that workers or origins have, or that wait for one.
    pub outstanding: u64,
    /// Requests of one connection, after which it is closed.
    pub requests: u64,
    /// Variants of one address that are kept at a time.
    pub variants: u64,
    /// Streams of a connection of HTTP/2 at a time.
    pub streams: u32,
    /// Streams of a connection that its client resets within ten seconds, and those that its faults do in all.
    pub resets: u64,
    /// Frames of a connection within ten seconds that ask for nothing.
    pub control_frames: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: 8 << 10,
            head_bytes: 32 << 10,
            fields: MOST_FIELDS,
            body_bytes: 10 << 20,
            handshakes: 1000,
            handshake_time: 10_000,
            head_time: 15_000,
            body_time: 30_000,
            idle_time: 75_000,
            write_time: 60_000,
            worker_time: 60_000,
            tunnel_time: 600_000,
            no_worker_time: 5000,
            connections: 20_000,
            address_connections: 0,
            outstanding: 10_000,
            requests: 1_000_000,
            variants: 200,
            streams: 1000,
            resets: 400,
            control_frames: 2000,
        }
    }
}
