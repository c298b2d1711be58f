//! Checking a database that nobody has open, and reading out what can still be read of it.

use std::path::Path;
use std::sync::Arc;

use super::core::LOG;
use super::dump::{Lost, dump_some, flushed, manifest_of, open_run, run_path};
use super::open::lock_to_read;
use super::salvage;
use crate::blocks::pool::{ReadMode, ReadPool};
use crate::error::{Error, Result};
use crate::log::recover::{self, Known};
use crate::manifest::{State, TableRecord};
use crate::run::Run;
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

/// Memory for reading while nothing is cached.
pub(super) const POOL: u64 = 8 << 20;

/// Reads every byte of a database that is not open and checks every checksum, order and count. Changes nothing.
/// An error means that there is no database, or that somebody has it open; all damage is in the report.
pub fn check(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Report> {
    let _alone = lock_to_read(&**storage, directory)?;
    let mut report = Report::default();
    let known = match manifest_of(storage, directory) {
        Ok(state) => {
            check_tables(storage, directory, &state, &mut report);
            Known { database: Some(state.database), in_runs: state.in_runs, acknowledged: flushed(&state) }
        }
        Err(Lost::Manifest(error)) => {
            report.damage.push(error);
            for (id, path) in salvage::run_files(storage, directory)? {
                report.runs += 1;
                match Run::open(storage, &path, id, &pool()) {
                    Ok(run) => {
                        report.rows += run.meta().rows;
                        run.check_all(&mut |error| report.damage.push(error));
                    }
                    Err(error) => report.damage.push(error),
                }
            }
            Known::default()
        }
        Err(Lost::All(error)) => return Err(error),
    };
    match recover::read(&**storage, &directory.join(LOG), known, &mut |_, _| Ok(())) {
        Ok(mut read) => {
            (report.log_groups, report.last_sequence) = (read.groups, read.last);
            report.damage.append(&mut read.damage);
        }
        Err(error) => report.damage.push(error),
    }
    if report.damage.is_empty() && report.indexes > 0 {
        check_indexes(storage, directory, &mut report)?;
    }
    Ok(report)
}

pub(super) fn pool() -> Arc<ReadPool> {
    Arc::new(ReadPool::new(POOL, ReadMode::Read))
}

fn check_tables(storage: &Arc<dyn Storage>, directory: &Path, state: &State, report: &mut Report) {
    let pool = pool();
    for table in state.tables.values() {
        let counted =
            if table.name.starts_with(tags::PREFIX) { &mut report.indexes } else { &mut report.tables };
        *counted += 1;
        for record in table.young.iter().chain(&table.base) {
            report.runs += 1;
            report.rows += record.meta.rows;
            match open_run(storage, directory, record, &pool) {
                Ok(run) => {
                    run.check_all(&mut |error| report.damage.push(error));
                    if run.meta() != &record.meta {
                        let path = run_path(directory, record);
                        let what = "not the run that the manifest describes";
                        report.damage.push(Error::corrupt(&path, 0, what));
                    }
                }
                Err(error) => report.damage.push(error),
            }
        }
        report.damage.extend(overlaps(directory, table));
    }
}

/// Runs of the base must not overlap.
fn overlaps<'a>(directory: &'a Path, table: &'a TableRecord) -> impl Iterator<Item = Error> + 'a {
    let pairs = table.base.iter().zip(table.base.iter().skip(1));
    pairs.filter(|(left, right)| left.meta.last_key >= right.meta.first_key).map(|(_, right)| {
        Error::corrupt(&run_path(directory, right), 0, "a run of the base overlaps the one before it")
    })
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
