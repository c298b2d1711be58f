//! Runs as a whole: written, read back in every way, and damaged everywhere.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::blocks::pool::{ReadMode, ReadPool};
use crate::compress::Compression;
use crate::error::Error;
use crate::key::{self, Kind, Version};
use crate::merge::cursor::Cursor;
use crate::run::{Keep, Run, RunOptions, RunWriter};
use crate::storage::{File, Lock, Map, Open, Storage};

/// Files in memory, so that thousands of damaged copies cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<PathBuf, Arc<MemoryFile>>>);

#[derive(Debug, Default)]
pub(crate) struct MemoryFile(Mutex<Vec<u8>>);

impl Memory {
    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<MemoryFile>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        self.files().insert(path.to_owned(), Arc::new(MemoryFile(Mutex::new(bytes))));
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        self.files()[path].bytes().clone()
    }
}

impl MemoryFile {
    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut files = self.files();
        if matches!(how, Open::Create | Open::Replace) {
            files.insert(path.to_owned(), Arc::default());
        }
        let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::<MemoryFile>::clone(file))
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(self.files().keys().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files().contains_key(path))
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files().remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let file = Arc::clone(files.get(from).ok_or(io::ErrorKind::NotFound)?);
        files.insert(to.to_owned(), file);
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self, _: &Path) -> io::Result<Lock> {
        Ok(Lock::new(()))
    }
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.bytes();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.bytes().resize(length as usize, 0);
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }
    fn map(&self) -> io::Result<Map> {
        Ok(Map::held(self.bytes().as_slice().into()))
    }
}

/// Versions of each key, newest first.
pub(crate) type Model = BTreeMap<Vec<u8>, Vec<(u64, Kind, Vec<u8>)>>;

pub(crate) const PATH: &str = "0000000000000007.run";

