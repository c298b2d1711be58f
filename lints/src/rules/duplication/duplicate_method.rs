//! The same method body in several types.
//!
//! # What it does
//!
//! Finds method bodies of three statements or more that at least three types have alike, up to the names of locals, of
//! their own fields and methods, and of a type or two. Literals must be equal.
//!
//! # Why it is bad
//!
//! A health check that thirty types copy is thirty places to mend, and a reader must compare them all to know that they do
//! the same.
//!
//! # Example
//!
//! ```rust
//! enum Health {
//!     Up,
//!     Degraded,
//!     Down,
//! }
//!
//! struct Cache {
//!     running: bool,
//!     errors: u32,
//! }
//!
//! impl Cache {
//!     fn health(&self) -> Health {
//!         if !self.running {
//!             return Health::Down;
//!         }
//!         if self.errors > 0 {
//!             return Health::Degraded;
//!         }
//!         Health::Up
//!     }
//! }
//! // … and the same `health` in `impl Pool` and `impl Queue`.
//! ```
//!
//! # What to use instead
//!
//! A trait with the body as default method, and the parts that differ as required methods.
//!
//! # Known limits
//!
//! Bodies under three statements, short methods (under five statements) that a trait from outside the workspace dictates,
//! test code, generated code and what macros make are left alone, and so are alternatives under `cfg`. Methods of a manager
//! that `duplicate-manager` reports are not reported again.

use crate::Analysis;
use crate::clones::FunctionCluster;
use crate::finding::{Applicability, Finding, Level, Severity};
use crate::rule::{Group, Rule};
use crate::ty::TraitRef;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "duplicate-method",
    group: Group::Duplication,
    level: Level::Warn,
    severity: Severity::High,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "the same method body in three or more types",
    source: include_str!("duplicate_method.rs"),
    check,
};

fn check(analysis: &Analysis, findings: &mut Vec<Finding>) {
    findings.extend(analysis.clones.methods.iter().filter_map(|cluster| finding(analysis, cluster)));
}

fn finding(analysis: &Analysis, cluster: &FunctionCluster) -> Option<Finding> {
    let program = &analysis.program;
    let first = *cluster.members.first()?;
    let names: Vec<String> = cluster.members.iter().map(|&m| program.display(m)).collect();
    // A default method cannot be added to a trait from outside.
    let dictated = program
        .def(first)
        .parent
        .and_then(|parent| program.decls.impl_trait.get(&parent))
        .is_some_and(|bound| matches!(bound.trait_, TraitRef::Ext(_)));
    let instead = if dictated {
        "write the body once, as a function that all of them call"
    } else {
        "make it the default method of a trait that the types implement"
    };
    Some(Finding {
        rule: RULE.id.into(),
        level: RULE.level,
        severity: RULE.severity,
        confidence: super::confidence(cluster.similarity),
        at: program.name_location(first),
        message: format!("{} have the same body", super::enumerate(&names)),
        label: format!("first of {} copies", names.len()),
        help: format!("{instead}; about {} lines would go", cluster.lines),
        related: super::copies(analysis, &cluster.members, cluster.model, &cluster.params),
        chain: Vec::new(),
        fix: Some(Applicability::Unsafe),
        facts: super::function_facts(&names, cluster),
        key: format!("{}/method", program.display(first)),
        fingerprint: String::new(),
        in_test: false,
    })
}
