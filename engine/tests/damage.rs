//! Files cut short or changed: found, named by file and offset, and the rest still readable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uncork_engine::storage::Storage;
use uncork_engine::storage::sim::{Random, SimDisk};
use uncork_engine::{Database, Durability, Error, LogOptions, Options, WriteBatch};

type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn options() -> Options {
    let log = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let mut options = Options { memory_budget: 1 << 20, background: false, log, ..Options::default() };
    options.compaction.run.block_size = 1024;
    options.compaction.base_run_bytes = 24 << 10;
    options.compaction.young_trigger = 8;
    options
}

/// A base of several runs, young runs above it, and commits that are only in the log.
fn build() -> (SimDisk, Rows) {
    let disk = SimDisk::new(1);
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap();
    let mut rows = Rows::new();
    let mut random = Random::new(8);
    for round in 0..4_u8 {
        for name in ["left", "right"] {
            let table = db.table(name).unwrap();
            let mut batch = WriteBatch::new();
            for _ in 0..600 {
                let key = format!("key{:05}", random.below(3000)).into_bytes();
                if random.below(8) == 0 {
                    batch.delete(&table, &key).unwrap();
                    rows.remove(&(name.to_owned(), key));
                } else {
                    let value = random.next_u64().to_le_bytes().repeat(1 + usize::from(round) * 8);
                    batch.put(&table, &key, &value).unwrap();
                    rows.insert((name.to_owned(), key), value);
                }
                if batch.len() == 20 {
                    db.write(&batch, Durability::Buffered).unwrap();
                    batch.clear();
                }
            }
        }
        match round {
            0 | 1 => db.compact().unwrap(),
            2 => db.flush().unwrap(),
            _ => db.sync().unwrap(),
        }
    }
    db.close().unwrap();
    (disk, rows)
}

fn dump(disk: &SimDisk) -> Result<(Rows, Vec<Error>), Error> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut rows = Rows::new();
    let damage = uncork_engine::dump(&storage, Path::new("/db"), &mut |table, key, value| {
        rows.insert((table.to_owned(), key.to_vec()), value.to_vec());
        Ok(())
    })?;
    Ok((rows, damage))
}

fn check(disk: &SimDisk) -> Vec<Error> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    uncork_engine::check(&storage, Path::new("/db")).unwrap().damage
}

fn read(disk: &SimDisk) -> Result<Rows, Error> {
    let db = Database::open_on(Arc::new(disk.clone()), "/db", options())?;
    let mut rows = Rows::new();
    for name in db.tables() {
        for row in db.table(&name)?.iter()? {
            let (key, value) = row?;
            rows.insert((name.clone(), key.to_vec()), value.to_vec());
        }
    }
    Ok(rows)
}

fn names(error: &Error, file: &Path) -> bool {
    matches!(error, Error::Corrupt { path, .. } | Error::Foreign { path, .. } | Error::NewerFormat { path, .. } if path == file)
}

fn runs_and_logs(disk: &SimDisk) -> Vec<(PathBuf, u64)> {
    let files = disk.files().into_iter();
    files.filter(|(path, _)| path.starts_with("/db/runs") || path.starts_with("/db/log")).collect()
}

#[test]
fn without_damage_everything_is_dumped() {
    let (disk, rows) = build();
    assert!(check(&disk).is_empty());
    let (dumped, damage) = dump(&disk).unwrap();
    assert!(damage.is_empty() && dumped == rows);
    assert_eq!(read(&disk).unwrap(), rows);
    assert!(runs_and_logs(&disk).len() > 6, "{:?}", disk.files());
}

