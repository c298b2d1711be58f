//! What can be merged: a place in a sorted sequence of versions.

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::{Kind, Sequence, Version};

/// A place in a sequence of versions sorted by key, the newest version of a key first.
///
/// Past either end [`Cursor::current`] is `None`, and only a seek leads back.
pub trait Cursor: Send {
    /// To the first version.
    fn seek_first(&mut self) -> Result<()>;
    /// To the newest version of the least key not below `key`.
    fn seek(&mut self, key: &[u8]) -> Result<()>;
    /// To the last version.
    fn seek_last(&mut self) -> Result<()>;
    /// To the oldest version of the greatest key below `key`.
    fn seek_back(&mut self, key: &[u8]) -> Result<()>;
    /// To the following version.
    fn next(&mut self) -> Result<()>;
    /// To the following version; what it is, where its key and value are not asked for.
    #[inline]
    fn step(&mut self) -> Result<Option<(Sequence, Kind)>> {
        self.next()?;
        Ok(self.current().map(|version| (version.sequence, version.kind)))
    }
    /// Whether it is known that no key has two versions here.
    fn is_distinct(&self) -> bool {
        false
    }
    /// To the version before.
    fn prev(&mut self) -> Result<()>;
    /// The version here, borrowed until the next move.
    fn current(&self) -> Option<Version<'_>>;
    /// The value here as a handle of its own; empty where there is no version.
    fn value(&self) -> Value;
}
