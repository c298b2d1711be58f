//! Wrong directories, other formats, large rows, little memory, odd clocks: clear errors, and nothing touched.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uncork_engine::storage::sim::SimDisk;
use uncork_engine::storage::{Disk, File, Lock, Open, Storage};
use uncork_engine::{Database, Durability, Error, LogOptions, Options, WriteBatch, key};
use xxhash_rust::xxh3::xxh3_64;

fn options() -> Options {
    let log = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    Options { memory_budget: 4 << 20, write_buffer_bytes: 64 << 10, log, ..Options::default() }
}

/// All files below a directory and their content.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// A database with rows in a run and in the log.
fn filled(directory: &Path) {
    let db = Database::open(directory, options()).unwrap();
    let table = db.table("t").unwrap();
    for n in 0..200_u32 {
        table.write(&row(&table, n), Durability::Buffered).unwrap();
        if n == 100 {
            db.flush().unwrap();
        }
    }
    db.close().unwrap();
}

fn row(table: &uncork_engine::Table, n: u32) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(table, &n.to_be_bytes(), &[n as u8; 64]).unwrap();
    batch
}

fn refuse(directory: &Path, expected: impl Fn(&Error) -> bool) {
    let before = files(directory);
    let error = Database::open(directory, options()).unwrap_err();
    assert!(expected(&error), "{error}");
    assert!(files(directory) == before, "touched: {error}");
}

#[test]
fn directories_that_are_none_or_of_others_are_named_and_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("file"), "text").unwrap();
    for name in ["file", "file/below"] {
        let error = Database::open(path(name), options()).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
    assert!(matches!(Database::open(path("file"), options()), Err(Error::Foreign { .. })));
    refuse(
        directory.path(),
        |error| matches!(error, Error::Foreign { path, .. } if path == directory.path()),
    );
    std::fs::create_dir(path("empty")).unwrap();
    let existing = Options { create: false, ..options() };
    for name in ["empty", "none"] {
        let error = Database::open(path(name), existing.clone()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(!path("none").exists() && files(&path("empty")).is_empty());
    std::fs::write(path("empty/manifest"), b"{\"name\": \"of a web application\", \"version\": 3}").unwrap();
    refuse(
        &path("empty"),
        |error| matches!(error, Error::Foreign { path, .. } if path.ends_with("manifest")),
    );
    let storage: Arc<dyn Storage> = Arc::new(Disk::default());
    for name in ["file", "none", "empty"] {
        assert!(uncork_engine::check(&storage, &path(name)).is_err(), "{name}");
        assert!(uncork_engine::dump(&storage, &path(name), &mut |_, _, _| Ok(())).is_err(), "{name}");
    }
}

#[test]
fn newer_formats_of_every_file_are_named_and_untouched() {
    let newer = |bytes: &mut Vec<u8>, sum: Option<usize>| {
        bytes[8] = 2;
        if let Some(at) = sum {
            let checksum = xxh3_64(&bytes[..at]).to_le_bytes();
            bytes[at..at + 8].copy_from_slice(&checksum);
        }
    };
    for (kind, sum) in [("manifest", None), (".run", Some(24)), (".log", Some(40))] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let found =
            files(directory.path()).into_iter().find(|(path, _)| path.to_string_lossy().ends_with(kind));
        let (path, mut bytes) = found.unwrap();
        newer(&mut bytes, sum);
        std::fs::write(&path, bytes).unwrap();
        let before = files(directory.path());
        match Database::open(directory.path(), options()) {
            Err(Error::NewerFormat { path: named, found: 2, supported: 1 }) => assert_eq!(named, path),
            other => panic!("{kind}: {other:?}"),
        }
        let lock = directory.path().join("LOCK");
        let without_lock = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
            files.remove(&lock);
            files
        };
        assert!(without_lock(files(directory.path())) == without_lock(before), "{kind}: touched");
    }
}

#[test]
fn files_of_another_database_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    filled(&path("one"));
    {
        let db = Database::open(path("two"), options()).unwrap();
        let table = db.table("t").unwrap();
        for n in 0..50 {
            table.write(&row(&table, n), Durability::Buffered).unwrap();
        }
        db.flush().unwrap();
        table.write(&row(&table, 77), Durability::Sync).unwrap();
        db.close().unwrap();
    }
    for (from, content) in files(&path("two")) {
        let to = path("one").join(from.strip_prefix(path("two")).unwrap());
        let Some(kind) = to.extension().filter(|_| to.exists()) else { continue };
        let kept = std::fs::read(&to).unwrap();
        std::fs::write(&to, content).unwrap();
        match Database::open(path("one"), options()) {
            Err(Error::Foreign { path, .. }) if kind == "log" => assert_eq!(path, to),
            Err(Error::Corrupt { path, .. }) if kind == "run" => assert_eq!(path, to),
            other => panic!("{}: {other:?}", to.display()),
        }
        std::fs::write(&to, kept).unwrap();
    }
    Database::open(path("one"), options()).unwrap();
}

