//! Flow inside one function: control flow, drop scopes, guard regions, liveness.

pub mod build;
pub mod cfg;
pub mod regions;
pub mod types;
pub mod units;
pub mod walk;
