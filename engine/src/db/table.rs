//! A table: its memtables and runs, and the reads that go through them.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::core::{Core, Shared};
use crate::batch::{TableId, WriteBatch, writes};
use crate::blocks::pinned::Value;
use crate::compact::TableRuns;
use crate::error::{Error, Result};
use crate::key::{self, Kind, Sequence};
use crate::memtable::Memtable;
use crate::merge::{Concat, Cursor, Scan};
use crate::options::Durability;
use crate::run::{Keep, Run};

/// Where a table's data is at one moment. Never changed, only replaced.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) active: Arc<Memtable>,
    /// Newest first.
    pub(crate) frozen: Vec<Arc<Memtable>>,
    /// Newest first.
    pub(crate) young: Vec<Arc<Run>>,
    /// Disjoint, by key.
    pub(crate) base: Arc<[Arc<Run>]>,
}

impl View {
    pub(crate) fn runs(&self) -> TableRuns<'_> {
        TableRuns { young: &self.young, base: &self.base }
    }

    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(&self.frozen)
    }

    /// The newest version of a key not after `snapshot`; `None` also for a deleted one.
    #[inline]
    fn get(&self, key: &[u8], snapshot: Sequence) -> Result<Option<Value>> {
        let hash = key::hash(key);
        for memtable in self.memtables() {
            if let Some(recent) = memtable.get(key, hash, snapshot) {
                return Ok((recent.kind == Kind::Put).then_some(recent.value));
            }
        }
        for run in &self.young {
            // Most keys are in the base: the filter says so without a cache miss in the index.
            if run.may_contain(key, hash)?
                && let Some(found) = run.get(key, hash, snapshot)?
            {
                return Ok((found.kind == Kind::Put).then_some(found.value));
            }
        }
        let at = match &*self.base {
            [] => return Ok(None),
            [_] => 0,
            runs => runs.partition_point(|run| *run.meta().last_key < *key),
        };
        let Some(run) = self.base.get(at) else { return Ok(None) };
        let found = run.get(key, hash, snapshot)?;
        Ok(found.filter(|found| found.kind == Kind::Put).map(|found| found.value))
    }

    fn cursors(&self, keep: Keep) -> Vec<Box<dyn Cursor>> {
        let mut cursors: Vec<Box<dyn Cursor>> = Vec::with_capacity(2 + self.frozen.len() + self.young.len());
        for memtable in self.memtables() {
            if !memtable.is_empty() {
                cursors.push(Box::new(memtable.cursor()));
            }
        }
        cursors.extend(self.young.iter().map(|run| Box::new(run.cursor(keep)) as Box<dyn Cursor>));
        if !self.base.is_empty() {
            cursors.push(Box::new(Concat::new(Arc::clone(&self.base), keep)));
        }
        cursors
    }
}

/// What all handles of a table share.
#[derive(Debug)]
pub(crate) struct TableInner {
    pub(crate) id: TableId,
    pub(crate) name: Arc<str>,
    pub(crate) view: ArcSwap<View>,
    pub(crate) dropped: AtomicBool,
    pub(crate) shared: Arc<Shared>,
}

impl TableInner {
    /// Makes the active memtable a frozen one; only the leader does. `false`: there was nothing in it.
    pub(crate) fn freeze(&self, write_buffer: usize) -> bool {
        let view = self.view.load();
        if view.active.is_empty() {
            return false;
        }
        let fresh = Arc::new(Memtable::new(write_buffer, view.active.cuts()));
        self.shared.budget.froze(view.active.bytes());
        self.view.rcu(|view| View {
            active: Arc::clone(&fresh),
            frozen: std::iter::once(&view.active).chain(&view.frozen).map(Arc::clone).collect(),
            young: view.young.clone(),
            base: Arc::clone(&view.base),
        });
        true
    }

