//! Which block may hold a key: the fence of each block, searched by head.
//!
//! A fence is a string above all keys of the block before and not above the first key of its own. All fences share
//! what the first and the last of them share, so heads are taken behind that.

use crate::key;
use crate::run::format::Entry;
use crate::run::heads;

/// The fences of a run, in memory.
#[derive(Debug)]
pub(crate) struct Fences {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
    heads: Box<[[u8; heads::HEAD]]>,
    shared: usize,
}

impl Fences {
    /// Takes the fence bytes behind the directory's entries; the last key follows them. `None` if they are out of order.
    pub(crate) fn new(entries: &[Entry], bytes: &[u8]) -> Option<Self> {
        let ends: Box<[u32]> = entries.iter().map(|entry| entry.fence_end).collect();
        let mut fences = Self { bytes: bytes.into(), ends, heads: Box::default(), shared: 0 };
        let mut previous: Option<&[u8]> = None;
        for (at, entry) in entries.iter().enumerate() {
            let fence = fences.fence(at)?;
            // Only a block that goes on with the key before may have that very key as its fence.
            if previous.is_some_and(|previous| previous > fence || (previous == fence && !entry.continues)) {
                return None;
            }
            previous = Some(fence);
        }
        if bytes.len() < fences.ends.last().map_or(0, |end| *end as usize) {
            return None;
        }
        let first = fences.fence(0).unwrap_or_default();
        let shared = previous.unwrap_or_default().iter().zip(first).take_while(|(a, b)| a == b).count();
        fences.shared = shared;
        fences.heads = (0..entries.len())
            .map(|at| {
                key::head(fences.fence(at).and_then(|fence| fence.get(shared..)).unwrap_or_default())
                    .to_le_bytes()
            })
            .collect();
        Some(fences)
    }

    /// The fence of a block.
    #[inline]
    pub(crate) fn fence(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)? as usize;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// Smallest key of the run.
    pub(crate) fn first(&self) -> &[u8] {
        self.fence(0).unwrap_or_default()
    }

    /// Largest key of the run.
    pub(crate) fn last(&self) -> &[u8] {
        let end = self.ends.last().map_or(0, |end| *end as usize);
        self.bytes.get(end..).unwrap_or_default()
    }

    /// Heap held.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4 + self.heads.len() * heads::HEAD
    }

    /// The first block that may hold `key` or the least key above it.
    pub(crate) fn block_of(&self, key: &[u8], entries: &[Entry]) -> usize {
        let mut at = self.last_not_above(key);
        // Versions of one key may fill several blocks; the newest is in the first of them.
        while entries.get(at).is_some_and(|entry| entry.continues) && self.fence(at) == Some(key) {
            at -= 1;
        }
        at
    }

    /// The last block whose fence is not above `key`; the first block if there is none.
    fn last_not_above(&self, key: &[u8]) -> usize {
        let (prefix, _) = self.first().split_at_checked(self.shared).unwrap_or_default();
        let Some(rest) = key.strip_prefix(prefix) else {
            return if key < prefix { 0 } else { self.ends.len().saturating_sub(1) };
        };
        let (mut low, mut high) = heads::bounds(&self.heads, key::head(rest));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.fence(middle).is_some_and(|fence| fence <= key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.saturating_sub(1)
    }
}
