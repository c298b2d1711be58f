//! Databases written by every version of the format still open. `tests/format/1` and so on hold one each, written by
//! `WRITE_FORMAT=<new directory> cargo test -p uncork-engine --test format` with the first code of that version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uncork_engine::storage::{Disk, Storage};
use uncork_engine::tags::Query;
use uncork_engine::{Database, LogOptions, Options, WriteBatch};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn options() -> Options {
    let log = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let mut options =
        Options { memory_budget: 1 << 20, background: false, create: false, log, ..Options::default() };
    options.compaction.run.block_size = 512;
    options
}

fn value(n: u32) -> Vec<u8> {
    n.to_le_bytes().repeat((n % 23) as usize)
}

/// What is in every fixture: rows of a base run, of a young one, and of the log; deletions; a sorted load; tags.
fn expected() -> (Rows, Rows) {
    let mut rows = Rows::new();
    rows.extend((0..300_u32).map(|n| (n.to_be_bytes().to_vec(), value(n))));
    rows.extend((0..300_u32).step_by(7).map(|n| (n.to_be_bytes().to_vec(), b"in a young run".to_vec())));
    rows.retain(|key, _| key[3] % 5 != 3);
    rows.extend((290..310_u32).map(|n| (n.to_be_bytes().to_vec(), b"in the log".to_vec())));
    let loaded = (0..100_u32).map(|n| (format!("loaded {n:04}").into_bytes(), value(n))).collect();
    (rows, loaded)
}

fn make(directory: &Path) {
    let db = Database::open(directory, Options { create: true, ..options() }).unwrap();
    let table = db.table("rows").unwrap();
    let write = |rows: &mut dyn Iterator<Item = (u32, Option<Vec<u8>>)>| {
        let mut batch = WriteBatch::new();
        for (n, value) in rows {
            match value {
                Some(value) => batch.put(&table, &n.to_be_bytes(), &value).unwrap(),
                None => batch.delete(&table, &n.to_be_bytes()).unwrap(),
            }
        }
        db.write(&batch, uncork_engine::Durability::Sync).unwrap();
    };
    write(&mut (0..300).map(|n| (n, Some(value(n)))));
    db.compact().unwrap();
    write(&mut (0..300).step_by(7).map(|n| (n, Some(b"in a young run".to_vec()))));
    write(&mut (0..300).filter(|n| (n % 256) % 5 == 3).map(|n| (n, None)));
    db.flush().unwrap();
    write(&mut (290..310).map(|n| (n, Some(b"in the log".to_vec()))));
    let loaded = db.table("loaded").unwrap();
    loaded.ingest(expected().1).unwrap();
    for n in 0..20_u32 {
        let tags: [&[u8]; 2] = [b"even", b"third"];
        let chosen: Vec<&[u8]> = tags
            .into_iter()
            .zip([2, 3])
            .filter(|(_, divisor)| n % divisor == 0)
            .map(|(tag, _)| tag)
            .collect();
        db.transact(|transaction| transaction.tags(&loaded)?.set(&n.to_be_bytes(), &chosen)).unwrap();
    }
    db.close().unwrap();
    std::fs::remove_file(directory.join("LOCK")).unwrap();
}

fn read(directory: &Path) {
    let storage: Arc<dyn Storage> = Arc::new(Disk::default());
    let report = uncork_engine::check(&storage, directory).unwrap();
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    assert!(report.runs >= 2 && report.log_groups > 0, "{report:?}");
    let db = Database::open(directory, options()).unwrap();
    let (rows, loaded) = expected();
    for (name, expected) in [("rows", &rows), ("loaded", &loaded)] {
        let table = db.existing_table(name).unwrap();
        let found: Rows =
            table.iter().unwrap().map(|row| row.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect();
        assert!(found == *expected, "{name}");
        assert!(expected.iter().all(|(key, value)| table.get(key).unwrap().is_some_and(|v| v == *value)));
    }
    let snapshot = db.snapshot();
    let tags = snapshot.tags(&db.existing_table("loaded").unwrap()).unwrap();
    let count = |query| tags.count(&query).unwrap();
    assert_eq!((count(Query::Tag(b"even")), count(Query::Tag(b"third"))), (10, 7));
    assert_eq!(count(Query::And(vec![Query::Tag(b"even"), Query::Tag(b"third")])), 4);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn fixtures() -> Vec<(u32, PathBuf)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().parse().unwrap(), path)).collect()
}

#[test]
fn databases_of_all_versions_open() {
    if let Some(directory) = std::env::var_os("WRITE_FORMAT") {
        make(Path::new(&directory));
    }
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for (version, path) in fixtures {
        let directory = tempfile::tempdir().unwrap();
        copy(&path, directory.path());
        println!("version {version}");
        read(directory.path());
    }
}

#[test]
fn the_version_that_is_written_has_a_fixture() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path());
    let manifest = std::fs::read(directory.path().join("manifest")).unwrap();
    let version = u32::from_le_bytes(*manifest[8..].first_chunk().unwrap());
    assert_eq!(fixtures().iter().map(|(version, _)| *version).max(), Some(version));
    read(directory.path());
}
