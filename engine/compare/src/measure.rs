//! The measurements, on one database in one process.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::peer::{Peer, Reader, Result, Row};
use crate::workload::{Picks, Shape};

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub shape: Shape,
    pub rows: u64,
    pub seconds: f64,
    /// Reads are timed by what their threads spent on a processor: for machines that are busy with something else.
    pub processor_time: bool,
}

/// Time passed, or time this thread has run.
enum Clock {
    Wall(Instant),
    Processor(Duration),
}

impl Clock {
    fn start(processor_time: bool) -> Self {
        match processor_time.then(time_on_processor) {
            Some(Ok(time)) => Self::Processor(time),
            _ => Self::Wall(Instant::now()),
        }
    }

    fn elapsed(&self) -> Result<Duration> {
        match self {
            Self::Wall(started) => Ok(started.elapsed()),
            Self::Processor(started) => Ok(time_on_processor()? - *started),
        }
    }
}

/// Time the calling thread has run, as Linux counts it.
fn time_on_processor() -> Result<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = statistics.split(' ').next().ok_or("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// A figure and its name.
pub type Figure = (String, f64);

const LOAD_BATCH: u64 = 1000;

/// Measures everything in the order of the table.
pub fn all(
    peer: &dyn Peer,
    directory: &Path,
    scale: Scale,
    wanted: &dyn Fn(&str) -> bool,
    out: &mut dyn FnMut(Figure),
) -> Result<()> {
    let load = load(peer, scale)?;
    out(("bulk load, rows/s".into(), load));
    peer.settle()?;
    let disk = disk(directory)?;
    for threads in [1, 2, 4] {
        let name = format!("get, {threads} thread{}", if threads == 1 { "" } else { "s" });
        if wanted(&name) {
            out((name, reads(peer, scale, threads, |r, key| Ok(r.get(key)?.is_some() as u64), false)?));
        }
    }
    if wanted("get, a snapshot each") {
        let rate = reads(peer, scale, 1, |r, key| Ok(r.get_in_snapshot(key)?.is_some() as u64), false)?;
        out(("get, a snapshot each".into(), rate));
    }
    if wanted("absent key") {
        out(("absent key".into(), reads(peer, scale, 1, |r, key| Ok(r.get(key)?.is_none() as u64), true)?));
    }
    if wanted("range of 100, rows/s") {
        let rate = reads(peer, scale, 1, |r, key| Ok(r.range(key, 100)? as u64), false)?;
        out(("range of 100, rows/s".into(), rate));
    }
    if wanted("full scan, rows/s") {
        out(("full scan, rows/s".into(), full_scan(peer, scale)?));
    }
    let (resident, anonymous) = memory();
    out(("memory after reads, resident MiB".into(), resident));
    out(("memory after reads, heap MiB".into(), anonymous));
    out(("disk at rest, MiB".into(), disk));
    if wanted("durable, 1000 a commit, rows/s") {
        out(("durable, 1000 a commit, rows/s".into(), batches(peer, scale)?));
    }
    for writers in [1, 8, 32] {
        let name = format!("durable single, {writers} writer{}", if writers == 1 { "" } else { "s" });
        if wanted(&name) {
            let (rate, p99) = singles(peer, scale, writers)?;
            out((name.clone(), rate));
            out((format!("{name}, p99 µs"), p99));
        }
    }
    if wanted("mixed, reads/s") {
        let (reads, writes) = mixed(peer, scale)?;
        out(("mixed, reads/s".into(), reads));
        out(("mixed, durable writes/s".into(), writes));
    }
    Ok(())
}

fn row(scale: Scale, n: u64) -> Row {
    let mut value = Vec::new();
    scale.shape.value(n, &mut value);
    (scale.shape.key(n).to_vec(), value)
}

fn load(peer: &dyn Peer, scale: Scale) -> Result<f64> {
    let mut spent = Duration::ZERO;
    for start in (0..scale.rows).step_by(LOAD_BATCH as usize * 10) {
        let rows: Vec<_> =
            (start..(start + LOAD_BATCH * 10).min(scale.rows)).map(|n| row(scale, n)).collect();
        let started = Instant::now();
        peer.commit(&rows, false)?;
        spent += started.elapsed();
    }
    Ok(scale.rows as f64 / spent.as_secs_f64())
}

type Operation = fn(&mut dyn Reader, &[u8]) -> Result<u64>;

/// Runs an operation on random keys for the time given, on each of `threads`; units of work a second.
fn reads(peer: &dyn Peer, scale: Scale, threads: u64, operation: Operation, absent: bool) -> Result<f64> {
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(threads as usize + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (stop, ready) = (&stop, &ready);
                scope.spawn(move || -> Result<(u64, Duration)> {
                    let mut reader = peer.reader()?;
                    let mut picks = Picks(0x1234_5678_9ABC_DEF1 + thread * 77);
                    let mut pass = |count: u64| -> Result<u64> {
                        let mut units = 0;
                        for _ in 0..count {
                            let n = picks.next(scale.rows) + if absent { scale.rows } else { 0 };
                            units += operation(&mut *reader, &scale.shape.key(n))?;
                        }
                        Ok(units)
                    };
                    // Warm: every database gets to fill its cache before the clock runs.
                    pass(scale.rows.min(200_000) / threads)?;
                    ready.wait();
                    let started = Clock::start(scale.processor_time);
                    let mut units = 0;
                    while !stop.load(Ordering::Relaxed) {
                        units += pass(64)?;
                    }
                    Ok((units, started.elapsed()?))
                })
            })
            .collect();
        ready.wait();
        std::thread::sleep(Duration::from_secs_f64(scale.seconds));
        stop.store(true, Ordering::Relaxed);
        let mut rate = 0.0;
        for worker in workers {
            let (units, spent) = worker.join().map_err(|_| "a reader panicked")??;
            rate += units as f64 / spent.as_secs_f64();
        }
        Ok(rate)
    })
}

