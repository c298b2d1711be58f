//! A place in a run, moved back and forth over its versions.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::blocks::gauge::Share;
use crate::blocks::lease::Lease;
use crate::blocks::pinned::Value;
use crate::blocks::prefetch::prefetch;
use crate::error::Result;
use crate::key::{Kind, Sequence, Version};
use crate::merge::cursor::Cursor;
use crate::run::ahead::Ahead;
use crate::run::block::{self, Block};
use crate::run::reader::{Keep, RunInner, pin_block};

/// How many rows before it is read a row is asked for: as long as it takes to come from memory, about.
const AHEAD: usize = 8;

/// A cursor over all versions of a run.
pub struct RunCursor {
    run: Arc<Lease<RunInner>>,
    keep: Keep,
    /// Ordinal of the block the cursor stands in.
    at: usize,
    /// The block's bytes; `None` when the cursor stands nowhere.
    block: Option<Value>,
    /// Where the block's row starts begin.
    starts: usize,
    rows: usize,
    row: usize,
    /// The block's prefix followed by the current suffix; unused while the prefix is empty.
    key: Vec<u8>,
    prefix_len: usize,
    suffix: Range<usize>,
    value: Range<usize>,
    sequence: Sequence,
    kind: Kind,
    ahead: Ahead,
    /// The block, where it was made for this cursor alone. Reads by users share nothing, and have their blocks kept.
    held: Option<Share>,
}

impl RunCursor {
    pub(crate) fn new(run: Arc<Lease<RunInner>>, keep: Keep) -> Self {
        Self {
            held: (keep == Keep::No).then(|| Share::new(run.work())),
            run,
            keep,
            at: 0,
            block: None,
            starts: 0,
            rows: 0,
            row: 0,
            key: Vec::new(),
            prefix_len: 0,
            suffix: 0..0,
            value: 0..0,
            sequence: 0,
            kind: Kind::Put,
            ahead: Ahead::default(),
        }
    }

    /// Goes to block `at`, if there is one, without choosing a row. Afterwards `block` tells.
    fn enter(&mut self, at: usize) -> Result<()> {
        if self.block.is_some() && self.at == at {
            return Ok(());
        }
        self.block = None;
        let Some(bytes) = pin_block(&self.run, at, self.keep)? else { return Ok(()) };
        let block = Block::parse(&bytes).map_err(|bad| self.run.damaged_block(at, bad))?;
        self.rows = block.len();
        self.starts = bytes.len() - 2 * self.rows;
        self.prefix_len = block.prefix().len();
        self.key.clear();
        self.key.extend_from_slice(block.prefix());
        self.at = at;
        if let Some(held) = &mut self.held {
            held.set(if self.run.in_place(at).is_some() { 0 } else { bytes.len() });
        }
        self.block = Some(bytes);
        Ok(())
    }

    /// Reads row `row` of the current block.
    #[inline]
    fn load(&mut self, row: usize) -> Result<()> {
        self.row = row;
        let Some(block) = &self.block else { return Ok(()) };
        let bytes: &[u8] = block;
        let base = bytes.as_ptr().addr();
        let start = bytes.get(self.starts + 2 * row..).and_then(<[u8]>::first_chunk);
        if let Some(later) = bytes.get(self.starts + 2 * (row + AHEAD)..).and_then(<[u8]>::first_chunk) {
            let start = usize::from(u16::from_le_bytes(*later));
            prefetch(bytes.get(start..).unwrap_or_default());
        }
        let found = start.and_then(|start| block::row_at(bytes, usize::from(u16::from_le_bytes(*start))));
        let found = found.and_then(|row| Some((row, Kind::from_byte(row.kind)?)));
        let Some((row, kind)) = found else { return Err(self.run.damaged_row(self.at)) };
        let suffix = row.suffix.as_ptr().addr() - base;
        let value = row.value.as_ptr().addr() - base;
        self.suffix = suffix..suffix + row.suffix.len();
        self.value = value..value + row.value.len();
        self.sequence = row.sequence_delta.wrapping_add(self.run.base_sequence());
        self.kind = kind;
        if self.prefix_len > 0 {
            put_suffix(&mut self.key, self.prefix_len, row.suffix);
        }
        Ok(())
    }

    /// Whether there is a version here.
    #[inline]
    pub(crate) fn stands(&self) -> bool {
        self.block.is_some()
    }

    /// The version here without its key and value.
    #[inline]
    pub(crate) fn here(&self) -> Option<(Sequence, Kind)> {
        self.stands().then_some((self.sequence, self.kind))
    }

