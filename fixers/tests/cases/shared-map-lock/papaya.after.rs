//! The guard becomes a pin; references into the map stay plain ones.

use std::sync::Arc;

#[derive(Clone)]
pub struct Session {
    pub user: String,
    pub hits: u64,
}

pub struct Sessions {
    by_id: Arc<papaya::HashMap<u64, Session>>,
    seen: papaya::HashSet<u64>,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions { by_id: Arc::new(papaya::HashMap::new()), seen: papaya::HashSet::new() }
    }

    pub fn open(&self, id: u64, session: Session) {
        self.by_id.pin().insert(id, session);
    }

    pub fn get(&self, id: u64) -> Option<Session> {
        self.by_id.pin().get(&id).cloned()
    }

    pub fn user(&self, id: u64) -> Option<String> {
        let sessions = self.by_id.pin();
        let session = sessions.get(&id)?;
        Some(session.user.clone())
    }

    pub fn close(&self, id: u64) -> Option<Session> {
        let sessions = self.by_id.pin();
        sessions.remove(&id).cloned()
    }

    pub fn busy(&self) -> Vec<Session> {
        self.by_id.pin().values().filter(|s| s.hits > 10).cloned().collect()
    }

    pub fn report(&self, out: &mut Vec<String>) {
        {
            let sessions = self.by_id.pin();
            for (id, session) in sessions.iter() {
                out.push(format!("{id} {}", session.user));
            }
        }
    }

    pub fn first(&self, id: u64) -> bool {
        self.seen.pin().insert(id)
    }

    pub fn is_seen(&self, id: u64) -> bool {
        self.seen.pin().contains(&id)
    }
}
