//! What can be merged: a place in a sorted sequence of versions.

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::Version;

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
    /// To the version before.
    fn prev(&mut self) -> Result<()>;
    /// The version here, borrowed until the next move.
    fn current(&self) -> Option<Version<'_>>;
    /// The value here as a handle of its own; empty where there is no version.
    fn value(&self) -> Value;
}
