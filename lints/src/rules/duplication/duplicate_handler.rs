//! Functions that are one function up to a few holes.
//!
//! # What it does
//!
//! Finds free functions (async ones too), and methods of one impl, of which at least three are equal up to a few names,
//! types, literals or expressions: handlers that validate, authorise, call and wrap.
//!
//! # Why it is bad
//!
//! The check that one copy lacks is the hole in the API. What is written once is checked once.
//!
//! # Example
//!
//! ```rust
//! struct Users;
//!
//! impl Users {
//!     fn create(&self, name: &str) -> Result<u64, String> {
//!         Ok(name.len() as u64)
//!     }
//! }
//!
//! struct State {
//!     rights: Vec<&'static str>,
//!     users: Users,
//! }
//!
//! fn create_user(state: &State, name: &str) -> Result<String, String> {
//!     if name.is_empty() {
//!         return Err("a user needs a name".to_owned());
//!     }
//!     if !state.rights.contains(&"user.create") {
//!         return Err("forbidden".to_owned());
//!     }
//!     let id = state.users.create(name)?;
//!     Ok(format!("created {id}"))
//! }
//! // … and the same for `create_order` and `create_item`.
//! ```
//!
//! # What to use instead
//!
//! A generic function where the holes are types or values; a `macro_rules!` with one parameter a hole elsewhere.
//!
//! # Known limits
//!
//! Bodies under three statements, test code, generated code and what macros make are left alone, and so are alternatives
//! under `cfg`. Functions that need more than six parameters to be one are not reported.

use crate::Analysis;
use crate::clones::FunctionCluster;
use crate::finding::{Applicability, Finding, Level, Severity};
use crate::rule::{Group, Rule};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "duplicate-handler",
    group: Group::Duplication,
    level: Level::Warn,
    severity: Severity::High,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "three or more functions that are one up to a few holes",
    source: include_str!("duplicate_handler.rs"),
    check,
};

fn check(analysis: &Analysis, findings: &mut Vec<Finding>) {
    findings.extend(analysis.clones.handlers.iter().filter_map(|cluster| finding(analysis, cluster)));
}

fn finding(analysis: &Analysis, cluster: &FunctionCluster) -> Option<Finding> {
    let program = &analysis.program;
    let first = *cluster.members.first()?;
    let names: Vec<String> = cluster.members.iter().map(|&m| program.display(m)).collect();
    let holes = match cluster.params.len() {
        0 => "copies of one another".to_owned(),
        1 => "one function but for one hole".to_owned(),
        n => format!("one function but for {n} holes"),
    };
    Some(Finding {
        rule: RULE.id.into(),
        level: RULE.level,
        severity: RULE.severity,
        confidence: super::confidence(cluster.similarity),
        at: program.name_location(first),
        message: format!("{} are {holes}", super::enumerate(&names)),
        label: format!("first of {} copies", names.len()),
        help: format!(
            "write one function, or a `macro_rules!` with a parameter for each hole; about {} lines would go",
            cluster.lines
        ),
        related: super::copies(analysis, &cluster.members, cluster.model, &cluster.params),
        chain: Vec::new(),
        fix: Some(Applicability::Unsafe),
        facts: super::function_facts(&names, cluster),
        key: format!("{}/handler", program.display(first)),
        fingerprint: String::new(),
        in_test: false,
    })
}
