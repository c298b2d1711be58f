//! The lock stays, and the map under it becomes one that evicts what was used least recently.

use lru::LruCache;
use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

/// Entries that `History.history` holds at most; beyond, some are evicted.
const HISTORY_HISTORY_CAPACITY: std::num::NonZeroUsize = match std::num::NonZeroUsize::new(1_000) {
    Some(n) => n,
    None => std::num::NonZeroUsize::MIN,
};

/// Entries that `History.memo` holds at most; beyond, some are evicted.
const HISTORY_MEMO_CAPACITY: std::num::NonZeroUsize = match std::num::NonZeroUsize::new(1_000) {
    Some(n) => n,
    None => std::num::NonZeroUsize::MIN,
};

pub struct History {
    history: Arc<RwLock<LruCache<u64, VecDeque<f64>>>>,
    memo: Mutex<LruCache<String, u64>>,
}

impl History {
    pub fn new() -> History {
        History {
            history: Arc::new(RwLock::new(LruCache::new(HISTORY_HISTORY_CAPACITY))),
            memo: Mutex::new(LruCache::new(HISTORY_MEMO_CAPACITY)),
        }
    }

    pub fn record(&self, id: u64, took: f64) {
        let mut history = self.history.write();
        if let Some(times) = history.get_mut(&id) {
            times.push_back(took);
            if times.len() > 100 {
                times.pop_front();
            }
        }
    }

    pub fn begin(&self, id: u64) -> usize {
        let mut history = self.history.write();
        history.get_or_insert_mut(id, VecDeque::new).len()
    }

    pub fn is_new(&self, id: u64) -> bool {
        self.history.write().get_or_insert_mut(id, Default::default).is_empty()
    }

    pub fn mean(&self, id: u64) -> Option<f64> {
        let history = self.history.read();
        let times = history.peek(&id)?;
        Some(times.iter().sum::<f64>() / times.len() as f64)
    }

    pub fn length(&self, text: &str) -> u64 {
        let mut memo = self.memo.lock();
        if let Some(length) = memo.get(text) {
            return *length;
        }
        let length = text.len() as u64;
        memo.put(text.to_owned(), length);
        length
    }

    pub fn known(&self, text: &str) -> bool {
        self.memo.lock().contains(text)
    }
}

/// Entries that `Inner.sizes` holds at most; beyond, some are evicted.
const INNER_SIZES_CAPACITY: std::num::NonZeroUsize = match std::num::NonZeroUsize::new(1_000) {
    Some(n) => n,
    None => std::num::NonZeroUsize::MIN,
};

/// Behind a lock with other state.
pub struct Inner {
    sizes: LruCache<String, u64>,
    pub asked: u64,
}

impl Inner {
    fn size(&mut self, path: &str) -> u64 {
        self.asked += 1;
        *self.sizes.get_or_insert_mut(path.to_owned(), || 1)
    }
}

pub struct Sizes {
    inner: Mutex<Inner>,
}

impl Sizes {
    pub fn new() -> Sizes {
        Sizes { inner: Mutex::new(Inner { sizes: LruCache::new(INNER_SIZES_CAPACITY), asked: 0 }) }
    }

    pub fn size(&self, path: &str) -> u64 {
        self.inner.lock().size(path)
    }
}
