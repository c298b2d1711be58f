//! Getting at the bytes of a run's blocks: maps, the cache, and handles that keep either alive.

pub mod cache;
pub mod lease;
pub mod pinned;
pub mod pool;
pub(crate) mod resident;
pub(crate) mod trim;
