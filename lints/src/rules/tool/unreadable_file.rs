//! Reports a file that belongs to the code but cannot be read: it does not parse, is not UTF-8, holds a NUL byte outside of
//! literals and comments, nests too deeply, or the system refuses it. The rest of the code is analysed all the same, and the
//! exit status is 2.
//!
//! ## Why it is bad
//!
//! What is not read is not checked: a clean report would claim too much.
//!
//! ## Use instead
//!
//! Mend the file, or leave it out with `exclude` in `uncork.toml`.

use crate::finding::{Level, Severity};
use crate::rule::{Group, Rule};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "unreadable-file",
    group: Group::Tool,
    level: Level::Deny,
    severity: Severity::High,
    since: "0.1.0",
    fix: None,
    summary: "a file of the code that cannot be read or parsed",
    source: include_str!("unreadable_file.rs"),
    // Discovery raises it.
    check: |_, _| {},
};
