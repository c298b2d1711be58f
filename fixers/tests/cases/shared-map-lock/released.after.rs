use dashmap::DashMap;

#[derive(Clone, Default)]
pub struct Rate {
    pub hits: u64,
    pub limit: u64,
    pub owner: String,
}

#[derive(Default)]
pub struct Rates {
    by_client: DashMap<u64, Rate>,
    banned: DashMap<u64, String>,
}

impl Rates {
    /// The guard goes before the other lock is taken, and so does the reference.
    pub fn hit(&self, client: u64) -> Result<u64, String> {
        let mut rate = self.by_client.get_mut(&client).ok_or("not known")?;
        rate.hits += 1;
        let hits = rate.hits;
        drop(rate);

        self.banned.remove(&client);
        Ok(hits)
    }

    /// On one way only.
    pub fn checked(&self, client: u64) -> u64 {
        let mut rate_ref = self.by_client.entry(client).or_insert_with(Rate::default);
        let rate = rate_ref.value_mut();
        rate.hits += 1;
        if rate.hits > rate.limit {
            drop(rate_ref);
            self.ban(client);
            return 0;
        }
        rate.limit - rate.hits
    }

    /// The map is used again after it.
    pub fn renewed(&self, client: u64) -> bool {
        if let Some(rate) = self.by_client.get(&client) {
            if rate.hits > 10 {
                drop(rate);
                self.by_client.insert(client, Rate::default());
            }
            true
        } else {
            self.by_client.insert(client, Rate::default());
            false
        }
    }

    /// The reference is handed on, so that a plain one is bound beside it.
    pub fn weighed(&self, client: u64) -> u64 {
        match self.by_client.get(&client) {
            Some(rate_ref) => {
                let rate = rate_ref.value();
                let weight = weight(rate);
                drop(rate_ref);
                self.ban(client);
                weight
            }
            None => 0,
        }
    }

    /// A copy takes the reference's name.
    pub fn owner(&self, client: u64) -> Option<String> {
        let rate_ref = self.by_client.get(&client)?;
        let rate = rate_ref.value();
        let rate = rate.clone();
        drop(rate_ref);
        self.ban(client);
        Some(rate.owner)
    }

    fn ban(&self, client: u64) {
        self.banned.insert(client, String::new());
    }
}

fn weight(rate: &Rate) -> u64 {
    rate.hits * 2
}
