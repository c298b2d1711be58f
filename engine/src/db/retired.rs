//! Runs and memtables that have left their table, kept until nobody reads them any more.
//!
//! Whoever drops the last share of a run unmaps its file and removes it, which a file system may make wait for the sync of
//! another file; whoever drops the last share of a memtable frees ten thousands of rows. A reader must not be the one. So a
//! share of each is kept here, and the threads that flush and merge let go of it once it is the only one left.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::memtable::Memtable;
use crate::run::Run;

/// What has left its table.
#[derive(Debug, Default)]
pub(crate) struct Retired(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    runs: Vec<Arc<Run>>,
    memtables: Vec<Arc<Memtable>>,
}

impl Retired {
    /// Keeps runs, whose files go when nobody reads them any more.
    pub(crate) fn runs(&self, runs: impl IntoIterator<Item = Arc<Run>>) {
        let runs = runs.into_iter().inspect(|run| run.remove_on_drop());
        self.0.lock().runs.extend(runs);
    }

    /// Keeps memtables.
    pub(crate) fn memtables(&self, memtables: impl IntoIterator<Item = Arc<Memtable>>) {
        self.0.lock().memtables.extend(memtables);
    }

    /// Lets go of what nobody else has. What is shared with nobody cannot become so again: no table leads to it. Returns how
    /// much of memtables was freed.
    pub(crate) fn release(&self) -> u64 {
        let unused = {
            let mut kept = self.0.lock();
            let Kept { runs, memtables } = &mut *kept;
            let runs: Vec<_> = runs.extract_if(.., |run| Run::is_unshared(run)).collect();
            let memtables: Vec<_> = memtables.extract_if(.., |table| Arc::strong_count(table) == 1).collect();
            (runs, memtables)
        };
        let freed = unused.1.iter().map(|memtable| memtable.bytes() as u64).sum();
        drop(unused);
        freed
    }

    /// Whether anything is kept.
    pub(crate) fn is_empty(&self) -> bool {
        let kept = self.0.lock();
        kept.runs.is_empty() && kept.memtables.is_empty()
    }
}
