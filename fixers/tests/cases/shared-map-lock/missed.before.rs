use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

#[derive(Default)]
pub struct Counts {
    by_page: RwLock<HashMap<u64, AtomicU64>>,
    names: RwLock<HashMap<u64, String>>,
}

impl Counts {
    /// On a miss no reference into the map is alive.
    pub fn touch(&self, page: u64) {
        let counts = self.by_page.read();
        if let Some(count) = counts.get(&page) {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            drop(counts);
            let mut counts = self.by_page.write();
            counts.entry(page).or_insert_with(|| AtomicU64::new(0)).fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn name(&self, id: u64) -> String {
        match self.names.read().get(&id) {
            Some(name) => return name.clone(),
            None => {}
        }
        let name = id.to_string();
        self.names.write().insert(id, name.clone());
        name
    }

    pub fn count(&self, page: u64) -> u64 {
        self.by_page.read().get(&page).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
