//! Mixed load for minutes on more data than memory, watched: heap, disk, log, and the longest wait of any call.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use uncork_engine::storage::sim::Random;
use uncork_engine::{Database, Durability, Options, Table, WriteBatch};

use crate::bench::{Scratch, fill, key, mib};
use crate::{Failure, say};

/// What to do, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Minutes of load.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Memory budget in MiB; there will be four times as much data.
    #[arg(long, default_value_t = 64)]
    memory: u64,
    /// Bytes of a value; half of them can be compressed.
    #[arg(long, default_value_t = 150)]
    value_bytes: usize,
    /// Threads that write, and as many that read.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Where to make the database; the system's directory for temporary files if left out.
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// Rows of a commit.
const BATCH: u64 = 20;
/// One commit in so many is durable when it returns.
const SYNC_EVERY: u64 = 8;
/// No call may take longer.
const LONGEST: Duration = Duration::from_millis(250);

/// Calls of a kind: how many, and the longest.
#[derive(Debug, Default)]
struct Calls {
    count: AtomicU64,
    longest: AtomicU64,
    late: AtomicU64,
}

impl Calls {
    fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let outcome = call();
        let took = started.elapsed();
        self.count.fetch_add(1, Ordering::Relaxed);
        self.longest.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
        self.late.fetch_add(u64::from(took > LONGEST), Ordering::Relaxed);
        outcome
    }

    fn say(&self, name: &str) -> Result<(), Failure> {
        let [count, longest, late] =
            [&self.count, &self.longest, &self.late].map(|figure| figure.load(Ordering::Relaxed));
        let longest = longest as f64 / 1e3;
        say(&format!("{name:<8} {count:>12} calls, longest {longest:.1} ms, {late} over {LONGEST:?}"))
    }
}

/// The most that was seen of each.
#[derive(Debug, Default, Clone, Copy)]
struct Peaks {
    heap: f64,
    counted: u64,
    log: u64,
    runs: u64,
}

struct Soak<'a> {
    plan: &'a Plan,
    database: &'a Database,
    table: &'a Table,
    rows: u64,
    stop: AtomicBool,
    commits: Calls,
    gets: Calls,
    ranges: Calls,
}

pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    let parent = plan.directory.clone().unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("uncork-engine-soak-{}", std::process::id()));
    let _scratch = Scratch::new(&directory);
    let options = Options { memory_budget: plan.memory << 20, ..Options::default() };
    let database = Database::open(&directory, options)?;
    let table = database.table("soak")?;
    let soak = Soak {
        plan,
        database: &database,
        table: &table,
        rows: (plan.memory << 22) / (24 + plan.value_bytes as u64),
        stop: AtomicBool::new(false),
        commits: Calls::default(),
        gets: Calls::default(),
        ranges: Calls::default(),
    };
    soak.load()?;
    let full = size(&directory);
    let heading = "   s       commits         gets  heap MiB  counted  runs MiB  log MiB  young backlog";
    say(&format!("{} rows, {:.0} MiB on disk after loading\n{heading}", soak.rows, mib(full)))?;
    let peaks = soak.work()?;
    soak.report(&directory, full, peaks)
}

