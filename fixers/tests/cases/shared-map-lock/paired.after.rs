use dashmap::DashMap;

#[derive(Default)]
pub struct Plans {
    by_id: DashMap<u64, u64>,
    by_name: DashMap<u64, u64>,
    ports: DashMap<u64, Vec<u16>>,
}

impl Plans {
    /// Two pairs of a check and an insert, one in the other.
    pub fn create(&self, id: u64, name: u64) -> Result<(), String> {
        let dashmap::mapref::entry::Entry::Vacant(shard_entry) = self.by_id.entry(id) else {
            return Err("known".to_owned());
        };
        let dashmap::mapref::entry::Entry::Vacant(entry) = self.by_name.entry(name) else {
            return Err("taken".to_owned());
        };
        entry.insert(id);
        shard_entry.insert(name);
        Ok(())
    }

    pub fn name_of(&self, id: u64) -> Option<u64> {
        self.by_id.get(&id).map(|e| *e.value())
    }

    pub fn named(&self, name: u64) -> Option<u64> {
        self.by_name.get(&name).map(|e| *e.value())
    }

    pub fn forget(&self, name: u64) {
        self.by_name.remove(&name);
    }

    pub fn open(&self, id: u64, ports: Vec<u16>) {
        self.ports.insert(id, ports);
    }

    pub fn all_ports(&self) -> Vec<u16> {
        self.ports.iter().flat_map(|ports| ports.iter().copied().collect::<Vec<_>>()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn ports_are_told() {
        let plans = Plans::default();
        let wanted = HashMap::from([(1, vec![2, 3])]);
        for (&id, ports) in &wanted {
            plans.open(id, ports.clone());
        }
        assert_eq!(plans.all_ports(), [2, 3]);
    }
}
