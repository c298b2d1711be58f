//! Work behind the writers' backs: flushing memtables, merging runs, freeing the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::{Core, Due, RUNS, Shared};
use super::table::{TableInner, View};
use crate::commit::Job;
use crate::compact::{self, CompactEnv, Gc, Job as Merge};
use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::manifest::{Failure, RunRecord, State};
use crate::memtable::Memtable;
use crate::merge::Cursor;
use crate::run::{Run, RunId, RunMeta, RunOptions, RunWriter};

/// How soon to see again whether readers have let go of what is no longer part of a table.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Core {
    /// The flushing thread.
    pub(crate) fn flush_loop(&self) {
        loop {
            let pick = |due: &mut Due| {
                let taken = Due { compact: false, ..*due };
                *due = Due { stop: due.stop, compact: due.compact, ..Due::default() };
                taken
            };
            let due = self.shared.signal.wait(pick, None);
            if due.stop {
                return;
            }
            self.run(due);
        }
    }

    /// The merging thread.
    pub(crate) fn compact_loop(&self) {
        loop {
            let pick = |due: &mut Due| {
                let taken = Due { compact: due.compact, stop: due.stop, ..Due::default() };
                due.compact = false;
                taken
            };
            let patience = (!self.shared.retired.is_empty()).then_some(LOOK_AGAIN);
            let due = self.shared.signal.wait(pick, patience);
            if due.stop {
                return;
            }
            self.run(due);
        }
    }

    /// Does what is due, on the calling thread.
    pub(crate) fn run_due(&self) {
        loop {
            let due = self.shared.signal.take();
            if due == Due::default() {
                return;
            }
            self.run(due);
        }
    }

    fn run(&self, due: Due) {
        if self.shared.poisoned().is_some() {
            return;
        }
        // Failures here lose nothing: the log still has what was not flushed, the inputs of a merge stay. The next
        // occasion tries again, a failure that matters poisons the database, and writers that would wait are told.
        if due.segment {
            let _tried = self.shared.log.prepare();
        }
        if due.flush {
            *self.shared.failing.flush.lock() = self.flush_frozen().err();
        }
        if due.compact {
            *self.shared.failing.compact.lock() = self.compact_all(false).err();
        }
        self.shared.let_go(0);
    }

    /// Flushes what is frozen, in all tables.
    pub(crate) fn flush_frozen(&self) -> Result<()> {
        let tables = self.shared.tables.load_full();
        tables.iter().try_for_each(|table| self.flush_frozen_of(table))
    }

    /// Freezes and flushes all tables.
    pub(crate) fn flush_all(&self) -> Result<()> {
        let tables = self.shared.tables.load_full();
        tables.iter().try_for_each(|table| self.flush_table(table))?;
        if self.shared.log.is_oversize() {
            // As long as everything else that was just written to runs.
            self.submit(Job::Rotate)?;
            let upto = self.shared.manifest.lock().state().in_runs;
            self.shared.log.release(upto)?;
        }
        self.shared.log.trim()
    }

    /// Freezes and flushes a table.
    pub(crate) fn flush_table(&self, table: &Arc<TableInner>) -> Result<()> {
        table.check_exists()?;
        self.submit(Job::Freeze(Arc::clone(table)))?;
        self.flush_frozen_of(table)
    }

    /// What is frozen later is left to others: writers that never pause must not keep anybody here for ever.
    fn flush_frozen_of(&self, table: &Arc<TableInner>) -> Result<()> {
        let Some(newest) = table.view.load().frozen.first().map(|memtable| memtable.last()) else {
            return Ok(());
        };
        loop {
            let turn = self.flushing.enter();
            if table.dropped.load(Ordering::Acquire) {
                return Ok(());
            }
            let oldest = table.view.load().frozen.last().map(Arc::clone);
            let Some(oldest) = oldest.filter(|oldest| oldest.last() <= newest) else { return Ok(()) };
            self.flush(table, &oldest)?;
            drop(turn);
            drop(oldest);
            self.shared.let_go(0);
        }
    }

    fn flush(&self, table: &Arc<TableInner>, memtable: &Arc<Memtable>) -> Result<()> {
        let shared = &*self.shared;
        let started = Instant::now();
        if shared.durable.load(Ordering::Acquire) < memtable.last() {
            // A run may not be ahead of the log: what other tables got in the same commits would be missing.
            self.submit(Job::Sync)?;
        }
        let record = write_run(shared, memtable)?;
        let opened = record.as_ref().map(|record| open_run(shared, record)).transpose()?;
        if table.dropped.load(Ordering::Acquire) {
            discard(opened);
            return Ok(());
        }
        let flushed = memtable.last();
        let changed = shared.change_manifest(|state| {
            if let Some(entry) = state.tables.get_mut(&table.id) {
                entry.flushed = flushed;
                entry.young.splice(0..0, record);
            }
            state.next_run = shared.next_run.load(Ordering::Relaxed);
            state.in_runs = in_runs(shared, state);
        });
        if let Err(failure) = changed {
            return Err(undo(failure, opened));
        }
        table.view.rcu(|view| View {
            active: Arc::clone(&view.active),
            frozen: view
                .frozen
                .iter()
                .filter(|other| !Arc::ptr_eq(other, memtable))
                .map(Arc::clone)
                .collect(),
            young: opened.iter().chain(&view.young).map(Arc::clone).collect(),
            base: Arc::clone(&view.base),
        });
        shared.retired.memtables([Arc::clone(memtable)]);
        shared.budget.thawed(memtable.bytes());
        shared.signal.wake_writers();
        shared.signal.compact();
        shared.metrics.flush.record(started.elapsed());
        let upto = shared.manifest.lock().state().in_runs;
        shared.log.release(upto)
    }

    /// Merges what is worth merging, or everything, in all tables.
    pub(crate) fn compact_all(&self, everything: bool) -> Result<()> {
        let tables = self.shared.tables.load_full();
        for table in tables.iter() {
            while self.compact_table(table, everything)? && !everything {}
        }
        Ok(())
    }

    /// Does one merge in a table. `false`: there was none worth doing.
    pub(crate) fn compact_table(&self, table: &Arc<TableInner>, everything: bool) -> Result<bool> {
        let shared = &*self.shared;
        let _turn = self.compacting.enter();
        if shared.stop.load(Ordering::Relaxed) || table.dropped.load(Ordering::Acquire) {
            return Ok(false);
        }
        let view = table.view.load_full();
        let picked = if everything {
            compact::pick_all(&view.runs())
        } else {
            compact::pick(&view.runs(), &shared.options.compaction)
        };
        drop(view);
        let Some(merge) = picked else { return Ok(false) };
        let started = Instant::now();
        let directory = shared.directory.join(RUNS);
        let outputs = compact::execute(
            &merge,
            &CompactEnv {
                storage: &shared.storage,
                directory: &directory,
                next_id: &shared.next_run,
                oldest_snapshot: shared.snapshots.collectable(&shared.visible),
                limiter: &shared.limiter,
                stop: &shared.stop,
                options: &shared.options.compaction,
            },
        )?;
        shared.storage.sync_dir(&directory).at("sync", &directory)?;
        shared.metrics.compacted_bytes.add(outputs.iter().map(|output| output.bytes).sum());
        let records: Vec<RunRecord> =
            outputs.into_iter().map(|meta| RunRecord { meta, base_sequence: None }).collect();
        let opened = records.iter().map(|record| open_run(shared, record)).collect::<Result<Vec<_>>>()?;
        install_merge(shared, table, &merge, records, opened)?;
        // What writers kept until their runs were done is a small part of what they read.
        let merged = merge.bytes() / 8;
        drop(merge);
        shared.metrics.compact.record(started.elapsed());
        shared.signal.wake_writers();
        shared.let_go(merged);
        if !shared.retired.is_empty() {
            // Somebody still reads what was merged: the merging thread looks again.
            shared.signal.compact();
        }
        Ok(true)
    }
}

