//! How joins end.

use std::iter::Sum;
use std::ops::AddAssign;

/// Joins by how they ended, and leads by what was odd about their end, since the coalescer was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Found nobody at work and led.
    pub led: u64,
    /// Waited, and were given the value.
    pub shared: u64,
    /// Waited, and lead after the one before them was dropped or failed.
    pub handed_over: u64,
    /// Lead because the one before them was beyond the age limit.
    pub taken_over: u64,
    /// Waited, and were told of the failure.
    pub failed: u64,
    /// Waited, and were let go because the value cannot be shared.
    pub uncacheable: u64,
    /// Waited longer than their limit.
    pub timed_out: u64,
    /// Left while they waited.
    pub cancelled: u64,
    /// Leads that ended without a word when nobody waited.
    pub abandoned: u64,
    /// Leads that ended after another had taken over or settled the flight.
    pub late: u64,
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.led += other.led;
        self.shared += other.shared;
        self.handed_over += other.handed_over;
        self.taken_over += other.taken_over;
        self.failed += other.failed;
        self.uncacheable += other.uncacheable;
        self.timed_out += other.timed_out;
        self.cancelled += other.cancelled;
        self.abandoned += other.abandoned;
        self.late += other.late;
    }
}

impl Sum for Outcomes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}
