use std::collections::HashMap;

use parking_lot::RwLock;

#[derive(Default)]
pub struct Plans {
    by_id: RwLock<HashMap<u64, u64>>,
    by_name: RwLock<HashMap<u64, u64>>,
    ports: RwLock<HashMap<u64, Vec<u16>>>,
}

impl Plans {
    /// Two pairs of a check and an insert, one in the other.
    pub fn create(&self, id: u64, name: u64) -> Result<(), String> {
        let mut by_id = self.by_id.write();
        if by_id.contains_key(&id) {
            return Err("known".to_owned());
        }
        let mut by_name = self.by_name.write();
        if by_name.contains_key(&name) {
            return Err("taken".to_owned());
        }
        by_name.insert(name, id);
        by_id.insert(id, name);
        Ok(())
    }

    pub fn name_of(&self, id: u64) -> Option<u64> {
        self.by_id.read().get(&id).copied()
    }

    pub fn named(&self, name: u64) -> Option<u64> {
        self.by_name.read().get(&name).copied()
    }

    pub fn forget(&self, name: u64) {
        self.by_name.write().remove(&name);
    }

    pub fn open(&self, id: u64, ports: Vec<u16>) {
        self.ports.write().insert(id, ports);
    }

    pub fn all_ports(&self) -> Vec<u16> {
        self.ports.read().values().flat_map(|ports| ports.iter().copied()).collect()
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
