//! Times: one clock that never runs backwards, and the date as it is sent.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds of a clock that never runs backwards. It begins far from zero, so that ages can be taken off.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1 << 40)
}

struct Cached {
    second: u64,
    date: [u8; 29],
}

thread_local! {
    static CACHED: RefCell<Cached> = const { RefCell::new(Cached { second: 0, date: [0; 29] }) };
}

/// Gives the date of now as a header field has it (RFC 9110, section 5.6.7); made anew once a second.
pub(crate) fn with_date<T>(use_it: impl FnOnce(&[u8; 29]) -> T) -> T {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    CACHED.with(|cached| {
        let mut cached = cached.borrow_mut();
        if cached.second != second {
            let text = httpdate::fmt_http_date(now);
            if let Ok(bytes) = text.as_bytes().try_into() {
                *cached = Cached { second, date: bytes };
            }
        }
        use_it(&cached.date)
    })
}
