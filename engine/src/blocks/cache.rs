//! The bounded cache of plain blocks for what cannot be read straight from a map.
//!
//! quick_cache's S3-FIFO-like policy keeps blocks read twice before blocks read once, so a scan passes through
//! without pushing the hot set out.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// A block of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId {
    /// Number of the run, never used twice in a process's life.
    pub run: u64,
    /// Ordinal of the block in the run.
    pub block: u32,
}

/// A plain block out of the cache.
pub type CachedBlock = Arc<Box<[u8]>>;

/// Bookkeeping a cached block costs beside its bytes, roughly.
const OVERHEAD: u64 = 96;

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<BlockId, CachedBlock> for ByBytes {
    fn weight(&self, _: &BlockId, block: &CachedBlock) -> u64 {
        block.len() as u64 + OVERHEAD
    }
}

/// Plain blocks, bounded by their bytes, shared by all runs of a database.
#[derive(Debug)]
pub struct BlockCache {
    blocks: Cache<BlockId, CachedBlock, ByBytes>,
}

impl BlockCache {
    /// A cache of at most `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let expected = usize::try_from(capacity / (16 << 10)).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self { blocks: Cache::with_weighter(expected, capacity, ByBytes) }
    }

    /// The block, if it is here.
    #[must_use]
    pub fn get(&self, id: BlockId) -> Option<CachedBlock> {
        self.blocks.get(&id)
    }

    /// Keeps a block, and lets go of others for it.
    pub fn insert(&self, id: BlockId, block: &CachedBlock) {
        self.blocks.insert(id, Arc::clone(block));
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blocks.weight()
    }

    /// Blocks asked for and found, and asked for and missed, since the start.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.blocks.hits(), self.blocks.misses())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(length: usize) -> CachedBlock {
        Arc::new(vec![0; length].into_boxed_slice())
    }

    #[test]
    fn never_holds_more_than_its_capacity() {
        let cache = BlockCache::new(1 << 20);
        for n in 0..1000 {
            cache.insert(BlockId { run: 1, block: n }, &block(10_000));
            assert!(cache.bytes() <= 1 << 20);
        }
        assert!(cache.bytes() > 1 << 19);
    }

    #[test]
    fn a_scan_does_not_push_out_what_is_used() {
        let cache = BlockCache::new(1 << 20);
        let hot: Vec<_> = (0..20).map(|n| BlockId { run: 1, block: n }).collect();
        for id in &hot {
            cache.insert(*id, &block(10_000));
        }
        for n in 0..2000 {
            for id in &hot {
                let _ = cache.get(*id);
            }
            cache.insert(BlockId { run: 2, block: n }, &block(10_000));
        }
        let kept = hot.iter().filter(|id| cache.get(**id).is_some()).count();
        assert!(kept >= 18, "{kept} of 20 hot blocks kept");
    }
}
