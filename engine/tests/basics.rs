//! The API from outside, on a real disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use uncork_engine::storage::sim::SimDisk;
use uncork_engine::{Database, Durability, Error, LogOptions, Options, Table, WriteBatch};

fn small() -> Options {
    let log = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    Options { memory_budget: 4 << 20, write_buffer_bytes: 64 << 10, log, ..Options::default() }
}

fn rows(table: &Table) -> BTreeMap<Vec<u8>, Vec<u8>> {
    table.iter().unwrap().map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
}

#[test]
fn what_is_written_is_read_also_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut model = BTreeMap::new();
    {
        let db = Database::open(directory.path(), small()).unwrap();
        let table = db.table("t").unwrap();
        for n in 0..3000_u32 {
            let (key, value) = (format!("key{:05}", n * 7919 % 3000).into_bytes(), vec![n as u8; 100]);
            let mut batch = WriteBatch::new();
            batch.put(&table, &key, &value).unwrap();
            if n % 3 == 0 {
                let gone = format!("key{:05}", n * 31 % 3000).into_bytes();
                batch.delete(&table, &gone).unwrap();
                model.insert(key, value);
                model.remove(&gone);
            } else {
                model.insert(key, value);
            }
            db.write(&batch, Durability::Buffered).unwrap();
        }
        assert_eq!(rows(&table), model);
        db.close().unwrap();
    }
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    assert_eq!(rows(&table), model);
    for n in 0..3100 {
        let key = format!("key{n:05}").into_bytes();
        assert_eq!(table.get(&key).unwrap().map(|value| value.to_vec()), model.get(&key).cloned());
    }
    let mut back: Vec<_> = table.iter().unwrap().rev().map(|row| row.unwrap().0.to_vec()).collect();
    back.reverse();
    assert!(back.iter().eq(model.keys()));
    let some = (Bound::Included(b"key00100".as_slice()), Bound::Excluded(b"key00200".as_slice()));
    let expected = model.range(b"key00100".to_vec()..b"key00200".to_vec()).count();
    assert_eq!(table.range(some).unwrap().count(), expected);
    assert_eq!(table.prefix(b"key001").unwrap().count(), expected);
    db.compact().unwrap();
    assert_eq!(rows(&table), model);
    let open = uncork_engine::check(&disk(), directory.path());
    assert!(matches!(open, Err(Error::Locked { .. })), "{open:?}");
    db.close().unwrap();
    assert!(uncork_engine::check(&disk(), directory.path()).unwrap().damage.is_empty());
}

fn disk() -> Arc<dyn uncork_engine::storage::Storage> {
    Arc::new(uncork_engine::storage::Disk::default())
}

#[test]
fn a_snapshot_does_not_move_through_flushes_and_merges() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    for n in 0..500_u32 {
        table.put(&n.to_be_bytes(), b"old").unwrap();
    }
    let snapshot = db.snapshot();
    for n in 0..500_u32 {
        if n % 2 == 0 {
            table.put(&n.to_be_bytes(), b"new").unwrap()
        } else {
            table.delete(&n.to_be_bytes()).unwrap()
        }
    }
    db.compact().unwrap();
    assert_eq!(table.iter().unwrap().count(), 250);
    assert_eq!(snapshot.range(&table, ..).unwrap().count(), 500);
    for n in 0..500_u32 {
        assert_eq!(snapshot.get(&table, &n.to_be_bytes()).unwrap().unwrap(), b"old");
    }
    drop(snapshot);
    db.compact().unwrap();
    assert_eq!(table.get(&2_u32.to_be_bytes()).unwrap().unwrap(), b"new");
    assert!(table.get(&3_u32.to_be_bytes()).unwrap().is_none());
}

#[test]
fn a_second_opening_is_told_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    match Database::open(directory.path(), small()) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(db);
    Database::open(directory.path(), small()).unwrap();
}

#[test]
fn directories_of_others_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(Database::open(directory.path(), small()), Err(Error::Foreign { .. })));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let file = directory.path().join("letter.txt");
    assert!(matches!(Database::open(&file, small()), Err(Error::Foreign { .. } | Error::Io { .. })));
    let none = directory.path().join("none");
    assert!(Database::open(&none, Options { create: false, ..small() }).is_err());
    assert!(!none.exists());
}

