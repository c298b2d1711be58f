use std::sync::{Condvar, Mutex, RwLock};

pub struct Counters {
    total: Mutex<u64>,
    names: RwLock<Vec<String>>,
    ready: Condvar,
}

impl Counters {
    pub fn add(&self, n: u64) {
        // The comment stays.
        *self.total.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += n;
    }

    pub fn names(&self) -> usize {
        self.names
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .len()
    }

    pub fn wait(&self) -> u64 {
        let mut total = self.total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while *total == 0 {
            total = self.ready.wait(total).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *total
    }

    pub fn by_hand(&self) -> u64 {
        let total = self.total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *total
    }

    pub fn tried(&self) -> u64 {
        *self.total.try_lock().unwrap()
    }
}
