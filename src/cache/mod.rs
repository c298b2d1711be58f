//! What is kept from run to run: an `uncork-engine` database in cargo's target directory.
//!
//! It only ever saves work. Whoever cannot have it (another process does, the folder is read-only, the disk is full) runs
//! without; what is damaged is set aside. Nobody waits for it: it is open for moments at a time.

pub(crate) mod history;
mod lowered;
mod store;

use std::hash::Hash;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use uncork_engine::{Database, Durability, Error, WriteBatch};
use uncork_lints::again::{Learnt, Memory, digest};

use history::Entry;
pub(crate) use lowered::Files;

/// Most requests whose findings are kept, and most bytes of them in all: the ones not asked for longest go first.
const SLOTS: usize = 24;
const BYTES: u64 = 128 << 20;
/// Most runs in the history; the oldest go first.
const RUNS: usize = 1000;

/// Findings by request.
const FOUND: &str = "found";
/// By request: when it was last kept, and how large.
const KEPT: &str = "kept";
/// Runs by time.
const HISTORY: &str = "history";

/// The folder `uncork` in cargo's target directory.
pub(crate) struct Cache {
    folder: Utf8PathBuf,
    /// Most bytes of findings.
    bytes: u64,
    verbose: bool,
    quiet: bool,
}

/// Findings as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// What wrote it; nobody else reads it.
    build: u128,
    memory: Memory,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    /// Milliseconds since 1970.
    time: u64,
    bytes: u64,
}

/// What the cache has for a request.
#[derive(Default)]
pub(crate) struct Recalled {
    pub(crate) memory: Option<Memory>,
    /// The newest run of the same kind.
    pub(crate) last: Option<Entry>,
}

impl Cache {
    /// The cache in a folder, which need not exist. Tells nothing if `quiet`, and also what is no defect if `verbose`.
    pub(crate) fn new(folder: Utf8PathBuf, verbose: bool, quiet: bool) -> Cache {
        Cache { folder, bytes: BYTES, verbose, quiet }
    }

    /// What is known of a request, and of the runs with these `options`.
    pub(crate) fn recall(&self, request: u128, options: &str) -> Recalled {
        let found = self.read(|db| {
            let memory = match db.existing_table(FOUND) {
                Some(table) => table.get(&request.to_be_bytes())?,
                None => None,
            };
            let last = history::newest(db, |entry| entry.options == options)?;
            Ok((memory, last))
        });
        let Some((bytes, last)) = found else { return Recalled::default() };
        let kept = bytes.and_then(|b| postcard::from_bytes::<Kept>(&b).ok());
        Recalled { memory: kept.filter(|k| k.build == build()).map(|k| k.memory), last }
    }

    /// All runs of the history, oldest first.
    pub(crate) fn history(&self) -> Vec<Entry> {
        self.read(history::all).unwrap_or_default()
    }

    /// The lowered files that are kept.
    pub(crate) fn files(&self) -> Files<'_> {
        Files::new(Some(self))
    }

    /// Keeps what was learnt, and the run.
    pub(crate) fn keep(&self, request: u128, learnt: Option<&Learnt>, entry: Option<&Entry>) {
        if learnt.is_none() && entry.is_none() {
            return;
        }
        // Nothing is locked while this is made ready.
        let packed = learnt.map(Learnt::pack).unwrap_or_default();
        let kept =
            learnt.and_then(|l| postcard::to_stdvec(&Kept { build: build(), memory: l.memory.clone() }).ok());
        let written = store::open(&self.folder, self.quiet, true).and_then(|db| {
            let written = self
                .write(&db, request, kept.as_deref(), entry)
                .and_then(|()| learnt.map_or(Ok(()), |learnt| lowered::keep(&db, learnt, packed)));
            self.done(db, written)
        });
        self.told(written);
    }

    fn write(
        &self,
        db: &Database,
        request: u128,
        kept: Option<&[u8]>,
        entry: Option<&Entry>,
    ) -> Result<(), Error> {
        let mut batch = WriteBatch::new();
        if let Some(kept) = kept.filter(|k| k.len() as u64 <= self.bytes / 2) {
            let (found, slots) = (db.table(FOUND)?, db.table(KEPT)?);
            let own = request.to_be_bytes();
            let mut others: Vec<(Slot, [u8; 16])> = Vec::new();
            for row in slots.iter()? {
                let (key, value) = row?;
                let Ok(key) = <[u8; 16]>::try_from(&key[..]) else { continue };
                let unknown = Slot { time: 0, bytes: self.bytes };
                others.push((postcard::from_bytes(&value).unwrap_or(unknown), key));
            }
            // Two of one millisecond have an order as well, and so have those of a clock that was set back.
            let newest = others.iter().map(|(slot, _)| slot.time).max();
            let time = now().max(newest.map_or(0, |t| t.saturating_add(1)));
            others.retain(|(_, key)| *key != own);
            others.sort_by_key(|(slot, _)| std::cmp::Reverse(slot.time));
            let mut room = self.bytes - kept.len() as u64;
            for (nth, (slot, key)) in others.iter().enumerate() {
                match room.checked_sub(slot.bytes).filter(|_| nth + 1 < SLOTS) {
                    Some(left) => room = left,
                    None => {
                        room = 0;
                        batch.delete(&found, key)?;
                        batch.delete(&slots, key)?;
                    }
                }
            }
            let slot = Slot { time, bytes: kept.len() as u64 };
            batch.put(&found, &own, kept)?;
            batch.put(&slots, &own, &postcard::to_stdvec(&slot).unwrap_or_default())?;
        }
        if let Some(entry) = entry {
            history::add(db, &mut batch, entry, RUNS)?;
        }
        db.write(&batch, Durability::Buffered)
    }

    /// Asks a store that is there already.
    fn read<T>(&self, ask: impl FnOnce(&Database) -> Result<T, Error>) -> Option<T> {
        if !store::path(&self.folder).exists() {
            return None;
        }
        let answer = store::open(&self.folder, self.quiet, false).and_then(|db| {
            let answer = ask(&db);
            self.done(db, answer)
        });
        self.told(answer)
    }

    /// Closes, and puts aside what turned out to be damaged.
    fn done<T>(&self, db: Database, outcome: Result<T, Error>) -> Result<T, Error> {
        // What is lost when this fails is lost to the cache only.
        drop(db.close());
        if outcome.as_ref().is_err_and(store::is_damage) {
            store::set_aside(&self.folder, self.quiet);
        }
        outcome
    }

    fn told<T>(&self, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                if self.verbose {
                    crate::say::note(&format!("without cache: {error}"));
                }
                None
            }
        }
    }
}

