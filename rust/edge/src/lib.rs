//! The edge: answers what is packed or cached, and asks the workers for the rest.
//!
//! A connection begins on the direct path ([`direct`]), which answers plain requests for packed responses with one read
//! and one write. Everything else is handed, with the bytes already read, to hyper and the [`service`] behind it. Both
//! ask the same pure function, [`answer`], what to send.

#![forbid(unsafe_code)]

mod admin;
pub mod answer;
mod body;
mod clock;
mod conditional;
mod config;
mod connection;
mod direct;
mod edge;
mod error;
mod fetch;
mod fields;
mod framing;
mod head;
mod incoming;
mod metrics;
mod negotiate;
mod path;
mod policy;
mod purge;
mod range;
mod replay;
pub mod responses;
mod service;
mod shared;
mod site;
mod store;
mod stream;
mod thread;
mod upstream;
mod write;

pub use config::{Config, Limits, SiteConfig};
pub use edge::{Edge, Reloaded};
pub use error::EdgeError;
pub use metrics::Stats;
pub use purge::Purge;
