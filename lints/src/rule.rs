//! What a rule is: its declaration, and how its documentation is read from its own source file.

use crate::evidence::Evidence;
use crate::finding::{Applicability, Level, Severity};

/// The rule groups of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Group {
    Contention,
    Reliability,
    Blocking,
    Bounds,
    Copies,
    Complexity,
    Layout,
    Duplication,
    Startup,
    Tool,
}

impl Group {
    /// All groups in the catalogue's order.
    pub const ALL: [Group; 10] = [
        Group::Contention,
        Group::Reliability,
        Group::Blocking,
        Group::Bounds,
        Group::Copies,
        Group::Complexity,
        Group::Layout,
        Group::Duplication,
        Group::Startup,
        Group::Tool,
    ];

    /// The name used on the command line and in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Group::Contention => "contention",
            Group::Reliability => "reliability",
            Group::Blocking => "blocking",
            Group::Bounds => "bounds",
            Group::Copies => "copies",
            Group::Complexity => "complexity",
            Group::Layout => "layout",
            Group::Duplication => "duplication",
            Group::Startup => "startup",
            Group::Tool => "tool",
        }
    }
}

/// A rule's declaration, one constant in the rule's file.
pub struct Rule {
    /// Kebab-case id.
    pub id: &'static str,
    /// Its group.
    pub group: Group,
    /// Level unless configured.
    pub level: Level,
    /// Severity unless the finding says otherwise.
    pub severity: Severity,
    /// First version that has it.
    pub since: &'static str,
    /// The best its fix can be; `None` for no fix.
    pub fix: Option<Applicability>,
    /// One line for lists.
    pub summary: &'static str,
    /// The rule's own source file (`include_str!`), whose leading `//!` lines are its documentation.
    pub source: &'static str,
    /// Reads the analysis and reports. Rules that the pipeline itself raises have an empty one.
    pub check: fn(&crate::Analysis, &mut Vec<crate::finding::Finding>),
}

impl Rule {
    /// What was measured for it.
    pub fn evidence(&self) -> Option<&'static Evidence> {
        crate::evidence::of(self.id)
    }

    /// The documentation as Markdown: the leading `//!` lines of the rule's file. First line is `# id`-less prose.
    pub fn docs(&self) -> String {
        let mut out = String::new();
        for line in self.source.lines() {
            let Some(rest) = line.strip_prefix("//!") else { break };
            out.push_str(rest.strip_prefix(' ').unwrap_or(rest));
            out.push('\n');
        }
        out
    }
}