pub(crate) fn write(memory: &Arc<Memory>, model: &Model, options: &RunOptions) -> crate::run::RunMeta {
    let storage: Arc<dyn Storage> = Arc::<Memory>::clone(memory);
    let mut writer = RunWriter::create(&storage, Path::new(PATH), 7, options).unwrap();
    for (key, versions) in model {
        for (sequence, kind, value) in versions {
            writer.push(Version { key, sequence: *sequence, kind: *kind, value }).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn pools() -> Vec<Arc<ReadPool>> {
    // Plenty, next to nothing (all through the cache, or not even that), and without maps.
    [(1 << 30, ReadMode::Map), (3000, ReadMode::Map), (1 << 30, ReadMode::Read), (0, ReadMode::Read)]
        .map(|(bytes, mode)| Arc::new(ReadPool::new(bytes, mode)))
        .into()
}

pub(crate) fn open(memory: &Arc<Memory>, pool: &Arc<ReadPool>) -> Result<Arc<Run>, Error> {
    let storage: Arc<dyn Storage> = Arc::<Memory>::clone(memory);
    Run::open(&storage, Path::new(PATH), 7, pool)
}

fn model(max: usize) -> impl Strategy<Value = Model> {
    let key = prop_oneof![
        vec(0..3_u8, 0..8),
        (0..30_u32).prop_map(|n| format!("a/long/shared/prefix/{n:07}").into_bytes()),
        vec(any::<u8>(), 1..20),
    ];
    let value = prop_oneof![
        (0..40_usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        (0..3000_usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        vec(any::<u8>(), 0..300),
    ];
    let versions = btree_map(1..60_u64, (any::<bool>(), value), 1..6).prop_map(|versions| {
        versions
            .into_iter()
            .rev()
            .map(
                |(sequence, (put, value))| {
                    if put { (sequence, Kind::Put, value) } else { (sequence, Kind::Delete, Vec::new()) }
                },
            )
            .collect()
    });
    btree_map(key, versions, 1..max)
}

fn options() -> impl Strategy<Value = RunOptions> {
    (512..3000_usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(block_size, lz4, hash, bloom)| RunOptions {
            block_size,
            compression: if lz4 { Compression::Adaptive } else { Compression::None },
            hash_index_keys: if hash { 1 << 20 } else { 0 },
            bloom_keys: if bloom { 1 << 20 } else { 0 },
            base_sequence: 0,
        },
    )
}

fn flat(model: &Model) -> Vec<(Vec<u8>, u64, Kind, Vec<u8>)> {
    let rows = model.iter().flat_map(|(key, versions)| {
        versions.iter().map(|(sequence, kind, value)| (key.clone(), *sequence, *kind, value.clone()))
    });
    rows.collect()
}

fn owned(version: Version<'_>) -> (Vec<u8>, u64, Kind, Vec<u8>) {
    (version.key.to_vec(), version.sequence, version.kind, version.value.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_version_is_found_at_every_snapshot(model in model(60), options in options(),
                                                absent in vec(vec(0..4_u8, 0..9), 10)) {
        let memory = Arc::new(Memory::default());
        let meta = write(&memory, &model, &options);
        for pool in pools() {
            let run = open(&memory, &pool).unwrap();
            prop_assert_eq!(run.meta(), &meta);
            prop_assert_eq!(&*meta.first_key, model.keys().next().unwrap().as_slice());
            prop_assert_eq!(&*meta.last_key, model.keys().last().unwrap().as_slice());
            run.check().unwrap();
            for key in model.keys().chain(&absent) {
                for snapshot in [0, 1, 7, 20, 33, 59, u64::MAX] {
                    let expected = model.get(key).and_then(|all| all.iter().find(|row| row.0 <= snapshot));
                    let found = run.get(key, key::hash(key), snapshot).unwrap();
                    prop_assert!(found.is_none() || run.may_contain(key, key::hash(key)).unwrap());
                    prop_assert_eq!(
                        found.map(|found| (found.sequence, found.kind, found.value.to_vec())),
                        expected.cloned()
                    );
                }
            }
        }
    }

    #[test]
    fn cursors_walk_both_ways_from_anywhere(model in model(60), options in options(),
                                            seeks in vec(vec(0..4_u8, 0..9), 10), keep: bool) {
        let memory = Arc::new(Memory::default());
        write(&memory, &model, &options);
        let rows = flat(&model);
        for pool in pools() {
            let run = open(&memory, &pool).unwrap();
            let mut cursor = run.cursor(if keep { Keep::Yes } else { Keep::No });
            cursor.seek_first().unwrap();
            for row in &rows {
                prop_assert_eq!(&owned(cursor.current().unwrap()), row);
                prop_assert_eq!(cursor.value(), &row.3);
                cursor.next().unwrap();
            }
            prop_assert_eq!(cursor.current(), None);
            cursor.seek_last().unwrap();
            for row in rows.iter().rev() {
                prop_assert_eq!(&owned(cursor.current().unwrap()), row);
                cursor.prev().unwrap();
            }
            prop_assert_eq!(cursor.current(), None);
            for seek in seeks.iter().chain(model.keys()) {
                let at = rows.partition_point(|row| &row.0 < seek);
                cursor.seek(seek).unwrap();
                prop_assert_eq!(cursor.current().map(owned), rows.get(at).cloned());
                if at < rows.len() {
                    cursor.prev().unwrap();
                    prop_assert_eq!(cursor.current().map(owned), at.checked_sub(1).map(|at| rows[at].clone()));
                }
                cursor.seek_back(seek).unwrap();
                prop_assert_eq!(cursor.current().map(owned), at.checked_sub(1).map(|at| rows[at].clone()));
                if at > 0 {
                    cursor.next().unwrap();
                    prop_assert_eq!(cursor.current().map(owned), rows.get(at).cloned());
                }
            }
        }
    }
}

fn sample(options: &RunOptions) -> (Arc<Memory>, Model) {
    let mut model = Model::new();
    for n in 0..25_u64 {
        let value = format!("value {n} ").repeat(n as usize % 7).into_bytes();
        model.insert(format!("key/{:03}", n * 7 % 100).into_bytes(), vec![(n + 1, Kind::Put, value)]);
    }
    model.insert(b"key/many".to_vec(), (1..60).rev().map(|s| (s, Kind::Put, vec![s as u8; 20])).collect());
    let memory = Arc::new(Memory::default());
    write(&memory, &model, options);
    (memory, model)
}

/// Everything a run can be asked, the first error of it.
fn read_all(run: &Run, model: &Model) -> Result<(), Error> {
    for (key, versions) in model {
        let found = run.get(key, key::hash(key), u64::MAX)?;
        assert_eq!(found.map(|found| found.value.to_vec()), versions.first().map(|row| row.2.clone()));
    }
    let mut cursor = run.cursor(Keep::No);
    cursor.seek_first()?;
    let mut rows = Vec::new();
    while let Some(version) = cursor.current() {
        rows.push(owned(version));
        cursor.next()?;
    }
    assert_eq!(rows, flat(model));
    Ok(())
}

#[test]
fn any_flipped_bit_is_noticed_and_placed() {
    for compression in [Compression::None, Compression::Adaptive] {
        let options = RunOptions { block_size: 1024, compression, ..RunOptions::default() };
        let (memory, model) = sample(&options);
        let whole = memory.bytes(Path::new(PATH));
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            memory.put(Path::new(PATH), flipped);
            let pool = Arc::new(ReadPool::new(1 << 20, ReadMode::Map));
            let error = open(&memory, &pool).and_then(|run| {
                // What reads return is right or an error, and a check finds the flip wherever it is.
                let _ = read_all(&run, &model);
                run.check()
            });
            match error {
                Err(Error::Corrupt { path, offset, .. }) => {
                    assert_eq!(path, Path::new(PATH));
                    assert!(offset <= bit as u64 / 8, "bit {bit} blamed on offset {offset}");
                }
                Err(Error::Foreign { .. }) => assert!(bit < 64, "bit {bit}"),
                Err(Error::NewerFormat { .. }) => assert!((64..96).contains(&bit), "bit {bit}"),
                other => panic!("bit {bit}: {other:?}"),
            }
        }
    }
}

#[test]
fn any_cut_is_noticed() {
    let (memory, _) = sample(&RunOptions { block_size: 1024, ..RunOptions::default() });
    let whole = memory.bytes(Path::new(PATH));
    for length in 0..whole.len() {
        memory.put(Path::new(PATH), whole[..length].to_vec());
        let pool = Arc::new(ReadPool::new(1 << 20, ReadMode::Map));
        let error = open(&memory, &pool).map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. } | Error::Foreign { .. }), "{length}: {error:?}");
    }
}

#[test]
fn sequences_can_be_counted_from_another_base() {
    let memory = Arc::new(Memory::default());
    let storage: Arc<dyn Storage> = Arc::<Memory>::clone(&memory);
    let rows =
        [(b"a", 0), (b"b", 2), (b"b", 0)].map(|(key, sequence)| (key.to_vec(), sequence, Kind::Put, vec![1]));
    let mut model = Model::new();
    for (key, sequence, kind, value) in rows {
        model.entry(key).or_default().push((sequence, kind, value));
    }
    write(&memory, &model, &RunOptions::default());
    let pool = Arc::new(ReadPool::new(1 << 20, ReadMode::Map));
    let run = Run::open_at(&storage, Path::new(PATH), 7, &pool, Some(100)).unwrap();
    assert_eq!((run.meta().min_sequence, run.meta().max_sequence), (100, 102));
    let at =
        |key: &[u8], snapshot| run.get(key, key::hash(key), snapshot).unwrap().map(|found| found.sequence);
    assert_eq!((at(b"b", 101), at(b"b", 102), at(b"a", 99)), (Some(100), Some(102), None));
    let mut cursor = run.cursor(Keep::No);
    cursor.seek(b"b").unwrap();
    assert_eq!(cursor.current().map(|version| version.sequence), Some(102));
}

#[test]
fn disorder_is_refused() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::default());
    let mut writer = RunWriter::create(&storage, Path::new(PATH), 7, &RunOptions::default()).unwrap();
    let version = |key, sequence| Version { key, sequence, kind: Kind::Put, value: b"" };
    writer.push(version(b"b", 5)).unwrap();
    for wrong in [version(b"a", 9), version(b"b", 5), version(b"b", 6)] {
        assert!(matches!(writer.push(wrong), Err(Error::Unsorted { row: 1 })));
    }
    writer.push(version(b"b", 4)).unwrap();
    writer.push(version(b"c", 9)).unwrap();
}

