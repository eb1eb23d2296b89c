//! Latencies, counted in buckets whose widths are an eighth of what they hold (an HDR histogram, G. Tene).

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets to each power of two.
const PARTS: u64 = 8;
const PART_BITS: u32 = PARTS.trailing_zeros();
/// Up to 2³² microseconds, which is over an hour.
const BUCKETS: usize = 30 * 8;

/// The latencies of one thread, in microseconds. Only that thread writes them.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            sum: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, microseconds: u64) {
        if let Some(count) = self.counts.get(place(microseconds)) {
            super::metrics::add(count, 1);
        }
        super::metrics::add(&self.sum, microseconds);
    }
}

/// The latencies of all threads.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
    /// All of them together, in microseconds.
    pub(crate) sum: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            sum: 0,
        }
    }
}

impl Latencies {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
        self.sum = self.sum.wrapping_add(histogram.sum.load(Ordering::Relaxed));
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// So many of a hundred took no longer than this, in microseconds.
    pub(crate) fn quantile(&self, percent: u64) -> u64 {
        let total = self.total();
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if total > 0 && seen * 100 >= total * percent {
                return longest(bucket);
            }
        }
        0
    }

    /// How many took less than a power of two of microseconds.
    pub(crate) fn below(&self, power: u32) -> u64 {
        let end = place(1 << power);
        self.counts.iter().take(end).sum()
    }
}

/// The bucket of a latency. Those below [`PARTS`] have one each; of the others the first bits after the highest decide.
fn place(microseconds: u64) -> usize {
    let bits = u64::BITS - microseconds.leading_zeros();
    let Some(shift) = bits.checked_sub(PART_BITS + 1) else {
        return usize::try_from(microseconds).unwrap_or(0);
    };
    let part = (microseconds >> shift) - PARTS;
    let place = (u64::from(shift) + 1) * PARTS + part;
    usize::try_from(place).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest latency of a bucket.
fn longest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let Some(shift) = (bucket / PARTS).checked_sub(1) else {
        return bucket;
    };
    ((PARTS + bucket % PARTS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_within_an_eighth() {
        let histogram = Histogram::default();
        for microseconds in 1..=1000 {
            histogram.record(microseconds);
        }
        let mut all = Latencies::default();
        all.add(&histogram);
        assert_eq!((all.total(), all.sum), (1000, 500_500));
        assert!((500..=500 + 500 / 8).contains(&all.quantile(50)));
        assert!((990..=1023).contains(&all.quantile(99)));
        assert_eq!(all.below(3), 7);
        assert_eq!(all.below(9), 511);
        assert_eq!(all.below(20), 1000);
        assert_eq!(Latencies::default().quantile(50), 0);
    }

    proptest! {
        #[test]
        fn a_latency_is_in_the_bucket_that_ends_after_it(microseconds in 0u64..1 << 32) {
            let bucket = place(microseconds);
            prop_assert!(longest(bucket) >= microseconds);
            prop_assert!(bucket == 0 || longest(bucket - 1) < microseconds);
            prop_assert!(longest(bucket) <= microseconds + microseconds / 8);
        }

        #[test]
        fn none_is_too_long(microseconds: u64) {
            prop_assert!(place(microseconds) < BUCKETS);
        }
    }
}
