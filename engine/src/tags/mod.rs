//! Tags: which rows carry which labels, asked with and, or, not.
//!
//! Every tagged row gets a small number (its *row id*), every tag another. For each tag there is a roaring bitmap of
//! row ids, cut into chunks of 65,536 so that tagging a row rewrites at most one small value a tag. Ids that become
//! free are given out again: they stay dense, and dense bitmaps are short.
//!
//! The index is itself rows, written through the same transaction as the rows it describes: after a crash both are
//! there or neither. Layout of its keys, numbers big-endian:
//!
//! ```text
//! "n"                       next row id u32, next tag id u32, number of free row ids u32
//! "r" key                   row id u32
//! "i" row id                key
//! "t" tag                   tag id u32
//! "d" tag id                tag
//! "k" row id                tag ids of the row, u32 each, rising
//! "b" tag id, chunk u16     bitmap of the rows of the chunk that carry the tag
//! "a" chunk u16             bitmap of all tagged rows of the chunk
//! "f" chunk u16             bitmap of the free ids of the chunk
//! ```
//!
//! Bitmaps are in the portable roaring format (<https://github.com/RoaringBitmap/RoaringFormatSpec>) over the low 16
//! bits of the ids. Source: Lemire et al., "Roaring Bitmaps: Implementation of an Optimized Software Library" (2018).

mod index;
mod query;
#[cfg(test)]
mod tests;

pub use index::{TagRead, TagWrite, Tags};
pub use query::{Matches, Query};
