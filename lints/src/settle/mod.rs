//! What is shown, in what order, and with what exit status: levels, suppressions, filters, fingerprints.

mod fingerprint;
mod reach;
mod suppress;
#[cfg(test)]
mod tests;

use camino::Utf8Path;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Settings};
use crate::finding::{Confidence, Finding, Level, Severity};
use crate::program::Program;
use crate::rule::Rule;
use crate::rules::{self, tool};
use crate::source::{FileId, SourceFile, Sources};

/// Findings as they are shown, and how many were held back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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

impl Settled {
    /// The exit status: 2 if a file could not be read, 1 if something is at `deny`, else 0.
    pub fn status(&self) -> u8 {
        if self.findings.iter().any(|f| f.rule == tool::unreadable_file::RULE.id) {
            2
        } else {
            u8::from(self.findings.iter().any(|f| f.level == Level::Deny))
        }
    }
}

/// The code that findings are about.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// What was read from them.
    pub program: &'a Program,
    /// What paths are relative to, absolute.
    pub root: &'a Utf8Path,
    /// By file: whether its findings are asked for. Empty: all are.
    pub shown: &'a [bool],
}

impl Scene<'_> {
    fn is_shown(&self, file: FileId) -> bool {
        self.shown.get(file.0 as usize).copied().unwrap_or(true)
    }
}

/// Decides what is shown. The result does not depend on the order of `found`.
pub fn settle(scene: Scene<'_>, mut found: Vec<Finding>, config: &Config) -> Settled {
    let ranks = ranks(scene.sources);
    found.sort_by(|a, b| compare(&ranks, a, b));
    found.dedup_by(|a, b| a.rule == b.rule && a.at == b.at && a.key == b.key);
    let mut by_file = ByFile { scene, config, known: FxHashMap::default() };
    for finding in &mut found {
        finding.level = by_file.level(finding);
    }
    // What is off is as if it had not been found: it uses up no suppression.
    found.retain(|f| f.level > Level::Allow);
    let mut comments = suppress::Comments::new(scene);
    let silenced: FxHashSet<usize> =
        found.iter().enumerate().filter(|(_, f)| comments.silence(f)).map(|(i, _)| i).collect();
    let mut hushed: Vec<bool> = (0..found.len()).map(|i| silenced.contains(&i)).collect();
    // Comments about this very rule come last: they may silence what is said of the others.
    for about_itself in [false, true] {
        for mut finding in comments.unused(about_itself, &mut |rule, file| by_file.is_off(rule, file)) {
            finding.level = by_file.level(&finding);
            if finding.level > Level::Allow {
                hushed.push(comments.silence(&finding));
                found.push(finding);
            }
        }
    }
    let mut all: Vec<(Finding, bool)> = found.into_iter().zip(hushed).collect();
    all.sort_by(|(a, _), (b, _)| compare(&ranks, a, b));
    // Equals are counted before any of them is held back, so that silencing one renames no other.
    fingerprint::fill(scene.sources, all.iter_mut().map(|(finding, _)| finding));
    let mut out = Settled::default();
    for (finding, hushed) in all {
        if !scene.is_shown(finding.at.file) {
            continue;
        }
        let settings = by_file.settings(finding.at.file);
        let severity = settings.severity.unwrap_or(Severity::Low);
        let confidence = settings.confidence.unwrap_or(Confidence::Medium);
        if hushed {
            out.suppressed += 1;
        } else if finding.in_test && !settings.tests.unwrap_or(false) {
            out.in_tests += 1;
        } else if finding.severity < severity || finding.confidence < confidence {
            out.filtered += 1;
        } else {
            out.findings.push(finding);
        }
    }
    out
}

/// What configuration says, looked up once a file.
struct ByFile<'a> {
    scene: Scene<'a>,
    config: &'a Config,
    known: FxHashMap<FileId, Settings>,
}

impl ByFile<'_> {
    fn settings(&mut self, file: FileId) -> &Settings {
        self.known
            .entry(file)
            .or_insert_with(|| self.config.at(&self.scene.root.join(self.scene.sources.path(file))))
    }

    fn level(&mut self, finding: &Finding) -> Level {
        match rules::ALL.iter().find(|r| r.id == finding.rule) {
            Some(rule) => self.settings(finding.at.file).levels.settle(rule, finding.level),
            None => finding.level,
        }
    }

    fn is_off(&mut self, rule: &Rule, file: FileId) -> bool {
        self.settings(file).levels.settle(rule, rule.level) == Level::Allow
    }
}

/// By file: where its path comes among all.
fn ranks(sources: &Sources) -> Vec<u32> {
    let mut files: Vec<(FileId, &SourceFile)> = sources.iter().collect();
    files.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path));
    let mut out = vec![0; files.len()];
    for (rank, same) in files.chunk_by(|(_, a), (_, b)| a.path == b.path).enumerate() {
        for (file, _) in same {
            out[file.0 as usize] = rank as u32;
        }
    }
    out
}

/// By path, place, rule, what it is about, message.
fn compare(ranks: &[u32], a: &Finding, b: &Finding) -> std::cmp::Ordering {
    fn key<'a>(ranks: &[u32], f: &'a Finding) -> (u32, u32, u32, &'a str, &'a str, &'a str) {
        (ranks[f.at.file.0 as usize], f.at.span.lo, f.at.span.hi, &f.rule, &f.key, &f.message)
    }
    key(ranks, a).cmp(&key(ranks, b))
}
