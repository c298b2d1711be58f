//! Recent commits, in memory, sorted.
//!
//! A memtable is cut into shards by key range, each a small sorted table behind its own lock, held for one search or one
//! insertion. The cuts come from the memtable before, so shards fill evenly once a table has data. Keys and values lie in an
//! arena of the memtable's own, so that its memory goes back to the system when it goes.
//!
//! One thread inserts, the leader of the moment; any number read. A filter answers for most keys that are not here
//! without a lock.

mod cursor;
mod filter;
mod sorted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::batch::Write;
use crate::blocks::arena::Arena;
use crate::blocks::pinned::Value;
use crate::key::{self, Kind, Sequence};
pub(crate) use cursor::MemCursor;
use filter::Filter;
use sorted::{Entry, Sorted};

/// Most shards of a memtable.
pub(crate) const SHARDS: usize = 32;

/// The newest visible version found.
#[derive(Debug)]
pub(crate) struct Recent {
    pub(crate) kind: Kind,
    pub(crate) value: Value,
}

/// A sorted set of versions in memory.
#[derive(Debug)]
pub(crate) struct Memtable {
    shards: Box<[RwLock<Sorted>]>,
    /// First key of every shard but the first.
    cuts: Box<[Box<[u8]>]>,
    filter: Filter,
    arena: Arena,
    bytes: AtomicUsize,
    /// Smallest and largest sequence; 0 while empty.
    first: AtomicU64,
    last: AtomicU64,
}

