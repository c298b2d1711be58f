//! Where the rows of an index are: in a table of their own beside the one they describe, seen through a snapshot or a
//! transaction.

use std::sync::Arc;

use crate::blocks::pinned::Value;
use crate::db::table::TableInner;
use crate::db::{Snapshot, Table};
use crate::error::{Error, Result};
use crate::txn::Transaction;

/// Rows of an index, to be read.
pub trait IndexRows {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;
    /// The table that is described.
    fn table(&self) -> &str;
}

/// Rows of an index, to be changed.
pub trait IndexRowsMut: IndexRows {
    /// Sets a key.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;
    /// Removes a key.
    fn delete(&mut self, key: &[u8]) -> Result<()>;
}

/// An index as of a snapshot.
#[derive(Debug)]
pub struct InSnapshot<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) table: Arc<str>,
    /// None as long as nothing was ever tagged or interned.
    pub(crate) index: Option<Arc<TableInner>>,
}

impl IndexRows for InSnapshot<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match &self.index {
            Some(index) => index.get_at(key, self.snapshot.sequence()),
            None => Ok(None),
        }
    }

    fn table(&self) -> &str {
        &self.table
    }
}

/// An index in a transaction: what it reads and writes there is part of the transaction.
#[derive(Debug)]
pub struct InTransaction<'a> {
    pub(crate) transaction: &'a mut Transaction,
    pub(crate) table: Arc<str>,
    pub(crate) index: Table,
}

impl IndexRows for InTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.transaction.get(&self.index, key)
    }

    fn table(&self) -> &str {
        &self.table
    }
}

impl IndexRowsMut for InTransaction<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.transaction.put(&self.index, key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.transaction.delete(&self.index, key)
    }
}

/// The key of an index row: a letter, then its parts.
pub(super) fn key(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(letter);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The index holds something the index never writes.
#[cold]
pub(super) fn damaged(rows: &impl IndexRows, what: &'static str) -> Error {
    Error::BadIndex { table: Arc::from(rows.table()), what }
}

pub(super) fn number(rows: &impl IndexRows, value: &[u8]) -> Result<u32> {
    let value = value.try_into().map(u32::from_be_bytes);
    value.map_err(|_| damaged(rows, "a number that is not four bytes long"))
}

pub(super) fn numbers(value: &[u8]) -> Vec<u32> {
    value.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect()
}
