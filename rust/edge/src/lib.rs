//! The edge: answers what is packed or cached, and asks the workers for the rest.
//!
//! A connection begins on the direct path ([`direct`]), which answers plain requests for packed responses with one read
//! and one write. All other requests of HTTP/1.1 are read by the same parser and answered by the [`service`], as are those
//! of HTTP/2, which hyper reads. All ask the same pure function, [`answer`], what to send.

#![deny(unsafe_code)]

mod access;
mod acme;
mod acme_http;
mod acme_order;
mod acme_store;
mod admin;
mod admission;
pub mod answer;
mod asked;
mod body;
mod certificate;
mod certificates;
mod challenges;
mod check;
mod client;
mod clock;
mod codings;
mod compression;
mod conditional;
mod config;
mod connection;
mod direct;
mod early;
mod edge;
mod encoder;
mod error;
mod exchange;
mod fetch;
mod fields;
mod form;
mod forwarded;
mod found;
mod frames;
mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod handshake;
mod head;
mod health;
mod hints;
mod histogram;
mod hot;
mod http1;
mod http2;
mod http2_stream;
#[cfg(feature = "http3")]
mod http3;
#[cfg(feature = "http3")]
mod http3_frames;
#[cfg(feature = "http3")]
mod http3_guard;
#[cfg(feature = "http3")]
mod http3_stream;
mod identity;
mod incoming;
mod interim;
mod learning;
mod log;
mod making;
mod metrics;
mod navigation;
mod negotiate;
mod network;
mod next_page;
mod origin_tls;
mod outgoing;
mod parts;
mod path;
mod peer;
mod placement;
mod plain;
mod policy;
mod prometheus;
mod proxy;
mod purge;
#[cfg(feature = "http3")]
mod qpack;
#[cfg(feature = "http3")]
mod quic;
mod range;
mod ranged;
mod redirect;
mod refusal;
mod replay;
mod request;
pub mod responses;
mod self_signed;
mod sent_file;
mod service;
mod shared;
mod site;
mod sockets;
mod spare;
mod store;
mod stream;
mod streams;
#[expect(unsafe_code, reason = "system calls")]
mod system_unsafe;
mod thread;
mod tiers;
mod timed;
mod tls;
mod trust;
mod tunnel;
mod unsent;
mod upload;
mod upstream;
mod visit;
mod warmer;
mod write;

pub use acme::AcmeConfig;
pub use certificates::CertificateStats;
pub use challenges::Proof;
pub use compression::Compression;
pub use config::{
    AccessConfig, CertificateConfig, Config, Health, LearningConfig, Limits, LogForm, SiteConfig, TlsConfig,
    TlsVersion, TrustedConfig, TrustedField,
};
pub use edge::{Edge, Reloaded};
pub use error::EdgeError;
pub use health::Breaker;
pub use learning::LearningStats;
pub use metrics::{OriginStats, Stats, TierFigures};
pub use origin_tls::OriginTlsConfig;
pub use purge::Purge;
pub use refusal::Refused;
pub use self_signed::self_signed;
pub use sockets::Tcp;
pub use tiers::{DiskConfig, ServerConfig, TiersConfig};
