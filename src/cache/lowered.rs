//! Lowered files by what they were lowered from, so that an unchanged file is not parsed again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashSet;
use uncork_engine::{Database, Durability, Error, Table, WriteBatch};
use uncork_lints::again::Learnt;
use uncork_lints::discover::{FileKey, Packs};

use super::{Cache, KEPT, build, store};

/// Files by key.
const LOWERED: &str = "lowered";
/// In [`KEPT`]: how many there are.
const COUNT: &[u8] = b"lowered";
/// Rows that may be there besides twice those of the newest run.
const SPARE: u64 = 256;
/// From so many rows on they are written past the log.
const MANY: usize = 64;

/// The files that are kept, while they are asked for.
pub(crate) struct Files<'a> {
    cache: Option<&'a Cache>,
    /// Opened when the first is asked for.
    open: OnceLock<Option<(Database, Table)>>,
    damaged: AtomicBool,
    build: u128,
}

impl<'a> Files<'a> {
    pub(super) fn new(cache: Option<&'a Cache>) -> Files<'a> {
        Files { cache, open: OnceLock::new(), damaged: AtomicBool::new(false), build: build() }
    }

    /// No files.
    pub(crate) fn none() -> Files<'a> {
        Files { cache: None, open: OnceLock::new(), damaged: AtomicBool::new(false), build: 0 }
    }

    /// Gives the store back.
    pub(crate) fn close(self) {
        if let (Some(cache), Some(Some((db, table)))) = (self.cache, self.open.into_inner()) {
            drop(table);
            drop(db.close());
            if self.damaged.into_inner() {
                store::set_aside(&cache.folder, cache.quiet);
            }
        }
    }
}

impl Packs for Files<'_> {
    fn get(&self, key: FileKey) -> Option<Vec<u8>> {
        let cache = self.cache?;
        let open = || {
            let db = cache.told(store::open(&cache.folder, cache.quiet, false))?;
            let table = db.existing_table(LOWERED)?;
            Some((db, table))
        };
        let (_, table) = self.open.get_or_init(open).as_ref()?;
        match table.get(&row(self.build, key)) {
            Ok(value) => value.map(|bytes| bytes.to_vec()),
            Err(error) => {
                self.damaged.fetch_or(store::is_damage(&error), Ordering::Relaxed);
                None
            }
        }
    }
}

/// The tool that packed it comes first: another one reads another format.
fn row(build: u128, key: FileKey) -> Vec<u8> {
    let mut row = build.to_be_bytes().to_vec();
    row.extend(key.text.to_be_bytes());
    row.extend(key.edition.to_be_bytes());
    row
}

/// Keeps the files that a run had to lower. Once there are more than twice as many as the run has, what it does not
/// have goes.
pub(super) fn keep(db: &Database, learnt: &Learnt, packed: Vec<(FileKey, Vec<u8>)>) -> Result<(), Error> {
    if packed.is_empty() {
        return Ok(());
    }
    let build = build();
    let (table, kept) = (db.table(LOWERED)?, db.table(KEPT)?);
    let before = kept.get(COUNT)?.and_then(|v| Some(u64::from_be_bytes(v.first_chunk().copied()?)));
    let mut count = before.unwrap_or(0) + packed.len() as u64;
    let mut batch = WriteBatch::new();
    let own: FxHashSet<Vec<u8>> = learnt.keys().map(|key| row(build, key)).collect();
    if count > 2 * own.len() as u64 + SPARE {
        for stored in table.iter()? {
            let (key, _) = stored?;
            if !own.contains(&key[..]) {
                batch.delete(&table, &key)?;
            }
        }
        count = own.len() as u64;
    }
    batch.put(&kept, COUNT, &count.to_be_bytes())?;
    if packed.len() < MANY {
        for (key, bytes) in packed {
            batch.put(&table, &row(build, key), &bytes)?;
        }
        return db.write(&batch, Durability::Buffered);
    }
    db.write(&batch, Durability::Buffered)?;
    table.ingest(packed.into_iter().map(|(key, bytes)| (row(build, key), bytes))).map(drop)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use uncork_lints::again;
    use uncork_lints::config::Config;
    use uncork_lints::discover::{Request, locate};

    use super::*;

    #[test]
    fn what_no_run_has_goes_when_there_is_much_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        let code = path.join("code");
        std::fs::create_dir(&code).expect("made");
        std::fs::write(code.join("a.rs"), "pub fn a() {}\n").expect("written");
        let located = locate(&Request { paths: vec![code.clone()], cwd: code, ..Request::default() });
        let located = located.expect("a folder of code");
        let done = again::check(&located, &located.places(), &Config::default(), None, &(), &());
        let learnt = done.ok().and_then(|d| d.learnt).expect("something new");
        let cache = Cache::new(path.join("cache"), false, true);
        let db = store::open(&cache.folder, true, true).expect("it opens");
        let rows = || db.table(LOWERED).and_then(|t| t.iter()).expect("rows").count();
        for n in 0..SPARE {
            let key = FileKey { text: u128::from(n), edition: 2021 };
            let table = db.table(LOWERED).expect("a table");
            table.put(&row(0, key), b"of another tool").expect("written");
        }
        let count = db.table(KEPT).and_then(|t| t.put(COUNT, &SPARE.to_be_bytes()));
        count.expect("written");
        keep(&db, &learnt, learnt.pack()).expect("kept");
        assert_eq!(rows(), SPARE as usize + 1, "as many as may be");
        let more = FileKey { text: 1 << 100, edition: 2021 };
        keep(&db, &learnt, vec![(more, vec![1]), (more, vec![2])]).expect("kept");
        // What came with this call is of this run, whatever the run says.
        assert_eq!(rows(), 2);
        db.close().expect("it closes");
        let key = learnt.keys().next().expect("one file");
        let files = cache.files();
        assert_eq!(files.get(key), learnt.pack().pop().map(|(_, bytes)| bytes));
        assert_eq!(files.get(FileKey { text: 0, edition: 2021 }), None);
        files.close();
    }
}
