//! Serialisability, by fixtures for the known anomalies and by a checker over random histories.
//!
//! The checker works on lists that are only appended to (as Elle does: Kingsbury and Alvaro 2020). A list read tells in which
//! order all appends to it became visible, so the dependencies between transactions can be read off the values: who wrote
//! before whom (ww), who read whose write (wr), who read what another later changed (rw). A cycle among them, in any
//! mixture, means that no serial order explains the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uncork_engine::storage::sim::{Random, SimDisk};
use uncork_engine::{Database, Durability, Error, Options, Table, Transaction};

fn options() -> Options {
    Options { memory_budget: 1 << 20, write_buffer_bytes: 16 << 10, ..Options::default() }
}

fn database() -> (Database, Table) {
    let options = Options { background: false, ..options() };
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let table = db.table("t").unwrap();
    (db, table)
}

fn number(transaction: &Transaction, table: &Table, key: &[u8]) -> i64 {
    let value = transaction.get(table, key).unwrap();
    value.map_or(0, |value| i64::from_le_bytes((*value).try_into().unwrap()))
}

#[test]
fn write_skew_is_refused() {
    let (db, table) = database();
    for doctor in [b"alice", b"bobby"] {
        table.put(doctor, &1_i64.to_le_bytes()).unwrap();
    }
    let on_call = |transaction: &Transaction| {
        number(transaction, &table, b"alice") + number(transaction, &table, b"bobby")
    };
    let (mut first, mut second) = (db.begin(), db.begin());
    assert_eq!((on_call(&first), on_call(&second)), (2, 2));
    first.put(&table, b"alice", &0_i64.to_le_bytes()).unwrap();
    second.put(&table, b"bobby", &0_i64.to_le_bytes()).unwrap();
    first.commit(Durability::Sync).unwrap();
    assert!(matches!(second.commit(Durability::Sync), Err(Error::Conflict)));
    assert_eq!(on_call(&db.begin()), 1);
}

#[test]
fn phantoms_are_refused() {
    let (db, table) = database();
    let mut first = db.begin();
    let mut second = db.begin();
    assert_eq!(first.prefix(&table, b"booking/").unwrap().count(), 0);
    assert_eq!(second.prefix(&table, b"booking/").unwrap().count(), 0);
    first.put(&table, b"booking/room1/9am", b"first").unwrap();
    second.put(&table, b"booking/room1/9am30", b"second").unwrap();
    first.commit(Durability::Sync).unwrap();
    assert!(matches!(second.commit(Durability::Sync), Err(Error::Conflict)));
}

#[test]
fn a_lost_update_is_refused_and_a_blind_write_is_not() {
    let (db, table) = database();
    let (mut first, mut second, mut blind) = (db.begin(), db.begin(), db.begin());
    for transaction in [&mut first, &mut second] {
        let old = number(transaction, &table, b"n");
        transaction.put(&table, b"n", &(old + 1).to_le_bytes()).unwrap();
    }
    blind.put(&table, b"n", &100_i64.to_le_bytes()).unwrap();
    first.commit(Durability::Sync).unwrap();
    assert!(matches!(second.commit(Durability::Sync), Err(Error::Conflict)));
    blind.commit(Durability::Sync).unwrap();
    assert_eq!(number(&db.begin(), &table, b"n"), 100);
}

#[test]
fn reading_an_absent_key_counts_as_reading() {
    let (db, table) = database();
    let (mut first, mut second) = (db.begin(), db.begin());
    assert!(first.get(&table, b"name").unwrap().is_none() && second.get(&table, b"name").unwrap().is_none());
    first.put(&table, b"name", b"first").unwrap();
    second.put(&table, b"name", b"second").unwrap();
    first.commit(Durability::Sync).unwrap();
    assert!(matches!(second.commit(Durability::Sync), Err(Error::Conflict)));
}

#[test]
fn a_reader_sees_one_moment_and_never_conflicts() {
    let (db, table) = database();
    table.put(b"a", b"1").unwrap();
    let reader = db.begin();
    table.put(b"a", b"2").unwrap();
    table.put(b"b", b"2").unwrap();
    assert_eq!(reader.get(&table, b"a").unwrap().unwrap(), b"1");
    assert_eq!(reader.range(&table, ..).unwrap().count(), 1);
    reader.commit(Durability::Sync).unwrap();
}

#[test]
fn a_load_past_the_log_conflicts_with_what_was_read_before() {
    let (db, table) = database();
    let mut transaction = db.begin();
    assert!(transaction.get(&table, b"k").unwrap().is_none());
    transaction.put(&table, b"seen", b"none").unwrap();
    table.ingest([(b"k", b"loaded")]).unwrap();
    assert!(matches!(transaction.commit(Durability::Sync), Err(Error::Conflict)));
}

// --- the checker ---

