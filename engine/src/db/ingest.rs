//! Sorted loads past the log, and the removal of whole key ranges.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::{RUNS, Shared};
use super::maintenance::{open_run, undo};
use super::table::{Table, TableInner, View};
use crate::batch::WriteBatch;
use crate::commit::Job;
use crate::compact::{TableRuns, runs_inside};
use crate::error::{Error, IoContext, Result};
use crate::key::{self, Kind, Sequence, Version};
use crate::manifest::RunRecord;
use crate::options::Durability;
use crate::run::{Run, RunMeta, RunOptions, RunWriter};

/// What the leader makes part of a table, in one step.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) table: Arc<TableInner>,
    /// Runs written aside, disjoint, by key; no manifest names them yet.
    added: Vec<RunMeta>,
    /// Runs that leave the table.
    removed: Vec<Arc<Run>>,
}

/// Bytes of rows in one commit of a range deletion.
const DELETE_BATCH: usize = 256 << 10;
/// Times that a load tries to find the table's memtables empty.
const TRIES: u32 = 1000;
/// Times that it does so while others write; then they wait for it: they would keep it from ever finding them so.
const POLITE: u32 = 1;

pub(super) fn ingest<K, V>(table: &Table, rows: impl IntoIterator<Item = (K, V)>) -> Result<u64>
where
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    table.inner.check_exists()?;
    if let Some(error) = table.inner.shared.poisoned() {
        return Err(error);
    }
    let mut load =
        Load { shared: &table.inner.shared, writer: None, done: Vec::new(), last_key: Vec::new(), rows: 0 };
    let written = rows.into_iter().try_for_each(|(key, value)| load.push(key.as_ref(), value.as_ref()));
    let rows = load.rows;
    let finished = written.and_then(|()| load.finish());
    let runs = match finished {
        Ok(runs) => runs,
        Err(error) => {
            load.abandon();
            return Err(error);
        }
    };
    if runs.is_empty() {
        return Ok(0);
    }
    let installed = install(table, &runs, &[], TRIES);
    if let Err(Error::Conflict) = installed {
        remove_files(&table.inner.shared, &runs);
    }
    installed.map(|()| rows)
}

/// Has the leader install runs once nothing older is left in memtables.
fn install(table: &Table, added: &[RunMeta], removed: &[Arc<Run>], tries: u32) -> Result<()> {
    let mut _writers = None;
    for at in 0..tries {
        if at == POLITE {
            _writers = Some(Held::new(&table.core.shared));
        }
        table.core.flush_table(&table.inner)?;
        let job =
            Install { table: Arc::clone(&table.inner), added: added.to_vec(), removed: removed.to_vec() };
        match table.core.submit(Job::Install(Box::new(job))) {
            Err(Error::Conflict) => {}
            other => return other.map(drop),
        }
    }
    Err(Error::Conflict)
}

/// Writers wait while this lives.
struct Held<'a>(&'a Shared);

impl<'a> Held<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.loads.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.loads.fetch_sub(1, Ordering::SeqCst);
        self.0.signal.wake_writers();
    }
}

impl Install {
    /// Names the runs in the manifest with the sequence they got, and shows them to readers.
    pub(crate) fn run(self, shared: &Shared, sequence: Sequence) -> Result<()> {
        let Self { table, added, removed } = self;
        if !removed.is_empty() && !shared.snapshots.exclude(sequence) {
            return Err(Error::Conflict);
        }
        let records: Vec<RunRecord> = added
            .into_iter()
            .map(|meta| RunRecord {
                meta: RunMeta { min_sequence: sequence, max_sequence: sequence, ..meta },
                base_sequence: Some(sequence),
            })
            .collect();
        let opened = records.iter().map(|record| open_run(shared, record)).collect::<Result<Vec<_>>>()?;
        let view = table.view.load_full();
        let gone = |meta: &RunMeta| removed.iter().any(|run| run.meta().id == meta.id);
        let overlaps = |run: &Arc<Run>| {
            let (ours, theirs) = ((records.first(), records.last()), run.meta());
            let (Some(first), Some(last)) = ours else { return false };
            theirs.first_key <= last.meta.last_key && first.meta.first_key <= theirs.last_key
        };
        let to_base = !view.young.iter().chain(view.base.iter()).any(overlaps);
        let changed = shared.change_manifest(|state| {
            if let Some(entry) = state.tables.get_mut(&table.id) {
                entry.flushed = entry.flushed.max(sequence);
                entry.young.retain(|run| !gone(&run.meta));
                entry.base.retain(|run| !gone(&run.meta));
                if to_base {
                    entry.base.extend(records);
                    entry.base.sort_by(|a, b| a.meta.first_key.cmp(&b.meta.first_key));
                } else {
                    entry.young.splice(0..0, records);
                }
            }
            state.next_run = shared.next_run.load(Ordering::Relaxed);
        });
        if let Err(failure) = changed {
            return Err(undo(failure, opened));
        }
        table.view.rcu(|view| {
            let mut young: Vec<Arc<Run>> =
                view.young.iter().filter(|run| !gone(run.meta())).map(Arc::clone).collect();
            let mut base: Vec<Arc<Run>> =
                view.base.iter().filter(|run| !gone(run.meta())).map(Arc::clone).collect();
            if to_base {
                base.extend(opened.iter().map(Arc::clone));
                base.sort_by(|a, b| a.meta().first_key.cmp(&b.meta().first_key));
            } else {
                young.splice(0..0, opened.iter().map(Arc::clone));
            }
            View {
                active: Arc::clone(&view.active),
                frozen: view.frozen.clone(),
                young,
                base: Arc::from(base),
            }
        });
        drop(view);
        shared.retired.runs(removed);
        shared.signal.compact();
        Ok(())
    }
}

