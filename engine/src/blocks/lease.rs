//! Sharing a run among threads without sharing a counter.
//!
//! One `Arc` cloned by every read is one cache line that all reading threads fight over. Here a run is held by several
//! leases, each with a count on a cache line of its own, and a thread keeps to its own lease.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Leases of a run; threads beyond this number share.
const LEASES: usize = 16;

/// A share in `T` with a reference count on its own cache lines (128 bytes: neighbours are prefetched in pairs).
#[derive(Debug)]
#[repr(align(128))]
pub struct Lease<T>(Arc<T>);

impl<T> std::ops::Deref for Lease<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value held by one lease a thread.
#[derive(Debug)]
pub struct Leased<T> {
    leases: Box<[Arc<Lease<T>>]>,
}

impl<T> Leased<T> {
    /// Hands `value` out through leases from now on.
    pub fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self { leases: (0..LEASES).map(|_| Arc::new(Lease(Arc::clone(&value)))).collect() }
    }

    /// Whether nobody holds a lease.
    pub fn is_unshared(&self) -> bool {
        self.leases.iter().all(|lease| Arc::strong_count(lease) == 1)
    }

    /// The lease of the calling thread.
    #[inline]
    pub fn lease(&self) -> &Arc<Lease<T>> {
        match self.leases.get(thread_slot() % LEASES) {
            Some(lease) => lease,
            None => unreachable!("there are always {LEASES} leases"),
        }
    }
}

/// A small number that is this thread's for its life; neighbours in age differ.
#[inline]
pub(crate) fn thread_slot() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
    }
    // During thread exit the slot may be gone already; any lease will do then.
    SLOT.try_with(|slot| {
        slot.get().unwrap_or_else(|| {
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
            slot.set(Some(fresh));
            fresh
        })
    })
    .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_lease_and_others_have_theirs() {
        let leased = Leased::new(5);
        let mine: *const Lease<i32> = &**leased.lease();
        assert_eq!(mine, &raw const **leased.lease());
        let other =
            std::thread::scope(|scope| scope.spawn(|| (&raw const **leased.lease()).addr()).join().unwrap());
        assert_ne!(mine.addr(), other);
        assert_eq!(***leased.lease(), 5);
        let held = Arc::clone(leased.lease());
        assert!(!leased.is_unshared());
        drop(held);
        assert!(leased.is_unshared());
    }
}
