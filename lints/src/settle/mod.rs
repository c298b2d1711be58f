//! What is shown, in what order, and with what exit status: levels, suppressions, filters, fingerprints.

mod suppress;

use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap;

use crate::config::Config;
use crate::finding::{Confidence, Finding, Level, Severity};
use crate::hir::FileHir;
use crate::rules;
use crate::source::Sources;

/// Findings as they are shown, and what was held back.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// In order of path, place, rule.
    pub findings: Vec<Finding>,
    /// Silenced by comments.
    pub suppressed: usize,
    /// Below the severity or confidence asked for.
    pub filtered: usize,
    /// In test code.
    pub in_tests: usize,
}

/// Settles findings.
pub fn settle(
    sources: &Sources,
    files: &[FileHir],
    mut findings: Vec<Finding>,
    config: &Config,
    shown: &[Utf8PathBuf],
) -> Settled {
    let mut out = Settled::default();
    for finding in &mut findings {
        let rule = rules::ALL.iter().find(|r| r.id == finding.rule);
        if let Some(level) = rule.and_then(|rule| config.set_level(rule)) {
            finding.level = level;
        }
    }
    order(sources, &mut findings);
    findings.dedup_by(|a, b| a.rule == b.rule && a.at == b.at && a.key == b.key);
    let before = findings.len();
    let unused = suppress::apply(sources, files, &mut findings, config);
    out.suppressed = before - findings.len();
    findings.extend(unused);
    order(sources, &mut findings);
    fingerprint(sources, &mut findings);
    let severity = config.severity.unwrap_or(Severity::Low);
    let confidence = config.confidence.unwrap_or(Confidence::Medium);
    let tests = config.tests.unwrap_or(false);
    for finding in findings {
        if finding.level == Level::Allow || !below(sources.path(finding.at.file), shown) {
            continue;
        }
        if finding.in_test && !tests {
            out.in_tests += 1;
        } else if finding.severity < severity || finding.confidence < confidence {
            out.filtered += 1;
        } else {
            out.findings.push(finding);
        }
    }
    out
}

fn below(path: &Utf8Path, shown: &[Utf8PathBuf]) -> bool {
    shown.is_empty() || shown.iter().any(|s| path.starts_with(s))
}

fn order(sources: &Sources, findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let place = |f: &Finding| (sources.path(f.at.file).to_owned(), f.at.span.lo, f.at.span.hi);
        place(a).cmp(&place(b)).then_with(|| a.rule.cmp(&b.rule)).then_with(|| a.key.cmp(&b.key))
    });
}

/// A hash of rule, path, what the finding is about, and its number among equals: it survives moved lines.
fn fingerprint(sources: &Sources, findings: &mut [Finding]) {
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    for finding in findings {
        let path = sources.path(finding.at.file).as_str().replace('\\', "/");
        let mut hash = fnv1a(OFFSET, finding.rule.as_bytes());
        hash = fnv1a(hash, b"\0");
        hash = fnv1a(hash, path.as_bytes());
        hash = fnv1a(hash, b"\0");
        hash = fnv1a(hash, finding.key.as_bytes());
        let count = seen.entry(hash).or_default();
        let own = fnv1a(hash, &count.to_le_bytes());
        *count += 1;
        finding.fingerprint = format!("{own:016x}");
    }
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable across versions and machines, which std's hashers do not promise.
fn fnv1a(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
