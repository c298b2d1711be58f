//! Questions about tags, answered chunk by chunk: memory is bounded by one chunk's bitmaps, whatever matches.

use roaring::RoaringBitmap;

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::tags::index::{CHUNK_BITS, Tags};
use crate::tags::rows::IndexRows;

/// Which rows are meant. Only tagged rows are in the index: `Not` is relative to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query<'a> {
    /// Rows that carry a tag.
    Tag(&'a [u8]),
    /// Rows that all of these mean; all rows, if there are none.
    And(Vec<Query<'a>>),
    /// Rows that any of these mean; no rows, if there are none.
    Or(Vec<Query<'a>>),
    /// Rows that this does not mean.
    Not(Box<Query<'a>>),
}

/// A query whose tags were looked up.
#[derive(Debug)]
enum Plan {
    /// A tag, or none of that name.
    Tag(Option<u32>),
    And(Vec<Plan>),
    Or(Vec<Plan>),
    Not(Box<Plan>),
}

impl Plan {
    fn new<R: IndexRows>(tags: &Tags<R>, query: &Query<'_>) -> Result<Self> {
        let all =
            |parts: &[Query<'_>]| parts.iter().map(|part| Self::new(tags, part)).collect::<Result<Vec<_>>>();
        Ok(match query {
            Query::Tag(tag) => Self::Tag(tags.tag_id(tag)?),
            Query::And(parts) => Self::And(all(parts)?),
            Query::Or(parts) => Self::Or(all(parts)?),
            Query::Not(part) => Self::Not(Box::new(Self::new(tags, part)?)),
        })
    }

    fn rows<R: IndexRows>(&self, tags: &Tags<R>, chunk: u16) -> Result<RoaringBitmap> {
        match self {
            Self::Tag(None) => Ok(RoaringBitmap::new()),
            Self::Tag(Some(tag)) => tags.tagged(*tag, chunk),
            Self::Or(parts) => {
                parts.iter().try_fold(RoaringBitmap::new(), |rows, part| Ok(rows | part.rows(tags, chunk)?))
            }
            Self::Not(part) => Ok(tags.all(chunk)? - part.rows(tags, chunk)?),
            Self::And(parts) => {
                // What is excluded is taken away from what is included: no need to turn it around first.
                let (excluded, included): (Vec<_>, Vec<_>) =
                    parts.iter().partition(|part| matches!(part, Self::Not(_)));
                let mut rows: Option<RoaringBitmap> = None;
                for part in included {
                    let next = part.rows(tags, chunk)?;
                    let both = match rows {
                        None => next,
                        Some(rows) => rows & next,
                    };
                    if both.is_empty() {
                        return Ok(both);
                    }
                    rows = Some(both);
                }
                let mut rows = match rows {
                    Some(rows) => rows,
                    None => tags.all(chunk)?,
                };
                for part in excluded {
                    if let Self::Not(part) = part {
                        rows -= part.rows(tags, chunk)?;
                    }
                }
                Ok(rows)
            }
        }
    }
}

/// Keys of the rows that satisfy a query.
pub struct Matches<'q, R> {
    tags: &'q Tags<R>,
    plan: Plan,
    chunks: std::ops::RangeInclusive<u16>,
    chunk: u16,
    rows: roaring::bitmap::IntoIter,
}

impl<'q, R: IndexRows> Matches<'q, R> {
    pub(super) fn new(tags: &'q Tags<R>, query: &Query<'_>) -> Result<Self> {
        let plan = Plan::new(tags, query)?;
        Ok(Self { tags, plan, chunks: tags.chunks()?, chunk: 0, rows: RoaringBitmap::new().into_iter() })
    }

    pub(super) fn count_rows(self) -> Result<u64> {
        let mut chunks = self.chunks;
        chunks.try_fold(0, |sum, chunk| Ok(sum + self.plan.rows(self.tags, chunk)?.len()))
    }
}

impl<R: IndexRows> Iterator for Matches<'_, R> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(low) = self.rows.next() {
                return Some(self.tags.row_key(u32::from(self.chunk) << CHUNK_BITS | low));
            }
            self.chunk = self.chunks.next()?;
            match self.plan.rows(self.tags, self.chunk) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<R> std::fmt::Debug for Matches<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matches")
            .field("plan", &self.plan)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}
