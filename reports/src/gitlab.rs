//! GitLab's code quality report: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::collections::HashMap;
use std::io;

use camino::Utf8PathBuf;
use serde::Serialize;
use uncork_lints::finding::{Level, Severity};

use crate::input::{NoticeLevel, ReportInput};
use crate::place;

#[derive(Serialize)]
struct Issue<'a> {
    description: &'a str,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: Utf8PathBuf,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// Writes the array of issues: the findings, and the notices that name a file.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    // GitLab drops all but one of the issues that share a fingerprint.
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut unique = |fingerprint: String| {
        let n = seen.entry(fingerprint.clone()).or_insert(0);
        *n += 1;
        if *n == 1 { fingerprint } else { format!("{fingerprint}-{n}") }
    };
    let mut issues = Vec::with_capacity(input.findings.len());
    for f in input.findings {
        let (path, at) = place::of(input.sources, f.at);
        issues.push(Issue {
            description: &f.message,
            check_name: &f.rule,
            fingerprint: unique(f.fingerprint.clone()),
            severity: match (f.level, f.severity) {
                (Level::Deny, Severity::Critical) => "blocker",
                (_, Severity::Critical) => "critical",
                (_, Severity::High) => "major",
                (_, Severity::Medium) => "minor",
                (_, Severity::Low) => "info",
            },
            location: Place {
                path: place::forge_path(input, path),
                lines: Lines { begin: at.line, end: at.end_line },
            },
        });
    }
    for notice in input.notices {
        let Some(path) = &notice.path else { continue };
        let line = notice.line.unwrap_or(1);
        issues.push(Issue {
            description: &notice.message,
            check_name: "notice",
            fingerprint: unique(format!("notice-{path}")),
            severity: match notice.level {
                NoticeLevel::Error => "major",
                NoticeLevel::Warning => "minor",
                NoticeLevel::Note => "info",
            },
            location: Place { path: place::forge_path(input, path), lines: Lines { begin: line, end: line } },
        });
    }
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    writeln!(out)
}