#[test]
fn a_newer_format_is_named_and_untouched() {
    let directory = tempfile::tempdir().unwrap();
    Database::open(directory.path(), small()).unwrap().close().unwrap();
    let manifest = directory.path().join("manifest");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[8] = 99;
    std::fs::write(&manifest, &bytes).unwrap();
    assert!(matches!(Database::open(directory.path(), small()), Err(Error::NewerFormat { found: 99, .. })));
    assert_eq!(std::fs::read(&manifest).unwrap(), bytes);
}

#[test]
fn limits_are_refused_clearly() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    table.put(&vec![7; 65_536], b"longest key").unwrap();
    assert!(matches!(table.put(&vec![7; 65_537], b""), Err(Error::KeyTooLong { .. })));
    assert_eq!(table.get(&vec![7; 65_536]).unwrap().unwrap(), b"longest key");
    table.put(b"", b"the empty key is a key").unwrap();
    assert_eq!(table.iter().unwrap().next().unwrap().unwrap().0, b"");
    let big = vec![42; 9 << 20];
    table.put(b"big", &big).unwrap();
    db.flush().unwrap();
    assert_eq!(table.get(b"big").unwrap().unwrap(), big);
    assert!(matches!(db.table(""), Err(Error::BadTableName { len: 0 })));
    let tiny = Options { memory_budget: 1000, ..Options::default() };
    assert!(matches!(Database::open(directory.path().join("x"), tiny), Err(Error::BadOption { .. })));
}

#[test]
fn sorted_loads_replace_and_are_seen_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    table.put(&5_u32.to_be_bytes(), b"before").unwrap();
    let before = db.snapshot();
    let loaded = table.ingest((0..5000_u32).map(|n| (n.to_be_bytes(), b"loaded"))).unwrap();
    assert_eq!((loaded, table.iter().unwrap().count()), (5000, 5000));
    assert_eq!(table.get(&5_u32.to_be_bytes()).unwrap().unwrap(), b"loaded");
    assert_eq!(before.get(&table, &5_u32.to_be_bytes()).unwrap().unwrap(), b"before");
    assert_eq!(before.range(&table, ..).unwrap().count(), 1);
    table.put(&5_u32.to_be_bytes(), b"after").unwrap();
    let unsorted = table.ingest([(b"b", b""), (b"a", b"")]);
    assert!(matches!(unsorted, Err(Error::Unsorted { row: 1 })));
    drop(before);
    db.compact().unwrap();
    assert_eq!(table.get(&5_u32.to_be_bytes()).unwrap().unwrap(), b"after");
    db.close().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    assert_eq!(table.iter().unwrap().count(), 5000);
    table.delete_range(&1000_u32.to_be_bytes(), Some(&4000_u32.to_be_bytes())).unwrap();
    assert_eq!(table.iter().unwrap().count(), 2000);
    table.delete_range(b"", None).unwrap();
    assert_eq!(table.iter().unwrap().count(), 0);
}

#[test]
fn a_backup_taken_while_writing_is_a_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path().join("db"), small()).unwrap();
    let (left, right) = (db.table("left").unwrap(), db.table("right").unwrap());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let mut batch = WriteBatch::new();
                batch.put(&left, &n.to_be_bytes(), &[1; 300]).unwrap();
                batch.put(&right, &n.to_be_bytes(), &[2; 30]).unwrap();
                db.write(&batch, Durability::Buffered).unwrap();
                n += 1;
            }
        });
        let mut least = 0;
        for round in 0..5 {
            std::thread::sleep(std::time::Duration::from_millis(30));
            let known = left.iter().unwrap().count();
            let to = directory.path().join(format!("backup{round}"));
            db.backup(&to).unwrap();
            assert!(uncork_engine::check(&disk(), &to).unwrap().damage.is_empty());
            let copy = Database::open(&to, small()).unwrap();
            let (a, b) = (rows(&copy.table("left").unwrap()), rows(&copy.table("right").unwrap()));
            assert!(a.keys().eq(b.keys()), "commits are whole");
            assert!(a.len() >= known && known >= least, "and none that was acknowledged is missing");
            assert!(
                a.keys().enumerate().all(|(n, key)| *key == (n as u32).to_be_bytes()),
                "nor one in the middle"
            );
            least = known;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(db.backup(directory.path().join("backup0")).is_err(), "not over another");
}

