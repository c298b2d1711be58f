//! JSON: one object, or an object a line. The shape is described in `docs/json.md` and `docs/findings.schema.json`.

use std::collections::HashMap;
use std::io;

use camino::Utf8Path;
use serde::Serialize;
use uncork_lints::evidence::{self, Verdict};
use uncork_lints::finding::{Applicability, Confidence, Finding, Level, Severity};
use uncork_lints::source::{Location, SourceFile};

use crate::input::{FilePatch, Fix, FixResult, Refused, ReportInput};
use crate::place::{self, Region};
use crate::tally;

/// Raised when a field goes or changes its meaning; new fields do not count.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    tool: Tool<'a>,
    findings: Vec<FindingObject<'a>>,
    notices: Vec<NoticeObject<'a>>,
    summary: SummaryObject<'a>,
    result: Option<ResultObject<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct FindingObject<'a> {
    rule: &'a str,
    group: Option<&'static str>,
    level: Level,
    severity: Severity,
    confidence: Confidence,
    #[serde(flatten)]
    at: PlaceObject<'a>,
    message: &'a str,
    label: &'a str,
    help: &'a str,
    fingerprint: &'a str,
    key: &'a str,
    in_test: bool,
    related: Vec<Labelled<'a>>,
    chain: Vec<Labelled<'a>>,
    fix: Option<FixObject<'a>>,
    fix_refused: Option<RefusedObject<'a>>,
    facts: Vec<Fact<'a>>,
}

#[derive(Serialize)]
struct PlaceObject<'a> {
    path: &'a Utf8Path,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct Labelled<'a> {
    #[serde(flatten)]
    at: PlaceObject<'a>,
    label: &'a str,
}

#[derive(Serialize)]
struct Fact<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct FixObject<'a> {
    applicability: Applicability,
    description: Option<&'a str>,
    caveat: Option<&'a str>,
    files: Option<Vec<PatchObject<'a>>>,
}

#[derive(Serialize)]
struct RefusedObject<'a> {
    reason: &'a str,
    blocking: Option<PlaceObject<'a>>,
}

#[derive(Serialize)]
struct ResultObject<'a> {
    applied: Vec<AppliedObject<'a>>,
    files: Vec<PatchObject<'a>>,
    stopped: Option<&'static str>,
}

#[derive(Serialize)]
struct AppliedObject<'a> {
    rule: &'a str,
    applicability: Applicability,
    description: &'a str,
    caveat: Option<&'a str>,
    fingerprints: &'a [String],
}

#[derive(Serialize)]
struct PatchObject<'a> {
    path: &'a Utf8Path,
    replacements: Vec<ReplacementObject<'a>>,
}

#[derive(Serialize)]
struct ReplacementObject<'a> {
    start_byte: u32,
    end_byte: u32,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    text: &'a str,
}

#[derive(Serialize)]
struct NoticeObject<'a> {
    level: &'static str,
    path: Option<&'a Utf8Path>,
    line: Option<u32>,
    message: &'a str,
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    findings: usize,
    by_level: ByLevel,
    by_severity: BySeverity,
    by_rule: Vec<RuleObject<'a>>,
    files: usize,
    lines: usize,
    files_with_findings: usize,
    unreadable: usize,
    suppressed: usize,
    baselined: usize,
    filtered: usize,
    in_tests: usize,
    elapsed_ms: Option<u64>,
}

#[derive(Serialize)]
struct ByLevel {
    deny: usize,
    warn: usize,
    allow: usize,
}

#[derive(Serialize)]
struct BySeverity {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
}

#[derive(Serialize)]
struct RuleObject<'a> {
    rule: &'a str,
    findings: usize,
    level: Level,
    severity: Severity,
    fixable: usize,
    evidence: Option<EvidenceObject>,
}

#[derive(Serialize)]
struct EvidenceObject {
    verdict: Verdict,
    line: &'static str,
}

/// What is said of a finding besides itself, by rule or fingerprint.
struct Lookup<'a> {
    groups: HashMap<&'static str, &'static str>,
    fixes: HashMap<&'a str, &'a Fix>,
    refusals: HashMap<&'a str, &'a Refused>,
}

impl<'a> Lookup<'a> {
    fn new(input: &ReportInput<'a>) -> Lookup<'a> {
        Lookup {
            groups: input.rules.iter().map(|r| (r.id, r.group.name())).collect(),
            // The first that is listed with a finding is its own.
            fixes: input.fixes.iter().rev().map(|f| (f.fingerprint.as_str(), f)).collect(),
            refusals: input.refusals.iter().map(|r| (r.fingerprint.as_str(), r)).collect(),
        }
    }
}

/// Writes the one object, indented.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let lookup = Lookup::new(input);
    let document = Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "cargo-uncork", version: input.tool_version },
        findings: input.findings.iter().map(|f| finding(input, &lookup, f)).collect(),
        notices: input
            .notices
            .iter()
            .map(|n| NoticeObject {
                level: n.level.name(),
                path: n.path.as_deref(),
                line: n.line,
                message: &n.message,
            })
            .collect(),
        summary: summary(input),
        result: input.result.map(result),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes each finding as an object on a line of its own.
