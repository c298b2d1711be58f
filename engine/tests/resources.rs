//! Memory stays in its share, writers wait for it, and readers pay for nothing that is not theirs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use uncork_engine::storage::sim::{Faults, Random, SimDisk};
use uncork_engine::storage::{File, Lock, Open, Storage};
use uncork_engine::{Database, Durability, Error, LogOptions, Options, Table, WriteBatch};

/// A disk on which no run can be begun while it is shut or has no room, and which remembers who removed runs.
#[derive(Debug, Clone)]
struct Watched {
    disk: SimDisk,
    is_full: Arc<AtomicBool>,
    is_shut: Arc<(Mutex<bool>, Condvar)>,
    removed: Arc<Mutex<Vec<(PathBuf, String)>>>,
}

impl Watched {
    fn new() -> Self {
        Self {
            disk: SimDisk::new(1),
            is_full: Arc::default(),
            is_shut: Arc::default(),
            removed: Arc::default(),
        }
    }

    fn runs(&self) -> usize {
        let files = self.disk.files();
        files.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "run")).count()
    }

    fn shut(&self, shut: bool) {
        *self.is_shut.0.lock() = shut;
        self.is_shut.1.notify_all();
    }
}

impl Storage for Watched {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if how == Open::Replace && path.extension().is_some_and(|kind| kind == "run") {
            let mut is_shut = self.is_shut.0.lock();
            while *is_shut {
                self.is_shut.1.wait(&mut is_shut);
            }
            if self.is_full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        self.disk.open(path, how)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.extension().is_some_and(|kind| kind == "run") {
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            self.removed.lock().push((path.to_owned(), thread));
        }
        self.disk.remove(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        self.disk.lock(path)
    }
    fn now(&self) -> Duration {
        self.disk.now()
    }
}

const BUDGET: u64 = 4 << 20;

fn options() -> Options {
    let log = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    Options { memory_budget: BUDGET, log, ..Options::default() }
}

fn write(db: &Database, table: &Table, n: u64) {
    let mut batch = WriteBatch::new();
    for row in 0..10 {
        batch.put(table, &(n * 10 + row).to_be_bytes(), &[n as u8; 150]).unwrap();
    }
    db.write(&batch, Durability::Buffered).unwrap();
}

#[test]
fn a_commit_longer_than_a_segment_is_written_once_and_its_file_goes_with_the_next_flush() {
    const LONG: usize = 8 << 20;
    let disk = SimDisk::new(1);
    let many = Options { memory_budget: 256 << 20, ..options() };
    let db = Database::open_on(Arc::new(disk.clone()), "/db", many).unwrap();
    let table = db.table("t").unwrap();
    table.put(b"first", b"of all").unwrap();
    let before = disk.operations();
    table.put(b"long", &vec![7; LONG]).unwrap();
    // The file is made and named, the commit written, all of it synced: but no zeros are written first.
    assert!(disk.operations() - before < 20, "{} operations", disk.operations() - before);
    assert!(db.metrics().log_file_bytes > LONG as u64, "{:?}", db.metrics());
    db.flush().unwrap();
    let metrics = db.metrics();
    let log: u64 = disk.files().iter().filter(|(path, _)| path.starts_with("/db/log")).map(|(_, l)| l).sum();
    assert!(log <= 2 * (256 << 10) && log == metrics.log_file_bytes, "{log}: {metrics:?}");
    drop((table, db));
    let db = Database::open_on(Arc::new(disk), "/db", options()).unwrap();
    assert_eq!(db.table("t").unwrap().get(b"long").unwrap().unwrap().len(), LONG);
}

#[test]
fn writers_wait_while_memtables_have_all_they_may_take() {
    let disk = Watched::new();
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    disk.shut(true);
    std::thread::scope(|scope| {
        // Twice as much as the whole budget.
        let writer = scope.spawn(|| (0..5000).for_each(|n| write(&db, &table, n)));
        // 95 % of a quarter of the budget, less what the active memtable may still grow to.
        while db.metrics().memory.memtables < BUDGET / 4 * 95 / 100 - BUDGET / 16 {
            assert!(!writer.is_finished());
            std::thread::yield_now();
        }
        for _ in 0..2000 {
            let memory = db.metrics().memory;
            assert!(memory.memtables <= BUDGET / 4 + BUDGET / 16, "{memory:?}");
            assert!(!writer.is_finished(), "nobody could flush, and yet all was written");
            std::thread::yield_now();
        }
        disk.shut(false);
    });
    let metrics = db.metrics();
    assert!(metrics.stall.count > 0, "{metrics:?}");
    assert_eq!(table.iter().unwrap().count(), 50_000);
}

#[test]
fn writers_are_told_when_flushes_find_no_room_and_go_on_when_there_is() {
    let disk = Watched::new();
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    let mut written = 0;
    for round in 0..3_u8 {
        disk.is_full.store(true, Ordering::Relaxed);
        let refused = loop {
            match table.put(&u32::to_be_bytes(written), &[round; 500]) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
        assert_eq!(table.iter().unwrap().count(), written as usize);
        disk.is_full.store(false, Ordering::Relaxed);
        while let Err(error) = table.put(&u32::to_be_bytes(written), b"again") {
            assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        }
        written += 1;
    }
    assert_eq!(table.iter().unwrap().count(), written as usize);
}

#[test]
fn transactions_go_on_after_one_that_found_no_room() {
    let disk = SimDisk::new(1);
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    table.put(b"k", b"before").unwrap();
    // Longer than the log's file, and than the window of recent commits may be.
    let mut transaction = db.begin();
    transaction.put(&table, b"k", &vec![1; 400 << 10]).unwrap();
    disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    let refused = transaction.commit(Durability::Sync);
    assert!(matches!(refused, Err(Error::DiskFull { .. })), "{refused:?}");
    disk.set_faults(Faults::default());
    db.transact(|transaction| {
        assert_eq!(transaction.get(&table, b"k")?.unwrap(), b"before");
        transaction.put(&table, b"k", b"after")
    })
    .unwrap();
    assert_eq!(table.get(b"k").unwrap().unwrap(), b"after");
}

/// A load waits for a moment in which nothing is in memtables; writers that never pause must leave it one.
#[test]
fn a_sorted_load_gets_its_turn_among_busy_writers() {
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let (db, table, stop) = (&db, &table, &stop);
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    write(db, table, (1 << 40) + writer * 1000 + n % 1000);
                }
            });
        }
        let loaded = (0..5).try_for_each(|round: u64| {
            let rows = (0..500).map(|n| ((round * 500 + n).to_be_bytes(), [round as u8; 20]));
            table.ingest(rows).map(drop)
        });
        stop.store(true, Ordering::Relaxed);
        loaded.unwrap();
    });
    assert_eq!(table.range(..&2500_u64.to_be_bytes()[..]).unwrap().count(), 2500);
}