impl Soak<'_> {
    fn load(&self) -> Result<(), Failure> {
        let mut value = vec![0; self.plan.value_bytes];
        let mut batch = WriteBatch::new();
        for n in 0..self.rows {
            fill(&mut value, n);
            batch.put(self.table, &key(n), &value)?;
            if batch.len() == 1000 {
                self.database.write(&batch, Durability::Buffered)?;
                batch.clear();
            }
        }
        self.database.write(&batch, Durability::Sync)?;
        Ok(self.database.flush()?)
    }

    fn work(&self) -> Result<Peaks, Failure> {
        std::thread::scope(|scope| {
            let mut workers = Vec::new();
            for seed in 0..self.plan.threads {
                workers.push(scope.spawn(move || self.write(seed)));
                workers.push(scope.spawn(move || self.read(seed)));
            }
            let peaks = self.watch();
            self.stop.store(true, Ordering::Relaxed);
            for worker in workers {
                worker.join().map_err(|_| Failure::Unmet("a thread panicked"))??;
            }
            peaks
        })
    }

    fn write(&self, seed: u64) -> Result<(), Failure> {
        let mut random = Random::new(seed);
        let mut value = vec![0; self.plan.value_bytes];
        let mut batch = WriteBatch::new();
        while !self.stop.load(Ordering::Relaxed) {
            batch.clear();
            for _ in 0..BATCH {
                let n = random.below(self.rows);
                if random.below(4) == 0 {
                    batch.delete(self.table, &key(n))?;
                } else {
                    fill(&mut value, random.next_u64());
                    batch.put(self.table, &key(n), &value)?;
                }
            }
            let sync = random.below(SYNC_EVERY) == 0;
            let durability = if sync { Durability::Sync } else { Durability::Buffered };
            self.commits.time(|| self.database.write(&batch, durability))?;
        }
        Ok(())
    }

    fn read(&self, seed: u64) -> Result<(), Failure> {
        let mut random = Random::new(!seed);
        while !self.stop.load(Ordering::Relaxed) {
            for _ in 0..50 {
                let key = key(random.below(self.rows));
                self.gets.time(|| self.table.get(&key))?;
            }
            let key = key(random.below(self.rows));
            self.ranges.time(|| {
                let mut rows = self.table.range(key.as_slice()..)?;
                for _ in 0..100 {
                    if rows.next_ref()?.is_none() {
                        break;
                    }
                }
                Ok::<_, Failure>(())
            })?;
        }
        Ok(())
    }

    /// Looks every tenth of a second, and tells a few times.
    fn watch(&self) -> Result<Peaks, Failure> {
        let started = Instant::now();
        let total = Duration::from_secs_f64(self.plan.minutes * 60.0);
        let (mut peaks, mut told) = (Peaks::default(), Duration::ZERO);
        while started.elapsed() < total {
            std::thread::sleep(Duration::from_millis(100));
            let metrics = self.database.metrics();
            let heap = heap();
            peaks.heap = peaks.heap.max(heap);
            peaks.counted = peaks.counted.max(metrics.memory.total());
            peaks.log = peaks.log.max(metrics.log_file_bytes);
            peaks.runs = peaks.runs.max(metrics.run_bytes);
            let now = started.elapsed();
            if now - told >= (total / 20).max(Duration::from_secs(1)) {
                told = now;
                let [commits, gets] = [&self.commits, &self.gets].map(|c| c.count.load(Ordering::Relaxed));
                let figures =
                    (mib(metrics.memory.total()), mib(metrics.run_bytes), mib(metrics.log_file_bytes));
                say(&format!(
                    "{:>4} {commits:>13} {gets:>12} {heap:>9.1} {:>8.1} {:>9.1} {:>8.1} {:>6} {:>7}",
                    now.as_secs(),
                    figures.0,
                    figures.1,
                    figures.2,
                    metrics.runs,
                    metrics.backlog,
                ))?;
            }
        }
        Ok(peaks)
    }

    fn report(&self, directory: &Path, full: u64, peaks: Peaks) -> Result<(), Failure> {
        say("")?;
        self.commits.say("commits")?;
        self.gets.say("gets")?;
        self.ranges.say("ranges")?;
        let metrics = self.database.metrics();
        say(&format!(
            "back-pressure {} times, longest {:?}; sync p99 {:?}, longest {:?}",
            metrics.stall.count, metrics.stall.max, metrics.sync.p99, metrics.sync.max
        ))?;
        let budget = self.plan.memory as f64;
        say(&format!(
            "most heap {:.1} MiB, {:.2} of the budget; by the engine's own count {:.1} MiB",
            peaks.heap,
            peaks.heap / budget,
            mib(peaks.counted)
        ))?;
        say(&format!("most in runs {:.1} MiB, in the log {:.1} MiB", mib(peaks.runs), mib(peaks.log)))?;
        self.table.delete_range(b"", None)?;
        self.database.compact()?;
        // Files that were read a moment ago go a moment later.
        let mut empty = size(directory);
        for _ in 0..20 {
            if empty < full / 8 {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            empty = size(directory);
        }
        say(&format!(
            "on disk {:.1} MiB when loaded, {:.1} MiB with all rows deleted",
            mib(full),
            mib(empty)
        ))?;
        let late = [&self.commits, &self.gets, &self.ranges].map(|calls| calls.late.load(Ordering::Relaxed));
        let bounds = [
            (peaks.heap <= budget * 1.1, "the heap outgrew 1.1 times the budget"),
            (late == [0; 3], "a call took longer than 250 ms"),
            (peaks.runs < full * 4, "runs took more than four times the space of the rows"),
            (peaks.log <= 64 << 20, "the log outgrew 64 MiB"),
            (empty < full / 8, "deleted rows still take space"),
        ];
        match bounds.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(Failure::Unmet(what)),
            None => say("all within bounds"),
        }
    }
}

/// Bytes of all files below a directory.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The process's anonymous memory in MiB; zero where the system does not tell.
fn heap() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}
