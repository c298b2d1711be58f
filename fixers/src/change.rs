//! A change: what is rewritten together, what it rests on, and what it may change.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use uncork_lints::finding::Applicability;
use uncork_lints::source::Span;

use crate::edit::Edit;
use crate::manifest::ManifestEdit;

/// What identifies a change through re-planning: the rule and what it mends, not where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeId(pub String);

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a file by path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, as [`uncork_lints::source::SourceFile::path`] names it.
    pub path: Utf8PathBuf,
    /// The bytes.
    pub span: Span,
}

impl Place {
    /// A span of a file.
    pub fn new(path: impl Into<Utf8PathBuf>, span: Span) -> Place {
        Place { path: path.into(), span }
    }
}

/// Edits that are made all or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The rule it is for.
    pub rule: String,
    /// What it does, in the imperative, on one line.
    pub title: String,
    /// Fingerprints of the findings it mends; the first names the change.
    pub fingerprints: Vec<String>,
    /// What it may change.
    pub applicability: Applicability,
    /// For an unsafe change: how behaviour may differ, in one line.
    pub caveat: Option<String>,
    /// The replacements.
    pub edits: Vec<Edit>,
    /// Changes of manifests.
    pub manifest: Vec<ManifestEdit>,
    /// Places whose meaning it relies on: another change that edits one of them waits for the next round.
    pub claims: Vec<Place>,
}

impl Change {
    /// Its identity: rule and fingerprints, or the title for want of any.
    pub fn id(&self) -> ChangeId {
        let mut id = self.rule.clone();
        if self.fingerprints.is_empty() {
            id.push(':');
            id.push_str(&self.title);
        }
        for fingerprint in &self.fingerprints {
            id.push(':');
            id.push_str(fingerprint);
        }
        ChangeId(id)
    }

    /// What decides between changes that cannot be made together: the safer first, then the larger one (a migration
    /// makes the small fixes inside it pointless), then by place.
    pub(crate) fn priority(&self) -> impl Ord + use<> {
        let first = self.edits.iter().map(|e| (e.path.clone(), e.span)).min();
        (
            std::cmp::Reverse(self.applicability),
            std::cmp::Reverse(self.edits.len() + self.manifest.len()),
            first,
            self.id(),
        )
    }
}

/// A finding that was not mended, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The rule.
    pub rule: String,
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// The finding's place.
    pub at: Place,
    /// Why not, in a few words that are the same for the same reason (they are counted).
    pub reason: String,
    /// The place that blocks it.
    pub blocking: Option<Place>,
}

/// What a planner found to do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Changes, in any order.
    pub changes: Vec<Change>,
    /// Findings without a change.
    pub refused: Vec<Refusal>,
    /// All findings of the text planned on, so that a change that makes a new one is seen.
    pub marks: Vec<Mark>,
}

/// A finding as far as the driver needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What stays the same when lines move: rule, path, key.
    pub identity: String,
    /// The rule.
    pub rule: String,
    /// One sentence.
    pub message: String,
    /// The primary place, then the related ones.
    pub places: Vec<Place>,
}
