//! Giving memory back that was freed.
#![allow(unsafe_code, reason = "a call into the C library; it is handed nothing")]

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what flushes and merges free, and has the allocator give it back to the system once it is worth it. Left to
/// itself, glibc keeps what was freed for each thread that ever allocated, and holes between what is still in use; other
/// allocators see to it by themselves.
#[derive(Debug)]
pub(crate) struct Trim {
    freed: AtomicU64,
    step: u64,
}

impl Trim {
    /// For a memory budget; one part in so many may lie idle.
    pub(crate) fn new(budget: u64) -> Self {
        Self { freed: AtomicU64::new(0), step: budget / 32 }
    }

    /// Something was freed. Whether the allocator was told.
    pub(crate) fn freed(&self, bytes: u64) -> bool {
        if self.freed.fetch_add(bytes, Ordering::Relaxed) + bytes < self.step {
            return false;
        }
        self.freed.store(0, Ordering::Relaxed);
        give_back();
        true
    }
}

fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes no pointer and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_told_once_it_is_worth_it() {
        let trim = Trim::new(32 << 10);
        let told: Vec<bool> = (0..8).map(|_| trim.freed(300)).collect();
        assert_eq!(told, [false, false, false, true, false, false, false, true]);
    }
}
