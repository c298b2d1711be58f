//! Which files make up the database: rewritten whole, and renamed into place, at every change.
//!
//! ```text
//! "UNCKMAN\0" | version u32 | zero u32 | body length u64 | xxh3 of all but itself u64 | body
//! body, all integers LEB128:
//!   database | next run | next table | sequence known to be in runs | tables, each:
//!     number | name length, name | sequence flushed | young runs, base runs, each:
//!       number | bytes | rows | deletes | smallest and largest sequence | first key | last key | base sequence + 1 or 0
//! ```

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::batch::TableId;
use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::run::{RunId, RunMeta, varint};
use crate::storage::{self, Open, Storage};

const MAGIC: &[u8; 8] = b"UNCKMAN\0";
const HEADER: usize = 32;
/// Version of the manifest's format, and of the layout of the directory.
pub(crate) const VERSION: u32 = 1;
/// Name of the manifest's file.
pub(crate) const NAME: &str = "manifest";

/// A run as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRecord {
    pub(crate) meta: RunMeta,
    /// Stands in for the base sequence in the file: the run was written before its commit had a number.
    pub(crate) base_sequence: Option<Sequence>,
}

/// A table as the manifest knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableRecord {
    pub(crate) name: String,
    /// Commits up to here are in runs.
    pub(crate) flushed: Sequence,
    /// Newest first.
    pub(crate) young: Vec<RunRecord>,
    /// By key.
    pub(crate) base: Vec<RunRecord>,
}

/// All the manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Random number of the database.
    pub(crate) database: u64,
    pub(crate) next_run: RunId,
    pub(crate) next_table: TableId,
    /// Commits up to here are in runs, of all tables.
    pub(crate) in_runs: Sequence,
    pub(crate) tables: BTreeMap<TableId, TableRecord>,
}

impl State {
    pub(crate) fn runs(&self) -> impl Iterator<Item = &RunRecord> {
        self.tables.values().flat_map(|table| table.young.iter().chain(&table.base))
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for number in [self.database, self.next_run, u64::from(self.next_table), self.in_runs] {
            varint::put(&mut body, number);
        }
        varint::put(&mut body, self.tables.len() as u64);
        for (id, table) in &self.tables {
            varint::put(&mut body, u64::from(*id));
            put_bytes(&mut body, table.name.as_bytes());
            varint::put(&mut body, table.flushed);
            for runs in [&table.young, &table.base] {
                varint::put(&mut body, runs.len() as u64);
                for run in runs {
                    put_run(&mut body, run);
                }
            }
        }
        let mut file = Vec::with_capacity(HEADER + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&u64::from(VERSION).to_le_bytes());
        file.extend_from_slice(&(body.len() as u64).to_le_bytes());
        let mut hasher = Xxh3::new();
        hasher.update(&file);
        hasher.update(&body);
        file.extend_from_slice(&hasher.digest().to_le_bytes());
        file.extend_from_slice(&body);
        file
    }

    /// Reads the bytes of a manifest; `path` is for messages only.
    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |what| Error::corrupt(path, 0, what);
        let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(damaged("shorter than a manifest's header"));
        };
        let (words, _) = header.as_chunks::<8>();
        let [magic, version, length, checksum] = words else { return Err(damaged("no header")) };
        if magic != MAGIC {
            return Err(Error::Foreign { path: path.to_owned(), what: "the manifest is of another program" });
        }
        let found = u64::from_le_bytes(*version) as u32;
        if found > VERSION {
            return Err(Error::NewerFormat { path: path.to_owned(), found, supported: VERSION });
        }
        let mut hasher = Xxh3::new();
        hasher.update(header.get(..24).unwrap_or_default());
        hasher.update(body);
        if u64::from_le_bytes(*length) != body.len() as u64
            || u64::from_le_bytes(*checksum) != hasher.digest()
        {
            return Err(damaged("the manifest fails its checksum"));
        }
        Reader(body).state().ok_or_else(|| damaged("the manifest contradicts itself"))
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_run(out: &mut Vec<u8>, run: &RunRecord) {
    let meta = &run.meta;
    for number in [meta.id, meta.bytes, meta.rows, meta.deletes, meta.min_sequence, meta.max_sequence] {
        varint::put(out, number);
    }
    put_bytes(out, &meta.first_key);
    put_bytes(out, &meta.last_key);
    varint::put(out, run.base_sequence.map_or(0, |base| base + 1));
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = varint::take(self.0)?;
        self.0 = rest;
        Some(number)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn state(mut self) -> Option<State> {
        let mut state = State {
            database: self.number()?,
            next_run: self.number()?,
            next_table: u32::try_from(self.number()?).ok()?,
            in_runs: self.number()?,
            tables: BTreeMap::new(),
        };
        for _ in 0..self.number()? {
            let id = u32::try_from(self.number()?).ok()?;
            let name = std::str::from_utf8(self.bytes()?).ok()?.to_owned();
            let flushed = self.number()?;
            let (young, base) = (self.runs()?, self.runs()?);
            state.tables.insert(id, TableRecord { name, flushed, young, base });
        }
        self.0.is_empty().then_some(state)
    }

    fn runs(&mut self) -> Option<Vec<RunRecord>> {
        (0..self.number()?).map(|_| self.run()).collect()
    }

    fn run(&mut self) -> Option<RunRecord> {
        let meta = RunMeta {
            id: self.number()?,
            bytes: self.number()?,
            rows: self.number()?,
            deletes: self.number()?,
            min_sequence: self.number()?,
            max_sequence: self.number()?,
            first_key: self.bytes()?.into(),
            last_key: self.bytes()?.into(),
        };
        Some(RunRecord { meta, base_sequence: self.number()?.checked_sub(1) })
    }
}

