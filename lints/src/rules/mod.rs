//! The rules, one file each, listed once.

pub mod bounds;
pub mod contention;
pub mod copies;
pub mod duplication;
mod held;
mod making;
pub mod reliability;
pub mod tool;

use crate::rule::Rule;

/// All rules in the catalogue's order.
pub const ALL: &[&Rule] = &[
    &contention::shared_map_lock::RULE,
    &contention::lock_across_io::RULE,
    &contention::lock_across_await::RULE,
    &contention::lock_reacquired::RULE,
    &contention::lock_order_cycle::RULE,
    &contention::shard_guard_reentry::RULE,
    &reliability::lock_unwrap::RULE,
    &bounds::unbounded_cache::RULE,
    &copies::clone_in_loop::RULE,
    &duplication::duplicate_manager::RULE,
    &duplication::duplicate_method::RULE,
    &duplication::duplicate_handler::RULE,
    &tool::unused_suppression::RULE,
    &tool::unreadable_file::RULE,
];
