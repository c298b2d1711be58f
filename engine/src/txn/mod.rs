//! Transactions: reads as of a snapshot, writes kept aside, a commit that succeeds only if nothing read has changed.

pub(crate) mod slots;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::batch::{TableId, WriteBatch};
use crate::blocks::pinned::Value;
use crate::commit::{ReadRange, ReadSet};
use crate::db::core::Core;
use crate::db::{Snapshot, Table};
use crate::error::Result;
use crate::key::{self, Kind, Sequence, Version};
use crate::merge::{Cursor, Scan};
use crate::options::Durability;
use crate::tags::{Dictionary, InTransaction, Tags};
use slots::Place;

/// Pending writes of a table: key to new value, none for a deletion.
type Pending = BTreeMap<Box<[u8]>, Option<Value>>;

/// A serialisable transaction. It sees the database as of its beginning, with its own writes. Dropped without
/// [`Transaction::commit`], it leaves no trace.
#[derive(Debug)]
pub struct Transaction {
    core: Arc<Core>,
    snapshot: Snapshot,
    /// Keeps the window of recent commits open; see the order in [`Transaction::begin`].
    window: (Place, Sequence),
    /// Reads happen behind `&self`, and several iterators may be open: hence a lock. Nobody else has it.
    reads: Mutex<ReadSet>,
    writes: BTreeMap<TableId, Arc<Pending>>,
    bytes: usize,
}

impl Transaction {
    pub(crate) fn begin(core: &Arc<Core>) -> Self {
        // The window first: from here on it keeps all commits newer than the snapshot.
        let window = core.shared.transactions.begin(&core.shared.visible);
        let snapshot = core.snapshot();
        let reads = ReadSet { snapshot: snapshot.sequence(), ..ReadSet::default() };
        Self {
            core: Arc::clone(core),
            snapshot,
            window,
            reads: Mutex::new(reads),
            writes: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// The value of a key.
    pub fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Value>> {
        if let Some(pending) = self.writes.get(&table.id()).and_then(|writes| writes.get(key)) {
            return Ok(pending.clone());
        }
        self.reads.lock().keys.push((table.id(), key::hash(key)));
        table.inner.get_at(key, self.snapshot.sequence())
    }

    /// Rows of a range, from both ends. The whole range counts as read, also what is absent from it.
    pub fn range<'k>(&self, table: &Table, range: impl RangeBounds<&'k [u8]>) -> Result<TransactionRows> {
        table.inner.check_exists()?;
        let own = |bound: Bound<&&[u8]>| bound.map(|key| Box::from(*key));
        let read =
            ReadRange { table: table.id(), start: own(range.start_bound()), end: own(range.end_bound()) };
        self.reads.lock().ranges.push(read);
        let sequence = self.snapshot.sequence();
        let pending = self.writes.get(&table.id()).map(Arc::clone);
        let first = move || {
            let pending = pending.as_ref().map(Arc::clone)?;
            Some(Box::new(PendingCursor { pending, sequence, at: None }) as Box<dyn Cursor>)
        };
        Ok(TransactionRows { scan: table.inner.scan_at(range, sequence, first) })
    }

    /// Rows whose keys begin with `prefix`.
    pub fn prefix(&self, table: &Table, prefix: &[u8]) -> Result<TransactionRows> {
        let end = key::prefix_end(prefix);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range(table, (Bound::Included(prefix), end))
    }

    /// Sets a key's value.
    pub fn put(&mut self, table: &Table, key: &[u8], value: &[u8]) -> Result<()> {
        key::check_lengths(key, value)?;
        self.write(table, key, Some(Value::from(value.to_vec())));
        Ok(())
    }

    /// Removes a key.
    pub fn delete(&mut self, table: &Table, key: &[u8]) -> Result<()> {
        key::check_lengths(key, &[])?;
        self.write(table, key, None);
        Ok(())
    }

    /// The tags of a table's rows, to be read and changed as part of the transaction.
    pub fn tags(&mut self, table: &Table) -> Result<Tags<InTransaction<'_>>> {
        Ok(Tags::new(self.index_of(table)?))
    }

