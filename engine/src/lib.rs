//! An embedded, ordered, transactional key-value database.

pub mod compress;
pub mod run;
