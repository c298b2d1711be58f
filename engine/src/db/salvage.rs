//! Rows of files whose own records are lost: run files without directory, runs and log without a manifest.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::pool;
use super::core::RUNS;
use super::dump::{Damage, EachRow, dump_table, log, memtable};
use crate::batch::{WriteBatch, writes};
use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::log::recover::Known;
use crate::memtable::Memtable;
use crate::run::{Run, RunId, salvage};
use crate::storage::Storage;

/// The run files of a directory, by number.
pub(super) fn run_files(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Vec<(RunId, PathBuf)>> {
    let runs = directory.join(RUNS);
    let names = storage.list(&runs).at("list", &runs)?;
    let number = |name: &String| RunId::from_str_radix(name.strip_suffix(".run")?, 16).ok();
    let mut files: Vec<_> = names.iter().filter_map(|name| Some((number(name)?, runs.join(name)))).collect();
    files.sort();
    Ok(files)
}

/// All rows in the blocks of a run file that are sound, whatever else of it is not. A row's sequence is counted from the
/// start of `sequences`, which may be too late by a little; it is kept within them.
pub(super) fn blocks(
    storage: &Arc<dyn Storage>,
    path: &Path,
    sequences: RangeInclusive<Sequence>,
) -> Result<Arc<Memtable>> {
    let memtable = Memtable::new(1 << 20, Vec::new());
    let (base, last) = sequences.into_inner();
    salvage::rows(&**storage, path, &mut |key, kind, delta, value| {
        let mut batch = WriteBatch::with_capacity(key.len() + value.len() + 16);
        batch.push(0, kind, key, value)?;
        let body = batch.bytes();
        for write in writes(body).flatten() {
            memtable.insert(base.saturating_add(delta).min(last).max(1), body, &write);
        }
        Ok(())
    })?;
    Ok(Arc::new(memtable))
}

/// Dumps a database without a manifest: runs one by one, then what the log holds.
pub(super) fn dump_all(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    lost: Error,
    row: &mut EachRow<'_>,
) -> Result<Vec<Error>> {
    let damage = Damage::new(vec![lost]);
    for (id, path) in run_files(storage, directory)? {
        let name = format!("run {id:016x}");
        match Run::open(storage, &path, id, &pool()) {
            Ok(run) => dump_table(&name, Vec::new(), vec![run], row, &damage)?,
            Err(error) => {
                damage.add(error);
                match blocks(storage, &path, 1..=Sequence::MAX) {
                    Ok(rows) => dump_table(&name, vec![rows], Vec::new(), row, &damage)?,
                    Err(error) => damage.add(error),
                }
            }
        }
    }
    let (commits, broken) = log(storage, directory, Known::default())?;
    broken.into_iter().for_each(|error| damage.add(error));
    let tables: BTreeSet<_> =
        commits.iter().flat_map(|(_, body)| writes(body).flatten().map(|write| write.table)).collect();
    for id in tables {
        dump_table(&format!("table {id}"), vec![memtable(&commits, id, 0)], Vec::new(), row, &damage)?;
    }
    Ok(damage.take())
}
