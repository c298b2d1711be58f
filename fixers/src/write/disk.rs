//! The disk operations of a transaction, in one place so that tests can make any of them fail or the process die there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};

use camino::Utf8Path;

use super::WriteError;

/// An operation about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Step<'a> {
    Create(&'a Utf8Path),
    Write(&'a Utf8Path),
    Sync(&'a Utf8Path),
    Rename(&'a Utf8Path),
    Remove(&'a Utf8Path),
}

/// Hears of each operation before it is made.
type Hook = Box<dyn FnMut(Step<'_>) -> io::Result<()>>;

/// Access to the disk.
#[derive(Default)]
pub struct Disk {
    hook: Option<Hook>,
}

impl Disk {
    /// A disk whose operations are announced to `hook` first; an error from it counts as the operation's own.
    pub fn with_hook(hook: impl FnMut(Step<'_>) -> io::Result<()> + 'static) -> Disk {
        Disk { hook: Some(Box::new(hook)) }
    }

    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        self.hook.as_mut().map_or(Ok(()), |hook| hook(step))
    }

    /// Creates (or empties) a file, fills it and waits until it is on the medium.
    pub(super) fn write(
        &mut self,
        path: &Utf8Path,
        bytes: &[u8],
        like: Option<&fs::Metadata>,
    ) -> Result<(), WriteError> {
        let failed =
            |what: &'static str| move |source| WriteError::Io { what, path: path.to_owned(), source };
        self.step(Step::Create(path)).map_err(failed("create"))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(failed("create"))?;
        self.step(Step::Write(path)).map_err(failed("write"))?;
        file.write_all(bytes).map_err(failed("write"))?;
        if let Some(like) = like {
            keep_owner(path, like);
            let mode: Permissions = like.permissions();
            file.set_permissions(mode).map_err(failed("set the mode of"))?;
        }
        self.step(Step::Sync(path)).map_err(failed("flush"))?;
        file.sync_all().map_err(failed("flush"))
    }

    /// Renames, then waits until the folder says so.
    pub(super) fn rename(&mut self, from: &Utf8Path, to: &Utf8Path) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io { what: "replace", path: to.to_owned(), source };
        self.step(Step::Rename(to)).map_err(failed)?;
        fs::rename(from, to).map_err(failed)?;
        self.sync_folder_of(to)
    }

    /// Removes a file; one that is not there is no error.
    pub(super) fn remove(&mut self, path: &Utf8Path) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io { what: "remove", path: path.to_owned(), source };
        self.step(Step::Remove(path)).map_err(failed)?;
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(e)),
            _ => Ok(()),
        }
    }

    /// Waits until the entries of a file's folder are on the medium, where the system can.
    pub(super) fn sync_folder_of(&mut self, path: &Utf8Path) -> Result<(), WriteError> {
        let Some(folder) = path.parent() else { return Ok(()) };
        let failed = |source| WriteError::Io { what: "flush", path: folder.to_owned(), source };
        self.step(Step::Sync(folder)).map_err(failed)?;
        // Not every system lets a folder be opened; then its order of writes is all there is.
        if let Ok(handle) = File::open(folder) {
            let _ = handle.sync_all();
        }
        Ok(())
    }
}

/// Gives a new file the owner of the one it replaces; only a privileged user can need it, so failing is no error.
#[cfg(unix)]
fn keep_owner(path: &Utf8Path, like: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    let _ = std::os::unix::fs::chown(path, Some(like.uid()), Some(like.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &Utf8Path, _: &fs::Metadata) {}
