//! Reading ahead: every file that a file read so far leads to, on all cores, without waiting for its siblings.

use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::Scope;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Read, Reading, Wanted};

/// What was read, by path.
#[derive(Default)]
pub(super) struct Ahead {
    asked: Mutex<FxHashSet<Utf8PathBuf>>,
    read: Mutex<FxHashMap<Utf8PathBuf, Read>>,
}

impl Ahead {
    /// Takes a file that was read. None if nothing led to it.
    pub(super) fn take(&self, path: &Utf8Path) -> Option<Read> {
        lock(&self.read).remove(path)
    }
}

/// What another thread left is whole: sets and maps are only ever added to.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads `roots` and all they lead to. Each file once, as the first to name it wants it.
pub(super) fn read(root: &Utf8Path, roots: &[Wanted], how: &Reading<'_>) -> Ahead {
    let ahead = Ahead::default();
    rayon::scope(|scope| {
        for wanted in roots {
            follow(root, how, &ahead, scope, wanted.clone());
        }
    });
    ahead
}

fn follow<'s>(root: &'s Utf8Path, how: &'s Reading<'_>, ahead: &'s Ahead, scope: &Scope<'s>, wanted: Wanted) {
    if how.exclude.is_match(&wanted.path) || !lock(&ahead.asked).insert(wanted.path.clone()) {
        return;
    }
    scope.spawn(move |scope| {
        let read = Read::new(root, &wanted, how);
        for child in &read.children {
            follow(root, how, ahead, scope, child.clone());
        }
        lock(&ahead.read).insert(wanted.path, read);
    });
}
