//! Counts over the findings, and the orders in which they are told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use uncork_lints::finding::{Applicability, Confidence, Finding, Level, Severity};
use uncork_lints::rule::Rule;

use crate::input::ReportInput;

/// What there is to say of one rule's findings.
pub(crate) struct RuleTally<'a> {
    pub(crate) rule: &'a str,
    pub(crate) findings: usize,
    /// The highest level among them.
    pub(crate) level: Level,
    /// The highest severity among them.
    pub(crate) severity: Severity,
    /// How many have a fix that may be applied (safe or unsafe).
    pub(crate) fixable: usize,
}

/// Counts by rule: most severe first, then most frequent, then by name.
pub(crate) fn by_rule<'a>(findings: &'a [Finding]) -> Vec<RuleTally<'a>> {
    let mut map: BTreeMap<&'a str, RuleTally<'a>> = BTreeMap::new();
    for f in findings {
        let tally = map.entry(&f.rule).or_insert(RuleTally {
            rule: &f.rule,
            findings: 0,
            level: f.level,
            severity: f.severity,
            fixable: 0,
        });
        tally.findings += 1;
        tally.level = tally.level.max(f.level);
        tally.severity = tally.severity.max(f.severity);
        tally.fixable += usize::from(f.fix.is_some_and(|fix| fix != Applicability::Display));
    }
    let mut all: Vec<_> = map.into_values().collect();
    all.sort_by_key(|t| (Reverse(t.level), Reverse(t.severity), Reverse(t.findings), t.rule));
    all
}

/// How many findings have this level.
pub(crate) fn with_level(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|f| f.level == level).count()
}

/// How many findings have this severity.
pub(crate) fn with_severity(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|f| f.severity == severity).count()
}

/// How many files have a finding.
pub(crate) fn files_with_findings(findings: &[Finding]) -> usize {
    findings.iter().map(|f| f.at.file).collect::<BTreeSet<_>>().len()
}

/// The findings that must not be lost first: by level, severity and confidence, else in the given order.
pub(crate) fn gravest_first(findings: &[Finding]) -> Vec<&Finding> {
    let mut all: Vec<_> = findings.iter().collect();
    all.sort_by_key(|f| (Reverse(f.level), Reverse(f.severity), Reverse(f.confidence)));
    all
}

/// The rule of a finding, if the tool declares it.
pub(crate) fn rule_of<'a>(input: &ReportInput<'a>, id: &str) -> Option<&'a Rule> {
    input.rules.iter().copied().find(|r| r.id == id)
}

/// `error`, `warning` or `note`, the words of compilers for deny, warn and allow.
pub(crate) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "note",
    }
}

/// As in the configuration: `deny`, `warn`, `allow`.
pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Deny => "deny",
        Level::Warn => "warn",
        Level::Allow => "allow",
    }
}

/// `critical`, `high`, `medium`, `low`.
pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// `high`, `medium`, `low`.
pub(crate) fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

/// `safe`, `unsafe`, `display`.
pub(crate) fn applicability_name(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::Safe => "safe",
        Applicability::Unsafe => "unsafe",
        Applicability::Display => "display",
    }
}
