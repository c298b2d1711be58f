//! The peers. Each is set up as its own documentation advises for this load: a cache of the same size, filters on.

use std::ops::Bound;
use std::path::Path;

use fjall::Readable;
use heed::types::Bytes;
use redb::ReadableDatabase;

use crate::peer::{Peer, Reader, Result, Row, look, look_at_row};

const REDB_TABLE: redb::TableDefinition<'static, &[u8], &[u8]> = redb::TableDefinition::new("rows");

pub struct Redb(redb::Database);

pub fn redb(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    let db = redb::Database::builder().set_cache_size(cache as usize).create(directory.join("redb"))?;
    let txn = db.begin_write()?;
    txn.open_table(REDB_TABLE)?;
    txn.commit()?;
    Ok(Box::new(Redb(db)))
}

impl Peer for Redb {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        let mut txn = self.0.begin_write()?;
        txn.set_durability(if durable { redb::Durability::Immediate } else { redb::Durability::None })?;
        {
            let mut table = txn.open_table(REDB_TABLE)?;
            for (key, value) in rows {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        Ok(txn.commit()?)
    }

    fn settle(&self) -> Result<()> {
        self.commit(&[], true)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        let table = self.0.begin_read()?.open_table(REDB_TABLE)?;
        Ok(Box::new(RedbReader { db: &self.0, table }))
    }
}

struct RedbReader<'a> {
    db: &'a redb::Database,
    table: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Reader for RedbReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.table.get(key)?.map(|value| look(value.value())))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        let table = self.db.begin_read()?.open_table(REDB_TABLE)?;
        Ok(table.get(key)?.map(|value| look(value.value())))
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let mut count = 0;
        for row in self.table.range(start..)?.take(limit) {
            let (key, value) = row?;
            std::hint::black_box(look_at_row(key.value(), value.value()));
            count += 1;
        }
        Ok(count)
    }
}

pub struct Fjall {
    db: fjall::Database,
    rows: fjall::Keyspace,
}

pub fn fjall(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    let db = fjall::Database::builder(directory.join("fjall")).cache_size(cache).open()?;
    let rows = db.keyspace("rows", fjall::KeyspaceCreateOptions::default)?;
    Ok(Box::new(Fjall { db, rows }))
}

impl Peer for Fjall {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        let mut batch = self.db.batch().durability(durable.then_some(fjall::PersistMode::SyncData));
        for (key, value) in rows {
            batch.insert(&self.rows, key.as_slice(), value.as_slice());
        }
        Ok(batch.commit()?)
    }

    fn settle(&self) -> Result<()> {
        self.rows.rotate_memtable_and_wait()?;
        Ok(self.rows.major_compact()?)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(FjallReader(self)))
    }
}

struct FjallReader<'a>(&'a Fjall);

impl Reader for FjallReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.rows.get(key)?.map(|value| look(&value)))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.db.snapshot().get(&self.0.rows, key)?.map(|value| look(&value)))
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let mut count = 0;
        for row in self.0.rows.range(start..).take(limit) {
            let (key, value) = row.into_inner()?;
            std::hint::black_box(look_at_row(&key, &value));
            count += 1;
        }
        Ok(count)
    }
}

pub struct Lmdb {
    env: heed::Env,
    rows: heed::Database<Bytes, Bytes>,
}

pub fn lmdb(directory: &Path, _: u64) -> Result<Box<dyn Peer>> {
    let directory = directory.join("lmdb");
    std::fs::create_dir_all(&directory)?;
    let mut options = heed::EnvOpenOptions::new();
    options.map_size(64 << 30);
    // SAFETY: the directory was just made for this process alone.
    let env = unsafe { options.open(&directory)? };
    let mut txn = env.write_txn()?;
    let rows = env.create_database(&mut txn, None)?;
    txn.commit()?;
    Ok(Box::new(Lmdb { env, rows }))
}

impl Peer for Lmdb {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        // LMDB chooses durability when it is opened: a commit is always synced. Loading uses large ones.
        let _ = durable;
        let mut txn = self.env.write_txn()?;
        for (key, value) in rows {
            self.rows.put(&mut txn, key, value)?;
        }
        Ok(txn.commit()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(self.env.force_sync()?)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(LmdbReader { peer: self, txn: Some(self.env.read_txn()?) }))
    }
}

struct LmdbReader<'a> {
    peer: &'a Lmdb,
    txn: Option<heed::RoTxn<'a, heed::WithTls>>,
}

impl Reader for LmdbReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        let txn = match &mut self.txn {
            Some(txn) => txn,
            none => none.insert(self.peer.env.read_txn()?),
        };
        Ok(self.peer.rows.get(txn, key)?.map(look))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        // A thread may hold one read transaction at a time.
        self.txn = None;
        let txn = self.peer.env.read_txn()?;
        Ok(self.peer.rows.get(&txn, key)?.map(look))
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let txn = match &mut self.txn {
            Some(txn) => txn,
            none => none.insert(self.peer.env.read_txn()?),
        };
        let mut count = 0;
        for row in self.peer.rows.range(txn, &(Bound::Included(start), Bound::Unbounded))?.take(limit) {
            let (key, value) = row?;
            std::hint::black_box(look_at_row(key, value));
            count += 1;
        }
        Ok(count)
    }
}

pub struct Sled(sled::Db);

pub fn sled(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    Ok(Box::new(Sled(sled::Config::new().path(directory.join("sled")).cache_capacity(cache).open()?)))
}

impl Peer for Sled {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        if let [(key, value)] = rows {
            self.0.insert(key, value.as_slice())?;
        } else {
            let mut batch = sled::Batch::default();
            for (key, value) in rows {
                batch.insert(key.as_slice(), value.as_slice());
            }
            self.0.apply_batch(batch)?;
        }
        if durable {
            self.0.flush()?;
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        self.0.flush()?;
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(SledReader(&self.0)))
    }
}

struct SledReader<'a>(&'a sled::Db);

impl Reader for SledReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.get(key)?.map(|value| look(&value)))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        // sled has no snapshots.
        self.get(key)
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let mut count = 0;
        for row in self.0.range(start..).take(limit) {
            let (key, value) = row?;
            std::hint::black_box(look_at_row(&key, &value));
            count += 1;
        }
        Ok(count)
    }
}
