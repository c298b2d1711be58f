//! Locks that do not poison: the declaration, what makes it, and every acquisition.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

static TOTAL: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0);
static NAMES: LazyLock<parking_lot::RwLock<HashMap<u64, String>>> =
    LazyLock::new(|| parking_lot::RwLock::new(HashMap::new()));

pub fn total() -> u64 {
    *TOTAL.lock()
}

pub fn name(id: u64) -> Option<String> {
    NAMES.read().get(&id).cloned()
}

#[derive(Debug, Default)]
pub struct Pool {
    pages: Arc<parking_lot::Mutex<Vec<u8>>>,
    pub reads: parking_lot::RwLock<u64>,
}

impl Pool {
    pub fn new() -> Pool {
        Pool { pages: Arc::new(parking_lot::Mutex::new(Vec::new())), reads: Default::default() }
    }

    pub fn push(&self, page: u8) {
        let mut pages = self.pages.lock();
        pages.push(page);
    }

    pub fn count(&self) -> usize {
        let pages = self.pages.lock();
        pages.len()
    }

    pub fn read(&self) -> u64 {
        {
            let mut reads = self.reads.write();
            *reads += 1;
        }
        *self.reads.read()
    }

    pub fn try_push(&self, page: u8) -> bool {
        match self.pages.try_lock() {
            Some(mut pages) => {
                pages.push(page);
                true
            }
            None => false,
        }
    }

    pub fn last(&self) -> Result<Option<u8>, String> {
        let pages = self.pages.lock();
        Ok(pages.last().copied())
    }

    pub fn spawn(&self) -> std::thread::JoinHandle<()> {
        let pages = Arc::clone(&self.pages);
        std::thread::spawn(move || pages.lock().push(1))
    }

    pub fn reads_now(&self) -> u64 {
        let reads = self.reads.read();
        *reads
    }

    pub fn into_reads(self) -> u64 {
        self.reads.into_inner()
    }
}