/// What one committed transaction did: the list it saw under each key read, and the element appended to each key written.
#[derive(Debug, Default)]
struct Observed {
    id: u64,
    reads: Vec<(u8, Vec<u64>)>,
    appends: Vec<(u8, u64)>,
}

fn list(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|element| u64::from_le_bytes(*element)).collect()
}

/// A transaction under way over the keys of a round.
struct Running {
    transaction: Transaction,
    seen: Observed,
    steps: u64,
}

fn full_key(round: u64, key: u8) -> Vec<u8> {
    [round.to_be_bytes().as_slice(), &[key]].concat()
}

impl Running {
    fn begin(db: &Database, random: &mut Random, ids: &AtomicU64) -> Self {
        let seen = Observed { id: ids.fetch_add(1, Ordering::Relaxed), ..Observed::default() };
        Self { transaction: db.begin(), seen, steps: 1 + random.below(4) }
    }

    /// A read, a range read or an append.
    fn step(&mut self, table: &Table, round: u64, random: &mut Random) {
        let Self { transaction, seen, steps } = self;
        *steps -= 1;
        let key = random.below(5) as u8;
        let appended = |key: u8| seen.appends.iter().any(|(written, _)| *written == key);
        match random.below(5) {
            0 | 1 if !appended(key) => {
                let value = transaction.get(table, &full_key(round, key)).unwrap();
                seen.reads.push((key, value.map(|value| list(&value)).unwrap_or_default()));
            }
            2 => {
                let (start, end) = (full_key(round, key), full_key(round, key + 2));
                let rows = transaction.range(table, start.as_slice()..end.as_slice()).unwrap();
                let mut rows: BTreeMap<u8, Vec<u64>> =
                    rows.map(|row| row.unwrap()).map(|(key, value)| (key[8], list(&value))).collect();
                let read: Vec<_> = (key..key + 2).filter(|key| !appended(*key)).collect();
                seen.reads.extend(read.into_iter().map(|key| (key, rows.remove(&key).unwrap_or_default())));
            }
            _ if !appended(key) => {
                let key_bytes = full_key(round, key);
                let old = transaction.get(table, &key_bytes).unwrap();
                let mut value = old.map(|value| value.to_vec()).unwrap_or_default();
                seen.reads.push((key, list(&value)));
                value.extend_from_slice(&seen.id.to_le_bytes());
                transaction.put(table, &key_bytes, &value).unwrap();
                seen.appends.push((key, seen.id));
            }
            _ => {}
        }
    }

    fn commit(self) -> Option<Observed> {
        self.transaction.commit(Durability::Buffered).ok().map(|()| self.seen)
    }
}

/// Several transactions at once, their steps in a random order: repeatable, and much contended.
fn interleaved(db: &Database, table: &Table, round: u64) -> Vec<Observed> {
    let (mut random, ids) = (Random::new(round), AtomicU64::new(1));
    let mut running: Vec<Running> = Vec::new();
    let mut history = Vec::new();
    for _ in 0..12 {
        running.push(Running::begin(db, &mut random, &ids));
        while running.len() > 3 || (!running.is_empty() && random.below(3) > 0) {
            let at = random.below(running.len() as u64) as usize;
            running[at].step(table, round, &mut random);
            if running[at].steps == 0 {
                history.extend(running.swap_remove(at).commit());
            }
        }
    }
    history.extend(running.into_iter().filter_map(Running::commit));
    history
}

