//! The edge: answers what is packed or cached, and asks the workers for the rest.
//!
//! A connection begins on the direct path ([`direct`]), which answers plain requests for packed responses with one read
//! and one write. All other requests of HTTP/1.1 are read by the same parser and answered by the [`service`], as are those
//! of HTTP/2, which hyper reads. All ask the same pure function, [`answer`], what to send.

#![forbid(unsafe_code)]

mod access;
mod admin;
mod admission;
pub mod answer;
mod asked;
mod body;
mod certificate;
mod certificates;
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
mod identity;
mod incoming;
mod learning;
mod log;
mod metrics;
mod navigation;
mod negotiate;
mod network;
mod next_page;
mod outgoing;
mod parts;
mod path;
mod peer;
mod plain;
mod policy;
mod prometheus;
mod proxy;
mod purge;
mod range;
mod ranged;
mod redirect;
mod refusal;
mod replay;
mod request;
pub mod responses;
mod self_signed;
mod service;
mod shared;
mod site;
mod store;
mod stream;
mod streams;
mod thread;
mod tiers;
mod timed;
mod tls;
mod tunnel;
mod upload;
mod upstream;
mod visit;
mod warmer;
mod write;

pub use certificates::CertificateStats;
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
pub use purge::Purge;
pub use refusal::Refused;
pub use self_signed::self_signed;
pub use tiers::{DiskConfig, ServerConfig, TiersConfig};
