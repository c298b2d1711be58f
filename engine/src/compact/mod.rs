//! Compaction: which runs to merge, and merging them.
//!
//! New data arrives as *young* runs, which may overlap. They are merged with each other while they are small beside the
//! *base*, a sequence of disjoint runs sorted by key, and into the base when they have grown to a fair part of it.
//! A read looks at few runs, and a row is rewritten a bounded number of times.

mod execute;
mod gc;
mod limiter;
mod pick;
#[cfg(test)]
mod tests;

pub use execute::{CompactEnv, execute};
pub use gc::Gc;
pub use limiter::RateLimiter;
pub(crate) use pick::delay_for;
pub use pick::{CompactOptions, Job, Pressure, TableRuns, pick, pick_all, runs_inside};