#[test]
fn flushes_and_merges_count_while_they_run_and_all_stays_in_the_budget() {
    const MIB: u64 = 1 << 20;
    let options = Options { memory_budget: 16 * MIB, ..options() };
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let table = db.table("t").unwrap();
    let was_seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut round = 0;
            while round < 3 || !was_seen.load(Ordering::Relaxed) {
                (0..500).for_each(|n| write(&db, &table, round * 500 + n));
                db.compact().unwrap();
                assert!(table.iter().unwrap().count() > 0, "blocks are held besides");
                round += 1;
            }
        });
        while !writer.is_finished() {
            let memory = db.metrics().memory;
            assert!(memory.total() <= memory.budget, "{memory:?}");
            // A buffer for the file, one for a block and one for its compressed form, at least.
            was_seen.fetch_or(memory.work > 64 << 10, Ordering::Relaxed);
            std::thread::yield_now();
        }
    });
    assert_eq!(db.metrics().memory.work, 0);
}

#[test]
fn many_small_memtables_are_flushed_early_and_stay_in_their_share() {
    let options = Options { background: false, ..options() };
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let tables: Vec<Table> = (0..20).map(|n| db.table(&format!("t{n}")).unwrap()).collect();
    for n in 0..2000 {
        for table in &tables {
            write(&db, table, n % 300);
        }
        if n % 50 == 0 {
            let memory = db.metrics().memory;
            assert!(memory.memtables <= BUDGET / 4 && memory.total() <= BUDGET, "{memory:?}");
        }
    }
    assert!(db.metrics().early_flushes > 10, "{:?}", db.metrics());
    assert!(tables.iter().all(|table| table.iter().unwrap().count() == 3000));
}

