//! What was measured for each rule on its own fixture, in one line a rule.
//!
//! The lines are made by `cargo run --release -p uncork-evidence --bin evidence` from `fixtures/evidence.json`, which has the figures
//! behind them; a test there holds the two equal.

mod table;

use serde::Serialize;

/// What came out for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// More is done in the same time.
    Faster,
    /// Something no longer goes wrong.
    Safer,
    /// Less memory or code.
    Smaller,
    /// No difference that every round shows.
    Neither,
    /// The rule is about the tool and not about how programs run.
    NotApplicable,
}

impl Verdict {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::Safer => "safer",
            Verdict::Smaller => "smaller",
            Verdict::Neither => "neither",
            Verdict::NotApplicable => "not applicable",
        }
    }
}

/// A rule's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The rule's id.
    pub rule: &'static str,
    /// What came out.
    pub verdict: Verdict,
    /// In figures.
    pub line: &'static str,
}

impl Evidence {
    /// Verdict and figures, as people read them.
    pub fn shown(&self) -> String {
        match self.verdict {
            Verdict::Neither | Verdict::NotApplicable => self.line.to_owned(),
            verdict => format!("{}: {}", verdict.name(), self.line),
        }
    }
}

/// All of it, in the order of the rules.
pub const ALL: &[Evidence] = table::ALL;

/// The evidence for a rule.
pub fn of(rule: &str) -> Option<&'static Evidence> {
    ALL.iter().find(|evidence| evidence.rule == rule)
}
