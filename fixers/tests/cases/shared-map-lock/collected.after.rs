use dashmap::DashSet;
use dashmap::DashMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;


pub struct Quote {
    pub id: u64,
    pub sum: u64,
}

/// Maps that begin with what was collected: into the map itself, or into one that has another name first.
pub struct Quotes {
    by_id: Arc<DashMap<u64, Quote>>,
    by_sum: DashMap<u64, u64>,
    paid: DashSet<u64>,
    spent: Arc<DashMap<u64, u64>>,
    owners: DashMap<u64, u64>,
    known: DashSet<u64>,
}

impl Quotes {
    pub fn new(quotes: Vec<Quote>, paid: Vec<u64>, spent: HashMap<u64, u64>) -> Quotes {
        let owners = quotes.iter().map(|q| (q.id, q.sum)).collect();
        let mut known = HashSet::new();
        known.extend(paid.iter().copied());
        Quotes {
            owners: <std::collections::HashMap<_, _>>::into_iter(owners).collect::<DashMap<_, _>>(),
            known: known.into_iter().collect::<DashSet<_>>(),
            by_sum: quotes.iter().map(|q| (q.sum, q.id)).collect::<DashMap<_, _>>(),
            by_id: Arc::new(quotes.into_iter().map(|q| (q.id, q)).collect::<DashMap<_, _>>()),
            paid: paid.into_iter().collect::<DashSet<_>>(),
            spent: Arc::new(spent.into_iter().collect::<DashMap<_, _>>()),
        }
    }

    pub fn put(&self, quote: Quote) {
        self.by_sum.insert(quote.sum, quote.id);
        self.by_id.insert(quote.id, quote);
    }

    pub fn owner(&self, id: u64) -> Option<u64> {
        self.known.insert(id);
        self.owners.get(&id).map(|e| *e.value())
    }

    pub fn sum(&self, id: u64) -> Option<u64> {
        self.by_id.get(&id).map(|q| q.sum)
    }

    pub fn with_sum(&self, sum: u64) -> Option<u64> {
        self.by_sum.get(&sum).map(|e| *e.value())
    }

    pub fn pay(&self, id: u64) -> bool {
        self.paid.insert(id)
    }

    pub fn spend(&self, id: u64, sum: u64) {
        self.spent.insert(id, sum);
    }
}
