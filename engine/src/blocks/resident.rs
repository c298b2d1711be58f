//! Blocks that stay with their run, in memory that goes back to the system when the run goes.
//!
//! They are most of what a database holds, and live as long as their run. Among everything else the process allocates they
//! would leave holes that the next run's blocks do not fit and that no allocator can give back. Here they lie one behind the
//! other in anonymous maps, of which only pages that were written take memory.
#![allow(
    unsafe_code,
    reason = "bytes lent out of memory that is filled meanwhile; the invariant is stated at the type"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;

/// Length of the first map of a run, and of the longest. Unused pages cost nothing but addresses.
const SHORTEST: usize = 64 << 10;
const LONGEST: usize = 256 << 10;

/// What a run that holds much already takes from then on: one page of the large kind, where the system has them. Such a
/// page takes memory as a whole, which is little beside the rest then, and half of what a read of a block far off costs is
/// finding its page.
const LARGE: usize = 2 << 20;
const MUCH: usize = 8 * LARGE;

/// A place for each block of a run, empty at first.
///
/// # Invariant
///
/// Each slot, once set, points to bytes of a map in `maps` that were written before and are never written again: `used`
/// only grows. Maps are neither moved nor unmapped before `self` goes.
pub(crate) struct Resident {
    slots: Box<[OnceLock<Kept>]>,
    maps: Mutex<Vec<Chunk>>,
}

#[derive(Clone, Copy)]
struct Kept(NonNull<[u8]>);

// SAFETY: the bytes are only read, by whoever borrows the `Resident` that owns them.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

struct Chunk {
    map: MmapRaw,
    used: usize,
}

impl Resident {
    /// Room for this many blocks.
    pub(crate) fn new(blocks: usize) -> Self {
        Self { slots: (0..blocks).map(|_| OnceLock::new()).collect(), maps: Mutex::default() }
    }

    /// Heap that the empty places take, for each block.
    pub(crate) const PLACE: usize = size_of::<OnceLock<Kept>>();

    /// A block that is here.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        let kept = self.slots.get(at)?.get()?;
        // SAFETY: by the invariant the bytes are there, and as they are, as long as `self` is borrowed.
        Some(unsafe { kept.0.as_ref() })
    }

    /// Keeps a copy of a block, unless there is one. Whether it did; `None`: the system has no memory for it.
    pub(crate) fn keep(&self, at: usize, bytes: &[u8]) -> Option<bool> {
        let slot = self.slots.get(at)?;
        let mut maps = self.maps.lock();
        if slot.get().is_some() {
            return Some(false);
        }
        let has_room = |chunk: &Chunk| chunk.map.len() - chunk.used >= bytes.len();
        if !maps.last().is_some_and(has_room) {
            let before: usize = maps.iter().map(|chunk| chunk.map.len()).sum();
            let longest = if before < MUCH { LONGEST } else { LARGE };
            let length = before.clamp(SHORTEST, longest).max(bytes.len());
            let map = MmapRaw::from(MmapOptions::new().len(length).map_anon().ok()?);
            if length >= LARGE {
                ask_for_large_pages(&map);
            }
            maps.push(Chunk { map, used: 0 });
        }
        let chunk = maps.last_mut().filter(|chunk| has_room(chunk))?;
        let to = chunk.map.as_mut_ptr().wrapping_add(chunk.used);
        // SAFETY: `used` and what follows lie inside the map, nobody was given bytes behind `used`, and the lock keeps
        // others from writing there.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        chunk.used += bytes.len();
        let kept = NonNull::new(std::ptr::slice_from_raw_parts_mut(to, bytes.len()))?;
        Some(slot.set(Kept(kept)).is_ok())
    }

    /// Bytes of all blocks here.
    pub(crate) fn bytes(&self) -> u64 {
        self.maps.lock().iter().map(|chunk| chunk.used as u64).sum()
    }
}

/// Only a hint: without, all is as it was.
fn ask_for_large_pages(map: &MmapRaw) {
    #[cfg(target_os = "linux")]
    let _hint = map.advise(memmap2::Advice::HugePage);
    #[cfg(not(target_os = "linux"))]
    let _ = map;
}

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resident").field("blocks", &self.slots.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fewer for an interpreter that checks each access.
    const BLOCKS: usize = if cfg!(miri) { 40 } else { 1000 };

    fn block(n: usize) -> Vec<u8> {
        (0..n * 37 % 5000).map(|at| (at * 31 + n) as u8).collect()
    }

    #[test]
    fn blocks_stay_as_they_were_while_others_come() {
        let resident = Resident::new(BLOCKS);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let resident = &resident;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for n in (thread * BLOCKS / 10..BLOCKS).chain(0..thread * BLOCKS / 10) {
                        resident.keep(n, &block(n)).unwrap();
                        held.push((n, resident.get(n).unwrap()));
                    }
                    for (n, bytes) in held {
                        assert_eq!(bytes, block(n));
                    }
                });
            }
        });
        let all: usize = (0..BLOCKS).map(|n| block(n).len()).sum();
        assert_eq!(resident.bytes(), all as u64, "each is here once");
        assert_eq!(resident.keep(5, b"another"), Some(false));
        assert_eq!(resident.get(5).unwrap(), block(5));
    }

    #[test]
    fn a_block_longer_than_a_map_has_one_to_itself() {
        let resident = Resident::new(3);
        let long = vec![7; LONGEST + 5];
        for (at, bytes) in [(0, &b"short"[..]), (1, &long), (2, b"")] {
            assert_eq!(resident.keep(at, bytes), Some(true));
        }
        assert!(resident.get(0).unwrap() == b"short" && resident.get(1).unwrap() == long);
        assert_eq!(resident.get(2).unwrap(), b"");
        assert_eq!((resident.get(3), resident.keep(3, b"x")), (None, None));
    }
}
