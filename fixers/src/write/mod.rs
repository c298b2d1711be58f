//! All files of a run on disk, or none of them, whatever happens between.
//!
//! Originals and results go to a journal first, flushed; then each file is written beside its target and renamed over
//! it; when the caller commits (after verification), the journal is disarmed by removing one file. A process that dies in
//! between leaves an armed journal, which [`recover`] undoes on the next run. This is the classical undo log (Gray &
//! Reuter, *Transaction Processing*, ch. 9), one transaction deep.

mod disk;
mod journal;
mod lock;
mod transaction;

use std::io;

use camino::Utf8PathBuf;
use thiserror::Error;

pub use disk::{Disk, Step};
pub use journal::{Recovered, recover};
pub use lock::RunLock;
pub use transaction::{Target, Transaction};

/// Why files were not written. Nothing is left half-done when one of these is returned.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Another run holds the lock.
    #[error("another `cargo uncork fix` is at work here{}; wait for it to end", .pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// Its process id, if it could be read.
        pid: Option<u32>,
    },
    /// The file is not what the changes were planned on.
    #[error("{0} was changed by someone else since it was read; nothing was written")]
    Changed(Utf8PathBuf),
    /// The file or its folder is read-only.
    #[error("{0} is read-only; nothing was written")]
    ReadOnly(Utf8PathBuf),
    /// The system refused an operation.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal of an earlier run cannot be understood.
    #[error("the journal {0} cannot be read; it holds the originals of an interrupted run")]
    Journal(Utf8PathBuf),
    /// The user asked to stop.
    #[error("interrupted; every file is as it was")]
    Interrupted,
}
