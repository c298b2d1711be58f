//! Walks a memtable while it grows: some entries at a time are copied out under a shard's lock (a reference count each),
//! and the walk goes on from the last of them.

use std::sync::Arc;

use super::Memtable;
use super::sorted::Entry;
use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::{Sequence, Version};
use crate::merge::cursor::Cursor;

/// Entries copied at first, and at most: a point-like seek should not copy many, a scan should not lock often.
const FIRST: usize = 8;
const MOST: usize = 256;

/// A cursor over a memtable.
#[derive(Debug)]
pub(crate) struct MemCursor {
    table: Arc<Memtable>,
    /// Copied entries, in order, all of one shard.
    copied: Vec<Entry>,
    /// Where in them; `copied.len()` past either end.
    at: usize,
    shard: usize,
    /// Entries to copy next time.
    step: usize,
}

impl MemCursor {
    pub(super) fn new(table: Arc<Memtable>) -> Self {
        Self { table, copied: Vec::new(), at: 0, shard: 0, step: FIRST }
    }

    /// Copies entries from (`key`, `sequence`) on, or of the first later shard that has any.
    fn fill_forward(&mut self, mut from: Option<(&[u8], Sequence)>) {
        self.copied.clear();
        self.at = 0;
        while let Some(shard) = self.table.shards().get(self.shard) {
            let shard = shard.read();
            let position = from.map_or((0, 0), |(key, sequence)| shard.lower_bound(key, sequence));
            shard.copy_from(position, self.step, &mut self.copied);
            if !self.copied.is_empty() {
                self.step = (self.step * 2).min(MOST);
                return;
            }
            drop(shard);
            from = None;
            self.shard += 1;
        }
    }

    /// Copies entries before (`key`, `sequence`), or of the first earlier shard that has any; the last is current.
    fn fill_backward(&mut self, mut to: Option<(&[u8], Sequence)>) {
        self.copied.clear();
        loop {
            if let Some(shard) = self.table.shards().get(self.shard) {
                let shard = shard.read();
                let position = to.map_or(shard.end(), |(key, sequence)| shard.lower_bound(key, sequence));
                shard.copy_before(position, self.step, &mut self.copied);
            }
            if !self.copied.is_empty() {
                self.step = (self.step * 2).min(MOST);
                self.at = self.copied.len() - 1;
                return;
            }
            to = None;
            let Some(before) = self.shard.checked_sub(1) else {
                self.at = 0;
                return;
            };
            self.shard = before;
        }
    }
}

impl Cursor for MemCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.shard = 0;
        self.step = FIRST;
        self.fill_forward(None);
        Ok(())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.shard = self.table.shard_of(key);
        self.step = FIRST;
        self.fill_forward(Some((key, Sequence::MAX)));
        Ok(())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.shard = self.table.shards().len() - 1;
        self.step = FIRST;
        self.fill_backward(None);
        Ok(())
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        self.shard = self.table.shard_of(key);
        self.step = FIRST;
        self.fill_backward(Some((key, Sequence::MAX)));
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.at += 1;
        if self.at >= self.copied.len()
            && let Some(last) = self.copied.pop()
        {
            // The version after (key, s) is the first at or after (key, s - 1); nothing has sequence 0.
            self.fill_forward(Some((last.key(), last.sequence.saturating_sub(1))));
        }
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        if let Some(before) = self.at.checked_sub(1) {
            self.at = before;
        } else if !self.copied.is_empty() {
            let first = self.copied.swap_remove(0);
            self.fill_backward(Some((first.key(), first.sequence)));
        }
        Ok(())
    }

    fn current(&self) -> Option<Version<'_>> {
        self.copied.get(self.at).map(Entry::version)
    }

    fn value(&self) -> Value {
        self.copied.get(self.at).map_or(Value::from_static(b""), Entry::value)
    }
}
