//! A fixed workload on the simulated disk, stopped or failed at every single I/O operation, and compared with a model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use uncork_engine::storage::Storage;
use uncork_engine::storage::sim::{Faults, Random, SimDisk};
use uncork_engine::tags::Query;
use uncork_engine::{Database, Durability, Error, LogOptions, Options, Table, WriteBatch};

/// All tables with all their rows; the tags of a table's rows as if they were a table.
type Model = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Table, key and value.
type Written = (&'static str, Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Clone)]
enum Step {
    /// One commit over several tables; no value is a deletion.
    Write(Vec<Written>, Durability),
    /// Moves value from a key to another, as a transaction.
    Move(Vec<u8>, Vec<u8>),
    /// Sets a row of a table and its tags, as a transaction.
    Tag(&'static str, Vec<u8>, Vec<&'static str>),
    /// Removes a row and its tags.
    Untag(Vec<u8>),
    Create(&'static str),
    Drop(&'static str),
    Ingest(Vec<(Vec<u8>, Vec<u8>)>),
    Flush,
    Compact,
    Reopen,
}

fn options() -> Options {
    let log = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let mut options = Options {
        memory_budget: 1 << 20,
        write_buffer_bytes: 6 << 10,
        background: false,
        log,
        ..Options::default()
    };
    options.compaction.young_trigger = 3;
    options.compaction.threads = 1;
    options.compaction.run.block_size = 1024;
    options.compaction.base_run_bytes = 8 << 10;
    options
}

fn key(n: u64) -> Vec<u8> {
    format!("key{n:03}").into_bytes()
}

fn workload() -> Vec<Step> {
    let mut random = Random::new(7);
    let mut steps = vec![Step::Create("a"), Step::Create("b")];
    for round in 0..110_u64 {
        let step = match random.below(20) {
            0 => Step::Flush,
            1 if round > 30 => Step::Compact,
            2 => Step::Reopen,
            3 => Step::Ingest((0..40).map(|n| (key(n * 3), vec![round as u8; 30])).collect()),
            4 | 5 => Step::Move(key(random.below(120)), key(random.below(120))),
            6 if round % 3 == 0 => Step::Untag(key(random.below(12))),
            6 | 7 => {
                let tags = ["red", "green", "blue", "heavy"].into_iter();
                Step::Tag("a", key(random.below(12)), tags.filter(|_| random.below(2) == 0).collect())
            }
            kind => {
                let writes = (0..1 + random.below(8))
                    .map(|_| {
                        let table = if random.below(3) == 0 { "b" } else { "a" };
                        let length = if random.below(10) == 0 { 900 } else { random.below(200) };
                        let value = (random.below(4) > 0).then(|| vec![round as u8; length as usize]);
                        (table, key(random.below(120)), value)
                    })
                    .collect();
                Step::Write(writes, if kind < 10 { Durability::Buffered } else { Durability::Sync })
            }
        };
        steps.push(step);
        if round == 45 {
            // Longer than a file of the log, and soon gone.
            for length in [70 << 10, 7] {
                steps.push(Step::Write(vec![("a", key(7), Some(vec![45; length]))], Durability::Sync));
            }
        }
        if round == 60 {
            steps.push(Step::Create("c"));
            let row = ("c", key(1), Some(b"in c".to_vec()));
            steps.push(Step::Write(vec![row], Durability::Sync));
            steps.push(Step::Tag("c", key(2), vec!["red"]));
        }
        if round == 80 {
            steps.push(Step::Drop("c"));
        }
    }
    steps
}

fn tags_of(table: &str) -> String {
    format!("tags of {table}")
}

fn apply(model: &mut Model, step: &Step) {
    match step {
        Step::Write(writes, _) => {
            for (table, key, value) in writes {
                let Some(table) = model.get_mut(*table) else { continue };
                match value {
                    Some(value) => table.insert(key.clone(), value.clone()),
                    None => table.remove(key),
                };
            }
        }
        Step::Move(from, to) => {
            let table = model.get_mut("a").unwrap();
            let value = table.remove(from).unwrap_or_default();
            table.insert(to.clone(), value);
        }
        Step::Tag(name, key, tags) => {
            model.get_mut(*name).unwrap().insert(key.clone(), tags.join(" ").into_bytes());
            let tagged = model.entry(tags_of(name)).or_default();
            match tags.is_empty() {
                true => tagged.remove(key),
                false => tagged.insert(key.clone(), tags.join(" ").into_bytes()),
            };
            model.retain(|name, rows| !rows.is_empty() || !name.starts_with("tags of"));
        }
        Step::Untag(key) => {
            model.get_mut("a").unwrap().remove(key);
            model.entry(tags_of("a")).or_default().remove(key);
            model.retain(|name, rows| !rows.is_empty() || !name.starts_with("tags of"));
        }
        Step::Create(name) => {
            model.entry((*name).to_owned()).or_default();
        }
        Step::Drop(name) => {
            model.remove(*name);
            model.remove(&tags_of(name));
        }
        Step::Ingest(rows) => model.get_mut("a").unwrap().extend(rows.iter().cloned()),
        Step::Flush | Step::Compact | Step::Reopen => {}
    }
}

/// Whether an acknowledged step makes itself and everything before it durable.
fn is_durable(step: &Step) -> bool {
    !matches!(step, Step::Write(_, Durability::Buffered) | Step::Flush | Step::Compact)
}

fn table(db: &Database, name: &str) -> Table {
    db.existing_table(name).unwrap_or_else(|| panic!("no table {name}"))
}

fn run(disk: &SimDisk, db: &mut Option<Database>, step: &Step) -> Result<(), Error> {
    if db.is_none() || matches!(step, Step::Reopen) {
        if let Some(db) = db.take() {
            db.close()?;
        }
        *db = Some(Database::open_on(Arc::new(disk.clone()), "/db", options())?);
    }
    let Some(db) = db else { return Ok(()) };
    match step {
        Step::Write(writes, durability) => {
            let mut batch = WriteBatch::new();
            for (name, key, value) in writes {
                match value {
                    Some(value) => batch.put(&table(db, name), key, value)?,
                    None => batch.delete(&table(db, name), key)?,
                }
            }
            db.write(&batch, *durability)
        }
        Step::Move(from, to) => {
            let table = table(db, "a");
            let mut transaction = db.begin();
            let value = transaction.get(&table, from)?.map(|value| value.to_vec()).unwrap_or_default();
            transaction.delete(&table, from)?;
            transaction.put(&table, to, &value)?;
            transaction.commit(Durability::Sync)
        }
        Step::Tag(name, key, tags) => {
            let table = table(db, name);
            let mut transaction = db.begin();
            transaction.put(&table, key, tags.join(" ").as_bytes())?;
            let names: Vec<&[u8]> = tags.iter().map(|tag| tag.as_bytes()).collect();
            transaction.tags(&table)?.set(key, &names)?;
            transaction.commit(Durability::Sync)
        }
        Step::Untag(key) => {
            let table = table(db, "a");
            let mut transaction = db.begin();
            transaction.delete(&table, key)?;
            transaction.tags(&table)?.remove(key)?;
            transaction.commit(Durability::Sync)
        }
        Step::Create(name) => db.table(name).map(drop),
        Step::Drop(name) => db.drop_table(name).map(drop),
        Step::Ingest(rows) => {
            let rows = rows.iter().map(|(key, value)| (key, value));
            table(db, "a").ingest(rows).map(drop)
        }
        Step::Flush => db.flush(),
        Step::Compact => db.compact(),
        Step::Reopen => Ok(()),
    }
}

fn contents(db: &Database) -> Result<Model, Error> {
    let mut model = Model::new();
    for name in db.tables() {
        let mut rows = BTreeMap::new();
        let table = table(db, &name);
        for row in table.iter()? {
            let (key, value) = row?;
            assert_eq!(table.get(&key)?.as_deref(), Some(&*value), "get and scan agree");
            rows.insert(key.to_vec(), value.to_vec());
        }
        let tagged = tagged(db, &table)?;
        if !tagged.is_empty() {
            model.insert(tags_of(&name), tagged);
        }
        model.insert(name, rows);
    }
    Ok(model)
}

/// The tags of all tagged rows, in the order in which the workload names them.
fn tagged(db: &Database, table: &Table) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
    let snapshot = db.snapshot();
    let tags = snapshot.tags(table)?;
    let mut tagged = BTreeMap::new();
    for name in ["red", "green", "blue", "heavy"] {
        for key in tags.find(&Query::Tag(name.as_bytes()))? {
            let names: &mut Vec<u8> = tagged.entry(key?.to_vec()).or_default();
            if !names.is_empty() {
                names.push(b' ');
            }
            names.extend_from_slice(name.as_bytes());
        }
    }
    let all = tags.find(&Query::And(Vec::new()))?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(all.len(), tagged.len(), "all tagged rows have a tag");
    for (key, names) in &tagged {
        assert_eq!(tags.tags_of(key)?.len(), names.split(|byte| *byte == b' ').count());
    }
    Ok(tagged)
}

/// How far a run came before something failed.
struct Outcome {
    /// The model after each number of steps.
    history: Vec<Model>,
    /// Steps that are certainly durable.
    durable: usize,
    error: Option<Error>,
    db: Option<Database>,
}

fn play(disk: &SimDisk, steps: &[Step]) -> Outcome {
    let mut outcome = Outcome { history: vec![Model::new()], durable: 0, error: None, db: None };
    for (n, step) in steps.iter().enumerate() {
        let mut next = outcome.history[n].clone();
        apply(&mut next, step);
        outcome.history.push(next);
        match run(disk, &mut outcome.db, step) {
            Ok(()) if is_durable(step) => outcome.durable = n + 1,
            Ok(()) => {}
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    outcome
}

/// After a restart: some state between the last durable step and the one that failed, and one that can be worked with.
fn check_recovered(disk: &SimDisk, outcome: &Outcome, what: &str) {
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = contents(&db).unwrap();
    let allowed = &outcome.history[outcome.durable..];
    let (first, last) = (outcome.durable, outcome.history.len() - 1);
    assert!(
        allowed.contains(&found),
        "{what}: not a state between step {first} and {last} {:?}",
        difference(&found, &outcome.history[last])
    );
    let again = db.table("again").unwrap();
    again.put(b"still", b"works").unwrap();
    db.compact().unwrap();
    let expected = contents(&db).unwrap();
    db.close().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let report = uncork_engine::check(&storage, Path::new("/db")).unwrap();
    assert!(report.damage.is_empty(), "{what}: {:?}", report.damage);
    let db = Database::open_on(storage, "/db", options()).unwrap();
    assert_eq!(contents(&db).unwrap(), expected, "{what}");
}

/// Keys of tables that differ.
fn difference(found: &Model, expected: &Model) -> Vec<(String, Vec<Vec<u8>>)> {
    let names = found.keys().chain(expected.keys());
    let none = BTreeMap::new();
    names
        .map(|name| {
            let (a, b) = (found.get(name).unwrap_or(&none), expected.get(name).unwrap_or(&none));
            let keys = a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key));
            (name.clone(), keys.cloned().collect())
        })
        .collect()
}

fn operations() -> u64 {
    let disk = SimDisk::new(0);
    let outcome = play(&disk, &workload());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(&contents(outcome.db.as_ref().unwrap()).unwrap(), outcome.history.last().unwrap());
    disk.operations()
}

fn seeds() -> u64 {
    std::env::var("CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

#[test]
fn a_crash_at_every_operation_loses_nothing_acknowledged() {
    let (steps, operations) = (workload(), operations());
    let mut recovered = 0;
    for at in 1..=operations {
        for seed in 0..seeds() {
            let disk = SimDisk::new(seed * 1_000_003 + at);
            disk.set_faults(Faults { crash_at: Some(at), ..Faults::default() });
            let mut outcome = play(&disk, &steps);
            assert!(outcome.error.is_some() || disk.stopped(), "operation {at} was never reached");
            drop(outcome.db.take());
            disk.restart();
            check_recovered(&disk, &outcome, &format!("crash at {at}, seed {seed}"));
            recovered += 1;
        }
    }
    println!("{operations} operations, {recovered} crashes, all recovered to an allowed state");
}

#[test]
fn a_crash_while_recovering_from_a_crash() {
    let (steps, operations) = (workload(), operations());
    let mut random = Random::new(3);
    for at in (1..=operations).step_by(5) {
        let disk = SimDisk::new(at);
        disk.set_faults(Faults { crash_at: Some(at), ..Faults::default() });
        let mut outcome = play(&disk, &steps);
        drop(outcome.db.take());
        for _ in 0..4 {
            disk.restart();
            let second = disk.operations() + 1 + random.below(8);
            disk.set_faults(Faults { crash_at: Some(second), ..Faults::default() });
            let opened = Database::open_on(Arc::new(disk.clone()), "/db", options());
            drop(opened);
        }
        disk.restart();
        check_recovered(&disk, &outcome, &format!("crash at {at}, and while recovering"));
    }
}

#[test]
fn a_failure_of_every_operation_is_reported_or_harmless() {
    let (steps, operations) = (workload(), operations());
    let (mut failed, mut survived) = (0, 0);
    for at in 1..=operations {
        for sync in [false, true] {
            let disk = SimDisk::new(at);
            let at = Some(at);
            disk.set_faults(match sync {
                true => Faults { fail_sync_at: at, ..Faults::default() },
                false => Faults { fail_at: at, ..Faults::default() },
            });
            let mut outcome = play(&disk, &steps);
            let what = format!("failure at {at:?}, sync {sync}");
            if let (Some(_), Some(db)) = (&outcome.error, &outcome.db) {
                // Reads go on, and show the state before the failed step or, for a change of tables, after it.
                let found = contents(db).unwrap();
                assert!(outcome.history.iter().rev().take(2).any(|model| *model == found), "{what}");
                failed += 1;
            } else {
                survived += 1;
            }
            drop(outcome.db.take());
            disk.restart();
            check_recovered(&disk, &outcome, &what);
        }
    }
    println!("{failed} failures reported, {survived} without effect");
    assert!(failed > 0 && survived > 0);
}

#[test]
fn a_failed_sync_of_the_log_poisons() {
    let disk = SimDisk::new(1);
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    table.put(b"a", b"1").unwrap();
    disk.set_faults(Faults { fail_sync_at: Some(0), ..Faults::default() });
    assert!(matches!(table.put(b"b", b"2"), Err(Error::Poisoned { .. })));
    for _ in 0..3 {
        let error = table.put(b"c", b"3").unwrap_err();
        assert!(error.to_string().contains("sync"), "{error}");
    }
    assert!(matches!(db.flush(), Err(Error::Poisoned { .. })));
    assert!(matches!(db.table("new"), Err(Error::Poisoned { .. })));
    assert_eq!(table.get(b"a").unwrap().unwrap(), b"1");
    assert!(table.get(b"b").unwrap().is_none());
}

#[test]
fn on_a_full_disk_commits_fail_and_reads_go_on() {
    let needed = {
        let disk = SimDisk::new(0);
        play(&disk, &workload());
        disk.used()
    };
    let (mut refused, mut refused_at_once) = (0, 0);
    for capacity in (needed / 8..needed * 3 / 2).step_by(4096) {
        let disk = SimDisk::new(capacity);
        let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
        let table = db.table("t").unwrap();
        disk.set_faults(Faults { capacity: Some(capacity), ..Faults::default() });
        let mut model = BTreeMap::new();
        for n in 0..700_u32 {
            let row = (n.to_be_bytes().to_vec(), vec![n as u8; 400]);
            match table.put(&row.0, &row.1) {
                Ok(()) => drop(model.insert(row.0, row.1)),
                Err(Error::DiskFull { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let found = |db: &Database| contents(db).unwrap().remove("t").unwrap();
        assert_eq!(found(&db), model, "nothing refused is visible, nothing acknowledged is lost");
        disk.set_faults(Faults::default());
        table.put(b"room", b"again").unwrap();
        model.insert(b"room".to_vec(), b"again".to_vec());
        assert_eq!(found(&db), model);
        drop((table, db));
        disk.restart();
        disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
        let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
        assert_eq!(found(&db), model, "opened and read while the disk is full");
        match db.table("t").unwrap().put(b"k", &[1; 400]) {
            Err(Error::DiskFull { .. }) => refused_at_once += 1,
            // All was in runs, and a file of the log could be used again: that needs no room.
            Ok(()) => drop(model.insert(b"k".to_vec(), vec![1; 400])),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(found(&db), model);
    }
    assert!(refused > 100 && refused_at_once > 10, "{refused}, {refused_at_once}");
}

#[test]
fn a_flipped_bit_is_never_taken_for_data() {
    let build = || {
        let disk = SimDisk::new(5);
        let mut outcome = play(&disk, &workload());
        outcome.db.take().unwrap().close().unwrap();
        (disk, outcome.history.pop().unwrap())
    };
    let (disk, _) = build();
    let mut random = Random::new(9);
    let (mut refused, mut unread, mut harmless) = (0, 0, 0);
    for (path, length) in disk.files() {
        for _ in 0..60 {
            let offset = random.below(length);
            let (disk, model) = build();
            disk.flip(&path, offset, random.below(8) as u8).unwrap();
            let what = format!("{} at {offset}", path.display());
            let storage: Arc<dyn Storage> = Arc::new(disk.clone());
            let damaged = uncork_engine::check(&storage, Path::new("/db"))
                .map_or(true, |report| !report.damage.is_empty());
            let mut dumped = Model::new();
            let rest = uncork_engine::dump(&storage, Path::new("/db"), &mut |table, key, value| {
                dumped.entry(table.to_owned()).or_default().insert(key.to_vec(), value.to_vec());
                Ok(())
            });
            match Database::open_on(storage, "/db", options()).and_then(|db| contents(&db)) {
                Ok(found) if found == model => harmless += 1,
                Ok(_) => panic!("{what}: wrong data"),
                Err(Error::Corrupt { path: named, .. }) if path.starts_with("/db/runs") => {
                    assert_eq!(named, path, "{what}");
                    assert!(damaged, "{what}: check finds what reading finds");
                    assert!(
                        rest.is_ok() && dumped.values().map(BTreeMap::len).sum::<usize>() > 0,
                        "{what}: the rest is readable"
                    );
                    unread += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{refused} openings refused, {unread} reads refused, {harmless} without effect");
    assert!(refused > 0 && unread > 0 && harmless > 0);
}

#[test]
fn a_flipped_bit_in_the_log_of_a_crash_costs_at_most_its_last_group() {
    let steps = workload();
    let mut random = Random::new(4);
    let (mut refused, mut shorter, mut harmless) = (0, 0, 0);
    for count in (10..steps.len()).step_by(9) {
        let build = || {
            let disk = SimDisk::new(count as u64);
            let mut outcome = play(&disk, &steps[..count]);
            // No closing: the machine stops.
            disk.restart();
            drop(outcome.db.take());
            (disk, outcome)
        };
        let (disk, _) = build();
        let logs: Vec<_> = disk.files().into_iter().filter(|(path, _)| path.starts_with("/db/log")).collect();
        for (path, length) in logs {
            // Mostly where the frames are.
            for bound in [2048, 2048, 8192, 8192, length] {
                let offset = random.below(bound.min(length));
                let (disk, outcome) = build();
                disk.flip(&path, offset, random.below(8) as u8).unwrap();
                let what = format!("{count} steps, {} at {offset}", path.display());
                let db = Database::open_on(Arc::new(disk.clone()), "/db", options());
                match db.and_then(|db| contents(&db)) {
                    Ok(found) if outcome.history[outcome.durable..].contains(&found) => harmless += 1,
                    Ok(found) => {
                        // Commits without sync are written in frames of their own: the last synced one is the last.
                        assert!(outcome.history[..outcome.durable].contains(&found), "{what}: wrong data");
                        let states = &outcome.history[..=outcome.durable];
                        let changes = states.windows(2).rev().take_while(|pair| pair[0] != found);
                        let lost = changes.filter(|pair| pair[0] != pair[1]).count();
                        assert!(lost <= 1, "{what}: {lost} acknowledged steps are missing");
                        shorter += 1;
                    }
                    Err(Error::Corrupt { path: named, .. }) => {
                        assert!(named.starts_with("/db/log"), "{what}: {}", named.display());
                        refused += 1;
                    }
                    Err(error) => panic!("{what}: {error}"),
                }
            }
        }
    }
    println!("{refused} openings refused, {shorter} without the last group, {harmless} without effect");
    assert!(refused > 0 && harmless > 0);
}
