//! Locks that do not poison: the declaration, what makes it, and every acquisition.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, RwLock};

static TOTAL: Mutex<u64> = Mutex::new(0);
static NAMES: LazyLock<RwLock<HashMap<u64, String>>> = LazyLock::new(|| RwLock::new(HashMap::new()));

pub fn total() -> u64 {
    *TOTAL.lock().unwrap()
}

pub fn name(id: u64) -> Option<String> {
    NAMES.read().expect("poisoned").get(&id).cloned()
}

#[derive(Debug, Default)]
pub struct Pool {
    pages: Arc<Mutex<Vec<u8>>>,
    pub reads: RwLock<u64>,
}

impl Pool {
    pub fn new() -> Pool {
        Pool { pages: Arc::new(Mutex::new(Vec::new())), reads: Default::default() }
    }

    pub fn push(&self, page: u8) {
        let mut pages = self.pages.lock().unwrap();
        pages.push(page);
    }

    pub fn count(&self) -> usize {
        let Ok(pages) = self.pages.lock() else { panic!("poisoned") };
        pages.len()
    }

    pub fn read(&self) -> u64 {
        if let Ok(mut reads) = self.reads.write() {
            *reads += 1;
        }
        *self.reads.read().unwrap_or_else(|e| e.into_inner())
    }

    pub fn try_push(&self, page: u8) -> bool {
        match self.pages.try_lock() {
            Ok(mut pages) => {
                pages.push(page);
                true
            }
            Err(_) => false,
        }
    }

    pub fn last(&self) -> Result<Option<u8>, String> {
        let pages = self.pages.lock().map_err(|e| e.to_string())?;
        Ok(pages.last().copied())
    }

    pub fn spawn(&self) -> std::thread::JoinHandle<()> {
        let pages = Arc::clone(&self.pages);
        std::thread::spawn(move || pages.lock().unwrap().push(1))
    }

    pub fn reads_now(&self) -> u64 {
        let reads = self.reads.read().unwrap();
        *reads
    }

    pub fn into_reads(self) -> u64 {
        self.reads.into_inner().unwrap()
    }
}
