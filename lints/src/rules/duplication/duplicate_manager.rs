//! The same manager written again: structs with one shape and one set of methods.
//!
//! # What it does
//!
//! Finds clusters of at least three structs (`min-members` under `[rules.duplicate-manager]` says how many) that have the same fields up to names, types and order (a keyed collection
//! behind a lock, a configuration, metrics, a running flag…) and whose methods align statement by statement up to
//! renaming, types and literals. One finding a cluster: the first member is the primary place, the others are related
//! places, each with what differs there.
//!
//! # Why it is bad
//!
//! Every mend has to be made as often as the manager was copied, and is forgotten in some of the copies. A better lock or
//! a bound on the map, made once in a generic type, serves all.
//!
//! # Example
//!
//! ```rust
//! use std::collections::HashMap;
//! use std::sync::RwLock;
//! use std::sync::atomic::{AtomicBool, Ordering};
//!
//! struct User;
//!
//! struct Users {
//!     users: RwLock<HashMap<u64, User>>,
//!     running: AtomicBool,
//! }
//!
//! impl Users {
//!     fn start(&self) -> bool {
//!         !self.running.swap(true, Ordering::AcqRel)
//!     }
//!     fn insert(&self, id: u64, user: User) {
//!         self.users.write().unwrap().insert(id, user);
//!     }
//!     fn remove(&self, id: u64) -> Option<User> {
//!         self.users.write().unwrap().remove(&id)
//!     }
//! }
//! // … and `Orders` with `Order`, and `Items` with `Item`.
//! ```
//!
//! # What to use instead
//!
//! One generic type, with an alias for each of the old names (or a trait, where the members differ in a step):
//!
//! ```rust
//! use std::collections::HashMap;
//! use std::sync::RwLock;
//! use std::sync::atomic::AtomicBool;
//!
//! struct User;
//!
//! struct Manager<T> {
//!     entries: RwLock<HashMap<u64, T>>,
//!     running: AtomicBool,
//! }
//!
//! type Users = Manager<User>;
//! ```
//!
//! # Known limits
//!
//! Structs without a keyed collection that threads share (a map behind a lock, a concurrent map) are not looked at, nor
//! are test code, generated code, and what macros make. Methods must correspond in most of their statements: managers that
//! were copied long ago and have grown apart since are left alone.

use crate::Analysis;
use crate::clones::ManagerCluster;
use crate::finding::{Applicability, Facts, Finding, Level, Severity};
use crate::rule::{Group, Rule};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "duplicate-manager",
    group: Group::Duplication,
    level: Level::Warn,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "the same manager struct and methods written again for other types",
    source: include_str!("duplicate_manager.rs"),
    check,
};

fn check(analysis: &Analysis, findings: &mut Vec<Finding>) {
    findings.extend(analysis.clones.managers.iter().filter_map(|cluster| finding(analysis, cluster)));
}

fn finding(analysis: &Analysis, cluster: &ManagerCluster) -> Option<Finding> {
    let program = &analysis.program;
    let members: Vec<_> = cluster.members.iter().map(|m| m.def).collect();
    let first = *members.first()?;
    let names: Vec<String> = members.iter().map(|&m| program.display(m)).collect();
    let methods: Vec<String> = cluster
        .methods
        .iter()
        .filter_map(|m| m.functions.get(cluster.model))
        .map(|&m| program.def(m).name.to_string())
        .collect();
    let mut facts: Facts = vec![
        ("members".into(), names.join(", ")),
        ("similarity".into(), format!("{:.2}", cluster.similarity)),
        ("lines".into(), cluster.lines.to_string()),
        ("methods".into(), methods.join(", ")),
    ];
    facts.extend(super::hole_facts(&cluster.params));
    let generic = cluster.fits_one_type();
    let instead = if generic {
        "write one generic type and make the copies aliases of it"
    } else {
        "put what they share into one generic type or trait"
    };
    Some(Finding {
        rule: RULE.id.into(),
        level: RULE.level,
        severity: RULE.severity,
        confidence: super::confidence(cluster.similarity),
        at: program.name_location(first),
        message: format!(
            "{} are one manager written {} times: {} methods correspond, {} % of their code is the same",
            super::enumerate(&names),
            members.len(),
            methods.len(),
            super::percent(cluster.similarity),
        ),
        label: format!("first of {} copies", members.len()),
        help: format!("{instead}; about {} lines would go", cluster.lines),
        related: super::copies(analysis, &members, cluster.model, &cluster.params),
        chain: Vec::new(),
        fix: Some(if generic { Applicability::Unsafe } else { Applicability::Display }),
        facts,
        key: format!("{}/manager", program.display(first)),
        fingerprint: String::new(),
        in_test: false,
    })
}
