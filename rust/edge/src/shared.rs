//! What the edge's threads share, and what each has for itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hyperweb_cache::Coalescer;

use crate::admission::Admission;
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::responses::Responses;
use crate::site::Sites;
use crate::store::Stored;

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) sites: Sites,
    pub(crate) responses: Responses,
    pub(crate) flights: Coalescer<Arc<Stored>>,
    pub(crate) limits: Limits,
    pub(crate) admission: Admission,
    pub(crate) measures: bool,
    /// Set once, when no further request is to be begun.
    pub(crate) draining: AtomicBool,
}

/// What a thread has for itself.
pub(crate) struct ThreadState {
    pub(crate) shared: Arc<Shared>,
    /// Its number, which is its place in the pools of connections to workers.
    pub(crate) number: usize,
    pub(crate) metrics: Metrics,
}
