//! Immutable sorted runs: one file each, written once, read by point or in order.

mod ahead;
pub mod block;
pub mod bloom;
mod cursor;
mod fences;
pub mod format;
pub mod hash_index;
pub mod heads;
mod open;
mod reader;
pub(crate) mod salvage;
#[cfg(test)]
pub(crate) mod tests;
pub mod varint;
mod writer;

pub use cursor::RunCursor;
pub(crate) use open::check_format;
pub use reader::{Found, Keep, Run};
pub use writer::{RunOptions, RunWriter};

use crate::key::Sequence;

/// Number of a run; its file is `{id:016x}.run`. Never used twice in the life of a database.
pub type RunId = u64;

/// What a run contains, as the manifest remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMeta {
    /// Number of the run.
    pub id: RunId,
    /// Length of the file.
    pub bytes: u64,
    /// Versions in it.
    pub rows: u64,
    /// Versions that are deletions.
    pub deletes: u64,
    /// Smallest sequence.
    pub min_sequence: Sequence,
    /// Largest sequence.
    pub max_sequence: Sequence,
    /// Smallest user key.
    pub first_key: Box<[u8]>,
    /// Largest user key.
    pub last_key: Box<[u8]>,
}
