//! Measures the engine's own figures, on whatever machine this is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use uncork_engine::storage::sim::Random;
use uncork_engine::{Database, Durability, Error, Options, Table, WriteBatch};

use crate::{Failure, say};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Rows to load.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Bytes of a value; half of them can be compressed.
    #[arg(long, default_value_t = 150)]
    value_bytes: usize,
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Memory budget in MiB.
    #[arg(long, default_value_t = 256)]
    memory: u64,
    /// Where to make the database; the system's directory for temporary files if left out.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Only measurements whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

/// Removes the directory of the measurements, also when they are broken off.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(directory: &Path) -> Self {
        let unfinished = directory.to_owned();
        // Without a handler, a measurement that is broken off leaves its files where the system cleans up.
        let _set = ctrlc::set_handler(move || {
            remove(&unfinished);
            std::process::exit(130);
        });
        Self(directory.to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// What still works there may add a file while others go.
fn remove(directory: &Path) {
    for _ in 0..100 {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {}
            _ => return,
        }
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    database: &'a Database,
    table: &'a Table,
}

/// The key of row `n`: 24 bytes, in no order.
pub(crate) fn key(n: u64) -> [u8; 24] {
    let mut random = Random::new(n);
    let mut key = [0; 24];
    for (to, word) in key.chunks_exact_mut(8).zip([random.next_u64(), random.next_u64(), n]) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    key
}

/// A value that is different for every `n`.
pub(crate) fn fill(value: &mut [u8], n: u64) {
    let mut random = Random::new(!n);
    let half = value.len() / 2;
    for (at, to) in value.chunks_mut(8).enumerate() {
        let word = if at * 8 < half { random.next_u64() } else { 0x2020_2020_2020_2020 };
        for (to, from) in to.iter_mut().zip(word.to_le_bytes()) {
            *to = from;
        }
    }
}

pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    let parent = plan.directory.clone().unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("uncork-engine-bench-{}", std::process::id()));
    let _scratch = Scratch::new(&directory);
    let database = Database::open(&directory, options(plan))?;
    let table = database.table("bench")?;
    let bench = Bench { plan, database: &database, table: &table };
    say(&format!(
        "{} rows of 24 + {} bytes\n{} MiB budget, {} processors\n",
        plan.rows,
        plan.value_bytes,
        plan.memory,
        std::thread::available_parallelism().map_or(1, usize::from)
    ))?;
    say(&line("", "a second", ["p50", "p99", "p99.9"].map(str::to_owned)))?;
    bench.load()?;
    bench.writes()?;
    database.compact()?;
    bench.reads()?;
    bench.mixed()?;
    let metrics = database.metrics();
    drop(table);
    database.close()?;
    openings(plan, &directory)?;
    say(&format!(
        "\ndisk {:.1} MiB: runs {:.1}, log {:.1}\nmemory {:.1} of {} MiB; {:.1} commits a group\nlongest stall {}",
        mib(metrics.run_bytes + metrics.log_file_bytes),
        mib(metrics.run_bytes),
        mib(metrics.log_file_bytes),
        mib(metrics.memory.total()),
        plan.memory,
        metrics.commits as f64 / metrics.groups.max(1) as f64,
        short(metrics.stall.max),
    ))
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

