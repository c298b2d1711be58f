use dashmap::DashMap;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

#[derive(Clone)]
pub struct Session {
    pub user: String,
    pub hits: u64,
}

pub struct Sessions {
    /// By id.
    by_id: Arc<DashMap<u64, Session>>,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions { by_id: Arc::new(DashMap::new()) }
    }

    pub fn open(&self, id: u64, session: Session) {
        self.by_id.insert(id, session);
    }

    pub fn get(&self, id: u64) -> Option<Session> {
        self.by_id.get(&id).map(|e| e.value().clone())
    }

    pub fn user(&self, id: u64) -> Option<String> {
        self.by_id.get(&id).map(|s| s.user.clone())
    }

    pub fn hit(&self, id: u64) {
        if let Some(mut session) = self.by_id.get_mut(&id) {
            session.hits += 1;
        }
    }

    pub fn close(&self, id: u64) -> Option<Session> {
        self.by_id.remove(&id).map(|(_, v)| v)
    }

    pub fn busy(&self) -> Vec<Session> {
        self.by_id.iter().filter(|s| s.hits > 10).map(|e| e.value().clone()).collect()
    }

    pub fn report(&self, out: &mut Vec<String>) {
        for entry in self.by_id.iter() {
            let (id, session) = entry.pair();
            out.push(format!("{id} {}", session.user));
        }
    }
}

pub struct Names {
    names: RwLock<HashMap<String, u64>>,
}

impl Names {
    /// A check and an insert belong together: this map stays as it is.
    pub fn add(&self, name: &str) -> bool {
        let mut names = self.names.write();
        if names.contains_key(name) {
            return false;
        }
        names.insert(name.to_owned(), 1);
        true
    }
}