    /// The dictionary of a table, to be read and added to as part of the transaction.
    pub fn dictionary(&mut self, table: &Table) -> Result<Dictionary<InTransaction<'_>>> {
        Ok(Dictionary::new(self.index_of(table)?))
    }

    fn index_of(&mut self, table: &Table) -> Result<InTransaction<'_>> {
        let index = self.core.index_of(table)?;
        Ok(InTransaction { transaction: self, table: Arc::clone(&table.inner.name), index })
    }

    fn write(&mut self, table: &Table, key: &[u8], value: Option<Value>) {
        self.bytes += key.len() + value.as_ref().map_or(0, |value| value.len()) + 16;
        // An iterator that is open over the pending writes keeps those it began with.
        Arc::make_mut(self.writes.entry(table.id()).or_default()).insert(Box::from(key), value);
    }

    /// Commits. [`crate::Error::Conflict`] if something read was changed meanwhile: then nothing happened, and the whole
    /// transaction may be tried again on a new snapshot. A transaction that wrote nothing always succeeds.
    pub fn commit(self, durability: Durability) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::with_capacity(self.bytes);
        for (table, writes) in &self.writes {
            for (key, value) in &**writes {
                match value {
                    Some(value) => batch.push(*table, Kind::Put, key, value)?,
                    None => batch.push(*table, Kind::Delete, key, &[])?,
                }
            }
        }
        let reads = std::mem::take(&mut *self.reads.lock());
        self.core.commit_with(&batch, durability, Some(reads)).map(drop)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.core.shared.transactions.end(self.window);
    }
}

/// Rows of a range as a transaction sees them.
#[derive(Debug)]
pub struct TransactionRows {
    scan: Scan,
}

impl TransactionRows {
    /// The next row from the front, lent until the next call.
    pub fn next_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.scan.next_ref()
    }

    /// The next row from the back, lent until the next call.
    pub fn next_back_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.scan.next_back_ref()
    }
}

impl Iterator for TransactionRows {
    type Item = Result<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.next()
    }
}

impl DoubleEndedIterator for TransactionRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.scan.next_back()
    }
}

/// Walks pending writes as if they had been committed just before the snapshot.
#[derive(Debug)]
struct PendingCursor {
    pending: Arc<Pending>,
    sequence: Sequence,
    at: Option<Box<[u8]>>,
}

impl PendingCursor {
    fn move_to(&mut self, range: (Bound<&[u8]>, Bound<&[u8]>), last: bool) {
        let mut keys = self.pending.range::<[u8], _>(range).map(|(key, _)| key);
        self.at = if last { keys.next_back().cloned() } else { keys.next().cloned() };
    }
}

impl Cursor for PendingCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.move_to((Bound::Unbounded, Bound::Unbounded), false);
        Ok(())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.move_to((Bound::Included(key), Bound::Unbounded), false);
        Ok(())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.move_to((Bound::Unbounded, Bound::Unbounded), true);
        Ok(())
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        self.move_to((Bound::Unbounded, Bound::Excluded(key)), true);
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        if let Some(here) = self.at.take() {
            self.move_to((Bound::Excluded(&here), Bound::Unbounded), false);
        }
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        if let Some(here) = self.at.take() {
            self.move_to((Bound::Unbounded, Bound::Excluded(&here)), true);
        }
        Ok(())
    }

    fn current(&self) -> Option<Version<'_>> {
        let (key, value) = self.pending.get_key_value(self.at.as_deref()?)?;
        let kind = if value.is_some() { Kind::Put } else { Kind::Delete };
        Some(Version { key, sequence: self.sequence, kind, value: value.as_deref().unwrap_or_default() })
    }

    fn value(&self) -> Value {
        let here = self.at.as_deref().and_then(|key| self.pending.get(key));
        here.cloned().flatten().unwrap_or(Value::from_static(b""))
    }
}
