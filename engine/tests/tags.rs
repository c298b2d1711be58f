//! Tags and dictionaries through the database.

use std::path::Path;
use std::sync::Arc;

use uncork_engine::storage::sim::SimDisk;
use uncork_engine::storage::{Disk, Storage};
use uncork_engine::tags::Query;
use uncork_engine::{Database, Durability, Error, Options, Table};

fn found(db: &Database, table: &Table, query: &Query<'_>) -> Vec<Vec<u8>> {
    let snapshot = db.snapshot();
    let tags = snapshot.tags(table).unwrap();
    let mut keys: Vec<_> = tags.find(query).unwrap().map(|key| key.unwrap().to_vec()).collect();
    keys.sort();
    keys
}

fn tag(db: &Database, table: &Table, key: &[u8], tags: &[&[u8]]) {
    db.transact(|transaction| {
        transaction.put(table, key, b"")?;
        transaction.tags(table)?.set(key, tags)
    })
    .unwrap();
}

fn options() -> Options {
    Options { memory_budget: 4 << 20, durability: Durability::Buffered, ..Options::default() }
}

#[test]
fn they_are_copied_dumped_loaded_and_dropped_with_their_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let db = Database::open(path("db"), options()).unwrap();
    let (fruit, other) = (db.table("fruit").unwrap(), db.table("other").unwrap());
    for n in 0..1000_u32 {
        let tags: [&[u8]; 2] =
            [if n % 3 == 0 { b"red" } else { b"green" }, if n % 5 == 0 { b"ripe" } else { b"green" }];
        tag(&db, &fruit, &n.to_be_bytes(), &tags);
    }
    tag(&db, &other, b"x", &[b"red"]);
    assert_eq!(db.tables(), ["fruit", "other"], "what describes a table is not in the list");
    let query = Query::And(vec![Query::Tag(b"red"), Query::Not(Box::new(Query::Tag(b"ripe")))]);
    let expected = (0..1000_u32).filter(|n| n % 3 == 0 && n % 5 != 0).map(|n| n.to_be_bytes().to_vec());
    let expected: Vec<_> = expected.collect();
    assert_eq!(found(&db, &fruit, &query), expected);
    assert_eq!(found(&db, &other, &query), [b"x"]);
    db.backup(path("backup")).unwrap();
    db.close().unwrap();

    let disk: Arc<dyn Storage> = Arc::new(Disk::default());
    let copy = Database::open(path("copy"), options()).unwrap();
    let missing = uncork_engine::dump(&disk, &path("db"), &mut |table, key, value| {
        copy.dumped_table(table)?.put(key, value)
    });
    assert!(missing.unwrap().is_empty());
    copy.close().unwrap();
    for name in ["db", "backup", "copy"] {
        let report = uncork_engine::check(&disk, &path(name)).unwrap();
        assert!(report.damage.is_empty(), "{name}: {:?}", report.damage);
        assert_eq!((report.tables, report.indexes), (2, 2), "{name}");
        let db = Database::open(path(name), options()).unwrap();
        assert_eq!(found(&db, &db.table("fruit").unwrap(), &query), expected, "{name}");
    }

    let db = Database::open(path("db"), options()).unwrap();
    let fruit = db.table("fruit").unwrap();
    assert!(db.drop_table("fruit").unwrap());
    assert!(matches!(db.snapshot().tags(&fruit), Err(Error::NoTable { .. })));
    assert!(matches!(db.begin().tags(&fruit), Err(Error::NoTable { .. })));
    let fruit = db.table("fruit").unwrap();
    assert_eq!(found(&db, &fruit, &Query::And(Vec::new())), Vec::<Vec<u8>>::new());
    db.close().unwrap();
    assert_eq!(uncork_engine::check(&disk, &path("db")).unwrap().indexes, 1);
}

#[test]
fn a_snapshot_sees_the_tags_of_its_moment_and_a_lost_transaction_leaves_none() {
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    let before = db.snapshot();
    tag(&db, &table, b"a", &[b"x"]);
    let between = db.snapshot();
    tag(&db, &table, b"a", &[b"y"]);
    let mut dropped = db.begin();
    dropped.tags(&table).unwrap().set(b"b", &[b"x", b"z"]).unwrap();
    drop(dropped);
    let count = |snapshot: &uncork_engine::Snapshot, tag: &[u8]| {
        snapshot.tags(&table).unwrap().count(&Query::Tag(tag)).unwrap()
    };
    assert_eq!((count(&before, b"x"), count(&before, b"y")), (0, 0));
    assert_eq!((count(&between, b"x"), count(&between, b"y")), (1, 0));
    let now = db.snapshot();
    assert_eq!((count(&now, b"x"), count(&now, b"y"), count(&now, b"z")), (0, 1, 0));
    assert_eq!(now.dictionary(&table).unwrap().id(b"z").unwrap(), None);
    assert!(before.dictionary(&table).unwrap().is_empty().unwrap());
}

#[test]
fn concurrent_transactions_never_give_out_a_number_twice() {
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (db, table) = (&db, &table);
            scope.spawn(move || {
                for n in 0..40_u32 {
                    let string = format!("string {}", n * 7 % 50 + thread % 2);
                    let id =
                        db.transact(|transaction| transaction.dictionary(table)?.intern(string.as_bytes()));
                    let snapshot = db.snapshot();
                    let known = snapshot.dictionary(table).unwrap().string(id.unwrap()).unwrap();
                    assert_eq!(known.as_deref(), Some(string.as_bytes()));
                }
            });
        }
    });
    let snapshot = db.snapshot();
    let dictionary = snapshot.dictionary(&table).unwrap();
    for id in 0..dictionary.len().unwrap() {
        let string = dictionary.string(id).unwrap().unwrap();
        assert_eq!(dictionary.id(&string).unwrap(), Some(id));
    }
}

#[test]
fn names_with_a_leading_zero_are_kept_for_the_engine() {
    let disk = SimDisk::new(1);
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    tag(&db, &table, b"a", &[b"x"]);
    for name in ["\0index\0t", "\0", "\0index\0new"] {
        assert!(matches!(db.table(name), Err(Error::BadTableName { .. })), "{name:?}");
        assert!(db.existing_table(name).is_none());
        assert!(!db.drop_table(name).unwrap());
    }
    assert!(matches!(db.dumped_table("\0index\0\0index\0t"), Err(Error::BadTableName { .. })));
    assert_eq!(found(&db, &table, &Query::Tag(b"x")), [b"a"]);
    // Rows that contradict each other are found by a check, and named.
    let rows = db.dumped_table("\0index\0t").unwrap();
    rows.write(
        &{
            let mut batch = uncork_engine::WriteBatch::new();
            batch.delete(&rows, b"sx").unwrap();
            batch
        },
        Durability::Sync,
    )
    .unwrap();
    db.close().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk);
    let damage = uncork_engine::check(&storage, Path::new("/db")).unwrap().damage;
    assert!(matches!(&*damage, [Error::BadIndex { table, .. }] if **table == *"t"), "{damage:?}");
}
