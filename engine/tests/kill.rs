//! Real processes, killed at any moment, on the real disk.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use uncork_engine::storage::sim::Random;
use uncork_engine::{Database, Durability, Error, LogOptions, Options, WriteBatch};

const CHILD: &str = "UNCORK_KILL_CHILD";

fn options() -> Options {
    let log = LogOptions { segment_bytes: 256 << 10, ..LogOptions::default() };
    let mut options =
        Options { memory_budget: 2 << 20, write_buffer_bytes: 32 << 10, log, ..Options::default() };
    options.compaction.young_trigger = 2;
    options
}

/// Writes numbered commits into two tables, says so after each, and never ends.
fn child(directory: &Path) {
    let db = Database::open(directory, options()).unwrap();
    let (left, right) = (db.table("left").unwrap(), db.table("right").unwrap());
    let mut out = std::io::stdout();
    let first = left.iter().unwrap().count() as u64;
    for n in first.. {
        let mut batch = WriteBatch::new();
        batch.put(&left, &n.to_be_bytes(), &[n as u8; 200]).unwrap();
        batch.put(&right, &n.to_be_bytes(), &[n as u8; 50]).unwrap();
        let durability = if n % 4 == 0 { Durability::Sync } else { Durability::Buffered };
        db.write(&batch, durability).unwrap();
        writeln!(out, "done {n}").unwrap();
        out.flush().unwrap();
    }
}

fn rounds() -> u64 {
    std::env::var("KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

#[test]
fn killed_processes_lose_nothing_they_acknowledged() {
    if let Some(directory) = std::env::var_os(CHILD) {
        return child(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random::new(1);
    let mut total = 0;
    for round in 0..rounds() {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed_processes_lose_nothing_they_acknowledged",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            // A killed process may leave half a line.
            let lines = output.lines().map_while(Result::ok);
            lines.filter_map(|line| line.rsplit("done ").next()?.parse::<u64>().ok()).last()
        });
        std::thread::sleep(Duration::from_millis(40 + random.below(120)));
        process.kill().unwrap();
        process.wait().unwrap();
        // Without power loss even buffered commits survive: the system has them.
        let acknowledged = reader.join().unwrap();
        let db = Database::open(directory.path(), options()).unwrap();
        let (left, right) = (db.table("left").unwrap(), db.table("right").unwrap());
        let numbers: Vec<u64> = left
            .iter()
            .unwrap()
            .map(|row| u64::from_be_bytes((*row.unwrap().0).try_into().unwrap()))
            .collect();
        assert!(
            numbers.iter().copied().eq(0..numbers.len() as u64),
            "round {round}: none in the middle is missing"
        );
        assert!(
            left.iter()
                .unwrap()
                .map(|row| row.unwrap().0)
                .eq(right.iter().unwrap().map(|row| row.unwrap().0))
        );
        let last = numbers.last().copied();
        assert!(last >= acknowledged, "round {round}: {last:?} is there, {acknowledged:?} was acknowledged");
        total = numbers.len();
        db.close().unwrap();
        let storage: std::sync::Arc<dyn uncork_engine::storage::Storage> =
            std::sync::Arc::new(uncork_engine::storage::Disk::default());
        let report = uncork_engine::check(&storage, directory.path()).unwrap();
        assert!(report.damage.is_empty(), "round {round}: {:?}", report.damage);
    }
    println!("{} processes killed, {total} commits, none lost", rounds());
    assert!(total > 0);
}

#[test]
fn another_process_is_told_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path(), options()).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_uncork-engine")).arg("stat").arg(directory.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(message.contains(&format!("in use by process {}", std::process::id())), "{message}");
    drop(db);
    let Err(Error::Foreign { .. }) = Database::open(directory.path().join(".."), options()) else {
        panic!("not a directory of ours")
    };
}

#[test]
fn the_command_dumps_loads_backs_up_and_checks() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let db = Database::open(path("db"), options()).unwrap();
    let (table, other) = (db.table("rows").unwrap(), db.table("näme").unwrap());
    for n in 0..2000_u32 {
        let mut batch = WriteBatch::new();
        batch.put(&table, &n.to_be_bytes(), &n.to_le_bytes().repeat(9)).unwrap();
        batch.put(&other, &[n as u8], b"").unwrap();
        db.write(&batch, Durability::Buffered).unwrap();
    }
    db.close().unwrap();
    let command = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_uncork-engine")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (db, text) = (path("db"), path("text"));
    command(&["dump".as_ref(), db.as_ref(), "--output".as_ref(), text.as_ref()]);
    command(&["load".as_ref(), path("copy").as_ref(), "--input".as_ref(), text.as_ref()]);
    command(&["backup".as_ref(), db.as_ref(), path("backup").as_ref()]);
    command(&["compact".as_ref(), db.as_ref()]);
    let dump = |name: &str| command(&["dump".as_ref(), path(name).as_ref()]);
    assert_eq!(dump("db").lines().count(), 1 + 2 + 2000 + 256);
    assert_eq!(dump("db"), dump("copy"));
    assert_eq!(dump("db"), dump("backup"));
    for name in ["db", "copy", "backup"] {
        assert!(command(&["check".as_ref(), path(name).as_ref()]).contains("no damage found"));
        assert!(command(&["stat".as_ref(), path(name).as_ref()]).contains("\"rows\": 2000 rows"));
    }
    let bench: [&std::ffi::OsStr; 7] = [
        "bench".as_ref(),
        "--rows=2000".as_ref(),
        "--seconds=0.02".as_ref(),
        "--memory=16".as_ref(),
        "--directory".as_ref(),
        directory.path().as_ref(),
        "--value-bytes=50".as_ref(),
    ];
    let table = command(&bench);
    assert!(table.contains("full scan") && table.contains("open, 10 gets, close"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 60), "readable at 60 columns:\n{table}");
}
