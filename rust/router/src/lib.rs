//! Path patterns to route ids.
//!
//! A [`RouteTable`] collects patterns such as `/posts/{slug}` and compiles them to a flat binary form; a [`Router`]
//! answers from that form without parsing it first and without allocating. A literal segment wins over a constrained
//! parameter, that over a plain one, that over the rest of the path; where the better choice leads nowhere the next is
//! tried.

#![forbid(unsafe_code)]

mod error;
mod flat;
mod params;
mod pattern;
mod router;
mod table;

pub use error::RouterError;
pub use params::{MAX_PARAMS, Params};
pub use router::Router;
pub use table::RouteTable;