    /// Whether nothing is in memtables. An error that says to flush first if there is.
    pub(crate) fn is_quiet(&self) -> Result<()> {
        let view = self.view.load();
        if view.active.is_empty() && view.frozen.is_empty() { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Reads as of a snapshot that is known to be alive.
    #[inline]
    pub(crate) fn get_at(&self, key: &[u8], snapshot: Sequence) -> Result<Option<Value>> {
        if !self.shared.metrics.count_get() {
            return self.view.load().get(key, snapshot);
        }
        let started = Instant::now();
        let found = self.view.load().get(key, snapshot);
        self.shared.metrics.get.record(started.elapsed());
        found
    }

    /// Scans as of a snapshot that is known to be alive. `first` come before all other sources.
    pub(crate) fn scan_at<'k>(
        self: &Arc<Self>,
        range: impl RangeBounds<&'k [u8]>,
        snapshot: Sequence,
        first: impl Fn() -> Option<Box<dyn Cursor>> + Send + 'static,
    ) -> Scan {
        // One view for both ends: it holds all that the snapshot can see, whatever is merged meanwhile.
        let view = self.view.load_full();
        let sources = move || {
            let mut cursors = view.cursors(Keep::Yes);
            if let Some(own) = first() {
                cursors.insert(0, own);
            }
            cursors
        };
        Scan::new(Box::new(sources), range, snapshot)
    }

    pub(crate) fn check_exists(&self) -> Result<()> {
        if self.dropped.load(Ordering::Acquire) {
            return Err(Error::NoTable { name: Arc::clone(&self.name) });
        }
        Ok(())
    }
}

/// All tables; replaced when one is created or dropped. In order, so that work on all of them can be repeated exactly.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tables {
    by_id: BTreeMap<TableId, Arc<TableInner>>,
    by_name: BTreeMap<Arc<str>, TableId>,
}

impl Tables {
    pub(crate) fn get(&self, id: TableId) -> Option<&Arc<TableInner>> {
        self.by_id.get(&id)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<TableInner>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TableInner>> {
        self.by_id.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn insert(&mut self, table: Arc<TableInner>) {
        self.by_name.insert(Arc::clone(&table.name), table.id);
        self.by_id.insert(table.id, table);
    }

    pub(crate) fn remove(&mut self, table: &TableInner) {
        self.by_name.remove(&table.name);
        self.by_id.remove(&table.id);
    }

    /// Puts the writes of a commit into memtables, except those of tables flushed beyond it, and calls `full` for each
    /// memtable that has grown to its limit. A commit is never split between two memtables of a table: when the first is
    /// flushed, all of the commit counts as flushed.
    pub(crate) fn apply(
        &self,
        sequence: Sequence,
        body: &[u8],
        flushed: impl Fn(TableId) -> Sequence,
        mut full: impl FnMut(&TableInner),
    ) {
        let mut target: Option<(&Arc<TableInner>, Arc<Memtable>)> = None;
        let mut grown: Vec<&Arc<TableInner>> = Vec::new();
        for write in writes(body).flatten() {
            if target.as_ref().is_none_or(|(table, _)| table.id != write.table) {
                // What was written to a table that is dropped by now goes with it.
                let table = self.get(write.table).filter(|table| flushed(table.id) < sequence);
                target = table.map(|table| (table, Arc::clone(&table.view.load().active)));
            }
            let Some((table, active)) = &target else { continue };
            active.insert(sequence, body, &write);
            let is_full = active.bytes() >= table.shared.options.write_buffer_bytes;
            if is_full && !grown.iter().any(|other| other.id == table.id) {
                grown.push(table);
            }
        }
        grown.into_iter().for_each(|table| full(table));
    }

    pub(crate) fn memtable_bytes(&self) -> usize {
        let bytes =
            |table: &Arc<TableInner>| table.view.load().memtables().map(|table| table.bytes()).sum::<usize>();
        self.iter().map(bytes).sum()
    }

    pub(crate) fn largest_memtable(&self) -> Option<&Arc<TableInner>> {
        self.iter().max_by_key(|table| table.view.load().active.bytes())
    }
}

/// A table of a database: a sorted map from keys to values. A handle; clones are the same table.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) inner: Arc<TableInner>,
    pub(crate) core: Arc<Core>,
}

impl Table {
    pub(crate) fn id(&self) -> TableId {
        self.inner.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The value of a key, as of now.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let inner = &*self.inner;
        if inner.dropped.load(Ordering::Relaxed) {
            inner.check_exists()?;
        }
        let started = inner.shared.metrics.count_get().then(Instant::now);
        // The view before the sequence: what a merge has dropped by now is still in the view, and the view holds all
        // that was visible when it was taken.
        let view = inner.view.load();
        let found = view.get(key, inner.shared.visible.load(Ordering::Acquire));
        if let Some(started) = started {
            inner.shared.metrics.get.record(started.elapsed());
        }
        found
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    /// Sets a key's value, as a commit of its own.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut batch = WriteBatch::with_capacity(key.len() + value.len() + 16);
        batch.put(self, key, value)?;
        self.core.commit(&batch, self.inner.shared.options.durability)
    }

