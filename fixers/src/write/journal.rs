//! The undo journal: what files were and what they are made, until the transaction is committed.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{Disk, RunLock, WriteError};

/// A file of the transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Absolute, links followed.
    pub(super) path: Utf8PathBuf,
    /// Whether it was there before.
    pub(super) existed: bool,
    /// The file beside it that is written and renamed over it; `None` for a file only watched (`Cargo.lock`).
    pub(super) temp: Option<Utf8PathBuf>,
}

/// What a file of the transaction holds.
pub(super) struct Contents {
    /// Before; `None` if it was not there.
    pub(super) old: Option<Vec<u8>>,
    /// After; `None` if it is only watched.
    pub(super) new: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Index {
    version: u32,
    entries: Vec<Entry>,
}

const VERSION: u32 = 1;

/// The journal of a run, in its folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Utf8PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// What [`recover`] found of an earlier run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Files put back as they were.
    pub restored: Vec<Utf8PathBuf>,
    /// Files that someone changed since: left alone; the second path is where their original was kept.
    pub kept: Vec<(Utf8PathBuf, Utf8PathBuf)>,
}

impl Journal {
    fn folder_in(state: &Utf8Path) -> Utf8PathBuf {
        state.join("journal")
    }

    fn index_path(&self) -> Utf8PathBuf {
        self.folder.join("journal.json")
    }

    fn old_path(&self, index: usize) -> Utf8PathBuf {
        self.folder.join(format!("{index}.old"))
    }

    fn new_path(&self, index: usize) -> Utf8PathBuf {
        self.folder.join(format!("{index}.new"))
    }

    /// Writes the journal; from its last step on, an interrupted run is undone.
    /// `contents` is in the order of `entries`.
    pub(super) fn arm(
        state: &Utf8Path,
        entries: Vec<Entry>,
        contents: &[Contents],
        disk: &mut Disk,
    ) -> Result<Journal, WriteError> {
        let journal = Journal { folder: Journal::folder_in(state), entries };
        fs::create_dir_all(&journal.folder).map_err(|source| WriteError::Io {
            what: "create",
            path: journal.folder.clone(),
            source,
        })?;
        for (index, contents) in contents.iter().enumerate() {
            if let Some(old) = &contents.old {
                disk.write(&journal.old_path(index), old, None)?;
            }
            if let Some(new) = &contents.new {
                disk.write(&journal.new_path(index), new, None)?;
            }
        }
        let index = Index { version: VERSION, entries: journal.entries.clone() };
        let text =
            serde_json::to_vec_pretty(&index).map_err(|_| WriteError::Journal(journal.index_path()))?;
        let temp = journal.folder.join("journal.json.new");
        disk.write(&temp, &text, None)?;
        disk.rename(&temp, &journal.index_path())?;
        Ok(journal)
    }

    /// The armed journal of an earlier run.
    fn open(state: &Utf8Path) -> Result<Option<Journal>, WriteError> {
        let mut journal = Journal { folder: Journal::folder_in(state), entries: Vec::new() };
        let path = journal.index_path();
        let Ok(text) = fs::read(&path) else { return Ok(None) };
        let index: Index = serde_json::from_slice(&text).map_err(|_| WriteError::Journal(path.clone()))?;
        if index.version != VERSION {
            return Err(WriteError::Journal(path));
        }
        journal.entries = index.entries;
        Ok(Some(journal))
    }

    /// The transaction counts: one removal, after which nothing will be undone.
    pub(super) fn disarm(&self, disk: &mut Disk) -> Result<(), WriteError> {
        disk.remove(&self.index_path())?;
        disk.sync_folder_of(&self.index_path())
    }

    /// Removes what a disarmed journal left. Failing is no error: the next run does it again.
    pub(super) fn clear(state: &Utf8Path) {
        let _ = fs::remove_dir_all(Journal::folder_in(state));
    }

    /// Puts every file back. Can be repeated after dying at any step.
    pub(super) fn undo(&self, disk: &mut Disk) -> Result<Recovered, WriteError> {
        let mut out = Recovered::default();
        for (index, entry) in self.entries.iter().enumerate() {
            self.undo_one(index, entry, disk, &mut out)?;
        }
        self.disarm(disk)?;
        Ok(out)
    }

    fn undo_one(
        &self,
        index: usize,
        entry: &Entry,
        disk: &mut Disk,
        out: &mut Recovered,
    ) -> Result<(), WriteError> {
        let read = |path: &Utf8Path| {
            fs::read(path).map_err(|source| WriteError::Io { what: "read", path: path.to_owned(), source })
        };
        let now = fs::read(&entry.path).ok();
        if let Some(temp) = &entry.temp {
            disk.remove(temp)?;
        }
        if !entry.existed {
            // Only a watched file can be new; what made it (cargo) makes it again when needed.
            if now.is_some() {
                disk.remove(&entry.path)?;
                out.restored.push(entry.path.clone());
            }
            return Ok(());
        }
        let old = read(&self.old_path(index))?;
        if now.as_deref() == Some(&old) {
            return Ok(());
        }
        if let Some(temp) = &entry.temp {
            let new = read(&self.new_path(index))?;
            // A file that is gone was not removed by us either, but putting it back loses nothing.
            if now.as_deref().is_some_and(|now| now != new) {
                let kept = self.keep(&entry.path, &old, disk)?;
                out.kept.push((entry.path.clone(), kept));
                return Ok(());
            }
            restore(&entry.path, temp, &old, disk)?;
        } else {
            let temp = beside(&entry.path);
            restore(&entry.path, &temp, &old, disk)?;
        }
        out.restored.push(entry.path.clone());
        Ok(())
    }

    /// Saves an original that cannot be put back, outside the journal.
    fn keep(&self, path: &Utf8Path, old: &[u8], disk: &mut Disk) -> Result<Utf8PathBuf, WriteError> {
        let folder = self.folder.with_file_name("kept");
        let failed = |source| WriteError::Io { what: "create", path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let name = path.file_name().unwrap_or("file");
        let mut kept = folder.join(name);
        let mut count = 1;
        while kept.exists() && fs::read(&kept).ok().as_deref() != Some(old) {
            count += 1;
            kept = folder.join(format!("{name}.{count}"));
        }
        disk.write(&kept, old, None)?;
        Ok(kept)
    }
}

fn restore(path: &Utf8Path, temp: &Utf8Path, old: &[u8], disk: &mut Disk) -> Result<(), WriteError> {
    let like = fs::metadata(path).ok();
    disk.write(temp, old, like.as_ref())?;
    disk.rename(temp, path)
}

/// Where a file is written before it is renamed over `path`.
pub(super) fn beside(path: &Utf8Path) -> Utf8PathBuf {
    path.with_file_name(format!(".{}.uncork", path.file_name().unwrap_or("file")))
}

/// Undoes what an earlier run left half-done; does nothing if it ended well. The lock shows that no run is at work.
///
/// # Errors
/// If a file cannot be put back; the journal then stays for another try.
pub fn recover(lock: &RunLock, disk: &mut Disk) -> Result<Recovered, WriteError> {
    let out = match Journal::open(lock.folder())? {
        Some(journal) => journal.undo(disk)?,
        None => Recovered::default(),
    };
    Journal::clear(lock.folder());
    Ok(out)
}