#[test]
fn a_file_cut_anywhere_is_named_and_the_rest_is_read() {
    let (disk, rows) = build();
    let mut random = Random::new(2);
    for (path, length) in runs_and_logs(&disk) {
        for cut in [0, 1, 100, 511, 512, length - 1, random.below(length), random.below(length)] {
            let (disk, _) = build();
            disk.truncate(&path, cut.min(length - 1)).unwrap();
            let what = format!("{} cut to {cut} of {length}", path.display());
            let damage = check(&disk);
            assert!(damage.iter().any(|error| names(error, &path)), "{what}: {damage:?}");
            let (dumped, damage) = dump(&disk).unwrap();
            assert!(damage.iter().any(|error| names(error, &path)), "{what}: {damage:?}");
            // Rows of that file may be missing, and older ones come to light; a good part remains.
            let intact = rows.iter().filter(|(key, value)| dumped.get(*key) == Some(*value)).count();
            assert!(intact * 3 > rows.len(), "{what}: {intact} of {}", rows.len());
            match read(&disk) {
                Ok(_) => panic!("{what}: not noticed"),
                Err(error) => assert!(names(&error, &path), "{what}: {error}"),
            }
        }
    }
}

#[test]
fn of_a_run_without_directory_all_blocks_are_read() {
    let (disk, rows) = build();
    for (path, length) in disk.files().into_iter().filter(|(path, _)| path.starts_with("/db/runs")) {
        // Somewhere in the footer, then in the header: the blocks between are whole.
        for offset in [length - 100, 3] {
            let (disk, _) = build();
            disk.flip(&path, offset, 3).unwrap();
            assert!(check(&disk).iter().any(|error| names(error, &path)));
            let (dumped, damage) = dump(&disk).unwrap();
            assert!(damage.iter().any(|error| names(error, &path)), "{damage:?}");
            assert!(dumped == rows, "{} at {offset}: all rows are there", path.display());
        }
    }
}

#[test]
fn a_damaged_block_costs_its_own_rows_only() {
    let (disk, rows) = build();
    let mut random = Random::new(5);
    for (path, length) in disk.files().into_iter().filter(|(path, _)| path.starts_with("/db/runs")) {
        for _ in 0..6 {
            let (disk, _) = build();
            let offset = 32 + random.below(length / 2);
            disk.flip(&path, offset, 1).unwrap();
            let (dumped, damage) = dump(&disk).unwrap();
            assert_eq!(damage.len(), 1, "{damage:?}");
            let Error::Corrupt { path: named, offset: at, .. } = &damage[0] else { panic!("{damage:?}") };
            assert!(*named == path && *at <= offset);
            let differ = rows.iter().filter(|(key, value)| dumped.get(*key) != Some(*value)).count();
            assert!(differ < 60, "{} at {offset}: {differ} rows", path.display());
        }
    }
}

#[test]
fn without_a_manifest_rows_are_dumped_by_run() {
    let (disk, rows) = build();
    let manifest = Path::new("/db/manifest");
    for damage in 0..3 {
        let (disk, _) = build();
        match damage {
            0 => disk.flip(manifest, 50, 0).unwrap(),
            1 => disk.truncate(manifest, 10).unwrap(),
            _ => disk.remove(manifest).unwrap(),
        }
        assert!(names(&Database::open_on(Arc::new(disk.clone()), "/db", options()).unwrap_err(), manifest));
        let found = check(&disk);
        assert!(found.len() == 1 && names(&found[0], manifest), "{found:?}");
        let (dumped, damage) = dump(&disk).unwrap();
        assert!(damage.len() == 1 && names(&damage[0], manifest), "{damage:?}");
        let pairs: std::collections::BTreeSet<_> =
            dumped.iter().map(|((_, key), value)| (key, value)).collect();
        let missing = rows.iter().filter(|((_, key), value)| !pairs.contains(&(key, *value))).count();
        assert_eq!(missing, 0);
    }
    let empty = SimDisk::new(1);
    empty.create_dir(Path::new("/db")).unwrap();
    assert!(matches!(dump(&empty), Err(Error::Foreign { .. } | Error::Io { .. })));
    assert!(disk.files().iter().any(|(path, _)| path == manifest));
}
