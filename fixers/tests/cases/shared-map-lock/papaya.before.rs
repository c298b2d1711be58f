//! The guard becomes a pin; references into the map stay plain ones.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};

#[derive(Clone)]
pub struct Session {
    pub user: String,
    pub hits: u64,
}

pub struct Sessions {
    by_id: Arc<RwLock<HashMap<u64, Session>>>,
    seen: Mutex<HashSet<u64>>,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions { by_id: Arc::new(RwLock::new(HashMap::new())), seen: Mutex::new(HashSet::new()) }
    }

    pub fn open(&self, id: u64, session: Session) {
        self.by_id.write().unwrap().insert(id, session);
    }

    pub fn get(&self, id: u64) -> Option<Session> {
        self.by_id.read().unwrap().get(&id).cloned()
    }

    pub fn user(&self, id: u64) -> Option<String> {
        let sessions = self.by_id.read().unwrap();
        let session = sessions.get(&id)?;
        Some(session.user.clone())
    }

    pub fn close(&self, id: u64) -> Option<Session> {
        let mut sessions = self.by_id.write().unwrap();
        sessions.remove(&id)
    }

    pub fn busy(&self) -> Vec<Session> {
        self.by_id.read().unwrap().values().filter(|s| s.hits > 10).cloned().collect()
    }

    pub fn report(&self, out: &mut Vec<String>) {
        if let Ok(sessions) = self.by_id.read() {
            for (id, session) in sessions.iter() {
                out.push(format!("{id} {}", session.user));
            }
        }
    }

    pub fn first(&self, id: u64) -> bool {
        self.seen.lock().unwrap().insert(id)
    }

    pub fn is_seen(&self, id: u64) -> bool {
        self.seen.lock().unwrap().contains(&id)
    }
}
