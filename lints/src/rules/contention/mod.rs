//! Threads that wait for each other.

pub mod shared_map_lock;
