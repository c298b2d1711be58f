//! The rules, one file each, listed once.

pub mod bounds;
pub mod contention;
pub mod duplication;

use crate::rule::Rule;

/// All rules in the catalogue's order.
pub const ALL: &[&Rule] = &[
    &contention::shared_map_lock::RULE,
    &bounds::unbounded_cache::RULE,
    &duplication::duplicate_manager::RULE,
    &duplication::duplicate_method::RULE,
    &duplication::duplicate_handler::RULE,
];
