use dashmap::DashMap;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counts {
    by_page: DashMap<u64, AtomicU64>,
    names: DashMap<u64, String>,
}

impl Counts {
    /// On a miss no reference into the map is alive.
    pub fn touch(&self, page: u64) {
        if let Some(count) = self.by_page.get(&page) {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            self.by_page.entry(page).or_insert_with(|| AtomicU64::new(0)).fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn name(&self, id: u64) -> String {
        match self.names.get(&id) {
            Some(name) => return name.clone(),
            None => {}
        }
        let name = id.to_string();
        self.names.insert(id, name.clone());
        name
    }

    pub fn count(&self, page: u64) -> u64 {
        self.by_page.get(&page).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