    /// Removes a key, as a commit of its own. It need not exist.
    pub fn delete(&self, key: &[u8]) -> Result<()> {
        let mut batch = WriteBatch::with_capacity(key.len() + 16);
        batch.delete(self, key)?;
        self.core.commit(&batch, self.inner.shared.options.durability)
    }

    /// Rows of a range as of now, readable from both ends. As long as they live they keep the
    /// files they read from being freed.
    pub fn range<'k>(&self, range: impl RangeBounds<&'k [u8]>) -> Result<Rows> {
        self.inner.check_exists()?;
        let snapshot = self.core.snapshot();
        Ok(Rows { scan: self.inner.scan_at(range, snapshot.sequence(), || None) })
    }

    /// All rows.
    pub fn iter(&self) -> Result<Rows> {
        self.range(..)
    }

    /// Rows whose keys begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Rows> {
        let end = key::prefix_end(prefix);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range((Bound::Included(prefix), end))
    }

    /// Writes sorted rows past the log and the memtables, straight into runs. Keys must rise strictly. All rows become
    /// visible at once and durable; they replace what their keys had. Returns how many there were.
    pub fn ingest<K, V>(&self, rows: impl IntoIterator<Item = (K, V)>) -> Result<u64>
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        super::ingest::ingest(self, rows)
    }

    /// Removes all rows from `start` up to, not including, `end`. Runs that lie inside are dropped whole, the rows of
    /// others are deleted one by one, in several commits.
    pub fn delete_range(&self, start: &[u8], end: Option<&[u8]>) -> Result<()> {
        super::ingest::delete_range(self, start, end)
    }

    /// Writes the memtable out as a run.
    pub fn flush(&self) -> Result<()> {
        self.core.flush_table(&self.inner)
    }

    /// Merges all runs of the table into its base and drops what nobody can see any more.
    pub fn compact(&self) -> Result<()> {
        self.flush()?;
        self.core.compact_table(&self.inner, true).map(drop)
    }

    /// Commits a batch and waits as `durability` says; a convenience for [`crate::Database::write`].
    pub fn write(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.core.commit(batch, durability)
    }
}

/// Rows of a range. An iterator from both ends; [`Rows::next_ref`] reads without keeping.
#[derive(Debug)]
pub struct Rows {
    pub(crate) scan: Scan,
}

impl Rows {
    /// The next row from the front, lent until the next call: the fastest way to read many.
    #[inline]
    pub fn next_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.scan.next_ref()
    }

    /// The next row from the back, lent until the next call.
    pub fn next_back_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.scan.next_back_ref()
    }
}

impl Iterator for Rows {
    type Item = Result<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.next()
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.scan.next_back()
    }
}
