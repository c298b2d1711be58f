//! The one error type of the engine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the engine's calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Cheap to clone: one failed group of commits is reported to each of its members.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// The disk, or the quota on it, is full. Nothing of the failed operation is visible; reads go on.
    #[error("no space left to {action} {}", path.display())]
    DiskFull {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
    },
    /// A file does not hold what was once written to it.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The directory or file belongs to something else. It was not touched.
    #[error("{} is not a database of this engine: {what}", path.display())]
    Foreign {
        /// What was opened.
        path: PathBuf,
        /// What gave it away.
        what: &'static str,
    },
    /// A backup was to go where something is already. It was not touched.
    #[error("{} is not empty: a backup needs a directory of its own", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The files are of a format newer than this version knows. They were not touched.
    #[error("{} has format version {found}; this version reads up to {supported}", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },
    /// Another process, or another handle in this one, has the database open.
    #[error("{} is in use by {}", path.display(), holder(*pid))]
    Locked {
        /// The database directory.
        path: PathBuf,
        /// Who holds it, where the lock file tells.
        pid: Option<u32>,
    },
    /// An earlier write or sync failed in a way that leaves it unknown what is on disk. Only reads go on; reopen the
    /// database to recover what was acknowledged.
    #[error("the database no longer accepts writes: {cause}")]
    Poisoned {
        /// The failure that caused it.
        cause: Arc<str>,
    },
    /// The transaction read something that another has changed since. Run it again; [`crate::Database::transact`] does.
    #[error("the transaction conflicts with one committed after it began")]
    Conflict,
    /// A key longer than [`crate::key::MAX_KEY`].
    #[error("a key of {len} bytes; the limit is {max}")]
    KeyTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A value longer than [`crate::key::MAX_VALUE`].
    #[error("a value of {len} bytes; the limit is {max}")]
    ValueTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A batch or transaction too large to be one commit.
    #[error("a commit of {len} bytes; the limit is {max}")]
    CommitTooLarge {
        /// Its encoded length.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// Rows handed to a sorted load were not in strictly rising order.
    #[error("row {row} of a sorted load is not above the one before it")]
    Unsorted {
        /// Ordinal of the offending row.
        row: u64,
    },
    /// A table name that is empty, too long, or begins with a zero byte.
    #[error("a table name must have 1 to 255 bytes, the first not zero; this one has {len}")]
    BadTableName {
        /// Its length.
        len: usize,
    },
    /// Tags or dictionary of a table hold what they never should.
    #[error("tags of the table {table:?} contradict each other: {what}")]
    BadIndex {
        /// The table described.
        table: Arc<str>,
        /// What does not hold.
        what: &'static str,
    },
    /// The table was dropped.
    #[error("the table {name:?} no longer exists")]
    NoTable {
        /// Its name.
        name: Arc<str>,
    },
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
    /// An option that cannot be.
    #[error("option {option}: {what}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another handle".to_owned(), |pid| format!("process {pid}"))
}

impl Error {
    /// Wraps an error of the operating system with what was tried and where.
    #[must_use]
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { action, path: path.to_owned() }
            }
            _ => Self::Io { action, path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// A damaged file.
    #[must_use]
    pub fn corrupt(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, what }
    }

    /// Whether trying the same again may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }
}

/// Adds what was tried, and on which file, to an [`io::Result`].
pub trait IoContext<T> {
    /// Names the action and the file.
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    #[inline]
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::io(action, path, source))
    }
}