#[test]
fn tables_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let (a, b) = (db.table("a").unwrap(), db.table("b").unwrap());
    a.put(b"k", b"in a").unwrap();
    b.put(b"k", b"in b").unwrap();
    assert!(db.drop_table("a").unwrap() && !db.drop_table("a").unwrap());
    assert!(matches!(a.get(b"k"), Err(Error::NoTable { .. })));
    assert_eq!(db.tables(), ["b"]);
    assert!(db.table("a").unwrap().get(b"k").unwrap().is_none());
    db.close().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    assert_eq!(db.table("b").unwrap().get(b"k").unwrap().unwrap(), b"in b");
    assert!(db.table("a").unwrap().get(b"k").unwrap().is_none());
    let table = db.table("b").unwrap();
    db.close().unwrap();
    assert!(matches!(table.put(b"k", b"late"), Err(Error::Closed)));
    assert_eq!(table.get(b"k").unwrap().unwrap(), b"in b");
}

#[test]
fn the_log_is_trimmed_and_an_idle_table_does_not_pin_it() {
    let disk = SimDisk::new(1);
    let options = Options { background: false, ..small() };
    let db = Database::open_on(Arc::new(disk), "/db", options).unwrap();
    let (busy, idle) = (db.table("busy").unwrap(), db.table("idle").unwrap());
    idle.put(b"one", b"row").unwrap();
    db.flush().unwrap();
    for n in 0..20_000_u32 {
        let mut batch = WriteBatch::new();
        batch.put(&busy, &(n % 500).to_be_bytes(), &[3; 100]).unwrap();
        db.write(&batch, Durability::Buffered).unwrap();
    }
    let metrics = db.metrics();
    assert!(metrics.log_bytes > 2 << 20, "{metrics:?}");
    assert!(metrics.log_file_bytes < 1 << 20, "{metrics:?}");
    assert!(metrics.run_bytes < 1 << 20, "{metrics:?}");
    assert!(metrics.memory.total() <= metrics.memory.budget, "{metrics:?}");
}

#[test]
fn transactions_conflict_retry_and_see_their_own_writes() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), small()).unwrap();
    let table = db.table("t").unwrap();
    table.put(b"a", b"1").unwrap();
    table.put(b"b", b"2").unwrap();
    let mut transaction = db.begin();
    transaction.put(&table, b"c", b"3").unwrap();
    transaction.delete(&table, b"a").unwrap();
    let seen =
        |rows: uncork_engine::TransactionRows| rows.map(|row| row.unwrap().0.to_vec()).collect::<Vec<_>>();
    assert_eq!(seen(transaction.range(&table, ..).unwrap()), [b"b", b"c"]);
    assert!(transaction.get(&table, b"a").unwrap().is_none());
    table.put(b"d", b"a phantom").unwrap();
    assert!(matches!(transaction.commit(Durability::Sync), Err(Error::Conflict)));
    assert_eq!(rows(&table).len(), 3);
    let counter = db.table("counter").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let added: Result<(), Error> = db.transact(|transaction| {
                        let old = transaction.get(&counter, b"n")?.map_or(0, |value| value[0]);
                        transaction.put(&counter, b"n", &[old + 1])
                    });
                    added.unwrap();
                }
            });
        }
    });
    assert_eq!(&*counter.get(b"n").unwrap().unwrap(), [100]);
}

/// A merge that began before runs were dropped must not bring their rows back when it ends.
#[test]
fn a_range_deleted_during_a_merge_stays_deleted() {
    for round in 0..4_u64 {
        let disk = SimDisk::new(round);
        let mut options = small();
        // A merge of these rows takes a second or so.
        options.compaction_rate = 1 << 20;
        options.compaction.young_trigger = 2;
        options.compaction.base_run_bytes = 64 << 10;
        let db = Database::open_on(Arc::new(disk), "/db", options).unwrap();
        let table = db.table("t").unwrap();
        let mut random = uncork_engine::storage::sim::Random::new(round);
        let mut value = || (0..12).flat_map(|_| random.next_u64().to_be_bytes()).collect::<Vec<u8>>();
        for third in 0..3 {
            table.ingest((0..4000_u32).map(|n| ((n * 3 + third).to_be_bytes(), value()))).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(60 * round));
        table.delete_range(b"", None).unwrap();
        assert_eq!(table.iter().unwrap().count(), 0, "round {round}");
        db.compact().unwrap();
        assert_eq!(table.iter().unwrap().count(), 0, "round {round}");
        assert_eq!(db.metrics().run_bytes, 0, "round {round}");
    }
}
