//! What grows without end.

mod building;
mod callers;
mod lifetimes;
mod scopes;
pub mod unbounded_cache;
