//! What grows without end.

mod callers;
mod lifetimes;
mod scopes;
pub mod unbounded_cache;
