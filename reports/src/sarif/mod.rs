//! SARIF 2.1.0, shaped so that GitHub code scanning takes it whole.
//!
//! What GitHub reads and its limits: <https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.
//! Columns are UTF-16 code units and declared so: the kind that CodeQL writes, and the default of viewers.

mod line_hash;
mod model;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use camino::Utf8Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uncork_lints::evidence::Evidence;
use uncork_lints::finding::{Confidence, Finding, Level, Severity};
use uncork_lints::rule::Rule;
use uncork_lints::source::{FileId, Location, SourceFile};

use crate::input::{Fix, Notice, NoticeLevel, ReportInput};
use crate::place::{Region, forge_path, region_utf16};
use crate::tally;
use crate::text::cut;
use model::{
    Artifact, ArtifactChange, AutomationDetails, CodeFlow, Configuration, Content, Descriptor, Driver,
    FixObject, FixProperties, FlowStep, Help, Invocation, Lines, Log, Notification, Outcome, Physical, Place,
    ReplacementObject, ResultProperties, RuleProperties, Run, Text, ThreadFlow, Tool, UriBase,
};

/// Results that GitHub takes of one run.
const MAX_RESULTS: usize = 25_000;
/// Locations that GitHub takes of one result.
const MAX_LOCATIONS: usize = 1_000;
/// Related locations that the message links to.
const MAX_LINKS: usize = 10;
/// Characters that GitHub takes of a rule's descriptions.
const MAX_DESCRIPTION: usize = 1_024;
/// The symbolic name of the repository's root, as in CodeQL's files.
const ROOT: &str = "%SRCROOT%";
/// What may stand in a URI's path as it is: RFC 3986 `unreserved`, and the slash.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Writes the SARIF log.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let shown: Vec<&Finding> = tally::gravest_first(input.findings).into_iter().take(MAX_RESULTS).collect();
    let hashes = hashes(input, &shown);
    let rule_index: HashMap<&str, usize> = input.rules.iter().enumerate().map(|(i, r)| (r.id, i)).collect();
    let mut fixes: HashMap<&str, Vec<&Fix>> = HashMap::new();
    for fix in input.fixes {
        fixes.entry(&fix.fingerprint).or_default().push(fix);
    }
    let refusals: HashMap<&str, &str> =
        input.refusals.iter().map(|r| (r.fingerprint.as_str(), r.reason.as_str())).collect();
    let results = shown
        .iter()
        .map(|f| {
            let own = fixes.get(f.fingerprint.as_str()).map_or(&[][..], Vec::as_slice);
            let mut result = outcome(input, f, rule_index.get(f.rule.as_str()).copied(), &hashes, own);
            result.properties.fix_refused = refusals.get(f.fingerprint.as_str()).copied();
            result
        })
        .collect();
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "cargo-uncork",
                    version: input.tool_version,
                    semantic_version: input.tool_version,
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: input.rules.iter().map(|r| descriptor(r)).collect(),
                },
            },
            // A category of its own, so that GitHub keeps other tools' alerts apart.
            automation_details: AutomationDetails { id: "cargo-uncork/" },
            invocations: [invocation(input, shown.len())],
            original_uri_base_ids: base(input),
            column_kind: "utf16CodeUnits",
            results,
        }],
    };
    // Compact: forges limit the size of what they take.
    serde_json::to_writer(&mut *out, &log)?;
    writeln!(out)
}

/// GitHub's hash of each line that a finding begins on.
fn hashes(input: &ReportInput<'_>, shown: &[&Finding]) -> HashMap<(FileId, u32), String> {
    let mut lines: BTreeMap<FileId, BTreeSet<u32>> = BTreeMap::new();
    for f in shown {
        let line = input.sources.get(f.at.file).line_column(f.at.span.lo).line;
        lines.entry(f.at.file).or_default().insert(line);
    }
    let mut out = HashMap::new();
    for (id, lines) in lines {
        let file = input.sources.get(id);
        let hashes = line_hash::line_hashes(&file.text, file.bom, &lines);
        out.extend(hashes.into_iter().map(|(line, hash)| ((id, line), hash)));
    }
    out
}