#[test]
fn an_unfinished_run_leaves_no_file() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::default());
    let writer = RunWriter::create(&storage, Path::new(PATH), 7, &RunOptions::default()).unwrap();
    assert!(storage.exists(Path::new(PATH)).unwrap());
    drop(writer);
    assert!(!storage.exists(Path::new(PATH)).unwrap());
}

#[test]
fn an_obsolete_run_goes_with_its_last_reader() {
    let (memory, model) = sample(&RunOptions::default());
    let pool = Arc::new(ReadPool::new(1 << 20, ReadMode::Map));
    let run = open(&memory, &pool).unwrap();
    let (key, versions) = model.iter().find(|(_, versions)| versions[0].2.len() > 40).unwrap();
    let value = run.get(key, key::hash(key), u64::MAX).unwrap().unwrap().value;
    run.remove_on_drop();
    drop(run);
    assert!(memory.exists(Path::new(PATH)).unwrap());
    assert_eq!(value, &versions[0].2);
    drop(value);
    assert!(!memory.exists(Path::new(PATH)).unwrap());
    assert_eq!(pool.bytes(), 0);
}

#[test]
fn resident_blocks_stay_within_the_pool() {
    let options = RunOptions { block_size: 1024, ..RunOptions::default() };
    let (memory, model) = sample(&options);
    let pool = Arc::new(ReadPool::new(4000, ReadMode::Read));
    let run = open(&memory, &pool).unwrap();
    for _ in 0..3 {
        read_all(&run, &model).unwrap();
        assert!(pool.bytes() <= 4000, "{}", pool.bytes());
    }
}
