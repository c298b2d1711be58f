//! Batches: any number of writes that become one commit, all or nothing.
//!
//! A batch is encoded as it is filled, in the form the log stores: committing it copies nothing but these bytes, to the log
//! and into memtables.
//!
//! ```text
//! write:  kind u8 | table varint | key length varint | value length varint | key | value
//! ```

use std::ops::Range;

use crate::db::Table;
use crate::error::{Error, Result};
use crate::key::{self, Kind};
use crate::run::varint;

/// Longest encoded commit: positions in it are kept in 32 bits.
pub(crate) const MAX_COMMIT: u64 = (1 << 31) + (1 << 30);

/// Writes to be committed together.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    writes: usize,
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for about so many encoded bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), writes: 0 }
    }

    /// Sets a key's value. A later write of the same key in the batch wins.
    pub fn put(&mut self, table: &Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.push(table.id(), Kind::Put, key, value)
    }

    /// Removes a key.
    pub fn delete(&mut self, table: &Table, key: &[u8]) -> Result<()> {
        self.push(table.id(), Kind::Delete, key, &[])
    }

    pub(crate) fn push(&mut self, table: TableId, kind: Kind, key: &[u8], value: &[u8]) -> Result<()> {
        key::check_lengths(key, value)?;
        let len = self.bytes.len() as u64 + (key.len() + value.len() + 24) as u64;
        if len > MAX_COMMIT {
            return Err(Error::CommitTooLarge { len, max: MAX_COMMIT });
        }
        self.bytes.reserve(key.len() + value.len() + 12);
        self.bytes.push(kind as u8);
        varint::put(&mut self.bytes, u64::from(table));
        varint::put(&mut self.bytes, key.len() as u64);
        varint::put(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.writes += 1;
        Ok(())
    }

    /// Number of writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes == 0
    }

    /// Encoded bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the writes and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.writes = 0;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Number of a table in log records and in the manifest; never used again after the table is dropped.
pub(crate) type TableId = u32;

/// One write of an encoded commit: where its key and value lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) table: TableId,
    pub(crate) kind: Kind,
    pub(crate) key: Range<u32>,
    pub(crate) value_len: u32,
}

impl Write {
    /// Key and value, one behind the other.
    pub(crate) fn row<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let end = self.key.end as usize + self.value_len as usize;
        body.get(self.key.start as usize..end).unwrap_or_default()
    }

    pub(crate) fn key<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.key.start as usize..self.key.end as usize).unwrap_or_default()
    }
}

/// Goes through the writes of an encoded commit; an item is `None` where the bytes make no sense, and the last one then.
pub(crate) fn writes(body: &[u8]) -> impl Iterator<Item = Option<Write>> {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        if at >= body.len() {
            return None;
        }
        let write = decode(body, at);
        at = write.as_ref().map_or(body.len(), |write| write.key.end as usize + write.value_len as usize);
        Some(write)
    })
}

fn decode(body: &[u8], at: usize) -> Option<Write> {
    let (kind, rest) = body.get(at..)?.split_first()?;
    let (table, rest) = varint::take(rest)?;
    let (key_len, rest) = varint::take(rest)?;
    let (value_len, rest) = varint::take(rest)?;
    let (key_len, value_len) = (usize::try_from(key_len).ok()?, usize::try_from(value_len).ok()?);
    if key_len.checked_add(value_len)? > rest.len() {
        return None;
    }
    let start = body.len() - rest.len();
    Some(Write {
        table: u32::try_from(table).ok()?,
        kind: Kind::from_byte(*kind)?,
        key: u32::try_from(start).ok()?..u32::try_from(start + key_len).ok()?,
        value_len: u32::try_from(value_len).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Plain = (u32, Option<Vec<u8>>, Vec<u8>);

    proptest! {
        #[test]
        fn what_is_pushed_is_read(plain: Vec<Plain>) {
            let mut batch = WriteBatch::new();
            for (table, value, key) in &plain {
                let kind = if value.is_some() { Kind::Put } else { Kind::Delete };
                batch.push(*table, kind, key, value.as_deref().unwrap_or_default()).unwrap();
            }
            prop_assert_eq!(batch.len(), plain.len());
            let body = batch.bytes();
            let read: Vec<Plain> = writes(body)
                .map(|write| {
                    let write = write.unwrap();
                    let end = write.key.end as usize;
                    let value = body[end..end + write.value_len as usize].to_vec();
                    (write.table, (write.kind == Kind::Put).then_some(value), write.key(body).to_vec())
                })
                .collect();
            prop_assert_eq!(read, plain);
        }

        #[test]
        fn noise_never_panics_nor_loops(noise: Vec<u8>) {
            prop_assert!(writes(&noise).count() <= noise.len());
        }
    }
}