    #[cold]
    #[inline(never)]
    fn enter_next(&mut self) -> Result<()> {
        let next = self.at + 1;
        if let Some(offset) = self.run.cold_block(next)
            && let Some(range) = self.ahead.step(offset)
        {
            self.run.bring_in(range);
        }
        self.announce(next);
        self.enter(next)?;
        self.load(0)
    }

    /// Asks for the ends of the block after the next, and for rows of the next one, which are found by its end.
    fn announce(&self, at: usize) {
        if let Some(bytes) = self.run.in_place(at + 2) {
            prefetch(bytes);
            prefetch(bytes.get(bytes.len().saturating_sub(64)..).unwrap_or_default());
        }
        if let Some(bytes) = self.run.in_place(at + 1)
            && let Ok(block) = Block::parse(bytes)
        {
            let starts = (1..AHEAD).map_while(|row| block.start(row));
            starts.for_each(|start| prefetch(bytes.get(usize::from(start)..).unwrap_or_default()));
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_previous(&mut self) -> Result<()> {
        match self.at.checked_sub(1) {
            Some(before) => {
                self.enter(before)?;
                self.load(self.rows.saturating_sub(1))
            }
            None => {
                self.block = None;
                Ok(())
            }
        }
    }
}

/// Replaces what follows the prefix. Most suffixes are short and as long as the one before: those are not worth a call.
#[inline]
fn put_suffix(key: &mut Vec<u8>, prefix_len: usize, suffix: &[u8]) {
    if let Some(to) = key.get_mut(prefix_len..)
        && to.len() == suffix.len()
        && suffix.len() <= 16
        && let (Some(first), Some(last)) = (suffix.first_chunk::<8>(), suffix.last_chunk::<8>())
    {
        // The two overlap.
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
        return;
    }
    key.truncate(prefix_len);
    key.extend_from_slice(suffix);
}

impl Cursor for RunCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.ahead.jump();
        self.enter(0)?;
        self.load(0)
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.ahead.jump();
        self.enter(self.run.block_of(key))?;
        let Some(bytes) = &self.block else { return Ok(()) };
        let row = Block::parse(bytes)
            .and_then(|block| block.lower_bound(key))
            .map_err(|bad| self.run.damaged_block(self.at, bad))?;
        if row < self.rows { self.load(row) } else { self.enter_next() }
    }

    fn seek_last(&mut self) -> Result<()> {
        match self.run.block_count().checked_sub(1) {
            Some(last) => {
                self.enter(last)?;
                self.load(self.rows.saturating_sub(1))
            }
            None => Ok(()),
        }
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        self.enter(self.run.block_of(key))?;
        let Some(bytes) = &self.block else { return Ok(()) };
        let row = Block::parse(bytes)
            .and_then(|block| block.lower_bound(key))
            .map_err(|bad| self.run.damaged_block(self.at, bad))?;
        match row.checked_sub(1) {
            Some(before) => self.load(before),
            None => self.enter_previous(),
        }
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        let row = self.row + 1;
        if row < self.rows {
            self.load(row)
        } else if self.block.is_some() {
            self.enter_next()
        } else {
            Ok(())
        }
    }

    #[inline]
    fn step(&mut self) -> Result<Option<(Sequence, Kind)>> {
        self.next()?;
        Ok(self.here())
    }

    fn is_distinct(&self) -> bool {
        self.run.is_distinct()
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        match self.row.checked_sub(1) {
            Some(row) => self.load(row),
            None if self.block.is_some() => self.enter_previous(),
            None => Ok(()),
        }
    }

    #[inline]
    fn current(&self) -> Option<Version<'_>> {
        let bytes: &[u8] = self.block.as_ref()?;
        let key = if self.prefix_len == 0 { bytes.get(self.suffix.clone())? } else { &self.key };
        Some(Version { key, sequence: self.sequence, kind: self.kind, value: bytes.get(self.value.clone())? })
    }

    fn value(&self) -> Value {
        self.block.as_ref().map_or(Value::from_static(b""), |block| block.slice(self.value.clone()))
    }
}

impl fmt::Debug for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunCursor").field("block", &self.at).field("row", &self.row).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn suffixes_replace_each_other(prefix: [u8; 7], suffixes in prop::collection::vec(prop::collection::vec(any::<u8>(), 7..20), 1..20)) {
            let mut key = prefix.to_vec();
            for suffix in suffixes {
                put_suffix(&mut key, prefix.len(), &suffix);
                prop_assert_eq!(&key, &[&prefix[..], &suffix].concat());
            }
        }
    }
}
