//! Transactional writing, with every operation failing in turn.

use std::cell::Cell;
use std::fs;
use std::io;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::write::{Disk, Recovered, RunLock, Step, Target, Transaction, WriteError, recover};

struct Tree {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Tree {
    fn new() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        fs::create_dir(root.join("src")).unwrap();
        for name in ["a", "b", "c"] {
            fs::write(root.join(format!("src/{name}.rs")), format!("old {name}\r\n")).unwrap();
        }
        fs::write(root.join("Cargo.lock"), "old lock").unwrap();
        Tree { _dir: dir, root }
    }

    fn state(&self) -> Utf8PathBuf {
        self.root.join("target/uncork")
    }

    fn lock(&self) -> RunLock {
        RunLock::acquire(&self.state()).unwrap()
    }

    fn targets(&self) -> Vec<Target> {
        ["a", "b", "c"]
            .map(|name| Target {
                path: self.root.join(format!("src/{name}.rs")),
                old: format!("old {name}\r\n").into(),
                new: format!("new {name}\r\n").into(),
            })
            .into()
    }

    fn watched(&self) -> Vec<Utf8PathBuf> {
        vec![self.root.join("Cargo.lock")]
    }

    /// What the three files begin with, if all agree and nothing else lies beside them.
    fn all(&self) -> Option<String> {
        let mut names: Vec<String> = self
            .root
            .join("src")
            .read_dir_utf8()
            .unwrap()
            .map(|e| e.unwrap().file_name().to_owned())
            .collect();
        names.sort();
        if names != ["a.rs", "b.rs", "c.rs"] {
            return None;
        }
        let begin = |name: &str| read(&self.root.join("src").join(name))[..3].to_owned();
        let first = begin("a.rs");
        names.iter().all(|n| begin(n) == first).then_some(first)
    }
}

