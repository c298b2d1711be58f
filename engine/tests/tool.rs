//! What the command does with wrong input, and with output that nobody reads to its end.
#![cfg(feature = "tool")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use uncork_engine::{Database, Durability, Options, WriteBatch};

fn tool(arguments: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uncork-engine"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn fails(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn filled(path: &Path, rows: u32) -> Database {
    let db = Database::open(path, Options { memory_budget: 4 << 20, ..Options::default() }).unwrap();
    let table = db.table("t").unwrap();
    let mut batch = WriteBatch::new();
    for n in 0..rows {
        batch.put(&table, &n.to_be_bytes(), &[b'v'; 100]).unwrap();
    }
    db.write(&batch, Durability::Sync).unwrap();
    db
}

#[test]
fn a_dump_ends_when_its_reader_has_seen_enough() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), 20_000));
    let mut dump = tool(&["dump".as_ref(), directory.path().as_ref()]);
    let mut dump = dump.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(dump.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "uncork-engine dump 1\n");
    let Output { status, stderr, .. } = dump.wait_with_output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{status} {}", String::from_utf8_lossy(&stderr));
}

#[test]
fn what_is_no_database_leaves_no_output() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    fs::write(&output, "kept").unwrap();
    let plain = directory.path().join("plain");
    fs::create_dir(&plain).unwrap();
    for from in [plain.as_path(), output.as_path(), &directory.path().join("missing")] {
        let message =
            fails(&mut tool(&["dump".as_ref(), from.as_ref(), "--output".as_ref(), output.as_ref()]));
        assert!(message.contains(from.to_str().unwrap()), "{message}");
        for command in ["dump", "check", "stat", "compact"] {
            let message = fails(&mut tool(&[command.as_ref(), from.as_ref()]));
            assert!(message.contains(from.to_str().unwrap()), "{command}: {message}");
        }
    }
    assert_eq!(fs::read(&output).unwrap(), b"kept");
    assert_eq!(fs::read_dir(&plain).unwrap().count(), 0);
}

#[test]
fn what_is_no_dump_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let (db, input) = (directory.path().join("db"), directory.path().join("input"));
    for text in [&b"something else\n"[..], b"", b"\xFF\xFE\0\x01", b"uncork-engine dump 10\n"] {
        fs::write(&input, text).unwrap();
        let load = ["load".as_ref(), db.as_os_str(), "--input".as_ref(), input.as_ref()];
        let message = fails(&mut tool(&load));
        assert!(message.contains("line 1: not a dump"), "{message}");
        assert!(!db.exists());
    }
    let missing = directory.path().join("missing");
    let message = fails(&mut tool(&["load".as_ref(), db.as_ref(), "--input".as_ref(), missing.as_ref()]));
    assert!(message.contains("missing") && !db.exists(), "{message}");
    for (line, text) in [(2, &b"00 00\n"[..]), (3, b"table 74\n0 0\n"), (3, b"table 74\n\xFF \xFF\n")] {
        fs::write(&input, [b"uncork-engine dump 1\n", text].concat()).unwrap();
        let load = ["load".as_ref(), db.as_os_str(), "--input".as_ref(), input.as_ref()];
        let message = fails(&mut tool(&load));
        assert!(message.contains(&format!("line {line}: ")), "{message}");
    }
}

#[test]
fn an_open_database_is_neither_checked_nor_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let db = filled(directory.path(), 10);
    for command in ["check", "dump", "stat", "compact"] {
        let message = fails(&mut tool(&[command.as_ref(), directory.path().as_ref()]));
        assert!(
            message.contains(&format!("in use by process {}", std::process::id())),
            "{command}: {message}"
        );
    }
    db.close().unwrap();
    assert!(tool(&["check".as_ref(), directory.path().as_ref()]).status().unwrap().success());
}

#[test]
fn a_backup_goes_into_an_empty_directory_only() {
    let directory = tempfile::tempdir().unwrap();
    let (db, to) = (directory.path().join("db"), directory.path().join("to"));
    drop(filled(&db, 10));
    fs::create_dir(&to).unwrap();
    fs::File::create(to.join("mine")).unwrap().write_all(b"mine").unwrap();
    let message = fails(&mut tool(&["backup".as_ref(), db.as_ref(), to.as_ref()]));
    assert!(message.contains("is not empty"), "{message}");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
}

/// Nobody writes to a database on a medium that cannot be written to; it can be read out all the same.
#[cfg(unix)]
#[test]
fn a_database_that_cannot_be_written_to_is_still_checked_and_dumped() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("db");
    drop(filled(&db, 10));
    let lock = db.join("LOCK");
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&db, fs::Permissions::from_mode(0o555)).unwrap();
    for command in ["check", "dump"] {
        assert!(tool(&[command.as_ref(), db.as_ref()]).output().unwrap().status.success(), "{command}");
    }
    fs::set_permissions(&db, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Measurements take room; broken off, they leave none taken.
#[cfg(unix)]
#[test]
fn a_measurement_that_is_broken_off_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut bench =
        tool(&["bench".as_ref(), "--rows=1000000".as_ref(), "--directory".as_ref(), path.as_ref()]);
    let mut bench = bench.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(bench.stdout.take().unwrap());
    // The heading comes when the database is there.
    out.read_line(&mut String::new()).unwrap();
    let interrupt = Command::new("kill").arg("-INT").arg(bench.id().to_string()).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
}
