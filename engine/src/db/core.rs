//! What the parts of an open database share.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use parking_lot::{Condvar, Mutex};

use super::retired::Retired;
use super::table::{TableInner, Tables};
use crate::batch::WriteBatch;
use crate::blocks::pool::ReadPool;
use crate::blocks::trim::Trim;
use crate::budget::Budget;
use crate::commit::{Commit, Job, Leader, Queue, ReadSet};
use crate::compact::{self, Pressure, RateLimiter};
use crate::error::{Error, Result};
use crate::key::Sequence;
use crate::log::Log;
use crate::manifest::{self, Manifest};
use crate::metrics::Counters;
use crate::options::{Durability, Options};
use crate::storage::{Lock, Storage};
use crate::txn::slots::{Place, Slots};

/// Directory of run files, in the database's.
pub(crate) const RUNS: &str = "runs";
/// Directory of the log, in the database's.
pub(crate) const LOG: &str = "log";

/// State that commits, reads and background work share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    /// The newest commit that reads see.
    pub(crate) visible: CachePadded<crate::sync::AtomicU64>,
    /// The newest commit known to be on the medium.
    pub(crate) durable: AtomicU64,
    pub(crate) snapshots: Slots,
    pub(crate) transactions: Transactions,
    pub(crate) tables: ArcSwap<Tables>,
    pub(crate) manifest: Mutex<Manifest>,
    pub(crate) log: Arc<Log>,
    pub(crate) next_run: AtomicU64,
    pub(crate) pool: Arc<ReadPool>,
    pub(crate) retired: Retired,
    pub(crate) trim: Trim,
    pub(crate) limiter: RateLimiter,
    pub(crate) metrics: Counters,
    pub(crate) budget: Budget,
    pub(crate) signal: Signal,
    pub(crate) failing: Failing,
    /// Sorted loads that writers wait for.
    pub(crate) loads: AtomicUsize,
    pub(crate) stop: AtomicBool,
    poison: OnceLock<Arc<str>>,
}

/// Open transactions that may yet write.
#[derive(Debug)]
pub(crate) struct Transactions {
    open: AtomicUsize,
    slots: Slots,
}

impl Transactions {
    /// Begins one; its snapshot must be taken afterwards.
    pub(crate) fn begin(&self, visible: &crate::sync::AtomicU64) -> (Place, Sequence) {
        self.open.fetch_add(1, Ordering::SeqCst);
        self.slots.acquire(visible, 0)
    }

    pub(crate) fn end(&self, (place, sequence): (Place, Sequence)) {
        self.slots.release(place, sequence);
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// The oldest commit that an open transaction may have as its snapshot; `None`: no transaction is open.
    pub(crate) fn watched(&self) -> Option<Sequence> {
        if self.open.load(Ordering::SeqCst) == 0 {
            return None;
        }
        // One that is only just beginning has no place yet, but will have a newer snapshot than the window begins at,
        // or be refused.
        Some(self.slots.live().0.unwrap_or(0))
    }
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, with everything that opening has made")]
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        directory: PathBuf,
        options: Options,
        manifest: Manifest,
        log: Arc<Log>,
        pool: Arc<ReadPool>,
        last: Sequence,
        next_run: u64,
    ) -> Self {
        Self {
            storage,
            directory,
            visible: CachePadded::new(crate::sync::AtomicU64::new(last)),
            durable: AtomicU64::new(last),
            snapshots: Slots::new(256),
            transactions: Transactions { open: AtomicUsize::new(0), slots: Slots::new(64) },
            tables: ArcSwap::default(),
            manifest: Mutex::new(manifest),
            log,
            next_run: AtomicU64::new(next_run),
            budget: Budget::new(options.memory_budget, Arc::clone(&pool)),
            pool,
            retired: Retired::default(),
            trim: Trim::new(options.memory_budget),
            limiter: RateLimiter::new(options.compaction_rate),
            metrics: Counters::default(),
            signal: Signal::default(),
            failing: Failing::default(),
            loads: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            poison: OnceLock::new(),
            options,
        }
    }

    /// Refuses all further writes; the error that says so.
    pub(crate) fn poison(&self, cause: &Error) -> Error {
        let cause = self.poison.get_or_init(|| Arc::from(cause.to_string()));
        self.signal.wake_writers();
        Error::Poisoned { cause: Arc::clone(cause) }
    }

    /// The error to give, once the database is poisoned.
    pub(crate) fn poisoned(&self) -> Option<Error> {
        self.poison.get().map(|cause| Error::Poisoned { cause: Arc::clone(cause) })
    }

    pub(crate) fn run_path(&self, id: u64) -> PathBuf {
        self.directory.join(RUNS).join(format!("{id:016x}.run"))
    }

