//! Opening: whose directory it is, what the manifest names, what the log adds.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::core::{Core, LOG, RUNS, Shared};
use super::maintenance::open_run;
use super::table::{TableInner, Tables, View};
use crate::batch::TableId;
use crate::blocks::pool::ReadPool;
use crate::budget::Budget;
use crate::commit::{GROUP_BYTES, Leader, Queue, Window};
use crate::compact;
use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::log::recover::{self, Known};
use crate::log::{Log, MAX_COMMITS, Writer};
use crate::manifest::{self, Manifest, RunRecord, State, TableRecord};
use crate::memtable::{Memtable, SHARDS};
use crate::options::Options;
use crate::run::{Run, check_format};
use crate::storage::{self, Lock, Open, Storage};

/// Name of the file that a running database holds locked, with its process number in it.
const LOCK: &str = "LOCK";

/// Segments of the log that may be left from earlier lives.
const MOST_SEGMENTS: usize = 4;

/// A commit read back from the log.
type Recovered = Vec<(Sequence, Arc<[u8]>)>;

pub(crate) fn open(storage: Arc<dyn Storage>, directory: &Path, options: Options) -> Result<Core> {
    let options = options.settle()?;
    let found = Manifest::open(&storage, directory)?;
    if found.is_none() {
        match may_become_ours(&*storage, directory, options.create) {
            Ok(()) => storage.create_dir(directory).at("create", directory)?,
            // Another process may have made it since.
            Err(error) if Manifest::open(&storage, directory)?.is_none() => return Err(error),
            Err(_) => {}
        }
    }
    let lock = lock(&*storage, directory)?;
    // Who had the lock before may have changed it.
    let manifest = match Manifest::open(&storage, directory)? {
        Some(manifest) => manifest,
        None => create(&storage, directory)?,
    };
    for part in [RUNS, LOG] {
        storage.create_dir(&directory.join(part)).at("create", &directory.join(part))?;
    }
    let state = manifest.state().clone();
    // Before anything is changed: files that this version cannot read.
    for run in state.runs() {
        let path = directory.join(RUNS).join(format!("{:016x}.run", run.meta.id));
        check_format(&*storage, &path, run.meta.id)?;
    }
    let mut commits: Recovered = Vec::new();
    let acknowledged = state.tables.values().map(|table| table.flushed).max().unwrap_or(0);
    let log_directory = directory.join(LOG);
    let known = Known { database: Some(state.database), in_runs: state.in_runs, acknowledged };
    let recovered = recover::recover(&*storage, &log_directory, known, &mut |sequence, body| {
        commits.push((sequence, Arc::from(body)));
        Ok(())
    })?;
    sweep(&*storage, directory, &state)?;
    let content = commits.iter().rfind(|(_, body)| !body.is_empty()).map_or(0, |(sequence, _)| *sequence);
    let vouched = recovered.vouched;
    let last = recovered.last;
    let log_options = options.log.clone();
    let log = Log::new(
        Arc::clone(&storage),
        log_directory,
        state.database,
        log_options,
        recovered.segments,
        recovered.next,
    );
    let log = Arc::new(log);
    // What the archive does not take now is offered again after each flush.
    let _still_kept = log.release(state.in_runs);
    let writer = Writer::new(Arc::clone(&log), last);
    let pool = Arc::new(ReadPool::new(Budget::reads(options.memory_budget), options.read_mode));
    let window = Window::new(Budget::window_limit(options.memory_budget), last);
    let next_run = state.next_run.max(1);
    let path = directory.to_owned();
    let shared = Arc::new(Shared::new(storage, path, options, manifest, log, pool, last, next_run));
    shared.tables.store(Arc::new(open_tables(&shared, &state)?));
    replay(&shared, &state, commits);
    raise_what_is_due(&shared);
    let leader = Leader { shared: Arc::clone(&shared), writer, window, last, content, vouched };
    Ok(Core::new(shared, Queue::new(leader, GROUP_BYTES, MAX_COMMITS), lock))
}

/// A directory without a manifest becomes a database only if there is nothing in it but what an interrupted creation
/// leaves.
fn may_become_ours(storage: &dyn Storage, directory: &Path, create: bool) -> Result<()> {
    let names = match storage.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound && create => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(Error::Foreign { path: directory.to_owned(), what: "it is not a directory" });
        }
        Err(error) => return Err(Error::io("open", directory, error)),
    };
    let known = [LOCK, RUNS, LOG, "manifest.tmp"];
    if names.iter().any(|name| !known.contains(&name.as_str())) {
        return Err(Error::Foreign {
            path: directory.to_owned(),
            what: "it has files of something else and no manifest",
        });
    }
    for part in [RUNS, LOG] {
        let path = directory.join(part);
        if names.iter().any(|name| name == part) && !storage.list(&path).at("list", &path)?.is_empty() {
            return Err(Error::corrupt(&directory.join(manifest::NAME), 0, "the manifest is missing"));
        }
    }
    if !create {
        return Err(Error::Foreign {
            path: directory.to_owned(),
            what: "it is empty, and may not be made one",
        });
    }
    Ok(())
}

