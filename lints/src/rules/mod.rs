//! The rules, one file each, listed once.

use crate::rule::Rule;

/// All rules in the catalogue's order.
pub const ALL: &[&Rule] = &[];