    /// Lets go of what has left its table, and has memory given back once that is worth it. So many bytes were freed besides.
    pub(crate) fn let_go(&self, besides: u64) {
        self.trim.freed(self.retired.release() + besides);
    }

    /// Changes the manifest; a failure that leaves it unknown which one is in place poisons the database.
    pub(crate) fn change_manifest(
        &self,
        change: impl FnOnce(&mut manifest::State),
    ) -> Result<(), manifest::Failure> {
        let changed = self.manifest.lock().change(change);
        if let Err(manifest::Failure::Unknown(error)) = &changed {
            let _told_by_the_result = self.poison(error);
        }
        changed
    }
}

/// Work that is due, and those who wait for it or for its end.
#[derive(Default)]
pub(crate) struct Signal {
    due: Mutex<Due>,
    work: Condvar,
    relief: Condvar,
    /// Starts the threads that do the work; `false` if there can be none. None: writers do it themselves.
    start: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    started: AtomicBool,
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("due", &self.due)
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

/// Which work is due.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) flush: bool,
    pub(crate) segment: bool,
    pub(crate) compact: bool,
    pub(crate) stop: bool,
}

impl Signal {
    fn raise(&self, change: impl FnOnce(&mut Due)) {
        change(&mut self.due.lock());
        self.work.notify_all();
        self.start();
    }

    /// How to start threads once there is work. What is due already is not waited for.
    pub(crate) fn set_start(&self, start: impl Fn() -> bool + Send + Sync + 'static) {
        let _set_once = self.start.set(Box::new(start));
        if *self.due.lock() != Due::default() {
            self.start();
        }
    }

    fn start(&self) {
        if let Some(start) = self.start.get()
            && !self.started.swap(true, Ordering::AcqRel)
            && !start()
        {
            self.started.store(false, Ordering::Release);
        }
    }

    /// Whether threads do the work.
    pub(crate) fn has_threads(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn flush(&self) {
        self.raise(|due| due.flush = true);
    }

    pub(crate) fn segment(&self) {
        self.raise(|due| due.segment = true);
    }

    pub(crate) fn compact(&self) {
        self.raise(|due| due.compact = true);
    }

    pub(crate) fn stop(&self) {
        self.due.lock().stop = true;
        self.work.notify_all();
        self.wake_writers();
    }

    /// Takes what `pick` picks, waiting for it if need be, with some patience or any.
    pub(crate) fn wait(&self, pick: impl Fn(&mut Due) -> Due, patience: Option<Duration>) -> Due {
        let mut due = self.due.lock();
        loop {
            let taken = pick(&mut due);
            if taken != Due::default() {
                return taken;
            }
            match patience {
                None => self.work.wait(&mut due),
                Some(patience) if self.work.wait_for(&mut due, patience).timed_out() => return taken,
                Some(_) => {}
            }
        }
    }

    /// Takes all that is due, if anything.
    pub(crate) fn take(&self) -> Due {
        std::mem::take(&mut *self.due.lock())
    }

    /// Tells writers that wait to look again.
    pub(crate) fn wake_writers(&self) {
        self.relief.notify_all();
    }

    fn wait_for_relief(&self) {
        // A timeout, so that a notice between the look and the wait is not missed for long.
        self.relief.wait_for(&mut self.due.lock(), Duration::from_millis(5));
    }
}

/// What flushes and merges failed with the last time, if they did. Nothing is lost by that, but while it goes on writers
/// wait in vain: they are told instead.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    pub(crate) flush: Mutex<Option<Error>>,
    pub(crate) compact: Mutex<Option<Error>>,
}

impl Failing {
    fn error(&self) -> Option<Error> {
        let flush = self.flush.lock().clone();
        flush.or_else(|| self.compact.lock().clone())
    }
}

/// An open database without its threads.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Queue<Leader>,
    pub(crate) lock: Mutex<Option<Lock>>,
    pub(crate) closed: AtomicBool,
    /// Flushes and merges, by hand and in the background, take turns, each kind with its own.
    pub(crate) flushing: Turnstile,
    pub(crate) compacting: Turnstile,
    /// Threads for work behind the writers' backs; started when there is some.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Lets one thread at a time through. The lock is held for a moment only, not while work is done.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    taken: Mutex<bool>,
    free: Condvar,
}

impl Turnstile {
    /// Waits for a turn; it ends when the returned value is dropped.
    pub(crate) fn enter(&self) -> Turn<'_> {
        let mut taken = self.taken.lock();
        while *taken {
            self.free.wait(&mut taken);
        }
        *taken = true;
        Turn(self)
    }
}

/// A turn.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turnstile);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.free.notify_one();
    }
}

impl Drop for Core {
    /// Nobody has the database or a table of it any more. Tables hold what they share, which holds them.
    fn drop(&mut self) {
        self.shared.tables.store(Arc::default());
    }
}

