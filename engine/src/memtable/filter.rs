//! Says of most keys that are not in a memtable that they are not, with a few loads and no lock.
//!
//! A Bloom filter whose bits for a key all lie in one word (Putze, Sanders and Singler 2007, "register blocked"): less exact
//! than a classic one, but a lookup touches one cache line, and bits can be set while others read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bits set for a key.
const PROBES: u32 = 4;
/// Memory of the memtable for each word of the filter: a small row takes about 128 bytes, so a word serves four keys.
const BYTES_A_WORD: usize = 512;
const KEYS_A_WORD: usize = 4;

/// Each level is so many times as large as the one before.
const GROWTH: usize = 4;

/// Grows with the memtable, of which there may be thousands with a few rows each: when a level has all the keys it is made
/// for, the next takes those that follow.
#[derive(Debug)]
pub(super) struct Filter {
    levels: [Level; 3],
    /// Keys so far.
    keys: AtomicUsize,
}

#[derive(Debug)]
struct Level {
    /// Made with the first key.
    words: OnceLock<Box<[AtomicU64]>>,
    count: usize,
}

impl Filter {
    /// For a memtable that may grow to `expected` bytes.
    pub(super) fn new(expected: usize) -> Self {
        let level = |part: usize| Level {
            words: OnceLock::new(),
            count: (expected / part / BYTES_A_WORD).max(8).next_power_of_two(),
        };
        Self { levels: [level(GROWTH * GROWTH), level(GROWTH), level(1)], keys: AtomicUsize::new(0) }
    }

    /// Adds a key; called by one thread at a time. Returns the heap taken for it and those to come.
    pub(super) fn insert(&self, hash: u64) -> usize {
        let mut before = self.keys.fetch_add(1, Ordering::Relaxed);
        let [first, second, last] = &self.levels;
        let level = [first, second].into_iter().find(|level| {
            let has_room = before < level.count * KEYS_A_WORD;
            before = before.saturating_sub(level.count * KEYS_A_WORD);
            has_room
        });
        level.unwrap_or(last).insert(hash)
    }

    #[inline]
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        self.levels.iter().any(|level| level.may_contain(hash))
    }
}

impl Level {
    #[inline]
    fn place(&self, hash: u64) -> (usize, u64) {
        // The low bits choose the word, the high ones the bits in it.
        let word = hash as usize & (self.count - 1);
        let mask = (1..=PROBES).fold(0, |mask, n| mask | 1 << ((hash >> (64 - 6 * n)) & 63));
        (word, mask)
    }

    fn insert(&self, hash: u64) -> usize {
        let (word, mask) = self.place(hash);
        let taken = if self.words.get().is_some() { 0 } else { self.count * size_of::<AtomicU64>() };
        let words = self.words.get_or_init(|| (0..self.count).map(|_| AtomicU64::new(0)).collect());
        if let Some(word) = words.get(word) {
            word.fetch_or(mask, Ordering::Release);
        }
        taken
    }

    #[inline]
    fn may_contain(&self, hash: u64) -> bool {
        let (word, mask) = self.place(hash);
        let word = self.words.get().and_then(|words| words.get(word));
        word.is_some_and(|word| word.load(Ordering::Acquire) & mask == mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::hash;

    #[test]
    fn a_few_keys_take_little_and_each_level_is_paid_for_once() {
        let filter = Filter::new(16 << 20);
        assert!(!filter.may_contain(7));
        let taken: Vec<usize> = (0..200_000_u64).map(|n| filter.insert(hash(&n.to_be_bytes()))).collect();
        assert_eq!((taken[0], taken[1]), (16 << 10, 0));
        let paid: Vec<usize> = taken.into_iter().filter(|bytes| *bytes > 0).collect();
        assert_eq!(paid, [16 << 10, 64 << 10, 256 << 10]);
    }

    #[test]
    fn never_misses_and_seldom_errs() {
        let filter = Filter::new(1 << 20);
        let keys = (1_u64 << 20) / 128;
        for n in 0..keys {
            filter.insert(hash(&n.to_be_bytes()));
        }
        assert!((0..keys).all(|n| filter.may_contain(hash(&n.to_be_bytes()))));
        let wrong = (keys..11 * keys).filter(|n| filter.may_contain(hash(&n.to_be_bytes()))).count() as u64;
        assert!(wrong < keys / 2, "{wrong} of {} absent keys", 10 * keys);
    }
}
