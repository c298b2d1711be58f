//! What a snapshot sees of a range of keys, from both ends.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::{Kind, Sequence};
use crate::merge::cursor::Cursor;
use crate::merge::kway::Merge;

/// Makes the cursors of a scan. Called once for each end that is read from.
pub type Sources = Box<dyn Fn() -> Vec<Box<dyn Cursor>> + Send>;

/// The newest visible version of each key in a range; deleted keys are left out.
///
/// [`Scan::next_ref`] lends rows out of the blocks they lie in; the [`Iterator`] gives handles that can be kept.
/// Both ends may be read in any mixture: they stop where they meet.
pub struct Scan {
    sources: Sources,
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    snapshot: Sequence,
    front: Option<Front>,
    back: Option<Back>,
    /// The ends have met, or an error occurred.
    done: bool,
}

struct Front {
    merge: Merge,
    /// No key has two versions: none has to be remembered.
    distinct: bool,
    /// The key decided upon last, whose other versions are to be skipped; from the second row on only unless `distinct`.
    key: Vec<u8>,
    /// Whether `key` holds one; the empty key is a key.
    decided: bool,
}

struct Back {
    merge: Merge,
    /// The key given out last.
    key: Vec<u8>,
    value: Value,
    given: bool,
}

impl Scan {
    /// A scan of `range` as of `snapshot`.
    #[must_use]
    pub fn new<'k>(sources: Sources, range: impl RangeBounds<&'k [u8]>, snapshot: Sequence) -> Self {
        let own = |bound: Bound<&&[u8]>| bound.map(|key| key.to_vec());
        let (start, end) = (own(range.start_bound()), own(range.end_bound()));
        let empty = match (&start, &end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        };
        Self { sources, start, end, snapshot, front: None, back: None, done: empty }
    }

    /// The next row from the front, lent until the next call.
    #[inline]
    pub fn next_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if !self.advance()? {
            return Ok(None);
        }
        let version = self.front.as_ref().and_then(|front| front.merge.current());
        Ok(version.map(|version| (version.key, version.value)))
    }

    /// The next row from the back, lent until the next call.
    pub fn next_back_ref(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if !self.retreat()? {
            return Ok(None);
        }
        Ok(self.back.as_ref().map(|back| (back.key.as_slice(), &*back.value)))
    }

    /// Moves the front to the next visible row.
    #[inline]
    fn advance(&mut self) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let moved = self.try_advance();
        if !matches!(moved, Ok(true)) {
            self.done = true;
        }
        moved
    }

    #[inline]
    fn try_advance(&mut self) -> Result<bool> {
        match &self.front {
            Some(front) if front.distinct => self.advance_distinct(),
            _ => self.advance_any(),
        }
    }

    /// Where each key has one version: neither looks at keys nor keeps them, unless there is an end to meet.
    #[inline]
    fn advance_distinct(&mut self) -> Result<bool> {
        let Some(front) = &mut self.front else { return Ok(false) };
        while let Some((sequence, kind)) = front.merge.step()? {
            if sequence <= self.snapshot {
                let is_open = self.back.is_none() && self.end == Bound::Unbounded;
                if !is_open
                    && front
                        .merge
                        .current()
                        .is_some_and(|version| is_past(&self.end, &self.back, version.key))
                {
                    return Ok(false);
                }
                if kind == Kind::Put {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn advance_any(&mut self) -> Result<bool> {
        let front = match &mut self.front {
            Some(front) => {
                front.merge.next()?;
                front
            }
            None => self.front.insert(Front::open(&self.sources, &self.start)?),
        };
        while let Some(version) = front.merge.current() {
            if version.sequence <= self.snapshot && !(front.decided && version.key == front.key) {
                if is_past(&self.end, &self.back, version.key) {
                    return Ok(false);
                }
                front.key.clear();
                front.key.extend_from_slice(version.key);
                front.decided = true;
                if version.kind == Kind::Put {
                    return Ok(true);
                }
            }
            front.merge.next()?;
        }
        Ok(false)
    }

    /// Moves the back to the next visible row towards the front.
    fn retreat(&mut self) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let moved = self.try_retreat();
        if !matches!(moved, Ok(true)) {
            self.done = true;
        }
        moved
    }

    fn try_retreat(&mut self) -> Result<bool> {
        let back = match &mut self.back {
            Some(back) => back,
            None => self.back.insert(Back::open(&self.sources, &self.end)?),
        };
        loop {
            let Some(version) = back.merge.current() else { return Ok(false) };
            let inside = match &self.start {
                Bound::Unbounded => true,
                Bound::Included(start) => version.key >= start.as_slice(),
                Bound::Excluded(start) => version.key > start.as_slice(),
            };
            let met = self.front.as_ref().and_then(Front::given).is_some_and(|given| version.key <= given);
            if !inside || met {
                return Ok(false);
            }
            back.key.clear();
            back.key.extend_from_slice(version.key);
            back.given = true;
            // Backwards, the versions of a key come oldest first: the last one not after the snapshot counts.
            let mut visible = None;
            while let Some(version) = back.merge.current()
                && version.key == back.key
            {
                if version.sequence <= self.snapshot {
                    visible = match version.kind {
                        Kind::Put => Some(back.merge.value()),
                        Kind::Delete => None,
                    };
                }
                back.merge.prev()?;
            }
            if let Some(value) = visible {
                back.value = value;
                return Ok(true);
            }
        }
    }
}

/// Whether the front, at `key`, is at the end of the range or has met the back.
#[inline]
fn is_past(end: &Bound<Vec<u8>>, back: &Option<Back>, key: &[u8]) -> bool {
    let inside = match end {
        Bound::Unbounded => true,
        Bound::Included(end) => key <= end.as_slice(),
        Bound::Excluded(end) => key < end.as_slice(),
    };
    !inside || back.as_ref().is_some_and(|back| back.given && key >= back.key.as_slice())
}

impl Front {
    /// The key given out last.
    fn given(&self) -> Option<&[u8]> {
        if self.distinct {
            return self.merge.current().map(|version| version.key);
        }
        self.decided.then_some(self.key.as_slice())
    }

    fn open(sources: &Sources, start: &Bound<Vec<u8>>) -> Result<Self> {
        let merge = Merge::new(sources());
        let mut front = Self { distinct: merge.is_distinct(), merge, key: Vec::new(), decided: false };
        match start {
            Bound::Unbounded => front.merge.seek_first()?,
            Bound::Included(key) => front.merge.seek(key)?,
            Bound::Excluded(key) => {
                front.merge.seek(key)?;
                front.key.extend_from_slice(key);
                front.decided = true;
            }
        }
        Ok(front)
    }
}

impl Back {
    fn open(sources: &Sources, end: &Bound<Vec<u8>>) -> Result<Self> {
        let mut back = Self {
            merge: Merge::new(sources()),
            key: Vec::new(),
            value: Value::from_static(b""),
            given: false,
        };
        match end {
            Bound::Unbounded => back.merge.seek_last()?,
            Bound::Excluded(key) => back.merge.seek_back(key)?,
            // The least key above `key` is `key` followed by a zero byte.
            Bound::Included(key) => back.merge.seek_back(&[key.as_slice(), &[0]].concat())?,
        }
        Ok(back)
    }
}

/// Keys are short: a handle of the key's own, in most cases without a heap allocation.
fn own(key: &[u8]) -> Value {
    Value::inline(key).unwrap_or_else(|| Value::from(key.to_vec()))
}

impl Iterator for Scan {
    /// Key and value.
    type Item = Result<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(true) => {
                self.front.as_ref().and_then(|front| Some(Ok((own(front.given()?), front.merge.value()))))
            }
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.retreat() {
            Ok(true) => self.back.as_ref().map(|back| Ok((own(&back.key), back.value.clone()))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl std::iter::FusedIterator for Scan {}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("snapshot", &self.snapshot)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