/// The manifest's file and what it says.
#[derive(Debug)]
pub(crate) struct Manifest {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    state: State,
}

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The old manifest is in place.
    Unchanged(Error),
    /// Either may be: files that only one of them names must be left alone.
    Unknown(Error),
}

impl Manifest {
    /// Reads the manifest of a database directory; `None` if there is none.
    pub(crate) fn open(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(NAME);
        match storage.exists(&path) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
            Err(error) => return Err(Error::io("look for", &path, error)),
        }
        let bytes = storage::read(&**storage, &path).at("read", &path)?;
        let state = State::decode(&bytes, &path)?;
        Ok(Some(Self { storage: Arc::clone(storage), path, state }))
    }

    /// Writes the first manifest of a database.
    pub(crate) fn create(storage: &Arc<dyn Storage>, directory: &Path, state: State) -> Result<Self> {
        let mut manifest =
            Self { storage: Arc::clone(storage), path: directory.join(NAME), state: State::default() };
        manifest.store(state).map_err(|failure| match failure {
            Failure::Unchanged(error) | Failure::Unknown(error) => error,
        })?;
        Ok(manifest)
    }

    /// What it says.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Makes a change durable, or none.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut State)) -> Result<(), Failure> {
        let mut state = self.state.clone();
        change(&mut state);
        self.store(state)
    }

    fn store(&mut self, state: State) -> Result<(), Failure> {
        let temporary = self.path.with_extension("tmp");
        self.write(&temporary, &state.encode()).map_err(Failure::Unchanged)?;
        self.storage.rename(&temporary, &self.path).at("rename", &temporary).map_err(Failure::Unknown)?;
        if let Some(directory) = self.path.parent() {
            self.storage.sync_dir(directory).at("sync", directory).map_err(Failure::Unknown)?;
        }
        self.state = state;
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let file = self.storage.open(path, Open::Replace).at("create", path)?;
        file.write_at(bytes, 0).at("write", path)?;
        file.sync().at("sync", path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> State {
        let meta = RunMeta {
            id: 3,
            bytes: 4096,
            rows: 10,
            deletes: 1,
            min_sequence: 5,
            max_sequence: 9,
            first_key: b"a".as_slice().into(),
            last_key: b"zz".as_slice().into(),
        };
        let run = RunRecord { meta, base_sequence: None };
        let other = RunRecord { base_sequence: Some(0), ..run.clone() };
        let table = TableRecord {
            name: "users".to_owned(),
            flushed: 9,
            young: vec![run.clone(), other.clone()],
            base: vec![other],
        };
        let empty = TableRecord { name: "empty".to_owned(), ..TableRecord::default() };
        let tables = BTreeMap::from([(1, table), (7, empty)]);
        State { database: u64::MAX, next_run: 4, next_table: 8, in_runs: 9, tables }
    }

    #[test]
    fn it_comes_back() {
        let bytes = state().encode();
        assert_eq!(State::decode(&bytes, Path::new("m")).unwrap(), state());
    }

    #[test]
    fn foreign_and_newer_files_are_told_apart() {
        let mut bytes = state().encode();
        bytes[8] = 2;
        assert!(matches!(State::decode(&bytes, Path::new("m")), Err(Error::NewerFormat { found: 2, .. })));
        bytes[0] = b'X';
        assert!(matches!(State::decode(&bytes, Path::new("m")), Err(Error::Foreign { .. })));
        assert!(matches!(State::decode(b"short", Path::new("m")), Err(Error::Corrupt { .. })));
    }

    proptest! {
        #[test]
        fn no_flipped_bit_goes_unnoticed(at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = state().encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(State::decode(&bytes, Path::new("m")).is_err());
        }
    }
}
