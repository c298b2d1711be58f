//! Checking a database that nobody has open, and reading out what can still be read of it.

use std::path::Path;
use std::sync::Arc;

use super::backup::manifest_of;
use super::core::{LOG, RUNS};
use crate::batch::writes;
use crate::blocks::pinned::Value;
use crate::blocks::pool::{ReadMode, ReadPool};
use crate::error::{Error, Result};
use crate::key::{Sequence, Version};
use crate::log::recover;
use crate::manifest::{RunRecord, State};
use crate::memtable::Memtable;
use crate::merge::{Cursor, Scan};
use crate::run::{Keep, Run, RunCursor};
use crate::storage::Storage;
use crate::tags::{self, Verify};

/// What a check has seen.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Tables.
    pub tables: usize,
    /// Tables that have tags or a dictionary.
    pub indexes: usize,
    /// Run files.
    pub runs: usize,
    /// Versions in them.
    pub rows: u64,
    /// Groups of commits in the log that are not in runs yet.
    pub log_groups: u64,
    /// The newest commit.
    pub last_sequence: u64,
    /// Everything found wrong, named by file and offset.
    pub damage: Vec<Error>,
}

/// Gets a table's name, a key and a value.
pub type EachRow<'a> = dyn FnMut(&str, &[u8], &[u8]) -> Result<()> + 'a;

/// Memory for reading while nothing is cached.
const POOL: u64 = 8 << 20;

