//! A sorted table of entries in two levels: chunks of bounded length, and an index of where each begins.
//!
//! A search is two binary searches over arrays, mostly of key heads; an insertion moves at most one chunk's entries.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::sync::Arc;

use crate::batch::Write;
use crate::blocks::arena::{Arena, Chunk};
use crate::blocks::pinned::Value;
use crate::key::{self, Kind, Sequence, Version};

/// A chunk is split when it has grown to this many entries.
const CHUNK: usize = 64;

/// A version whose key and value lie in the memtable's arena, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    head: u64,
    pub(super) sequence: Sequence,
    chunk: Arc<Chunk>,
    start: u32,
    key_len: u32,
    value_len: u32,
    kind: Kind,
}

impl Entry {
    /// Copies a write of a commit, whose encoded form is `body`.
    pub(super) fn new(sequence: Sequence, body: &[u8], write: &Write, arena: &Arena) -> Self {
        let (chunk, start) = arena.append(write.row(body));
        Self {
            head: key::head(write.key(body)),
            sequence,
            chunk,
            // A chunk is longer than 256 KiB only for one row, which begins at its start.
            start: start as u32,
            key_len: write.key.end - write.key.start,
            value_len: write.value_len,
            kind: write.kind,
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        let start = self.start as usize;
        self.chunk.get(start..start + self.key_len as usize)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    fn value_range(&self) -> std::ops::Range<usize> {
        let start = self.start as usize + self.key_len as usize;
        start..start + self.value_len as usize
    }

    pub(super) fn value(&self) -> Value {
        let range = self.value_range();
        if let Some(copy) = Value::inline(self.chunk.get(range.clone())) {
            return copy;
        }
        let lent = Value::borrow(&self.chunk, |chunk| Ok::<_, Infallible>(Some(chunk.get(range))));
        lent.ok().flatten().unwrap_or(Value::from_static(b""))
    }

    pub(super) fn version(&self) -> Version<'_> {
        let value = self.chunk.get(self.value_range());
        Version { key: self.key(), sequence: self.sequence, kind: self.kind, value }
    }

    /// Heap it accounts for: itself in a chunk that is two thirds full, and its bytes in the arena.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() * 3 / 2 + (self.key_len + self.value_len) as usize
    }

    #[inline]
    fn order(&self, head: u64, key: &[u8], sequence: Sequence) -> Ordering {
        match self.head.cmp(&head) {
            Ordering::Equal => key::compare((self.key(), self.sequence), (key, sequence)),
            decided => decided,
        }
    }
}

/// The table. Positions are a chunk and an entry in it.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// No chunk is empty.
    chunks: Vec<Vec<Entry>>,
    /// Heads of the chunks' first keys, so that most of a search stays in one array.
    heads: Vec<u64>,
}

pub(super) type Position = (usize, usize);

impl Sorted {
    /// Adds an entry, or replaces the one of the same key and sequence.
    pub(super) fn insert(&mut self, entry: Entry) {
        let (head, sequence) = (entry.head, entry.sequence);
        // The chunk before the first that begins above the entry; the first chunk takes what is below all.
        let chunk = self.first_chunk_above(head, entry.key(), sequence).saturating_sub(1);
        let Some(entries) = self.chunks.get_mut(chunk) else {
            self.heads.push(head);
            let mut first = Vec::with_capacity(CHUNK);
            first.push(entry);
            self.chunks.push(first);
            return;
        };
        let at = entries.partition_point(|other| other.order(head, entry.key(), sequence) == Ordering::Less);
        if let Some(same) = entries.get_mut(at)
            && same.order(head, entry.key(), sequence) == Ordering::Equal
        {
            *same = entry;
            return;
        }
        entries.insert(at, entry);
        let upper = if entries.len() < CHUNK {
            None
        } else {
            // Rising keys fill chunks to the brim instead of leaving halves behind.
            let keep = if at + 1 == entries.len() { entries.len() - 1 } else { entries.len() / 2 };
            let mut upper = Vec::with_capacity(CHUNK);
            upper.extend(entries.drain(keep..));
            Some(upper)
        };
        if at == 0
            && let (Some(first), Some(slot)) = (entries.first(), self.heads.get_mut(chunk))
        {
            *slot = first.head;
        }
        if let Some(upper) = upper {
            self.heads.insert(chunk + 1, upper.first().map_or(u64::MAX, |first| first.head));
            self.chunks.insert(chunk + 1, upper);
        }
    }

    /// Index of the first chunk whose first entry is above.
    fn first_chunk_above(&self, head: u64, key: &[u8], sequence: Sequence) -> usize {
        let low = self.heads.partition_point(|first| *first < head);
        let equal = self.heads.get(low..).unwrap_or_default().partition_point(|first| *first == head);
        let ties = self.chunks.get(low..low + equal).unwrap_or_default();
        let first_is_not_above = |entries: &Vec<Entry>| {
            entries.first().is_some_and(|first| first.order(head, key, sequence) != Ordering::Greater)
        };
        low + ties.partition_point(first_is_not_above)
    }

    /// Position of the first entry not before (`key`, `sequence`).
    pub(super) fn lower_bound(&self, key: &[u8], sequence: Sequence) -> Position {
        let head = key::head(key);
        let chunk = self.first_chunk_above(head, key, sequence).saturating_sub(1);
        let entries = self.chunks.get(chunk).map(Vec::as_slice).unwrap_or_default();
        let at = entries.partition_point(|entry| entry.order(head, key, sequence) == Ordering::Less);
        if at < entries.len() { (chunk, at) } else { (chunk + 1, 0) }
    }

    /// The newest version not after `sequence` of the least key not below `key`, if that key is `key`; else what follows.
    #[inline]
    pub(super) fn at_or_after(&self, key: &[u8], sequence: Sequence) -> Option<&Entry> {
        let (chunk, at) = self.lower_bound(key, sequence);
        self.chunks.get(chunk)?.get(at)
    }

    /// Copies up to `most` entries from a position on.
    pub(super) fn copy_from(&self, position: Position, most: usize, out: &mut Vec<Entry>) {
        let (chunk, at) = position;
        let first = self.chunks.get(chunk).and_then(|entries| entries.get(at..)).unwrap_or_default();
        let rest = self.chunks.get(chunk + 1..).unwrap_or_default().iter().flatten();
        out.extend(first.iter().chain(rest).take(most).cloned());
    }

    /// Copies up to `most` entries that lie before a position, nearest last.
    pub(super) fn copy_before(&self, position: Position, most: usize, out: &mut Vec<Entry>) {
        let (chunk, at) = position;
        let last = self.chunks.get(chunk).and_then(|entries| entries.get(..at)).unwrap_or_default();
        let rest = self.chunks.get(..chunk.min(self.chunks.len())).unwrap_or_default().iter().rev();
        let start = out.len();
        out.extend(
            last.iter().rev().chain(rest.flat_map(|entries| entries.iter().rev())).take(most).cloned(),
        );
        if let Some(copied) = out.get_mut(start..) {
            copied.reverse();
        }
    }

    pub(super) fn end(&self) -> Position {
        (self.chunks.len(), 0)
    }

    #[cfg(test)]
    pub(super) fn rows(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// The first key of every chunk.
    pub(super) fn sample(&self, keys: &mut Vec<Box<[u8]>>) {
        keys.extend(
            self.chunks.iter().filter_map(|entries| entries.first()).map(|entry| Box::from(entry.key())),
        );
    }
}
