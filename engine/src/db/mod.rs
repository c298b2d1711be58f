//! The database: opening, tables, commits, snapshots, backup, closing.

mod backup;
pub(crate) mod check;
pub(crate) mod core;
mod dump;
pub(crate) mod ingest;
mod maintenance;
mod open;
mod retired;
mod salvage;
pub(crate) mod table;
mod tables;

use std::fmt;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::core::Core;
use crate::batch::WriteBatch;
use crate::blocks::pinned::Value;
use crate::commit::Job;
use crate::error::{Error, Result};
use crate::key::Sequence;
use crate::metrics::{Memory, Metrics};
use crate::options::{Durability, Options};
use crate::storage::{Disk, Storage};
use crate::tags::{self, Dictionary, InSnapshot, Tags};
use crate::txn::Transaction;
use crate::txn::slots::Place;
pub use check::{Report, check};
pub use dump::{EachRow, dump};
pub use table::{Rows, Table};

/// An open database. A handle; clones are the same database, and the last one dropped closes it.
#[derive(Debug, Clone)]
pub struct Database {
    handle: Arc<Handle>,
}

/// Closes the database when the last [`Database`] goes. Tables and snapshots may outlive it: they read, but do not write.
struct Handle {
    core: Arc<Core>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("directory", &self.core.shared.directory).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _unasked = self.close();
    }
}

impl Database {
    /// Opens the database in a directory, or makes one there.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        Self::open_on(Arc::new(Disk::default()), path, options)
    }

    /// Opens a database on a storage of one's own, a simulated disk for example.
    pub fn open_on(storage: Arc<dyn Storage>, path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let core = Arc::new(open::open(storage, path.as_ref(), options)?);
        if core.shared.options.background {
            let weak = Arc::downgrade(&core);
            core.shared.signal.set_start(move || weak.upgrade().is_some_and(|core| core.start_threads()));
        } else {
            core.run_due();
        }
        Ok(Self { handle: Arc::new(Handle { core }) })
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// The table of this name; it is made if there is none.
    pub fn table(&self, name: &str) -> Result<Table> {
        match self.existing_table(name) {
            Some(table) => Ok(table),
            None => self.core().create_table(name, None),
        }
    }

    /// The table of this name, if there is one.
    #[must_use]
    pub fn existing_table(&self, name: &str) -> Option<Table> {
        if name.starts_with(tags::PREFIX) {
            return None;
        }
        let inner = self.core().find(name)?;
        Some(Table { inner, core: Arc::clone(self.core()) })
    }

    /// Names of all tables, sorted.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        let tables = self.core().shared.tables.load();
        let names = tables.names().filter(|name| !name.starts_with(tags::PREFIX));
        names.map(|name| name.to_string()).collect()
    }

    /// Removes a table with all its rows and tags. `false`: there was none. Snapshots lose it too.
    pub fn drop_table(&self, name: &str) -> Result<bool> {
        self.core().drop_table(name)
    }

    /// The table that [`dump`] named so, made if there is none: unlike [`Database::table`] also one that holds the tags and
    /// the dictionary of another. For putting dumped rows back; [`check`] tells whether they then agree.
    pub fn dumped_table(&self, name: &str) -> Result<Table> {
        match name.strip_prefix(tags::PREFIX) {
            Some(described) => self.core().index_of(&self.table(described)?),
            None => self.table(name),
        }
    }

    /// Commits a batch: all of it or nothing, visible at once.
    pub fn write(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.core().commit(batch, durability)
    }

    /// Makes all commits so far durable.
    pub fn sync(&self) -> Result<()> {
        self.core().submit(Job::Sync).map(drop)
    }

    /// Begins a transaction.
    #[must_use]
    pub fn begin(&self) -> Transaction {
        Transaction::begin(self.core())
    }

    /// Runs `work` in a transaction and commits it, again from the beginning as long as it conflicts with others, up to
    /// [`Options::retries`] times.
    pub fn transact<T, E: From<Error>>(
        &self,
        mut work: impl FnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let options = &self.core().shared.options;
        let mut tries = 0;
        loop {
            let mut transaction = self.begin();
            let outcome = work(&mut transaction)?;
            match transaction.commit(options.durability) {
                Ok(()) => return Ok(outcome),
                Err(error) if error.is_conflict() && tries < options.retries => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The database as of now, for as long as the snapshot lives.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.core().snapshot()
    }

    /// Writes all memtables out as runs.
    pub fn flush(&self) -> Result<()> {
        self.core().flush_all()
    }

    /// Merges all runs of all tables, and drops what nobody can see any more.
    pub fn compact(&self) -> Result<()> {
        self.flush()?;
        self.core().compact_all(true)
    }

    /// Copies the database as of now into an empty directory, while reads and writes go on. Run files are linked, not
    /// copied, where the file system can. The copy is a database of its own.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<()> {
        backup::backup(self.core(), to.as_ref())
    }

    /// Counts and timings so far.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let shared = &self.core().shared;
        let live = &shared.metrics;
        let tables = shared.tables.load();
        let mut metrics = Metrics {
            gets: live.gets.sum(),
            commits: live.commits.sum(),
            groups: live.groups.sum(),
            conflicts: live.conflicts.sum(),
            log_bytes: live.log_bytes.sum(),
            flushed_bytes: live.flushed_bytes.sum(),
            compacted_bytes: live.compacted_bytes.sum(),
            get: live.get.summary(),
            early_flushes: live.early_flushes.sum(),
            commit: live.commit.summary(),
            turn: live.turn.summary(),
            sync: live.sync.summary(),
            flush: live.flush.summary(),
            compact: live.compact.summary(),
            stall: live.stall.summary(),
            cache: shared.pool.cache().hits_and_misses(),
            memory: Memory {
                memtables: tables.memtable_bytes() as u64,
                blocks: shared.pool.bytes(),
                window: shared.budget.window() as u64,
                budget: shared.budget.total(),
                work: shared.pool.work().bytes(),
                runs: 0,
            },
            log_file_bytes: shared.log.bytes(),
            snapshots: shared.snapshots.live().1,
            sequence: shared.visible.load(Ordering::Acquire),
            ..Metrics::default()
        };
        for table in tables.iter() {
            let view = table.view.load();
            metrics.backlog += view.frozen.len();
            for run in view.young.iter().chain(view.base.iter()) {
                metrics.runs += 1;
                metrics.run_bytes += run.meta().bytes;
                metrics.memory.runs += run.overhead() as u64;
            }
        }
        metrics
    }

    /// Closes the database: what was committed without waiting becomes durable, threads end, the lock is given back.
    /// Other handles of it get [`Error::Closed`] for writes from now on.
    pub fn close(self) -> Result<()> {
        self.handle.close()
    }
}

