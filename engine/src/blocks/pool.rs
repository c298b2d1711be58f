//! The memory reads may use: blocks kept for good where they fit, and the cache for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::blocks::cache::BlockCache;
use crate::blocks::gauge::Gauge;

/// How run files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadMode {
    /// Through maps: plain blocks are read where they lie, the system's page cache holds them.
    #[default]
    Map,
    /// With explicit reads: every block goes through this pool, nothing is mapped.
    Read,
}

/// How the runs of one database share memory for plain blocks.
///
/// Compressed blocks are decompressed once and stay *resident* with their run until `resident_limit` is reached: a read
/// of a resident block takes no lock and touches no shared counter. Beyond the limit blocks go through the bounded
/// cache. Both together never hold more than the pool was given.
#[derive(Debug)]
pub struct ReadPool {
    resident: AtomicU64,
    resident_limit: u64,
    cache: BlockCache,
    mode: ReadMode,
    /// What flushes, merges and sorted loads hold while they run.
    work: Arc<Gauge>,
}

impl ReadPool {
    /// A pool of `bytes`: eleven twelfths for resident blocks, the rest for the cache.
    #[must_use]
    pub fn new(bytes: u64, mode: ReadMode) -> Self {
        let cache = bytes / 12;
        Self {
            resident: AtomicU64::new(0),
            resident_limit: bytes - cache,
            cache: BlockCache::new(cache),
            mode,
            work: Arc::default(),
        }
    }

    /// How files are read.
    #[must_use]
    pub fn mode(&self) -> ReadMode {
        self.mode
    }

    /// The cache for what is not resident.
    #[must_use]
    pub fn cache(&self) -> &BlockCache {
        &self.cache
    }

    /// Bytes of blocks held, resident or cached.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.resident.load(Ordering::Relaxed) + self.cache.bytes()
    }

    pub(crate) fn work(&self) -> &Arc<Gauge> {
        &self.work
    }

    /// Takes `bytes` for a resident block, if there is room.
    pub(crate) fn take_resident(&self, bytes: u64) -> bool {
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.resident_limit);
        self.resident.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Gives back what [`ReadPool::take_resident`] took.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.resident.fetch_sub(bytes, Ordering::Relaxed);
    }
}