fn full_scan(peer: &dyn Peer, scale: Scale) -> Result<f64> {
    let mut reader = peer.reader()?;
    let mut best = Vec::new();
    for _ in 0..3 {
        let started = Clock::start(scale.processor_time);
        let rows = reader.range(&[0], usize::MAX)?;
        best.push(rows as f64 / started.elapsed()?.as_secs_f64());
        if rows as u64 != scale.rows {
            return Err(format!("a full scan saw {rows} of {} rows", scale.rows).into());
        }
    }
    // The first scan warms, as the passes before the other measurements do.
    Ok(best[1..].iter().sum::<f64>() / 2.0)
}

fn batches(peer: &dyn Peer, scale: Scale) -> Result<f64> {
    let mut picks = Picks(99);
    let (mut written, mut spent) = (0, Duration::ZERO);
    while spent.as_secs_f64() < scale.seconds {
        let rows: Vec<_> = (0..1000).map(|_| row(scale, picks.next(scale.rows))).collect();
        let started = Instant::now();
        peer.commit(&rows, true)?;
        spent += started.elapsed();
        written += 1000;
    }
    Ok(f64::from(written) / spent.as_secs_f64())
}

/// Commits of one row by each of `writers`; commits a second, and the 99th percentile of their latency in µs.
fn singles(peer: &dyn Peer, scale: Scale, writers: u64) -> Result<(f64, f64)> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let started = Instant::now();
        let workers: Vec<_> = (0..writers)
            .map(|writer| {
                let stop = &stop;
                scope.spawn(move || -> Result<Vec<f64>> {
                    let mut picks = Picks(7 + writer * 1313);
                    let mut latencies = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let rows = [row(scale, picks.next(scale.rows))];
                        let began = Instant::now();
                        peer.commit(&rows, true)?;
                        latencies.push(began.elapsed().as_secs_f64() * 1e6);
                    }
                    Ok(latencies)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs_f64(scale.seconds));
        stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for worker in workers {
            latencies.extend(worker.join().map_err(|_| "a writer panicked")??);
        }
        let spent = started.elapsed().as_secs_f64();
        latencies.sort_by(f64::total_cmp);
        let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
        Ok((latencies.len() as f64 / spent, p99))
    })
}

/// Writes of 256 bytes into a file of zeros, each synced by itself: syncs a second.
pub fn raw_syncs(directory: &Path, seconds: f64) -> Result<f64> {
    use std::os::unix::fs::FileExt;
    const LENGTH: u64 = 4 << 20;
    let path = directory.join(format!("uncork-compare-{}-raw", std::process::id()));
    let file = std::fs::File::create(&path)?;
    file.write_all_at(&vec![0; LENGTH as usize], 0)?;
    file.sync_all()?;
    let started = Instant::now();
    let mut syncs = 0_u64;
    while started.elapsed().as_secs_f64() < seconds {
        file.write_all_at(&[syncs as u8; 256], syncs * 256 % LENGTH)?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = syncs as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// Two readers and two durable writers at once.
fn mixed(peer: &dyn Peer, scale: Scale) -> Result<(f64, f64)> {
    let stop = AtomicBool::new(false);
    let (reads, writes) = (AtomicU64::new(0), AtomicU64::new(0));
    let ready = Barrier::new(5);
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for thread in 0..2 {
            let (ready, stop, reads) = (&ready, &stop, &reads);
            workers.push(scope.spawn(move || -> Result<()> {
                let mut reader = peer.reader()?;
                let mut picks = Picks(31 + thread);
                // Warm, as before the other reads.
                for _ in 0..scale.rows.min(200_000) / 2 {
                    reader.get(&scale.shape.key(picks.next(scale.rows)))?;
                }
                ready.wait();
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..64 {
                        reader.get(&scale.shape.key(picks.next(scale.rows)))?;
                    }
                    reads.fetch_add(64, Ordering::Relaxed);
                }
                Ok(())
            }));
            let (stop, writes) = (stop, &writes);
            workers.push(scope.spawn(move || -> Result<()> {
                let mut picks = Picks(91 + thread);
                ready.wait();
                while !stop.load(Ordering::Relaxed) {
                    peer.commit(&[row(scale, picks.next(scale.rows))], true)?;
                    writes.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        ready.wait();
        let started = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(scale.seconds));
        let spent = started.elapsed().as_secs_f64();
        let done =
            (reads.load(Ordering::Relaxed) as f64 / spent, writes.load(Ordering::Relaxed) as f64 / spent);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "a worker panicked")??;
        }
        Ok(done)
    })
}

/// Resident set and its anonymous part, in MiB; zero where the system does not tell.
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    (field("VmRSS:"), field("RssAnon:"))
}

/// Bytes allocated to the files of a directory, in MiB.
fn disk(directory: &Path) -> Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            bytes += (disk(&entry.path())? * f64::from(1 << 20)) as u64;
        } else {
            use std::os::unix::fs::MetadataExt;
            bytes += metadata.blocks() * 512;
        }
    }
    Ok(bytes as f64 / f64::from(1 << 20))
}