pub(crate) fn write_lines(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let lookup = Lookup::new(input);
    for f in input.findings {
        serde_json::to_writer(&mut *out, &finding(input, &lookup, f))?;
        writeln!(out)?;
    }
    Ok(())
}

fn finding<'a>(input: &ReportInput<'a>, lookup: &Lookup<'a>, f: &'a Finding) -> FindingObject<'a> {
    FindingObject {
        rule: &f.rule,
        group: lookup.groups.get(f.rule.as_str()).copied(),
        level: f.level,
        severity: f.severity,
        confidence: f.confidence,
        at: place(input, f.at),
        message: &f.message,
        label: &f.label,
        help: &f.help,
        fingerprint: &f.fingerprint,
        key: &f.key,
        in_test: f.in_test,
        related: f.related.iter().map(|r| Labelled { at: place(input, r.at), label: &r.label }).collect(),
        chain: f.chain.iter().map(|h| Labelled { at: place(input, h.at), label: &h.label }).collect(),
        fix: fix(lookup, f),
        fix_refused: lookup
            .refusals
            .get(f.fingerprint.as_str())
            .map(|r| RefusedObject { reason: &r.reason, blocking: r.blocking.map(|at| place(input, at)) }),
        facts: f.facts.iter().map(|(name, value)| Fact { name, value }).collect(),
    }
}

fn place<'a>(input: &ReportInput<'a>, at: Location) -> PlaceObject<'a> {
    let (path, Region { line, column, end_line, end_column }) = place::of(input.sources, at);
    PlaceObject { path, line, column, end_line, end_column }
}

/// The planned fix if there is one, else what the finding says of it.
fn fix<'a>(lookup: &Lookup<'a>, f: &Finding) -> Option<FixObject<'a>> {
    match lookup.fixes.get(f.fingerprint.as_str()) {
        Some(fix) => Some(FixObject {
            applicability: fix.applicability,
            description: Some(&fix.description),
            caveat: fix.caveat.as_deref(),
            files: Some(fix.files.iter().map(patch).collect()),
        }),
        None => f.fix.map(|applicability| FixObject {
            applicability,
            description: None,
            caveat: None,
            files: None,
        }),
    }
}

fn result(result: &FixResult) -> ResultObject<'_> {
    ResultObject {
        applied: result
            .applied
            .iter()
            .map(|a| AppliedObject {
                rule: &a.rule,
                applicability: a.applicability,
                description: &a.description,
                caveat: a.caveat.as_deref(),
                fingerprints: &a.fingerprints,
            })
            .collect(),
        files: result.files.iter().map(patch).collect(),
        stopped: result.stopped,
    }
}

fn patch(patch: &FilePatch) -> PatchObject<'_> {
    let file = SourceFile::new(patch.path.clone(), patch.original.clone(), false);
    PatchObject {
        path: &patch.path,
        replacements: patch
            .replacements
            .iter()
            .map(|r| {
                let Region { line, column, end_line, end_column } = place::region(&file, r.span);
                ReplacementObject {
                    start_byte: r.span.lo,
                    end_byte: r.span.hi,
                    line,
                    column,
                    end_line,
                    end_column,
                    text: &r.text,
                }
            })
            .collect(),
    }
}

fn summary<'a>(input: &ReportInput<'a>) -> SummaryObject<'a> {
    let (s, findings) = (&input.summary, input.findings);
    SummaryObject {
        findings: findings.len(),
        by_level: ByLevel {
            deny: tally::with_level(findings, Level::Deny),
            warn: tally::with_level(findings, Level::Warn),
            allow: tally::with_level(findings, Level::Allow),
        },
        by_severity: BySeverity {
            critical: tally::with_severity(findings, Severity::Critical),
            high: tally::with_severity(findings, Severity::High),
            medium: tally::with_severity(findings, Severity::Medium),
            low: tally::with_severity(findings, Severity::Low),
        },
        by_rule: tally::by_rule(findings)
            .into_iter()
            .map(|t| RuleObject {
                rule: t.rule,
                findings: t.findings,
                level: t.level,
                severity: t.severity,
                fixable: t.fixable,
                evidence: evidence::of(t.rule).map(|e| EvidenceObject { verdict: e.verdict, line: e.line }),
            })
            .collect(),
        files: s.files,
        lines: s.lines,
        files_with_findings: tally::files_with_findings(findings),
        unreadable: s.unreadable,
        suppressed: s.suppressed,
        baselined: s.baselined,
        filtered: s.filtered,
        in_tests: s.in_tests,
        elapsed_ms: s.elapsed.map(|e| e.as_millis() as u64),
    }
}
