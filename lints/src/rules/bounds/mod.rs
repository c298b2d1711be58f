//! What grows without end.

mod lifetimes;
pub mod unbounded_cache;
