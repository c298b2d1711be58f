//! The primitives of the two lock-free-ish protocols (leader hand-off, snapshot slots), switched as one so that the same
//! code runs under loom (`--cfg uncork_loom`) and shuttle (`--cfg uncork_shuttle`).

#[cfg(not(any(uncork_loom, uncork_shuttle)))]
mod real {
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
    pub(crate) use std::thread::{Thread, current, park};

    /// Turns of the spin loop before a thread parks.
    pub(crate) const SPINS: u32 = 200;
}

#[cfg(any(uncork_loom, uncork_shuttle))]
mod model {
    #[cfg(uncork_loom)]
    use loom as model;
    #[cfg(uncork_shuttle)]
    use shuttle as model;

    pub(crate) use model::hint::spin_loop;
    pub(crate) use model::sync::Arc;
    pub(crate) use model::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
    pub(crate) use model::thread::{Thread, current, park};

    /// No spinning: a model checker explores every turn of a loop.
    pub(crate) const SPINS: u32 = 0;

    /// A mutex with the interface of `parking_lot`'s.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(model::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(model::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> model::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

#[cfg(any(uncork_loom, uncork_shuttle))]
pub(crate) use model::*;
#[cfg(not(any(uncork_loom, uncork_shuttle)))]
pub(crate) use real::*;
