//! Reading and writing the rows of the index.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::tags::dictionary;
use crate::tags::query::{Matches, Query};
use crate::tags::rows::{IndexRows, IndexRowsMut, damaged, key, number, numbers};

/// Number of a tagged row.
pub(super) type RowId = u32;
type TagId = u32;

/// Rows a bitmap covers, as a number of bits.
pub(super) const CHUNK_BITS: u32 = 16;

/// The tag index of a table, to be read, or in a transaction also changed.
#[derive(Debug)]
pub struct Tags<R>(R);

/// What was given out.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    /// The next row id.
    rows: RowId,
    /// Row ids below the next that are free.
    free: u32,
}

fn chunk_of(row: RowId) -> u16 {
    (row >> CHUNK_BITS) as u16
}

impl<R: IndexRows> Tags<R> {
    pub(crate) fn new(rows: R) -> Self {
        Self(rows)
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> R {
        self.0
    }

    #[cold]
    fn damaged(&self, what: &'static str) -> crate::Error {
        damaged(&self.0, what)
    }

    fn number(&self, key: &[u8]) -> Result<Option<u32>> {
        self.0.get(key)?.map(|value| number(&self.0, &value)).transpose()
    }

    /// Tags of the row `row_key`, in no particular order.
    pub fn tags_of(&self, row_key: &[u8]) -> Result<Vec<Value>> {
        let Some(row) = self.row_id(row_key)? else { return Ok(Vec::new()) };
        self.tag_ids(row)?.into_iter().map(|tag| self.tag_name(tag)).collect()
    }

    /// Keys of all rows that satisfy `query`, in the order of their row ids.
    pub fn find<'q>(&'q self, query: &'q Query<'q>) -> Result<Matches<'q, R>> {
        Matches::new(self, query)
    }

    /// How many rows satisfy `query`. Reads bitmaps only.
    pub fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.find(query)?.count_rows()
    }

    fn row_id(&self, row_key: &[u8]) -> Result<Option<RowId>> {
        self.number(&key(b'r', &[row_key]))
    }

    pub(super) fn tag_id(&self, tag: &[u8]) -> Result<Option<TagId>> {
        dictionary::id(&self.0, tag)
    }

    fn tag_name(&self, tag: TagId) -> Result<Value> {
        dictionary::string(&self.0, tag)?.ok_or_else(|| self.damaged("a tag without a name"))
    }

    pub(super) fn row_key(&self, row: RowId) -> Result<Value> {
        self.0.get(&key(b'i', &[&row.to_be_bytes()]))?.ok_or_else(|| self.damaged("a row id without a key"))
    }

    fn tag_ids(&self, row: RowId) -> Result<Vec<TagId>> {
        Ok(self.0.get(&key(b'k', &[&row.to_be_bytes()]))?.map_or_else(Vec::new, |ids| numbers(&ids)))
    }

    fn counters(&self) -> Result<Counters> {
        match self.0.get(b"n")?.as_deref().map(numbers).as_deref() {
            None => Ok(Counters::default()),
            Some([rows, free]) => Ok(Counters { rows: *rows, free: *free }),
            Some(_) => Err(self.damaged("counters that are not two numbers")),
        }
    }

    /// Chunks that ever held a row.
    pub(super) fn chunks(&self) -> Result<std::ops::RangeInclusive<u16>> {
        let rows = self.counters()?.rows;
        #[expect(clippy::reversed_empty_ranges, reason = "no row, no chunk")]
        Ok(rows.checked_sub(1).map_or(1..=0, |last| 0..=chunk_of(last)))
    }

    pub(super) fn tagged(&self, tag: TagId, chunk: u16) -> Result<RoaringBitmap> {
        self.bitmap(&key(b'b', &[&tag.to_be_bytes(), &chunk.to_be_bytes()]))
    }

    pub(super) fn all(&self, chunk: u16) -> Result<RoaringBitmap> {
        self.bitmap(&key(b'a', &[&chunk.to_be_bytes()]))
    }

    fn bitmap(&self, key: &[u8]) -> Result<RoaringBitmap> {
        match self.0.get(key)? {
            None => Ok(RoaringBitmap::new()),
            Some(bytes) => RoaringBitmap::deserialize_from(&*bytes)
                .map_err(|_| self.damaged("a bitmap that cannot be read")),
        }
    }
}

