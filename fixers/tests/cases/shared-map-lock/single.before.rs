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
    by_id: Arc<RwLock<HashMap<u64, Session>>>,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions { by_id: Arc::new(RwLock::new(HashMap::new())) }
    }

    pub fn open(&self, id: u64, session: Session) {
        self.by_id.write().insert(id, session);
    }

    pub fn get(&self, id: u64) -> Option<Session> {
        self.by_id.read().get(&id).cloned()
    }

    pub fn user(&self, id: u64) -> Option<String> {
        let sessions = self.by_id.read();
        sessions.get(&id).map(|s| s.user.clone())
    }

    pub fn hit(&self, id: u64) {
        if let Some(session) = self.by_id.write().get_mut(&id) {
            session.hits += 1;
        }
    }

    pub fn close(&self, id: u64) -> Option<Session> {
        self.by_id.write().remove(&id)
    }

    pub fn busy(&self) -> Vec<Session> {
        self.by_id.read().values().filter(|s| s.hits > 10).cloned().collect()
    }

    pub fn report(&self, out: &mut Vec<String>) {
        for (id, session) in self.by_id.read().iter() {
            out.push(format!("{id} {}", session.user));
        }
    }
}

pub struct Names {
    names: RwLock<HashMap<String, u64>>,
}

impl Names {
    /// A check and an insert belong together: one entry keeps them so.
    pub fn add(&self, name: &str) -> bool {
        let mut names = self.names.write();
        if names.contains_key(name) {
            return false;
        }
        names.insert(name.to_owned(), 1);
        true
    }
}
