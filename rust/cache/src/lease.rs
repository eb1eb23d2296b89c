//! Until when an entry may be used, in eight bytes that change at once.
//!
//! The low 42 bits are the time it stays fresh until, in milliseconds (good until the year 2109 of the Unix clock); the
//! high 22 bits are the grace after that, as 18 bits shifted left by twice the other four. A grace of up to 262 seconds
//! is exact, a longer one is rounded down by less than one part in 65,000.

const FRESH_BITS: u32 = 42;
const FRESH_MAX: u64 = (1 << FRESH_BITS) - 1;
const GRACE_BITS: u32 = 18;
const GRACE_MAX: u64 = (1 << GRACE_BITS) - 1;
const SHIFT_MAX: u64 = 15;

/// A time until which an entry is fresh, and a grace after it. Milliseconds of the caller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease(u64);

impl Lease {
    /// Times past what can be told are for ever.
    pub(crate) fn new(fresh_until: u64, grace: u64) -> Self {
        let mut shift = 0;
        while shift < SHIFT_MAX && grace >> (2 * shift) > GRACE_MAX {
            shift += 1;
        }
        let grace = (grace >> (2 * shift)).min(GRACE_MAX);
        Self(fresh_until.min(FRESH_MAX) | (grace | shift << GRACE_BITS) << FRESH_BITS)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn fresh_until(self) -> u64 {
        let fresh = self.0 & FRESH_MAX;
        if fresh == FRESH_MAX { u64::MAX } else { fresh }
    }

    pub(crate) const fn is_fresh(self, now: u64) -> bool {
        now < self.0 & FRESH_MAX || self.0 & FRESH_MAX == FRESH_MAX
    }

    pub(crate) const fn grace(self) -> u64 {
        let grace = self.0 >> FRESH_BITS;
        (grace & GRACE_MAX) << (2 * (grace >> GRACE_BITS))
    }

    /// When it may no longer be used at all.
    pub(crate) const fn dead_at(self) -> u64 {
        self.fresh_until().saturating_add(self.grace())
    }

    /// A lease that ends no later than either, in both of its parts.
    #[inline]
    pub(crate) fn least(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let fresh_until = self.fresh_until().min(other.fresh_until());
        let dead_at = self.dead_at().min(other.dead_at());
        if fresh_until == self.fresh_until() && dead_at == self.dead_at() {
            return self;
        }
        if fresh_until == other.fresh_until() && dead_at == other.dead_at() {
            return other;
        }
        Self::new(fresh_until, dead_at.saturating_sub(fresh_until))
    }

    /// The same grace, counted from `now` where it was to be fresh for longer.
    pub(crate) fn softened(self, now: u64) -> Self {
        Self(self.0 & !FRESH_MAX | (self.0 & FRESH_MAX).min(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_for_ever_stays_so_until_it_is_softened() {
        let lease = Lease::new(u64::MAX, 0);
        assert_eq!((lease.fresh_until(), lease.dead_at()), (u64::MAX, u64::MAX));
        assert!(lease.is_fresh(u64::MAX - 1));
        assert_eq!(Lease::new(u64::MAX, 50).softened(1000).dead_at(), 1050);
    }

    proptest! {
        #[test]
        fn the_least_of_two_outlasts_neither(one in (0u64..FRESH_MAX + 9, 0u64..1 << 47), other in (0u64..FRESH_MAX + 9, 0u64..1 << 47)) {
            let (one, other) = (Lease::new(one.0, one.1), Lease::new(other.0, other.1));
            let least = one.least(other);
            prop_assert_eq!(least.fresh_until(), one.fresh_until().min(other.fresh_until()));
            prop_assert!(least.dead_at() <= one.dead_at().min(other.dead_at()));
            prop_assert_eq!(one.least(one), one);
        }

        #[test]
        fn times_come_back(fresh in 0u64..FRESH_MAX, grace in 0u64..1 << 47) {
            let lease = Lease::new(fresh, grace);
            prop_assert_eq!(lease.fresh_until(), fresh);
            prop_assert!(lease.grace() <= grace && grace - lease.grace() <= grace / 65_000);
            prop_assert!(grace > GRACE_MAX || lease.grace() == grace);
            prop_assert_eq!(Lease::from_bits(lease.bits()), lease);
        }
    }
}
