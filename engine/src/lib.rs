//! An embedded, ordered, transactional key-value database.

pub mod blocks;
pub mod compact;
pub mod compress;
pub mod error;
pub mod key;
pub mod merge;
pub mod run;
pub mod storage;
pub mod tags;

pub use blocks::pinned::Value;
pub use error::{Error, Result};
