//! One budget of memory, and who may have which part of it.
//!
//! | share | of the budget |
//! |---|---|
//! | memtables, active and frozen | what blocks leave, 1/8 at least, 1/4 at most; at 80 % of it flushing begins early, at 95 % writers wait |
//! | blocks for reads | 25/32 at most |
//! | commit window | 1/64 |
//! | directories of runs, buffers of flushes and merges | the rest |

use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Arc;

use crate::blocks::pool::ReadPool;
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

    /// Bytes for memtables: blocks already held are not given up for them.
    fn memtables(&self) -> usize {
        let rest = self.total / 32 * 29;
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

    /// Whether frozen memtables leave room for the active ones to grow at all.
    pub(crate) fn must_wait(&self, write_buffer: usize) -> bool {
        let frozen = self.frozen.load(Ordering::Relaxed);
        frozen > 0 && frozen + write_buffer > self.memtables() / 100 * 95
    }

    /// Whether all memtables together have come to 80 % of their share, while none is waiting to be flushed.
    pub(crate) fn memtables_are_over(&self, tables: &Tables) -> bool {
        if tables.len() < 2 || self.frozen.load(Ordering::Relaxed) > 0 {
            return false;
        }
        tables.memtable_bytes() > self.memtables() / 100 * 80
    }
}
