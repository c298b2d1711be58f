//! RocksDB, set up as its documentation advises for this load: a cache of the same size, filters on.

use std::path::Path;

use crate::peer::{Peer, Reader, Result, Row, look, look_at_row};

struct RocksDb(rocksdb::DB);

pub fn open(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    let mut table = rocksdb::BlockBasedOptions::default();
    table.set_block_cache(&rocksdb::Cache::new_lru_cache(cache as usize));
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&table);
    options.set_compression_type(rocksdb::DBCompressionType::Lz4);
    options.increase_parallelism(2);
    Ok(Box::new(RocksDb(rocksdb::DB::open(&options, directory.join("rocksdb"))?)))
}

impl Peer for RocksDb {
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()> {
        let mut batch = rocksdb::WriteBatch::default();
        for (key, value) in rows {
            batch.put(key, value);
        }
        let mut options = rocksdb::WriteOptions::default();
        options.set_sync(durable);
        Ok(self.0.write_opt(batch, &options)?)
    }

    fn settle(&self) -> Result<()> {
        self.0.flush()?;
        self.0.compact_range(None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(RocksReader(&self.0)))
    }
}

struct RocksReader<'a>(&'a rocksdb::DB);

impl Reader for RocksReader<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        Ok(self.0.get_pinned(key)?.map(|value| look(&value)))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        let snapshot = self.0.snapshot();
        let mut options = rocksdb::ReadOptions::default();
        options.set_snapshot(&snapshot);
        Ok(self.0.get_pinned_opt(key, &options)?.map(|value| look(&value)))
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let mut rows = self.0.raw_iterator();
        rows.seek(start);
        let mut count = 0;
        while count < limit
            && let Some((key, value)) = rows.item()
        {
            std::hint::black_box(look_at_row(key, value));
            count += 1;
            rows.next();
        }
        rows.status()?;
        Ok(count)
    }
}
