//! What the tests of tiers share.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part of it, and a test that cannot be set up has failed"
)]

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyperweb_cache::tiers::{Fault, FaultSink, Record, Stamp, Tags, Tier, Times, wall_clock};

/// A record that lives for a minute, made now as far as a tier knows.
pub(crate) fn record(tier: &dyn Tier, key: &str, value: impl Into<Bytes>, tags: &[&str]) -> Record {
    let mut stamp = Stamp::default();
    stamp.set(tier.slot(), tier.generation());
    stamped(stamp, key, value, tags)
}

pub(crate) fn stamped(stamp: Stamp, key: &str, value: impl Into<Bytes>, tags: &[&str]) -> Record {
    let now = wall_clock();
    let times = Times {
        fresh_until: now + 30_000,
        dead_at: now + 60_000,
    };
    let key = Bytes::copy_from_slice(key.as_bytes());
    Record::new(key, value.into(), Tags::new(tags.iter().copied()), times, stamp)
}

pub(crate) fn write(tier: &dyn Tier, records: &[Record]) {
    tier.write(records, wall_clock(), &mut |_| ());
}

pub(crate) fn read(tier: &dyn Tier, key: &str) -> Option<Record> {
    tier.get(key.as_bytes(), wall_clock())
}

/// Bytes that no compressor and no eye takes for others.
pub(crate) fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}

/// A sink that keeps what it is told.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Fault>>>);

impl Told {
    pub(crate) fn sink(&self) -> FaultSink {
        let told = self.clone();
        Arc::new(move |fault| told.0.lock().unwrap().push(fault.clone()))
    }

    pub(crate) fn all(&self) -> Vec<Fault> {
        self.0.lock().unwrap().clone()
    }
}

/// Waits until something holds; it must within ten seconds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "it did not come to pass: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a program is there. Where it must be (in continuous integration), its absence is a failure.
pub(crate) fn has_program(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    assert!(
        found || std::env::var_os("HYPERWEB_REQUIRE_PROGRAMS").is_none(),
        "needs {name}; install it with tools/need.sh {name}"
    );
    if !found {
        eprintln!("skipped: needs {name}; install it with tools/need.sh {name}");
    }
    found
}

/// Sends a process a signal by its name.
pub(crate) fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), process.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(sent.success());
}

/// A Redis of one's own on a free port. It ends when dropped.
pub(crate) struct Redis {
    process: Child,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Option<Self> {
        has_program("redis-server").then(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let port = free_port();
            let process = Self::run(port, folder.path());
            let redis = Self { process, port, folder };
            redis.wait();
            redis
        })
    }

    fn run(port: u16, folder: &std::path::Path) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server runs")
    }

    fn wait(&self) {
        eventually("Redis answers", || {
            redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
                .is_ok()
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("a connection")
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it is killed");
        self.process.wait().expect("it is gone");
    }

    /// Starts it again on the same port, with nothing in it.
    pub(crate) fn restart(&mut self) {
        self.process = Self::run(self.port, self.folder.path());
        self.wait();
    }

    pub(crate) fn stop(&self) {
        signal(&self.process, "STOP");
    }

    pub(crate) fn go_on(&self) {
        signal(&self.process, "CONT");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