/// The same on threads of their own.
fn threaded(db: &Database, table: &Table, round: u64) -> Vec<Observed> {
    let ids = AtomicU64::new(1);
    let one = |random: &mut Random| {
        let mut running = Running::begin(db, random, &ids);
        while running.steps > 0 {
            running.step(table, round, random);
            std::thread::yield_now();
        }
        running.commit()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let one = &one;
                scope.spawn(move || {
                    let mut random = Random::new(round * 31 + thread);
                    (0..4).filter_map(|_| one(&mut random)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Edges of the dependency graph, from earlier to later.
fn dependencies(history: &[Observed], last: &BTreeMap<u8, Vec<u64>>) -> BTreeMap<u64, Vec<u64>> {
    let mut edges: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut edge = |from: u64, to: u64| {
        if from != to {
            edges.entry(from).or_default().push(to);
        }
    };
    for order in last.values() {
        order.windows(2).for_each(|pair| edge(pair[0], pair[1]));
    }
    for transaction in history {
        for (key, seen) in &transaction.reads {
            let order = last.get(key).map(Vec::as_slice).unwrap_or_default();
            assert!(
                order.starts_with(seen),
                "what was read of key {key} was never a state of it: {seen:?} of {order:?}"
            );
            if let Some(writer) = seen.last() {
                edge(*writer, transaction.id);
            }
            if let Some(next) = order.get(seen.len()) {
                edge(transaction.id, *next);
            }
        }
    }
    edges
}

/// A node on a cycle, if there is one.
fn cycle(edges: &BTreeMap<u64, Vec<u64>>) -> Option<u64> {
    // Kahn: take away what nothing points to; what is left lies on, or behind, a cycle.
    let mut incoming: BTreeMap<u64, usize> = edges.keys().map(|node| (*node, 0)).collect();
    for to in edges.values().flatten() {
        *incoming.entry(*to).or_default() += 1;
    }
    let mut free: Vec<u64> =
        incoming.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
    while let Some(node) = free.pop() {
        incoming.remove(&node);
        for to in edges.get(&node).into_iter().flatten() {
            let count = incoming.get_mut(to).unwrap();
            *count -= 1;
            if *count == 0 {
                free.push(*to);
            }
        }
    }
    incoming.keys().next().copied()
}

#[test]
fn the_checker_sees_a_cycle() {
    // Write skew: each read what the other then changed.
    let read_first = |id, reads: [u8; 2], key| Observed {
        id,
        reads: reads.map(|key| (key, Vec::new())).to_vec(),
        appends: vec![(key, id)],
    };
    let history = [read_first(1, [0, 1], 0), read_first(2, [0, 1], 1)];
    let last = BTreeMap::from([(0, vec![1]), (1, vec![2])]);
    assert!(cycle(&dependencies(&history, &last)).is_some());
    let serial =
        [read_first(1, [0, 1], 0), Observed { id: 2, reads: vec![(0, vec![1])], appends: vec![(1, 2)] }];
    assert!(cycle(&dependencies(&serial, &last)).is_none());
}

fn histories() -> u64 {
    std::env::var("HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

/// Checks histories made by `play`; returns how many transactions were committed, out of twelve each.
fn check(db: &Database, rounds: u64, play: fn(&Database, &Table, u64) -> Vec<Observed>) -> usize {
    let table = db.table("lists").unwrap();
    let mut committed = 0;
    for round in 0..rounds {
        let history = play(db, &table, round);
        committed += history.len();
        let rows = table.prefix(&round.to_be_bytes()).unwrap().map(|row| row.unwrap());
        let last = rows.map(|(key, value)| (key[8], list(&value))).collect();
        let edges = dependencies(&history, &last);
        assert_eq!(cycle(&edges), None, "round {round}: {history:?} {last:?}");
    }
    println!("{rounds} histories, {committed} transactions committed of {}, no cycle", 12 * rounds);
    committed
}

#[test]
fn random_histories_have_no_cycle() {
    let disk = Arc::new(SimDisk::new(1));
    let db = Database::open_on(disk, "/db", Options { background: false, ..options() }).unwrap();
    let rounds = histories();
    let committed = check(&db, rounds, interleaved) as u64;
    assert!(
        committed > rounds * 4 && committed < rounds * 11,
        "{committed} of {}: not much contended",
        rounds * 12
    );
}

#[test]
fn threaded_histories_have_no_cycle() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), options()).unwrap();
    let rounds = histories() / 20;
    assert!(check(&db, rounds, threaded) as u64 > rounds * 4);
}

/// Money moves between accounts; every sum ever seen is right.
#[test]
fn the_bank_never_loses_money() {
    const ACCOUNTS: u64 = 20;
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), options()).unwrap();
    let table = db.table("accounts").unwrap();
    for account in 0..ACCOUNTS {
        table.put(&account.to_be_bytes(), &100_i64.to_le_bytes()).unwrap();
    }
    let total = |rows: &mut dyn Iterator<Item = Vec<u8>>| -> i64 {
        rows.map(|value| i64::from_le_bytes(value.try_into().unwrap())).sum()
    };
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (db, table) = (&db, &table);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for _ in 0..150 {
                    let (from, to) =
                        (random.below(ACCOUNTS).to_be_bytes(), random.below(ACCOUNTS).to_be_bytes());
                    let moved: Result<(), Error> = db.transact(|transaction| {
                        let have = number(transaction, table, &from);
                        let amount = (random.below(50) as i64).min(have);
                        transaction.put(table, &from, &(have - amount).to_le_bytes())?;
                        let there = number(transaction, table, &to);
                        transaction.put(table, &to, &(there + amount).to_le_bytes())
                    });
                    moved.unwrap();
                }
            });
        }
        for _ in 0..100 {
            let snapshot = db.snapshot();
            let mut rows = snapshot.range(&table, ..).unwrap().map(|row| row.unwrap().1.to_vec());
            assert_eq!(total(&mut rows), 100 * ACCOUNTS as i64);
        }
        db.compact().unwrap();
    });
    assert_eq!(total(&mut table.iter().unwrap().map(|row| row.unwrap().1.to_vec())), 100 * ACCOUNTS as i64);
}
