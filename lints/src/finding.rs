//! What a rule reports.

use serde::{Deserialize, Serialize};

use crate::source::Location;

/// What a finding does to the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not reported; a rule at this level by default is opt-in.
    Allow,
    /// Reported; fails only under `--deny warn`.
    Warn,
    /// Reported, and the run fails.
    Deny,
}

/// How bad it is, in the scale of the source documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// How sure the analysis is. The default hides `Low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// What applying a fix may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applicability {
    /// A patch to read, never applied by itself.
    Display,
    /// May change behaviour, and says how.
    Unsafe,
    /// Keeps behaviour.
    Safe,
}

/// A second place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Where.
    pub at: Location,
    /// What it is, in a few words.
    pub label: String,
}

/// One step of the chain of calls that proves a finding, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The call (or, for the last hop, the effect itself).
    pub at: Location,
    /// What happens there: `calls Disk::flush`, `File::sync_all blocks on I/O`.
    pub label: String,
}

/// The facts of a finding that its fixer needs: name and text, in a fixed order (`lock` = `Pool.map`, …).
pub type Facts = Vec<(String, String)>;

/// One finding. `at` lies on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// As settled by configuration and command line; the rule's default before that.
    pub level: Level,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// The primary place, on one line.
    pub at: Location,
    /// One sentence: what is wrong here, with the names of what is meant.
    pub message: String,
    /// A few words under the primary span.
    pub label: String,
    /// What to do.
    pub help: String,
    /// Other places.
    pub related: Vec<Related>,
    /// The calls that prove it; empty for a direct finding.
    pub chain: Vec<Hop>,
    /// What a fix may be at best; `None`: the rule offers none here.
    pub fix: Option<Applicability>,
    /// For the fixer.
    pub facts: Facts,
    /// What identifies the finding besides rule and path when lines move: enclosing item and the thing named
    /// (`Pool::get/map`). The fingerprint is a hash of rule, path, this, and the occurrence among equals.
    pub key: String,
    /// Stable hash, 16 hex digits; filled when all findings are known.
    pub fingerprint: String,
    /// Whether it lies in test code.
    pub in_test: bool,
}

impl Finding {
    /// A finding of a rule with the rule's defaults, high confidence, nothing related.
    pub fn new(rule: &crate::rule::Rule, at: Location, message: impl Into<String>) -> Finding {
        Finding {
            rule: rule.id.to_owned(),
            level: rule.level,
            severity: rule.severity,
            confidence: Confidence::High,
            at,
            message: message.into(),
            label: String::new(),
            help: String::new(),
            related: Vec::new(),
            chain: Vec::new(),
            fix: None,
            facts: Vec::new(),
            key: String::new(),
            fingerprint: String::new(),
            in_test: false,
        }
    }

    /// Adds a fact for the fixer.
    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push((name.to_owned(), value.into()));
    }

    /// Adds a related place.
    pub fn relate(&mut self, at: Location, label: impl Into<String>) {
        self.related.push(Related { at, label: label.into() });
    }
}
