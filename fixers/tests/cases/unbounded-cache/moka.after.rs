//! Caches of every shape become caches with a capacity.

use moka::sync::Cache;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

/// What a question costs.
#[derive(Clone, Copy, PartialEq)]
pub struct Cost(pub u64);

/// Entries that `Plans.cache` holds at most; beyond, some are evicted.
const PLANS_CACHE_CAPACITY: u64 = 500;

pub struct Plans {
    /// By text.
    cache: Cache<String, Arc<Vec<u8>>>,
    costs: Arc<Mutex<HashMap<u64, Cost>>>,
}

impl Plans {
    pub fn new() -> Plans {
        Plans {
            cache: Cache::new(PLANS_CACHE_CAPACITY),
            costs: Arc::new(Mutex::new(HashMap::with_capacity(16))),
        }
    }

    pub fn plan(&self, text: &str) -> Arc<Vec<u8>> {
        if let Some(plan) = self.cache.get(text) {
            return plan;
        }
        let plan = Arc::new(text.as_bytes().to_vec());
        self.cache.insert(text.to_owned(), plan.clone());
        plan
    }

    pub fn known(&self, text: &str) -> bool {
        self.cache.contains_key(text)
    }

    pub fn size(&self, text: &str) -> usize {
        match self.cache.get(text) {
            Some(plan) => plan.len(),
            None => 0,
        }
    }

    pub fn peek(&self, text: &str) -> Option<Arc<Vec<u8>>> {
        self.cache.get(text)
    }

    pub fn cost(&self, id: u64) -> Cost {
        let mut costs = self.costs.lock();
        if let Some(&cost) = costs.get(&id) {
            return cost;
        }
        let cost = Cost(id * 2);
        costs.insert(id, cost);
        cost
    }

    pub fn cheap(&self, id: u64, limit: Cost) -> bool {
        self.costs.lock().get(&id).map(|c| *c == limit).unwrap_or(false)
    }

    pub fn held(&self) -> usize {
        self.costs.lock().len()
    }
}

impl Default for Plans {
    fn default() -> Plans {
        Plans::new()
    }
}

/// Entries that `SQUARES` holds at most; beyond, some are evicted.
const SQUARES_CAPACITY: u64 = 500;

static SQUARES: LazyLock<Cache<u64, u64>> = LazyLock::new(|| Cache::new(SQUARES_CAPACITY));

pub fn square(n: u64) -> u64 {
    SQUARES.get_with(n, || n * n)
}

/// Entries that `Lengths.memo` holds at most; beyond, some are evicted.
const LENGTHS_MEMO_CAPACITY: u64 = 500;

pub struct Lengths {
    memo: Cache<String, usize>,
}

impl Lengths {
    pub fn new() -> Self {
        Self { memo: Cache::new(LENGTHS_MEMO_CAPACITY) }
    }

    pub fn of(&self, name: &str) -> usize {
        if let Some(found) = self.memo.get(name) {
            return found;
        }
        let length = name.chars().count();
        self.memo.insert(name.to_string(), length);
        length
    }

    pub fn again(&self, name: &str) -> usize {
        self.memo.get_with(name.to_string(), || name.len())
    }
}