/// Reads every byte of a database that is not open and checks every checksum, order and count. Changes nothing.
/// An error means that even the manifest could not be read; all other damage is in the report.
pub fn check(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Report> {
    let state = manifest_of(storage, directory)?;
    let described = state.tables.values().filter(|table| table.name.starts_with(tags::PREFIX)).count();
    let mut report =
        Report { tables: state.tables.len() - described, indexes: described, ..Report::default() };
    let pool = Arc::new(ReadPool::new(POOL, ReadMode::Read));
    for table in state.tables.values() {
        for record in table.young.iter().chain(&table.base) {
            report.runs += 1;
            report.rows += record.meta.rows;
            match open_run(storage, directory, record, &pool) {
                Ok(run) => {
                    run.check_all(&mut |error| report.damage.push(error));
                    if run.meta() != &record.meta {
                        let path = run_path(directory, record);
                        report.damage.push(Error::corrupt(
                            &path,
                            0,
                            "not the run that the manifest describes",
                        ));
                    }
                }
                Err(error) => report.damage.push(error),
            }
        }
        for (left, right) in table.base.iter().zip(table.base.iter().skip(1)) {
            if left.meta.last_key >= right.meta.first_key {
                let path = run_path(directory, right);
                report.damage.push(Error::corrupt(&path, 0, "a run of the base overlaps the one before it"));
            }
        }
    }
    let acknowledged = flushed(&state);
    let log = directory.join(LOG);
    match recover::read(&**storage, &log, state.database, state.in_runs, acknowledged, |_, _| Ok(())) {
        Ok((groups, last)) => (report.log_groups, report.last_sequence) = (groups, last),
        Err(error) => report.damage.push(error),
    }
    if report.damage.is_empty() && report.indexes > 0 {
        check_indexes(storage, directory, &mut report)?;
    }
    Ok(report)
}

/// Whether tags and dictionaries agree with themselves; where rows are missing they cannot.
fn check_indexes(storage: &Arc<dyn Storage>, directory: &Path, report: &mut Report) -> Result<()> {
    let mut current: Option<(Arc<str>, Verify)> = None;
    let mut finish = |current: &mut Option<(Arc<str>, Verify)>| {
        if let Some((table, verify)) = current.take() {
            let wrong = verify.finish().into_iter();
            report.damage.extend(wrong.map(|what| Error::BadIndex { table: Arc::clone(&table), what }));
        }
    };
    let is_index = |name: &str| name.starts_with(tags::PREFIX);
    let missing = dump_some(storage, directory, &is_index, &mut |name, key, value| {
        let Some(table) = name.strip_prefix(tags::PREFIX) else { return Ok(()) };
        if current.as_ref().is_none_or(|(known, _)| **known != *table) {
            finish(&mut current);
            current = Some((Arc::from(table), Verify::default()));
        }
        if let Some((_, verify)) = &mut current {
            verify.row(key, value);
        }
        Ok(())
    })?;
    finish(&mut current);
    report.damage.extend(missing);
    Ok(())
}

fn flushed(state: &State) -> Sequence {
    state.tables.values().map(|table| table.flushed).max().unwrap_or(0)
}

fn run_path(directory: &Path, record: &RunRecord) -> std::path::PathBuf {
    directory.join(RUNS).join(format!("{:016x}.run", record.meta.id))
}

fn open_run(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    record: &RunRecord,
    pool: &Arc<ReadPool>,
) -> Result<Arc<Run>> {
    Run::open_at(storage, &run_path(directory, record), record.meta.id, pool, record.base_sequence)
}

/// Reads all rows out of a database that is not open, as far as they can be read, table by table in key order. `row`
/// gets table, key and value; tags and dictionary of a table are rows of a table beside it, for
/// [`crate::Database::dumped_table`]. Changes nothing. Returns what could not be read.
pub fn dump(storage: &Arc<dyn Storage>, directory: &Path, row: &mut EachRow<'_>) -> Result<Vec<Error>> {
    dump_some(storage, directory, &|_| true, row)
}

fn dump_some(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    wanted: &dyn Fn(&str) -> bool,
    row: &mut EachRow<'_>,
) -> Result<Vec<Error>> {
    let state = manifest_of(storage, directory)?;
    let pool = Arc::new(ReadPool::new(POOL, ReadMode::Read));
    let mut damage = Vec::new();
    let mut commits: Vec<(u64, Arc<[u8]>)> = Vec::new();
    let log = directory.join(LOG);
    let mut keep = |sequence, body: &[u8]| {
        commits.push((sequence, Arc::from(body)));
        Ok(())
    };
    let read = recover::read(&**storage, &log, state.database, state.in_runs, flushed(&state), &mut keep);
    damage.extend(read.err());
    for (id, table) in state.tables.iter().filter(|(_, table)| wanted(&table.name)) {
        let memtable = Arc::new(Memtable::new(1 << 20, Vec::new()));
        for (sequence, body) in commits.iter().filter(|(sequence, _)| *sequence > table.flushed) {
            for write in writes(body).flatten().filter(|write| write.table == *id) {
                memtable.insert(*sequence, body, &write);
            }
        }
        let mut runs = Vec::new();
        for record in table.young.iter().chain(&table.base) {
            match open_run(storage, directory, record, &pool) {
                Ok(run) => runs.push(run),
                Err(error) => damage.push(error),
            }
        }
        dump_table(&table.name, memtable, runs, row, &mut damage)?;
    }
    Ok(damage)
}

fn dump_table(
    name: &str,
    memtable: Arc<Memtable>,
    runs: Vec<Arc<Run>>,
    row: &mut EachRow<'_>,
    damage: &mut Vec<Error>,
) -> Result<()> {
    let sources = move || {
        let mut cursors: Vec<Box<dyn Cursor>> = vec![Box::new(memtable.cursor())];
        cursors.extend(runs.iter().map(|run| Box::new(Tolerant::new(run)) as Box<dyn Cursor>));
        cursors
    };
    let mut scan = Scan::new(Box::new(sources), .., u64::MAX);
    loop {
        match scan.next_ref() {
            Ok(Some((key, value))) => row(name, key, value)?,
            Ok(None) => return Ok(()),
            Err(error) => {
                damage.push(error);
                return Ok(());
            }
        }
    }
}

/// Walks what is readable of a run: behind a damaged block it goes on with the next one. The damage itself is for
/// [`check`] to report.
struct Tolerant {
    cursor: RunCursor,
    /// The first key of every block but the first.
    fences: Vec<Box<[u8]>>,
    /// Fences that are behind.
    passed: usize,
}

impl Tolerant {
    fn new(run: &Arc<Run>) -> Self {
        let fences = run.split_keys(usize::MAX).into_iter().map(Box::from).collect();
        Self { cursor: run.cursor(Keep::No), fences, passed: 0 }
    }

    /// After a failure, goes to the next block that can be read; past the end if there is none.
    fn settle(&mut self, mut moved: Result<()>) -> Result<()> {
        while moved.is_err() {
            let Some(fence) = self.fences.get(self.passed) else { return moved };
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
        self.cursor.current()
    }

    fn value(&self) -> Value {
        self.cursor.value()
    }
}
