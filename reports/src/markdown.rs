//! Markdown for a pull request's comment or a job's summary: a table by rule, then one collapsible group a rule.

use std::io;

use similar::TextDiff;
use uncork_lints::finding::Finding;
use uncork_lints::source::Location;

use crate::input::{FilePatch, ReportInput};
use crate::text::is_unsafe;
use crate::{place, statistics, tally};

/// GitHub takes 65,536 characters in a comment; what goes beyond this is counted instead.
const BUDGET: usize = 60_000;
/// Findings listed of one rule.
const PER_RULE: usize = 50;
/// Related places named of one finding.
const RELATED: usize = 5;

/// Writes the summary.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut doc = Document { text: String::new(), left_out: 0 };
    doc.push(&format!("### cargo-uncork: {}\n", escape(&statistics::closing(input))));
    for notice in input.notices {
        let place = notice.path.as_ref().map(|p| format!(" {}", code(p.as_str()))).unwrap_or_default();
        doc.push(&format!("\n> **{}**{place} {}\n", notice.level.name(), prose(&notice.message)));
    }
    let rules = tally::by_rule(input.findings);
    if !rules.is_empty() {
        doc.push("\n| Findings | Rule | Level | Severity | Fixable |\n| ---: | --- | --- | --- | ---: |\n");
        for t in &rules {
            doc.push(&format!(
                "| {} | {} | {} | {} | {} |\n",
                t.findings,
                code(t.rule),
                tally::level_name(t.level),
                tally::severity_name(t.severity),
                t.fixable
            ));
        }
    }
    for t in &rules {
        group(input, t.rule, &mut doc);
    }
    if doc.left_out > 0 {
        doc.text.push_str(&format!("\n_{} more findings are not listed here._\n", doc.left_out));
    }
    out.write_all(doc.text.as_bytes())
}

struct Document {
    text: String,
    left_out: usize,
}

impl Document {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

fn group(input: &ReportInput<'_>, rule: &str, doc: &mut Document) {
    let findings: Vec<&Finding> = input.findings.iter().filter(|f| f.rule == rule).collect();
    let mut items = String::new();
    let mut shown = 0;
    for f in findings.iter().take(PER_RULE) {
        let item = item(input, f);
        if doc.text.len() + items.len() + item.len() > BUDGET {
            break;
        }
        items.push_str(&item);
        shown += 1;
    }
    doc.left_out += findings.len() - shown;
    if shown == 0 {
        return;
    }
    let summary =
        tally::rule_of(input, rule).map(|r| format!(": {}", html_text(r.summary))).unwrap_or_default();
    doc.push(&format!(
        "\n<details>\n<summary><b>{}</b> ({}){summary}</summary>\n\n{items}\n</details>\n",
        html_text(rule),
        findings.len()
    ));
}

fn item(input: &ReportInput<'_>, f: &Finding) -> String {
    let mut out = format!("- {} {}\n", line(input, f.at), prose(&f.message));
    for hop in &f.chain {
        out.push_str(&format!("  - through {} {}\n", line(input, hop.at), prose(&hop.label)));
    }
    for r in f.related.iter().take(RELATED) {
        out.push_str(&format!("  - {} {}\n", line(input, r.at), prose(&r.label)));
    }
    if f.related.len() > RELATED {
        out.push_str(&format!("  - and {} more\n", f.related.len() - RELATED));
    }
    if !f.help.is_empty() {
        out.push_str(&format!("  - **help** {}\n", prose(&f.help)));
    }
    for fix in input.fixes.iter().filter(|fix| fix.fingerprint == f.fingerprint) {
        let what = tally::applicability_name(fix.applicability);
        out.push_str(&format!("  - **fix** ({what}) {}\n", prose(&fix.description)));
        if let Some(caveat) = &fix.caveat {
            out.push_str(&format!("  - **may change** {}\n", prose(caveat)));
        }
        let diff: String = fix.files.iter().map(|patch| diff(input, patch)).collect();
        if !diff.is_empty() {
            // A fence longer than any run of backticks in the diff; the body indented into the list item.
            let fence = "`".repeat(longest_run(&diff, '`').max(2) + 1);
            let body: String = diff.lines().map(|line| format!("    {line}\n")).collect();
            out.push_str(&format!("\n    {fence}diff\n{body}    {fence}\n\n"));
        }
    }
    for refused in input.refusals.iter().filter(|r| r.fingerprint == f.fingerprint) {
        let at = refused.blocking.map(|at| format!(" ({})", line(input, at))).unwrap_or_default();
        out.push_str(&format!("  - **no fix**: {}{at}\n", prose(&refused.reason)));
    }
    out
}

/// `path:line` from the repository's root, as code.
fn line(input: &ReportInput<'_>, at: Location) -> String {
    let (path, region) = place::of(input.sources, at);
    code(&format!("{}:{}", place::forge_path(input, path), region.line))
}

/// The unified diff that the patch makes.
fn diff(input: &ReportInput<'_>, patch: &FilePatch) -> String {
    let mut after = String::with_capacity(patch.original.len());
    let mut from = 0;
    for r in &patch.replacements {
        after.push_str(patch.original.get(from..r.span.lo as usize).unwrap_or(""));
        after.push_str(&r.text);
        from = r.span.hi as usize;
    }
    after.push_str(patch.original.get(from..).unwrap_or(""));
    let path = place::forge_path(input, &patch.path);
    let diff = TextDiff::from_lines(&*patch.original, after.as_str());
    let text = diff.unified_diff().context_radius(3).header(path.as_str(), path.as_str()).to_string();
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if is_unsafe(c) && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}

/// A message: what stands between backticks as code, the rest as text.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    parts
        .iter()
        .enumerate()
        .map(|(i, part)| match i % 2 {
            0 => escape(part),
            _ if part.trim().is_empty() => escape(&format!("`{part}`")),
            _ => code(part),
        })
        .collect()
}

/// Text without meaning to Markdown, nor to GitHub (`@name`, `#1`).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_unsafe(c) => out.push(char::REPLACEMENT_CHARACTER),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // After a backslash it would still lengthen the marks of a code span beside it.
            '`' => out.push_str("&#96;"),
            // An empty comment parts what GitHub would take for a mention or a reference.
            '@' | '#' => {
                out.push_str(if c == '@' { "@" } else { "\\#" });
                out.push_str("<!-- -->");
            }
            // Bare URLs and emoji; a colon between spaces, and Rust's two, are neither.
            ':' if rest.next_if_eq(&':').is_some() => out.push_str("::"),
            ':' if rest.peek().is_none_or(|next| next.is_whitespace()) => out.push(':'),
            // What can change how text in the midst of a line is read.
            '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | ':' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A code span that holds any text: fenced by more backticks than the text has in a row.
fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if is_unsafe(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str, c: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for x in text.chars() {
        run = if x == c { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Text inside an HTML element of the page.
fn html_text(text: &str) -> String {
    crate::xml::Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_survive_and_the_rest_is_text() {
        assert_eq!(prose("`Pool.map` *grows*"), "`Pool.map` \\*grows\\*");
        assert_eq!(prose("odd ` tick"), "odd &#96; tick");
        assert_eq!(prose("```</b>`"), "&#96;&#96;`</b>`");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(escape("@me <b>"), "@<!-- -->me &lt;b&gt;");
    }
}