/// Looks again this often, so long after the last time, at a lock that seems to be this process's own.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(2);

fn lock(storage: &dyn Storage, directory: &Path) -> Result<Lock> {
    let path = directory.join(LOCK);
    let mut looks = 1;
    loop {
        match storage.lock(&path) {
            Ok(lock) => {
                // The number is for messages only: without it the lock holds all the same.
                let _noted = storage::Storage::open(storage, &path, Open::Replace)
                    .and_then(|file| file.write_at(std::process::id().to_string().as_bytes(), 0));
                return Ok(lock);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let noted = storage::read(storage, &path).ok();
                let pid = noted.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok());
                // A process that another thread is just starting has copies of all open files for a moment, also of one
                // that was closed meanwhile.
                if pid != Some(std::process::id()) || looks == LOOKS {
                    return Err(Error::Locked { path: directory.to_owned(), pid });
                }
                looks += 1;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(Error::io("lock", &path, error)),
        }
    }
}

/// Keeps others from opening a database while it is read past its own code, if it can be locked: one on a medium that
/// cannot be written to has nobody who changes it, and a directory that is no database gets no file.
pub(super) fn lock_to_read(storage: &dyn Storage, directory: &Path) -> Result<Option<Lock>> {
    if !storage.exists(&directory.join(LOCK)).unwrap_or(false) {
        return Ok(None);
    }
    match lock(storage, directory) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ Error::Locked { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

fn create(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Manifest> {
    // Random keys of the standard library's hasher: enough to tell databases apart.
    let database = RandomState::new().hash_one(std::process::id());
    let state = State { database, next_run: 1, next_table: 1, ..State::default() };
    Manifest::create(storage, directory, state)
}

/// Removes run files that an interrupted flush or merge has left.
fn sweep(storage: &dyn Storage, directory: &Path, state: &State) -> Result<()> {
    let directory = directory.join(RUNS);
    let known: BTreeSet<String> = state.runs().map(|run| format!("{:016x}.run", run.meta.id)).collect();
    for name in storage.list(&directory).at("list", &directory)? {
        let ours = name.strip_suffix(".run").is_some_and(|stem| stem.len() == 16);
        if ours && !known.contains(&name) {
            let path = directory.join(name);
            storage.remove(&path).at("remove", &path)?;
        }
    }
    Ok(())
}

fn open_tables(shared: &Arc<Shared>, state: &State) -> Result<Tables> {
    let mut tables = Tables::default();
    for (id, record) in &state.tables {
        tables.insert(open_table(shared, *id, record)?);
    }
    Ok(tables)
}

pub(crate) fn open_table(shared: &Arc<Shared>, id: TableId, record: &TableRecord) -> Result<Arc<TableInner>> {
    let open =
        |runs: &[RunRecord]| runs.iter().map(|run| open_run(shared, run)).collect::<Result<Vec<Arc<Run>>>>();
    let (young, base) = (open(&record.young)?, open(&record.base)?);
    // Keys to come are likely spread as those that are there.
    let largest = young.iter().chain(&base).max_by_key(|run| run.meta().bytes);
    let cuts =
        largest.map_or_else(Vec::new, |run| run.split_keys(SHARDS).into_iter().map(Box::from).collect());
    let view = View {
        active: Arc::new(Memtable::new(shared.options.write_buffer_bytes, cuts)),
        frozen: Vec::new(),
        young,
        base: Arc::from(base),
    };
    Ok(Arc::new(TableInner {
        id,
        name: Arc::from(record.name.as_str()),
        view: ArcSwap::from_pointee(view),
        dropped: AtomicBool::new(false),
        shared: Arc::clone(shared),
    }))
}

/// Work that earlier lives have left undone.
fn raise_what_is_due(shared: &Shared) {
    let tables = shared.tables.load();
    // A life that ends before a memtable is full leaves its segment of the log: many short ones would leave many, to be
    // read at every opening.
    if shared.log.sealed() >= MOST_SEGMENTS {
        tables.iter().filter(|table| table.freeze(shared.options.write_buffer_bytes)).for_each(|_| {
            shared.signal.flush();
        });
    }
    let options = &shared.options.compaction;
    if tables.iter().any(|table| compact::pick(&table.view.load().runs(), options).is_some()) {
        shared.signal.compact();
    }
}

/// Puts what the log holds, and no run, back into memtables.
fn replay(shared: &Shared, state: &State, commits: Recovered) {
    let tables = shared.tables.load();
    let flushed = |table| state.tables.get(&table).map_or(0, |table| table.flushed);
    for (sequence, body) in commits {
        tables.apply(sequence, &body, flushed, |table| {
            if table.freeze(shared.options.write_buffer_bytes) {
                shared.signal.flush();
            }
        });
    }
}
