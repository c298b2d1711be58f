//! One `fix` at a time in a target folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::WriteError;

/// Held for as long as a run may write; released with the process, however it ends.
#[derive(Debug)]
pub struct RunLock {
    folder: Utf8PathBuf,
    _file: File,
}

impl RunLock {
    /// Takes the lock of `folder` (`target/uncork`), which is made if need be.
    ///
    /// # Errors
    /// [`WriteError::Locked`] with the holder's process id if another run has it.
    pub fn acquire(folder: &Utf8Path) -> Result<RunLock, WriteError> {
        let path = folder.join("fix.lock");
        let failed = |source| WriteError::Io { what: "lock", path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(WriteError::Locked { pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The file stays when the run ends: removing it would let two runs lock two files of one name.
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(RunLock { folder: folder.to_owned(), _file: file })
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }
}
