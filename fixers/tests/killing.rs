//! A process killed at every step of a write, and of the recovery after it. Runs itself as the process to kill.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::write::{Disk, RunLock, Target, Transaction, recover};

const ROOT: &str = "UNCORK_TEST_KILL_ROOT";
const STEP: &str = "UNCORK_TEST_KILL_STEP";
const TASK: &str = "UNCORK_TEST_KILL_TASK";

fn main() {
    if let Ok(root) = std::env::var(ROOT) {
        return victim(Utf8Path::new(&root));
    }
    killed_while_writing();
    killed_while_recovering();
    killed_by_a_real_write_failure();
    println!("killing: ok");
}

fn files(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    ["a.rs", "b.rs", "Cargo.toml"].iter().map(|n| root.join(n)).collect()
}

fn old(path: &Utf8Path) -> Vec<u8> {
    format!("old {path}\n").repeat(40).into_bytes()
}

fn new(path: &Utf8Path) -> Vec<u8> {
    format!("new {path}\n").repeat(40).into_bytes()
}

/// Writes and commits, or recovers; at the step asked for it says so and waits to be killed.
fn victim(root: &Utf8Path) {
    let stop_at: u32 = std::env::var(STEP).unwrap().parse().unwrap();
    let count = Cell::new(0);
    let mut disk = Disk::with_hook(move |_| {
        count.set(count.get() + 1);
        if count.get() == stop_at {
            println!("reached");
            std::io::stdout().flush()?;
            loop {
                std::thread::park();
            }
        }
        Ok(())
    });
    let lock = RunLock::acquire(&root.join("target/uncork")).unwrap();
    if std::env::var(TASK).as_deref() == Ok("recover") {
        recover(&lock, &mut disk).unwrap();
    } else {
        let targets: Vec<Target> =
            files(root).into_iter().map(|p| Target { old: old(&p), new: new(&p), path: p }).collect();
        match Transaction::write(&lock, &targets, &[], &AtomicBool::new(false), &mut disk) {
            Ok(written) => written.commit(&mut disk).unwrap(),
            Err(e) => {
                println!("failed: {e}");
                return;
            }
        }
    }
    println!("done");
}

/// Runs the victim; whether it reached the step and was killed there.
fn kill_at(root: &Utf8Path, task: &str, step: u32) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(ROOT, root)
        .env(STEP, step.to_string())
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let reached = line.trim() == "reached";
    assert!(reached || line.trim() == "done", "{line}");
    if reached {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    reached
}

fn tree() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
    for path in files(&root) {
        fs::write(&path, old(&path)).unwrap();
    }
    (dir, root)
}

/// Whether all files are as `make` says; that they are all alike and that nothing else lies about is demanded.
fn all_new(root: &Utf8Path) -> bool {
    let count = root.read_dir_utf8().unwrap().count();
    assert_eq!(count, files(root).len() + 1, "something was left behind");
    assert!(!root.join("target/uncork/journal").exists());
    let is_new: Vec<bool> = files(root)
        .iter()
        .map(|p| {
            let now = fs::read(p).unwrap();
            assert!(now == old(p) || now == new(p), "{p} is neither old nor new");
            now == new(p)
        })
        .collect();
    assert!(is_new.iter().all(|&n| n == is_new[0]), "half-done: {is_new:?}");
    is_new[0]
}

fn killed_while_writing() {
    let mut outcomes = Vec::new();
    for step in 1.. {
        let (_dir, root) = tree();
        let killed = kill_at(&root, "write", step);
        let lock = RunLock::acquire(&root.join("target/uncork")).unwrap();
        recover(&lock, &mut Disk::default()).unwrap();
        outcomes.push(all_new(&root));
        if !killed {
            break;
        }
    }
    assert!(outcomes.len() > 30, "only {} steps", outcomes.len());
    // Old until the commit, new from it on.
    assert!(outcomes.is_sorted() && !outcomes[0] && outcomes[outcomes.len() - 1], "{outcomes:?}");
}

fn killed_while_recovering() {
    // Far enough that all files are new, but not committed.
    let mut last = 0;
    for step in 1.. {
        let (_dir, root) = tree();
        if !kill_at(&root, "write", step) {
            break;
        }
        if fs::read(root.join("Cargo.toml")).unwrap() == new(&root.join("Cargo.toml"))
            && root.join("target/uncork/journal/journal.json").exists()
        {
            last = step;
        }
    }
    assert!(last > 0);
    let mut steps = 0;
    for step in 1.. {
        let (_dir, root) = tree();
        assert!(kill_at(&root, "write", last));
        let killed = kill_at(&root, "recover", step);
        let lock = RunLock::acquire(&root.join("target/uncork")).unwrap();
        recover(&lock, &mut Disk::default()).unwrap();
        assert!(!all_new(&root));
        steps += 1;
        if !killed {
            break;
        }
    }
    assert!(steps > 10, "only {steps} steps");
}

/// The system itself refuses to write more than a block: an error, and everything as it was.
#[cfg(unix)]
fn killed_by_a_real_write_failure() {
    let (_dir, root) = tree();
    let exe = std::env::current_exe().unwrap();
    let out = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\""])
        .arg(exe)
        .env(ROOT, &root)
        .env(STEP, "1000000")
        .env(TASK, "write")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.starts_with("failed: cannot write"), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(!all_new(&root));
}

#[cfg(not(unix))]
fn killed_by_a_real_write_failure() {}
