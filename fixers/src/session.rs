//! One run of `fix`, from the state of the tree to the report: what a command line calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;
use uncork_lints::finding::Applicability;
use uncork_lints::source::SourceFile;

use crate::change::{Change, Place, Refusal};
use crate::fixpoint::{Answer, Applied, Driver, Fixed, Limits, Planner, Stopped};
use crate::format::format_edited;
use crate::overlay::Overlay;
use crate::preview;
use crate::vcs::{self, Allowed, VcsError};
use crate::verify::{BackedOut, Cargo, CargoOptions, Checker, Prover, Verified, Verify, VerifyError};
use crate::write::{Disk, Recovered, RunLock, recover};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Request {
    /// The directory that the analysis' paths are relative to; absolute.
    pub root: Utf8PathBuf,
    /// Whether it lies in a cargo workspace. Without one nothing can be verified or formatted by edition.
    pub cargo: bool,
    /// The least certain kind of change to make.
    pub least: Applicability,
    /// Only show what would be written.
    pub dry: bool,
    /// What may be lost.
    pub allowed: Allowed,
    /// How cargo is run, and how much is verified.
    pub options: CargoOptions,
    /// Bounds of the fixpoint.
    pub limits: Limits,
    /// Set when the user asks to stop (from a signal handler, say).
    pub stop: Arc<AtomicBool>,
}

/// Why a run ended without a report. Every file is as it was, or as it was before an interrupted run.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The tree has uncommitted work.
    #[error("{}{why}", told(recovered).iter().map(|line| format!("{line}; ")).collect::<String>())]
    Vcs {
        /// Which.
        why: VcsError,
        /// What was undone before.
        recovered: Recovered,
    },
    /// Planning, writing or verifying failed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl From<crate::write::WriteError> for SessionError {
    fn from(e: crate::write::WriteError) -> SessionError {
        SessionError::Verify(e.into())
    }
}

/// What was undone, a line each.
fn told(recovered: &Recovered) -> Vec<String> {
    let restored = recovered
        .restored
        .iter()
        .map(|path| format!("restored {path}, which an interrupted run had left half-done"));
    let kept = recovered.kept.iter().map(|(path, original)| {
        format!("{path} was edited after an interrupted run; its original is {original}")
    });
    restored.chain(kept).collect()
}

/// What a run did, ready to be told.
#[derive(Debug)]
pub struct Report {
    /// Changes made (or, in a dry run, that would be).
    pub applied: Vec<Applied>,
    /// Changes taken back.
    pub backed_out: Vec<BackedOut>,
    /// Findings left as they are.
    pub refused: Vec<Refusal>,
    /// Changes that are only to be read, or less certain than asked for.
    pub display: Vec<Change>,
    /// How far the result is proven.
    pub verified: Verified,
    /// Why something may be left to do.
    pub stopped: Option<Stopped>,
    /// What an earlier, interrupted run had left and was undone first.
    pub recovered: Recovered,
    /// Files that differ.
    pub files: Vec<Utf8PathBuf>,
    /// The edited text; after a run that wrote, this is what the disk holds.
    pub overlay: Overlay,
    /// Whether nothing was written.
    pub dry: bool,
}

/// A run before its plan: the tree is whole, may be changed, and is locked. Opened before the code is analysed, since an
/// earlier run that was killed may have left it half-done.
pub struct Session {
    /// What opening it undid.
    pub recovered: Recovered,
    cargo: Option<Cargo>,
    lock: RunLock,
    disk: Disk,
}

impl Session {
    /// Undoes what an interrupted run left, then asks whether the tree may be changed.
    ///
    /// # Errors
    /// [`SessionError`]; no file was changed but those it names.
    pub fn open(request: &Request) -> Result<Session, SessionError> {
        let cargo = match request.cargo {
            true => Some(Cargo::new(&request.root, request.options.clone(), request.stop.clone())?),
            false => None,
        };
        let target =
            cargo.as_ref().map_or_else(|| request.root.join("target"), |c| c.workspace().target.clone());
        let mut disk = Disk::default();
        let lock = RunLock::acquire(&target.join("uncork"))?;
        let recovered = recover(&lock, &mut disk)?;
        if !request.dry {
            vcs::check(&request.root, request.allowed)
                .map_err(|why| SessionError::Vcs { why, recovered: recovered.clone() })?;
        }
        Ok(Session { recovered, cargo, lock, disk })
    }

    /// Fixes what `planner` finds. `gate` is asked before each change.
    ///
    /// # Errors
    /// [`SessionError`]; every file is then as it was.
    pub fn run(
        self,
        request: &Request,
        planner: &mut dyn Planner,
        gate: &mut dyn FnMut(&Change, &Overlay) -> Answer,
    ) -> Result<Report, SessionError> {
        let Session { recovered, mut cargo, lock, mut disk } = self;
        let workspace = cargo.as_ref().map(|c| c.workspace().clone()).unwrap_or_default();
        let edition = |path: &Utf8Path| {
            workspace.package_of(path).map_or_else(|| "2024".to_owned(), |p| p.edition.clone())
        };
        let mut finish = |overlay: &mut Overlay| format_edited(overlay, &edition);
        if request.dry {
            let mut driver = Driver { planner, gate, least: request.least, limits: request.limits };
            let mut fixed = driver.run(request.root.clone(), &BTreeMap::new()).map_err(VerifyError::from)?;
            fixed.finish(&mut finish);
            return Ok(report(fixed, Vec::new(), Verified::Unchecked, recovered, true));
        }
        let checker: Option<&mut dyn Checker> = match (&mut cargo, request.options.verify) {
            (_, Verify::None) | (None, _) => None,
            (Some(cargo), _) => Some(cargo),
        };
        let proof = Prover {
            root: request.root.clone(),
            planner,
            gate,
            finish: &mut finish,
            least: request.least,
            limits: request.limits,
            checker,
            lock: &lock,
            disk: &mut disk,
            stop: &request.stop,
        }
        .run()?;
        Ok(report(proof.fixed, proof.backed_out, proof.verified, recovered, false))
    }
}

