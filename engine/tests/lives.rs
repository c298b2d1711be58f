//! Opening and closing: what it costs, and that nothing is left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uncork_engine::storage::sim::SimDisk;
use uncork_engine::storage::{Disk, Storage};
use uncork_engine::{Database, Durability, Options};

/// All files below a directory and their content, but not who had it open.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("LOCK") {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_life_that_only_reads_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), Options::default()).unwrap();
    let table = db.table("t").unwrap();
    for n in 0..100_u32 {
        table.put(&n.to_be_bytes(), &[7; 500]).unwrap();
        if n == 50 {
            db.compact().unwrap();
        }
    }
    drop(table);
    db.close().unwrap();
    let before = files(directory.path());
    for _ in 0..3 {
        let db = Database::open(directory.path(), Options::default()).unwrap();
        let table = db.existing_table("t").unwrap();
        assert_eq!(table.iter().unwrap().count(), 100);
        assert_eq!(table.get(&70_u32.to_be_bytes()).unwrap().unwrap().len(), 500);
        drop(table);
        db.close().unwrap();
        assert!(files(directory.path()) == before);
    }
}

#[test]
fn many_short_lives_leave_few_files_and_all_rows() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { background: false, ..Options::brief() };
    for life in 0..60_u32 {
        let storage = Arc::new(Disk::without_sync());
        let db = Database::open_on(storage, directory.path(), options()).unwrap();
        let table = db.table("t").unwrap();
        assert_eq!(table.iter().unwrap().count(), life as usize);
        table.put(&life.to_be_bytes(), &life.to_le_bytes().repeat(50)).unwrap();
        let metrics = db.metrics();
        assert!(metrics.log_file_bytes < 2 << 20 && metrics.runs < 8, "{metrics:?}");
        db.close().unwrap();
        assert!(files(&directory.path().join("log")).len() <= 8, "life {life}");
    }
    let storage: Arc<dyn Storage> = Arc::new(Disk::default());
    assert!(uncork_engine::check(&storage, directory.path()).unwrap().damage.is_empty());
}

/// Tables and what they share hold each other; what a database holds is seen by who holds its disk.
#[test]
fn nothing_of_a_database_is_left_when_its_last_handle_goes() {
    for background in [false, true] {
        let storage: Arc<dyn Storage> = Arc::new(SimDisk::new(3));
        let options = Options { background, ..Options::brief() };
        let db = Database::open_on(Arc::clone(&storage), "/db", options).unwrap();
        let (table, other) = (db.table("t").unwrap(), db.table("u").unwrap());
        table.put(b"in a run", &[1; 100]).unwrap();
        db.compact().unwrap();
        table.put(b"in a memtable", &[2; 100]).unwrap();
        db.drop_table("u").unwrap();
        let (snapshot, value) = (db.snapshot(), table.get(b"in a run").unwrap());
        let mut transaction = db.begin();
        transaction.put(&table, b"k", b"never committed").unwrap();
        let rows = table.iter().unwrap();
        db.close().unwrap();
        assert_eq!(snapshot.get(&table, b"in a run").unwrap(), value);
        drop((other, transaction, snapshot));
        assert_eq!(table.get(b"in a memtable").unwrap().unwrap(), [2; 100]);
        drop(table);
        assert_eq!(rows.count(), 2, "rows outlive their table");
        assert_eq!(value.unwrap(), [1; 100]);
        assert_eq!(Arc::strong_count(&storage), 1, "background {background}");
    }
}

#[test]
fn without_sync_a_closed_database_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Disk::without_sync());
    let db = Database::open_on(Arc::clone(&storage), directory.path(), Options::brief()).unwrap();
    let table = db.table("t").unwrap();
    let mut batch = uncork_engine::WriteBatch::new();
    for n in 0..2000_u32 {
        batch.put(&table, &n.to_be_bytes(), &[n as u8; 300]).unwrap();
        if batch.len() == 100 {
            db.write(&batch, Durability::Sync).unwrap();
            batch.clear();
        }
    }
    drop(table);
    db.close().unwrap();
    let report = uncork_engine::check(&storage, directory.path()).unwrap();
    assert!(report.damage.is_empty(), "{report:?}");
    let db = Database::open(directory.path(), Options::default()).unwrap();
    assert_eq!(db.table("t").unwrap().iter().unwrap().count(), 2000);
}
