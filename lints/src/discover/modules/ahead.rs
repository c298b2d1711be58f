//! Reading ahead: every file that a file read so far leads to, on all cores, without waiting for its siblings.

use camino::{Utf8Path, Utf8PathBuf};
use dashmap::{DashMap, DashSet};
use rayon::Scope;
use rustc_hash::FxBuildHasher;

use super::{Read, Reading, Wanted};

/// What was read, by path.
#[derive(Default)]
pub(super) struct Ahead {
    asked: DashSet<Utf8PathBuf, FxBuildHasher>,
    read: DashMap<Utf8PathBuf, Read, FxBuildHasher>,
}

impl Ahead {
    /// Takes a file that was read. None if nothing led to it.
    pub(super) fn take(&self, path: &Utf8Path) -> Option<Read> {
        self.read.remove(path).map(|(_, read)| read)
    }
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
    if how.exclude.is_match(&wanted.path) || !ahead.asked.insert(wanted.path.clone()) {
        return;
    }
    scope.spawn(move |scope| {
        let read = Read::new(root, &wanted, how);
        for child in &read.children {
            follow(root, how, ahead, scope, child.clone());
        }
        ahead.read.insert(wanted.path, read);
    });
}
