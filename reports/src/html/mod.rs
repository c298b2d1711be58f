//! One HTML file that holds everything: no outside assets, usable without scripts, filterable with them.
//!
//! The page is well-formed XML as well, which is how the tests prove that nothing in a message can break out of it.

use std::io;

use uncork_lints::finding::Finding;
use uncork_lints::source::{Location, SourceFile, Span};

use crate::input::ReportInput;
use crate::text::cut;
use crate::xml::Escaped;
use crate::{place, statistics, tally};

/// Lines shown before and after a finding's.
const CONTEXT: u32 = 2;
/// Characters shown of a line, and before the marked part of a longer one.
const LINE: usize = 400;
const LEAD: usize = 80;

/// Writes the page.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    // Nothing may be fetched or run but what the page brings along.
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>cargo-uncork report</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>cargo-uncork report</h1>\n<p>{}</p>",
        include_str!("page.css"),
        Escaped(&statistics::closing(input))
    )?;
    for notice in input.notices {
        let path = notice.path.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
        writeln!(
            out,
            "<p role=\"note\"><strong>{}</strong> {}{}</p>",
            notice.level.name(),
            Escaped(&path),
            Escaped(&notice.message)
        )?;
    }
    let rules = tally::by_rule(input.findings);
    if !rules.is_empty() {
        table(&rules, out)?;
        filter(&rules, out)?;
    }
    for f in input.findings {
        article(input, f, out)?;
    }
    writeln!(out, "</main>")?;
    if !rules.is_empty() {
        writeln!(out, "<script>\n{}</script>", include_str!("page.js"))?;
    }
    writeln!(out, "</body>\n</html>")
}

fn table(rules: &[tally::RuleTally<'_>], out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "<table>\n<caption>Findings by rule</caption>\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Findings</th>\
         <th scope=\"col\">Level</th><th scope=\"col\">Severity</th><th scope=\"col\">Fixable</th></tr></thead>\n<tbody>"
    )?;
    for t in rules {
        writeln!(
            out,
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\">{}</td><td class=\"{level}\">{level}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            Escaped(t.rule),
            t.findings,
            tally::severity_name(t.severity),
            t.fixable,
            level = tally::level_name(t.level),
        )?;
    }
    writeln!(out, "</tbody>\n</table>")
}

/// The controls; hidden until the script, without which they would do nothing, shows them.
fn filter(rules: &[tally::RuleTally<'_>], out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "<form id=\"filter\" hidden=\"\" aria-label=\"Filter findings\">\n<label>Rule <select name=\"rule\"><option value=\"\">all</option>"
    )?;
    for t in rules {
        writeln!(out, "<option value=\"{0}\">{0}</option>", Escaped(t.rule))?;
    }
    writeln!(
        out,
        "</select></label>\n<label>Severity <select name=\"severity\"><option value=\"\">all</option>"
    )?;
    for severity in ["critical", "high", "medium", "low"] {
        writeln!(out, "<option value=\"{severity}\">{severity}</option>")?;
    }
    writeln!(
        out,
        "</select></label>\n<label>Text <input name=\"text\" type=\"search\"/></label>\n<span id=\"shown\" role=\"status\"></span>\n</form>"
    )
}

fn article(input: &ReportInput<'_>, f: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    let severity = tally::severity_name(f.severity);
    let level = tally::level_name(f.level);
    writeln!(
        out,
        "<article id=\"f-{}\" data-rule=\"{}\" data-severity=\"{severity}\">\n<h2><span class=\"{level}\">{level}</span> <code>{}</code> {}</h2>",
        Escaped(&f.fingerprint),
        Escaped(&f.rule),
        Escaped(&f.rule),
        Escaped(&f.message)
    )?;
    writeln!(
        out,
        "<p>{} · severity {severity} · confidence {}</p>",
        link(input, f.at),
        tally::confidence_name(f.confidence)
    )?;
    excerpt(input.sources.get(f.at.file), f.at.span, out)?;
    if !f.label.is_empty() {
        writeln!(out, "<p>{}</p>", Escaped(&f.label))?;
    }
    if !f.chain.is_empty() {
        writeln!(out, "<p>Through:</p>\n<ol>")?;
        for hop in &f.chain {
            writeln!(out, "<li>{} {}</li>", link(input, hop.at), Escaped(&hop.label))?;
        }
        writeln!(out, "</ol>")?;
    }
    if !f.related.is_empty() {
        writeln!(out, "<details><summary>Related places ({})</summary>\n<ul>", f.related.len())?;
        for r in &f.related {
            writeln!(out, "<li>{} {}</li>", link(input, r.at), Escaped(&r.label))?;
        }
        writeln!(out, "</ul></details>")?;
    }
    if !f.help.is_empty() {
        writeln!(out, "<p><strong>Help:</strong> {}</p>", Escaped(&f.help))?;
    }
    for fix in input.fixes.iter().filter(|fix| fix.fingerprint == f.fingerprint) {
        let what = tally::applicability_name(fix.applicability);
        writeln!(out, "<p><strong>Fix ({what}):</strong> {}</p>", Escaped(&fix.description))?;
    }
    writeln!(out, "</article>")
}

/// The place as `path:line`; not a hyperlink, since the page may lie anywhere.
fn link(input: &ReportInput<'_>, at: Location) -> String {
    let (path, region) = place::of(input.sources, at);
    format!("<code>{}:{}</code>", Escaped(path.as_str()), region.line)
}

/// The finding's line between its neighbours, the span marked.
fn excerpt(file: &SourceFile, span: Span, out: &mut dyn io::Write) -> io::Result<()> {
    let span = file.one_line(span);
    let line = file.line_column(span.lo).line;
    let last = (file.line_count() as u32).max(1);
    write!(out, "<pre>")?;
    for number in line.saturating_sub(CONTEXT).max(1)..=(line + CONTEXT).min(last.max(line)) {
        let own = file.line_span(number);
        write!(out, "<span class=\"ln\">{number:>5}  </span>")?;
        if number == line {
            let before = file.slice(Span::new(own.lo, span.lo));
            let skip = before.char_indices().rev().nth(LEAD).map_or(0, |(i, _)| i);
            let skip = if before.len() > LINE { skip } else { 0 };
            let dots = if skip > 0 { "…" } else { "" };
            write!(
                out,
                "{dots}{}<mark>{}</mark>{}",
                Escaped(before.get(skip..).unwrap_or("")),
                Escaped(&cut(file.slice(span), LINE)),
                Escaped(&cut(file.slice(Span::new(span.hi, own.hi)), LINE))
            )?;
        } else {
            write!(out, "{}", Escaped(&cut(file.slice(own), LINE)))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "</pre>")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_assets_need_no_escaping() {
        for asset in [include_str!("page.css"), include_str!("page.js")] {
            assert!(!asset.contains(['<', '&']), "would not be well-formed XML");
            assert!(!asset.contains("http"), "nothing is fetched");
        }
    }
}
