//! Tags: which rows carry which labels, asked with and, or, not; and a dictionary of strings.
//!
//! Every tagged row gets a small number (its *row id*); a tag is numbered by the dictionary. For each tag there is a roaring
//! bitmap of row ids, cut into chunks of 65,536 so that tagging a row rewrites at most one small value a tag. Row ids that
//! become free are given out again: they stay dense, and dense bitmaps are short.
//!
//! Tags and dictionary of a table are rows themselves, in a table of their own, written in the same transaction as the rows
//! they describe: after a crash both are there or neither. Layout of the keys, numbers big-endian:
//!
//! ```text
//! "m"                       next number of the dictionary u32
//! "s" string                its number u32
//! "d" number                string
//! "n"                       next row id u32, number of free row ids u32
//! "r" key                   row id u32
//! "i" row id                key
//! "k" row id                tags of the row, u32 each, rising
//! "b" tag u32, chunk u16    bitmap of the rows of the chunk that carry the tag
//! "a" chunk u16             bitmap of all tagged rows of the chunk
//! "f" chunk u16             bitmap of the free ids of the chunk
//! ```
//!
//! Bitmaps are in the portable roaring format (<https://github.com/RoaringBitmap/RoaringFormatSpec>) over the low 16
//! bits of the ids. Source: Lemire et al., "Roaring Bitmaps: Implementation of an Optimized Software Library" (2018).

mod dictionary;
mod index;
mod query;
mod rows;
#[cfg(test)]
mod tests;
mod verify;

pub use dictionary::Dictionary;
pub use index::Tags;
pub use query::{Matches, Query};
pub use rows::{InSnapshot, InTransaction, IndexRows, IndexRowsMut};
pub(crate) use verify::Verify;

/// What the name of a table of tags begins with; the name of the table described follows. Users cannot make such tables.
pub(crate) const PREFIX: &str = "\0index\0";

/// Name of the table that holds tags and dictionary of another.
pub(crate) fn index_name(table: &str) -> String {
    format!("{PREFIX}{table}")
}