impl Core {
    pub(crate) fn new(shared: Arc<Shared>, queue: Queue<Leader>, lock: Lock) -> Self {
        Self {
            shared,
            queue,
            lock: Mutex::new(Some(lock)),
            closed: AtomicBool::new(false),
            flushing: Turnstile::default(),
            compacting: Turnstile::default(),
            threads: Mutex::default(),
        }
    }

    /// Starts the threads for flushes and merges. `false`: the system has none to give, or the database is closing.
    pub(crate) fn start_threads(self: &Arc<Self>) -> bool {
        let mut threads = self.threads.lock();
        if self.closed.load(Ordering::Acquire) {
            return false;
        }
        let loops = [("uncork-flush", Self::flush_loop as fn(&Self)), ("uncork-compact", Self::compact_loop)];
        loops.into_iter().skip(threads.len()).all(|(name, work)| {
            let core = Arc::clone(self);
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&core));
            thread.map(|thread| threads.push(thread)).is_ok()
        })
    }

    /// Waits for the threads to end, which have been told to.
    pub(crate) fn join_threads(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // A panic in the background was reported where it happened; the log has all that matters.
            let _ended = thread.join();
        }
    }

    /// Commits a batch.
    pub(crate) fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.commit_with(batch, durability, None).map(drop)
    }

    /// Commits a batch, on condition that what was read is unchanged.
    pub(crate) fn commit_with(
        &self,
        batch: &WriteBatch,
        durability: Durability,
        reads: Option<ReadSet>,
    ) -> Result<Sequence> {
        if batch.is_empty() {
            return Ok(self.shared.visible.load(Ordering::Acquire));
        }
        let started = Instant::now();
        self.hold_back(batch.size())?;
        let commit = Commit {
            body: Arc::from(batch.bytes()),
            sync: durability == Durability::Sync,
            reads,
            submitted: Instant::now(),
        };
        let sequence = self.submit(Job::Commit(commit))?;
        self.shared.metrics.commit.record(started.elapsed());
        if !self.shared.signal.has_threads() {
            self.run_due();
        }
        Ok(sequence)
    }

    /// Has a job done by the leader of the moment.
    pub(crate) fn submit(&self, job: Job) -> Result<Sequence> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        match self.queue.submit(job) {
            Ok(outcome) => outcome,
            Err(_) if self.closed.load(Ordering::Acquire) => Err(Error::Closed),
            Err(_) => Err(self
                .shared
                .poison(&Error::Poisoned { cause: Arc::from("a thread panicked while committing") })),
        }
    }

    /// Slows a writer down, or lets it wait, while flushes or compaction lag behind.
    fn hold_back(&self, bytes: usize) -> Result<()> {
        let shared = &*self.shared;
        let mut since = None;
        loop {
            if let Some(error) = shared.poisoned() {
                return Err(error);
            }
            if self.closed.load(Ordering::Acquire) {
                return Err(Error::Closed);
            }
            if shared.loads.load(Ordering::SeqCst) > 0 {
                since.get_or_insert_with(Instant::now);
                shared.signal.wait_for_relief();
                continue;
            }
            match self.pressure() {
                Pressure::None => break,
                Pressure::Delay(delay) if shared.signal.has_threads() => {
                    let delay = compact::delay_for(delay, bytes);
                    shared.metrics.stall.record(delay);
                    std::thread::sleep(delay);
                    break;
                }
                Pressure::Delay(_) => break,
                Pressure::Stop => {
                    since.get_or_insert_with(Instant::now);
                    if shared.signal.has_threads() {
                        if let Some(error) = shared.failing.error() {
                            // Perhaps the next writer has more luck.
                            shared.signal.flush();
                            shared.signal.compact();
                            return Err(error);
                        }
                        shared.signal.wait_for_relief();
                    } else {
                        self.run_due();
                        break;
                    }
                }
            }
        }
        if let Some(since) = since {
            shared.metrics.stall.record(since.elapsed());
        }
        Ok(())
    }

    fn pressure(&self) -> Pressure {
        let tables = self.shared.tables.load();
        let (mut held, mut young) = (0, 0);
        for table in tables.iter() {
            let view = table.view.load();
            held += view.memtables().map(|memtable| memtable.bytes()).sum::<usize>();
            young = young.max(view.young.len());
        }
        self.shared.options.compaction.pressure(young).max(self.shared.budget.pressure(held))
    }

    /// A snapshot of what is visible now.
    pub(crate) fn snapshot(self: &Arc<Self>) -> super::Snapshot {
        super::Snapshot::new(Arc::clone(self))
    }

    /// A table, unless it was dropped.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<TableInner>> {
        self.shared.tables.load().named(name).map(Arc::clone)
    }
}
