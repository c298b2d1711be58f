//! The lock stays, and the map under it becomes one that evicts what was used least recently.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

pub struct History {
    history: Arc<RwLock<HashMap<u64, VecDeque<f64>>>>,
    memo: Mutex<HashMap<String, u64>>,
}

impl History {
    pub fn new() -> History {
        History { history: Arc::new(RwLock::new(HashMap::new())), memo: Mutex::new(HashMap::new()) }
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
        history.entry(id).or_insert_with(VecDeque::new).len()
    }

    pub fn is_new(&self, id: u64) -> bool {
        self.history.write().entry(id).or_default().is_empty()
    }

    pub fn mean(&self, id: u64) -> Option<f64> {
        let history = self.history.read();
        let times = history.get(&id)?;
        Some(times.iter().sum::<f64>() / times.len() as f64)
    }

    pub fn length(&self, text: &str) -> u64 {
        let mut memo = self.memo.lock();
        if let Some(length) = memo.get(text) {
            return *length;
        }
        let length = text.len() as u64;
        memo.insert(text.to_owned(), length);
        length
    }

    pub fn known(&self, text: &str) -> bool {
        self.memo.lock().contains_key(text)
    }
}

/// Behind a lock with other state.
pub struct Inner {
    sizes: HashMap<String, u64>,
    pub asked: u64,
}

impl Inner {
    fn size(&mut self, path: &str) -> u64 {
        self.asked += 1;
        *self.sizes.entry(path.to_owned()).or_insert(1)
    }
}

pub struct Sizes {
    inner: Mutex<Inner>,
}

impl Sizes {
    pub fn new() -> Sizes {
        Sizes { inner: Mutex::new(Inner { sizes: HashMap::new(), asked: 0 }) }
    }

    pub fn size(&self, path: &str) -> u64 {
        self.inner.lock().size(path)
    }
}