/// Opens a [`Session`] and runs it: for a planner that looks at the code only when it is asked.
///
/// # Errors
/// [`SessionError`].
pub fn run(
    request: &Request,
    planner: &mut dyn Planner,
    gate: &mut dyn FnMut(&Change, &Overlay) -> Answer,
) -> Result<Report, SessionError> {
    Session::open(request)?.run(request, planner, gate)
}

fn report(
    fixed: Fixed,
    backed_out: Vec<BackedOut>,
    verified: Verified,
    recovered: Recovered,
    dry: bool,
) -> Report {
    let files: Vec<Utf8PathBuf> = fixed.overlay.changed().map(|f| f.path.to_owned()).collect();
    Report {
        applied: fixed.applied,
        backed_out,
        refused: fixed.refused,
        display: fixed.display,
        verified: if files.is_empty() { Verified::Unchanged } else { verified },
        stopped: fixed.stopped,
        recovered,
        files,
        overlay: fixed.overlay,
        dry,
    }
}

/// Counts a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes made.
    pub applied: usize,
    /// Changes taken back.
    pub backed_out: usize,
    /// Findings refused.
    pub refused: usize,
}

impl Report {
    /// Counts by rule.
    pub fn counts(&self) -> BTreeMap<&str, Counts> {
        let mut out: BTreeMap<&str, Counts> = BTreeMap::new();
        for applied in &self.applied {
            out.entry(&applied.change.rule).or_default().applied += 1;
        }
        for backed_out in &self.backed_out {
            out.entry(&backed_out.change.rule).or_default().backed_out += 1;
        }
        for refused in &self.refused {
            out.entry(&refused.rule).or_default().refused += 1;
        }
        out
    }

    /// Reasons of refusal by how often they were given, most frequent first.
    pub fn reasons(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for refused in &self.refused {
            *counts.entry(&refused.reason).or_default() += 1;
        }
        let mut out: Vec<(&str, usize)> = counts.into_iter().collect();
        out.sort_by_key(|&(reason, count)| (std::cmp::Reverse(count), reason));
        out
    }

    /// The difference to the tree as it was.
    pub fn diff(&self, colour: bool) -> String {
        preview::diff(&self.overlay, colour)
    }

    /// The report for a person: applied, taken back with the compiler's words, refused with reason and blocking place.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        for line in told(&self.recovered) {
            out.push_str(&line);
            out.push('\n');
        }
        let mut shown = Lines { overlay: self.overlay.clone() };
        for refused in &self.refused {
            let at = shown.place(&refused.at);
            let blocked = refused.blocking.as_ref().map(|b| format!(" ({})", shown.place(b)));
            let blocked = blocked.unwrap_or_default();
            line(&mut out, format!("left alone: {at}: {}: {}{blocked}", refused.rule, refused.reason));
        }
        for shown in self.display.iter().filter(|c| c.applicability == Applicability::Display) {
            line(&mut out, format!("to be read: {}: {}", shown.rule, shown.title));
        }
        for back in &self.backed_out {
            line(&mut out, format!("taken back: {}: {}", back.change.rule, back.change.title));
            for words in back.words.lines() {
                line(&mut out, format!("    {words}"));
            }
        }
        for applied in &self.applied {
            let verb = if self.dry { "would apply" } else { "applied" };
            line(&mut out, format!("{verb}: {}: {}", applied.change.rule, applied.change.title));
            if let Some(caveat) = &applied.change.caveat {
                line(&mut out, format!("    may change: {caveat}"));
            }
        }
        line(&mut out, self.summary());
        out
    }

    fn summary(&self) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut parts = vec![format!(
            "{} {} in {}",
            plural(self.applied.len(), "change"),
            if self.dry { "would be made" } else { "made" },
            plural(self.files.len(), "file")
        )];
        if !self.backed_out.is_empty() {
            parts.push(format!("{} taken back", self.backed_out.len()));
        }
        if !self.refused.is_empty() {
            parts.push(format!("{} left alone", plural(self.refused.len(), "finding")));
        }
        let proof = match self.verified {
            Verified::Unchanged => None,
            Verified::Unchecked => Some("not verified".to_owned()),
            Verified::Clean => Some("the compiler agrees".to_owned()),
            Verified::SameErrors(n) => {
                Some(format!("no new error beside the {} of before", plural(n, "error")))
            }
        };
        parts.extend(proof);
        let stopped = match self.stopped {
            None => None,
            Some(Stopped::Rounds) => Some("stopped after many rounds, run it again"),
            Some(Stopped::Growth) => Some("stopped because the code grew too much"),
            Some(Stopped::Quit) => Some("stopped as asked"),
        };
        parts.extend(stopped.map(str::to_owned));
        parts.join(", ")
    }
}

/// Turns byte spans into lines.
struct Lines {
    overlay: Overlay,
}

impl Lines {
    fn place(&mut self, place: &Place) -> String {
        match self.overlay.read(&place.path) {
            Ok(text) => {
                let file = SourceFile::new(place.path.clone(), text, false);
                let at = file.line_column(place.span.lo);
                format!("{}:{}:{}", place.path, at.line, at.column)
            }
            Err(_) => place.path.to_string(),
        }
    }
}