impl Memtable {
    /// An empty memtable for about `expected` bytes, cut at `cuts` (rising).
    pub(crate) fn new(expected: usize, cuts: Vec<Box<[u8]>>) -> Self {
        Self {
            shards: (0..=cuts.len()).map(|_| RwLock::new(Sorted::default())).collect(),
            cuts: cuts.into_boxed_slice(),
            filter: Filter::new(expected),
            arena: Arena::new(expected),
            bytes: AtomicUsize::new(0),
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    /// Adds a write of a commit; called by one thread at a time, with sequences never falling.
    pub(crate) fn insert(&self, sequence: Sequence, body: &[u8], write: &Write) {
        let entry = Entry::new(sequence, body, write, &self.arena);
        let key = entry.key();
        let size = entry.size() + self.filter.insert(key::hash(key));
        let shard = self.shard_of(key);
        if let Some(shard) = self.shards.get(shard) {
            shard.write().insert(entry);
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(sequence, Ordering::Release);
        }
        self.last.store(sequence, Ordering::Release);
    }

    /// The newest version of a key not after `snapshot`.
    #[inline]
    pub(crate) fn get(&self, key: &[u8], hash: u64, snapshot: Sequence) -> Option<Recent> {
        if !self.filter.may_contain(hash) {
            return None;
        }
        let shard = self.shards.get(self.shard_of(key))?.read();
        let entry = shard.at_or_after(key, snapshot)?;
        (entry.key() == key).then(|| Recent { kind: entry.kind(), value: entry.value() })
    }

    fn shard_of(&self, key: &[u8]) -> usize {
        self.cuts.partition_point(|cut| **cut <= *key)
    }

    /// Heap it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing was ever inserted.
    pub(crate) fn is_empty(&self) -> bool {
        self.last() == 0
    }

    /// Sequence of the oldest commit in it; 0 if there is none.
    pub(crate) fn first(&self) -> Sequence {
        self.first.load(Ordering::Acquire)
    }

    /// Sequence of the newest commit in it; 0 if there is none.
    pub(crate) fn last(&self) -> Sequence {
        self.last.load(Ordering::Acquire)
    }

    /// A cursor over all versions.
    pub(crate) fn cursor(self: &Arc<Self>) -> MemCursor {
        MemCursor::new(Arc::clone(self))
    }

    /// Where the next memtable should be cut for its shards to fill evenly.
    pub(crate) fn cuts(&self) -> Vec<Box<[u8]>> {
        let mut samples = Vec::new();
        for shard in &self.shards {
            shard.read().sample(&mut samples);
        }
        if samples.len() < SHARDS {
            return Vec::new();
        }
        let count = samples.len();
        let mut samples = samples.into_iter().enumerate();
        let mut cuts: Vec<Box<[u8]>> = (1..SHARDS)
            .filter_map(|cut| samples.find(|(at, _)| *at == cut * count / SHARDS))
            .map(|(_, key)| key)
            .collect();
        cuts.dedup();
        cuts
    }

    fn shards(&self) -> &[RwLock<Sorted>] {
        &self.shards
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::batch::{WriteBatch, writes};
    use crate::merge::cursor::Cursor;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(crate) fn commit(table: &Memtable, sequence: Sequence, rows: &[(Vec<u8>, Option<Vec<u8>>)]) {
        let mut batch = WriteBatch::new();
        for (key, value) in rows {
            let kind = if value.is_some() { Kind::Put } else { Kind::Delete };
            batch.push(1, kind, key, value.as_deref().unwrap_or_default()).unwrap();
        }
        for write in writes(batch.bytes()) {
            table.insert(sequence, batch.bytes(), &write.unwrap());
        }
    }

    type Versions = BTreeMap<(Vec<u8>, std::cmp::Reverse<u64>), Option<Vec<u8>>>;
    type Commits = Vec<Vec<(Vec<u8>, Option<Vec<u8>>)>>;

    fn commits() -> impl Strategy<Value = Commits> {
        let key = vec(0..5_u8, 0..4);
        let value = proptest::option::of(vec(any::<u8>(), 0..60));
        vec(vec((key, value), 1..6), 1..120)
    }

    proptest! {
        #[test]
        fn reads_and_scans_match_a_map(commits in commits(), cuts in vec(vec(0..5_u8, 1..4), 0..4), probes in vec(vec(0..6_u8, 0..5), 10)) {
            let mut cuts: Vec<Box<[u8]>> = cuts.into_iter().map(Vec::into_boxed_slice).collect();
            cuts.sort();
            cuts.dedup();
            let table = Arc::new(Memtable::new(1 << 16, cuts));
            let mut model = Versions::new();
            for (n, rows) in commits.iter().enumerate() {
                let sequence = n as u64 + 1;
                commit(&table, sequence, rows);
                for (key, value) in rows {
                    model.insert((key.clone(), std::cmp::Reverse(sequence)), value.clone());
                }
            }
            for snapshot in [0, 1, commits.len() as u64 / 2, commits.len() as u64] {
                for key in model.keys().map(|(key, _)| key).chain(&probes) {
                    let expected = model
                        .range((key.clone(), std::cmp::Reverse(snapshot))..)
                        .next()
                        .filter(|((found, _), _)| found == key)
                        .map(|(_, value)| value.clone());
                    let found = table
                        .get(key, key::hash(key), snapshot)
                        .map(|recent| (recent.kind == Kind::Put).then(|| recent.value.to_vec()));
                    prop_assert_eq!(found, expected);
                }
            }
            let all: Vec<(Vec<u8>, u64)> = model.keys().map(|(key, sequence)| (key.clone(), sequence.0)).collect();
            let mut cursor = table.cursor();
            cursor.seek_first().unwrap();
            prop_assert_eq!(&walk(&mut cursor, true), &all);
            cursor.seek_last().unwrap();
            let mut back = walk(&mut cursor, false);
            back.reverse();
            prop_assert_eq!(&back, &all);
            for probe in &probes {
                cursor.seek(probe).unwrap();
                let rest: Vec<_> = all.iter().filter(|(key, _)| key >= probe).cloned().collect();
                prop_assert_eq!(walk(&mut cursor, true), rest);
                cursor.seek_back(probe).unwrap();
                let mut rest: Vec<_> = all.iter().filter(|(key, _)| key < probe).cloned().collect();
                rest.reverse();
                prop_assert_eq!(walk(&mut cursor, false), rest);
            }
        }

        #[test]
        fn a_cursor_turns_around_anywhere(commits in commits(), steps in vec(any::<bool>(), 1..80)) {
            let table = Arc::new(Memtable::new(1 << 16, vec![vec![2].into_boxed_slice()]));
            for (n, rows) in commits.iter().enumerate() {
                commit(&table, n as u64 + 1, rows);
            }
            let mut cursor = table.cursor();
            cursor.seek_first().unwrap();
            let all = walk(&mut cursor, true);
            cursor.seek_first().unwrap();
            let mut at = 0_usize;
            for forward in steps {
                if forward { cursor.next().unwrap() } else { cursor.prev().unwrap() }
                let Some(next) = (if forward { at.checked_add(1) } else { at.checked_sub(1) }) else { break };
                at = next;
                let here = cursor.current().map(|version| (version.key.to_vec(), version.sequence));
                prop_assert_eq!(here.as_ref(), all.get(at));
                if here.is_none() {
                    break;
                }
            }
        }
    }

    fn walk(cursor: &mut MemCursor, forward: bool) -> Vec<(Vec<u8>, u64)> {
        let mut seen = Vec::new();
        while let Some(version) = cursor.current() {
            assert_eq!(&*cursor.value(), version.value);
            seen.push((version.key.to_vec(), version.sequence));
            if forward { cursor.next().unwrap() } else { cursor.prev().unwrap() }
        }
        seen
    }

    #[test]
    fn an_empty_memtable_takes_nothing_and_one_with_a_row_counts_its_filter() {
        let table = Memtable::new(16 << 20, Vec::new());
        assert_eq!(table.bytes(), 0);
        commit(&table, 1, &[(b"k".to_vec(), None)]);
        assert!((16 << 10..17 << 10).contains(&table.bytes()), "{}", table.bytes());
    }

    #[test]
    fn cuts_spread_the_keys() {
        let table = Memtable::new(1 << 20, Vec::new());
        let rows: Vec<_> = (0..20_000_u32).map(|n| (n.to_be_bytes().to_vec(), Some(vec![1]))).collect();
        commit(&table, 1, &rows);
        let cuts = table.cuts();
        assert_eq!(cuts.len(), SHARDS - 1);
        let next = Memtable::new(1 << 20, cuts);
        commit(&next, 2, &rows);
        for shard in next.shards() {
            let rows = shard.read().rows();
            assert!((200..2000).contains(&rows), "{rows} rows in a shard");
        }
    }
}
