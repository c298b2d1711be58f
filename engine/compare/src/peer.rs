//! What every database in the comparison must do.

use std::error::Error;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A row to write.
pub type Row = (Vec<u8>, Vec<u8>);

/// An open database with one table.
pub trait Peer: Sync {
    /// Writes a batch as one commit; synced before the call returns if `durable`.
    fn commit(&self, rows: &[Row], durable: bool) -> Result<()>;
    /// Brings everything into the form it will have at rest: flushed, compacted.
    fn settle(&self) -> Result<()>;
    /// A reader for one thread.
    fn reader(&self) -> Result<Box<dyn Reader + '_>>;
}

/// Reads by one thread.
pub trait Reader {
    /// Looks a key up as cheaply as the API allows; the length and the first byte of its value.
    fn get(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>>;
    /// The same, through a snapshot made for this one read.
    fn get_in_snapshot(&mut self, key: &[u8]) -> Result<Option<(usize, u8)>>;
    /// Reads up to `limit` rows from `start` on; their count. Each key and value is looked at.
    fn range(&mut self, start: &[u8], limit: usize) -> Result<usize>;
}

/// What is done with a value that was found.
pub fn look(value: &[u8]) -> (usize, u8) {
    (value.len(), value.first().copied().unwrap_or_default())
}

/// What is done with a row of a range, so that nothing can be left out.
pub fn look_at_row(key: &[u8], value: &[u8]) -> u64 {
    let (length, first) = look(value);
    key.len() as u64 + length as u64 + u64::from(first) + u64::from(key.last().copied().unwrap_or_default())
}

pub type Open = fn(&Path, u64) -> Result<Box<dyn Peer>>;
