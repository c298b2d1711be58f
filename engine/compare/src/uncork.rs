//! The engine itself, with its defaults and the same memory as the others.

use std::ops::Bound;
use std::path::Path;

use uncork_engine::{Database, Durability, Options, Table, WriteBatch};

use crate::peer::{Peer, Reader, Result, Row, look, look_at_row};

struct Uncork {
    db: Database,
    rows: Table,
}

pub fn open(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    let options = Options { memory_budget: cache, ..Options::default() };
    let db = Database::open(directory.join("uncork"), options)?;
    let rows = db.table("rows")?;
    Ok(Box::new(Uncork { db, rows }))
}

impl Peer for Uncork {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (key, value) in rows {
            batch.put(&self.rows, key, value)?;
        }
        let durability = if durable { Durability::Sync } else { Durability::Buffered };
        Ok(self.db.write(&batch, durability)?)
    }

    fn settle(&self) -> Result<()> {
        Ok(self.db.compact()?)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(UncorkReader(self)))
    }
}

struct UncorkReader<'a>(&'a Uncork);

impl Reader for UncorkReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.rows.get(key)?.map(|value| look(&value)))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.db.snapshot().get(&self.0.rows, key)?.map(|value| look(&value)))
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let mut rows = self.0.rows.range((Bound::Included(start), Bound::Unbounded))?;
        let mut count = 0;
        while count < limit
            && let Some((key, value)) = rows.next_ref()?
        {
            std::hint::black_box(look_at_row(key, value));
            count += 1;
        }
        Ok(count)
    }
}
