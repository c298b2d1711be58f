//! Writing a set of files.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::journal::{Contents, Entry, Journal, Recovered, beside};
use super::{Disk, RunLock, WriteError};

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where, absolute. A link is followed: what it names is written.
    pub path: Utf8PathBuf,
    /// What it held when the changes were planned.
    pub old: Vec<u8>,
    /// What it is to hold.
    pub new: Vec<u8>,
}

/// Files written but not yet committed. Dropping it puts them back.
#[derive(Debug)]
pub struct Transaction<'l> {
    lock: &'l RunLock,
    journal: Option<Journal>,
}

impl<'l> Transaction<'l> {
    /// Journals and writes `targets`. `watched` files (`Cargo.lock`) are not written, but put back by a roll-back.
    /// `stop` is looked at between files.
    ///
    /// # Errors
    /// [`WriteError`]; every file is then as it was.
    pub fn write(
        lock: &'l RunLock,
        targets: &[Target],
        watched: &[Utf8PathBuf],
        stop: &AtomicBool,
        disk: &mut Disk,
    ) -> Result<Transaction<'l>, WriteError> {
        let mut real = Vec::with_capacity(targets.len());
        for target in targets {
            real.push(check(target)?);
        }
        let mut entries: Vec<Entry> = real
            .iter()
            .map(|path| Entry { path: path.clone(), existed: true, temp: Some(beside(path)) })
            .collect();
        let mut contents: Vec<_> =
            targets.iter().map(|t| Contents { old: Some(t.old.clone()), new: Some(t.new.clone()) }).collect();
        for path in watched {
            let old = fs::read(path).ok();
            entries.push(Entry { path: path.clone(), existed: old.is_some(), temp: None });
            contents.push(Contents { old, new: None });
        }
        let journal = match Journal::arm(lock.folder(), entries, &contents, disk) {
            Ok(journal) => journal,
            Err(e) => {
                // Nothing of the tree was touched. If the last rename was made, a recovery finds all as it was.
                Journal::clear(lock.folder());
                return Err(e);
            }
        };
        let mut transaction = Transaction { lock, journal: Some(journal) };
        match transaction.fill(targets, &real, stop, disk) {
            Ok(()) => Ok(transaction),
            Err(e) => {
                transaction.undo(disk)?;
                Err(e)
            }
        }
    }

    fn fill(
        &self,
        targets: &[Target],
        real: &[Utf8PathBuf],
        stop: &AtomicBool,
        disk: &mut Disk,
    ) -> Result<(), WriteError> {
        for (target, path) in targets.iter().zip(real) {
            if stop.load(Ordering::Relaxed) {
                return Err(WriteError::Interrupted);
            }
            let io = |what| move |source| WriteError::Io { what, path: path.clone(), source };
            let like = fs::metadata(path).map_err(io("read"))?;
            let temp = beside(path);
            disk.write(&temp, &target.new, Some(&like))?;
            // Looked at once more, as late as can be.
            if fs::read(path).map_err(io("read"))? != target.old {
                return Err(WriteError::Changed(target.path.clone()));
            }
            disk.rename(&temp, path)?;
        }
        Ok(())
    }

    /// Keeps what was written.
    ///
    /// # Errors
    /// If the journal cannot be disarmed; the files are then put back.
    pub fn commit(mut self, disk: &mut Disk) -> Result<(), WriteError> {
        if let Some(journal) = &self.journal {
            journal.disarm(disk)?;
        }
        self.journal = None;
        Journal::clear(self.lock.folder());
        Ok(())
    }

    /// Puts every file back.
    ///
    /// # Errors
    /// If one cannot be; the journal then stays, and the next run tries again.
    pub fn roll_back(mut self, disk: &mut Disk) -> Result<Recovered, WriteError> {
        self.undo(disk)
    }

    fn undo(&mut self, disk: &mut Disk) -> Result<Recovered, WriteError> {
        let Some(journal) = self.journal.take() else { return Ok(Recovered::default()) };
        let out = journal.undo(disk)?;
        Journal::clear(self.lock.folder());
        Ok(out)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // Failing here leaves the journal armed, and the next run puts the files back.
        let _ = self.undo(&mut Disk::default());
    }
}

/// The real path of a target that may be written.
fn check(target: &Target) -> Result<Utf8PathBuf, WriteError> {
    let failed = |source| WriteError::Io { what: "read", path: target.path.clone(), source };
    let path = target.path.canonicalize_utf8().map_err(failed)?;
    if fs::read(&path).map_err(failed)? != target.old {
        return Err(WriteError::Changed(target.path.clone()));
    }
    let folder = path.parent().unwrap_or(Utf8Path::new("/"));
    // By the mode, not by trying: a privileged user could write, but was not meant to.
    for looked_at in [path.as_path(), folder] {
        if fs::metadata(looked_at).map_err(failed)?.permissions().readonly() {
            return Err(WriteError::ReadOnly(looked_at.to_owned()));
        }
    }
    Ok(path)
}
