//! Reading several sorted sources as one.

pub mod cursor;
