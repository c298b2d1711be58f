//! The rewrites, one file a rule.
//!
//! A codemod gets the analysis and its rule's findings, and answers each with a [`Change`] or a [`Refusal`] that names
//! the place in the way. It never guesses: what it does not understand it refuses.

mod clone_in_loop;
mod duplicate_manager;
mod end_region;
mod imports;
mod lock_unwrap;
mod shared_map;
mod text;
mod tree;
mod unused_suppression;

use camino::Utf8PathBuf;
use uncork_lints::Analysis;
use uncork_lints::config::RuleOptions;
use uncork_lints::finding::{Applicability, Confidence, Finding};
use uncork_lints::program::BodyIx;
use uncork_lints::source::{FileId, Location, Span};

use crate::change::{Change, Mark, Place, Plan, Refusal};
use crate::edit::Edit;
use crate::manifest::{self, ManifestEdit};
use crate::overlay::Overlay;

/// Plans the fixes of one rule's findings.
type Codemod = fn(&mut Context<'_>, &[&Finding], &mut Plan);

/// The rules with a codemod. The order is that of planning and does not matter otherwise.
const CODEMODS: &[(&str, Codemod)] = &[
    ("clone-in-loop", clone_in_loop::plan),
    ("duplicate-manager", duplicate_manager::plan),
    ("lock-across-await", end_region::plan),
    ("lock-across-io", end_region::plan),
    ("lock-reacquired", end_region::plan),
    ("lock-unwrap", lock_unwrap::plan),
    ("shard-guard-reentry", end_region::plan),
    ("shared-map-lock", shared_map::plan),
    ("unbounded-cache", shared_map::cache::plan),
    ("unused-suppression", unused_suppression::plan),
];

/// The rules that can be fixed.
pub fn fixable() -> impl Iterator<Item = &'static str> {
    CODEMODS.iter().map(|(rule, _)| *rule)
}

/// Plans all fixes for `findings` of an analysis of the overlay's text. Rules without a codemod are left out silently:
/// they promise none.
pub fn plan(analysis: &Analysis, findings: &[Finding], options: &RuleOptions, overlay: &mut Overlay) -> Plan {
    let mut plan = Plan { marks: marks(analysis, findings), ..Plan::default() };
    let mut context = Context { analysis, options, overlay };
    for (rule, codemod) in CODEMODS {
        let of_rule: Vec<&Finding> = findings.iter().filter(|f| f.rule == *rule).collect();
        if !of_rule.is_empty() {
            codemod(&mut context, &of_rule, &mut plan);
        }
    }
    together(&context, findings, &mut plan);
    imports::tidy(&context, &mut plan);
    plan
}

/// A map that becomes a bounded cache is no longer behind one lock either: that change mends both findings.
fn together(cx: &Context<'_>, findings: &[Finding], plan: &mut Plan) {
    for finding in findings.iter().filter(|f| f.rule == "unbounded-cache") {
        let own = cx.fingerprint(finding);
        let Some(locked) = findings.iter().find(|f| f.rule == "shared-map-lock" && f.at == finding.at) else {
            continue;
        };
        for change in plan.changes.iter_mut().filter(|c| c.fingerprints == [own.as_str()]) {
            change.fingerprints.push(cx.fingerprint(locked));
        }
    }
}

/// The findings as the fixpoint compares them. Those of low confidence do not count: some fixes knowingly leave one.
pub fn marks(analysis: &Analysis, findings: &[Finding]) -> Vec<Mark> {
    let path = |at: Location| analysis.sources.path(at.file).to_owned();
    let shown = findings.iter().filter(|f| f.confidence > Confidence::Low);
    shown
        .map(|f| Mark {
            identity: format!("{}/{}/{}", f.rule, path(f.at), f.key),
            rule: f.rule.clone(),
            message: f.message.clone(),
            places: std::iter::once(f.at)
                .chain(f.related.iter().map(|r| r.at))
                .map(|at| Place::new(path(at), at.span))
                .collect(),
        })
        .collect()
}

/// What codemods look at.
pub(crate) struct Context<'a> {
    pub(crate) analysis: &'a Analysis,
    pub(crate) options: &'a RuleOptions,
    pub(crate) overlay: &'a mut Overlay,
}

impl<'a> Context<'a> {
    pub(crate) fn path(&self, file: FileId) -> Utf8PathBuf {
        self.analysis.sources.path(file).to_owned()
    }

    pub(crate) fn text(&self, file: FileId) -> &'a str {
        &self.analysis.sources.get(file).text
    }

    pub(crate) fn slice(&self, file: FileId, span: Span) -> &'a str {
        self.analysis.sources.get(file).slice(span)
    }

    pub(crate) fn place(&self, at: Location) -> Place {
        Place::new(self.path(at.file), at.span)
    }

    pub(crate) fn edit(&self, file: FileId, span: Span, text: impl Into<String>) -> Edit {
        Edit::new(self.path(file), span, text)
    }

    /// `path:line`, for titles.
    pub(crate) fn at_line(&self, at: Location) -> String {
        let file = self.analysis.sources.get(at.file);
        format!("{}:{}", file.path, file.line_column(at.span.lo).line)
    }

    /// The bodies of a file.
    pub(crate) fn bodies(&self, file: FileId) -> impl Iterator<Item = BodyIx> + 'a {
        let bodies = &self.analysis.program.bodies;
        bodies.iter().enumerate().filter(move |(_, b)| b.file == file).map(|(i, _)| BodyIx(i as u32))
    }

    pub(crate) fn change(&self, finding: &Finding, title: String, applicability: Applicability) -> Change {
        Change {
            rule: finding.rule.clone(),
            title,
            fingerprints: vec![self.fingerprint(finding)],
            applicability,
            caveat: None,
            edits: Vec::new(),
            manifest: Vec::new(),
            claims: Vec::new(),
        }
    }

    pub(crate) fn refuse(&self, finding: &Finding, reason: &str, blocking: Option<Location>) -> Refusal {
        Refusal {
            rule: finding.rule.clone(),
            fingerprint: self.fingerprint(finding),
            at: self.place(finding.at),
            reason: reason.to_owned(),
            blocking: blocking.map(|b| self.place(b)),
        }
    }

    /// The finding's fingerprint, or what it would be made of.
    pub(crate) fn fingerprint(&self, finding: &Finding) -> String {
        if finding.fingerprint.is_empty() {
            let path = self.path(finding.at.file);
            format!("{path}/{}/{}", finding.key, finding.at.span.lo)
        } else {
            finding.fingerprint.clone()
        }
    }

    /// The manifest of the package a file belongs to: the nearest above it.
    pub(crate) fn manifest_of(&self, file: FileId) -> Option<Utf8PathBuf> {
        let path = self.path(file);
        path.ancestors()
            .skip(1)
            .map(|folder| folder.join("Cargo.toml"))
            .find(|manifest| self.overlay.absolute(manifest).is_file())
    }

    /// How code of `file` names an outside crate, and the manifest edit that makes it possible.
    pub(crate) fn dependency(
        &mut self,
        file: FileId,
        krate: &str,
        features: &[&str],
    ) -> Result<(String, Vec<ManifestEdit>), String> {
        let manifest = self.manifest_of(file).ok_or("no Cargo.toml was found")?;
        let name = manifest::name_in_code(self.overlay, &manifest, krate).map_err(|e| e.to_string())?;
        let add = ManifestEdit::AddDependency {
            manifest,
            krate: krate.to_owned(),
            features: features.iter().map(|f| (*f).to_owned()).collect(),
        };
        Ok((name.unwrap_or_else(|| krate.replace('-', "_")), vec![add]))
    }
}
