//! Whether a transaction read what a later commit has changed.
//!
//! Serialisable snapshot isolation by backward validation (Härder 1984): a transaction may commit if nothing it read, by key
//! or by range, was written by a commit after its snapshot. Only those commits are looked at: point reads against the
//! last writer of each key, ranges against the commits of the interval. The window is bounded: a transaction older than
//! its beginning is refused and may try again.

use std::collections::{HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use crate::batch::{TableId, writes};
use crate::key::{self, Sequence};

/// What a transaction read.
#[derive(Debug, Default)]
pub(crate) struct ReadSet {
    pub(crate) snapshot: Sequence,
    /// Keys, by table and hash: two keys of one hash conflict needlessly, once in 2^64.
    pub(crate) keys: Vec<(TableId, u64)>,
    pub(crate) ranges: Vec<ReadRange>,
}

/// A range that was read, present keys and absent ones.
#[derive(Debug, Clone)]
pub(crate) struct ReadRange {
    pub(crate) table: TableId,
    pub(crate) start: Bound<Box<[u8]>>,
    pub(crate) end: Bound<Box<[u8]>>,
}

impl ReadRange {
    fn contains(&self, table: TableId, key: &[u8]) -> bool {
        let after_start = match &self.start {
            Bound::Included(start) => **start <= *key,
            Bound::Excluded(start) => **start < *key,
            Bound::Unbounded => true,
        };
        let before_end = match &self.end {
            Bound::Included(end) => *key <= **end,
            Bound::Excluded(end) => *key < **end,
            Bound::Unbounded => true,
        };
        self.table == table && after_start && before_end
    }
}

/// Recent commits.
#[derive(Debug)]
pub(crate) struct Window {
    commits: VecDeque<(Sequence, Arc<[u8]>)>,
    /// Commits at the front that `last_write` knows. The rest is indexed when a transaction asks, which for most is never.
    indexed: usize,
    last_write: HashMap<(TableId, u64), Sequence>,
    /// Writes of the indexed commits.
    writes: usize,
    /// Bytes of the commits.
    bodies: usize,
    limit: usize,
    /// Commits up to here are not in the window.
    floor: Sequence,
}

/// What an indexed write takes beside its bytes.
const OVERHEAD: usize = 48;

impl Window {
    pub(crate) fn new(limit: usize, floor: Sequence) -> Self {
        let (commits, last_write) = (VecDeque::new(), HashMap::new());
        Self { commits, indexed: 0, last_write, writes: 0, bodies: 0, limit, floor }
    }

    /// Whether nothing in `reads` was written after its snapshot.
    pub(crate) fn allows(&mut self, reads: &ReadSet) -> bool {
        if reads.snapshot < self.floor {
            return false;
        }
        if !reads.keys.is_empty() {
            self.index();
        }
        let changed = |key| self.last_write.get(key).is_some_and(|written| *written > reads.snapshot);
        !reads.keys.iter().any(changed) && (reads.ranges.is_empty() || !self.writes_into(reads))
    }

    fn index(&mut self) {
        for (sequence, body) in self.commits.range(self.indexed..) {
            for write in writes(body).flatten() {
                self.last_write.insert((write.table, key::hash(write.key(body))), *sequence);
                self.writes += 1;
            }
        }
        self.indexed = self.commits.len();
    }

    fn writes_into(&self, reads: &ReadSet) -> bool {
        let first = self.commits.partition_point(|(sequence, _)| *sequence <= reads.snapshot);
        self.commits.range(first..).any(|(_, body)| {
            writes(body).flatten().any(|write| {
                let key = write.key(body);
                reads.ranges.iter().any(|range| range.contains(write.table, key))
            })
        })
    }

    /// Remembers a commit.
    pub(crate) fn record(&mut self, sequence: Sequence, body: &Arc<[u8]>) {
        self.bodies += body.len();
        self.commits.push_back((sequence, Arc::clone(body)));
    }

    /// Forgets all commits up to `sequence`, and more if the window is over its limit.
    pub(crate) fn trim(&mut self, sequence: Sequence) {
        loop {
            let is_over = self.bytes() > self.limit;
            let unwanted = self.commits.pop_front_if(|(oldest, _)| is_over || *oldest <= sequence);
            let Some((oldest, body)) = unwanted else { break };
            self.floor = self.floor.max(oldest);
            self.bodies -= body.len();
            if let Some(rest) = self.indexed.checked_sub(1) {
                self.indexed = rest;
                self.forget(oldest, &body);
            }
        }
    }

    /// The commits after `sequence` never came to be: they could not be written.
    pub(crate) fn retract(&mut self, sequence: Sequence) {
        while let Some((_, body)) = self.commits.pop_back_if(|(newest, _)| *newest > sequence) {
            self.bodies -= body.len();
        }
        if self.indexed > self.commits.len() {
            // What the index said before of the keys they write is lost: it is made anew when somebody asks.
            (self.indexed, self.writes) = (0, 0);
            self.last_write.clear();
        }
    }

    fn forget(&mut self, sequence: Sequence, body: &[u8]) {
        for write in writes(body).flatten() {
            self.writes -= 1;
            let key = (write.table, key::hash(write.key(body)));
            if self.last_write.get(&key) == Some(&sequence) {
                self.last_write.remove(&key);
            }
        }
    }

    /// No transaction is open, and those to come see at least `sequence`: forgets everything up to there.
    pub(crate) fn skip(&mut self, sequence: Sequence) {
        self.floor = self.floor.max(sequence);
        self.commits.clear();
        (self.indexed, self.writes, self.bodies) = (0, 0, 0);
        if !self.last_write.is_empty() {
            self.last_write.clear();
            self.last_write.shrink_to(1024);
        }
    }

    /// Heap it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bodies + self.writes * OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::WriteBatch;
    use crate::key::Kind;

    fn body(keys: &[&[u8]]) -> Arc<[u8]> {
        let mut batch = WriteBatch::new();
        for key in keys {
            batch.push(1, Kind::Put, key, b"v").unwrap();
        }
        Arc::from(batch.bytes())
    }

    fn reads(snapshot: Sequence, key: &[u8]) -> ReadSet {
        ReadSet { snapshot, keys: vec![(1, key::hash(key))], ranges: Vec::new() }
    }

    fn range(snapshot: Sequence, start: &[u8], end: &[u8]) -> ReadSet {
        let (start, end) = (Bound::Included(start.into()), Bound::Excluded(end.into()));
        ReadSet { snapshot, keys: Vec::new(), ranges: vec![ReadRange { table: 1, start, end }] }
    }

    #[test]
    fn only_commits_after_the_snapshot_count() {
        let mut window = Window::new(1 << 20, 0);
        window.record(1, &body(&[b"a"]));
        window.record(2, &body(&[b"b"]));
        assert!(!window.allows(&reads(0, b"a")) && window.allows(&reads(1, b"a")));
        assert!(!window.allows(&reads(1, b"b")) && window.allows(&reads(2, b"b")));
        assert!(window.allows(&reads(0, b"c")));
    }

    #[test]
    fn a_phantom_is_seen() {
        let mut window = Window::new(1 << 20, 0);
        window.record(1, &body(&[b"m"]));
        assert!(!window.allows(&range(0, b"a", b"z")));
        assert!(window.allows(&range(0, b"a", b"m")));
        assert!(!window.allows(&range(0, b"m", b"n")));
        assert!(window.allows(&range(1, b"a", b"z")));
    }

    #[test]
    fn commits_that_never_came_to_be_leave_nothing_behind() {
        let mut window = Window::new(1 << 20, 0);
        window.record(1, &body(&[b"a"]));
        let before = window.bytes();
        window.record(2, &body(&[b"a", b"b"]));
        // Indexes both.
        assert!(!window.allows(&reads(1, b"b")));
        window.retract(1);
        assert_eq!(window.bytes(), before);
        assert!(window.allows(&reads(1, b"b")) && window.allows(&range(1, b"a", b"c")));
        assert!(!window.allows(&reads(0, b"a")), "the first commit wrote it too");
        window.record(2, &body(&[b"c"]));
        assert!(!window.allows(&reads(1, b"c")) && window.allows(&reads(1, b"a")));
    }

    #[test]
    fn the_window_is_bounded_and_refuses_what_it_forgot() {
        let mut window = Window::new(10 * (OVERHEAD + 6), 0);
        for sequence in 1..=100 {
            window.record(sequence, &body(&[b"k"]));
            assert!(!window.allows(&reads(sequence - 1, b"k")));
            window.trim(0);
            assert!(window.bytes() <= 10 * (OVERHEAD + 6));
        }
        assert!(!window.allows(&reads(50, b"other")), "older than the window");
        assert!(window.allows(&reads(95, b"other")));
        assert!(!window.allows(&reads(99, b"k")) && window.allows(&reads(100, b"k")));
        window.trim(100);
        assert_eq!((window.bytes(), window.last_write.len()), (0, 0));
        window.record(101, &body(&[b"k"]));
        window.skip(102);
        assert!(!window.allows(&reads(101, b"x")) && window.allows(&reads(102, b"k")));
    }
}
