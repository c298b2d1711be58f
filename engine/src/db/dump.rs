//! Reading out what can be read of a database that nobody has open.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::check::pool;
use super::core::{LOG, RUNS};
use super::open::lock_to_read;
use super::salvage;
use crate::batch::{TableId, writes};
use crate::blocks::pinned::Value;
use crate::blocks::pool::ReadPool;
use crate::error::{Error, Result};
use crate::key::{Sequence, Version};
use crate::log::recover::{self, Known};
use crate::manifest::{self, Manifest, RunRecord, State, TableRecord};
use crate::memtable::Memtable;
use crate::merge::{Cursor, Scan};
use crate::run::{Keep, Run, RunCursor};
use crate::storage::Storage;

/// Gets a table's name, a key and a value.
pub type EachRow<'a> = dyn FnMut(&str, &[u8], &[u8]) -> Result<()> + 'a;

/// Commits of the log, in order.
pub(super) type Commits = Vec<(Sequence, Arc<[u8]>)>;

/// Why there is no manifest to go by.
pub(super) enum Lost {
    /// It is damaged or missing; the files of a database are there.
    Manifest(Error),
    /// There is no database, or none that can be read.
    All(Error),
}

/// The manifest of a directory, read without opening the database.
pub(super) fn manifest_of(storage: &Arc<dyn Storage>, directory: &Path) -> Result<State, Lost> {
    match Manifest::open(storage, directory) {
        Ok(Some(manifest)) => Ok(manifest.state().clone()),
        Err(error @ Error::Corrupt { .. }) => Err(Lost::Manifest(error)),
        Err(error) => Err(Lost::All(error)),
        Ok(None) => {
            let path = directory.join(manifest::NAME);
            match salvage::run_files(storage, directory) {
                Ok(runs) if !runs.is_empty() => {
                    Err(Lost::Manifest(Error::corrupt(&path, 0, "the manifest is missing")))
                }
                _ => Err(Lost::All(Error::Foreign { path, what: "there is no manifest" })),
            }
        }
    }
}

/// Reads all rows out of a database that is not open, as far as they can be read, table by table in key order. `row`
/// gets table, key and value; tags and dictionary of a table are rows of a table beside it, for
/// [`crate::Database::dumped_table`]. Changes nothing. Returns what could not be read.
///
/// Where the manifest is lost, nobody knows any more which run belongs to which table: rows then come under the name of
/// their run, or the number of their table in the log, and a row that was replaced or removed later may be among them.
pub fn dump(storage: &Arc<dyn Storage>, directory: &Path, row: &mut EachRow<'_>) -> Result<Vec<Error>> {
    let _alone = lock_to_read(&**storage, directory)?;
    dump_some(storage, directory, &|_| true, row)
}

pub(super) fn dump_some(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    wanted: &dyn Fn(&str) -> bool,
    row: &mut EachRow<'_>,
) -> Result<Vec<Error>> {
    let state = match manifest_of(storage, directory) {
        Ok(state) => state,
        Err(Lost::Manifest(error)) => return salvage::dump_all(storage, directory, error, row),
        Err(Lost::All(error)) => return Err(error),
    };
    let known =
        Known { database: Some(state.database), in_runs: state.in_runs, acknowledged: flushed(&state) };
    let (commits, damage) = log(storage, directory, known)?;
    let damage = Damage::new(damage);
    for (id, table) in state.tables.iter().filter(|(_, table)| wanted(&table.name)) {
        let mut memtables = vec![memtable(&commits, *id, table.flushed)];
        let runs = open_runs(storage, directory, table, &mut memtables, &damage)?;
        dump_table(&table.name, memtables, runs, row, &damage)?;
    }
    Ok(damage.take())
}

/// Commits of the log, as far as they can be read, and what is wrong with it.
pub(super) fn log(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    known: Known,
) -> Result<(Commits, Vec<Error>)> {
    let mut commits = Commits::new();
    let read = recover::read(&**storage, &directory.join(LOG), known, &mut |sequence, body| {
        commits.push((sequence, Arc::from(body)));
        Ok(())
    });
    match read {
        Ok(read) => Ok((commits, read.damage)),
        // The directory itself cannot be read.
        Err(error @ Error::Io { .. }) => Ok((commits, vec![error])),
        Err(error) => Err(error),
    }
}

/// What commits wrote to a table.
pub(super) fn memtable(commits: &Commits, id: TableId, flushed: Sequence) -> Arc<Memtable> {
    let memtable = Arc::new(Memtable::new(1 << 20, Vec::new()));
    for (sequence, body) in commits.iter().filter(|(sequence, _)| *sequence > flushed) {
        for write in writes(body).flatten().filter(|write| write.table == id) {
            memtable.insert(*sequence, body, &write);
        }
    }
    memtable
}

