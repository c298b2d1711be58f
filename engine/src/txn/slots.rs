//! Which snapshots are alive, without a lock.
//!
//! Each live snapshot has a slot of its own cache line with its sequence in it. Garbage collection must never pass a
//! live snapshot, and a snapshot must never be taken below what collection already passed. The two race; it is decided
//! as in Dekker's algorithm, each side first writing, then reading what the other wrote, with a full fence between:
//!
//! - a snapshot writes its sequence into a slot, then reads `floor`; if that is above the sequence, it tries again with a
//!   newer one;
//! - collection raises `floor` to the sequence it would like to keep from, then reads all slots and keeps from the
//!   smallest.
//!
//! One of the two sees the other (checked under loom below).

use crossbeam_utils::CachePadded;

use crate::key::Sequence;
use crate::sync::{AtomicU64, Mutex, Ordering, fence, spin_loop};

/// Nobody uses the slot. Slots hold the sequence plus one.
const FREE: u64 = 0;

/// The live snapshots.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Box<[CachePadded<AtomicU64>]>,
    /// Collection may have removed what only snapshots below this see.
    floor: CachePadded<AtomicU64>,
    /// Where snapshots go when all slots are taken.
    overflow: Mutex<Vec<Sequence>>,
}

/// A snapshot's place; to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Slot(usize),
    Overflow,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            slots: (0..count).map(|_| CachePadded::new(AtomicU64::new(FREE))).collect(),
            floor: CachePadded::new(AtomicU64::new(0)),
            overflow: Mutex::new(Vec::new()),
        }
    }

    /// Takes a snapshot of what `visible` says is visible. `hint` spreads threads over the slots.
    pub(crate) fn acquire(&self, visible: &AtomicU64, hint: usize) -> (Place, Sequence) {
        let count = self.slots.len();
        for n in 0..count {
            let at = (hint + n) % count;
            let Some(slot) = self.slots.get(at) else { continue };
            if slot.load(Ordering::Relaxed) != FREE {
                continue;
            }
            let mut sequence = visible.load(Ordering::Acquire);
            if slot.compare_exchange(FREE, sequence + 1, Ordering::SeqCst, Ordering::Relaxed).is_err() {
                continue;
            }
            loop {
                fence(Ordering::SeqCst);
                if self.floor.load(Ordering::SeqCst) <= sequence {
                    return (Place::Slot(at), sequence);
                }
                spin_loop();
                sequence = visible.load(Ordering::Acquire);
                slot.store(sequence + 1, Ordering::SeqCst);
            }
        }
        let mut overflow = self.overflow.lock();
        let sequence = visible.load(Ordering::Acquire).max(self.floor.load(Ordering::SeqCst));
        overflow.push(sequence);
        (Place::Overflow, sequence)
    }

    /// Gives a place back.
    pub(crate) fn release(&self, place: Place, sequence: Sequence) {
        match place {
            Place::Slot(at) => {
                if let Some(slot) = self.slots.get(at) {
                    slot.store(FREE, Ordering::Release);
                }
            }
            Place::Overflow => {
                let mut overflow = self.overflow.lock();
                if let Some(at) = overflow.iter().position(|held| *held == sequence) {
                    overflow.swap_remove(at);
                }
            }
        }
    }

    /// The sequence collection may keep from: of the versions at or below it only the newest of a key is still needed.
    pub(crate) fn collectable(&self, visible: &AtomicU64) -> Sequence {
        let overflow = self.overflow.lock();
        let wanted = visible.load(Ordering::Acquire);
        self.floor.fetch_max(wanted, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let slots = self.slots.iter().map(|slot| slot.load(Ordering::SeqCst)).filter(|held| *held != FREE);
        let oldest = slots.map(|held| held - 1).chain(overflow.iter().copied()).min();
        oldest.map_or(wanted, |oldest| oldest.min(wanted))
    }

    /// Keeps snapshots below `sequence` from being taken from now on, though it is not visible yet: takers wait until it
    /// is, which must be soon. `false`: an older snapshot is alive already.
    pub(crate) fn exclude(&self, sequence: Sequence) -> bool {
        let overflow = self.overflow.lock();
        self.floor.fetch_max(sequence, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let held = |slot: &CachePadded<AtomicU64>| slot.load(Ordering::SeqCst) != FREE;
        overflow.is_empty() && !self.slots.iter().any(held)
    }

    /// The oldest live snapshot and the number of all, for `stat`; may be out of date at once.
    pub(crate) fn live(&self) -> (Option<Sequence>, usize) {
        let overflow = self.overflow.lock();
        let slots = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|held| *held != FREE);
        let held: Vec<Sequence> = slots.map(|held| held - 1).chain(overflow.iter().copied()).collect();
        (held.iter().min().copied(), held.len())
    }
}

#[cfg(all(test, not(any(uncork_loom, uncork_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_snapshot_holds_collection_back() {
        let (slots, visible) = (Slots::new(2), AtomicU64::new(5));
        let first = slots.acquire(&visible, 0);
        visible.store(9, Ordering::Release);
        let rest: Vec<_> = (0..3).map(|hint| slots.acquire(&visible, hint)).collect();
        assert_eq!(first.1, 5);
        assert!(rest.iter().any(|(place, _)| *place == Place::Overflow), "two slots for four snapshots");
        assert_eq!(slots.collectable(&visible), 5);
        slots.release(first.0, first.1);
        assert_eq!(slots.live(), (Some(9), 3));
        visible.store(12, Ordering::Release);
        assert_eq!(slots.collectable(&visible), 9);
        for (place, sequence) in rest {
            slots.release(place, sequence);
        }
        assert_eq!(slots.collectable(&visible), 12);
        assert_eq!(slots.live(), (None, 0));
    }
}

#[cfg(all(test, uncork_loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// Collection, a snapshot and a commit race: no snapshot that lives is older than what collection keeps from.
    #[test]
    fn loom_collection_never_passes_a_snapshot() {
        loom::model(|| {
            let shared = Arc::new((Slots::new(1), AtomicU64::new(1)));
            let commit = {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || shared.1.store(2, Ordering::Release))
            };
            let collection = {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || shared.0.collectable(&shared.1))
            };
            let (place, sequence) = shared.0.acquire(&shared.1, 0);
            let kept = collection.join().unwrap();
            assert!(kept <= sequence, "kept from {kept}, snapshot at {sequence}");
            shared.0.release(place, sequence);
            commit.join().unwrap();
        });
    }
}
