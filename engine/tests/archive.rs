//! The log's files on their way out: kept for a while, handed to an archive, used again.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use uncork_engine::{Archive, Database, Durability, LogOptions, Options, Table, WriteBatch};

fn open(directory: &Path, archive: Option<Arc<Archive>>, retain_bytes: u64) -> Database {
    let log = LogOptions { segment_bytes: 64 << 10, spare_segments: 2, retain_bytes, archive };
    let options = Options {
        memory_budget: 4 << 20,
        write_buffer_bytes: 64 << 10,
        background: false,
        log,
        ..Options::default()
    };
    Database::open(directory, options).unwrap()
}

fn marker(n: u64) -> Vec<u8> {
    [b"marker".as_slice(), &n.to_be_bytes()].concat()
}

fn put(db: &Database, table: &Table, n: u64) {
    let mut batch = WriteBatch::new();
    batch.put(table, &(n % 300).to_be_bytes(), &marker(n).repeat(20)).unwrap();
    db.write(&batch, Durability::Buffered).unwrap();
}

/// Numbers of the markers in a file.
fn markers(file: &[u8]) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut rest = file;
    while let Some(at) = rest.iter().position(|byte| *byte == b'm') {
        rest = &rest[at..];
        if let Some(number) = rest.strip_prefix(b"marker").and_then(|after| after.first_chunk()) {
            found.insert(u64::from_be_bytes(*number));
        }
        rest = &rest[1..];
    }
    found
}

#[derive(Default)]
struct Archived {
    commits: Mutex<Vec<(RangeInclusive<u64>, Vec<u8>)>>,
    broken: AtomicBool,
    refused: AtomicUsize,
    in_first_life: AtomicUsize,
}

impl Archived {
    fn hook(self: &Arc<Self>) -> Arc<Archive> {
        let archived = Arc::clone(self);
        Arc::new(move |path: &Path, commits: RangeInclusive<u64>| {
            if archived.broken.load(Ordering::Relaxed) {
                archived.refused.fetch_add(1, Ordering::Relaxed);
                return Err(std::io::Error::other("the archive is away"));
            }
            archived.commits.lock().push((commits, std::fs::read(path)?));
            Ok(())
        })
    }
}

#[test]
fn the_archive_gets_every_commit_once_in_order_also_after_it_was_away() {
    let directory = tempfile::tempdir().unwrap();
    let archived = Arc::new(Archived::default());
    let mut n = 0;
    for life in 0..3 {
        let db = open(directory.path(), Some(archived.hook()), 0);
        let table = db.table("t").unwrap();
        for part in 0..3 {
            archived.broken.store(part == 1, Ordering::Relaxed);
            for _ in 0..1000 {
                put(&db, &table, n);
                n += 1;
            }
        }
        assert!(archived.refused.load(Ordering::Relaxed) > life, "the archive was asked while it was away");
        assert_eq!(table.iter().unwrap().count(), 300);
        // While it is away nothing may be lost; afterwards the files go.
        db.flush().unwrap();
        assert!(db.metrics().log_file_bytes < 512 << 10, "{:?}", db.metrics());
        drop(table);
        db.close().unwrap();
        if life == 0 {
            archived.in_first_life.store(archived.commits.lock().len(), Ordering::Relaxed);
        }
    }
    let commits = archived.commits.lock();
    let mut ranges: Vec<_> = commits.iter().map(|(range, _)| range.clone().into_inner()).collect();
    let first_life = &ranges[..archived.in_first_life.load(Ordering::Relaxed)];
    assert!(first_life.is_sorted_by_key(|range| range.0), "in order");
    // What an earlier life had archived and not used again comes once more.
    ranges.sort_unstable();
    ranges.dedup();
    assert!(ranges.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1), "no gap, no overlap: {ranges:?}");
    assert_eq!(ranges[0].0, 1);
    let found: BTreeSet<u64> = commits.iter().flat_map(|(_, file)| markers(file)).collect();
    let missing = (0..n - 700).find(|n| !found.contains(n));
    assert_eq!(missing, None, "in no archived file");
}

#[test]
fn freed_files_are_kept_readable_up_to_what_is_asked() {
    let of = |retain: u64| {
        let directory = tempfile::tempdir().unwrap();
        let db = open(directory.path(), None, retain);
        let table = db.table("t").unwrap();
        for n in 0..8000 {
            put(&db, &table, n);
        }
        db.flush().unwrap();
        let files = std::fs::read_dir(directory.path().join("log")).unwrap();
        let kept: BTreeSet<u64> =
            files.flat_map(|entry| markers(&std::fs::read(entry.unwrap().path()).unwrap())).collect();
        (kept.len(), db.metrics().log_file_bytes)
    };
    let (few, small) = of(0);
    let (many, large) = of(1 << 20);
    assert!(small < 512 << 10, "{small}");
    assert!((1 << 20..(1 << 20) + (512 << 10)).contains(&large), "{large}");
    // A commit takes some 350 bytes.
    assert!(many >= few + 2000, "{many} commits kept, {few} without");
}