fn remove_files(shared: &Shared, runs: &[RunMeta]) {
    for run in runs {
        // What cannot be removed now is swept up at the next open: no manifest names it.
        let _left = shared.storage.remove(&shared.run_path(run.id));
    }
}

/// A sorted load being written.
struct Load<'a> {
    shared: &'a Shared,
    writer: Option<RunWriter>,
    done: Vec<RunMeta>,
    last_key: Vec<u8>,
    rows: u64,
}

impl Load<'_> {
    fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        key::check_lengths(key, value)?;
        if self.rows > 0 && key <= self.last_key.as_slice() {
            return Err(Error::Unsorted { row: self.rows });
        }
        if let Some(writer) =
            self.writer.take_if(|writer| writer.is_full(self.shared.options.compaction.base_run_bytes))
        {
            self.done.push(writer.finish()?);
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let id = self.shared.next_run.fetch_add(1, Ordering::Relaxed);
                let options = RunOptions { base_sequence: 1, ..self.shared.options.compaction.run };
                let writer =
                    RunWriter::create(&self.shared.storage, &self.shared.run_path(id), id, &options)?
                        .counted(self.shared.pool.work());
                self.writer.insert(writer)
            }
        };
        // The true number is not known yet; the manifest will say it.
        writer.push(Version { key, sequence: 1, kind: Kind::Put, value })?;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<RunMeta>> {
        if let Some(writer) = self.writer.take() {
            self.done.push(writer.finish()?);
            let directory = self.shared.directory.join(RUNS);
            self.shared.storage.sync_dir(&directory).at("sync", &directory)?;
        }
        Ok(std::mem::take(&mut self.done))
    }

    fn abandon(&mut self) {
        self.writer = None;
        remove_files(self.shared, &self.done);
    }
}

pub(super) fn delete_range(table: &Table, start: &[u8], end: Option<&[u8]>) -> Result<()> {
    let bound = end.map_or(Bound::Unbounded, Bound::Excluded);
    // A merge under way would bring the rows of the runs it reads back with its outputs.
    let merges = table.core.compacting.enter();
    // Only runs of the base: nothing older lies below them that would come to light.
    let view = table.inner.view.load_full();
    let base = TableRuns { young: &[], base: &view.base };
    let ids = runs_inside(&base, Bound::Included(start), bound);
    let inside: Vec<Arc<Run>> =
        view.base.iter().filter(|run| ids.contains(&run.meta().id)).map(Arc::clone).collect();
    drop(view);
    if !inside.is_empty() {
        match install(table, &[], &inside, 3) {
            // On a conflict others write to the table, or a live snapshot still reads those runs: their rows go like
            // all others.
            Ok(()) | Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    drop(merges);
    let mut rows = table.range((Bound::Included(start), bound))?;
    let mut batch = WriteBatch::new();
    while let Some((key, _)) = rows.next_ref()? {
        batch.delete(table, key)?;
        if batch.size() >= DELETE_BATCH {
            table.core.commit(&batch, Durability::Buffered)?;
            batch.clear();
        }
    }
    table.core.commit(&batch, Durability::Buffered)?;
    table.core.submit(Job::Sync).map(drop)
}
