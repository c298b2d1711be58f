//! What grows without end.

pub mod unbounded_cache;
