//! How long a flight may take, and what becomes of a failure.

use std::time::Duration;

/// Bounds on one flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlightLimits {
    /// How long one leads before another takes over; none is for ever. What the first makes is still taken, if it
    /// comes before the other's.
    pub age: Option<Duration>,
    /// How long one waits before it is told that it waited too long; none is for ever.
    pub wait: Option<Duration>,
    /// How many failures let the next one who waits try; one more is told to all. None tells the first.
    pub retries: u32,
}
