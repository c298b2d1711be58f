use std::collections::HashMap;

use parking_lot::RwLock;

#[derive(Clone, Default)]
pub struct Rate {
    pub hits: u64,
    pub limit: u64,
    pub owner: String,
}

#[derive(Default)]
pub struct Rates {
    by_client: RwLock<HashMap<u64, Rate>>,
    banned: RwLock<HashMap<u64, String>>,
}

impl Rates {
    /// The guard goes before the other lock is taken, and so does the reference.
    pub fn hit(&self, client: u64) -> Result<u64, String> {
        let mut rates = self.by_client.write();
        let rate = rates.get_mut(&client).ok_or("not known")?;
        rate.hits += 1;
        let hits = rate.hits;
        drop(rates);

        self.banned.write().remove(&client);
        Ok(hits)
    }

    /// On one way only.
    pub fn checked(&self, client: u64) -> u64 {
        let mut rates = self.by_client.write();
        let rate = rates.entry(client).or_insert_with(Rate::default);
        rate.hits += 1;
        if rate.hits > rate.limit {
            drop(rates);
            self.ban(client);
            return 0;
        }
        rate.limit - rate.hits
    }

    /// The map is used again after it.
    pub fn renewed(&self, client: u64) -> bool {
        let rates = self.by_client.read();
        if let Some(rate) = rates.get(&client) {
            if rate.hits > 10 {
                drop(rates);
                self.by_client.write().insert(client, Rate::default());
            }
            true
        } else {
            drop(rates);
            self.by_client.write().insert(client, Rate::default());
            false
        }
    }

    /// The reference is handed on, so that a plain one is bound beside it.
    pub fn weighed(&self, client: u64) -> u64 {
        let rates = self.by_client.read();
        match rates.get(&client) {
            Some(rate) => {
                let weight = weight(rate);
                drop(rates);
                self.ban(client);
                weight
            }
            None => 0,
        }
    }

    /// A copy takes the reference's name.
    pub fn owner(&self, client: u64) -> Option<String> {
        let rates = self.by_client.read();
        let rate = rates.get(&client)?;
        let rate = rate.clone();
        drop(rates);
        self.ban(client);
        Some(rate.owner)
    }

    fn ban(&self, client: u64) {
        self.banned.write().insert(client, String::new());
    }
}

fn weight(rate: &Rate) -> u64 {
    rate.hits * 2
}
