//! Small numbers in place of strings that come again and again.

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::tags::rows::{IndexRows, IndexRowsMut, damaged, key, number};

/// The dictionary of a table: each string has one number, given out from 0 on and never changed or taken back. Names of
/// tags are in it too.
#[derive(Debug)]
pub struct Dictionary<R>(R);

impl<R: IndexRows> Dictionary<R> {
    pub(crate) fn new(rows: R) -> Self {
        Self(rows)
    }

    /// The number of a string, if it has one.
    pub fn id(&self, string: &[u8]) -> Result<Option<u32>> {
        id(&self.0, string)
    }

    /// The string of a number, if it was given out.
    pub fn string(&self, id: u32) -> Result<Option<Value>> {
        string(&self.0, id)
    }

    /// How many strings there are.
    pub fn len(&self) -> Result<u32> {
        next(&self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl<W: IndexRowsMut> Dictionary<W> {
    /// The number of a string; a new one if it has none yet. Two transactions that both give out new numbers conflict.
    pub fn intern(&mut self, string: &[u8]) -> Result<u32> {
        intern(&mut self.0, string)
    }
}

pub(super) fn id(rows: &impl IndexRows, string: &[u8]) -> Result<Option<u32>> {
    rows.get(&key(b's', &[string]))?.map(|id| number(rows, &id)).transpose()
}

pub(super) fn string(rows: &impl IndexRows, id: u32) -> Result<Option<Value>> {
    rows.get(&key(b'd', &[&id.to_be_bytes()]))
}

fn next(rows: &impl IndexRows) -> Result<u32> {
    Ok(rows.get(b"m")?.map(|next| number(rows, &next)).transpose()?.unwrap_or(0))
}

pub(super) fn intern(rows: &mut impl IndexRowsMut, string: &[u8]) -> Result<u32> {
    if let Some(id) = id(rows, string)? {
        return Ok(id);
    }
    let id = next(rows)?;
    let after = id.checked_add(1).ok_or_else(|| damaged(rows, "all numbers are given out"))?;
    rows.put(b"m", &after.to_be_bytes())?;
    rows.put(&key(b's', &[string]), &id.to_be_bytes())?;
    rows.put(&key(b'd', &[&id.to_be_bytes()]), string)?;
    Ok(id)
}
