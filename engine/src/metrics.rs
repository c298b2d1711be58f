//! What the database counts and times. Counting never makes threads wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::blocks::lease::thread_slot;

const STRIPES: usize = 16;

/// A counter with a cache line for each of several threads.
#[derive(Debug, Default)]
pub(crate) struct Counter([CachePadded<AtomicU64>; STRIPES]);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, n: u64) -> u64 {
        match self.0.get(thread_slot() % STRIPES) {
            Some(stripe) => stripe.fetch_add(n, Ordering::Relaxed),
            None => 0,
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.load(Ordering::Relaxed)).sum()
    }
}

/// Buckets for each doubling: values are known to one part in eight.
const STEPS: usize = 8;
const BUCKETS: usize = 62 * STEPS;

/// A histogram of durations, log-linear as HdrHistogram's.
#[derive(Debug)]
pub(crate) struct Histogram(Box<[AtomicU64]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let exponent = nanos.ilog2() as usize;
    let step = (nanos >> (exponent - 3)) as usize & (STEPS - 1);
    ((exponent - 2) * STEPS + step).min(BUCKETS - 1)
}

/// The largest duration that falls into a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (exponent, step) = (bucket / STEPS + 2, bucket % STEPS);
    let low = (STEPS + step) as u64;
    ((low + 1) << (exponent - 3)).saturating_sub(1)
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.0.get(bucket(nanos)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn summary(&self) -> Latency {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        let at = |share: f64| {
            let wanted = ((count as f64 * share).ceil() as u64).max(1);
            let mut seen = 0;
            let found = counts.iter().position(|n| {
                seen += n;
                seen >= wanted
            });
            Duration::from_nanos(found.map_or(0, upper))
        };
        Latency { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

/// How long something took, to within an eighth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// How often it was timed.
    pub count: u64,
    /// Half took no longer.
    pub p50: Duration,
    /// Nine in ten took no longer.
    pub p90: Duration,
    /// 99 % took no longer.
    pub p99: Duration,
    /// 99.9 % took no longer.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

/// Reads are timed one in so many: looking at the clock takes a good part of a read's own time.
const SAMPLE: u64 = 64;

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) gets: Counter,
    pub(crate) commits: Counter,
    pub(crate) groups: Counter,
    pub(crate) conflicts: Counter,
    pub(crate) early_flushes: Counter,
    pub(crate) log_bytes: Counter,
    pub(crate) flushed_bytes: Counter,
    pub(crate) compacted_bytes: Counter,
    pub(crate) get: Histogram,
    pub(crate) commit: Histogram,
    pub(crate) turn: Histogram,
    pub(crate) sync: Histogram,
    pub(crate) flush: Histogram,
    pub(crate) compact: Histogram,
    pub(crate) stall: Histogram,
}

impl Counters {
    /// Counts a read; whether it should be timed.
    #[inline]
    pub(crate) fn count_get(&self) -> bool {
        self.gets.add(1).is_multiple_of(SAMPLE)
    }
}

/// Everything the database can tell about itself, at one moment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Point reads since opening.
    pub gets: u64,
    /// Commits since opening.
    pub commits: u64,
    /// Groups that commits were written in.
    pub groups: u64,
    /// Transactions refused because of a conflict.
    pub conflicts: u64,
    /// Memtables flushed before they were full, because all together had come to 80 % of what they may take.
    pub early_flushes: u64,
    /// Bytes of commits written to the log.
    pub log_bytes: u64,
    /// Bytes written by flushes.
    pub flushed_bytes: u64,
    /// Bytes written by compaction.
    pub compacted_bytes: u64,
    /// Point reads, one in 64.
    pub get: Latency,
    /// Commits, from the call to its return.
    pub commit: Latency,
    /// How long commits waited until those before them were done: the time spent on what others hold.
    pub turn: Latency,
    /// Syncs of the log.
    pub sync: Latency,
    /// Flushes of a memtable.
    pub flush: Latency,
    /// Merges of runs.
    pub compact: Latency,
    /// Waits of writers for flushes or compaction.
    pub stall: Latency,
    /// Blocks found in the cache, and not. Blocks that stay with their run are not counted: reading one touches nothing
    /// that threads share.
    pub cache: (u64, u64),
    /// Memory in use, and the budget.
    pub memory: Memory,
    /// Bytes in files of the log.
    pub log_file_bytes: u64,
    /// Bytes in run files.
    pub run_bytes: u64,
    /// Number of run files.
    pub runs: usize,
    /// Memtables waiting to be flushed.
    pub backlog: usize,
    /// Live snapshots.
    pub snapshots: usize,
    /// The newest visible commit.
    pub sequence: u64,
}

impl Metrics {
    /// Share of the blocks asked of the cache that were there.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        let (hits, misses) = self.cache;
        hits as f64 / (hits + misses).max(1) as f64
    }
}

/// Heap by use, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Memtables, active and frozen.
    pub memtables: u64,
    /// Blocks held for reads.
    pub blocks: u64,
    /// Directories of open runs.
    pub runs: u64,
    /// Recent commits kept for conflict checks.
    pub window: u64,
    /// Buffers of flushes, merges and sorted loads, while those run.
    pub work: u64,
    /// What all together may take.
    pub budget: u64,
}

impl Memory {
    /// All uses together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.memtables + self.blocks + self.runs + self.window + self.work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_an_eighth_wide_and_in_order() {
        let mut last = 0;
        for shift in 0..58 {
            for value in [1_u64 << shift, (1 << shift) + (1 << shift >> 2), (2 << shift) - 1] {
                let at = bucket(value);
                assert!(at >= last, "{value}");
                last = at;
                assert!(upper(at) >= value && upper(at) <= value + value / 8, "{value}: {}", upper(at));
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let latency = histogram.summary();
        assert_eq!(latency.count, 1000);
        for (found, expected) in [(latency.p50, 500), (latency.p99, 990), (latency.max, 1000)] {
            let expected = Duration::from_micros(expected);
            assert!(found >= expected && found <= expected * 9 / 8, "{found:?} for {expected:?}");
        }
        assert_eq!(Histogram::default().summary(), Latency::default());
    }

    #[test]
    fn counters_lose_nothing() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.add(2);
                    }
                });
            }
        });
        assert_eq!(counter.sum(), 40_000);
    }
}