/// A number for a request, to find its findings by.
pub(crate) fn request(what: impl Hash) -> u128 {
    digest(what)
}

/// Milliseconds since 1970; 0 if the clock is before that.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What is running: a tool built anew is another one, whatever its version says.
fn build() -> u128 {
    let own = std::env::current_exe().unwrap_or_default();
    let about = std::fs::metadata(&own).ok();
    let stamp = about.as_ref().map(|a| (a.len(), a.modified().ok()));
    digest((env!("CARGO_PKG_VERSION"), &own, stamp, about.as_ref().map(identity)))
}

/// What of a file changes whenever it is replaced, whatever its times were set to.
#[cfg(unix)]
fn identity(about: &std::fs::Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (about.dev(), about.ino(), about.ctime(), about.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) {}

/// Where the cache of a run is: as asked, else in cargo's target directory, else nowhere.
pub(crate) fn folder(asked: Option<&Utf8Path>, target: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    match (asked, target) {
        (Some(folder), _) => Some(folder.to_owned()),
        (None, Some(target)) => Some(target.join("uncork")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("target/uncork")).expect("UTF-8");
        (folder, Cache::new(path, false, true))
    }

    fn rows(db: &Database, table: &str) -> usize {
        db.table(table).and_then(|t| t.iter()).expect("rows").count()
    }

    #[test]
    fn findings_of_few_requests_are_kept() {
        let (_keep, cache) = cache();
        let cache = Cache { bytes: 4096, ..cache };
        let db = store::open(&cache.folder, true, true).expect("it opens");
        for request in 0..3 * SLOTS as u128 {
            cache.write(&db, request, Some(b"findings"), None).expect("written");
        }
        assert_eq!((rows(&db, FOUND), rows(&db, KEPT)), (SLOTS, SLOTS));
        let newest = 3 * SLOTS as u128 - 1;
        assert!(db.table(FOUND).and_then(|t| t.get(&newest.to_be_bytes())).expect("read").is_some());
        // Large ones push out the others.
        let large = vec![7; (cache.bytes / 2) as usize];
        for request in [1000_u128, 1001, 1002] {
            cache.write(&db, request, Some(&large), None).expect("written");
        }
        assert_eq!(rows(&db, FOUND), 2);
        let larger = vec![7; large.len() + 1];
        cache.write(&db, 1003, Some(&larger), None).expect("written");
        assert_eq!(rows(&db, FOUND), 2, "what is too large is not kept");
    }

    #[test]
    fn the_history_ends_somewhere() {
        let (_keep, cache) = cache();
        let db = store::open(&cache.folder, true, true).expect("it opens");
        let mut entry = Entry {
            time: 5,
            commit: None,
            options: String::new(),
            files: 0,
            lines: 0,
            suppressed: 0,
            counts: Default::default(),
        };
        for files in 0..12 {
            entry.files = files;
            let mut batch = WriteBatch::new();
            history::add(&db, &mut batch, &entry, 10).expect("added");
            db.write(&batch, Durability::Buffered).expect("written");
        }
        let files: Vec<u64> = history::all(&db).expect("read").iter().map(|e| e.files).collect();
        assert_eq!(
            files,
            (2..12).collect::<Vec<u64>>(),
            "the newest, in order, though all say the same time"
        );
        assert_eq!(history::newest(&db, |e| e.files == 4).expect("read").map(|e| e.files), Some(4));
    }
}
