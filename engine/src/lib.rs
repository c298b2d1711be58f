#![doc = include_str!("../README.md")]

mod batch;
pub mod blocks;
mod budget;
mod commit;
pub mod compact;
pub mod compress;
mod db;
pub mod error;
pub mod key;
mod log;
mod manifest;
mod memtable;
pub mod merge;
pub mod metrics;
mod options;
pub mod run;
pub mod storage;
mod sync;
pub mod tags;
mod txn;

pub use batch::WriteBatch;
pub use blocks::pinned::Value;
pub use blocks::pool::ReadMode;
pub use db::{Database, EachRow, Report, Rows, Snapshot, Table, check, dump};
pub use error::{Error, Result};
pub use log::{Archive, LogOptions};
pub use metrics::Metrics;
pub use options::{Durability, MIN_BUDGET, Options};
pub use txn::{Transaction, TransactionRows};
