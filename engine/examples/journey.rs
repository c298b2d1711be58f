//! A user's whole path, at any size: load, open, query, back up while writing, restore, check, compare; and what a second
//! process is told meanwhile.
//!
//! `cargo run --release -p uncork-engine --example journey -- <empty directory> [rows, 10000000 if left out]`

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use uncork_engine::storage::sim::Random;
use uncork_engine::storage::{Disk, Storage};
use uncork_engine::{Database, Durability, Options, Table, WriteBatch};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Name of the table.
const TABLE: &str = "events";

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let directory = Path::new(&directory);
    match arguments.next().as_deref() {
        Some("second") => second(directory),
        Some(rows) => journey(directory, rows.parse()?),
        None => journey(directory, 10_000_000),
    }
}

/// What another process does.
fn second(directory: &Path) -> Outcome<()> {
    match Database::open(directory, Options::default()) {
        Ok(_) => Err("two processes have it".into()),
        Err(error) => {
            println!("{error}");
            Ok(())
        }
    }
}

fn journey(directory: &Path, rows: u64) -> Outcome<()> {
    let (original, backup, copy) = (directory.join("db"), directory.join("backup"), directory.join("copy"));
    timed("load", || load(&original, rows))?;
    let db = timed("open", || Ok(Database::open(&original, Options::default())?))?;
    let table = db.table(TABLE)?;
    timed("100,000 gets and 1,000 ranges", || query(&table, rows))?;
    let told = Command::new(std::env::current_exe()?).arg(&original).arg("second").output()?;
    println!("a second process: {}", String::from_utf8_lossy(&told.stdout).trim());
    timed("backup while writing", || back_up(&db, &table, rows, &backup))?;
    db.close()?;

    for path in [&original, &backup] {
        timed("check", || check(path))?;
    }
    let restored = Database::open(&backup, Options::default())?;
    let before = timed("scan of the backup", || sum(&restored.table(TABLE)?, rows))?;
    restored.close()?;
    let db = Database::open(&original, Options::default())?;
    let after = timed("scan of the original", || sum(&db.table(TABLE)?, rows))?;
    db.close()?;
    if before.0 != rows || before != after {
        return Err(format!("backup and original differ: {before:?}, {after:?}").into());
    }
    println!("the loaded rows are the same in both, {} of them", before.0);

    let loaded = timed("dump and load", || rebuild(&backup, &copy))?;
    let copied = Database::open(&copy, Options::default())?;
    if sum(&copied.table(TABLE)?, rows)? != before {
        return Err("the copy differs".into());
    }
    copied.close()?;
    check(&copy)?;
    println!("and in a copy made by dump and load, {loaded} rows in all");
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let started = Instant::now();
    let outcome = work()?;
    println!("{what}: {:.2} s", started.elapsed().as_secs_f64());
    Ok(outcome)
}

/// Keys in no order: the odd multiplier turns every number into another.
fn key(n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    for (to, word) in key.chunks_exact_mut(8).zip([n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n]) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    key
}

fn value(n: u64) -> String {
    let id = Random::new(n).next_u64();
    format!(
        "{{\"id\":{id},\"user\":{},\"action\":\"view\",\"item\":\"{:x}\",\"ok\":true}}",
        id % 50_000,
        id >> 20
    )
}

fn load(path: &Path, rows: u64) -> Outcome<()> {
    let db = Database::open(path, Options::default())?;
    let table = db.table(TABLE)?;
    let mut batch = WriteBatch::new();
    for n in 0..rows {
        batch.put(&table, &key(n), value(n).as_bytes())?;
        if batch.len() == 2000 {
            db.write(&batch, Durability::Buffered)?;
            batch.clear();
        }
    }
    db.write(&batch, Durability::Sync)?;
    Ok(db.close()?)
}

fn query(table: &Table, rows: u64) -> Outcome<()> {
    let mut random = Random::new(1);
    for _ in 0..100_000 {
        let n = random.below(rows);
        if table.get(&key(n))?.as_deref() != Some(value(n).as_bytes()) {
            return Err(format!("row {n} is wrong").into());
        }
    }
    for _ in 0..1000 {
        let key = key(random.below(rows));
        let mut range = table.range(key.as_slice()..)?;
        for _ in 0..100 {
            if range.next_ref()?.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Rows written meanwhile have numbers from `rows` on.
fn back_up(db: &Database, table: &Table, rows: u64, to: &Path) -> Outcome<()> {
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in rows.. {
                table.put(&key(n), value(n).as_bytes())?;
                written.fetch_add(1, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok::<_, uncork_engine::Error>(())
        });
        let backed_up = db.backup(to);
        stop.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| "the writer panicked")??;
        println!("{} rows written meanwhile", written.load(Ordering::Relaxed));
        Ok(backed_up?)
    })
}

/// How many of the loaded rows there are, and a sum over them.
fn sum(table: &Table, rows: u64) -> Outcome<(u64, u64)> {
    let (mut count, mut sum) = (0, 0_u64);
    let mut all = table.iter()?;
    while let Some((key, value)) = all.next_ref()? {
        let number = key.last_chunk().map_or(u64::MAX, |n| u64::from_be_bytes(*n));
        if number < rows {
            count += 1;
            sum = sum.wrapping_add(uncork_engine::key::hash(key) ^ uncork_engine::key::hash(value));
        }
    }
    Ok((count, sum))
}

fn check(path: &Path) -> Outcome<()> {
    let disk: Arc<dyn Storage> = Arc::new(Disk::default());
    let report = uncork_engine::check(&disk, path)?;
    match report.damage.first() {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

/// Writes all rows of one database into another, as the commands `dump` and `load` do.
fn rebuild(from: &Path, to: &Path) -> Outcome<u64> {
    let db = Database::open(to, Options::default())?;
    let disk: Arc<dyn Storage> = Arc::new(Disk::default());
    let (mut batch, mut count) = (WriteBatch::new(), 0);
    let missing = uncork_engine::dump(&disk, from, &mut |name, key, value| {
        batch.put(&db.dumped_table(name)?, key, value)?;
        count += 1;
        if batch.len() == 2000 {
            db.write(&batch, Durability::Buffered)?;
            batch.clear();
        }
        Ok(())
    })?;
    db.write(&batch, Durability::Sync)?;
    db.close()?;
    if missing.is_empty() { Ok(count) } else { Err("not all could be dumped".into()) }
}
