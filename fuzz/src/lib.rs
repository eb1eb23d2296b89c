//! What is fuzzed: each function takes any bytes, and panics where something does not hold that must.
//!
//! `cargo +nightly fuzz run NAME` looks for such bytes; a target's program, compiled without the fuzzer, takes files with
//! them. What was found to lead to different places lies in `corpus/NAME`, and the tests go through all of it.

#![allow(clippy::missing_panics_doc, clippy::panic, reason = "to panic is what they are for")]

mod edge;
mod pages;
mod stored;

use std::path::Path;

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

/// Runs a target on the files that the command line names.
pub fn replay(target: Target) {
    for path in std::env::args_os().skip(1) {
        match std::fs::read(Path::new(&path)) {
            Ok(data) => target(&data),
            Err(error) => eprintln!("{}: {error}", Path::new(&path).display()),
        }
    }
}
