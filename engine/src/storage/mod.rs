//! Everything the engine asks of an operating system, as two traits, so that a simulated disk can stand in.
//!
//! The contract is POSIX's, at its weakest: what was written but not synced may be lost, in any order and in parts of a
//! sector's size; a file created or renamed may be gone, or back under its old name, until its directory was synced.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

mod disk;
mod map;
pub mod sim;

pub use disk::Disk;
pub use map::{Advice, Map};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to be read only.
    Read,
    /// An existing file, to be read and written.
    Write,
    /// A new and empty file; one of that name must not exist.
    Create,
    /// A new and empty file; one of that name is emptied first.
    Replace,
}

/// A directory tree and a clock.
pub trait Storage: Debug + Send + Sync + 'static {
    /// Opens or creates a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Names of the entries of a directory, in no order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Whether something of that name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Creates a directory and those above it; one that exists is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Gives a file a new name, replacing what had it. Durable once the directory is synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives an immutable file a second name, or copies it where names cannot be shared.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes an exclusive lock on a file, at once or not at all. Held until the returned value is dropped.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;
}

/// An open file. Offsets are explicit, so that a file can be shared without a lock.
pub trait File: Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at an offset, growing the file if needed. On an error any part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content, and the length if it grew, durable.
    fn sync(&self) -> io::Result<()>;
    /// Cuts or grows (with zeros, unallocated) the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Maps a file that nobody writes to any more. An empty file gives an empty map.
    fn map(&self) -> io::Result<Map>;

    /// Fills `buffer` from an offset, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = self.read_at(buffer, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = buffer.get_mut(read..).unwrap_or_default();
            offset += read as u64;
        }
        Ok(())
    }
}

/// A held lock on a directory; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn Held>,
}

impl Lock {
    /// Wraps whatever releases the lock when it is dropped.
    pub fn new(held: impl Debug + Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

trait Held: Debug + Send + Sync {}
impl<T: Debug + Send + Sync> Held for T {}

/// Writes a whole file under a temporary name, syncs it and renames it into place: afterwards, and after any crash, the
/// name leads to the old content or to the new, never to a mixture.
pub fn replace(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let file = storage.open(&temporary, Open::Replace)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    storage.rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => storage.sync_dir(directory),
        None => Ok(()),
    }
}

/// Reads a whole file.
pub fn read(storage: &dyn Storage, path: &Path) -> io::Result<Vec<u8>> {
    let file = storage.open(path, Open::Read)?;
    let length = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
