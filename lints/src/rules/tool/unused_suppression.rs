//! Finds a comment `// uncork: allow(rule)` that silences nothing: the finding it was for is gone, the rule's name is
//! misspelt, or the comment is not understood.
//!
//! ## Why it is bad
//!
//! A suppression that outlives its reason hides the next finding on that line, which nobody has judged.
//!
//! ## Example
//!
//! ```rust
//! // uncork: allow(lock-across-io) the file is only open for one write
//! let n = table.lock().len(); // no I/O any more
//! ```
//!
//! ## Use instead
//!
//! Remove the comment, or correct the rule's name.
//!
//! ## Known limits
//!
//! A suppression of a rule that is switched off is left alone: it may be on elsewhere.

use crate::finding::{Applicability, Level, Severity};
use crate::rule::{Group, Rule};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "unused-suppression",
    group: Group::Tool,
    level: Level::Warn,
    severity: Severity::Low,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a suppression comment that silences nothing",
    source: include_str!("unused_suppression.rs"),
    // `settle` raises it: only there is it known what was silenced.
    check: |_, _| {},
};