fn descriptor(rule: &Rule) -> Descriptor<'static> {
    let docs = rule.docs();
    let first = docs.split("\n\n").map(str::trim).find(|p| !p.is_empty() && !p.starts_with('#'));
    let full = first.map_or_else(|| rule.summary.to_owned(), |p| p.replace('\n', " "));
    let markdown = if docs.trim().is_empty() { rule.summary.to_owned() } else { docs };
    Descriptor {
        id: rule.id,
        name: rule.id,
        short_description: text(&cut(rule.summary, MAX_DESCRIPTION)),
        full_description: text(&cut(&full, MAX_DESCRIPTION)),
        help: Help { text: markdown.clone(), markdown },
        default_configuration: Configuration {
            enabled: rule.level != Level::Allow,
            level: tally::level_word(rule.level.max(Level::Warn)),
        },
        properties: RuleProperties {
            // Opt-in rules are so because more of what they say is a matter of judgement.
            precision: if rule.level == Level::Allow { "medium" } else { "high" },
            problem_severity: match rule.severity {
                Severity::Critical | Severity::High => "error",
                Severity::Medium => "warning",
                Severity::Low => "recommendation",
            },
            severity: tally::severity_name(rule.severity),
            evidence: rule.evidence().map(Evidence::shown),
            tags: vec!["performance", "rust", rule.group.name()],
        },
    }
}

fn outcome<'a>(
    input: &ReportInput<'_>,
    f: &'a Finding,
    rule_index: Option<usize>,
    hashes: &HashMap<(FileId, u32), String>,
    fixes: &[&'a Fix],
) -> Outcome<'a> {
    let primary = place(input, f.at, None, None);
    let line = input.sources.get(f.at.file).line_column(f.at.span.lo).line;
    let mut fingerprints = BTreeMap::from([("uncorkFingerprint/v1", f.fingerprint.clone())]);
    if let Some(hash) = hashes.get(&(f.at.file, line)) {
        fingerprints.insert("primaryLocationLineHash", hash.clone());
    }
    let related = f
        .related
        .iter()
        .take(MAX_LOCATIONS)
        .enumerate()
        .map(|(i, r)| place(input, r.at, Some(i + 1), Some(&r.label)))
        .collect();
    Outcome {
        rule_id: &f.rule,
        rule_index,
        level: tally::level_word(f.level),
        message: text(&message(input, f)),
        locations: [primary],
        related_locations: related,
        code_flows: code_flow(input, f).into_iter().collect(),
        partial_fingerprints: fingerprints,
        fixes: fixes
            .iter()
            .map(|fix| fix_object(input, fix))
            .filter(|fix| !fix.artifact_changes.is_empty())
            .collect(),
        rank: rank(f),
        properties: ResultProperties {
            severity: tally::severity_name(f.severity),
            confidence: tally::confidence_name(f.confidence),
            help: &f.help,
            fix: f.fix.map(tally::applicability_name),
            fix_refused: None,
        },
    }
}

/// From 0 to 100: severity weighs most, confidence parts the equal.
fn rank(f: &Finding) -> f64 {
    let severity = match f.severity {
        Severity::Critical => 90.0,
        Severity::High => 65.0,
        Severity::Medium => 40.0,
        Severity::Low => 15.0,
    };
    let confidence = match f.confidence {
        Confidence::High => 10.0,
        Confidence::Medium => 5.0,
        Confidence::Low => 0.0,
    };
    severity + confidence
}

/// The message, the help, and links to the related locations (`[text](id)`, SARIF 3.11.6).
fn message(input: &ReportInput<'_>, f: &Finding) -> String {
    let mut out = plain(&f.message);
    if !f.help.is_empty() {
        out.push_str("\n\n");
        out.push_str(&plain(&f.help));
    }
    if f.related.is_empty() {
        return out;
    }
    out.push_str("\n\nSee also:");
    for (i, r) in f.related.iter().take(MAX_LINKS).enumerate() {
        let file = input.sources.get(r.at.file);
        let line = file.line_column(r.at.span.lo).line;
        let label = if r.label.is_empty() { "here" } else { &r.label };
        let separator = if i == 0 { " " } else { ", " };
        let link = escape_brackets(&format!("{label} ({}:{line})", file.path));
        out.push_str(&format!("{separator}[{link}]({})", i + 1));
    }
    if f.related.len() > MAX_LINKS {
        out.push_str(&format!(" and {} more", f.related.len() - MAX_LINKS));
    }
    out.push('.');
    out
}

/// Text that no viewer takes for a link: where brackets would read as one, all of them are escaped.
fn plain(text: &str) -> String {
    if text.contains("](") { escape_brackets(text) } else { text.to_owned() }
}

