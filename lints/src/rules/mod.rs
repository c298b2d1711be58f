//! The rules, one file each, listed once.

pub mod bounds;
pub mod contention;

use crate::rule::Rule;

/// All rules in the catalogue's order.
pub const ALL: &[&Rule] = &[&contention::shared_map_lock::RULE, &bounds::unbounded_cache::RULE];
