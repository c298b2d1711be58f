//! The history of runs: when, of which commit, and how many findings of which rule and severity.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use uncork_engine::{Database, Error, WriteBatch};
use uncork_lints::finding::{Finding, Severity};

use super::HISTORY;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    /// The commit that was checked out, where there was one.
    pub(crate) commit: Option<String>,
    /// The arguments that decide what is looked at and shown; runs are comparable if they are equal.
    pub(crate) options: String,
    /// Files and lines read.
    pub(crate) files: u64,
    pub(crate) lines: u64,
    /// Findings silenced by comments.
    pub(crate) suppressed: u64,
    /// Findings shown, by rule and severity.
    pub(crate) counts: BTreeMap<(String, Severity), u64>,
}

impl Entry {
    /// Findings shown.
    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Findings of a severity.
    pub(crate) fn of_severity(&self, severity: Severity) -> u64 {
        self.counts.iter().filter(|((_, s), _)| *s == severity).map(|(_, n)| n).sum()
    }

    /// Findings of a rule.
    pub(crate) fn of_rule(&self, rule: &str) -> u64 {
        self.counts.iter().filter(|((r, _), _)| r == rule).map(|(_, n)| n).sum()
    }

    /// Whether a later run says the same of the same commit.
    pub(crate) fn repeats(&self, before: &Entry) -> bool {
        Entry { time: before.time, ..self.clone() } == *before
    }
}

/// Counts findings by rule and severity.
pub(crate) fn count(findings: &[Finding]) -> BTreeMap<(String, Severity), u64> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry((finding.rule.clone(), finding.severity)).or_default() += 1;
    }
    counts
}

/// Git, asked for the commit while the code is read.
pub(crate) struct Asked(Option<Child>);

/// Asks which commit is checked out.
pub(crate) fn ask_commit(root: &Utf8Path) -> Asked {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["rev-parse", "--verify", "--quiet", "HEAD"]);
    Asked(git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok())
}

impl Asked {
    /// The answer; none without git, repository or commit.
    pub(crate) fn answer(self) -> Option<String> {
        let output = self.0?.wait_with_output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let commit = text.trim();
        (output.status.success() && !commit.is_empty()).then(|| commit.to_owned())
    }
}

/// The newest run that is `wanted`. Entries of a form that is no longer known are passed over.
pub(super) fn newest(db: &Database, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Entry>, Error> {
    let Some(table) = db.existing_table(HISTORY) else { return Ok(None) };
    for row in table.iter()?.rev() {
        let (_, value) = row?;
        if let Ok(entry) = postcard::from_bytes::<Entry>(&value)
            && wanted(&entry)
        {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// All runs, oldest first.
pub(super) fn all(db: &Database) -> Result<Vec<Entry>, Error> {
    let Some(table) = db.existing_table(HISTORY) else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for row in table.iter()? {
        let (_, value) = row?;
        entries.extend(postcard::from_bytes::<Entry>(&value).ok());
    }
    Ok(entries)
}

/// Adds a run, and drops the oldest beyond `limit`.
pub(super) fn add(db: &Database, batch: &mut WriteBatch, entry: &Entry, limit: usize) -> Result<(), Error> {
    let table = db.table(HISTORY)?;
    let mut keys = Vec::new();
    for row in table.iter()? {
        keys.push(row?.0.to_vec());
    }
    for key in &keys[..(keys.len() + 1).saturating_sub(limit)] {
        batch.delete(&table, key)?;
    }
    // In order of time, even if the clock went back, and two at once do not meet.
    let newest = keys.last().and_then(|k| Some(u64::from_be_bytes(*k.first_chunk()?))).unwrap_or(0);
    let key = entry.time.max(newest.saturating_add(1)).to_be_bytes();
    batch.put(&table, &key, &postcard::to_stdvec(entry).unwrap_or_default())
}
