//! Where the error type can hold it, a poisoned lock is an error.

use std::sync::{Mutex, PoisonError, RwLock};

#[derive(Debug)]
pub enum Error {
    Missing,
    LockPoisoned(String),
}

#[derive(Debug)]
pub struct Broken;

impl<T> From<PoisonError<T>> for Broken {
    fn from(_: PoisonError<T>) -> Broken {
        Broken
    }
}

pub struct Store {
    values: RwLock<Vec<u64>>,
    count: Mutex<u64>,
}

impl Store {
    pub fn first(&self) -> Result<u64, Error> {
        self.values.read().unwrap().first().copied().ok_or(Error::Missing)
    }

    pub fn count(&self) -> Result<u64, Broken> {
        let count = self.count.lock().unwrap();
        Ok(*count)
    }

    pub fn add(&self, n: u64) -> Result<(), Box<dyn std::error::Error>> {
        self.values.write().expect("poisoned").push(n);
        Ok(())
    }

    pub fn all(&self) -> Result<usize, String> {
        let values = self.values.read().unwrap();
        Ok(values.len())
    }
}
