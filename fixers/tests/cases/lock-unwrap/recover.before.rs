use std::sync::{Condvar, Mutex, RwLock};

pub struct Counters {
    total: Mutex<u64>,
    names: RwLock<Vec<String>>,
    ready: Condvar,
}

impl Counters {
    pub fn add(&self, n: u64) {
        // The comment stays.
        *self.total.lock().unwrap() += n;
    }

    pub fn names(&self) -> usize {
        self.names
            .read()
            .expect("nobody panics here")
            .len()
    }

    pub fn wait(&self) -> u64 {
        let mut total = self.total.lock().unwrap();
        while *total == 0 {
            total = self.ready.wait(total).unwrap();
        }
        *total
    }

    pub fn by_hand(&self) -> u64 {
        let Ok(total) = self.total.lock() else { panic!("poisoned") };
        *total
    }

    pub fn tried(&self) -> u64 {
        *self.total.try_lock().unwrap()
    }
}