fn read(path: &Utf8Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn go() -> AtomicBool {
    AtomicBool::new(false)
}

#[test]
fn commit_keeps_and_roll_back_restores() {
    let tree = Tree::new();
    let lock = tree.lock();
    let mut disk = Disk::default();
    let written = Transaction::write(&lock, &tree.targets(), &tree.watched(), &go(), &mut disk).unwrap();
    assert_eq!(tree.all().as_deref(), Some("new"));
    fs::write(tree.root.join("Cargo.lock"), "changed by cargo").unwrap();
    written.roll_back(&mut disk).unwrap();
    assert_eq!(tree.all().as_deref(), Some("old"));
    assert_eq!(read(&tree.root.join("Cargo.lock")), "old lock");

    let written = Transaction::write(&lock, &tree.targets(), &tree.watched(), &go(), &mut disk).unwrap();
    written.commit(&mut disk).unwrap();
    assert_eq!(tree.all().as_deref(), Some("new"));
    assert_eq!(recover(&lock, &mut disk).unwrap(), Recovered::default());
    assert_eq!(tree.all().as_deref(), Some("new"));
}

#[test]
fn a_dropped_transaction_is_rolled_back() {
    let tree = Tree::new();
    let lock = tree.lock();
    drop(Transaction::write(&lock, &tree.targets(), &[], &go(), &mut Disk::default()).unwrap());
    assert_eq!(tree.all().as_deref(), Some("old"));
}

/// Each operation fails once, as on a full disk; the tree is as it was each time, with nothing left lying about.
#[test]
fn a_failure_at_any_step_leaves_all_as_it_was() {
    for fail_at in 0.. {
        let tree = Tree::new();
        let lock = tree.lock();
        let count = Rc::new(Cell::new(0));
        let seen = count.clone();
        let mut disk = Disk::with_hook(move |_| {
            seen.set(seen.get() + 1);
            if seen.get() == fail_at + 1 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        });
        let outcome = Transaction::write(&lock, &tree.targets(), &tree.watched(), &go(), &mut disk)
            .and_then(|written| written.commit(&mut disk));
        if outcome.is_ok() {
            assert_eq!(tree.all().as_deref(), Some("new"));
            assert!(fail_at > 20, "only {fail_at} steps");
            break;
        }
        assert_eq!(tree.all().as_deref(), Some("old"), "after failing at step {fail_at}");
        let after = recover(&lock, &mut Disk::default()).unwrap();
        assert_eq!(after, Recovered::default(), "after failing at step {fail_at}");
    }
}

#[test]
fn a_file_changed_since_is_refused_and_nothing_is_lost() {
    let tree = Tree::new();
    let lock = tree.lock();
    fs::write(tree.root.join("src/b.rs"), "old b, edited by hand").unwrap();
    let refused = Transaction::write(&lock, &tree.targets(), &[], &go(), &mut Disk::default());
    assert!(matches!(refused, Err(WriteError::Changed(path)) if path.ends_with("src/b.rs")));
    assert_eq!(read(&tree.root.join("src/b.rs")), "old b, edited by hand");
    assert_eq!(tree.all().as_deref(), Some("old"));
}

#[test]
fn a_file_changed_while_writing_is_kept() {
    let tree = Tree::new();
    let lock = tree.lock();
    let last = tree.root.join("src/c.rs");
    let edited = last.clone();
    let mut disk = Disk::with_hook(move |step| {
        if matches!(step, Step::Create(path) if path.file_name() == Some(".c.rs.uncork")) {
            fs::write(&edited, "old c, edited by hand")?;
        }
        Ok(())
    });
    let refused = Transaction::write(&lock, &tree.targets(), &[], &go(), &mut disk);
    assert!(matches!(refused, Err(WriteError::Changed(_))));
    assert_eq!(read(&last), "old c, edited by hand");
    assert_eq!(read(&tree.root.join("src/a.rs")), "old a\r\n");
}

#[test]
fn a_file_changed_after_writing_is_kept_on_roll_back_and_its_original_saved() {
    let tree = Tree::new();
    let lock = tree.lock();
    let mut disk = Disk::default();
    let written = Transaction::write(&lock, &tree.targets(), &[], &go(), &mut disk).unwrap();
    fs::write(tree.root.join("src/b.rs"), "new b, edited by hand").unwrap();
    let done = written.roll_back(&mut disk).unwrap();
    assert_eq!(read(&tree.root.join("src/b.rs")), "new b, edited by hand");
    assert_eq!(done.kept.len(), 1);
    assert_eq!(read(&done.kept[0].1), "old b\r\n");
    assert_eq!(read(&tree.root.join("src/a.rs")), "old a\r\n");
}

#[test]
fn an_interruption_stops_between_files() {
    let tree = Tree::new();
    let lock = tree.lock();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let pressed = stop.clone();
    let mut disk = Disk::with_hook(move |step| {
        if matches!(step, Step::Rename(path) if path.file_name() == Some("a.rs")) {
            pressed.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    });
    let stopped = Transaction::write(&lock, &tree.targets(), &[], &stop, &mut disk);
    assert!(matches!(stopped, Err(WriteError::Interrupted)));
    assert_eq!(tree.all().as_deref(), Some("old"));
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let tree = Tree::new();
    let _held = tree.lock();
    let refused = RunLock::acquire(&tree.state());
    let own = std::process::id();
    assert!(matches!(refused, Err(WriteError::Locked { pid: Some(pid) }) if pid == own));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Utf8Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn modes_survive_and_links_are_written_through() {
        let tree = Tree::new();
        let lock = tree.lock();
        fs::set_permissions(tree.root.join("src/a.rs"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::rename(tree.root.join("src/b.rs"), tree.root.join("real.rs")).unwrap();
        symlink("../real.rs", tree.root.join("src/b.rs")).unwrap();
        let mut disk = Disk::default();
        let written = Transaction::write(&lock, &tree.targets(), &[], &go(), &mut disk).unwrap();
        written.commit(&mut disk).unwrap();
        assert_eq!(mode(&tree.root.join("src/a.rs")), 0o640);
        assert!(fs::symlink_metadata(tree.root.join("src/b.rs")).unwrap().is_symlink());
        assert_eq!(read(&tree.root.join("real.rs")), "new b\r\n");
    }

    #[test]
    fn read_only_files_and_folders_are_refused() {
        for (path, locked, free) in [("src/b.rs", 0o444, 0o644), ("src", 0o555, 0o755)] {
            let tree = Tree::new();
            let lock = tree.lock();
            fs::set_permissions(tree.root.join(path), fs::Permissions::from_mode(locked)).unwrap();
            let refused = Transaction::write(&lock, &tree.targets(), &[], &go(), &mut Disk::default());
            assert!(matches!(&refused, Err(WriteError::ReadOnly(p)) if p.ends_with(path)), "{refused:?}");
            drop(refused);
            fs::set_permissions(tree.root.join(path), fs::Permissions::from_mode(free)).unwrap();
            assert_eq!(tree.all().as_deref(), Some("old"));
        }
    }
}
