//! Caches of every shape become caches with a capacity.

use quick_cache::sync::Cache;
use std::sync::{Arc, LazyLock};

/// What a question costs.
#[derive(Clone, Copy, PartialEq)]
pub struct Cost(pub u64);

/// Entries that `Plans.cache` holds at most; beyond, some are evicted.
const PLANS_CACHE_CAPACITY: usize = 10_000;

/// Entries that `Plans.costs` holds at most; beyond, some are evicted.
const PLANS_COSTS_CAPACITY: usize = 10_000;

pub struct Plans {
    /// By text.
    cache: Cache<String, Arc<Vec<u8>>>,
    costs: Arc<Cache<u64, Cost>>,
}

impl Plans {
    pub fn new() -> Plans {
        Plans { cache: Cache::new(PLANS_CACHE_CAPACITY), costs: Arc::new(Cache::new(PLANS_COSTS_CAPACITY)) }
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
        if let Some(cost) = self.costs.get(&id) {
            return cost;
        }
        let cost = Cost(id * 2);
        self.costs.insert(id, cost);
        cost
    }

    pub fn cheap(&self, id: u64, limit: Cost) -> bool {
        self.costs.get(&id).map(|c| c == limit).unwrap_or(false)
    }

    pub fn held(&self) -> usize {
        self.costs.len()
    }
}

impl Default for Plans {
    fn default() -> Plans {
        Plans::new()
    }
}

/// Entries that `SQUARES` holds at most; beyond, some are evicted.
const SQUARES_CAPACITY: usize = 10_000;

static SQUARES: LazyLock<Cache<u64, u64>> = LazyLock::new(|| Cache::new(SQUARES_CAPACITY));

pub fn square(n: u64) -> u64 {
    SQUARES
        .get_or_insert_with(&n, || Ok::<_, std::convert::Infallible>(n * n))
        .unwrap_or_else(|never| match never {})
}

/// Entries that `Lengths.memo` holds at most; beyond, some are evicted.
const LENGTHS_MEMO_CAPACITY: usize = 10_000;

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
        self.memo
            .get_or_insert_with(name, || Ok::<_, std::convert::Infallible>(name.len()))
            .unwrap_or_else(|never| match never {})
    }
}
