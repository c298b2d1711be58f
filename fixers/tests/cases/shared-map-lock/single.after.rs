use dashmap::DashMap;
use std::sync::Arc;

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
    names: DashMap<String, u64>,
}

impl Names {
    /// A check and an insert belong together: one entry keeps them so.
    pub fn add(&self, name: &str) -> bool {
        let dashmap::mapref::entry::Entry::Vacant(entry) = self.names.entry(name.to_owned()) else {
            return false;
        };
        entry.insert(1);
        true
    }
}
