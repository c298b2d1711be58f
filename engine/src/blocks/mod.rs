//! Getting at the bytes of a run's blocks: maps, the cache, and handles that keep either alive.

pub(crate) mod arena;
pub mod cache;
pub(crate) mod gauge;
pub mod lease;
pub(crate) mod pages;
pub mod pinned;
pub mod pool;
pub(crate) mod prefetch;
pub(crate) mod resident;
pub(crate) mod trim;