fn escape_brackets(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// The way from the primary place through the calls, as one thread's flow.
fn code_flow(input: &ReportInput<'_>, f: &Finding) -> Option<CodeFlow> {
    if f.chain.is_empty() {
        return None;
    }
    let label = if f.label.is_empty() { &f.message } else { &f.label };
    let mut locations = vec![FlowStep { location: place(input, f.at, None, Some(label)), nesting_level: 0 }];
    locations.extend(f.chain.iter().take(MAX_LOCATIONS - 1).enumerate().map(|(depth, hop)| FlowStep {
        location: place(input, hop.at, None, Some(&hop.label)),
        nesting_level: depth,
    }));
    Some(CodeFlow { thread_flows: [ThreadFlow { locations }] })
}

fn place(input: &ReportInput<'_>, at: Location, id: Option<usize>, message: Option<&str>) -> Place {
    let file = input.sources.get(at.file);
    Place {
        id,
        physical_location: Physical {
            artifact_location: artifact(input, &file.path),
            region: Some(lines(region_utf16(file, file.one_line(at.span)))),
        },
        message: message.filter(|m| !m.is_empty()).map(text),
    }
}

fn lines(region: Region) -> Lines {
    Lines {
        start_line: region.line,
        start_column: Some(region.column),
        end_line: Some(region.end_line),
        end_column: Some(region.end_column),
    }
}

fn artifact(input: &ReportInput<'_>, path: &Utf8Path) -> Artifact {
    let path = forge_path(input, path);
    if path.is_absolute() || path.as_str().starts_with('/') {
        Artifact { uri: file_uri(&path), uri_base_id: None }
    } else {
        Artifact { uri: encode(path.as_str()), uri_base_id: Some(ROOT) }
    }
}

fn encode(path: &str) -> String {
    utf8_percent_encode(path, KEEP).to_string()
}

fn file_uri(path: &Utf8Path) -> String {
    let path = path.as_str().replace('\\', "/");
    match path.split_once(':') {
        // A drive letter; its colon may stand in a URI.
        Some((drive, rest)) if drive.len() == 1 => format!("file:///{drive}:{}", encode(rest)),
        _ => format!("file:///{}", encode(path.trim_start_matches('/'))),
    }
}

fn base(input: &ReportInput<'_>) -> BTreeMap<&'static str, UriBase> {
    let root = input.repository.filter(|r| input.root.starts_with(r)).unwrap_or(input.root);
    let mut uri = file_uri(root);
    if !uri.ends_with('/') {
        uri.push('/');
    }
    BTreeMap::from([(ROOT, UriBase { uri, description: text("The root of the analysed repository.") })])
}

fn invocation(input: &ReportInput<'_>, shown: usize) -> Invocation {
    let mut notifications: Vec<Notification> =
        input.notices.iter().map(|notice| notification(input, notice)).collect();
    if shown < input.findings.len() {
        notifications.push(Notification {
            level: "warning",
            message: text(&format!(
                "{} findings of lower level and severity were left out: GitHub takes {MAX_RESULTS} of one run",
                input.findings.len() - shown
            )),
            locations: Vec::new(),
        });
    }
    Invocation {
        execution_successful: !input.notices.iter().any(|n| n.level == NoticeLevel::Error),
        tool_execution_notifications: notifications,
    }
}

fn notification(input: &ReportInput<'_>, notice: &Notice) -> Notification {
    let region = notice.line.map(|line| Lines {
        start_line: line.max(1),
        start_column: None,
        end_line: None,
        end_column: None,
    });
    Notification {
        level: notice.level.name(),
        message: text(&plain(&notice.message)),
        locations: notice
            .path
            .as_ref()
            .map(|path| Place {
                id: None,
                physical_location: Physical { artifact_location: artifact(input, path), region },
                message: None,
            })
            .into_iter()
            .collect(),
    }
}

fn fix_object<'a>(input: &ReportInput<'_>, fix: &'a Fix) -> FixObject<'a> {
    FixObject {
        description: text(&plain(&fix.description)),
        artifact_changes: fix
            .files
            .iter()
            .filter(|patch| !patch.replacements.is_empty())
            .map(|patch| {
                let file = SourceFile::new(patch.path.clone(), patch.original.clone(), false);
                ArtifactChange {
                    artifact_location: artifact(input, &patch.path),
                    replacements: patch
                        .replacements
                        .iter()
                        .map(|r| ReplacementObject {
                            deleted_region: lines(region_utf16(&file, r.span)),
                            inserted_content: Content { text: &r.text },
                        })
                        .collect(),
                }
            })
            .collect(),
        properties: FixProperties {
            applicability: tally::applicability_name(fix.applicability),
            caveat: fix.caveat.as_deref(),
        },
    }
}

fn text(text: &str) -> Text {
    Text { text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        assert_eq!(encode("src/a b#c%/\u{e9}.rs"), "src/a%20b%23c%25/%C3%A9.rs");
        assert_eq!(file_uri("/home/x y".into()), "file:///home/x%20y");
        assert_eq!(file_uri("C:\\x\\y".into()), "file:///C:/x/y");
    }

    #[test]
    fn only_what_would_read_as_a_link_is_escaped() {
        assert_eq!(plain("v[0] grows"), "v[0] grows");
        assert_eq!(plain("v[0](1)"), "v\\[0\\](1)");
    }
}
