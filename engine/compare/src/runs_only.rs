//! Runs alone, without a database around them: the floor under the read path.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use uncork_engine::Error;
use uncork_engine::blocks::pool::{ReadMode, ReadPool};
use uncork_engine::key::{self, Kind, Version};
use uncork_engine::merge::{Concat, Scan};
use uncork_engine::run::{Keep, Run, RunOptions, RunWriter};
use uncork_engine::storage::{Disk, Storage};

use crate::peer::{Peer, Reader, Result, Row, look, look_at_row};

struct Runs {
    directory: PathBuf,
    cache: u64,
    rows: Mutex<Vec<Row>>,
    base: OnceLock<Arc<[Arc<Run>]>>,
}

pub fn open(directory: &Path, cache: u64) -> Result<Box<dyn Peer>> {
    let directory = directory.to_owned();
    Ok(Box::new(Runs { directory, cache, rows: Mutex::default(), base: OnceLock::new() }))
}

impl Peer for Runs {
    fn commit(&self, rows: &[Row], _: bool) -> Result<()> {
        self.rows.lock().map_err(|_| "poisoned")?.extend_from_slice(rows);
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        let mut rows = std::mem::take(&mut *self.rows.lock().map_err(|_| "poisoned")?);
        rows.sort();
        let storage: Arc<dyn Storage> = Arc::new(Disk::default());
        let pool = Arc::new(ReadPool::new(self.cache, ReadMode::Map));
        let mut base = Vec::new();
        let mut options = RunOptions::default();
        if std::env::var_os("PLAIN").is_some() {
            options.compression = uncork_engine::compress::Compression::None;
        }
        if let Some(size) = std::env::var("BLOCK").ok().and_then(|v| v.parse().ok()) {
            options.block_size = size;
        }
        for (id, part) in rows.chunks(400_000).enumerate() {
            let path = self.directory.join(format!("{id:016x}.run"));
            let mut writer = RunWriter::create(&storage, &path, id as u64, &options)?;
            for (key, value) in part {
                writer.push(Version { key, sequence: 1, kind: Kind::Put, value })?;
            }
            writer.finish()?;
            base.push(Run::open(&storage, &path, id as u64, &pool)?);
        }
        let _ = self.base.set(base.into());
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(RunsReader(Arc::clone(self.base.get().ok_or("not settled")?))))
    }
}

struct RunsReader(Arc<[Arc<Run>]>);

impl Reader for RunsReader {
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        let at = self.0.partition_point(|run| *run.meta().last_key < *key);
        let Some(run) = self.0.get(at) else { return Ok(None) };
        Ok(run.get(key, key::hash(key), u64::MAX)?.map(|found| look(&found.value)))
    }

    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>> {
        self.get(key)
    }

    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize> {
        let base = Arc::clone(&self.0);
        let sources = move || vec![Box::new(Concat::new(Arc::clone(&base), Keep::Yes)) as _];
        let mut scan = Scan::new(Box::new(sources), (Bound::Included(start), Bound::Unbounded), u64::MAX);
        let mut count = 0;
        while count < limit
            && let Some((key, value)) = scan.next_ref()?
        {
            std::hint::black_box(look_at_row(key, value));
            count += 1;
        }
        Ok::<_, Error>(count).map_err(Into::into)
    }
}