/// Writes a memtable as a run, without what nobody can see. `None`: nothing was left.
fn write_run(shared: &Shared, memtable: &Arc<Memtable>) -> Result<Option<RunRecord>> {
    let id = shared.next_run.fetch_add(1, Ordering::Relaxed);
    let options = RunOptions { base_sequence: memtable.first(), ..shared.options.compaction.run };
    let mut writer =
        RunWriter::create(&shared.storage, &shared.run_path(id), id, &options)?.counted(shared.pool.work());
    let mut gc = Gc::new(shared.snapshots.collectable(&shared.visible), false);
    let mut cursor = memtable.cursor();
    cursor.seek_first()?;
    while let Some(version) = cursor.current() {
        if gc.keep(version) {
            writer.push(version)?;
        }
        cursor.next()?;
    }
    if writer.rows() == 0 {
        return Ok(None);
    }
    let meta = writer.finish()?;
    shared.metrics.flushed_bytes.add(meta.bytes);
    let directory = shared.directory.join(RUNS);
    shared.storage.sync_dir(&directory).at("sync", &directory)?;
    Ok(Some(RunRecord { meta, base_sequence: None }))
}

/// Opens a run that the manifest names, or is about to.
pub(crate) fn open_run(shared: &Shared, record: &RunRecord) -> Result<Arc<Run>> {
    let path = shared.run_path(record.meta.id);
    let run = Run::open_at(&shared.storage, &path, record.meta.id, &shared.pool, record.base_sequence)?;
    if *run.meta() != record.meta {
        return Err(Error::corrupt(&path, 0, "not the run that the manifest describes"));
    }
    Ok(run)
}

