//! JUnit XML as CI servers read it: a suite a file, a failed case a finding, an error a notice that is one.

use std::collections::BTreeMap;
use std::io;

use uncork_lints::finding::{Finding, Level};
use uncork_lints::source::FileId;

use crate::input::{NoticeLevel, ReportInput};
use crate::place;
use crate::tally::{level_word, severity_name};
use crate::xml::Escaped;

/// Writes the report. A run without findings and errors is one passed case, so that servers see that it ran.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut files: BTreeMap<FileId, Vec<&Finding>> = BTreeMap::new();
    for f in input.findings {
        files.entry(f.at.file).or_default().push(f);
    }
    let errors: Vec<_> = input.notices.iter().filter(|n| n.level == NoticeLevel::Error).collect();
    let failures = input.findings.iter().filter(|f| f.level != Level::Allow).count();
    let clean = input.findings.is_empty() && errors.is_empty();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"cargo-uncork\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\">",
        input.findings.len() + errors.len() + usize::from(clean),
        errors.len()
    )?;
    for (file, findings) in &files {
        suite(input, *file, findings, out)?;
    }
    if !errors.is_empty() {
        let n = errors.len();
        writeln!(out, "  <testsuite name=\"run\" tests=\"{n}\" failures=\"0\" errors=\"{n}\">")?;
        for notice in errors {
            let name = notice.path.as_ref().map_or("cargo-uncork", |p| p.as_str());
            writeln!(
                out,
                "    <testcase classname=\"run\" name=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>",
                Escaped(name),
                Escaped(&notice.message)
            )?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    if clean {
        writeln!(
            out,
            "  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"0\">\n    <testcase classname=\"run\" name=\"no findings\"/>\n  </testsuite>"
        )?;
    }
    writeln!(out, "</testsuites>")
}

fn suite(
    input: &ReportInput<'_>,
    file: FileId,
    findings: &[&Finding],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let path = input.sources.path(file);
    let failures = findings.iter().filter(|f| f.level != Level::Allow).count();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
        Escaped(path.as_str()),
        findings.len()
    )?;
    for f in findings {
        let (_, at) = place::of(input.sources, f.at);
        writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"{} at {}:{}\" file=\"{}\" line=\"{}\">",
            Escaped(path.with_extension("").as_str()),
            Escaped(&f.rule),
            at.line,
            at.column,
            Escaped(path.as_str()),
            at.line
        )?;
        let body = body(input, f, at.line, at.column);
        if f.level == Level::Allow {
            writeln!(out, "      <system-out>{}</system-out>", Escaped(&body))?;
        } else {
            writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                level_word(f.level),
                Escaped(&f.message),
                Escaped(&body)
            )?;
        }
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

fn body(input: &ReportInput<'_>, f: &Finding, line: u32, column: u32) -> String {
    let path = input.sources.path(f.at.file);
    let mut out = format!(
        "{path}:{line}:{column}: {}[{}] {} (severity {})\n",
        level_word(f.level),
        f.rule,
        f.message,
        severity_name(f.severity)
    );
    for hop in &f.chain {
        let (path, at) = place::of(input.sources, hop.at);
        out.push_str(&format!("  through {path}:{}: {}\n", at.line, hop.label));
    }
    if !f.help.is_empty() {
        out.push_str(&format!("help: {}\n", f.help));
    }
    out
}
