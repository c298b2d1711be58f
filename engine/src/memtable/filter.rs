//! Says of most keys that are not in a memtable that they are not, with one load and no lock.
//!
//! A Bloom filter whose bits for a key all lie in one word (Putze, Sanders and Singler 2007, "register blocked"): less exact
//! than a classic one, but a lookup touches one cache line, and bits can be set while others read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits set for a key.
const PROBES: u32 = 4;
/// Memory of the memtable for each word of the filter: a small row takes about 128 bytes, so a word serves four keys.
const BYTES_A_WORD: usize = 512;

#[derive(Debug)]
pub(super) struct Filter {
    words: Box<[AtomicU64]>,
}

impl Filter {
    pub(super) fn new(expected: usize) -> Self {
        let words = (expected / BYTES_A_WORD).max(8).next_power_of_two();
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    #[inline]
    fn place(&self, hash: u64) -> (usize, u64) {
        // The low bits choose the word, the high ones the bits in it.
        let word = hash as usize & (self.words.len() - 1);
        let mask = (1..=PROBES).fold(0, |mask, n| mask | 1 << ((hash >> (64 - 6 * n)) & 63));
        (word, mask)
    }

    pub(super) fn insert(&self, hash: u64) {
        let (word, mask) = self.place(hash);
        if let Some(word) = self.words.get(word) {
            word.fetch_or(mask, Ordering::Release);
        }
    }

    #[inline]
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let (word, mask) = self.place(hash);
        self.words.get(word).is_some_and(|word| word.load(Ordering::Acquire) & mask == mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::hash;

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
