//! The table by rule and the closing line, for the formats that a person reads.

use std::io;

use uncork_lints::finding::Level;

use crate::input::ReportInput;
use crate::tally;
use crate::text::count;

/// Writes the counts by rule as an aligned table; nothing if there is no finding.
pub(crate) fn table(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let rows = tally::by_rule(input.findings);
    let wide = rows.iter().map(|r| r.rule.len()).max().unwrap_or(0).max(4);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{:>6}  {:<wide$}  {:<7}  {:<8}  {:>7}", "count", "rule", "level", "severity", "fixable")?;
    for row in &rows {
        writeln!(
            out,
            "{:>6}  {:<wide$}  {:<7}  {:<8}  {:>7}",
            row.findings,
            row.rule,
            tally::level_word(row.level),
            tally::severity_name(row.severity),
            row.fixable
        )?;
    }
    Ok(())
}

/// The closing line: what was found where, and what is not shown.
pub(crate) fn closing(input: &ReportInput<'_>) -> String {
    let s = &input.summary;
    let mut line = count(input.findings.len(), "finding");
    if !input.findings.is_empty() {
        let parts: Vec<String> = [Level::Deny, Level::Warn, Level::Allow]
            .into_iter()
            .map(|level| (tally::with_level(input.findings, level), tally::level_word(level)))
            .filter(|&(n, _)| n > 0)
            .map(|(n, word)| count(n, word))
            .collect();
        line.push_str(&format!(
            " ({}) in {} of",
            parts.join(", "),
            tally::files_with_findings(input.findings)
        ));
    } else {
        line = "no findings in".to_owned();
    }
    line.push_str(&format!(" {}, {}", count(s.files, "file"), count(s.lines, "line")));
    let hidden: Vec<String> = [
        (s.suppressed, "suppressed"),
        (s.baselined, "in the baseline"),
        (s.filtered, "filtered out"),
        (s.in_tests, "in tests"),
    ]
    .into_iter()
    .filter(|&(n, _)| n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    if !hidden.is_empty() {
        line.push_str(&format!("; not shown: {}", hidden.join(", ")));
    }
    if s.unreadable > 0 {
        line.push_str(&format!("; {} unreadable", count(s.unreadable, "file")));
    }
    if let Some(elapsed) = s.elapsed {
        line.push_str(&format!("; {:.2} s", elapsed.as_secs_f64()));
    }
    line
}
