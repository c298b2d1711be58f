//! The k-way merge.
//!
//! Sources are few (a memtable or two, some young runs, one base), so they are kept in a short list sorted by where
//! they stand. Most steps stay in the source that moved: one comparison with the runner-up.

use std::cmp::Ordering;
use std::fmt;

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::{self, Kind, Sequence, Version};
use crate::merge::cursor::Cursor;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Back,
}

/// Several cursors as one, over all their versions in order.
///
/// Should two sources hold a version of one key with one sequence, that of the source given first counts as the newer:
/// so a transaction lays its own writes over what it reads.
pub struct Merge {
    /// Sorted: the source whose version comes next in the current direction is first, exhausted ones are last.
    sources: Vec<Source>,
    direction: Direction,
}

struct Source {
    cursor: Box<dyn Cursor>,
    /// Its place among the sources as given.
    rank: usize,
}

impl Merge {
    /// Merges `sources`.
    #[must_use]
    pub fn new(sources: Vec<Box<dyn Cursor>>) -> Self {
        let ranked = sources.into_iter().enumerate().map(|(rank, cursor)| Source { cursor, rank });
        Self { sources: ranked.collect(), direction: Direction::Forward }
    }

    /// Positions every source and sorts them.
    fn place(
        &mut self,
        direction: Direction,
        mut seek: impl FnMut(&mut dyn Cursor) -> Result<()>,
    ) -> Result<()> {
        for source in &mut self.sources {
            seek(&mut *source.cursor)?;
        }
        self.direction = direction;
        self.sources.sort_by(|a, b| order(direction, a, b));
        Ok(())
    }

    /// Moves the first source to its place after it has changed position.
    #[inline]
    fn settle(&mut self) {
        let direction = self.direction;
        let mut at = 0;
        while let Some([moved, next]) = self.sources.get_mut(at..).and_then(<[_]>::first_chunk_mut) {
            if order(direction, moved, next) != Ordering::Greater {
                break;
            }
            std::mem::swap(moved, next);
            at += 1;
        }
    }

    /// Puts all sources on the other side of the current version.
    #[cold]
    fn turn(&mut self, direction: Direction) -> Result<()> {
        let Some((at, sequence)) = self.current().map(|version| (version.key.to_vec(), version.sequence))
        else {
            return Ok(());
        };
        self.place(direction, |source| {
            source.seek(&at)?;
            while before(source, &at, sequence) {
                source.next()?;
            }
            if direction == Direction::Forward {
                return Ok(());
            }
            let here =
                source.current().is_some_and(|version| version.key == at && version.sequence == sequence);
            match (here, source.current().is_some()) {
                (true, _) => Ok(()),
                (false, true) => source.prev(),
                (false, false) => source.seek_last(),
            }
        })
    }
}

/// Whether the cursor stands before version (`key`, `sequence`).
fn before(cursor: &dyn Cursor, key: &[u8], sequence: Sequence) -> bool {
    cursor
        .current()
        .is_some_and(|version| key::compare((version.key, version.sequence), (key, sequence)).is_lt())
}

/// Which of two sources comes first; one that is exhausted comes last.
#[inline]
fn order(direction: Direction, a: &Source, b: &Source) -> Ordering {
    match (a.cursor.current(), b.cursor.current()) {
        (Some(x), Some(y)) => {
            let order = key::compare((x.key, x.sequence), (y.key, y.sequence)).then(a.rank.cmp(&b.rank));
            if direction == Direction::Forward { order } else { order.reverse() }
        }
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

impl Cursor for Merge {
    fn seek_first(&mut self) -> Result<()> {
        self.place(Direction::Forward, |source| source.seek_first())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.place(Direction::Forward, |source| source.seek(key))
    }

    fn seek_last(&mut self) -> Result<()> {
        self.place(Direction::Back, |source| source.seek_last())
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        self.place(Direction::Back, |source| source.seek_back(key))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if self.direction != Direction::Forward {
            self.turn(Direction::Forward)?;
        }
        if let Some(first) = self.sources.first_mut() {
            first.cursor.next()?;
        }
        self.settle();
        Ok(())
    }

    #[inline]
    fn step(&mut self) -> Result<Option<(Sequence, Kind)>> {
        if let [only] = self.sources.as_mut_slice()
            && self.direction == Direction::Forward
        {
            return only.cursor.step();
        }
        self.next()?;
        Ok(self.current().map(|version| (version.sequence, version.kind)))
    }

    fn is_distinct(&self) -> bool {
        matches!(self.sources.as_slice(), [only] if only.cursor.is_distinct())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if self.direction != Direction::Back {
            self.turn(Direction::Back)?;
        }
        if let Some(first) = self.sources.first_mut() {
            first.cursor.prev()?;
        }
        self.settle();
        Ok(())
    }

    #[inline]
    fn current(&self) -> Option<Version<'_>> {
        self.sources.first()?.cursor.current()
    }

    fn value(&self) -> Value {
        self.sources.first().map_or(Value::from_static(b""), |source| source.cursor.value())
    }
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("sources", &self.sources.len())
            .field("direction", &self.direction)
            .finish()
    }
}