impl<W: IndexRowsMut> Tags<W> {
    /// Gives the row `row_key` exactly these tags. With none the row leaves the index.
    pub fn set(&mut self, row_key: &[u8], tags: &[&[u8]]) -> Result<()> {
        if tags.is_empty() {
            return self.remove(row_key);
        }
        let row = match self.row_id(row_key)? {
            Some(row) => row,
            None => self.add_row(row_key)?,
        };
        let old: BTreeSet<TagId> = self.tag_ids(row)?.into_iter().collect();
        let new: BTreeSet<TagId> =
            tags.iter().map(|tag| dictionary::intern(&mut self.0, tag)).collect::<Result<_>>()?;
        for tag in old.difference(&new) {
            self.mark(*tag, row, false)?;
        }
        for tag in new.difference(&old) {
            self.mark(*tag, row, true)?;
        }
        let ids: Vec<u8> = new.iter().flat_map(|tag| tag.to_be_bytes()).collect();
        self.0.put(&key(b'k', &[&row.to_be_bytes()]), &ids)
    }

    /// Takes the row `row_key` out of the index.
    pub fn remove(&mut self, row_key: &[u8]) -> Result<()> {
        let Some(row) = self.row_id(row_key)? else { return Ok(()) };
        for tag in self.tag_ids(row)? {
            self.mark(tag, row, false)?;
        }
        let id = row.to_be_bytes();
        for gone in [key(b'k', &[&id]), key(b'i', &[&id]), key(b'r', &[row_key])] {
            self.0.delete(&gone)?;
        }
        let chunk = chunk_of(row).to_be_bytes();
        self.change(&key(b'a', &[&chunk]), row, false)?;
        self.change(&key(b'f', &[&chunk]), row, true)?;
        let counters = self.counters()?;
        self.put_counters(Counters { free: counters.free.saturating_add(1), ..counters })
    }

    /// A row id for a new row: the lowest free one, else the next.
    fn add_row(&mut self, row_key: &[u8]) -> Result<RowId> {
        let mut counters = self.counters()?;
        let row = match counters.free.checked_sub(1) {
            Some(free) => {
                counters.free = free;
                self.take_free()?
            }
            None => {
                let row = counters.rows;
                counters.rows = row.checked_add(1).ok_or_else(|| self.damaged("all row ids are taken"))?;
                row
            }
        };
        self.put_counters(counters)?;
        self.change(&key(b'a', &[&chunk_of(row).to_be_bytes()]), row, true)?;
        self.0.put(&key(b'r', &[row_key]), &row.to_be_bytes())?;
        self.0.put(&key(b'i', &[&row.to_be_bytes()]), row_key)?;
        Ok(row)
    }

    /// Takes the lowest of the free row ids.
    fn take_free(&mut self) -> Result<RowId> {
        for chunk in self.chunks()? {
            let at = key(b'f', &[&chunk.to_be_bytes()]);
            if let Some(low) = self.bitmap(&at)?.min() {
                let row = u32::from(chunk) << CHUNK_BITS | low;
                self.change(&at, row, false)?;
                return Ok(row);
            }
        }
        Err(self.damaged("free row ids were counted and there are none"))
    }

    fn put_counters(&mut self, counters: Counters) -> Result<()> {
        let Counters { rows, free } = counters;
        self.0.put(b"n", &[rows.to_be_bytes(), free.to_be_bytes()].concat())
    }

    fn mark(&mut self, tag: TagId, row: RowId, carries: bool) -> Result<()> {
        self.change(&key(b'b', &[&tag.to_be_bytes(), &chunk_of(row).to_be_bytes()]), row, carries)
    }

    /// Sets or clears a row's bit in the bitmap at `key`; an empty bitmap is no row.
    fn change(&mut self, key: &[u8], row: RowId, present: bool) -> Result<()> {
        let mut bitmap = self.bitmap(key)?;
        let low = row & ((1 << CHUNK_BITS) - 1);
        if present {
            bitmap.insert(low);
        } else {
            bitmap.remove(low);
        }
        if bitmap.is_empty() {
            return self.0.delete(key);
        }
        bitmap.optimize();
        let mut bytes = Vec::with_capacity(bitmap.serialized_size());
        bitmap.serialize_into(&mut bytes).map_err(|_| self.damaged("a bitmap that cannot be written"))?;
        self.0.put(key, &bytes)
    }
}
