//! Immutable sorted runs: one file each, written once, read by point or in order.

pub mod block;
pub mod bloom;
pub mod hash_index;
pub mod heads;
pub mod varint;
