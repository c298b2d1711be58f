//! Memory that is held for a while, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes all shares hold together.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one holder has; nothing any more when it goes.
#[derive(Debug, Default)]
pub(crate) struct Share {
    of: Arc<Gauge>,
    bytes: u64,
}

impl Share {
    pub(crate) fn new(of: &Arc<Gauge>) -> Self {
        Self { of: Arc::clone(of), bytes: 0 }
    }

    /// From now on it is so many.
    pub(crate) fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        // Wraps where it gets less.
        self.of.0.fetch_add(bytes.wrapping_sub(self.bytes), Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_go() {
        let gauge = Arc::default();
        let (mut first, mut second) = (Share::new(&gauge), Share::new(&gauge));
        first.set(100);
        second.set(30);
        first.set(50);
        assert_eq!(gauge.bytes(), 80);
        drop(first);
        assert_eq!(gauge.bytes(), 30);
        drop(second);
        assert_eq!(gauge.bytes(), 0);
    }
}
