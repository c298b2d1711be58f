use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

pub struct Quote {
    pub id: u64,
    pub sum: u64,
}

/// Maps that begin with what was collected: into the map itself, or into one that has another name first.
pub struct Quotes {
    by_id: Arc<RwLock<HashMap<u64, Quote>>>,
    by_sum: RwLock<HashMap<u64, u64>>,
    paid: RwLock<HashSet<u64>>,
    spent: Arc<RwLock<HashMap<u64, u64>>>,
    owners: RwLock<HashMap<u64, u64>>,
    known: RwLock<HashSet<u64>>,
}

impl Quotes {
    pub fn new(quotes: Vec<Quote>, paid: Vec<u64>, spent: HashMap<u64, u64>) -> Quotes {
        let owners = quotes.iter().map(|q| (q.id, q.sum)).collect();
        let mut known = HashSet::new();
        known.extend(paid.iter().copied());
        Quotes {
            owners: RwLock::new(owners),
            known: RwLock::new(known),
            by_sum: RwLock::new(quotes.iter().map(|q| (q.sum, q.id)).collect::<HashMap<_, _>>()),
            by_id: Arc::new(RwLock::new(
                quotes.into_iter().map(|q| (q.id, q)).collect(),
            )),
            paid: RwLock::new(paid.into_iter().collect()),
            spent: Arc::new(RwLock::new(spent)),
        }
    }

    pub fn put(&self, quote: Quote) {
        self.by_sum.write().insert(quote.sum, quote.id);
        self.by_id.write().insert(quote.id, quote);
    }

    pub fn owner(&self, id: u64) -> Option<u64> {
        self.known.write().insert(id);
        self.owners.read().get(&id).copied()
    }

    pub fn sum(&self, id: u64) -> Option<u64> {
        self.by_id.read().get(&id).map(|q| q.sum)
    }

    pub fn with_sum(&self, sum: u64) -> Option<u64> {
        self.by_sum.read().get(&sum).copied()
    }

    pub fn pay(&self, id: u64) -> bool {
        self.paid.write().insert(id)
    }

    pub fn spend(&self, id: u64, sum: u64) {
        self.spent.write().insert(id, sum);
    }
}