/// Commits up to this one are in runs, in all tables: as far as the manifest to be written says.
pub(crate) fn in_runs(shared: &Shared, state: &State) -> Sequence {
    let visible = shared.visible.load(Ordering::Acquire);
    let tables = shared.tables.load();
    let oldest_unflushed = tables.iter().filter_map(|table| {
        let flushed = state.tables.get(&table.id)?.flushed;
        let view = table.view.load();
        view.memtables().filter(|memtable| memtable.last() > flushed).map(|memtable| memtable.first()).min()
    });
    // An empty table has no say. What is not visible yet is newer than all of this.
    oldest_unflushed
        .map(|first| first - 1)
        .min()
        .map_or(visible, |oldest| oldest.min(visible))
        .max(state.in_runs)
}

/// Removes runs that no manifest will ever name.
pub(crate) fn discard(runs: impl IntoIterator<Item = Arc<Run>>) {
    for run in runs {
        run.remove_on_drop();
    }
}

/// After a failed change of the manifest: removes the new runs, unless they might be named after all.
pub(crate) fn undo(failure: Failure, runs: impl IntoIterator<Item = Arc<Run>>) -> Error {
    match failure {
        Failure::Unchanged(error) => {
            discard(runs);
            error
        }
        Failure::Unknown(error) => error,
    }
}

/// Replaces the inputs of a merge by its outputs, in the manifest and in the view.
fn install_merge(
    shared: &Shared,
    table: &Arc<TableInner>,
    merge: &Merge,
    records: Vec<RunRecord>,
    opened: Vec<Arc<Run>>,
) -> Result<()> {
    let inputs: Vec<RunId> = merge.inputs().collect();
    let is_input = |meta: &RunMeta| inputs.contains(&meta.id);
    if table.dropped.load(Ordering::Acquire) {
        discard(opened);
        return Ok(());
    }
    let changed = shared.change_manifest(|state| {
        if let Some(entry) = state.tables.get_mut(&table.id) {
            entry.young.retain(|run| !is_input(&run.meta));
            entry.base.retain(|run| !is_input(&run.meta));
            if merge.to_base {
                entry.base.extend(records);
                entry.base.sort_by(|a, b| a.meta.first_key.cmp(&b.meta.first_key));
            } else {
                entry.young.extend(records);
                entry.young.sort_by_key(|run| std::cmp::Reverse(run.meta.max_sequence));
            }
        }
        state.next_run = shared.next_run.load(Ordering::Relaxed);
    });
    if let Err(failure) = changed {
        return Err(undo(failure, opened));
    }
    table.view.rcu(|view| {
        let mut young: Vec<Arc<Run>> =
            view.young.iter().filter(|run| !is_input(run.meta())).map(Arc::clone).collect();
        let mut base: Vec<Arc<Run>> =
            view.base.iter().filter(|run| !is_input(run.meta())).map(Arc::clone).collect();
        if merge.to_base {
            base.extend(opened.iter().map(Arc::clone));
            base.sort_by(|a, b| a.meta().first_key.cmp(&b.meta().first_key));
        } else {
            young.extend(opened.iter().map(Arc::clone));
            young.sort_by_key(|run| std::cmp::Reverse(run.meta().max_sequence));
        }
        View { active: Arc::clone(&view.active), frozen: view.frozen.clone(), young, base: Arc::from(base) }
    });
    shared.retired.runs(merge.young.iter().chain(&merge.base).map(Arc::clone));
    Ok(())
}