/// `LARGE_VALUE_MIB=1024` for the largest there may be.
#[test]
fn large_values_and_long_keys_come_back_and_larger_ones_are_refused() {
    let mib = std::env::var("LARGE_VALUE_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(24);
    let directory = tempfile::tempdir().unwrap();
    let mut large: Vec<u8> = (0..mib << 20).map(|n: usize| ((n * 2_654_435_761) >> 16) as u8).collect();
    {
        let db = Database::open(directory.path(), options()).unwrap();
        let table = db.table("t").unwrap();
        table.put(b"large", &large).unwrap();
        assert!(table.get(b"large").unwrap().unwrap() == large);
        table.put(&vec![1; key::MAX_KEY], b"long").unwrap();
        db.close().unwrap();
    }
    let db = Database::open(directory.path(), options()).unwrap();
    let table = db.table("t").unwrap();
    assert!(table.get(b"large").unwrap().unwrap() == large, "read back from the log");
    db.compact().unwrap();
    assert!(table.get(b"large").unwrap().unwrap() == large, "read from a run");
    assert_eq!(table.get(&vec![1; key::MAX_KEY]).unwrap().unwrap(), b"long");
    // Zero pages that nobody touches: the length is looked at first.
    large = vec![0; key::MAX_VALUE + 1];
    let over = table.put(b"over", &large).unwrap_err();
    assert!(matches!(over, Error::ValueTooLong { len, max } if len == max + 1), "{over}");
    assert!(matches!(table.ingest([(b"over", &large)]), Err(Error::ValueTooLong { .. })));
    assert!(matches!(db.begin().put(&table, b"over", &large), Err(Error::ValueTooLong { .. })));
    for len in [key::MAX_KEY + 1, 1 << 20] {
        let long = vec![0; len];
        assert!(matches!(table.put(&long, b""), Err(Error::KeyTooLong { .. })));
        assert!(matches!(table.delete(&long), Err(Error::KeyTooLong { .. })));
        assert!(table.get(&long).unwrap().is_none());
    }
}

/// A disk whose clock runs backwards.
#[derive(Debug)]
struct Backwards(SimDisk, AtomicU64);

impl Storage for Backwards {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        self.0.open(path, how)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.list(directory)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.0.exists(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.link(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        self.0.lock(path)
    }
    fn now(&self) -> Duration {
        Duration::from_millis(self.1.fetch_sub(1000, Ordering::Relaxed))
    }
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let disk = SimDisk::new(1);
    for life in 0..3_u32 {
        let clock = Arc::new(Backwards(disk.clone(), AtomicU64::new(1 << 40)));
        let options = Options { compaction_rate: 1 << 20, background: false, ..options() };
        let db = Database::open_on(clock, "/db", options).unwrap();
        let table = db.table("t").unwrap();
        for n in 0..300 {
            table.write(&row(&table, life * 300 + n), Durability::Sync).unwrap();
        }
        db.compact().unwrap();
        assert_eq!(table.iter().unwrap().count(), (life as usize + 1) * 300);
        db.close().unwrap();
    }
}

const CHILD: &str = "UNCORK_LITTLE_MEMORY_CHILD";

/// In a process that may have 160 MiB of addresses, with code, stacks and all, and a budget of 16 MiB: 100 MB of rows.
#[test]
#[cfg(target_os = "linux")]
fn little_memory_is_enough() {
    let options = || Options { memory_budget: 16 << 20, ..Options::default() };
    if let Some(directory) = std::env::var_os(CHILD) {
        let db = Database::open(directory, options()).unwrap();
        let table = db.table("t").unwrap();
        let mut batch = WriteBatch::new();
        for n in 0..50_000_u64 {
            let value = xxh3_64(&n.to_le_bytes()).to_le_bytes().repeat(250);
            batch.put(&table, &n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes(), &value).unwrap();
            if batch.len() == 50 {
                db.write(&batch, Durability::Buffered).unwrap();
                batch.clear();
            }
        }
        db.flush().unwrap();
        let mut rows = table.iter().unwrap();
        let mut count = 0;
        while rows.next_ref().unwrap().is_some() {
            count += 1;
        }
        for n in 0..2000_u64 {
            let key = (n * 25).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            assert_eq!(table.get(&key).unwrap().unwrap().len(), 2000);
        }
        drop(rows);
        db.close().unwrap();
        println!("read {count} rows");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 163840; exec \"$0\" --exact little_memory_is_enough --nocapture --test-threads=1",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, directory.path())
        .env("RUST_MIN_STACK", "1048576")
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("read 50000 rows"), "{said}");
    let storage: Arc<dyn Storage> = Arc::new(Disk::default());
    assert!(uncork_engine::check(&storage, directory.path()).unwrap().damage.is_empty());
}