/// Opens the runs of a table; of those that cannot be opened, what their blocks still hold comes into a memtable.
fn open_runs(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    table: &TableRecord,
    memtables: &mut Vec<Arc<Memtable>>,
    damage: &Damage,
) -> Result<Vec<Arc<Run>>> {
    let pool = pool();
    let mut runs = Vec::new();
    for record in table.young.iter().chain(&table.base) {
        match open_run(storage, directory, record, &pool) {
            Ok(run) => runs.push(run),
            Err(error) => {
                damage.add(error);
                let meta = &record.meta;
                let base = record.base_sequence.unwrap_or(meta.min_sequence);
                match salvage::blocks(storage, &run_path(directory, record), base..=meta.max_sequence) {
                    Ok(rows) => memtables.push(rows),
                    Err(error) => damage.add(error),
                }
            }
        }
    }
    Ok(runs)
}

pub(super) fn dump_table(
    name: &str,
    memtables: Vec<Arc<Memtable>>,
    runs: Vec<Arc<Run>>,
    row: &mut EachRow<'_>,
    damage: &Damage,
) -> Result<()> {
    let noted = damage.clone();
    let sources = move || {
        let memtables = memtables.iter().map(|memtable| Box::new(memtable.cursor()) as Box<dyn Cursor>);
        let runs = runs.iter().map(|run| Box::new(Tolerant::new(run, noted.clone())) as Box<dyn Cursor>);
        memtables.chain(runs).collect()
    };
    let mut scan = Scan::new(Box::new(sources), .., u64::MAX);
    while let Some((key, value)) = scan.next_ref()? {
        row(name, key, value)?;
    }
    Ok(())
}

pub(super) fn flushed(state: &State) -> Sequence {
    state.tables.values().map(|table| table.flushed).max().unwrap_or(0)
}

pub(super) fn run_path(directory: &Path, record: &RunRecord) -> std::path::PathBuf {
    directory.join(RUNS).join(format!("{:016x}.run", record.meta.id))
}

pub(super) fn open_run(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    record: &RunRecord,
    pool: &Arc<ReadPool>,
) -> Result<Arc<Run>> {
    Run::open_at(storage, &run_path(directory, record), record.meta.id, pool, record.base_sequence)
}

/// What could not be read so far.
#[derive(Debug, Clone)]
pub(super) struct Damage(Arc<Mutex<Vec<Error>>>);

impl Damage {
    pub(super) fn new(known: Vec<Error>) -> Self {
        Self(Arc::new(Mutex::new(known)))
    }

    /// Notes what is wrong, once however often it is met.
    pub(super) fn add(&self, error: Error) {
        let told = |known: &Error| known.to_string() == error.to_string();
        let mut known = self.0.lock();
        if !known.iter().any(told) {
            known.push(error);
        }
    }

    pub(super) fn take(&self) -> Vec<Error> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Walks what is readable of a run: behind a damaged block it goes on with the next one.
struct Tolerant {
    cursor: RunCursor,
    /// The first key of every block but the first.
    fences: Vec<Box<[u8]>>,
    /// Fences that are behind.
    passed: usize,
    /// The last block is behind, or cannot be read.
    ended: bool,
    damage: Damage,
}

impl Tolerant {
    fn new(run: &Arc<Run>, damage: Damage) -> Self {
        let fences = run.split_keys(usize::MAX).into_iter().map(Box::from).collect();
        Self { cursor: run.cursor(Keep::No), fences, passed: 0, ended: false, damage }
    }

    /// After a failure, goes to the next block that can be read; past the end if there is none.
    fn settle(&mut self, mut moved: Result<()>) -> Result<()> {
        self.ended = false;
        while let Err(error) = moved {
            self.damage.add(error);
            let Some(fence) = self.fences.get(self.passed) else {
                self.ended = true;
                return Ok(());
            };
            self.passed += 1;
            moved = self.cursor.seek(fence);
        }
        if let Some(version) = self.cursor.current() {
            self.passed += self
                .fences
                .get(self.passed..)
                .unwrap_or_default()
                .partition_point(|key| **key <= *version.key);
        }
        Ok(())
    }
}

impl Cursor for Tolerant {
    fn seek_first(&mut self) -> Result<()> {
        self.passed = 0;
        let moved = self.cursor.seek_first();
        self.settle(moved)
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.passed = self.fences.partition_point(|fence| **fence <= *key);
        let moved = self.cursor.seek(key);
        self.settle(moved)
    }

    fn seek_last(&mut self) -> Result<()> {
        self.cursor.seek_last()
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        self.cursor.seek_back(key)
    }

    fn next(&mut self) -> Result<()> {
        let moved = self.cursor.next();
        self.settle(moved)
    }

    fn prev(&mut self) -> Result<()> {
        self.cursor.prev()
    }

    fn current(&self) -> Option<Version<'_>> {
        if self.ended { None } else { self.cursor.current() }
    }

    fn value(&self) -> Value {
        self.cursor.value()
    }
}
