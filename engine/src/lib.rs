//! An embedded, ordered, transactional key-value database.

pub mod compress;
pub mod error;
pub mod key;
pub mod run;
pub mod storage;

pub use error::{Error, Result};
