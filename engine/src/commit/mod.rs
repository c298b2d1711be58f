//! The path of a commit: queued, grouped, checked for conflicts, logged, synced, put into memtables, made visible.

mod leader;
mod queue;
mod window;

pub(crate) use leader::{Commit, Job, Leader};
pub(crate) use queue::Queue;
pub(crate) use window::{ReadRange, ReadSet, Window};

/// Encoded bytes of a group beyond which it takes no further commit.
pub(crate) const GROUP_BYTES: usize = 4 << 20;
