//! The in-run hash index: from the hash of a key straight to its newest row.
//!
//! Buckets of one cache line hold eight slots each; a slot is a 16-bit fingerprint, the block and the row's place
//! in it. A full bucket spills into the next. A lookup costs one cache miss for the bucket and one for the row, where
//! a tree costs one a level.

/// Slots in a bucket.
const SLOTS: usize = 8;
/// Bytes of a bucket: a cache line.
pub const BUCKET: usize = SLOTS * 8;
/// Keys a bucket is sized for: at six of eight, one bucket in seven spills.
const FILL: usize = 6;

/// Where a row is: its block and the offset of the row within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Ordinal of the block in the run.
    pub block: u32,
    /// First byte of the row in the plain block; never zero.
    pub start: u16,
}

#[inline]
fn bucket_of(hash: u64, count: usize) -> usize {
    ((u128::from(hash) * count as u128) >> 64) as usize
}

/// The high bits choose the bucket, the low ones tell keys apart within it.
#[inline]
fn fingerprint(hash: u64) -> u64 {
    hash << 48
}

/// Bytes an index over `keys` keys takes.
#[must_use]
pub fn size(keys: usize) -> usize {
    keys.div_ceil(FILL) * BUCKET
}

/// Makes the index's bytes out of [`size`] zeros. One entry a distinct user key, at its newest row.
pub fn fill(index: &mut [u8], entries: impl Iterator<Item = (u64, Place)>) {
    let count = index.len() / BUCKET;
    let (slots, _) = index.as_chunks_mut::<8>();
    for (hash, place) in entries {
        let slot = fingerprint(hash) | u64::from(place.block) << 16 | u64::from(place.start);
        let first = bucket_of(hash, count) * SLOTS;
        let (before, after) = slots.split_at_mut(first);
        // More slots than entries: the probe always ends at a free one.
        if let Some(free) = after.iter_mut().chain(before).find(|slot| **slot == [0; 8]) {
            *free = slot.to_le_bytes();
        }
    }
}

/// The rows that may hold a key, in probe order.
#[derive(Debug, Clone)]
pub struct Probe<'a> {
    buckets: &'a [[u8; BUCKET]],
    bucket: usize,
    left: usize,
    /// Slots of the current bucket that match, as bits.
    matches: u32,
    more: bool,
    fingerprint: u64,
}

/// Starts a lookup in the bytes of an index.
#[inline]
#[must_use]
pub fn probe(index: &[u8], hash: u64) -> Probe<'_> {
    let (buckets, _) = index.as_chunks::<BUCKET>();
    let bucket = bucket_of(hash, buckets.len());
    let mut probe = Probe {
        buckets,
        bucket,
        left: buckets.len(),
        matches: 0,
        more: true,
        fingerprint: fingerprint(hash),
    };
    probe.load();
    probe
}

impl Probe<'_> {
    #[inline]
    fn load(&mut self) {
        let Some(bucket) = self.buckets.get(self.bucket) else {
            self.more = false;
            return;
        };
        let (mut matches, mut free) = (0, false);
        for (at, slot) in bucket.as_chunks::<8>().0.iter().enumerate() {
            let slot = u64::from_le_bytes(*slot);
            matches |= u32::from((slot ^ self.fingerprint) >> 48 == 0 && slot & 0xFFFF != 0) << at;
            free |= slot == 0;
        }
        self.matches = matches;
        // Nothing is ever deleted from an index: a bucket with room has never spilled.
        self.more = !free;
    }
}

impl Iterator for Probe<'_> {
    type Item = Place;

    #[inline]
    fn next(&mut self) -> Option<Place> {
        loop {
            if self.matches != 0 {
                let at = self.matches.trailing_zeros() as usize;
                self.matches &= self.matches - 1;
                let slot = self.buckets.get(self.bucket)?.as_chunks::<8>().0.get(at)?;
                let slot = u64::from_le_bytes(*slot);
                return Some(Place { block: (slot >> 16) as u32, start: slot as u16 });
            }
            if !self.more || self.left <= 1 {
                return None;
            }
            self.left -= 1;
            self.bucket = if self.bucket + 1 == self.buckets.len() { 0 } else { self.bucket + 1 };
            self.load();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn entries(count: u32) -> Vec<(u64, Place)> {
        (0..count)
            .map(|n| (xxh3_64(&n.to_le_bytes()), Place { block: n, start: (n % 60_000) as u16 + 1 }))
            .collect()
    }

    fn build(entries: &[(u64, Place)]) -> Vec<u8> {
        let mut index = vec![0; size(entries.len())];
        fill(&mut index, entries.iter().copied());
        index
    }

    #[test]
    fn every_entry_is_found_at_any_size() {
        for count in [1, 2, 5, 6, 63, 1000, 50_000] {
            let entries = entries(count);
            let index = build(&entries);
            assert_eq!(index.len(), size(entries.len()));
            for &(hash, place) in &entries {
                assert!(probe(&index, hash).any(|found| found == place), "{count}");
            }
        }
    }

    #[test]
    fn colliding_hashes_all_come_back() {
        let entries: Vec<_> = (1..200).map(|start| (42, Place { block: 0, start })).collect();
        let index = build(&entries);
        let found: Vec<_> = probe(&index, 42).collect();
        assert!(entries.iter().all(|(_, place)| found.contains(place)));
    }

    #[test]
    fn absent_keys_seldom_reach_a_row() {
        let index = build(&entries(50_000));
        let false_rows: usize =
            (50_000..150_000_u32).map(|n| probe(&index, xxh3_64(&n.to_le_bytes())).count()).sum();
        assert!(false_rows < 50, "{false_rows}");
    }

    #[test]
    fn an_empty_index_answers_nothing() {
        assert_eq!(build(&[]), Vec::<u8>::new());
        assert_eq!(probe(&[], 7).next(), None);
    }

    #[test]
    fn a_full_index_ends() {
        // Only damage can fill every slot; the probe must still stop.
        let index = vec![0xFF; 4 * BUCKET];
        assert_eq!(probe(&index, 0).count(), 0);
        assert_eq!(probe(&index, u64::MAX).count(), 4 * SLOTS);
    }
}
