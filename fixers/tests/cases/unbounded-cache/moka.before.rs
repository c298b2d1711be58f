//! Caches of every shape become caches with a capacity.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

/// What a question costs.
#[derive(Clone, Copy, PartialEq)]
pub struct Cost(pub u64);

pub struct Plans {
    /// By text.
    cache: RwLock<HashMap<String, Arc<Vec<u8>>>>,
    costs: Arc<Mutex<HashMap<u64, Cost>>>,
}

impl Plans {
    pub fn new() -> Plans {
        Plans { cache: RwLock::new(HashMap::new()), costs: Arc::new(Mutex::new(HashMap::with_capacity(16))) }
    }

    pub fn plan(&self, text: &str) -> Arc<Vec<u8>> {
        if let Some(plan) = self.cache.read().get(text) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(text.as_bytes().to_vec());
        self.cache.write().insert(text.to_owned(), plan.clone());
        plan
    }

    pub fn known(&self, text: &str) -> bool {
        self.cache.read().contains_key(text)
    }

    pub fn size(&self, text: &str) -> usize {
        let cache = self.cache.read();
        match cache.get(text) {
            Some(plan) => plan.len(),
            None => 0,
        }
    }

    pub fn peek(&self, text: &str) -> Option<Arc<Vec<u8>>> {
        self.cache.read().get(text).cloned()
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

static SQUARES: LazyLock<DashMap<u64, u64>> = LazyLock::new(DashMap::new);

pub fn square(n: u64) -> u64 {
    *SQUARES.entry(n).or_insert_with(|| n * n)
}

pub struct Lengths {
    memo: DashMap<String, usize>,
}

impl Lengths {
    pub fn new() -> Self {
        Self { memo: DashMap::new() }
    }

    pub fn of(&self, name: &str) -> usize {
        if let Some(found) = self.memo.get(name) {
            return *found;
        }
        let length = name.chars().count();
        self.memo.insert(name.to_string(), length);
        length
    }

    pub fn again(&self, name: &str) -> usize {
        *self.memo.entry(name.to_string()).or_insert_with(|| name.len())
    }
}
