//! One budget of memory, and who may have which part of it.
//!
//! | share | of the budget |
//! |---|---|
//! | memtables, active and frozen | what blocks leave, 1/8 at least, 1/4 at most; from 80 % of it on flushing begins early and writers go slower, from 95 % on they wait |
//! | blocks for reads | 25/32 at most |
//! | commit window | 1/64 |
//! | directories of runs, buffers of flushes and merges | the rest |

use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Arc;

use crate::blocks::pool::ReadPool;
use crate::compact::Pressure;
use crate::db::table::Tables;

/// The shares, and what changes without a lock.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    pool: Arc<ReadPool>,
    frozen: AtomicUsize,
    window: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(total: u64, pool: Arc<ReadPool>) -> Self {
        Self { total, pool, frozen: AtomicUsize::new(0), window: AtomicUsize::new(0) }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes for blocks.
    pub(crate) fn reads(total: u64) -> u64 {
        total / 32 * 25
    }

    /// Bytes for the commit window.
    pub(crate) fn window_limit(total: u64) -> usize {
        (total / 64) as usize
    }

    /// Bytes for memtables: blocks already held are not given up for them, nor are flushes and merges broken off.
    fn memtables(&self) -> usize {
        let rest = self.total - (self.total / 32 * 3).max(self.pool.work().bytes()).min(self.total);
        rest.saturating_sub(self.pool.bytes()).clamp(self.total / 8, self.total / 4) as usize
    }

    pub(crate) fn set_window(&self, bytes: usize) {
        self.window.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn window(&self) -> usize {
        self.window.load(Ordering::Relaxed)
    }

    /// A memtable was frozen.
    pub(crate) fn froze(&self, bytes: usize) {
        self.frozen.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A frozen memtable was flushed or dropped.
    pub(crate) fn thawed(&self, bytes: usize) {
        let less = |frozen: usize| Some(frozen.saturating_sub(bytes));
        let _always = self.frozen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// What writers should do while memtables, active and frozen, hold `held` bytes: go slower from 80 % of their share on, and
    /// wait from 95 % on. While none is frozen there is no flush to wait for.
    pub(crate) fn pressure(&self, held: usize) -> Pressure {
        if self.frozen.load(Ordering::Relaxed) == 0 {
            return Pressure::None;
        }
        let share = self.memtables();
        let (warn, full) = (share / 100 * 80, share / 100 * 95);
        match held.checked_sub(warn) {
            None => Pressure::None,
            Some(_) if held >= full => Pressure::Stop,
            Some(over) => Pressure::growing(over, full - warn),
        }
    }

    /// Whether all memtables together have come to 80 % of their share, while none is waiting to be flushed.
    pub(crate) fn memtables_are_over(&self, tables: &Tables) -> bool {
        if tables.len() < 2 || self.frozen.load(Ordering::Relaxed) > 0 {
            return false;
        }
        tables.memtable_bytes() > self.memtables() / 100 * 80
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::pool::ReadMode;

    #[test]
    fn writers_are_slowed_from_80_percent_on_and_wait_from_95() {
        let pool = Arc::new(ReadPool::new(Budget::reads(64 << 20), ReadMode::Map));
        let budget = Budget::new(64 << 20, Arc::clone(&pool));
        assert_eq!(
            budget.pressure(usize::MAX),
            Pressure::None,
            "nothing is frozen: there is nothing to wait for"
        );
        budget.froze(1);
        let percent =
            |budget: &Budget, share: usize, percent: usize| budget.pressure(share / 100 * percent + 1);
        // A quarter of 64 MiB while there are no blocks, then what those leave of 58.
        for (blocks, share) in [(0, 16 << 20), (45 << 20, 13 << 20)] {
            assert!(pool.take_resident(blocks));
            assert_eq!(percent(&budget, share, 79), Pressure::None);
            let delays = [81, 85, 90, 94].map(|at| percent(&budget, share, at));
            assert!(
                delays.is_sorted() && delays.iter().all(|delay| matches!(delay, Pressure::Delay(_))),
                "{delays:?}"
            );
            assert_eq!(percent(&budget, share, 95), Pressure::Stop);
        }
        budget.thawed(1);
        assert_eq!(budget.pressure(usize::MAX), Pressure::None);
    }
}