impl Bench<'_> {
    fn wanted(&self, name: &str) -> bool {
        self.plan.only.as_deref().is_none_or(|only| name.contains(only))
    }

    fn load(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let mut value = vec![0; self.plan.value_bytes];
        let mut batch = WriteBatch::new();
        for n in 0..self.plan.rows {
            fill(&mut value, n);
            batch.put(self.table, &key(n), &value)?;
            if batch.len() == 1000 || n + 1 == self.plan.rows {
                self.database.write(&batch, Durability::Buffered)?;
                batch.clear();
            }
        }
        self.database.sync()?;
        report("load, 1000 a commit, buffered", self.plan.rows, started.elapsed(), Vec::new())
    }

    fn writes(&self) -> Result<(), Failure> {
        for threads in [1, 8, 32] {
            self.timed(&format!("durable put, {}", count_of(threads)), threads, 1, |random, value| {
                let n = random.below(self.plan.rows);
                fill(value, n);
                self.table.put(&key(n), value)
            })?;
        }
        self.timed("durable, 1000 a commit, rows", 1, 1000, |random, value| {
            let mut batch = WriteBatch::new();
            for _ in 0..1000 {
                let n = random.below(self.plan.rows);
                fill(value, n);
                batch.put(self.table, &key(n), value)?;
            }
            self.database.write(&batch, Durability::Sync)
        })
    }

    fn reads(&self) -> Result<(), Failure> {
        for threads in [1, 2, 4] {
            self.timed(&format!("get, {}", count_of(threads)), threads, 1, |random, _| {
                self.table
                    .get(&key(random.below(self.plan.rows)))
                    .map(|value| assert!(value.is_some(), "a loaded row"))
            })?;
        }
        self.timed("get, a snapshot each", 1, 1, |random, _| {
            let snapshot = self.database.snapshot();
            snapshot.get(self.table, &key(random.below(self.plan.rows))).map(drop)
        })?;
        self.timed("get, absent key", 1, 1, |random, _| {
            self.table.get(&key(self.plan.rows + random.below(1 << 40))).map(drop)
        })?;
        self.timed("range of 100, rows", 1, 100, |random, _| {
            let start = key(random.below(self.plan.rows));
            let mut rows = self.table.range(start.as_slice()..)?;
            for _ in 0..100 {
                if rows.next_ref()?.is_none() {
                    break;
                }
            }
            Ok(())
        })?;
        self.timed("full scan, rows", 1, self.plan.rows, |_, _| {
            let mut rows = self.table.iter()?;
            while rows.next_ref()?.is_some() {}
            Ok(())
        })
    }

    fn mixed(&self) -> Result<(), Failure> {
        if !self.wanted("mixed") {
            return Ok(());
        }
        let stop = AtomicBool::new(false);
        let written = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|seed| {
                    let (stop, written) = (&stop, &written);
                    scope.spawn(move || -> Result<(), Error> {
                        let (mut random, mut value) = (Random::new(seed), vec![0; self.plan.value_bytes]);
                        while !stop.load(Ordering::Relaxed) {
                            let n = random.below(self.plan.rows);
                            fill(&mut value, n);
                            self.table.put(&key(n), &value)?;
                            written.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                })
                .collect();
            let read = self.timed("mixed: get, 2 threads", 2, 1, |random, _| {
                self.table.get(&key(random.below(self.plan.rows))).map(drop)
            });
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            read
        })?;
        let seconds = Duration::from_secs_f64(self.plan.seconds);
        report("mixed: durable put, 2 threads", written.load(Ordering::Relaxed), seconds, Vec::new())
    }

    /// Repeats `work`, which does `each` things, on some threads for the time planned.
    fn timed(
        &self,
        name: &str,
        threads: usize,
        each: u64,
        work: impl Fn(&mut Random, &mut [u8]) -> Result<(), Error> + Sync,
    ) -> Result<(), Failure> {
        if !self.wanted(name) {
            return Ok(());
        }
        let all = Mutex::new((0_u64, Vec::new()));
        let started = Instant::now();
        let until = started + Duration::from_secs_f64(self.plan.seconds);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|seed| {
                    let (all, work) = (&all, &work);
                    scope.spawn(move || -> Result<(), Error> {
                        let (mut random, mut value) =
                            (Random::new(seed as u64 + 77), vec![0; self.plan.value_bytes]);
                        let (mut count, mut times) = (0, Vec::new());
                        loop {
                            // Looking at the clock takes a good part of a read: one in sixteen is timed.
                            let now = Instant::now();
                            if now >= until {
                                break;
                            }
                            work(&mut random, &mut value)?;
                            times.push(now.elapsed());
                            let untimed =
                                if times.last().is_some_and(|time| time.as_micros() < 20) { 15 } else { 0 };
                            for _ in 0..untimed {
                                work(&mut random, &mut value)?;
                            }
                            count += (1 + untimed) * each;
                        }
                        let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        all.0 += count;
                        all.1.append(&mut times);
                        Ok(())
                    })
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let (count, times) = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        report(name, count, started.elapsed(), times)
    }
}

/// What a program pays that opens the database for a moment: to read ten rows, and to write one besides.
fn openings(plan: &Plan, directory: &Path) -> Result<(), Failure> {
    for (name, writes) in [("open, 10 gets, close", 0), ("open, 10 gets, a put, close", 1)] {
        if plan.only.as_deref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let mut random = Random::new(5);
        let mut value = vec![0; plan.value_bytes];
        let mut times = Vec::new();
        let started = Instant::now();
        while times.is_empty() || started.elapsed().as_secs_f64() < plan.seconds {
            let opening = Instant::now();
            let database = Database::open(directory, options(plan))?;
            let table = database.table("bench")?;
            for _ in 0..10 {
                table.get(&key(random.below(plan.rows)))?;
            }
            let mut batch = WriteBatch::new();
            for _ in 0..writes {
                let n = random.below(plan.rows);
                fill(&mut value, n);
                batch.put(&table, &key(n), &value)?;
            }
            database.write(&batch, Durability::Buffered)?;
            drop(table);
            database.close()?;
            times.push(opening.elapsed());
        }
        report(name, times.len() as u64, started.elapsed(), times)?;
    }
    Ok(())
}

fn options(plan: &Plan) -> Options {
    Options { memory_budget: plan.memory << 20, ..Options::default() }
}

fn report(name: &str, count: u64, elapsed: Duration, mut times: Vec<Duration>) -> Result<(), Failure> {
    times.sort_unstable();
    let at = |share: f64| {
        times.get((times.len() as f64 * share) as usize).map_or(String::new(), |time| short(*time))
    };
    let rate = count as f64 / elapsed.as_secs_f64();
    let rate = match rate {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    };
    say(&line(name, &rate, [0.5, 0.99, 0.999].map(at)))
}

fn count_of(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

/// A line of the table: 60 columns, for the narrowest terminal.
fn line(name: &str, rate: &str, [p50, p99, p999]: [String; 3]) -> String {
    format!("{name:<30}{rate:>9}{p50:>7}{p99:>7}{p999:>7}")
}

/// A duration in six columns at most.
fn short(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (unit, size) = units.into_iter().rfind(|(_, size)| nanos >= *size).unwrap_or(("ns", 1.0));
    let digits = usize::from(nanos / size < 10.0 && unit != "ns");
    format!("{:.digits$}{unit}", nanos / size)
}