impl Handle {
    fn close(&self) -> Result<()> {
        let core = &*self.core;
        if core.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let synced = core.submit(Job::Sync).map(drop);
        // What this adds is a proof against damage; everything acknowledged is safe without.
        let _full_disk = core.submit(Job::Vouch);
        core.closed.store(true, Ordering::Release);
        core.shared.stop.store(true, Ordering::Release);
        core.shared.signal.stop();
        core.join_threads();
        core.shared.let_go(0);
        // The leader goes, and with it the writer of the log; commits still under way finish first.
        while matches!(core.queue.close(), Ok(None)) {
            std::thread::yield_now();
        }
        *core.lock.lock() = None;
        synced
    }
}

/// The database as it was at one moment. Give it back (drop it) soon: it keeps old versions from being collected.
#[derive(Debug)]
pub struct Snapshot {
    core: Arc<Core>,
    place: Place,
    sequence: Sequence,
}

impl Snapshot {
    fn new(core: Arc<Core>) -> Self {
        let hint = crate::blocks::lease::thread_slot() * 7;
        let (place, sequence) = core.shared.snapshots.acquire(&core.shared.visible, hint);
        Self { core, place, sequence }
    }

    /// Number of the newest commit it sees.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Value>> {
        table.inner.check_exists()?;
        table.inner.get_at(key, self.sequence)
    }

    /// Rows of a range, from both ends. They remain readable when the snapshot is gone.
    pub fn range<'k>(&self, table: &Table, range: impl RangeBounds<&'k [u8]>) -> Result<Rows> {
        table.inner.check_exists()?;
        let scan = table.inner.scan_at(range, self.sequence, || None);
        Ok(Rows { scan })
    }

    /// The tags of a table's rows.
    pub fn tags(&self, table: &Table) -> Result<Tags<InSnapshot<'_>>> {
        Ok(Tags::new(self.index_of(table)?))
    }

    /// The dictionary of a table.
    pub fn dictionary(&self, table: &Table) -> Result<Dictionary<InSnapshot<'_>>> {
        Ok(Dictionary::new(self.index_of(table)?))
    }

    fn index_of(&self, table: &Table) -> Result<InSnapshot<'_>> {
        table.inner.check_exists()?;
        let index = self.core.find(&tags::index_name(table.name()));
        Ok(InSnapshot { snapshot: self, table: Arc::clone(&table.inner.name), index })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.core.shared.snapshots.release(self.place, self.sequence);
    }
}
