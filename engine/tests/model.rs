//! Random sequences of calls against a `BTreeMap`, snapshots and restarts included.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use uncork_engine::storage::sim::SimDisk;
use uncork_engine::tags::Query;
use uncork_engine::{Database, Durability, LogOptions, Options, ReadMode, Snapshot, Table, WriteBatch};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the database should hold: rows, their tags, and the tags ever used in the order of their first use.
#[derive(Debug, Clone, Default)]
struct Model {
    rows: Rows,
    tags: BTreeMap<Vec<u8>, BTreeSet<u8>>,
    strings: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Call {
    Write(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Transact(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Ingest(Rows),
    DeleteRange(Vec<u8>, Vec<u8>),
    /// Sets the tags of a row; none takes it out.
    Tag(Vec<u8>, BTreeSet<u8>),
    Snapshot,
    Release,
    Flush,
    Compact,
    Reopen,
    Crash,
    Read(Vec<u8>, Vec<u8>),
}

/// Tags by their numbers.
const NAMES: [&[u8]; 4] = [b"zero", b"one", b"", b"a tag of some length, three"];

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(0..4_u8, 0..4),
        2 => vec(0..3_u8, 0..3).prop_map(|rest| [b"a/long/shared/prefix/".as_slice(), &rest].concat()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => vec(any::<u8>(), 0..60), 1 => (any::<u8>(), 500..3000_usize).prop_map(|(byte, length)| vec![byte; length])]
}

fn call() -> impl Strategy<Value = Call> {
    let writes = || vec((key(), proptest::option::weighted(0.7, value())), 1..12);
    prop_oneof![
        12 => writes().prop_map(Call::Write),
        4 => writes().prop_map(Call::Transact),
        1 => proptest::collection::btree_map(key(), value(), 0..20).prop_map(Call::Ingest),
        1 => (key(), key()).prop_map(|(a, b)| Call::DeleteRange(a, b)),
        3 => (key(), proptest::collection::btree_set(0..4_u8, 0..3)).prop_map(|(key, tags)| Call::Tag(key, tags)),
        2 => Just(Call::Snapshot),
        1 => Just(Call::Release),
        2 => Just(Call::Flush),
        1 => Just(Call::Compact),
        1 => Just(Call::Reopen),
        1 => Just(Call::Crash),
        6 => (key(), key()).prop_map(|(a, b)| Call::Read(a, b)),
    ]
}

fn options(read_mode: ReadMode) -> Options {
    let log = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let mut options = Options {
        memory_budget: 1 << 20,
        write_buffer_bytes: 4 << 10,
        background: false,
        log,
        read_mode,
        ..Options::default()
    };
    options.compaction.young_trigger = 2;
    options.compaction.threads = 1;
    options.compaction.run.block_size = 512;
    options.compaction.base_run_bytes = 4 << 10;
    options
}

fn apply(model: &mut Rows, writes: &[(Vec<u8>, Option<Vec<u8>>)]) {
    for (key, value) in writes {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

fn check_tags(snapshot: &Snapshot, table: &Table, model: &Model) -> Result<(), TestCaseError> {
    let tags = snapshot.tags(table).unwrap();
    let tag = |n: u8| Query::Tag(NAMES[usize::from(n)]);
    let not = |query| Query::Not(Box::new(query));
    type Holds = fn(&BTreeSet<u8>) -> bool;
    let queries: [(Query<'_>, Holds); 4] = [
        (Query::And(vec![tag(1), not(tag(2))]), |tags| tags.contains(&1) && !tags.contains(&2)),
        (Query::Or(vec![tag(0), tag(3)]), |tags| tags.contains(&0) || tags.contains(&3)),
        (not(tag(0)), |tags| !tags.contains(&0)),
        (Query::And(Vec::new()), |_| true),
    ];
    for (query, holds) in &queries {
        let mut found: Vec<_> = tags.find(query).unwrap().map(|key| key.unwrap().to_vec()).collect();
        found.sort();
        let expected = model.tags.iter().filter(|(_, tags)| holds(tags)).map(|(key, _)| key.clone());
        prop_assert!(found.into_iter().eq(expected), "{:?}", query);
    }
    let dictionary = snapshot.dictionary(table).unwrap();
    prop_assert_eq!(dictionary.len().unwrap() as usize, model.strings.len());
    for (id, string) in (0..).zip(&model.strings) {
        let string = NAMES[usize::from(*string)];
        prop_assert_eq!(dictionary.id(string).unwrap(), Some(id));
        prop_assert!(dictionary.string(id).unwrap().is_some_and(|found| &*found == string));
    }
    Ok(())
}

fn check(
    db: &Database,
    snapshots: &[(Snapshot, Model)],
    model: &Model,
    a: &[u8],
    b: &[u8],
) -> Result<(), TestCaseError> {
    let table = db.existing_table("t").unwrap();
    let range = (Bound::Included(a), Bound::Excluded(b));
    let expected: Vec<_> =
        model.rows.iter().filter(|(key, _)| key.as_slice() >= a && key.as_slice() < b).collect();
    let pair = |row: uncork_engine::Result<(uncork_engine::Value, uncork_engine::Value)>| {
        row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()
    };
    let found: Vec<_> = table.range(range).unwrap().map(pair).collect();
    prop_assert_eq!(&found.iter().map(|(key, value)| (key, value)).collect::<Vec<_>>(), &expected);
    let mut back: Vec<_> = table.range(range).unwrap().rev().map(pair).collect();
    back.reverse();
    prop_assert_eq!(back, found.clone());
    // From both ends in turn.
    let (mut rows, mut front, mut back) = (table.range(range).unwrap(), Vec::new(), Vec::new());
    while let Some(row) = rows.next() {
        front.push(pair(row));
        back.extend(rows.next_back().map(pair));
    }
    front.extend(back.into_iter().rev());
    prop_assert_eq!(front, found);
    for (snapshot, then) in snapshots {
        for key in [a, b] {
            prop_assert_eq!(
                snapshot.get(&table, key).unwrap().map(|value| value.to_vec()),
                then.rows.get(key).cloned()
            );
        }
        let seen: Rows = snapshot.range(&table, ..).unwrap().map(pair).collect();
        prop_assert_eq!(&seen, &then.rows);
        check_tags(snapshot, &table, then)?;
    }
    check_tags(&db.snapshot(), &table, model)
}

fn play(calls: Vec<Call>, read_mode: ReadMode) -> Result<(), TestCaseError> {
    let disk = SimDisk::new(3);
    let open = || Database::open_on(Arc::new(disk.clone()), "/db", options(read_mode)).unwrap();
    let mut db = open();
    let mut table = db.table("t").unwrap();
    let mut model = Model::default();
    let mut snapshots = Vec::new();
    for call in calls {
        match call {
            Call::Write(writes) => {
                let mut batch = WriteBatch::new();
                for (key, value) in &writes {
                    match value {
                        Some(value) => batch.put(&table, key, value).unwrap(),
                        None => batch.delete(&table, key).unwrap(),
                    }
                }
                db.write(&batch, Durability::Sync).unwrap();
                apply(&mut model.rows, &writes);
            }
            Call::Transact(writes) => {
                let mut transaction = db.begin();
                for (n, (key, value)) in writes.iter().enumerate() {
                    match value {
                        Some(value) => transaction.put(&table, key, value).unwrap(),
                        None => transaction.delete(&table, key).unwrap(),
                    }
                    let mut expected = model.rows.clone();
                    apply(&mut expected, &writes[..=n]);
                    let seen = transaction.get(&table, key).unwrap().map(|value| value.to_vec());
                    prop_assert_eq!(&seen, value);
                    let seen = transaction.range(&table, ..).unwrap().map(|row| row.unwrap().0.to_vec());
                    prop_assert!(seen.eq(expected.keys().cloned()));
                    let seen =
                        transaction.range(&table, ..).unwrap().rev().map(|row| row.unwrap().1.to_vec());
                    prop_assert!(seen.eq(expected.values().rev().cloned()));
                }
                transaction.commit(Durability::Sync).unwrap();
                apply(&mut model.rows, &writes);
            }
            Call::Ingest(rows) => {
                prop_assert_eq!(table.ingest(&rows).unwrap(), rows.len() as u64);
                model.rows.extend(rows);
            }
            Call::DeleteRange(a, b) => {
                table.delete_range(&a, Some(&b)).unwrap();
                model.rows.retain(|key, _| *key < a || *key >= b);
            }
            Call::Tag(key, tags) => {
                let names: Vec<&[u8]> = tags.iter().map(|tag| NAMES[usize::from(*tag)]).collect();
                let mut transaction = db.begin();
                transaction.tags(&table).unwrap().set(&key, &names).unwrap();
                transaction.commit(Durability::Sync).unwrap();
                for tag in &tags {
                    if !model.strings.contains(tag) {
                        model.strings.push(*tag);
                    }
                }
                match tags.is_empty() {
                    true => model.tags.remove(&key),
                    false => model.tags.insert(key, tags),
                };
            }
            Call::Snapshot => snapshots.push((db.snapshot(), model.clone())),
            Call::Release => drop(snapshots.pop()),
            Call::Flush => db.flush().unwrap(),
            Call::Compact => db.compact().unwrap(),
            Call::Reopen | Call::Crash => {
                snapshots.clear();
                drop(table);
                if matches!(call, Call::Crash) {
                    disk.restart();
                    drop(db);
                } else {
                    db.close().unwrap();
                }
                db = open();
                table = db.table("t").unwrap();
            }
            Call::Read(a, b) => check(&db, &snapshots, &model, &a, &b)?,
        }
    }
    for (key, value) in &model.rows {
        prop_assert!(table.get(key).unwrap().is_some_and(|found| *found == **value));
    }
    check(&db, &snapshots, &model, &[], &[0xFF])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mapped_reads_match_the_model(calls in vec(call(), 1..80)) {
        play(calls, ReadMode::Map)?;
    }

    #[test]
    fn explicit_reads_match_the_model(calls in vec(call(), 1..80)) {
        play(calls, ReadMode::Read)?;
    }
}