#[test]
fn a_reader_that_is_the_last_to_need_a_file_does_not_remove_it() {
    let disk = Watched::new();
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let table = db.table("t").unwrap();
    for round in 0..5 {
        (0..100).for_each(|n| write(&db, &table, n));
        db.flush().unwrap();
        let (rows, value) = (table.iter().unwrap(), table.get(&5_u64.to_be_bytes()).unwrap());
        (0..100).for_each(|n| write(&db, &table, n));
        std::thread::scope(|scope| {
            let merge = std::thread::Builder::new().name("merging".to_owned());
            merge.spawn_scoped(scope, || db.compact().unwrap()).unwrap();
        });
        assert_eq!(rows.count(), 1000, "round {round}");
        assert_eq!(value.unwrap(), [0; 150]);
        // Now that nobody reads them any more, their files go, and not by this thread.
        while disk.runs() > 1 {
            std::thread::yield_now();
        }
    }
    let own = std::thread::current().name().unwrap_or_default().to_owned();
    let removed = disk.removed.lock();
    assert!(removed.iter().all(|(_, thread)| *thread != own && !thread.is_empty()), "{removed:?}");
}

#[test]
fn a_key_range_is_dropped_without_rewriting() {
    let mut options = Options { background: false, ..options() };
    options.compaction.base_run_bytes = 32 << 10;
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let table = db.table("t").unwrap();
    let mut random = Random::new(1);
    let mut value = || (0..15).flat_map(|_| random.next_u64().to_le_bytes()).collect::<Vec<u8>>();
    table.ingest((0..5000_u32).map(|n| (n.to_be_bytes(), value()))).unwrap();
    let before = db.metrics();
    assert!(before.runs > 8, "{before:?}");
    table.delete_range(&1000_u32.to_be_bytes(), Some(&4000_u32.to_be_bytes())).unwrap();
    let after = db.metrics();
    assert_eq!(table.iter().unwrap().count(), 2000);
    assert_eq!((after.compacted_bytes, after.flushed_bytes), (before.compacted_bytes, before.flushed_bytes));
    assert!(after.run_bytes < before.run_bytes * 3 / 5, "{} of {}", after.run_bytes, before.run_bytes);
}

#[test]
fn metrics_tell_what_waits_and_what_is_found() {
    let options = Options { read_mode: uncork_engine::ReadMode::Read, ..options() };
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let table = db.table("t").unwrap();
    (0..2000).for_each(|n| write(&db, &table, n));
    table.put(b"last", b"synced").unwrap();
    db.compact().unwrap();
    for n in 0..20_000_u64 {
        assert!(table.get(&n.to_be_bytes()).unwrap().is_some());
    }
    let metrics = db.metrics();
    assert_eq!((metrics.commits, metrics.commit.count, metrics.turn.count), (2001, 2001, 2001));
    assert_eq!(metrics.gets, 20_000);
    assert!(metrics.get.count >= 20_000 / 64 && metrics.sync.count > 0 && metrics.compact.count > 0);
    assert!(metrics.turn.max <= metrics.commit.max, "{metrics:?}");
    assert!(metrics.memory.total() <= metrics.memory.budget, "{metrics:?}");
    assert!((0.0..=1.0).contains(&metrics.hit_rate()));
    assert_eq!(metrics.backlog, 0);
}

/// What a memtable takes besides its rows must be little, and count: with many tables it is most of it.
#[test]
fn a_thousand_tables_with_a_few_rows_take_little() {
    let options = Options { memory_budget: 64 << 20, background: false, ..options() };
    let db = Database::open_on(Arc::new(SimDisk::new(1)), "/db", options).unwrap();
    let tables: Vec<Table> = (0..1000).map(|n| db.table(&format!("t{n}")).unwrap()).collect();
    assert_eq!(db.metrics().memory.memtables, 0);
    for table in &tables {
        table.put(b"a", b"few").unwrap();
    }
    let memory = db.metrics().memory;
    assert!((4_000_000..6_000_000).contains(&memory.memtables), "{memory:?}");
    assert_eq!(db.metrics().early_flushes, 0);
    assert!(tables.iter().all(|table| table.iter().unwrap().count() == 1));
}
