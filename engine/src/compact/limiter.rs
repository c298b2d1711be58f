//! A bound on how fast background work writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Hands out a number of bytes a second, without a lock: whoever comes reserves the next stretch of time and sleeps
/// until it begins.
#[derive(Debug)]
pub struct RateLimiter {
    bytes_per_second: AtomicU64,
    started: Instant,
    /// Nanoseconds after `started` at which everything handed out so far is paid for.
    paid_until: AtomicU64,
}

/// Idle time may be made up for by this much at once.
const BURST: Duration = Duration::from_millis(20);

impl RateLimiter {
    /// A limiter; zero is no limit.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: AtomicU64::new(bytes_per_second),
            started: Instant::now(),
            paid_until: AtomicU64::new(0),
        }
    }

    /// Changes the limit for what follows; zero is no limit.
    pub fn set(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// How long to wait before writing `bytes` more. The time is taken up whether one waits or not.
    #[must_use]
    pub fn reserve(&self, bytes: u64) -> Duration {
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.reserve_at(now, bytes)
    }

    fn reserve_at(&self, now: u64, bytes: u64) -> Duration {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            return Duration::ZERO;
        }
        let cost = u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX);
        let earliest = now.saturating_sub(BURST.as_nanos() as u64);
        let start = |paid: u64| paid.max(earliest);
        let before = self
            .paid_until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid| Some(start(paid).saturating_add(cost)))
            .unwrap_or_else(|paid| paid);
        Duration::from_nanos(start(before).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn spreads_bytes_over_time() {
        let limiter = RateLimiter::new(1000);
        assert_eq!(limiter.reserve_at(SECOND, 500), Duration::ZERO);
        // Half a second was handed out, less the burst.
        assert_eq!(limiter.reserve_at(SECOND, 500), Duration::from_millis(480));
        assert_eq!(limiter.reserve_at(SECOND, 1), Duration::from_millis(980));
        // After a long pause only the burst is made up for.
        assert_eq!(limiter.reserve_at(60 * SECOND, 1000), Duration::ZERO);
        assert_eq!(limiter.reserve_at(60 * SECOND, 1), Duration::from_millis(980));
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = RateLimiter::new(0);
        assert_eq!(limiter.reserve(u64::MAX), Duration::ZERO);
        limiter.set(1);
        let _ = limiter.reserve(10);
        assert!(limiter.reserve(1) > Duration::ZERO);
    }
}
