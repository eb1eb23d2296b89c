//! What is fuzzed: each function takes any bytes, and panics where something does not hold that must.
//!
//! `make fuzz` looks for such bytes. What was found to lead to different places lies in `corpus/NAME`, and the tests go
//! through all of it.

#![allow(clippy::missing_panics_doc, clippy::panic, reason = "to panic is what they are for")]

mod edge;
mod pages;
mod stored;

pub use edge::requests;
pub use hyperweb_edge::fuzzing::{frames, kept, policy, responses, values};
pub use pages::{html, markdown, svg, text};
pub use stored::{pack, record, router, warming};

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("frames", frames),
    ("html", html),
    ("kept", kept),
    ("markdown", markdown),
    ("pack", pack),
    ("policy", policy),
    ("record", record),
    ("requests", requests),
    ("responses", responses),
    ("router", router),
    ("svg", svg),
    ("text", text),
    ("values", values),
    ("warming", warming),
];
