//! Bytes that come one after another and go all at once: the rows of a memtable.
//!
//! Rows are short-lived and of many lengths. Taken from the allocator one by one, those of one memtable lie among those of
//! the next, and what is freed with the older leaves holes too small to be given back: a database then has twice the memory
//! it counts. Here they lie one behind the other in anonymous maps, which go back to the system as a whole.
#![allow(
    unsafe_code,
    reason = "bytes lent out of memory that is filled meanwhile; the invariant is stated at the type"
)]

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;

/// Length of the shortest and the longest chunk. Unused pages cost nothing but addresses.
const SHORTEST: usize = 16 << 10;
const LONGEST: usize = 256 << 10;

/// Takes bytes, and keeps them as long as anybody points into the same chunk.
pub(crate) struct Arena {
    current: Mutex<Option<Arc<Chunk>>>,
    length: usize,
}

/// A piece of memory that fills up.
///
/// # Invariant
///
/// The first `used` bytes at `start` were written before `used` was raised, and are never written again. `memory` is
/// neither moved in memory nor freed before `self` goes.
pub(crate) struct Chunk {
    start: NonNull<u8>,
    used: AtomicUsize,
    length: usize,
    _memory: Memory,
}

enum Memory {
    Map(#[expect(dead_code, reason = "held, never read")] MmapRaw),
    /// The system had no map to give.
    Heap(#[expect(dead_code, reason = "held, never read")] Vec<u8>),
}

// SAFETY: bytes are lent out for reading only once they have been written for good; those behind `used` are touched by
// `Arena::append` alone, under its lock.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(length: usize) -> Self {
        let (start, memory) = match MmapOptions::new().len(length).map_anon().map(MmapRaw::from) {
            Ok(map) => (NonNull::new(map.as_mut_ptr()), Memory::Map(map)),
            Err(_) => {
                let mut bytes = vec![0; length];
                (NonNull::new(bytes.as_mut_ptr()), Memory::Heap(bytes))
            }
        };
        let length = if start.is_some() { length } else { 0 };
        Self {
            start: start.unwrap_or(NonNull::dangling()),
            used: AtomicUsize::new(0),
            length,
            _memory: memory,
        }
    }

    /// Bytes that were appended here; none where none were.
    #[inline]
    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        if range.start > range.end || range.end > self.used.load(Ordering::Acquire) {
            return &[];
        }
        // SAFETY: by the invariant the first `used` bytes are there, and as they are, as long as `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(range.start), range.end - range.start) }
    }
}

impl Arena {
    /// For about so many bytes.
    pub(crate) fn new(expected: usize) -> Self {
        Self { current: Mutex::default(), length: (expected / 16).clamp(SHORTEST, LONGEST) }
    }

    /// Keeps a copy of some bytes: where it is.
    pub(crate) fn append(&self, bytes: &[u8]) -> (Arc<Chunk>, usize) {
        let mut current = self.current.lock();
        let chunk = match &*current {
            Some(chunk) if chunk.length - chunk.used.load(Ordering::Relaxed) >= bytes.len() => {
                Arc::clone(chunk)
            }
            _ => {
                let chunk = Arc::new(Chunk::new(self.length.max(bytes.len())));
                // What is longer than a chunk has one to itself, and others go on where they were.
                if bytes.len() < self.length {
                    *current = Some(Arc::clone(&chunk));
                }
                chunk
            }
        };
        let at = chunk.used.load(Ordering::Relaxed);
        let room = chunk.length - at;
        assert!(room >= bytes.len(), "a fresh chunk has room for what it was made for");
        // SAFETY: `used` and what follows lie inside the memory, nobody was given bytes behind `used`, and the lock keeps
        // others from writing there: a chunk is known to one arena alone.
        unsafe { chunk.start.as_ptr().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        chunk.used.store(at + bytes.len(), Ordering::Release);
        (chunk, at)
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("length", &self.length).finish_non_exhaustive()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("used", &self.used).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: usize) -> Vec<u8> {
        (0..n * 37 % 3000).map(|at| (at * 31 + n) as u8).collect()
    }

    #[test]
    fn arena_bytes_stay_as_they_were_while_others_come() {
        let arena = Arena::new(0);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut held: Vec<(usize, Arc<Chunk>, usize)> = Vec::new();
                for (n, chunk, at) in receiver {
                    held.push((n, chunk, at));
                    let (n, chunk, at) = &held[held.len() / 2];
                    assert_eq!(chunk.get(*at..at + bytes(*n).len()), bytes(*n));
                }
                for (n, chunk, at) in held {
                    assert_eq!(chunk.get(at..at + bytes(n).len()), bytes(n));
                }
            });
            // An interpreter that checks each access takes its time.
            for n in 0..if cfg!(miri) { 20 } else { 200 } {
                let (chunk, at) = arena.append(&bytes(n));
                sender.send((n, chunk, at)).unwrap();
            }
            drop(sender);
        });
    }

    #[test]
    fn arena_bytes_longer_than_a_chunk_have_one_to_themselves() {
        let arena = Arena::new(0);
        let (first, _) = arena.append(b"first");
        let long = vec![7; SHORTEST + 1];
        let (own, at) = arena.append(&long);
        assert_eq!(own.get(at..at + long.len()), long);
        let (second, at) = arena.append(b"second");
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &own));
        assert_eq!((second.get(at..at + 6), second.get(0..5)), (&b"second"[..], &b"first"[..]));
        drop(arena);
        assert_eq!(second.get(0..11), b"firstsecond");
        let (empty, beyond) = (second.get(3..3), second.get(8..12));
        assert!(empty.is_empty() && beyond.is_empty(), "nothing was written there");
    }
}
