//! The thread that hears of purges.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::RedisResult;

use super::super::fault::FaultKind;
use super::Shared;
use super::log::read_message;

/// How long it waits for a message before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(200);

/// Hears of purges until the tier is dropped. A connection that ends is made anew.
pub(super) fn listen(shared: &Shared) {
    let mut pause = PATIENCE;
    while !shared.stopped.load(Ordering::Acquire) {
        if shared.resumed.load(Ordering::Acquire) {
            match session(shared) {
                Ok(()) => pause = PATIENCE,
                Err(error) => {
                    if !shared.server.breaker.is_open() {
                        shared
                            .faults
                            .note(FaultKind::Unreachable, || format!("purges are not heard: {error}"));
                    }
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        } else {
            pause = Duration::from_millis(5);
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && !shared.stopped.load(Ordering::Acquire) {
            std::thread::sleep(pause.min(PATIENCE / 4));
        }
    }
}

/// Hears over one connection.
fn session(shared: &Shared) -> RedisResult<()> {
    let mut connection = shared.server.connect()?;
    connection.set_write_timeout(Some(PATIENCE))?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut channel = connection.as_pubsub();
    channel.subscribe(&shared.keys.channel)?;
    // Only now: what is purged from here on is heard, and what was before is in the log.
    look(shared);
    let mut looked = Instant::now();
    while !shared.stopped.load(Ordering::Acquire) {
        match channel.get_message() {
            Ok(message) => {
                let (sequence, purge) = read_message(message.get_payload_bytes());
                if !shared.hear(sequence, purge) {
                    look(shared);
                    looked = Instant::now();
                }
            }
            Err(error) if error.is_timeout() => {}
            Err(error) => return Err(error),
        }
        // A channel that says nothing may be one that nobody hears: the number tells.
        if looked.elapsed() >= shared.config.heartbeat {
            if shared.server.breaker.is_open() {
                return Ok(());
            }
            look(shared);
            looked = Instant::now();
        }
    }
    Ok(())
}

fn look(shared: &Shared) {
    // A fault is counted where it happens, and the next look is soon.
    let _ = shared
        .server
        .ask_patiently(&shared.faults, |connection| shared.catch_up(connection));
}
